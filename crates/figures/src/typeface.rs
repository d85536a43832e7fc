//! The typeface of all figures: how wide a text is, and the fonts that turn it into pixels.
//! Left out: kerning, which changes widths by less than a pixel.

use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb;
use ttf_parser::Face;

const REGULAR: &[u8] = include_bytes!("../../../assets/fonts/Inter-Regular.ttf");
const SEMIBOLD: &[u8] = include_bytes!("../../../assets/fonts/Inter-SemiBold.ttf");
/// Name of the typeface inside its files.
pub(crate) const FAMILY: &str = "Inter";
/// From here on, scripts that the typeface does not have: Chinese, Japanese, Korean and others.
const FIRST_FOREIGN: char = '\u{2E80}';

/// Thickness of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    SemiBold,
}

/// Width of `text` in pixels at `size_px`.
pub(crate) fn width(text: &str, size_px: f64, weight: Weight) -> f64 {
    static FACES: LazyLock<[Face<'static>; 2]> =
        LazyLock::new(|| [REGULAR, SEMIBOLD].map(|bytes| Face::parse(bytes, 0).expect("the typeface is well-formed")));
    let face = &FACES[weight as usize];
    let units: u32 = text
        .chars()
        .map(|c| {
            let advance = face.glyph_index(c).and_then(|glyph| face.glyph_hor_advance(glyph));
            // A glyph from another font, most likely as wide as high.
            advance.map_or(u32::from(face.units_per_em()), u32::from)
        })
        .sum();
    f64::from(units) * size_px / f64::from(face.units_per_em())
}

/// Fonts for rendering: our own, and the system's only for scripts that ours does not have.
pub(crate) fn fonts_for(svg: &str) -> Arc<fontdb::Database> {
    static OWN: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| Arc::new(own()));
    static WITH_SYSTEM: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
        let mut fonts = own();
        fonts.load_system_fonts();
        Arc::new(fonts)
    });
    if svg.chars().any(|c| c >= FIRST_FOREIGN) { WITH_SYSTEM.clone() } else { OWN.clone() }
}

fn own() -> fontdb::Database {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(REGULAR.to_vec());
    fonts.load_font_data(SEMIBOLD.to_vec());
    fonts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_letters() {
        assert!(width("iii", 12.0, Weight::Regular) < width("WWW", 12.0, Weight::Regular) / 2.0);
        assert!(width("label", 12.0, Weight::Regular) < width("label", 12.0, Weight::SemiBold));
        assert_eq!(width("111", 10.0, Weight::Regular), width("888", 10.0, Weight::Regular), "digits line up");
    }
}

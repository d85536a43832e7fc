//! The colours of emotions, modalities and surfaces, once for figures and for the window.
//!
//! Emotions follow Okabe and Ito's palette for colour-blind readers where it reaches; order and labels do the rest.

use emotion::{LabelSet, Modality, canonical_emotion};

/// A colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Color {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
}

impl Color {
    /// From `0xRRGGBB`.
    pub const fn hex(rgb: u32) -> Self {
        let [_, r, g, b] = rgb.to_be_bytes();
        Self { r, g, b }
    }

    /// Between this at 0 and `other` at 1.
    #[must_use]
    pub fn mix(self, other: Self, share: f64) -> Self {
        let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share.clamp(0.0, 1.0)).round() as u8;
        Self { r: mix(self.r, other.r), g: mix(self.g, other.g), b: mix(self.b, other.b) }
    }

    /// Relative luminance in 0..=1, as WCAG 2 defines it.
    pub fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.r) + 0.7152 * linear(self.g) + 0.0722 * linear(self.b)
    }

    /// WCAG 2 contrast ratio with `other`, 1..=21.
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance() + 0.05, other.luminance() + 0.05);
        if a > b { a / b } else { b / a }
    }
}

/// `#RRGGBB`.
impl std::fmt::Display for Color {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02X}{:02X}{:02X}", self.r, self.g, self.b)
    }
}

/// What can be acted on, and what stands out.
pub const ACCENT: Color = Color::hex(0x3B82F6);
/// Errors, and what cannot be undone.
pub const DANGER: Color = Color::hex(0xDC2626);
/// Success.
pub const GOOD: Color = Color::hex(0x16A34A);
/// What deserves a look.
pub const WARNING: Color = Color::hex(0xD97706);

/// Surroundings of a figure: light for paper, light or dark on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Palette {
    /// Dark on white.
    #[default]
    Light,
    /// Light on near-black.
    Dark,
}

impl Palette {
    /// Behind everything.
    pub fn background(self) -> Color {
        self.pick(0xFFFFFF, 0x111418)
    }

    /// Panels and plot areas.
    pub fn surface(self) -> Color {
        self.pick(0xF6F7F9, 0x181C22)
    }

    /// Raised or selected things.
    pub fn raised(self) -> Color {
        self.pick(0xE9ECF0, 0x20262E)
    }

    /// Text, and what is fused of all modalities.
    pub fn text(self) -> Color {
        self.pick(0x1B1F24, 0xE8EBEF)
    }

    /// Text of less weight, with AA contrast all the same.
    pub fn muted(self) -> Color {
        self.pick(0x5A626C, 0x9AA3AE)
    }

    /// Lines of grids and frames.
    pub fn grid(self) -> Color {
        self.pick(0xE3E6EA, 0x2A313A)
    }

    /// Lines of axes.
    pub fn axis(self) -> Color {
        self.pick(0x8A929C, 0x5C6570)
    }

    fn pick(self, light: u32, dark: u32) -> Color {
        Color::hex(match self {
            Self::Light => light,
            Self::Dark => dark,
        })
    }
}

/// Colours for what has none of its own, apart from those of the emotions as far as can be.
const OTHERS: [u32; 8] = [0x2A7F86, 0xA83E5B, 0x5566C9, 0x9A6A00, 0x3E8E4E, 0xB35CC4, 0x6C5B4B, 0x1F5FA8];

/// The colour of an emotion in any usual spelling; another class gets one by its name, the same everywhere.
pub fn emotion_color(name: &str) -> Color {
    known(name).unwrap_or_else(|| {
        // FNV-1a: stable across versions and machines, which the standard library's hasher is not.
        let hash = name
            .trim()
            .to_lowercase()
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        Color::hex(OTHERS[(hash % OTHERS.len() as u64) as usize])
    })
}

/// One colour a class, all different as long as there are enough of them.
pub fn label_colors(labels: &LabelSet) -> Vec<Color> {
    let mut free = OTHERS.iter().cycle();
    let color = |name: &String| known(name).unwrap_or_else(|| Color::hex(*free.next().expect("a cycle has no end")));
    labels.names().iter().map(color).collect()
}

/// The colour of a modality; fused ones have [`Palette::text`].
pub fn modality_color(modality: Modality) -> Color {
    Color::hex(match modality {
        Modality::Face => 0x4C8DFF,
        Modality::Voice => 0xFF8A3D,
        Modality::Text => 0x2FB37A,
    })
}

/// The colour of the `series_idx`-th curve of a figure whose curves have no meaning of their own, such as runs.
pub fn series_color(series_idx: usize) -> Color {
    const SERIES: [u32; 8] = [0x3B82F6, 0xD55E00, 0x009E73, 0xCC79A7, 0xE6A800, 0x7B4EA3, 0x56B4E9, 0x8C6D31];
    Color::hex(SERIES[series_idx % SERIES.len()])
}

fn known(name: &str) -> Option<Color> {
    Some(Color::hex(match canonical_emotion(name)? {
        "anger" => 0xD55E00,
        "disgust" => 0x009E73,
        "fear" => 0x7B4EA3,
        "happiness" => 0xE6A800,
        "neutral" => 0x8A8F98,
        "sadness" => 0x0072B2,
        "surprise" => 0xCC79A7,
        "contempt" => 0x8C6D31,
        "anxiety" => 0x56B4E9,
        "helplessness" => 0x4B5D67,
        "disappointment" => 0x6B7F3A,
        "calm" => 0x2A9D9D,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_an_emotion_share_a_colour() {
        assert_eq!(emotion_color("Happy").to_string(), "#E6A800");
        assert_eq!(emotion_color("joy"), emotion_color("happiness"));
        assert_eq!(emotion_color("boredom"), emotion_color(" Boredom"));
    }

    #[test]
    fn classes_of_a_set_differ() {
        let labels = LabelSet::new(["a", "b", "c", "anger", "d", "e"]).unwrap();
        let colors = label_colors(&labels);
        assert!((1..colors.len()).all(|idx| !colors[..idx].contains(&colors[idx])));
    }

    #[test]
    fn text_meets_aa_contrast() {
        for palette in [Palette::Light, Palette::Dark] {
            for surface in [palette.background(), palette.surface(), palette.raised()] {
                assert!(palette.text().contrast(surface) > 7.0);
                assert!(palette.muted().contrast(surface) >= 4.5, "{palette:?} {surface}");
            }
        }
    }
}

//! Pictures brought to a tower's size, as the published recipes do it.
//!
//! Pillow's filters to the bit (antialiased when shrinking, two passes in whole numbers with rounding between them:
//! `Resample.c`), OpenCV's cubic interpolation but for one level here and there (not antialiased), and UMBEnet's
//! letterbox (`data_prepro_mafw.py`).
//!
//! [`clip_square`], [`umbenet_square`] and [`letterbox`] exist to be compared with the reference (`tests/parity`). Left
//! out: preparing with them. Whatever the preset, UMBEnet's `paper` and `official-compat` among them, a model sees the
//! square that [`crate::crop_face`] cuts out around the face, not the middle of the frame.

use crate::Image;

/// A filter of Pillow's `resize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// A triangle.
    Bilinear,
    /// Keys' cubic with a = -0.5.
    Bicubic,
}

impl Filter {
    /// How far the filter reaches, in input pixels where nothing shrinks.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        match self {
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Bicubic => cubic(x, -0.5),
        }
    }
}

/// OpenCV's cubic.
const OPENCV_A: f64 = -0.75;
/// Canvas of UMBEnet's letterbox, and what a picture is shrunk to where it is larger.
const CANVAS: (usize, usize) = (168, 112);
const FIT: (usize, usize) = (160, 110);
/// Short side before UMBEnet's centre crop.
const BEFORE_CROP_PX: usize = 256;

/// A picture as CLIP takes it: short side to `side_px`, bicubic, then the square in the centre.
pub fn clip_square(picture: &Image, side_px: usize) -> Image {
    centre_square(&resize_short_side(picture, side_px, Filter::Bicubic), side_px)
}

/// A picture as UMBEnet's released code takes it: letterboxed, short side to 256, bilinear, then the square in the
/// centre.
pub fn umbenet_square(picture: &Image, side_px: usize) -> Image {
    centre_square(&resize_short_side(&letterbox(picture), BEFORE_CROP_PX, Filter::Bilinear), side_px)
}

/// The picture at the top left of a black canvas of 168 × 112, shrunk to 160 × 110 at most.
pub fn letterbox(picture: &Image) -> Image {
    let (width, height) = (picture.width_px as f64, picture.height_px as f64);
    let scale = (FIT.0 as f64 / width).min(FIT.1 as f64 / height);
    let shrunk = if scale < 1.0 { shrink_cubic(picture, scale) } else { picture.clone() };
    let (width_px, height_px) = CANVAS;
    let mut rgb = vec![0; width_px * height_px * 3];
    let row_bytes = shrunk.width_px * 3;
    for (row, line) in shrunk.rgb.chunks(row_bytes).enumerate() {
        rgb[row * width_px * 3..][..row_bytes].copy_from_slice(line);
    }
    Image { width_px, height_px, rgb }
}

/// OpenCV's `resize` with `INTER_CUBIC` and both factors `scale`, which is also the sampling step's inverse.
fn shrink_cubic(picture: &Image, scale: f64) -> Image {
    let side = |px: usize| (px as f64 * scale).round_ties_even() as usize;
    let taps = |px: usize| -> Vec<Taps> {
        (0..side(px))
            .map(|place| {
                let centre = (place as f64 + 0.5) / scale - 0.5;
                let first = centre.floor() as isize - 1;
                let weights = (0..4).map(|tap| cubic(centre - (first + tap) as f64, OPENCV_A)).collect();
                Taps { first, weights }
            })
            .collect()
    };
    let plane = across(&bytes(picture), picture.width_px, &taps(picture.width_px));
    let plane = down(&plane, side(picture.width_px), &taps(picture.height_px));
    Image { width_px: side(picture.width_px), height_px: side(picture.height_px), rgb: rounded(&plane) }
}

/// Pillow's `resize` so that the shorter side becomes `side_px`, as torchvision's `Resize` asks for it.
pub fn resize_short_side(picture: &Image, side_px: usize, filter: Filter) -> Image {
    let (width, height) = (picture.width_px, picture.height_px);
    let long = side_px * width.max(height) / width.min(height).max(1);
    if width <= height { resize(picture, side_px, long, filter) } else { resize(picture, long, side_px, filter) }
}

/// Pillow's `resize`.
pub fn resize(picture: &Image, width_px: usize, height_px: usize, filter: Filter) -> Image {
    let spans = |from_px: usize, to_px: usize| -> Vec<Span> {
        // Where a side keeps its length, Pillow leaves the pass out.
        if from_px == to_px { Vec::new() } else { spans(from_px, to_px, filter) }
    };
    let across = spans(picture.width_px, width_px);
    let rgb =
        if across.is_empty() { picture.rgb.clone() } else { filtered_rows(&picture.rgb, picture.width_px, &across) };
    let down = spans(picture.height_px, height_px);
    let rgb = if down.is_empty() { rgb } else { filtered_columns(&rgb, width_px, &down) };
    Image { width_px, height_px, rgb }
}

/// The square of `side_px` in the centre of a picture at least as large.
pub fn centre_square(picture: &Image, side_px: usize) -> Image {
    let offset = |px: usize| ((px - side_px) as f64 / 2.0).round_ties_even() as usize;
    let (left, top) = (offset(picture.width_px), offset(picture.height_px));
    let row = |row: usize| &picture.rgb[((top + row) * picture.width_px + left) * 3..][..side_px * 3];
    Image { width_px: side_px, height_px: side_px, rgb: (0..side_px).flat_map(row).copied().collect() }
}

/// What an output pixel is made of along one axis in OpenCV's: neighbours from `first` on, beyond the border the border
/// itself.
struct Taps {
    first: isize,
    weights: Vec<f64>,
}

/// What an output pixel is made of along one axis in Pillow's arithmetic: neighbours from `first` on, all within the
/// picture.
struct Span {
    first: usize,
    /// Sum 1 in units of 2^-[`WEIGHT_BITS`].
    weights: Vec<i32>,
}

/// Fraction bits of Pillow's weights of bytes: 32 less 8 for the byte and 2 for sums beyond it (`PRECISION_BITS`).
const WEIGHT_BITS: u32 = 32 - 8 - 2;

fn spans(from_px: usize, to_px: usize, filter: Filter) -> Vec<Span> {
    let scale = from_px as f64 / to_px as f64;
    let widening = scale.max(1.0);
    let support = filter.support() * widening;
    // Pillow multiplies by the inverse; a quotient can differ in its last bit.
    let narrowing = 1.0 / widening;
    (0..to_px)
        .map(|place| {
            let centre = (place as f64 + 0.5) * scale;
            let first = ((centre - support + 0.5).max(0.0)) as usize;
            let end = ((centre + support + 0.5) as usize).min(from_px);
            let weights: Vec<f64> =
                (0..end - first).map(|tap| filter.at(((tap + first) as f64 - centre + 0.5) * narrowing)).collect();
            let sum: f64 = weights.iter().sum();
            // A half is added away from zero and the rest cut off.
            let whole = |weight: f64| (weight / sum * f64::from(1 << WEIGHT_BITS) + 0.5_f64.copysign(weight)) as i32;
            Span { first, weights: weights.into_iter().map(whole).collect() }
        })
        .collect()
}

/// A sum of weighted bytes as a byte.
fn byte(sum: i32) -> u8 {
    (sum >> WEIGHT_BITS).clamp(0, 255) as u8
}

/// What sums start from, so that cutting their fraction off rounds.
const HALF: i32 = 1 << (WEIGHT_BITS - 1);

/// Filters every row of `[height, width, 3]`.
fn filtered_rows(rgb: &[u8], width_px: usize, spans: &[Span]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rgb.len() / width_px * spans.len());
    for row in rgb.chunks(width_px * 3) {
        for Span { first, weights } in spans {
            let mut sums = [HALF; 3];
            for (pixel, &weight) in row[first * 3..].as_chunks::<3>().0.iter().zip(weights) {
                (0..3).for_each(|channel| sums[channel] += i32::from(pixel[channel]) * weight);
            }
            out.extend(sums.map(byte));
        }
    }
    out
}

/// Filters every column of `[height, width, 3]`.
fn filtered_columns(rgb: &[u8], width_px: usize, spans: &[Span]) -> Vec<u8> {
    let row_bytes = width_px * 3;
    let mut out = Vec::with_capacity(spans.len() * row_bytes);
    let mut sums = vec![HALF; row_bytes];
    for Span { first, weights } in spans {
        sums.fill(HALF);
        for (row, &weight) in rgb[first * row_bytes..].chunks(row_bytes).zip(weights) {
            sums.iter_mut().zip(row).for_each(|(sum, &byte)| *sum += i32::from(byte) * weight);
        }
        out.extend(sums.iter().copied().map(byte));
    }
    out
}

/// Keys' cubic convolution kernel.
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * a
    } else {
        0.0
    }
}

fn bytes(picture: &Image) -> Vec<f64> {
    picture.rgb.iter().map(|&byte| f64::from(byte)).collect()
}

/// Rounds half up, within a byte.
fn rounded(plane: &[f64]) -> Vec<u8> {
    plane.iter().map(|&value| (value + 0.5).floor().clamp(0.0, 255.0) as u8).collect()
}

/// Filters every row of `[height, width, 3]`.
fn across(plane: &[f64], width_px: usize, taps: &[Taps]) -> Vec<f64> {
    let mut out = Vec::with_capacity(plane.len() / width_px * taps.len());
    for row in plane.chunks(width_px * 3) {
        for Taps { first, weights } in taps {
            for channel in 0..3 {
                let at = |tap: usize| row[clamped(first + tap as isize, width_px) * 3 + channel];
                out.push(weights.iter().enumerate().map(|(tap, weight)| weight * at(tap)).sum());
            }
        }
    }
    out
}

/// Filters every column of `[height, width, 3]`.
fn down(plane: &[f64], width_px: usize, taps: &[Taps]) -> Vec<f64> {
    let row_values = width_px * 3;
    let height_px = plane.len() / row_values;
    let mut out = vec![0.0; taps.len() * row_values];
    for (Taps { first, weights }, line) in taps.iter().zip(out.chunks_mut(row_values)) {
        for (tap, weight) in weights.iter().enumerate() {
            let row = &plane[clamped(first + tap as isize, height_px) * row_values..][..row_values];
            line.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
        }
    }
    out
}

fn clamped(place: isize, n: usize) -> usize {
    place.clamp(0, n as isize - 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width_px: usize, height_px: usize, level: u8) -> Image {
        Image { width_px, height_px, rgb: vec![level; width_px * height_px * 3] }
    }

    #[test]
    fn one_colour_stays_and_sizes_are_the_recipes() {
        let square = clip_square(&grey(300, 90, 77), 64);
        assert_eq!((square.width_px, square.height_px), (64, 64));
        assert!(square.rgb.iter().all(|&byte| byte == 77));
        let canvas = letterbox(&grey(320, 240, 50));
        assert_eq!((canvas.width_px, canvas.height_px), (168, 112));
        let lit = canvas.rgb.chunks(3).filter(|pixel| pixel[0] == 50).count();
        assert_eq!(lit, 147 * 110, "320 × 240 shrinks to 147 × 110");
    }

    #[test]
    fn small_pictures_are_not_scaled() {
        let canvas = letterbox(&grey(100, 90, 9));
        assert_eq!(canvas.rgb.chunks(3).filter(|pixel| pixel[0] == 9).count(), 100 * 90);
    }

    /// A picture of curves and hard edges that any language can make.
    fn pattern(width_px: usize, height_px: usize) -> Image {
        let mut rgb = Vec::new();
        for (y, x, c) in
            (0..height_px).flat_map(|y| (0..width_px).flat_map(move |x| (0..3).map(move |channel| (y, x, channel))))
        {
            let is_edge = (x / 5 + y / 3) % 4 == 0;
            rgb.push(
                if is_edge { 255 * ((x + y + c) % 2) } else { (x * x * 7 + y * 131 + x * y * 13 + c * 59) % 256 } as u8
            );
        }
        Image { width_px, height_px, rgb }
    }

    /// Rows that Pillow 13.0 made. Exact weights would be a level off in each of the first three.
    #[test]
    fn pictures_are_pillows_to_the_bit() {
        let check = |from_px: (usize, usize), to_px: (usize, usize), filter, row: usize, want: &[u8]| {
            let got = resize(&pattern(from_px.0, from_px.1), to_px.0, to_px.1, filter);
            assert_eq!(&got.rgb[row * to_px.0 * 3..][..to_px.0 * 3], want, "row {row} of {to_px:?}, {filter:?}");
        };
        #[rustfmt::skip]
        check((9, 9), (15, 15), Filter::Bicubic, 1, &[
            101, 154, 101, 122, 133, 122, 154, 101, 154, 120, 135, 120, 106, 149, 106, 149, 106, 149, 135, 114, 138, 101, 154, 101, 127,
            201, 99, 175, 189, 106, 237, 51, 95, 178, 50, 142, 77, 136, 195, 140, 211, 103, 194, 250, 37,
        ]);
        #[rustfmt::skip]
        check((23, 17), (9, 7), Filter::Bilinear, 0, &[
            128, 130, 126, 126, 136, 128, 143, 127, 117, 117, 162, 106, 123, 134, 142, 142, 117, 101, 110, 134, 131, 145, 110, 124, 127,
            126, 125,
        ]);
        #[rustfmt::skip]
        check((23, 17), (9, 7), Filter::Bilinear, 4, &[
            113, 142, 99, 138, 126, 95, 136, 126, 114, 152, 121, 113, 107, 86, 135, 114, 128, 136, 126, 126, 103, 108, 157, 90, 126, 132,
            141,
        ]);
        #[rustfmt::skip]
        check((24, 16), (12, 8), Filter::Bicubic, 0, &[
            125, 127, 124, 125, 126, 129, 137, 151, 123, 147, 113, 121, 114, 182, 100, 125, 168, 140, 151, 91, 95, 112, 150, 132, 102,
            107, 142, 159, 89, 128, 128, 126, 126, 131, 126, 128,
        ]);
    }
}

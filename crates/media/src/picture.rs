//! Pictures brought to a tower's size, as the published recipes do it: to the same pixels, but for one level here and there.
//!
//! Pillow filters (antialiased when shrinking, two passes with rounding between them), OpenCV's cubic interpolation (not
//! antialiased), and UMBEnet's letterbox (`data_prepro_mafw.py`).

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

/// A picture as UMBEnet's released code takes it: letterboxed, short side to 256, bilinear, then the square in the centre.
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
    let plane = across(&bytes(picture), picture.width_px, &pillow_taps(picture.width_px, width_px, filter));
    let between: Vec<f64> = rounded(&plane).into_iter().map(f64::from).collect();
    let plane = down(&between, width_px, &pillow_taps(picture.height_px, height_px, filter));
    Image { width_px, height_px, rgb: rounded(&plane) }
}

/// The square of `side_px` in the centre of a picture at least as large.
pub fn centre_square(picture: &Image, side_px: usize) -> Image {
    let offset = |px: usize| ((px - side_px) as f64 / 2.0).round_ties_even() as usize;
    let (left, top) = (offset(picture.width_px), offset(picture.height_px));
    let row = |row: usize| &picture.rgb[((top + row) * picture.width_px + left) * 3..][..side_px * 3];
    Image { width_px: side_px, height_px: side_px, rgb: (0..side_px).flat_map(row).copied().collect() }
}

/// What an output pixel is made of along one axis: neighbours from `first` on, beyond the border the border itself.
struct Taps {
    first: isize,
    weights: Vec<f64>,
}

fn pillow_taps(from_px: usize, to_px: usize, filter: Filter) -> Vec<Taps> {
    let scale = from_px as f64 / to_px as f64;
    let widening = scale.max(1.0);
    let support = filter.support() * widening;
    (0..to_px)
        .map(|place| {
            let centre = (place as f64 + 0.5) * scale;
            let first = ((centre - support + 0.5).max(0.0)) as usize;
            let end = ((centre + support + 0.5) as usize).min(from_px);
            let weights: Vec<f64> = (first..end).map(|x| filter.at((x as f64 - centre + 0.5) / widening)).collect();
            let sum: f64 = weights.iter().sum();
            Taps { first: first as isize, weights: weights.into_iter().map(|weight| weight / sum).collect() }
        })
        .collect()
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
}

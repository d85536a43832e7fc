//! Cutting a face out of a picture as a square, and scaling pictures without aliases.

use emotion::FaceBox;
use fast_image_resize::images::{Image as Resized, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::Image;

/// The detector's box ends at forehead and chin; with some room a tilted head stays inside.
const MARGIN: f32 = 1.3;

/// A square of `size_px` around `area` with a margin, moved into the picture where it would stick out; without an
/// area the largest square in the middle. Bytes `[size_px, size_px, 3]`.
pub fn crop_face(image: &Image, area: Option<&FaceBox>, size_px: usize) -> Vec<u8> {
    if image.width_px == 0 || image.height_px == 0 {
        return vec![0; size_px * size_px * 3];
    }
    let (width, height) = (image.width_px as f32, image.height_px as f32);
    let shorter = width.min(height);
    let usable = |area: &&FaceBox| area.width_px.max(area.height_px) >= 1.0 && (area.x_px + area.y_px).is_finite();
    let part = match area.filter(usable) {
        Some(area) => {
            let side = (area.width_px.max(area.height_px) * MARGIN).clamp(1.0, shorter);
            let left = area.x_px + area.width_px / 2.0 - side / 2.0;
            let top = area.y_px + area.height_px / 2.0 - side / 2.0;
            Part { left: left.clamp(0.0, width - side), top: top.clamp(0.0, height - side), width: side, height: side }
        }
        None => Part { left: (width - shorter) / 2.0, top: (height - shorter) / 2.0, width: shorter, height: shorter },
    };
    resized(image, part, [size_px, size_px], Filter::Averaging)
}

/// A rectangle within a picture, in pixels.
#[derive(Clone, Copy)]
pub(super) struct Part {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

impl Part {
    pub(super) fn whole(image: &Image) -> Self {
        Self { left: 0.0, top: 0.0, width: image.width_px as f32, height: image.height_px as f32 }
    }
}

/// How pixels become others.
#[derive(Clone, Copy)]
pub(super) enum Filter {
    /// By a triangle that widens with the reduction, so that nothing aliases: bilinear when enlarging, smooth averaging
    /// when reducing.
    Averaging,
    /// Each from the nearest four: OpenCV's bilinear resizing.
    FourPixels,
}

/// A part of a picture at `[width, height]`, bytes `[height, width, 3]`. The filter looks beyond the edge of the part,
/// where the picture goes on.
pub(super) fn resized(image: &Image, part: Part, [width, height]: [usize; 2], filter: Filter) -> Vec<u8> {
    let mut out = Resized::new(width as u32, height as u32, PixelType::U8x3);
    let algorithm = match filter {
        Filter::Averaging => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::FourPixels => ResizeAlg::Interpolation(FilterType::Bilinear),
    };
    let [left, top] = [part.left, part.top].map(f64::from);
    // What was rounded may stick out by a hair.
    let part_width = f64::from(part.width).min(image.width_px as f64 - left);
    let part_height = f64::from(part.height).min(image.height_px as f64 - top);
    let options = ResizeOptions::new().crop(left, top, part_width, part_height).resize_alg(algorithm);
    let source = ImageRef::new(image.width_px as u32, image.height_px as u32, &image.rgb, PixelType::U8x3)
        .expect("a picture has the bytes that its size says");
    Resizer::new().resize(&source, &mut out, &options).expect("the part lies in the picture");
    out.into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width_px: usize, height_px: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Image {
        let rgb =
            (0..height_px).flat_map(|y| (0..width_px).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect();
        Image { width_px, height_px, rgb }
    }

    #[test]
    fn a_crop_of_the_same_size_is_the_picture() {
        let picture = image(16, 16, |x, y| [x as u8, y as u8, (x * y) as u8]);
        assert_eq!(crop_face(&picture, None, 16), picture.rgb);
    }

    #[test]
    fn without_an_area_the_middle_is_cut() {
        // Left and right thirds are red, the middle is blue.
        let picture = image(30, 10, |x, _| if (10..20).contains(&x) { [0, 0, 200] } else { [200, 0, 0] });
        assert!(crop_face(&picture, None, 10).chunks_exact(3).all(|pixel| pixel == [0, 0, 200]));
        // Reduced, what is beyond the edge counts a little there, and nowhere else.
        for row in crop_face(&picture, None, 5).chunks_exact(15) {
            assert!(row[3..12].chunks_exact(3).all(|pixel| pixel == [0, 0, 200]), "{row:?}");
            assert!(row[0] < 30 && row[12] < 30 && row[2] > 170 && row[14] > 170, "{row:?}");
        }
    }

    #[test]
    fn an_area_is_grown_and_kept_inside() {
        let picture = image(100, 80, |x, y| [x as u8, y as u8, 0]);
        // 40 wide grows to 52: from 74 - 26 to 100 + ..., which is moved left to 48..100 and down to 0..52.
        let area = FaceBox { x_px: 70.0, y_px: -5.0, width_px: 40.0, height_px: 30.0 };
        let crop = crop_face(&picture, Some(&area), 52);
        assert_eq!((crop[0], crop[1]), (48, 0));
        let last = &crop[crop.len() - 3..];
        assert_eq!((last[0], last[1]), (99, 51));
    }

    #[test]
    fn reducing_averages_and_odd_areas_do_no_harm() {
        let stripes = image(64, 64, |x, _| [if x % 2 == 0 { 0 } else { 255 }; 3]);
        assert!(crop_face(&stripes, None, 8).iter().all(|&value| (120..136).contains(&value)));
        // Sides that are no sums of powers of two.
        for side_px in [1.1_f32, 3.3, 33.3, 63.9] {
            for x_px in [0.1, 63.3, 1e5] {
                let area = FaceBox { x_px, y_px: x_px, width_px: side_px, height_px: side_px / 3.0 };
                assert_eq!(crop_face(&stripes, Some(&area), 7).len(), 7 * 7 * 3);
            }
        }
        let dot = image(1, 1, |_, _| [7, 8, 9]);
        for area in [
            FaceBox { x_px: 0.0, y_px: 0.0, width_px: 0.0, height_px: 0.0 },
            FaceBox { x_px: f32::NAN, y_px: 0.0, width_px: 5.0, height_px: 5.0 },
            FaceBox { x_px: -900.0, y_px: 900.0, width_px: 5.0, height_px: 1e9 },
        ] {
            assert_eq!(crop_face(&dot, Some(&area), 2), [7, 8, 9].repeat(4));
            assert_eq!(crop_face(&stripes, Some(&area), 2).len(), 12);
        }
    }
}

//! Cutting a face out of a picture as a square, and scaling pictures without aliases.

use emotion::FaceBox;

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
    resized(image, part, size_px, size_px)
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

/// Scales a part of a picture with a triangle filter that widens with the reduction, so that nothing aliases:
/// bilinear when enlarging, smooth averaging when reducing. Bytes `[height, width, 3]`.
pub(super) fn resized(image: &Image, part: Part, width: usize, height: usize) -> Vec<u8> {
    let across = triangle_taps(part.left, part.width, width, image.width_px);
    let down = triangle_taps(part.top, part.height, height, image.height_px);
    let first_row = down.first().map_or(0, |taps| taps.first);
    let last_row = down.last().map_or(0, |taps| taps.first + taps.weights.len());
    let mut rows = vec![0.0_f32; (last_row - first_row) * width * 3];
    for (row, out) in (first_row..last_row).zip(rows.chunks_exact_mut(width * 3)) {
        let line = &image.rgb[row * image.width_px * 3..(row + 1) * image.width_px * 3];
        for (taps, pixel) in across.iter().zip(out.chunks_exact_mut(3)) {
            let mut sums = [0.0_f32; 3];
            for (&weight, source) in taps.weights.iter().zip(line[taps.first * 3..].chunks_exact(3)) {
                for channel in 0..3 {
                    sums[channel] += weight * f32::from(source[channel]);
                }
            }
            pixel.copy_from_slice(&sums);
        }
    }
    let mut bytes = Vec::with_capacity(width * height * 3);
    let mut sums = vec![0.0_f32; width * 3];
    for taps in &down {
        sums.fill(0.5); // rounds
        for (&weight, row) in
            taps.weights.iter().zip(rows[(taps.first - first_row) * width * 3..].chunks_exact(width * 3))
        {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
        bytes.extend(sums.iter().map(|&sum| sum as u8));
    }
    bytes
}

/// The source pixels of one output pixel along one axis.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// Taps of `n_out` pixels over `[start, start + length)` of an axis of `n_in` pixels.
fn triangle_taps(start: f32, length: f32, n_out: usize, n_in: usize) -> Vec<Taps> {
    let scale = length / n_out as f32;
    let reach = scale.max(1.0);
    (0..n_out)
        .map(|out_idx| {
            let centre = start + (out_idx as f32 + 0.5) * scale;
            // What lies outside the part must not shine in.
            let first = ((centre - reach).max(start).floor().max(0.0) as usize).min(n_in - 1);
            let end = ((centre + reach).min(start + length).ceil() as usize).clamp(first + 1, n_in);
            let mut weights: Vec<f32> =
                (first..end).map(|source| (1.0 - ((source as f32 + 0.5 - centre) / reach).abs()).max(0.0)).collect();
            let total: f32 = weights.iter().sum();
            if total > 0.0 {
                weights.iter_mut().for_each(|weight| *weight /= total);
            } else {
                weights.fill(1.0 / (end - first) as f32);
            }
            Taps { first, weights }
        })
        .collect()
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
        assert!(crop_face(&picture, None, 4).chunks_exact(3).all(|pixel| pixel == [0, 0, 200]));
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

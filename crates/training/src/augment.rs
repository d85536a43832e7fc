//! Changes to training samples that leave the emotion as it is.
//!
//! All of them follow from one seed a sample and epoch. The gentle ones are ours, for small encoders that start from
//! nothing; random crops are those of MMA-DFER's released code, but of the prepared crop of the face, not of the larger
//! original.

use std::ops::Range;

use emotion::{Frames, LogMel, Sample, Voice};
use models::Augmentation;
use rand::{Rng, RngExt as _};

/// Largest shift of a face crop, as a part of its side.
const LARGEST_SHIFT: f64 = 0.06;
/// Largest turn of the head's picture, in radians.
const LARGEST_TURN: f64 = 0.17;
/// Largest change of size, as a part.
const LARGEST_ZOOM: f64 = 0.12;
/// Largest change of loudness, in natural logarithms of energy.
const LARGEST_GAIN: f32 = 0.7;
/// Widest band of mel bins and longest stretch of time that are hidden, as parts of all (SpecAugment, Park et al.
/// 2019).
const HIDDEN_BINS: f64 = 0.15;
const HIDDEN_TIME: f64 = 0.2;
/// Shortest and longest side of the part of a face that is blotted out, as parts of the crop's (random erasing, Zhong
/// et al. 2020).
const HIDDEN_FACE: Range<f64> = 0.2..0.55;
/// How likely a word is left out.
const DROPPED_WORDS: f64 = 0.4;

/// Part of a face's area that a random crop keeps.
const KEPT_AREA: Range<f64> = 0.08..1.0;
/// Width of a random crop over its height.
const CROP_ASPECT: Range<f64> = 3.0 / 4.0..4.0 / 3.0;
/// Crops that are tried before the whole face is taken: one may be wider than the face.
const CROP_TRIES: usize = 10;
/// Factor between old and new brightness.
const BRIGHTNESS: Range<f32> = 0.5..1.5;

/// Changes `sample` at random.
pub fn augment(sample: &mut Sample, augmentation: Augmentation, rng: &mut impl Rng) {
    match augmentation {
        Augmentation::Gentle => change_gently(sample, rng),
        Augmentation::RandomCrops => {
            if let Some(face) = &mut sample.face {
                Crop::draw(face.size_px, rng).apply(face);
            }
        }
    }
}

fn change_gently(sample: &mut Sample, rng: &mut impl Rng) {
    if let Some(face) = &mut sample.face {
        let mut within = |reach: f64| rng.random_range(-reach..=reach);
        let view = View {
            turn: within(LARGEST_TURN),
            zoom: 1.0 + within(LARGEST_ZOOM),
            shift_x: within(LARGEST_SHIFT),
            shift_y: within(LARGEST_SHIFT),
            mirrored: rng.random_bool(0.5),
        };
        view.apply(face);
        let mut stretch = || {
            let len = (face.size_px as f64 * rng.random_range(HIDDEN_FACE)) as usize;
            let start = rng.random_range(0..=face.size_px - len);
            start..start + len
        };
        let (columns, rows) = (stretch(), stretch());
        blot_out(face, &columns, &rows);
    }
    if let Some(Voice::LogMel(mel)) = &mut sample.voice {
        let gain = rng.random_range(-LARGEST_GAIN..=LARGEST_GAIN);
        let n = mel.n_valid * mel.n_bins;
        mel.values[..n].iter_mut().for_each(|value| *value += gain);
        let mut stretch = |n: usize, part: f64| {
            let len = rng.random_range(0..=(n as f64 * part) as usize);
            let start = rng.random_range(0..=n - len);
            start..start + len
        };
        hide(mel, stretch(mel.n_valid, HIDDEN_TIME), stretch(mel.n_bins, HIDDEN_BINS));
    }
    if let Some(text) = &mut sample.text {
        let words: Vec<&str> = text.split_whitespace().filter(|_| !rng.random_bool(DROPPED_WORDS)).collect();
        if !words.is_empty() {
            *text = words.join(" ");
        }
    }
}

/// Puts the clip's mean where a stretch of time or a band of bins is.
fn hide(mel: &mut LogMel, time: Range<usize>, bins: Range<usize>) {
    let n = mel.n_valid * mel.n_bins;
    let mean = mel.values[..n].iter().sum::<f32>() / n.max(1) as f32;
    for (frame_idx, frame) in mel.values[..n].chunks_mut(mel.n_bins).enumerate() {
        let hidden = if time.contains(&frame_idx) { 0..frame.len() } else { bins.clone() };
        frame[hidden].fill(mean);
    }
}

/// Puts the mean colour of a rectangle over it, the same rectangle in every frame.
fn blot_out(frames: &mut Frames, columns: &Range<usize>, rows: &Range<usize>) {
    let side = frames.size_px;
    let n_pixels = (columns.len() * rows.len()).max(1);
    for frame in frames.rgb.chunks_mut(side * side * 3) {
        for channel in 0..3 {
            let pixels = || rows.clone().flat_map(|y| columns.clone().map(move |x| (y * side + x) * 3 + channel));
            let sum: usize = pixels().map(|pixel| usize::from(frame[pixel])).sum();
            let mean = (sum / n_pixels) as u8;
            pixels().for_each(|pixel| frame[pixel] = mean);
        }
    }
}

/// Another view of the same face, the same for all frames of a clip.
#[derive(Debug, Clone, Copy)]
struct View {
    /// Radians.
    turn: f64,
    /// Above 1 the face gets larger.
    zoom: f64,
    /// Parts of the side.
    shift_x: f64,
    /// Parts of the side.
    shift_y: f64,
    mirrored: bool,
}

impl View {
    /// Beyond the border, the border is repeated.
    fn apply(self, frames: &mut Frames) {
        resample(frames, &self.places(frames.size_px), 1.0);
    }

    /// Where each pixel of the view comes from.
    fn places(self, side: usize) -> Vec<Place> {
        let centre = (side as f64 - 1.0) / 2.0;
        let (sin, cos) = self.turn.sin_cos();
        let last = side as f64 - 1.0;
        let pixels = (0..side).flat_map(|y| (0..side).map(move |x| (x as f64, y as f64)));
        pixels
            .map(|(x, y)| {
                let dx = (x - centre - self.shift_x * side as f64) / self.zoom;
                let dy = (y - centre - self.shift_y * side as f64) / self.zoom;
                let dx = if self.mirrored { -dx } else { dx };
                let from_x = (centre + cos * dx - sin * dy).clamp(0.0, last);
                let from_y = (centre + sin * dx + cos * dy).clamp(0.0, last);
                Place::new(from_x, from_y, side)
            })
            .collect()
    }
}

/// A part of a face, scaled to the face's size, the same for all frames of a clip.
#[derive(Debug, Clone, Copy)]
struct Crop {
    /// Pixels from the left.
    x: usize,
    /// Pixels from the top.
    y: usize,
    /// Pixels.
    width: usize,
    /// Pixels.
    height: usize,
    mirrored: bool,
    brightness: f32,
}

impl Crop {
    fn draw(side: usize, rng: &mut impl Rng) -> Self {
        let area = (side * side) as f64;
        let sides = (0..CROP_TRIES).find_map(|_| {
            let kept = rng.random_range(KEPT_AREA) * area;
            let aspect = rng.random_range(CROP_ASPECT);
            let (width, height) = ((kept * aspect).sqrt().round() as usize, (kept / aspect).sqrt().round() as usize);
            let (width, height) = if rng.random_bool(0.5) { (height, width) } else { (width, height) };
            ((1..=side).contains(&width) && (1..=side).contains(&height)).then_some((width, height))
        });
        let (width, height) = sides.unwrap_or((side, side));
        Self {
            x: rng.random_range(0..=side - width),
            y: rng.random_range(0..=side - height),
            width,
            height,
            mirrored: rng.random_bool(0.5),
            brightness: rng.random_range(BRIGHTNESS),
        }
    }

    fn apply(self, frames: &mut Frames) {
        let side = frames.size_px;
        // Centres of pixels are mapped; beyond the crop's border, its border is repeated.
        let from = |to: usize, start: usize, len: usize| {
            let inside = (to as f64 + 0.5) * len as f64 / side as f64 - 0.5;
            start as f64 + inside.clamp(0.0, len as f64 - 1.0)
        };
        let pixels = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let places: Vec<Place> = pixels
            .map(|(x, y)| {
                let x = if self.mirrored { side - 1 - x } else { x };
                Place::new(from(x, self.x, self.width), from(y, self.y, self.height), side)
            })
            .collect();
        resample(frames, &places, self.brightness);
    }
}

/// Takes every pixel from its place, bilinearly, `brightness` times as bright.
fn resample(frames: &mut Frames, places: &[Place], brightness: f32) {
    let source = std::mem::take(&mut frames.rgb);
    frames.rgb.reserve_exact(source.len());
    for frame in source.chunks(places.len() * 3) {
        for Place { corner, right, below, x, y } in places {
            let weights = [(1.0 - x) * (1.0 - y), x * (1.0 - y), (1.0 - x) * y, x * y];
            let corners = [*corner, corner + right, corner + below, corner + right + below];
            for channel in 0..3 {
                let mixed = (0..4).map(|i| weights[i] * f32::from(frame[corners[i] + channel])).sum::<f32>();
                frames.rgb.push((mixed * brightness).round() as u8);
            }
        }
    }
}

/// A point between four pixels.
struct Place {
    /// Byte of the upper left one.
    corner: usize,
    /// Bytes to its right neighbour.
    right: usize,
    /// Bytes to the one below.
    below: usize,
    /// Part of the way to the right.
    x: f32,
    /// Part of the way down.
    y: f32,
}

impl Place {
    /// At a point of a frame, in pixels from the centre of its first one.
    fn new(x: f64, y: f64, side: usize) -> Self {
        let last = side as f64 - 1.0;
        let (left, top) = (x.floor(), y.floor());
        Self {
            corner: (top as usize * side + left as usize) * 3,
            right: if left < last { 3 } else { 0 },
            below: if top < last { side * 3 } else { 0 },
            x: (x - left) as f32,
            y: (y - top) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_the_mean_and_padding_stays() {
        let mut mel = LogMel { n_bins: 2, values: vec![0.0, 2.0, 4.0, 6.0, 0.0, 0.0], n_valid: 2 };
        hide(&mut mel, 1..2, 0..1);
        assert_eq!(mel.values, [3.0, 2.0, 3.0, 3.0, 0.0, 0.0]);
    }

    #[test]
    fn a_blot_is_the_mean_of_what_it_hides_in_every_frame() {
        let mut frames = Frames { size_px: 2, rgb: (0..24).map(|i| i * 10).collect(), valid: vec![true; 2] };
        blot_out(&mut frames, &(0..2), &(1..2));
        assert_eq!(frames.rgb[..12], [0, 10, 20, 30, 40, 50, 75, 85, 95, 75, 85, 95]);
        assert_eq!(frames.rgb[18..], [195, 205, 215, 195, 205, 215]);
    }

    const STILL: View = View { turn: 0.0, zoom: 1.0, shift_x: 0.0, shift_y: 0.0, mirrored: false };

    #[test]
    fn views_are_what_they_say() {
        let original = Frames { size_px: 2, rgb: (0..24).map(|i| i * 10).collect(), valid: vec![true; 2] };
        let seen = |view: View| {
            let mut frames = original.clone();
            view.apply(&mut frames);
            frames
        };
        assert_eq!(seen(STILL), original);
        let mirrored = seen(View { mirrored: true, ..STILL });
        assert_eq!(mirrored.rgb[..6], [30, 40, 50, 0, 10, 20]);
        let shifted = seen(View { shift_x: 0.5, ..STILL });
        assert_eq!(shifted.rgb[..6], [0, 10, 20, 0, 10, 20], "the border is repeated");
        let turned = seen(View { turn: std::f64::consts::PI, ..STILL });
        assert_eq!(turned.rgb[..3], [90, 100, 110]);
    }

    #[test]
    fn crops_are_parts_scaled_up() {
        // Columns of 10, 30, 50 and 70.
        let columns = |values: [u8; 4]| values.repeat(4).into_iter().flat_map(|value| [value; 3]).collect::<Vec<u8>>();
        let seen = |crop: Crop| {
            let mut frames = Frames { size_px: 4, rgb: columns([10, 30, 50, 70]), valid: vec![true] };
            crop.apply(&mut frames);
            frames.rgb
        };
        let all = Crop { x: 0, y: 0, width: 4, height: 4, mirrored: false, brightness: 1.0 };
        assert_eq!(seen(all), columns([10, 30, 50, 70]));
        assert_eq!(seen(Crop { mirrored: true, ..all }), columns([70, 50, 30, 10]));
        assert_eq!(seen(Crop { brightness: 4.0, ..all }), columns([40, 120, 200, 255]));
        // Half the width: quarters of the way between the centres of the second and the third column.
        assert_eq!(seen(Crop { x: 1, width: 2, ..all }), columns([30, 35, 45, 50]));
    }

    #[test]
    fn random_crops_stay_inside_and_differ() {
        let mut rng = crate::loader::rng_at(1, 0, 0, 0);
        let crops: Vec<Crop> = (0..200).map(|_| Crop::draw(20, &mut rng)).collect();
        for crop in &crops {
            assert!(crop.x + crop.width <= 20 && crop.y + crop.height <= 20, "{crop:?}");
            // Rounding may take a little of the smallest area, 32 of 400.
            assert!(crop.width * crop.height >= 25 && crop.width > 0, "{crop:?}");
        }
        assert!(crops.iter().any(|crop| crop.width > crop.height) && crops.iter().any(|crop| crop.mirrored));
    }
}

//! Small changes to training samples that leave the emotion as it is.
//!
//! All of them follow from one seed a sample and epoch. Not part of UMBEnet's recipe, which starts from pretrained towers.

use std::ops::Range;

use emotion::{Frames, LogMel, Sample, Voice};
use rand::{Rng, RngExt as _};

/// Largest shift of a face crop, as a part of its side.
const LARGEST_SHIFT: f64 = 0.06;
/// Largest turn of the head's picture, in radians.
const LARGEST_TURN: f64 = 0.17;
/// Largest change of size, as a part.
const LARGEST_ZOOM: f64 = 0.12;
/// Largest change of loudness, in natural logarithms of energy.
const LARGEST_GAIN: f32 = 0.7;
/// Widest band of mel bins and longest stretch of time that are hidden, as parts of all (SpecAugment, Park et al. 2019).
const HIDDEN_BINS: f64 = 0.15;
const HIDDEN_TIME: f64 = 0.2;
/// Shortest and longest side of the part of a face that is blotted out, as parts of the crop's (random erasing, Zhong et al. 2020).
const HIDDEN_FACE: Range<f64> = 0.2..0.55;
/// How likely a word is left out.
const DROPPED_WORDS: f64 = 0.4;

/// Changes `sample` at random.
pub fn augment(sample: &mut Sample, rng: &mut impl Rng) {
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
    /// Samples every frame bilinearly; beyond the border, the border is repeated.
    fn apply(self, frames: &mut Frames) {
        let side = frames.size_px;
        let places = self.places(side);
        let source = std::mem::take(&mut frames.rgb);
        frames.rgb.reserve_exact(source.len());
        for frame in source.chunks(side * side * 3) {
            for Place { corner, right, below, x, y } in &places {
                let weights = [(1.0 - x) * (1.0 - y), x * (1.0 - y), (1.0 - x) * y, x * y];
                let corners = [*corner, corner + right, corner + below, corner + right + below];
                for channel in 0..3 {
                    let mixed = (0..4).map(|i| weights[i] * f32::from(frame[corners[i] + channel])).sum::<f32>();
                    frames.rgb.push(mixed.round() as u8);
                }
            }
        }
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
                let (left, top) = (from_x.floor(), from_y.floor());
                Place {
                    corner: (top as usize * side + left as usize) * 3,
                    right: if left < last { 3 } else { 0 },
                    below: if top < last { side * 3 } else { 0 },
                    x: (from_x - left) as f32,
                    y: (from_y - top) as f32,
                }
            })
            .collect()
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
}

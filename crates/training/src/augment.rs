//! Small changes to training samples that leave the emotion as it is.
//!
//! All of them follow from one seed a sample and epoch. Not part of UMBEnet's recipe, which starts from pretrained towers.

use emotion::{Frames, Sample, Voice};
use rand::{Rng, RngExt as _};

/// Largest shift of a face crop, as a part of its side.
const LARGEST_SHIFT: f64 = 0.06;
/// Largest change of loudness, in natural logarithms of energy.
const LARGEST_GAIN: f32 = 0.7;
/// How likely a word is left out.
const DROPPED_WORDS: f64 = 0.1;

/// Changes `sample` at random.
pub fn augment(sample: &mut Sample, rng: &mut impl Rng) {
    if let Some(face) = &mut sample.face {
        let reach = (face.size_px as f64 * LARGEST_SHIFT).round() as i64;
        let mirrored = rng.random_bool(0.5);
        let (dx, dy) = (rng.random_range(-reach..=reach), rng.random_range(-reach..=reach));
        move_frames(face, mirrored, dx, dy);
    }
    if let Some(Voice::LogMel(mel)) = &mut sample.voice {
        let gain = rng.random_range(-LARGEST_GAIN..=LARGEST_GAIN);
        let n = mel.n_valid * mel.n_bins;
        mel.values[..n].iter_mut().for_each(|value| *value += gain);
    }
    if let Some(text) = &mut sample.text {
        let words: Vec<&str> = text.split_whitespace().filter(|_| !rng.random_bool(DROPPED_WORDS)).collect();
        if !words.is_empty() {
            *text = words.join(" ");
        }
    }
}

/// Mirrors and shifts every frame alike; the border is repeated.
fn move_frames(frames: &mut Frames, mirrored: bool, dx: i64, dy: i64) {
    let side = frames.size_px;
    let last = side as i64 - 1;
    let from = |to: usize, shift: i64| (to as i64 - shift).clamp(0, last) as usize;
    let source = frames.rgb.clone();
    for (frame, out) in source.chunks(side * side * 3).zip(frames.rgb.chunks_mut(side * side * 3)) {
        for y in 0..side {
            for x in 0..side {
                let column = from(x, dx);
                let column = if mirrored { side - 1 - column } else { column };
                let place = (from(y, dy) * side + column) * 3;
                out[(y * side + x) * 3..][..3].copy_from_slice(&frame[place..place + 3]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirroring_twice_is_nothing_and_shifts_repeat_the_border() {
        let original = Frames { size_px: 2, rgb: (0..12).collect(), valid: vec![true] };
        let mut frames = original.clone();
        move_frames(&mut frames, true, 0, 0);
        assert_eq!(frames.rgb[..6], [3, 4, 5, 0, 1, 2]);
        move_frames(&mut frames, true, 0, 0);
        assert_eq!(frames, original);
        move_frames(&mut frames, false, 1, 0);
        assert_eq!(frames.rgb[..6], [0, 1, 2, 0, 1, 2]);
    }
}

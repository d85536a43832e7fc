//! The outline of a sound, as it is drawn.

use std::path::Path;

use crate::MediaError;
use crate::mono::Mono;
use crate::source::{Decoded, Source, Tracks};

/// Rate at which an outline is taken: drawn waves have no high tones.
const RATE_HZ: u32 = 4000;
/// More than this is not listened to.
const MAX_SECS: usize = 30;

/// Largest absolute value of each of `n_peaks` equal parts of the first 30 s of the sound, 0..1; empty where there is
/// no audio track or nothing in it.
pub fn waveform(path: &Path, n_peaks: usize) -> Result<Vec<f32>, MediaError> {
    let mut source = Source::open(path, Tracks { video: false, audio: true })?;
    if source.audio.is_none() {
        return Ok(Vec::new());
    }
    let max_samples = MAX_SECS * RATE_HZ as usize;
    let mut mono = Mono::new(RATE_HZ);
    let mut samples = Vec::new();
    while samples.len() < max_samples
        && let Some(decoded) = source.next()?
    {
        if let Decoded::Audio { frame, .. } = decoded {
            mono.push(&frame, &mut samples);
        }
    }
    mono.finish(&mut samples);
    samples.truncate(max_samples);
    Ok(peaks(&samples, n_peaks))
}

fn peaks(samples: &[f32], n_peaks: usize) -> Vec<f32> {
    if samples.is_empty() {
        return Vec::new();
    }
    let part = |idx: usize| {
        let (from, to) = (idx * samples.len() / n_peaks, (idx + 1) * samples.len() / n_peaks);
        samples[from..to.max(from + 1).min(samples.len())].iter().fold(0.0, |peak: f32, value| peak.max(value.abs()))
    };
    (0..n_peaks).map(|idx| part(idx).min(1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loud_second_half_stands_out() {
        let samples: Vec<f32> = (0..100).map(|at| if at < 50 { 0.1 } else { -0.8 }).collect();
        assert_eq!(peaks(&samples, 4), [0.1, 0.1, 0.8, 0.8]);
        assert_eq!(peaks(&[0.5], 3), [0.5; 3], "a sound shorter than its outline");
        assert!(peaks(&[], 3).is_empty());
    }
}

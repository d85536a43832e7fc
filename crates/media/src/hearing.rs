//! The part of the sound that a model hears: the middle, at its rate, as samples or as a log-mel spectrogram.

use emotion::{Voice, VoiceInput};
use ffmpeg_next::util::frame;

use crate::fbank::{log_mel, window_and_hop};
use crate::mono::{Flaws, Mono};
use crate::resample::resample;

/// Sound is kept up to this length, where its middle is not known yet.
const MAX_KEPT_SECS: usize = 120;

/// Brings mono samples in -1..1 into the form that a model takes: at its rate, the middle where they are too long,
/// followed by zeros where they are too short.
pub fn voice_from_samples(samples: &[f32], rate_hz: u32, input: &VoiceInput) -> Voice {
    let resampled;
    let samples = if rate_hz == input.rate_hz() {
        samples
    } else {
        resampled = resample(samples, rate_hz, input.rate_hz());
        &resampled
    };
    let samples = middle(samples, needed_samples(input));
    match *input {
        VoiceInput::Waveform { n_samples, .. } => {
            let mut samples = samples.to_vec();
            samples.resize(n_samples, 0.0);
            Voice::Waveform(samples)
        }
        VoiceInput::LogMel { rate_hz, n_frames, n_bins } => {
            let mut mel = log_mel(samples, rate_hz, n_bins);
            // Zeros after the logarithm, as AudioMAE was trained.
            mel.values.resize(n_frames * n_bins, 0.0);
            mel.n_valid = mel.n_valid.min(n_frames);
            Voice::LogMel(mel)
        }
    }
}

/// Samples at the input's own rate that fill the input.
pub(crate) fn needed_samples(input: &VoiceInput) -> usize {
    match *input {
        VoiceInput::Waveform { n_samples, .. } => n_samples,
        VoiceInput::LogMel { rate_hz, n_frames, .. } => {
            let (window_samples, hop_samples) = window_and_hop(rate_hz);
            // With what is left over behind the last frame: sound that fills the input and no more begins at its
            // beginning.
            if n_frames == 0 { 0 } else { window_samples + n_frames * hop_samples - 1 }
        }
    }
}

fn middle<T>(values: &[T], n: usize) -> &[T] {
    let start = values.len().saturating_sub(n) / 2;
    &values[start..values.len().min(start + n)]
}

/// Collects the middle of sound whose length shows only at its end.
pub(crate) struct Hearing {
    mono: Mono,
    rate_hz: u32,
    samples: Vec<f32>,
    n_needed: usize,
    n_heard: usize,
    part: Part,
}

/// What of the sound is kept.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// All of it, as long as that is at most so many samples.
    All { n_max: usize },
    /// What follows so many samples.
    From(usize),
    /// Nothing: it has become too much.
    Nothing,
}

impl Hearing {
    /// Collects what fills the input, or `searched_secs` if that is more.
    pub(crate) fn new(input: &VoiceInput, searched_secs: f64) -> Self {
        let rate_hz = input.rate_hz();
        let n_needed = needed_samples(input).max((searched_secs * f64::from(rate_hz)) as usize);
        let n_max = n_needed.max(MAX_KEPT_SECS * rate_hz as usize);
        Self { mono: Mono::new(rate_hz), rate_hz, samples: Vec::new(), n_needed, n_heard: 0, part: Part::All { n_max } }
    }

    /// For another pass over sound that was too long, which now keeps the middle alone; `None` where nothing is amiss.
    pub(crate) fn again(&self) -> Option<Self> {
        let start = self.n_heard.saturating_sub(self.n_needed) / 2;
        (self.part == Part::Nothing).then(|| Self {
            mono: Mono::new(self.rate_hz),
            rate_hz: self.rate_hz,
            samples: Vec::new(),
            n_needed: self.n_needed,
            n_heard: 0,
            part: Part::From(start),
        })
    }

    pub(crate) fn push(&mut self, frame: &frame::Audio) {
        let n_before = self.samples.len();
        self.mono.push(frame, &mut self.samples);
        self.sift(n_before);
    }

    pub(crate) fn finish(&mut self) {
        let n_before = self.samples.len();
        self.mono.finish(&mut self.samples);
        self.sift(n_before);
    }

    /// What was wrong with all that was heard.
    pub(crate) fn flaws(&self) -> Flaws {
        self.mono.flaws()
    }

    /// Whether what was heard does not fill the input.
    pub(crate) fn is_short(&self) -> bool {
        self.n_heard < self.n_needed
    }

    /// Drops what is not kept, of which all after `n_before` is new.
    fn sift(&mut self, n_before: usize) {
        let n_new = self.samples.len() - n_before;
        match self.part {
            Part::All { n_max } if self.samples.len() > n_max => {
                self.part = Part::Nothing;
                self.samples = Vec::new();
            }
            Part::All { .. } => {}
            Part::From(start) => {
                let n_early = start.saturating_sub(self.n_heard).min(n_new);
                self.samples.drain(n_before..n_before + n_early);
                self.samples.truncate(self.n_needed);
            }
            Part::Nothing => self.samples.clear(),
        }
        self.n_heard += n_new;
    }

    pub(crate) fn into_samples(self) -> Vec<f32> {
        middle(&self.samples, self.n_needed).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_media;

    #[test]
    fn the_middle_of_long_sound_is_found_in_two_passes_without_keeping_it_all() {
        let input = VoiceInput::Waveform { rate_hz: 16000, n_samples: 1000 };
        let hear = |hearing: &mut Hearing| {
            for piece_idx in 0..100 {
                let n_before = hearing.samples.len();
                hearing.samples.extend((0..100_001).map(|i| (piece_idx * 100_001 + i) as f32));
                hearing.sift(n_before);
                assert!(hearing.samples.len() <= 120 * 16000);
            }
        };
        let mut first = Hearing::new(&input, 0.0);
        hear(&mut first);
        let mut second = first.again().unwrap();
        hear(&mut second);
        assert!(second.again().is_none());
        let start = (10_000_100 - 1000) / 2;
        assert_eq!(second.into_samples(), (start..start + 1000).map(|i| i as f32).collect::<Vec<_>>());
    }

    #[test]
    fn voices_are_resampled_cut_and_padded() {
        let input = VoiceInput::LogMel { rate_hz: 16000, n_frames: 10, n_bins: 8 };
        let Voice::LogMel(mel) = voice_from_samples(&test_media::tone(4410, 44100), 44100, &input) else { panic!() };
        assert_eq!((mel.n_frames(), mel.n_valid), (10, 8));
        assert!(mel.values[8 * 8..].iter().all(|&value| value == 0.0));
        let Voice::LogMel(mel) = voice_from_samples(&test_media::tone(16000, 16000), 16000, &input) else { panic!() };
        assert_eq!((mel.n_frames(), mel.n_valid), (10, 10));
        // 25 ms and nine hops of 10 ms, and all but one sample of a tenth.
        let tone = test_media::tone(1999, 16000);
        let Voice::LogMel(mel) = voice_from_samples(&tone, 16000, &input) else { panic!() };
        assert_eq!(mel.values, log_mel(&tone, 16000, 8).values);
        let input = VoiceInput::Waveform { rate_hz: 8000, n_samples: 3 };
        assert_eq!(voice_from_samples(&[1.0, 2.0, 3.0, 4.0, 5.0], 8000, &input), Voice::Waveform(vec![2.0, 3.0, 4.0]));
        assert_eq!(voice_from_samples(&[1.0], 8000, &input), Voice::Waveform(vec![1.0, 0.0, 0.0]));
        assert_eq!(voice_from_samples(&[], 8000, &input), Voice::Waveform(vec![0.0; 3]));
    }
}

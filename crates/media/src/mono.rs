//! Decoded sound of any format to mono samples at one rate.

use std::ops::RangeInclusive;

use ffmpeg_next as ffmpeg;

use ffmpeg::format::Sample as SampleFormat;
use ffmpeg::util::frame;

use crate::resample::Resampler;

/// Sampling rates that sound has; others come from a broken header, and the filter for them would take the memory.
pub(crate) const RATES_HZ: RangeInclusive<u32> = 2_000..=768_000;

/// Louder than this, in full scales, no decoder makes sound (choice): those of MP3 and AAC go beyond one by some
/// decibels.
const MAX_PEAK: f32 = 4.0;
/// Sound of which more than this is none is not used.
const MAX_FLAWED_SHARE: f64 = 0.1;

/// Turns decoded audio frames into mono samples at one rate, whatever their format, channels and rate; all three may
/// change from frame to frame.
pub(crate) struct Mono {
    rate_hz: u32,
    resampler: Option<Resampler>,
    flaws: Flaws,
}

/// What in floating-point sound is no sound.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flaws {
    n_samples: u64,
    n_unreal: u64,
    n_beyond: u64,
    peak: f32,
}

impl Flaws {
    /// Makes sound of `samples` as far as that goes: silence of what is no number, and nothing beyond full scale.
    fn mend(&mut self, samples: &mut [f32]) {
        self.n_samples += samples.len() as u64;
        for value in samples {
            if value.is_finite() {
                self.n_beyond += u64::from(value.abs() > MAX_PEAK);
                self.peak = self.peak.max(value.abs());
                *value = value.clamp(-1.0, 1.0);
            } else {
                self.n_unreal += 1;
                *value = 0.0;
            }
        }
    }

    /// Whether what is left is not worth hearing.
    pub(crate) fn spoil_all(&self) -> bool {
        (self.n_unreal + self.n_beyond) as f64 > MAX_FLAWED_SHARE * self.n_samples as f64
    }

    /// For the user; `None` where nothing is wrong.
    pub(crate) fn complaint(&self) -> Option<String> {
        let Self { n_samples, n_unreal, peak, .. } = self;
        let (what, mended) = if *n_unreal > 0 {
            (format!("{n_unreal} of {n_samples} samples of the sound are not numbers"), "they are silent")
        } else if self.n_beyond > 0 {
            (format!("the sound goes up to {peak:.0} times full scale, which is -1 to 1"), "it is clipped")
        } else {
            return None;
        };
        Some(format!("{what}: {}", if self.spoil_all() { "it is not used" } else { mended }))
    }
}

impl Mono {
    pub(crate) fn new(rate_hz: u32) -> Self {
        Self { rate_hz, resampler: None, flaws: Flaws::default() }
    }

    /// Appends what is ready to `out`, in -1..1.
    pub(crate) fn push(&mut self, frame: &frame::Audio, out: &mut Vec<f32>) {
        if !RATES_HZ.contains(&frame.rate()) {
            return;
        }
        let mut samples = mixed_down(frame);
        self.flaws.mend(&mut samples);
        if self.resampler.as_ref().is_none_or(|resampler| resampler.input_hz() != frame.rate()) {
            self.finish(out);
            self.resampler = Some(Resampler::new(frame.rate(), self.rate_hz));
        }
        let resampler = self.resampler.as_mut().expect("it was made above");
        resampler.push(&samples, out);
    }

    /// What was wrong with all that was pushed.
    pub(crate) fn flaws(&self) -> Flaws {
        self.flaws
    }

    /// Appends what the filter still holds.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(out);
        }
    }
}

/// Weighted mean of the channels, in -1..1 but for damaged or careless floating-point sound, which can hold anything.
fn mixed_down(frame: &frame::Audio) -> Vec<f32> {
    let (n_channels, n_samples) = (usize::from(frame.channels()), frame.samples());
    if n_channels == 0 || n_samples == 0 || frame.planes() == 0 {
        return Vec::new();
    }
    let weights = channel_weights(frame.channel_layout().bits(), n_channels);
    macro_rules! mix {
        ($kind:ty, $to_f32:expr) => {{
            let to_f32 = $to_f32;
            let mut mixed = vec![0.0_f32; n_samples];
            if frame.is_planar() {
                for (channel, &weight) in weights.iter().enumerate().take(frame.planes()) {
                    for (sum, &value) in mixed.iter_mut().zip(frame.plane::<$kind>(channel)) {
                        *sum += weight * to_f32(value);
                    }
                }
            } else {
                for (sum, values) in mixed.iter_mut().zip(frame.plane::<$kind>(0).chunks_exact(n_channels)) {
                    *sum = values.iter().zip(&weights).map(|(&value, &weight)| weight * to_f32(value)).sum();
                }
            }
            mixed
        }};
    }
    match frame.format() {
        SampleFormat::U8(_) => mix!(u8, |value: u8| (f32::from(value) - 128.0) / 128.0),
        SampleFormat::I16(_) => mix!(i16, |value: i16| f32::from(value) / 32768.0),
        SampleFormat::I32(_) => mix!(i32, |value: i32| value as f32 / 2_147_483_648.0),
        SampleFormat::F32(_) => mix!(f32, |value: f32| value),
        SampleFormat::F64(_) => mix!(f64, |value: f64| value as f32),
        // No decoder gives 64-bit integers.
        SampleFormat::I64(_) | SampleFormat::None => Vec::new(),
    }
}

/// Weights that sum to one: speech is in the front, mostly in the centre, and the low-frequency channel has none.
fn channel_weights(layout: u64, n_channels: usize) -> Vec<f32> {
    const FRONT_CENTRE: u64 = 0x4;
    const LOW_FREQUENCY: u64 = 0x8 | 0x8_0000_0000;
    const FRONT: u64 = 0x3 | 0xC0;
    let mut weights = vec![1.0; n_channels];
    if n_channels > 2 && layout.count_ones() as usize == n_channels {
        let channels = (0..64).map(|bit| 1_u64 << bit).filter(|bit| layout & bit != 0);
        for (weight, channel) in weights.iter_mut().zip(channels) {
            *weight = match channel {
                FRONT_CENTRE => 1.0,
                _ if channel & LOW_FREQUENCY != 0 => 0.0,
                _ if channel & FRONT != 0 => std::f32::consts::FRAC_1_SQRT_2,
                _ => 0.5,
            };
        }
    }
    let total: f32 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_sound_is_mended_and_said() {
        let check = |samples: &[f32], expected: &[f32], said: Option<&str>, is_spoilt: bool| {
            let (mut flaws, mut samples) = (Flaws::default(), [samples, &[0.5; 16]].concat());
            flaws.mend(&mut samples);
            assert_eq!(&samples[..expected.len()], expected);
            assert_eq!((flaws.complaint().as_deref(), flaws.spoil_all()), (said, is_spoilt));
        };
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        check(&[0.1, -1.5, 3.0], &[0.1, -1.0, 1.0], None, false);
        check(&[nan], &[0.0], Some("1 of 17 samples of the sound are not numbers: they are silent"), false);
        check(&[inf, -inf, nan], &[0.0; 3], Some("3 of 19 samples of the sound are not numbers: it is not used"), true);
        let said = "the sound goes up to 9 times full scale, which is -1 to 1: it is clipped";
        check(&[-9.0], &[-1.0], Some(said), false);
        let said = "the sound goes up to 32767 times full scale, which is -1 to 1: it is not used";
        check(&[-9000.0, 32767.0], &[-1.0, 1.0], Some(said), true);
    }

    #[test]
    fn the_low_frequency_channel_is_left_out_and_the_centre_leads() {
        let weights = channel_weights(0x3F, 6);
        assert_eq!(weights[3], 0.0);
        assert!(weights[2] > weights[0] && weights[0] > weights[4]);
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(channel_weights(0x3, 2), [0.5, 0.5]);
        assert_eq!(channel_weights(0, 4), [0.25; 4]);
    }
}

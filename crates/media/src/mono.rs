//! Decoded sound of any format to mono samples at one rate.

use std::ops::RangeInclusive;

use ffmpeg_next as ffmpeg;

use ffmpeg::format::Sample as SampleFormat;
use ffmpeg::util::frame;

use crate::resample::Resampler;

/// Sampling rates that sound has; others come from a broken header, and the filter for them would take the memory.
pub(crate) const RATES_HZ: RangeInclusive<u32> = 2_000..=768_000;

/// Turns decoded audio frames into mono samples at one rate, whatever their format, channels and rate; all three may
/// change from frame to frame.
pub(crate) struct Mono {
    rate_hz: u32,
    resampler: Option<Resampler>,
}

impl Mono {
    pub(crate) fn new(rate_hz: u32) -> Self {
        Self { rate_hz, resampler: None }
    }

    /// Appends what is ready to `out`, in -1..1.
    pub(crate) fn push(&mut self, frame: &frame::Audio, out: &mut Vec<f32>) {
        if !RATES_HZ.contains(&frame.rate()) {
            return;
        }
        let samples = mixed_down(frame);
        if self.resampler.as_ref().is_none_or(|resampler| resampler.input_hz() != frame.rate()) {
            self.finish(out);
            self.resampler = Some(Resampler::new(frame.rate(), self.rate_hz));
        }
        let resampler = self.resampler.as_mut().expect("it was made above");
        resampler.push(&samples, out);
    }

    /// Appends what the filter still holds.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(out);
        }
    }
}

/// Weighted mean of the channels in -1..1.
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
    let mut mixed = match frame.format() {
        SampleFormat::U8(_) => mix!(u8, |value: u8| (f32::from(value) - 128.0) / 128.0),
        SampleFormat::I16(_) => mix!(i16, |value: i16| f32::from(value) / 32768.0),
        SampleFormat::I32(_) => mix!(i32, |value: i32| value as f32 / 2_147_483_648.0),
        SampleFormat::F32(_) => mix!(f32, |value: f32| value),
        SampleFormat::F64(_) => mix!(f64, |value: f64| value as f32),
        // No decoder gives 64-bit integers.
        SampleFormat::I64(_) | SampleFormat::None => Vec::new(),
    };
    for value in &mut mixed {
        // Damaged floating-point audio can hold anything.
        *value = if value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 };
    }
    mixed
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
    fn the_low_frequency_channel_is_left_out_and_the_centre_leads() {
        let weights = channel_weights(0x3F, 6);
        assert_eq!(weights[3], 0.0);
        assert!(weights[2] > weights[0] && weights[0] > weights[4]);
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(channel_weights(0x3, 2), [0.5, 0.5]);
        assert_eq!(channel_weights(0, 4), [0.25; 4]);
    }
}

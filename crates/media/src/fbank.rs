//! Kaldi-compatible log-mel filter bank, as AudioMAE expects it.
//! Left out: dithering and energy, which the reference turns off.
//! Follows torchaudio.compliance.kaldi.fbank (htk_compat, hanning, 25 ms window, 10 ms hop).

use std::f64::consts::TAU;

use emotion::LogMel;
use realfft::RealFftPlanner;

const WINDOWS_PER_SEC: u32 = 40;
const HOPS_PER_SEC: u32 = 100;
const PRE_EMPHASIS: f32 = 0.97;
const LOWEST_HZ: f64 = 20.0;
/// The smallest step of f32 after one, by which Kaldi floors energies.
const FLOOR: f32 = f32::EPSILON;

/// Log-mel frames of the whole of `samples`: `1 + (samples - window) / hop` of them, none for less than a window.
///
/// A sampling rate so low that a window holds less than two samples gives none either.
pub fn log_mel(samples: &[f32], rate_hz: u32, n_bins: usize) -> LogMel {
    let (window_samples, hop_samples) = window_and_hop(rate_hz);
    if window_samples < 2 || hop_samples == 0 || samples.len() < window_samples {
        return LogMel { n_bins, values: Vec::new(), n_valid: 0 };
    }
    let n_frames = 1 + (samples.len() - window_samples) / hop_samples;
    let n_fft = window_samples.next_power_of_two();
    let fft = RealFftPlanner::<f32>::new().plan_fft_forward(n_fft);
    let (mut time, mut spectrum) = (fft.make_input_vec(), fft.make_output_vec());
    let mut scratch = fft.make_scratch_vec();
    let window = hann(window_samples);
    let triangles = mel_triangles(rate_hz, n_fft, n_bins);
    let mean = (samples.iter().map(|&x| f64::from(x)).sum::<f64>() / samples.len() as f64) as f32;

    let mut values = Vec::with_capacity(n_frames * n_bins);
    let mut power = vec![0.0_f32; n_fft / 2];
    for frame_idx in 0..n_frames {
        let frame = &samples[frame_idx * hop_samples..][..window_samples];
        let frame_mean = frame.iter().map(|&x| x - mean).sum::<f32>() / window_samples as f32;
        let mut previous = frame[0] - mean - frame_mean;
        for ((slot, &sample), &weight) in time.iter_mut().zip(frame).zip(&window) {
            let centred = sample - mean - frame_mean;
            *slot = (centred - PRE_EMPHASIS * previous) * weight;
            previous = centred;
        }
        time[window_samples..].fill(0.0);
        fft.process_with_scratch(&mut time, &mut spectrum, &mut scratch).expect("the buffers were made by this plan");
        // The last bin is the Nyquist frequency, where every triangle is zero.
        for (slot, bin) in power.iter_mut().zip(&spectrum) {
            *slot = bin.norm_sqr();
        }
        for triangle in &triangles {
            let energy: f32 = power[triangle.first_bin..].iter().zip(&triangle.weights).map(|(p, w)| p * w).sum();
            values.push(energy.max(FLOOR).ln());
        }
    }
    LogMel { n_bins, values, n_valid: n_frames }
}

/// Length of the window and distance between windows, in samples.
pub(crate) fn window_and_hop(rate_hz: u32) -> (usize, usize) {
    ((rate_hz / WINDOWS_PER_SEC) as usize, (rate_hz / HOPS_PER_SEC) as usize)
}

/// A filter over neighbouring bins of the spectrum.
struct Triangle {
    first_bin: usize,
    weights: Vec<f32>,
}

/// Triangles that are equally wide on the mel scale, between 20 Hz and the Nyquist frequency.
fn mel_triangles(rate_hz: u32, n_fft: usize, n_bins: usize) -> Vec<Triangle> {
    let mel = |hz: f64| 1127.0 * (1.0 + hz / 700.0).ln();
    let lowest = mel(LOWEST_HZ);
    let step = (mel(f64::from(rate_hz) / 2.0) - lowest) / (n_bins + 1) as f64;
    let bin_mels: Vec<f64> = (0..n_fft / 2).map(|bin| mel(bin as f64 * f64::from(rate_hz) / n_fft as f64)).collect();
    (0..n_bins)
        .map(|filter_idx| {
            let left = lowest + filter_idx as f64 * step;
            let weight = |mel: f64| ((mel - left) / step).min((left + 2.0 * step - mel) / step).max(0.0) as f32;
            let first_bin = bin_mels.partition_point(|&mel| mel <= left);
            let weights =
                bin_mels[first_bin..].iter().map(|&mel| weight(mel)).take_while(|&weight| weight > 0.0).collect();
            Triangle { first_bin, weights }
        })
        .collect()
}

/// Symmetric Hann window.
fn hann(n: usize) -> Vec<f32> {
    (0..n).map(|i| (0.5 - 0.5 * (TAU * i as f64 / (n - 1) as f64).cos()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_without_padding() {
        for (n_samples, n_frames) in [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (16000, 98)] {
            assert_eq!(log_mel(&vec![0.1; n_samples], 16000, 8).n_frames(), n_frames, "{n_samples} samples");
        }
        assert_eq!(log_mel(&[0.0; 100], 8, 8).n_frames(), 0);
    }

    #[test]
    fn silence_is_the_floor_and_a_tone_is_in_its_bin() {
        assert!(log_mel(&[0.0; 400], 16000, 8).values.iter().all(|&value| (value + 15.942_385).abs() < 1e-5));
        let tone: Vec<f32> = (0..400).map(|i| (TAU * 1000.0 * f64::from(i) / 16000.0).sin() as f32).collect();
        let mel = log_mel(&tone, 16000, 40);
        let loudest = (0..40).max_by(|&a, &b| mel.values[a].total_cmp(&mel.values[b])).unwrap();
        // 1000 Hz is 1000 mel; the filters are centred every 68.5 mel from 100.3 on.
        assert_eq!(loudest, 13);
    }
}

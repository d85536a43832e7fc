//! How a voice sounds, as numbers: cepstral coefficients frame by frame, and a compact set of statistics over a clip.
//!
//! The statistics follow the idea of eGeMAPS (Eyben et al. 2016): pitch, loudness, voice quality and the balance of the
//! spectrum, each as mean and variation, and cepstral coefficients. Left out of it: formants, and periods that are
//! measured one by one; jitter and shimmer compare neighbouring frames. Numbers are not those of openSMILE.

use std::f64::consts::PI;

use emotion::LogMel;
use realfft::RealFftPlanner;

use crate::fbank::log_mel;

/// Cepstral coefficients a frame, the zeroth included.
pub const N_CEPSTRA: usize = 13;
/// Mel bins below cepstral coefficients (HTK's and Kaldi's usual ones are 23 to 40).
pub const MFCC_BINS: usize = 26;
/// Frames to each side that a slope is fitted to.
const SLOPE_REACH: usize = 2;

/// Mel-frequency cepstral coefficients (Davis & Mermelstein 1980) with their first and second slopes, `[frames, 39]`.
///
/// The cosine transform is orthonormal; nothing is liftered, and the zeroth coefficient is kept.
pub fn mfcc(mel: &LogMel) -> Vec<f32> {
    let (n_frames, n_bins) = (mel.n_valid, mel.n_bins);
    let mut cepstra = vec![[0.0_f64; N_CEPSTRA]; n_frames];
    for (frame, out) in mel.values.chunks(n_bins).zip(&mut cepstra) {
        for (order, value) in out.iter_mut().enumerate() {
            let norm = (if order == 0 { 1.0 } else { 2.0 } / n_bins as f64).sqrt();
            let angle = PI * order as f64 / n_bins as f64;
            let sum: f64 =
                frame.iter().enumerate().map(|(bin, &x)| f64::from(x) * (angle * (bin as f64 + 0.5)).cos()).sum();
            *value = norm * sum;
        }
    }
    let first = slopes(&cepstra);
    let second = slopes(&first);
    let frames = cepstra.iter().zip(&first).zip(&second);
    frames.flat_map(|((own, first), second)| [own, first, second]).flatten().map(|&value| value as f32).collect()
}

/// Slope of each coefficient by least squares over five frames; the ends are repeated.
fn slopes(frames: &[[f64; N_CEPSTRA]]) -> Vec<[f64; N_CEPSTRA]> {
    let last = frames.len().saturating_sub(1);
    let norm: f64 = (1..=SLOPE_REACH).map(|step| 2.0 * (step * step) as f64).sum();
    (0..frames.len())
        .map(|at| {
            std::array::from_fn(|order| {
                let rise = |step: usize| frames[(at + step).min(last)][order] - frames[at.saturating_sub(step)][order];
                (1..=SLOPE_REACH).map(|step| step as f64 * rise(step)).sum::<f64>() / norm
            })
        })
        .collect()
}

/// Sampling rate that [`voice_statistics`] takes, in hertz.
pub const STATISTICS_RATE_HZ: u32 = 16_000;
const FRAME: usize = 640; // 40 ms, two periods of the lowest pitch
const HOP: usize = 160;
const N_FFT: usize = 1024;
/// Pitch that is looked for, in hertz.
const PITCH_HZ: (f64, f64) = (60.0, 500.0);
/// Normalized autocorrelation from which a frame counts as voiced (choice).
const VOICED: f64 = 0.5;
/// Frames whose power is this far below the loudest are silence, whatever their period.
const SILENCE: f64 = 1e-5;
/// Zero of the semitone scale, as in eGeMAPS.
const SEMITONE_ZERO_HZ: f64 = 27.5;
/// Frames a second.
const FRAME_RATE: f64 = STATISTICS_RATE_HZ as f64 / HOP as f64;

/// Names of the values of [`voice_statistics`], in order.
pub fn voice_statistic_names() -> Vec<String> {
    let of = |what: &str| [format!("{what}_mean"), format!("{what}_variation")];
    let spread = |what: &str| ["p20", "p50", "p80", "p20_to_p80"].map(|part| format!("{what}_{part}"));
    let mut names: Vec<String> = Vec::new();
    names.extend(of("pitch_semitones"));
    names.extend(spread("pitch_semitones"));
    names.extend(of("loudness"));
    names.extend(spread("loudness"));
    for what in VOICED_TRACKS.into_iter().chain(TRACKS) {
        names.extend(of(what));
    }
    names.extend(
        ["loudness_peaks_per_sec", "voiced_parts_per_sec", "voiced_part_secs", "unvoiced_part_secs"].map(str::to_owned),
    );
    for (part, _) in CEPSTRAL {
        for slope in ["", "_slope", "_second_slope"] {
            names.extend((0..N_CEPSTRA).map(|order| format!("cepstrum_{order}{slope}_{part}")));
        }
    }
    names
}

/// What is measured in voiced frames.
const VOICED_TRACKS: [&str; 3] = ["jitter", "shimmer_db", "harmonics_to_noise_db"];
/// What is measured in all frames that are not silent.
const TRACKS: [&str; 5] = ["alpha_ratio_db", "hammarberg_db", "slope_0_500", "slope_500_1500", "spectral_flux"];

/// Frames whose power is this far below the loudest are pauses, which say more of the recording than of the voice
/// (choice: 40 dB).
const PAUSE: f64 = 1e-4;
/// A statistic and what it is called.
type Statistic = (&'static str, fn(&[f64]) -> f64);
/// What is taken of each cepstral coefficient and slope over the frames that are no pauses.
const CEPSTRAL: [Statistic; 4] = [
    ("mean", mean),
    ("deviation", deviation),
    ("p10", |values| percentile(values, 0.1)),
    ("p90", |values| percentile(values, 0.9)),
];

/// What is measured in a frame.
#[derive(Debug, Clone, Copy, Default)]
struct Measured {
    power: f64,
    loudness: f64,
    /// Period in samples and its normalized autocorrelation, where there is one.
    period: Option<(f64, f64)>,
    spectral: [f64; TRACKS.len()],
}

/// Statistics of a voice, of `samples` at 16 kHz in -1..1; as many as there are names. `None` where nothing is to be
/// heard.
///
/// Pitch in semitones above 27.5 Hz; loudness as the cube root of the power, relative to a full-scale sine; variation
/// is the standard deviation over the absolute mean. What has no value, such as the pitch of a whisper, is zero.
pub fn voice_statistics(samples: &[f32]) -> Option<Vec<f32>> {
    let frames = measure(samples);
    let loudest = frames.iter().map(|frame| frame.power).fold(0.0, f64::max);
    if loudest <= 0.0 {
        return None;
    }
    let heard: Vec<&Measured> = frames.iter().filter(|frame| frame.power > loudest * SILENCE).collect();
    let is_voiced = |frame: &Measured| frame.period.is_some() && frame.power > loudest * SILENCE;
    let voiced: Vec<&Measured> = frames.iter().filter(|frame| is_voiced(frame)).collect();
    let period = |frame: &Measured| frame.period.map_or(0.0, |(period, _)| period);
    let pitch: Vec<f64> = voiced
        .iter()
        .map(|frame| 12.0 * (f64::from(STATISTICS_RATE_HZ) / period(frame) / SEMITONE_ZERO_HZ).log2())
        .collect();
    let loudness: Vec<f64> = heard.iter().map(|frame| frame.loudness).collect();
    let mut values = Vec::new();
    for track in [&pitch, &loudness] {
        values.extend(mean_and_variation(track));
        let [low, middle, high] = [0.2, 0.5, 0.8].map(|share| percentile(track, share));
        values.extend([low, middle, high, high - low]);
    }
    let neighbours = || frames.windows(2).filter(|pair| is_voiced(&pair[0]) && is_voiced(&pair[1]));
    let jitter: Vec<f64> =
        neighbours().map(|pair| (period(&pair[1]) - period(&pair[0])).abs() / period(&pair[0])).collect();
    let shimmer: Vec<f64> = neighbours().map(|pair| decibel(pair[1].power / pair[0].power).abs()).collect();
    let harmonics: Vec<f64> = voiced
        .iter()
        .map(|frame| frame.period.map_or(0.0, |(_, peak)| decibel(peak.min(0.9999) / (1.0 - peak.min(0.9999)))))
        .collect();
    for track in [jitter, shimmer, harmonics] {
        values.extend(mean_and_variation(&track));
    }
    for track in 0..TRACKS.len() {
        values.extend(mean_and_variation(&heard.iter().map(|frame| frame.spectral[track]).collect::<Vec<_>>()));
    }
    let secs = frames.len() as f64 / FRAME_RATE;
    let peaks = frames.windows(3).filter(|part| {
        part[1].loudness > part[0].loudness && part[1].loudness >= part[2].loudness && part[1].power > loudest * 0.01
    });
    let parts = |of_voice: bool| {
        let lengths: Vec<usize> = frames
            .chunk_by(|a, b| is_voiced(a) == is_voiced(b))
            .filter(|part| is_voiced(&part[0]) == of_voice)
            .map(<[Measured]>::len)
            .collect();
        let mean = lengths.iter().sum::<usize>() as f64 / lengths.len().max(1) as f64;
        (lengths.len() as f64, mean / FRAME_RATE)
    };
    let ((n_voiced, voiced_secs), (_, unvoiced_secs)) = (parts(true), parts(false));
    values.extend([peaks.count() as f64 / secs, n_voiced / secs, voiced_secs, unvoiced_secs]);
    values.extend(cepstral_statistics(&log_mel(samples, STATISTICS_RATE_HZ, MFCC_BINS)));
    Some(values.into_iter().map(|value| value as f32).collect())
}

/// What [`CEPSTRAL`] says of the columns of [`mfcc`], where there is a frame.
fn cepstral_statistics(mel: &LogMel) -> Vec<f64> {
    let frames = mel.values.chunks(mel.n_bins).take(mel.n_valid);
    let power: Vec<f64> = frames.map(|frame| frame.iter().map(|&x| f64::from(x).exp()).sum()).collect();
    let loudest = power.iter().copied().fold(0.0, f64::max);
    let cepstra = mfcc(mel);
    let frames = cepstra.chunks(3 * N_CEPSTRA).zip(&power);
    let heard: Vec<&[f32]> = frames.filter(|(_, power)| **power > loudest * PAUSE).map(|(frame, _)| frame).collect();
    let columns: Vec<Vec<f64>> =
        (0..3 * N_CEPSTRA).map(|at| heard.iter().map(|frame| f64::from(frame[at])).collect()).collect();
    CEPSTRAL.iter().flat_map(|(_, part)| columns.iter().map(|column| part(column))).collect()
}

fn measure(samples: &[f32]) -> Vec<Measured> {
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(N_FFT * 2), planner.plan_fft_inverse(N_FFT * 2));
    let mut padded = forward.make_input_vec();
    let mut spectrum = forward.make_output_vec();
    let mut correlation = inverse.make_output_vec();
    let window: Vec<f64> =
        (0..FRAME).map(|at| 0.5 - 0.5 * (2.0 * PI * (at as f64 + 0.5) / FRAME as f64).cos()).collect();
    let mut before: Option<Vec<f64>> = None;
    let mut frames = Vec::new();
    let mut autocorrelate = |values: &mut dyn Iterator<Item = f64>| -> (Vec<f64>, Vec<f64>) {
        padded.fill(0.0);
        for (slot, value) in padded.iter_mut().zip(values) {
            *slot = value;
        }
        forward.process(&mut padded, &mut spectrum).expect("the buffers were made by this plan");
        let power: Vec<f64> = spectrum.iter().map(|bin| bin.norm_sqr()).collect();
        for (slot, &power) in spectrum.iter_mut().zip(&power) {
            *slot = realfft::num_complex::Complex::new(power, 0.0);
        }
        inverse.process(&mut spectrum, &mut correlation).expect("the buffers were made by this plan");
        (power, correlation[..FRAME].to_vec())
    };
    let (_, of_window) = autocorrelate(&mut window.iter().copied());
    for frame in samples.windows(FRAME).step_by(HOP) {
        let mean = frame.iter().map(|&x| f64::from(x)).sum::<f64>() / FRAME as f64;
        let power = frame.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / FRAME as f64;
        let (spectrum, correlation) =
            autocorrelate(&mut frame.iter().zip(&window).map(|(&x, weight)| (f64::from(x) - mean) * weight));
        let amplitude: Vec<f64> = spectrum.iter().map(|power| power.sqrt()).collect();
        let flux = before.as_ref().map_or(0.0, |before| {
            let total: f64 = amplitude.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            amplitude.iter().zip(before).map(|(now, then)| (now - then).powi(2)).sum::<f64>().sqrt() / total
        });
        frames.push(Measured {
            power,
            loudness: (2.0 * power).cbrt(),
            period: period(&correlation, &of_window),
            spectral: balance(&spectrum, flux),
        });
        before = Some(amplitude);
    }
    frames
}

/// The period of a frame and how well it repeats: the best peak of the autocorrelation over that of the window (Boersma
/// 1993).
fn period(correlation: &[f64], of_window: &[f64]) -> Option<(f64, f64)> {
    let rate = f64::from(STATISTICS_RATE_HZ);
    let (shortest, longest) = ((rate / PITCH_HZ.1) as usize, (rate / PITCH_HZ.0) as usize);
    if correlation[0] <= 0.0 {
        return None;
    }
    let at = |lag: usize| correlation[lag] / correlation[0] / (of_window[lag] / of_window[0]);
    let mut best = None;
    for lag in shortest..=longest.min(FRAME / 2) {
        let (left, here, right) = (at(lag - 1), at(lag), at(lag + 1));
        if here < left || here <= right {
            continue;
        }
        // Of periods that repeat equally well the shortest is meant.
        let score = here - 0.01 * (lag as f64 / shortest as f64).log2();
        if best.is_none_or(|(most, _, _)| score > most) {
            let bend = left - 2.0 * here + right;
            let shift = if bend < 0.0 { (left - right) / (2.0 * bend) } else { 0.0 };
            best = Some((score, lag as f64 + shift, here));
        }
    }
    best.filter(|(_, _, peak)| *peak >= VOICED).map(|(_, period, peak)| (period, peak.min(1.0)))
}

/// Alpha ratio, Hammarberg index, two slopes in decibel per kilohertz, and the flux.
fn balance(power: &[f64], flux: f64) -> [f64; TRACKS.len()] {
    let bin = |hz: f64| (hz / f64::from(STATISTICS_RATE_HZ) * (2 * N_FFT) as f64) as usize;
    let energy = |from: f64, to: f64| power[bin(from)..bin(to)].iter().sum::<f64>();
    let peak = |from: f64, to: f64| power[bin(from)..bin(to)].iter().copied().fold(0.0, f64::max);
    // Levels are relative, so that an empty bin is as low in a soft voice as in a loud one.
    let total = power.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let slope = |from: f64, to: f64| {
        let range = bin(from)..bin(to);
        let middle = (range.start + range.end) as f64 / 2.0;
        let (mut over, mut under) = (0.0, 0.0);
        for at in range {
            let x = at as f64 - middle;
            over += x * decibel(power[at] / total);
            under += x * x;
        }
        let khz_per_bin = f64::from(STATISTICS_RATE_HZ) / (2 * N_FFT) as f64 / 1000.0;
        over / under / khz_per_bin
    };
    [
        decibel(energy(1000.0, 5000.0) / energy(50.0, 1000.0).max(FLOOR * total)),
        decibel(peak(0.0, 2000.0) / peak(2000.0, 5000.0).max(FLOOR * total)),
        slope(0.0, 500.0),
        slope(500.0, 1500.0),
        flux,
    ]
}

/// Below any power that is heard.
const FLOOR: f64 = 1e-12;

fn decibel(ratio: f64) -> f64 {
    10.0 * ratio.max(FLOOR).log10()
}

fn mean_and_variation(values: &[f64]) -> [f64; 2] {
    if values.is_empty() {
        return [0.0; 2];
    }
    let (mean, deviation) = (mean(values), deviation(values));
    [mean, if mean.abs() > FLOOR { deviation / mean.abs() } else { 0.0 }]
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Of all values, which are not a sample.
fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = share * sorted.len().saturating_sub(1) as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    match (sorted.get(low), sorted.get(high)) {
        (Some(low_value), Some(high_value)) => low_value + (at - low as f64) * (high_value - low_value),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn named(values: &[f32], name: &str) -> f32 {
        let names = voice_statistic_names();
        assert_eq!(names.len(), values.len());
        values[names.iter().position(|own| own == name).unwrap()]
    }

    /// A second of a buzz with its harmonics below 4 kHz.
    fn buzz(pitch_hz: f64) -> Vec<f32> {
        let n_harmonics = (4000.0 / pitch_hz) as usize;
        (0..16_000)
            .map(|at| {
                let phase = 2.0 * PI * pitch_hz * f64::from(at) / 16_000.0;
                ((1..=n_harmonics).map(|k| (phase * k as f64).sin() / k as f64).sum::<f64>() * 0.2) as f32
            })
            .collect()
    }

    #[test]
    fn the_pitch_of_a_buzz_is_heard_and_steady() {
        for pitch_hz in [90.0, 220.0, 400.0_f64] {
            let values = voice_statistics(&buzz(pitch_hz)).unwrap();
            let expected = 12.0 * (pitch_hz / SEMITONE_ZERO_HZ).log2();
            let found = f64::from(named(&values, "pitch_semitones_mean"));
            assert!((found - expected).abs() < 0.1, "{pitch_hz} Hz: {found} instead of {expected}");
            assert!(named(&values, "jitter_mean") < 0.005);
            assert!(named(&values, "harmonics_to_noise_db_mean") > 15.0);
            assert!(named(&values, "voiced_part_secs") > 0.9);
        }
    }

    #[test]
    fn noise_has_no_pitch_and_a_whistle_is_bright() {
        let mut rng = rand_pcg::Pcg64::seed_from_u64(1);
        let noise: Vec<f32> = (0..16_000).map(|_| rng.random_range(-0.3..0.3)).collect();
        let hiss = voice_statistics(&noise).unwrap();
        assert!(named(&hiss, "voiced_part_secs") < 0.05);
        let dull = voice_statistics(&buzz(150.0)).unwrap();
        assert!(named(&hiss, "alpha_ratio_db_mean") > named(&dull, "alpha_ratio_db_mean") + 6.0);
    }

    #[test]
    fn twice_as_loud_is_louder_and_otherwise_the_same() {
        // With a breath, so that no band is empty.
        let mut rng = rand_pcg::Pcg64::seed_from_u64(2);
        let voice: Vec<f32> = buzz(200.0).iter().map(|x| x + rng.random_range(-0.01..0.01)).collect();
        let soft = voice_statistics(&voice.iter().map(|x| x * 0.25).collect::<Vec<_>>()).unwrap();
        let loud = voice_statistics(&voice).unwrap();
        for (name, (soft, loud)) in voice_statistic_names().iter().zip(soft.iter().zip(&loud)) {
            if name.starts_with("loudness_p") && !name.ends_with("sec") || name == "loudness_mean" {
                assert!(loud >= soft, "{name}: {soft} {loud}");
            } else if !name.starts_with("loudness") && !name.starts_with("cepstrum_0") {
                assert!((loud - soft).abs() < 1e-2 * soft.abs().max(1.0), "{name}: {soft} {loud}");
            }
        }
        assert!(voice_statistics(&[0.0; 16_000]).is_none(), "silence");
        assert!(voice_statistics(&[0.5; 10]).is_none(), "shorter than a frame");
    }

    #[test]
    fn cepstra_of_a_flat_spectrum_are_its_level_alone_and_slopes_follow_it() {
        let level = |frame: usize| frame as f32 * 0.5;
        let values: Vec<f32> = (0..9).flat_map(|frame| [level(frame); 20]).collect();
        let cepstra = mfcc(&LogMel { n_bins: 20, values, n_valid: 9 });
        let frame = &cepstra[4 * 39..5 * 39];
        assert!((frame[0] - level(4) * 20.0_f32.sqrt()).abs() < 1e-4);
        assert!(frame[1..13].iter().all(|value| value.abs() < 1e-4), "{frame:?}");
        assert!((frame[13] - 0.5 * 20.0_f32.sqrt()).abs() < 1e-4, "rises evenly");
        assert!(frame[26].abs() < 1e-4);
    }

    #[test]
    fn statistics_of_cepstra_leave_pauses_out() {
        let quiet = f32::EPSILON.ln();
        let values: Vec<f32> =
            [quiet, quiet, 1.0, 1.0, 3.0, 3.0, quiet, quiet].iter().flat_map(|&level| [level; 20]).collect();
        let statistics = cepstral_statistics(&LogMel { n_bins: 20, values, n_valid: 8 });
        for (part, want) in [2.0, 1.0, 1.0, 3.0].into_iter().enumerate() {
            let own = &statistics[part * 39..][..13];
            assert!((own[0] - want * 20.0_f64.sqrt()).abs() < 1e-3, "part {part}: {own:?}");
            assert!(own[1..].iter().all(|value| value.abs() < 1e-3), "the spectrum is flat: {own:?}");
        }
    }
}

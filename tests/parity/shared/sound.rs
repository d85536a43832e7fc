//! Resampling, judged by bounds, and Kaldi's log-mel frames.

use std::f64::consts::TAU;

use emotion::{Voice, VoiceInput};
use serde_json::Value;

use super::{Case, at_most, data_file, list, number, text};

/// Output samples at either end that are no measure of a filter, for tones and for sweeps.
const ENDS: usize = 800;
const SWEEP_ENDS: usize = 1600;

pub fn resampling(case: &mut Case) {
    let (bounds, to_hz) = (case.json()["bounds"].clone(), case.size("to") as u32);
    let amplitude = case.number("amplitude");
    for rate in list(case.json(), "rates").to_vec() {
        let from_hz = number(&rate, "from") as u32;
        let sampled = |n: u32, wave: &dyn Fn(f64) -> f64| -> Vec<f32> {
            (0..n).map(|i| (amplitude * wave(f64::from(i) / f64::from(from_hz))) as f32).collect()
        };
        let bound = |name: &str| number(&bounds, name);
        let full = amplitude / std::f64::consts::SQRT_2;
        for hz in list(&rate, "pass").iter().map(|hz| hz.as_f64().unwrap()) {
            let what = |measure: &str| format!("{measure} of {hz} Hz from {from_hz}");
            let out = media::resample(&sampled(from_hz, &|t| (TAU * hz * t).sin()), from_hz, to_hz);
            at_most(case, &what("length"), out.len().abs_diff(to_hz as usize) as f64, bound("length_tolerance"));
            let Fit { a, b, rest } = fit(&out, hz, to_hz);
            let delay = -b.atan2(a) / (TAU * hz) * f64::from(to_hz);
            at_most(case, &what("gain"), db(a.hypot(b) / amplitude).abs(), bound("pass_gain_db"));
            at_most(case, &what("delay"), delay.abs(), bound("pass_delay_samples"));
            at_most(case, &what("residual"), db(rms(&rest) / full), bound("pass_residual_db_max"));
        }
        // What is sampled up has no tones to stop.
        let entries = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for hz in entries(&rate["stop"]).iter().map(|hz| hz.as_f64().unwrap()) {
            let out = media::resample(&sampled(from_hz, &|t| (TAU * hz * t).sin()), from_hz, to_hz);
            let left = db(rms(&out[ENDS..out.len() - ENDS]) / full);
            at_most(case, &format!("alias of {hz} Hz from {from_hz}"), left, bound("stop_db_max"));
        }
        let constant = media::resample(&sampled(from_hz, &|_| 1.0), from_hz, to_hz);
        let inner = &constant[ENDS..constant.len() - ENDS];
        let gain = inner.iter().map(|&x| f64::from(x)).sum::<f64>() / inner.len() as f64 / amplitude;
        at_most(case, &format!("constant from {from_hz}"), (gain - 1.0).abs(), bound("dc_gain_tolerance"));
        for (kind, is_pass) in [("pass", true), ("stop", false)] {
            let ends: Vec<f64> = entries(&rate["sweep"][kind]).iter().map(|hz| hz.as_f64().unwrap()).collect();
            if ends.is_empty() {
                continue;
            }
            let input = sampled(2 * from_hz, &|t| (TAU * (ends[0] * t + (ends[1] - ends[0]) * t * t / 4.0)).sin());
            let out = media::resample(&input, from_hz, to_hz);
            let tenth = from_hz as usize / 10;
            let change = db(rms(&out[SWEEP_ENDS..out.len() - SWEEP_ENDS]) / rms(&input[tenth..input.len() - tenth]));
            let (change, bound) =
                if is_pass { (change.abs(), bound("sweep_pass_db")) } else { (change, bound("sweep_stop_db_max")) };
            at_most(case, &format!("{kind} sweep from {from_hz}"), change, bound);
        }
    }
}

/// A tone as `a` sine plus `b` cosine, and what is left without it.
struct Fit {
    a: f64,
    b: f64,
    rest: Vec<f32>,
}

fn fit(out: &[f32], hz: f64, rate_hz: u32) -> Fit {
    let places = ENDS..out.len() - ENDS;
    let phase = |m: usize| TAU * hz * m as f64 / f64::from(rate_hz);
    let (mut ss, mut sc, mut cc, mut xs, mut xc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for m in places.clone() {
        let (s, c) = phase(m).sin_cos();
        let x = f64::from(out[m]);
        ss += s * s;
        sc += s * c;
        cc += c * c;
        xs += x * s;
        xc += x * c;
    }
    let determinant = ss * cc - sc * sc;
    let (a, b) = ((xs * cc - xc * sc) / determinant, (xc * ss - xs * sc) / determinant);
    let rest = places.map(|m| (f64::from(out[m]) - a * phase(m).sin() - b * phase(m).cos()) as f32).collect();
    Fit { a, b, rest }
}

fn rms(samples: &[f32]) -> f64 {
    (samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

pub fn log_mel(case: &mut Case) {
    case.expects("frame_length_ms", 25);
    case.expects("frame_shift_ms", 10);
    let n_bins = case.size("num_mel_bins");
    let n_target = case.size("target_frames");
    let (mean, deviation) = (case.number("mean") as f32, case.number("std") as f32);
    for signal in list(&case.json()["config"], "signals").to_vec() {
        let (name, rate_hz) = (text(&signal, "name"), number(&signal, "sample_rate") as u32);
        let samples = samples_of(case, &signal, rate_hz);
        let mel = media::log_mel(&samples, rate_hz, n_bins);
        let n_frames = mel.n_frames();
        assert_eq!((n_frames, mel.n_valid), (number(&signal, "frames") as usize, n_frames), "{name}");
        let row = |values: &[f32], row: usize| values[row * n_bins..][..n_bins].to_vec();
        let rows = list(&signal, "rows").iter().flat_map(|idx| row(&mel.values, idx.as_u64().unwrap() as usize));
        let rows: Vec<f32> = rows.collect();
        case.compare(&format!("{name}.rows"), &rows);
        let frame_means = mel.values.chunks(n_bins).map(|frame| frame.iter().sum::<f32>() / n_bins as f32);
        case.compare(&format!("{name}.frame_mean"), &frame_means.collect::<Vec<_>>());
        let bin = |bin: usize| mel.values.iter().skip(bin).step_by(n_bins).map(|&x| f64::from(x)).sum::<f64>();
        let bin_means = (0..n_bins).map(|idx| (bin(idx) / n_frames as f64) as f32);
        case.compare(&format!("{name}.bin_mean"), &bin_means.collect::<Vec<_>>());
        case.compare(&format!("{name}.stats"), &stats(&mel.values));

        let mut fitted = mel.values.clone();
        fitted.resize(n_target * n_bins, 0.0);
        if n_frames <= n_target {
            // Padding is part of what a model is given.
            let input = VoiceInput::LogMel { rate_hz, n_frames: n_target, n_bins };
            let Voice::LogMel(given) = media::voice_from_samples(&samples, rate_hz, &input) else { unreachable!() };
            assert_eq!((&given.values, given.n_valid), (&fitted, n_frames), "{name}");
        }
        let normalised: Vec<f32> = fitted.iter().map(|x| (x - mean) / (2.0 * deviation)).collect();
        let n = n_frames.min(n_target);
        let rows = [0, n / 2, n - 1, n_target - 1].map(|idx| row(&normalised, idx));
        case.compare(&format!("{name}.normalised_rows"), &rows.concat());
        case.compare(&format!("{name}.normalised_stats"), &stats(&normalised));
    }
}

/// The first channel of a signal.
fn samples_of(case: &Case, signal: &Value, rate_hz: u32) -> Vec<f32> {
    match text(signal, "source") {
        "input" => {
            let input = case.input(text(signal, "name"));
            input.floats()[..input.shape[1]].to_vec()
        }
        "formula" => {
            let seconds = (0..number(signal, "samples") as usize).map(|i| i as f64 / f64::from(rate_hz));
            let noise = case.input(text(signal, "plus")).floats();
            let value = |(t, noise): (f64, f32)| {
                let cycles = number(signal, "f0") * t + number(signal, "rate") * t * t / 2.0;
                let chirp = number(signal, "chirp_amp") * (TAU * cycles).sin();
                let tone = |tone: &Value| tone[0].as_f64().unwrap() * (TAU * tone[1].as_f64().unwrap() * t).sin();
                (chirp + list(signal, "tones").iter().map(tone).sum::<f64>()) as f32 + noise
            };
            seconds.zip(noise).map(value).collect()
        }
        "file" => {
            let path = data_file(case, text(signal, "file"));
            media::decode_audio(&path, rate_hz).unwrap().unwrap().samples
        }
        other => panic!("a signal from {other}"),
    }
}

/// Mean, deviation, least, largest, length.
fn stats(values: &[f32]) -> Vec<f32> {
    let n = values.len() as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
    let length = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let (least, largest) = values.iter().fold((f32::MAX, f32::MIN), |(min, max), &x| (min.min(x), max.max(x)));
    vec![mean as f32, variance.sqrt() as f32, least, largest, length as f32]
}

//! Comparisons with stored reference numbers: folders below `LIMBIC_PARITY`, by default `../shared/parity` beside the
//! workspace. Where they are absent, nothing is compared.

use std::path::{Path, PathBuf};

use emotion::VoiceInput;
use safetensors::SafeTensors;
use serde_json::Value;

use crate::prepare::spread;
use crate::resample::resample;
use crate::{decode_audio, log_mel, voice_from_samples};

/// The description of a case, its tensors, and the folder that holds all cases.
fn case(name: &str) -> Option<(Value, Vec<u8>, PathBuf)> {
    let root = std::env::var_os("LIMBIC_PARITY")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/parity"), PathBuf::from);
    let Ok(description) = std::fs::read_to_string(root.join(name).join("case.json")) else {
        #[expect(clippy::print_stderr, reason = "a skipped comparison must be seen")]
        {
            eprintln!("skipped: no case {name} in {}", root.display());
        }
        return None;
    };
    let tensors = std::fs::read(root.join(name).join("tensors.safetensors")).unwrap();
    Some((serde_json::from_str(&description).unwrap(), tensors, root))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap()
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn floats(tensors: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let view = tensors.tensor(name).unwrap();
    view.data().chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn integers(tensors: &SafeTensors<'_>, name: &str) -> Vec<usize> {
    let view = tensors.tensor(name).unwrap();
    view.data().chunks_exact(8).map(|eight| i64::from_le_bytes(eight.try_into().unwrap()) as usize).collect()
}

/// The rule by which inputs are generated: FNV-1a of the name, then one SplitMix64 step per element.
fn generated(inputs: &[Value], name: &str) -> Vec<f32> {
    let input = inputs.iter().find(|input| text(input, "name") == name).unwrap();
    let n: u64 = list(input, "shape").iter().map(|size| size.as_u64().unwrap()).product();
    let seed = name
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
    let (base, scale) = (number(input, "base"), number(input, "scale"));
    (0..n)
        .map(|i| {
            let z = seed.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let z = z ^ (z >> 31);
            (base + scale * ((z >> 40) as f64 / 8_388_608.0 - 1.0)) as f32
        })
        .collect()
}

fn stats(values: &[f32]) -> Vec<f32> {
    let n = values.len() as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
    let norm = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let (min, max) = values.iter().fold((f32::MAX, f32::MIN), |(min, max), &x| (min.min(x), max.max(x)));
    vec![mean as f32, variance.sqrt() as f32, min, max, norm as f32]
}

#[test]
fn log_mel_is_kaldis() {
    let Some((case, bytes, root)) = case("kaldi_fbank") else { return };
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let (config, inputs) = (&case["config"], list(&case, "inputs"));
    let n_bins = number(config, "num_mel_bins") as usize;
    let n_target = number(config, "target_frames") as usize;
    let (mean, deviation) = (number(config, "mean") as f32, number(config, "std") as f32);
    let mut n_compared = 0;
    let mut compare = |name: String, got: &[f32]| {
        let Some(output) = list(&case, "outputs").iter().find(|output| text(output, "name") == name) else { return };
        let (atol, rtol) = (number(output, "atol") as f32, number(output, "rtol") as f32);
        let want = floats(&tensors, &name);
        assert_eq!(got.len(), want.len(), "{name}");
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got - want).abs() <= atol + rtol * want.abs(), "{name}[{i}]: {got} should be {want}");
        }
        n_compared += 1;
    };
    for signal in list(config, "signals") {
        let (name, rate_hz) = (text(signal, "name"), number(signal, "sample_rate") as u32);
        let samples = match text(signal, "source") {
            "input" => {
                let input = inputs.iter().find(|input| text(input, "name") == name).unwrap();
                let n_samples = list(input, "shape")[1].as_u64().unwrap() as usize;
                generated(inputs, name)[..n_samples].to_vec()
            }
            "formula" => {
                let seconds = (0..number(signal, "samples") as usize).map(|i| i as f64 / f64::from(rate_hz));
                let noise = generated(inputs, text(signal, "plus"));
                seconds
                    .zip(noise)
                    .map(|(t, noise)| {
                        let cycles = number(signal, "f0") * t + number(signal, "rate") * t * t / 2.0;
                        let chirp = number(signal, "chirp_amp") * (std::f64::consts::TAU * cycles).sin();
                        let tones: f64 = list(signal, "tones")
                            .iter()
                            .map(|tone| {
                                let (amplitude, hz) = (tone[0].as_f64().unwrap(), tone[1].as_f64().unwrap());
                                amplitude * (std::f64::consts::TAU * hz * t).sin()
                            })
                            .sum();
                        (chirp + tones) as f32 + noise
                    })
                    .collect()
            }
            _ => {
                let path = root.parent().unwrap().join(text(signal, "file"));
                match decode_audio(&path, rate_hz) {
                    Ok(samples) => samples.unwrap(),
                    Err(_) => continue,
                }
            }
        };
        let mel = log_mel(&samples, rate_hz, n_bins);
        let n_frames = mel.n_frames();
        assert_eq!((n_frames, mel.n_valid), (number(signal, "frames") as usize, n_frames), "{name}");
        let rows: Vec<f32> = list(signal, "rows")
            .iter()
            .flat_map(|row| mel.values[row.as_u64().unwrap() as usize * n_bins..][..n_bins].to_vec())
            .collect();
        compare(format!("{name}.rows"), &rows);
        let frame_mean: Vec<f32> =
            mel.values.chunks(n_bins).map(|frame| frame.iter().sum::<f32>() / n_bins as f32).collect();
        compare(format!("{name}.frame_mean"), &frame_mean);
        let bin_mean: Vec<f32> = (0..n_bins)
            .map(|bin| {
                mel.values.iter().skip(bin).step_by(n_bins).map(|&x| f64::from(x)).sum::<f64>() / n_frames as f64
            })
            .map(|mean| mean as f32)
            .collect();
        compare(format!("{name}.bin_mean"), &bin_mean);
        compare(format!("{name}.stats"), &stats(&mel.values));

        let mut fitted = mel.values.clone();
        fitted.resize(n_target * n_bins, 0.0);
        if n_frames <= n_target {
            // Padding is part of what a model is given.
            let input = VoiceInput::LogMel { rate_hz, n_frames: n_target, n_bins };
            let emotion::Voice::LogMel(given) = voice_from_samples(&samples, rate_hz, &input) else { unreachable!() };
            assert_eq!((&given.values, given.n_valid), (&fitted, n_frames), "{name}");
        }
        let normalised: Vec<f32> = fitted.iter().map(|x| (x - mean) / (2.0 * deviation)).collect();
        let n = n_frames.min(n_target);
        let rows: Vec<f32> = [0, n / 2, n - 1, n_target - 1]
            .iter()
            .flat_map(|row| normalised[row * n_bins..][..n_bins].to_vec())
            .collect();
        compare(format!("{name}.normalised_rows"), &rows);
        compare(format!("{name}.normalised_stats"), &stats(&normalised));
    }
    assert!(n_compared > 0, "the case names no output that is known");
}

#[test]
fn frames_are_picked_as_the_official_loader_does() {
    let Some((case, bytes, _)) = case("frame_sampling") else { return };
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let n_segments = number(&case["config"], "segments") as usize;
    let wanted = integers(&tensors, "test_indices");
    for (n, want) in integers(&tensors, "test_n").into_iter().zip(wanted.chunks(n_segments)) {
        let (indices, valid): (Vec<usize>, Vec<bool>) = spread(n, n_segments).into_iter().unzip();
        assert_eq!(indices, want, "{n} frames");
        assert_eq!(valid.iter().filter(|&&valid| valid).count(), n.min(n_segments), "{n} frames");
    }
}

#[test]
fn resampling_keeps_within_the_bounds() {
    let Some((case, _, _)) = case("audio_resample") else { return };
    let (bounds, to_hz) = (&case["bounds"], number(&case["config"], "to") as u32);
    let tau = std::f64::consts::TAU;
    let rms =
        |samples: &[f32]| (samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len() as f64).sqrt();
    let db = |ratio: f64| 20.0 * ratio.log10();
    let full = 0.5 / std::f64::consts::SQRT_2;
    for rate in list(&case, "rates") {
        let from_hz = number(rate, "from") as u32;
        let sampled = |n: u32, wave: &dyn Fn(f64) -> f64| -> Vec<f32> {
            (0..n).map(|i| (0.5 * wave(f64::from(i) / f64::from(from_hz))) as f32).collect()
        };
        for hz in list(rate, "pass").iter().map(|hz| hz.as_f64().unwrap()) {
            let out = resample(&sampled(from_hz, &|t| (tau * hz * t).sin()), from_hz, to_hz);
            assert!(out.len().abs_diff(to_hz as usize) as f64 <= number(bounds, "length_tolerance"));
            let ends = 800..out.len() - 800;
            let phase = |m: usize| tau * hz * m as f64 / f64::from(to_hz);
            let (mut ss, mut sc, mut cc, mut xs, mut xc) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for m in ends.clone() {
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
            let rest: Vec<f32> =
                ends.map(|m| (f64::from(out[m]) - a * phase(m).sin() - b * phase(m).cos()) as f32).collect();
            let delay = -b.atan2(a) / (tau * hz) * f64::from(to_hz);
            assert!(db(a.hypot(b) / 0.5).abs() <= number(bounds, "pass_gain_db"), "{hz} Hz of {from_hz}");
            assert!(delay.abs() <= number(bounds, "pass_delay_samples"), "{hz} Hz of {from_hz}: {delay}");
            assert!(db(rms(&rest) / full) <= number(bounds, "pass_residual_db_max"), "{hz} Hz of {from_hz}");
        }
        for hz in list(rate, "stop").iter().map(|hz| hz.as_f64().unwrap()) {
            let out = resample(&sampled(from_hz, &|t| (tau * hz * t).sin()), from_hz, to_hz);
            let left_db = db(rms(&out[800..out.len() - 800]) / full);
            assert!(left_db <= number(bounds, "stop_db_max"), "{hz} Hz of {from_hz}: {left_db:.1} dB");
        }
        let constant = resample(&sampled(from_hz, &|_| 1.0), from_hz, to_hz);
        let inner = &constant[800..constant.len() - 800];
        let gain = inner.iter().map(|&x| f64::from(x)).sum::<f64>() / inner.len() as f64 / 0.5;
        assert!((gain - 1.0).abs() <= number(bounds, "dc_gain_tolerance"), "{from_hz}: {gain}");
        for (kind, is_pass) in [("pass", true), ("stop", false)] {
            let ends: Vec<f64> = list(&rate["sweep"], kind).iter().map(|hz| hz.as_f64().unwrap()).collect();
            let input = sampled(2 * from_hz, &|t| (tau * (ends[0] * t + (ends[1] - ends[0]) * t * t / 4.0)).sin());
            let out = resample(&input, from_hz, to_hz);
            let tenth = from_hz as usize / 10;
            let change = db(rms(&out[1600..out.len() - 1600]) / rms(&input[tenth..input.len() - tenth]));
            if is_pass {
                assert!(change.abs() <= number(bounds, "sweep_pass_db"), "{from_hz}: {change:.2} dB");
            } else {
                assert!(change <= number(bounds, "sweep_stop_db_max"), "{from_hz}: {change:.1} dB");
            }
        }
    }
}

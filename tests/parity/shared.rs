//! What all models share: sound, frames, schedules, scores, maps.

mod faces;
mod map;
mod schedule;
mod scores;
mod sound;

use std::path::PathBuf;

use serde_json::Value;

use super::{Case, Kind};

/// Kinds of cases.
pub const CASES: &[Kind] = &[
    ("audio_resample", sound::resampling),
    ("frame_sampling", frame_sampling),
    ("kaldi_fbank", sound::log_mel),
    ("lr_schedule", schedule::schedules),
    ("metrics", scores::metrics),
    ("tsne", map::layout),
    ("yunet", faces::yunet),
];

pub fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("{name} in {value}"))
}

pub fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("{name} in {value}"))
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

/// A file of the shared data, named relative to the cases' folder or the one that holds it, or else beside the
/// workspace.
pub fn data_file(case: &Case, name: &str) -> PathBuf {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let places = [case.root().to_owned(), case.root().join(".."), shared.join("data")].map(|place| place.join(name));
    places.into_iter().find(|place| place.exists()).unwrap_or_else(|| shared.join(name))
}

/// Checks that a number is no larger than its bound.
pub fn at_most(case: &mut Case, what: &str, got: f64, bound: f64) {
    assert!(!got.is_nan(), "{what} is no number");
    case.check(&format!("{what} {got:.4}, at most {bound}: too much"), (got - bound).max(0.0), 0.0, 0.0, 0.0);
}

fn frame_sampling(case: &mut Case) {
    let n_segments = case.size("segments");
    let ns = case.by_role("test_n").ints();
    let chosen = ns.iter().flat_map(|&n| media::spread_frames(n as usize, n_segments));
    case.compare("test_indices", &chosen.map(|(frame_idx, _)| frame_idx as f32).collect::<Vec<_>>());
    for &n in &ns {
        let n_own = media::spread_frames(n as usize, n_segments).iter().filter(|(_, valid)| *valid).count();
        assert_eq!(n_own, n_segments.min(n as usize), "{n} frames");
    }
    let draws = case.by_role("train_draws").ints();
    let chosen = case.by_role("train_n").ints().into_iter().zip(draws.chunks(n_segments)).flat_map(|(n, draws)| {
        let mut draws = draws.iter();
        media::training_frames(n as usize, n_segments, |_| *draws.next().unwrap() as usize)
    });
    case.compare("train_indices", &chosen.map(|(frame_idx, _)| frame_idx as f32).collect::<Vec<_>>());
}

//! What all models share: sound, frames, scores.

use super::Case;

/// Kinds of cases.
pub const CASES: &[(&str, fn(&mut Case))] = &[];

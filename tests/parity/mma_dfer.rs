//! MMA-DFER and its encoders.

use super::Case;

/// Kinds of cases.
pub const CASES: &[(&str, fn(&mut Case))] = &[];

//! UMBEnet and CLIP.

use super::Case;

/// Kinds of cases.
pub const CASES: &[(&str, fn(&mut Case))] = &[];

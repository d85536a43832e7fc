//! UMBEnet and CLIP.

mod clip;
mod graph;
mod stages;

use super::Case;

/// Kinds of cases.
pub const CASES: &[(&str, fn(&mut Case))] = &[
    ("clip_tiny", clip::towers),
    ("umbenet_official_tiny", graph::released),
    ("umbenet_paper_tiny", graph::paper),
    ("umbenet_full", graph::paper),
    ("umbenet_two_stage", stages::two_stage),
];

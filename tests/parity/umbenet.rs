//! UMBEnet and CLIP.

mod clip;
mod counts;
mod graph;
mod picture;
mod stages;
mod tokenizer;

use super::{Case, Kind};

/// Kinds of cases.
pub const CASES: &[Kind] = &[
    ("clip_preprocess", picture::preparation),
    ("clip_tiny", clip::towers),
    ("clip_tokenizer", tokenizer::tokens),
    ("umbenet_counts", counts::parameters),
    ("umbenet_full", graph::paper),
    ("umbenet_official_tiny", graph::released),
    ("umbenet_paper_tiny", graph::paper),
    ("umbenet_two_stage", stages::two_stage),
];

//! Building blocks that more than one model uses.

pub mod batch_norm;
pub mod crossmodal;
pub mod lstm;
pub mod normalization;
pub mod prompt_pool;
pub(crate) mod rows;
pub mod streams;
pub mod transformer;

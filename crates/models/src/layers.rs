//! Building blocks that more than one model uses.

pub mod batch_norm;
pub mod lstm;
pub mod prompt_pool;
pub mod transformer;

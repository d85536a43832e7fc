//! Building blocks that more than one model uses.

pub mod lstm;
pub mod prompt_pool;
pub mod transformer;

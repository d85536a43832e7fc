//! Building blocks that more than one model uses.

pub mod prompt_pool;
pub mod transformer;

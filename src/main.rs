//! Limbic.
fn main() {}

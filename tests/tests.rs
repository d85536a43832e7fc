//! All integration tests in one binary: one link instead of many.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cli;
mod pages;
mod parity;
mod released;
mod tidy;
mod train;

//! Drawings: data in, a response out, no state of their own.

pub mod bars;
pub mod button;
pub mod combo;
pub mod icon;
pub mod matrix;
pub mod plot;
pub mod tile;

//! VAVL (Goncalves, Leem, Lin, Sisman & Busso 2024, "Versatile audio-visual learning for emotion recognition").
//!
//! Voice and face have a conformer branch each and share further layers; either modality predicts alone, and a head for both is
//! trained while all else stands still, so that clips that lack one modality teach too.

pub mod checkpoint;
mod loss;
mod network;
mod normalization;

pub use loss::{AttributeScale, Target, Task, ccc};
pub use network::{Head, Layout, Network, NetworkConfig, Shared, Stream, Unimodal};
pub use normalization::{Padded, Statistics};

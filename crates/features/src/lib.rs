//! Files of precomputed features in, sequences out: `.npy`, `.npz`, `.csv`, `.safetensors`, HDF5 (`.csd`) and pickles
//! of numpy arrays; and `.npy` out.
//!
//! A file is a set of named arrays and texts, whatever its format; rows are read when they are asked for, those of
//! compressed arrays from an unnamed temporary file, so a file may be larger than memory. Nothing in a file is ever
//! run: a pickle that needs more than plain values and arrays is refused, and no length that a file states is believed
//! before the bytes are there.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod element;
mod error;
mod hdf5;
mod npy;
mod npz;
mod pickle;
mod reader;
mod safetensors_file;
mod store;
mod table;

pub use error::FeatureError;
pub use npy::write_npy;
pub use reader::{Reader, sequence_shape};
pub use store::{Array, Store, Texts};

use element::Element;

#[cfg(test)]
mod tests;

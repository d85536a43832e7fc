//! Why features cannot be read or written.

use std::path::PathBuf;

/// What is wrong with a file of features, or with what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The system refuses to read.
    #[error("cannot read: {source}: {path}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system refuses to write.
    #[error("cannot write: {source}: {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A folder, a pipe or a device.
    #[error("this is not a file but a folder or a device: {path}", path = .0.display())]
    NotAFile(PathBuf),
    /// No file of a known format.
    #[error("features are read from .npy, .npz, .csv, .safetensors, .csd, .h5, .hdf5, .pkl and .pickle files, this is another: {path}", path = .0.display())]
    UnknownFormat(PathBuf),
    /// The content contradicts itself or the format.
    #[error("damaged, or no such file at all: {reason}: {path}", path = .path.display())]
    Damaged {
        /// What does not fit, and where.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// A pickle that would have to run something, or that holds objects other than plain values and arrays.
    #[error("refused, for it holds more than numbers and texts: {what}: {path}", path = .path.display())]
    Refused {
        /// The opcode or the global, and where.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// An array that is not there.
    #[error("no array is called {name:?}; there are {known}: {path}", path = .path.display())]
    NoArray {
        /// The name asked for.
        name: String,
        /// All names, in words.
        known: String,
        /// The file.
        path: PathBuf,
    },
    /// Rows, steps or values that the array does not have.
    #[error("{what}, but the array is {shape:?}: {path}", path = .path.display())]
    OutOfRange {
        /// What was asked for.
        what: String,
        /// Lengths of the array's axes.
        shape: Vec<usize>,
        /// The file.
        path: PathBuf,
    },
}

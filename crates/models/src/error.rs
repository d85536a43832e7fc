//! What can go wrong with a model.

use std::path::PathBuf;

/// An error of this crate: the problem first, the file last.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read.
    #[error("cannot read the model: {source}: {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write the model: {source}: {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder holds no model.
    #[error("there is no trained model here (no best/model.toml and no model.toml): {path}", path = path.display())]
    NoModel {
        /// The folder.
        path: PathBuf,
    },
    /// A folder of Hugging Face where a file is wanted.
    #[error(
        "this is a folder, and the weights are a file in it: name {file}: {path}",
        file = file.display(),
        path = path.display()
    )]
    Snapshot {
        /// The file with the weights.
        file: PathBuf,
        /// The folder.
        path: PathBuf,
    },
    /// `model.toml` is not what it should be.
    #[error("the model description is damaged or of another program: {reason}: {path}", path = path.display())]
    Description {
        /// What is wrong.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// Weights that are not this model's.
    #[error("the weights do not belong to this model: {reason}: {path}", path = path.display())]
    Weights {
        /// Missing, unexpected and misshapen tensors, by name.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// A file that is no checkpoint, or not all of one.
    #[error("the file cannot be read as weights: {reason}: {path}", path = path.display())]
    Damaged {
        /// What is wrong.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// A file that asks for more than tensors and plain values.
    #[error(
        "the file is refused: it asks for {what}, which could run a program; use a .safetensors file, or one that holds \
         only a state dictionary: {path}",
        path = path.display()
    )]
    Refused {
        /// The name that it asks for, and where.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// Arrays beside weights that cannot be read.
    #[error(transparent)]
    Features(#[from] features::FeatureError),
    /// A setting with an impossible value.
    #[error(transparent)]
    Setting(#[from] crate::SettingError),
    /// A configuration that no model can have.
    #[error("{0}")]
    Config(String),
    /// A device that cannot be used.
    #[error("device {id} cannot be used: {reason}")]
    Device {
        /// As written in settings.
        id: String,
        /// Why, and what to choose instead.
        reason: String,
    },
    /// A sample that lacks everything that is switched on.
    #[error("nothing to predict from: the clip has {present}, the model uses {uses}, switched on are {on}")]
    NothingLeft {
        /// What the clip has.
        present: emotion::Modalities,
        /// What the model can use.
        uses: emotion::Modalities,
        /// What is switched on.
        on: emotion::Modalities,
    },
    /// Outputs that are NaN or infinite.
    #[error(
        "the model's outputs are no numbers: its weights were spoilt in training: train again with a smaller learning_rate"
    )]
    NotANumber,
    /// The device failed while computing.
    #[error("the device failed: {0}")]
    Compute(String),
}

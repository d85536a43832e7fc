//! What can end a job.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file of the run could not be read.
    #[error("cannot read the run: {source}: {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the run could not be written; what was written before stays usable.
    #[error("cannot write the run: {source}: {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The folder already holds a run.
    #[error("this folder already holds a run: resume it, or choose another folder: {path}", path = path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing to resume.
    #[error("there is no run to resume here: {path}", path = path.display())]
    NothingToResume {
        /// The folder.
        path: PathBuf,
    },
    /// A file of the run is damaged.
    #[error("the run is damaged: {reason}: {path}", path = path.display())]
    Damaged {
        /// What is wrong.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// Too few clips of a split remain.
    #[error("no usable {split} clips are left of dataset {dataset:?}: {hint}")]
    NoClips {
        /// The split.
        split: &'static str,
        /// The dataset.
        dataset: String,
        /// What to do.
        hint: String,
    },
    /// Nothing that the model reads is switched on.
    #[error("nothing to score: switched on are {on}, and the model reads {usable}")]
    NothingOn {
        /// What is switched on.
        on: emotion::Modalities,
        /// What the model reads.
        usable: emotion::Modalities,
    },
    /// The dataset's clips are not where they were.
    #[error("the dataset's folder is not there: connect its disk, or import it again from its new place: {}", root.display())]
    Away {
        /// The folder.
        root: PathBuf,
    },
    /// The loss is no number any more.
    #[error(
        "the loss became {loss} in stage {stage:?}, epoch {epoch}: train again with a smaller learning_rate; \
         epochs before that one are kept"
    )]
    Diverged {
        /// What it became.
        loss: f64,
        /// Name of the stage.
        stage: String,
        /// Epoch, counted from 1.
        epoch: usize,
    },
    /// The labels of model and data differ.
    #[error("the dataset's labels ({dataset}) are not the model's ({model}): map them first")]
    Labels {
        /// Names.
        dataset: String,
        /// Names.
        model: String,
    },
    /// The job was stopped before it could begin to train.
    #[error("stopped before training began")]
    Stopped,
    /// Features that a network makes need its weights.
    #[error(
        "the features {0} need the published weights: choose the file with --weights; `limbic models list` says where to get it"
    )]
    NoWeights(String),
    /// Copies at other speeds are asked for of what has no sound.
    #[error("the features {0} are not of voices: only those have copies at other speeds")]
    NoSpeed(String),
    /// A clip has nothing that features could be made of.
    #[error("clip {clip:?}: {what}")]
    NothingToExtract {
        /// The clip.
        clip: String,
        /// What it lacks.
        what: &'static str,
    },
    /// A setting that does not exist or does not fit.
    #[error(transparent)]
    Setting(#[from] models::SettingError),
    /// From the model.
    #[error(transparent)]
    Model(#[from] models::ModelError),
    /// From a media file or the cache.
    #[error(transparent)]
    Media(#[from] media::MediaError),
    /// From a file of features.
    #[error(transparent)]
    Features(#[from] features::FeatureError),
    /// From the dataset.
    #[error(transparent)]
    Dataset(#[from] datasets::DatasetError),
}

//! Emotion models: samples in, predictions out.
//!
//! [`EmotionModel`] is what training needs of a model, [`Predict`] what everybody else needs of a trained one.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod batch;
mod bundle;
pub mod compute;
pub mod encoders;
mod error;
mod extractor;
mod hashing;
pub mod identify;
mod init;
mod kind;
pub mod layers;
pub mod mcr;
pub mod measure;
pub mod mma_dfer;
pub mod mult;
mod predict;
mod published;
mod released;
pub mod sequence_model;
mod settings;
mod stage;
mod task;
pub mod umbenet;
pub mod vavl;
mod weights;

pub use batch::{Batch, FaceBatch, FeatureBatch, Frozen, PixelScale, Reader, RowScale, TextBatch, VoiceBatch};
pub use bundle::{Bundle, Card, Config, copy_bundle, load, load_bundle, save_bundle, save_description};
pub use compute::{DeviceId, DeviceInfo};
pub use error::ModelError;
pub use extractor::{Extractor, FACE_SIDE_PX, VOICE_RATE_HZ};
pub use hashing::{WORD_WIDTH, hashed_tokens, hashed_words};
pub use init::Init;
pub use kind::{About, ModelKind, Preset};
pub use predict::{EmotionModel, FinishedStage, Loss, Outlook, Predict, SeeBatch, Trained, TrainingBatches};
pub use published::{PUBLISHED, Published, Use};
pub use released::{RELEASED, import_released};
pub use settings::{Setting, SettingError, apply_setting, settings_of};
pub use stage::{Augmentation, Idle, Keep, Optimization, Schedule, StageInput, StagePlan, WeightDecay};
pub use task::{AttributeLoss, Target, Task, ccc, l1_loss};
pub use weights::{
    Contents, Fit, Leftovers, Misshapen, Place, Rename, Spelling, export, fit, import, import_spelled, import_tensors,
    open_checkpoint, read_checkpoint,
};

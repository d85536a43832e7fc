//! Training and evaluation of emotion models: jobs in, events and run folders out.
//!
//! Everything here runs on the caller's thread, obeys a [`Control`] and reports through a callback; the window and the
//! command line differ only in what they do with the [`Event`]s.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adam;
mod augment;
mod checkpoint;
mod control;
mod copies;
mod cross_validation;
mod error;
mod evaluate;
mod event;
mod extract;
mod feature_kinds;
mod fit;
mod frozen;
mod in_order;
mod inspect;
mod job;
mod loader;
mod plateau;
mod prepare;
mod prompts;
mod released;
mod run;
mod schedule;
mod sequences;
mod speakers;
mod step;
mod training_samples;
mod truth;

pub use adam::Adam;
pub use control::{Control, Order};
pub use cross_validation::{CrossReport, cross_validate};
pub use error::TrainError;
pub use evaluate::{ClipPrediction, RatedValue, evaluate, write_predictions};
pub use event::{AttributeScores, EpochRecord, Event, Outcome, Report, StopReason};
pub use extract::{Extracted, Extraction, FeatureKind, extract};
pub use feature_kinds::Speed;
pub use fit::{fit, resume};
pub use inspect::inspect;
pub use job::{Job, JobSetting, Recipe, settings};
pub use plateau::{Plateau, StopRules};
pub use prepare::{PreparedClip, prepare};
pub use prompts::{PromptMap, PromptMapRow};
pub use released::{import_released, import_released_run};
pub use run::Run;
pub use schedule::LearningRate;
pub use step::train_step;

//! Everything that a training job says, to the window, to `--json` and to `events.jsonl` alike.
//!
//! The enum is closed: reading a run's `events.jsonl` back gives the window the same state as watching it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use emotion::{Agreement, Attribute, Confusion, LabelSet, Modalities, Scale, Scores, SentimentScores, Split};
use models::StagePlan;
use serde::{Deserialize, Serialize};

use crate::Job;

/// One thing that happened in a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Clips are being decoded, or found in the cache.
    Preparing {
        /// Clips done.
        done: usize,
        /// Clips in all.
        total: usize,
        /// Estimate, once there is one.
        remaining_secs: Option<f64>,
    },
    /// A clip was skipped or only partly used.
    Warning {
        /// The file.
        path: PathBuf,
        /// What is wrong and what was done about it.
        reason: String,
    },
    /// The job is about to train, or goes on.
    Started {
        /// All that reproduces the run.
        job: Box<Job>,
        /// Classes of model and data.
        labels: LabelSet,
        /// The stages in order.
        stages: Vec<StagePlan>,
        /// Clips trained on.
        n_train: usize,
        /// Clips that decide about rate and stopping.
        n_val: usize,
        /// Parameters of the model.
        n_parameters: usize,
        /// Name of the device.
        device: String,
    },
    /// A stage begins, or goes on after a resume.
    StageStarted {
        /// Position in the plan.
        stage: usize,
        /// Epochs that it already has.
        epochs_done: usize,
    },
    /// Some optimizer steps are done.
    Step {
        /// Position in the plan.
        stage: usize,
        /// Epoch within the stage, from 0.
        epoch: usize,
        /// Steps done in this epoch.
        step: usize,
        /// Steps in an epoch.
        n_steps: usize,
        /// Mean training loss since the last such event.
        loss: f64,
        /// Estimate for the whole job, were every stage to run all its epochs.
        remaining_secs: Option<f64>,
    },
    /// An epoch is trained, validated and saved.
    EpochFinished {
        /// Position in the plan.
        stage: usize,
        /// Epoch within the stage, from 0.
        epoch: usize,
        /// What was measured.
        record: EpochRecord,
    },
    /// A stage is over.
    StageFinished {
        /// Position in the plan.
        stage: usize,
        /// Why.
        reason: StopReason,
        /// The epoch that was kept, from 0.
        best_epoch: usize,
    },
    /// The job waits.
    Paused,
    /// The job goes on.
    Resumed,
    /// The kept model was scored.
    Evaluated {
        /// All scores.
        report: Report,
    },
    /// The job is over; nothing follows.
    Finished {
        /// How it ended.
        outcome: Outcome,
        /// BLAKE3 of the kept weights, if any were kept.
        checksum: Option<String>,
    },
    /// The job could not go on; nothing follows.
    Failed {
        /// What happened, to what, and what to do.
        message: String,
    },
}

/// Measurements of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Mean loss over the training steps.
    pub train_loss: f64,
    /// Share of training clips that were right while training.
    pub train_war: f64,
    /// Mean loss on the validation split.
    pub val_loss: f64,
    /// Weighted average recall on the validation split.
    pub val_war: f64,
    /// Unweighted average recall on the validation split.
    pub val_uar: f64,
    /// Learning rate of the epoch.
    pub learning_rate: f64,
    /// Wall-clock seconds.
    pub secs: f64,
    /// Whether this is the best epoch of its stage so far.
    pub is_best: bool,
}

/// Why a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All its epochs are done.
    Epochs,
    /// The learning rate fell below the limit (UMBEnet §4.1).
    LearningRate,
    /// The training accuracy rose above the limit (UMBEnet §4.1).
    TrainAccuracy,
    /// Somebody asked for it.
    Asked,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All stages ran.
    Complete,
    /// Stopped early, the best epoch was kept.
    Kept,
    /// Stopped early; `--resume` goes on.
    Aborted,
}

/// Scores of a model on a split, with all modalities asked for and for every subset of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The clips that were scored.
    pub split: Split,
    /// Switched-on modalities of the main scores.
    pub modalities: Modalities,
    /// Clips scored.
    pub n_clips: usize,
    /// Weighted average recall, unweighted average recall, macro F1.
    #[serde(flatten)]
    pub scores: Scores,
    /// Labels and counts, as `labels` and `confusion`.
    pub labels: LabelSet,
    /// `[true, predicted]`.
    pub confusion: Vec<Vec<usize>>,
    /// Scores with only some modalities switched on; subsets that no clip has are absent.
    pub per_subset: BTreeMap<Modalities, Scores>,
    /// How well ratings are predicted, for a model of attributes; the other scores then are those of the halves of the
    /// first one's scale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AttributeScores>,
}

/// How well one attribute is predicted, in the units of the dataset's own scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeScores {
    /// Which.
    pub attribute: Attribute,
    /// Errors and correlations.
    #[serde(flatten)]
    pub agreement: Agreement,
    /// The accuracies of the tables on sentiment, where the scale is −3 to 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<SentimentScores>,
}

impl AttributeScores {
    /// Compares predictions with truths, as many and at least one, on `scale`.
    pub fn of(attribute: Attribute, predictions: &[f64], truths: &[f64], scale: Scale) -> Self {
        let is_sentiment = attribute == Attribute::Valence && scale == Scale::SENTIMENT;
        Self {
            attribute,
            agreement: Agreement::of(predictions, truths),
            sentiment: is_sentiment.then(|| SentimentScores::of(predictions, truths)),
        }
    }
}

impl Report {
    /// The matrix with its labels.
    pub fn confusion(&self) -> Confusion {
        Confusion { labels: self.labels.clone(), counts: self.confusion.clone() }
    }
}

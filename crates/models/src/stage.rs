//! Stages of training: what is trained, on which modalities, for how long, at which rate.

use emotion::{Modalities, Modality};
use serde::{Deserialize, Serialize};

/// Which modalities a training step sees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StageInput {
    /// One modality; the others are masked (UMBEnet stage 1).
    Only {
        /// The modality.
        modality: Modality,
    },
    /// Each modality of each sample is kept with probability `keep`, drawn again until one is left (UMBEnet stage 2).
    RandomDrop {
        /// Probability in 0..=1.
        keep: f64,
    },
    /// All that a sample has.
    All,
}

impl StageInput {
    /// The modalities that validation of this stage uses.
    pub fn eval_modalities(self) -> Modalities {
        match self {
            Self::Only { modality } => Modalities::only(modality),
            Self::RandomDrop { .. } | Self::All => Modalities::ALL,
        }
    }
}

/// A stage of a training plan, as people see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StagePlan {
    /// Short name, unique in the plan: `face prompts`, `joint`.
    pub name: String,
    /// The paper's stage number, from 1; several plan stages may share it.
    pub number: usize,
    /// What a step sees.
    pub input: StageInput,
    /// Epochs at most.
    pub n_epochs: usize,
    /// Initial learning rate.
    pub learning_rate: f64,
    /// What is trained, in words.
    pub trains: String,
    /// Where the values come from at the start, in words.
    pub starts_from: String,
}

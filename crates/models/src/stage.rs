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
    /// The voice alone, the face alone, then both, an optimizer step each, of the samples that have what it takes (VAVL
    /// algorithm 1).
    InTurn {
        /// Whether there is a step for both.
        together: bool,
    },
}

impl StageInput {
    /// What each optimizer step of a batch sees, one after the other; empty: one step, in which each sample has its
    /// own.
    pub fn turns(self) -> Vec<Modalities> {
        let (voice, face) = (Modalities::only(Modality::Voice), Modalities::only(Modality::Face));
        match self {
            Self::InTurn { together: true } => vec![voice, face, voice.with(Modality::Face, true)],
            Self::InTurn { together: false } => vec![voice, face],
            _ => Vec::new(),
        }
    }

    /// The modalities that validation of this stage uses.
    pub fn eval_modalities(self) -> Modalities {
        match self {
            Self::Only { modality } => Modalities::only(modality),
            Self::RandomDrop { .. } | Self::All | Self::InTurn { .. } => Modalities::ALL,
        }
    }
}

/// How the weights of a stage move, where the paper says so; the default is UMBEnet's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Optimization {
    /// How weights are drawn towards zero.
    #[serde(default)]
    pub weight_decay: WeightDecay,
    /// How the learning rate falls.
    #[serde(default)]
    pub schedule: Schedule,
    /// Which epoch's model is kept.
    #[serde(default)]
    pub keep: Keep,
    /// What weights do that a step says nothing about.
    #[serde(default)]
    pub idle: Idle,
}

/// What a trained weight does in a step that gives it no gradient, as when no clip of a batch has its modality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Idle {
    /// It stays where it is, and the step does not count for it: PyTorch's, where a part of the network was not run.
    #[default]
    Stays,
    /// Its gradient is zero: it moves on by its momentum. PyTorch's, where what is missing was multiplied by zero.
    MovesOn,
}

/// How Adam draws weights towards zero; only weights that have a gradient are.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WeightDecay {
    /// Not at all.
    #[default]
    None,
    /// `rate` times the weight is added to its gradient (`torch.optim.Adam`'s `weight_decay`).
    L2 {
        /// Per unit of the weight.
        rate: f64,
    },
    /// Before each step a weight shrinks by `rate` times the learning rate (AdamW, Loshchilov & Hutter 2019).
    Decoupled {
        /// Per unit of the weight and of the learning rate.
        rate: f64,
    },
}

/// How the learning rate falls from epoch to epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// When the validation loss stays flat, with the rules for stopping early.
    #[default]
    Plateau,
    /// Along a half cosine that reaches zero after the last epoch (`CosineAnnealingLR` stepped once per epoch).
    Cosine,
    /// Not at all.
    Constant,
}

/// Which epoch's model a stage keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The one with the lowest validation loss.
    #[default]
    LowestLoss,
    /// The last one.
    Last,
}

/// How training changes samples at random; whether it does is the job's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Augmentation {
    /// Faces shifted, turned and mirrored a little, stretches of speech hidden, words left out.
    Gentle,
    /// Faces alone: random parts of them, mirrored, brighter or darker, as in MMA-DFER's released code.
    RandomCrops,
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
    /// How the weights move.
    #[serde(default)]
    pub optimization: Optimization,
    /// What is trained, in words.
    pub trains: String,
    /// Where the values come from at the start, in words.
    pub starts_from: String,
}

//! What a VAVL is built from, its presets and its training plan.

use std::path::PathBuf;

use emotion::{Attribute, Manifest};
use serde::{Deserialize, Serialize};

use super::network::{Layout, NetworkConfig};
use super::sources::{self, FaceFeaturesConfig, VoiceFeaturesConfig};
use crate::encoders::conformer::{ConformerSize, RelativePosition};
use crate::encoders::efficientnet::EfficientNetSize;
use crate::encoders::feature_sequences::{StreamSize, no_features};
use crate::encoders::wav2vec2::Wav2vec2Size;
use crate::settings::{check_not_negative, check_positive, check_share, check_unread};
use crate::{Keep, ModelError, Optimization, Schedule, StageInput, StagePlan, Task, WeightDecay};

/// Everything that the shape, the loss and the training plan of a VAVL depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VavlConfig {
    /// Epochs at most (released code: 20).
    pub epochs: usize,
    /// Initial learning rate (§4.2: 5e-5).
    pub learning_rate: f64,
    /// How weights are drawn towards zero, per unit (released code: 5e-7, added to the gradient).
    pub weight_decay: f64,
    /// Whether the decay goes past Adam's moments, as in AdamW (choice; off in the released code).
    #[serde(default)]
    pub decoupled_decay: bool,
    /// Share of a label that is spread over all classes (choice; the paper has none).
    #[serde(default)]
    pub label_smoothing: f64,
    /// How the learning rate falls.
    pub schedule: Schedule,
    /// Which epoch's model is kept.
    #[serde(default)]
    pub keep: Keep,
    /// File with the weights of wav2vec 2.0; needed to train on its features.
    pub wav2vec2: PathBuf,
    /// File with the weights of the EfficientNet; needed to train on its features.
    pub efficientnet: PathBuf,
    /// The attributes that are predicted instead of classes: those that the dataset rates.
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    /// What is trained.
    pub network: NetworkConfig,
    /// Where the features of a face come from.
    pub face: FaceFeaturesConfig,
    /// Where the features of a voice come from.
    pub voice: VoiceFeaturesConfig,
}

impl VavlConfig {
    /// Trains in minutes on a laptop's CPU: descriptions that need no training, and a small network.
    pub fn tiny() -> Self {
        Self {
            epochs: 60,
            learning_rate: 1e-3,
            weight_decay: 5e-7,
            decoupled_decay: false,
            label_smoothing: 0.0,
            schedule: Schedule::Plateau,
            keep: Keep::LowestLoss,
            wav2vec2: PathBuf::new(),
            efficientnet: PathBuf::new(),
            attributes: Vec::new(),
            network: NetworkConfig {
                projection_width: 48,
                conformer: ConformerSize {
                    width: 64,
                    heads: 4,
                    feed_forward_expansion: 2,
                    kernel: 7,
                    relative_position: RelativePosition::AsIs,
                    dropout: 0.1,
                },
                layers: 1,
                shared_layers: 1,
                head_width: 64,
                head_hidden: 32,
                head_dropout: 0.2,
                alpha: 1.0,
                layout: Layout::BatchFirst,
                task: Task::Classification,
                residual: true,
                reconstruction: true,
                audio_visual_head: true,
                end_to_end: false,
            },
            face: FaceFeaturesConfig::Gradients { n_frames: 16, side_px: 96, dropout: 0.5 },
            voice: VoiceFeaturesConfig::Cepstrum {
                rate_hz: 16_000,
                n_frames: 320,
                n_bins: 64,
                frames_per_step: 8,
                dropout: 0.2,
            },
        }
    }

    /// The published dimensions, on wav2vec2-large-robust and EfficientNet-B2.
    pub fn paper() -> Self {
        Self {
            epochs: 20,
            learning_rate: 5e-5,
            weight_decay: 5e-7,
            decoupled_decay: false,
            label_smoothing: 0.0,
            schedule: Schedule::Constant,
            keep: Keep::LowestLoss,
            wav2vec2: PathBuf::new(),
            efficientnet: PathBuf::new(),
            attributes: Vec::new(),
            network: NetworkConfig {
                projection_width: 50,
                conformer: ConformerSize {
                    width: 512,
                    heads: 8,
                    feed_forward_expansion: 4,
                    kernel: 31,
                    relative_position: RelativePosition::AsIs,
                    dropout: 0.1,
                },
                layers: 3,
                shared_layers: 2,
                head_width: 512,
                head_hidden: 256,
                head_dropout: 0.2,
                alpha: 2.0,
                layout: Layout::BatchFirst,
                task: Task::Classification,
                residual: true,
                reconstruction: true,
                audio_visual_head: true,
                end_to_end: false,
            },
            face: FaceFeaturesConfig::EfficientNet { n_frames: 16, side_px: 224, size: EfficientNetSize::B2 },
            voice: VoiceFeaturesConfig::Wav2vec2 { n_samples: 192_000, size: Wav2vec2Size::large_robust() },
        }
    }

    /// A small network on features that the dataset brings, such as action units and cepstral statistics.
    pub fn features() -> Self {
        let voice = VoiceFeaturesConfig::Precomputed { features: StreamSize::of(1, 40), max_steps: 500, dropout: 0.5 };
        Self { voice, ..Self::face_features() }
    }

    /// The same for one vector an utterance, where blocks over steps have nothing to look at, and the head for both
    /// teaches what comes before it. Chosen on RAVDESS (`crates/training/experiments.md`).
    pub fn utterances() -> Self {
        let features = Self::features();
        Self {
            epochs: 40,
            learning_rate: 2e-3,
            weight_decay: 1e-2,
            decoupled_decay: true,
            label_smoothing: 0.1,
            network: NetworkConfig { layers: 0, reconstruction: false, end_to_end: true, ..features.network },
            ..features
        }
    }

    /// A small network on features of faces that the dataset brings, and on voices as they sound.
    pub fn face_features() -> Self {
        let tiny = Self::tiny();
        Self {
            epochs: 20,
            weight_decay: 1e-3,
            schedule: Schedule::Cosine,
            // With few speakers, one modality goes on learning while the loss of both rises.
            keep: Keep::Last,
            network: NetworkConfig {
                projection_width: 128,
                conformer: ConformerSize { dropout: 0.3, ..tiny.network.conformer },
                head_dropout: 0.5,
                ..tiny.network
            },
            face: FaceFeaturesConfig::Precomputed { features: StreamSize::of(1, 35), max_steps: 500, dropout: 0.5 },
            ..tiny
        }
    }

    /// The same with the features and ratings of a dataset.
    ///
    /// Errors when it lacks them.
    pub fn for_dataset(&self, manifest: &Manifest) -> Result<Self, ModelError> {
        let (face, voice) = (self.face.for_dataset(manifest)?, self.voice.for_dataset(manifest)?);
        let reader = sources::reader(&face, &voice);
        if reader.inputs.modalities().is_empty() {
            return Err(no_features(manifest));
        }
        Ok(Self { face, voice, attributes: self.network.task.attributes(manifest)?, ..self.clone() })
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), ModelError> {
        let complain = |text: String| Err(ModelError::Config(text));
        let NetworkConfig { conformer: ConformerSize { width, heads, kernel, dropout, .. }, .. } = self.network;
        if heads == 0 || !width.is_multiple_of(heads) || width == 0 {
            return complain(format!("network.conformer.width {width} is not a multiple of heads {heads}"));
        }
        if kernel % 2 == 0 {
            return complain(format!("network.conformer.kernel is {kernel}: it must be odd"));
        }
        let sees = matches!(self.face, FaceFeaturesConfig::EfficientNet { .. });
        check_unread("efficientnet", &self.efficientnet, sees)?;
        check_unread("wav2vec2", &self.wav2vec2, matches!(self.voice, VoiceFeaturesConfig::Wav2vec2 { .. }))?;
        check_not_negative("network.alpha", self.network.alpha)?;
        check_share("network.conformer.dropout", dropout)?;
        check_share("network.head_dropout", self.network.head_dropout)?;
        check_share("label_smoothing", self.label_smoothing)?;
        check_positive("learning_rate", self.learning_rate)?;
        check_not_negative("weight_decay", self.weight_decay)?;
        sources::check(&self.face, &self.voice)
    }

    pub(super) fn stages(&self) -> Vec<StagePlan> {
        vec![StagePlan {
            name: "audio-visual".into(),
            number: 1,
            input: StageInput::InTurn { together: self.network.audio_visual_head },
            n_epochs: self.epochs,
            learning_rate: self.learning_rate,
            optimization: Optimization {
                weight_decay: match self.decoupled_decay {
                    true => WeightDecay::Decoupled { rate: self.weight_decay },
                    false => WeightDecay::L2 { rate: self.weight_decay },
                },
                schedule: self.schedule,
                keep: self.keep,
                ..Optimization::default()
            },
            trains: match self.network.end_to_end {
                true => "each branch with the shared layers, then all for both".into(),
                false => "each branch with the shared layers, then the head for both".into(),
            },
            starts_from: "random values; pretrained extractors stand still".into(),
        }]
    }
}

/// What a setting is, for people.
pub(super) fn help(key: &str) -> Option<&'static str> {
    Some(match key {
        "epochs" => "Epochs at most. Released code: 20.",
        "learning_rate" => "Initial learning rate. Paper: 5e-5.",
        "weight_decay" => "How weights are drawn towards zero, per unit. Released code: 5e-7, added to the gradient.",
        "decoupled_decay" => "Whether weights shrink apart from Adam's moments, as in AdamW. Released code: off.",
        "label_smoothing" => "Share of a label that is spread over all classes; the paper has none.",
        "schedule" => "How the learning rate falls: plateau, cosine or constant. Released code: constant.",
        "keep" => "Which epoch is kept: lowest_loss or last.",
        "wav2vec2" => "File with wav2vec 2.0's weights, wav2vec2-large-robust or one fine-tuned from it.",
        "efficientnet" => "File with the EfficientNet's weights, enet_b2_8 as a state dictionary.",
        "network.projection_width" => "Width to which features are reduced before a branch. Released code: 50.",
        "network.layers" => "Blocks of each branch. Paper: 3, or 5 by its count of parameters.",
        "network.shared_layers" => "Blocks that voice and face share. Paper: 2.",
        "network.conformer.width" => "Width of the conformers. Released code: 512.",
        "network.conformer.heads" => "Heads of the attention. Released code: 8.",
        "network.conformer.kernel" => "Frames that a depthwise convolution sees, odd. Released code: 31.",
        "network.conformer.relative_position" => "as_is, which published weights need, or fixed, as repaired since.",
        "network.conformer.dropout" => "Share of values that training drops in the conformers. Released code: 0.1.",
        "network.head_width" => "First hidden width of a head. Released code: 512.",
        "network.head_hidden" => "Second hidden width of a head. Released code: 256.",
        "network.head_dropout" => "Share of values that training drops in the heads. Released code: 0.2.",
        "network.alpha" => "Weight of the reconstruction. Released code: 2 for classes, 1 for attributes.",
        "network.layout" => {
            "batch_first, or official_transposed: attention over the batch, as the released code has it."
        }
        "network.task" => "classification, or regression of the attributes that the dataset rates.",
        "network.residual" => "Off: ablation 1, the shared layers add nothing of what they get.",
        "network.reconstruction" => "Off: ablation 2, nothing is reconstructed.",
        "network.end_to_end" => {
            "Whether the head for both teaches what comes before it. Paper: off, all else stands still."
        }
        "network.audio_visual_head" => "Off: ablation 3, the mean of the unimodal predictions.",
        "face.n_frames" => "Face frames of a clip.",
        "face.side_px" => "Side of a face crop in pixels. Released code: 224.",
        "face.features.stream" => "The dataset's features of faces, several joined by +; empty: its first.",
        "voice.features.stream" => "The dataset's features of voices, several joined by +; empty: its first.",
        "face.features.root" | "voice.features.root" => {
            "Whether these features are taken by their square root first, sign kept: for intensities, such as action units."
        }
        "face.features.normalize" | "voice.features.normalize" => {
            "Whose mean and deviation these features are normalized by: train, speaker (of all clips of the person, no labels), none."
        }
        "face.max_steps" | "voice.max_steps" => "Steps of the features, at most; earlier ones are left out.",
        "face.dropout" => "Share of a face's features that training drops.",
        "voice.n_samples" => "Samples of a clip at 16 kHz. Released code: 192000.",
        "voice.rate_hz" => "Sampling rate of the voice in hertz.",
        "voice.n_frames" => "Log-mel frames of 10 ms of a clip.",
        "voice.n_bins" => "Mel bins.",
        "voice.frames_per_step" => "Log-mel frames of a step.",
        "voice.dropout" => "Share of a voice's features that training drops.",
        _ => return None,
    })
}

//! What a VAVL is built from, its presets and its training plan.

use serde::{Deserialize, Serialize};

use super::features::{self, FaceFeaturesConfig, VoiceFeaturesConfig};
use super::loss::Task;
use super::network::{Layout, NetworkConfig};
use crate::encoders::conformer::{ConformerSize, RelativePosition};
use crate::encoders::efficientnet::EfficientNetSize;
use crate::encoders::wav2vec2::Wav2vec2Size;
use crate::{ModelError, Optimization, Schedule, StageInput, StagePlan, WeightDecay};

/// Everything that the shape, the loss and the training plan of a VAVL depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VavlConfig {
    /// Epochs at most (released code: 20).
    pub epochs: usize,
    /// Initial learning rate (§4.2: 5e-5).
    pub learning_rate: f64,
    /// What Adam adds of a weight to its gradient (released code: 5e-7).
    pub weight_decay: f64,
    /// How the learning rate falls.
    pub schedule: Schedule,
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
            schedule: Schedule::Plateau,
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
            schedule: Schedule::Constant,
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
            },
            face: FaceFeaturesConfig::EfficientNet { n_frames: 16, side_px: 224, size: EfficientNetSize::B2 },
            voice: VoiceFeaturesConfig::Wav2vec2 { n_samples: 192_000, size: Wav2vec2Size::large_robust() },
        }
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
        for rate in [dropout, self.network.head_dropout] {
            if !(0.0..1.0).contains(&rate) {
                return complain(format!("a dropout is {rate}: it must be in 0..1"));
            }
        }
        if self.network.task != Task::Classification {
            return complain("network.task must be classification: datasets here have classes".into());
        }
        if self.learning_rate.is_nan() || self.learning_rate <= 0.0 {
            return complain(format!("learning_rate is {}: it must be positive", self.learning_rate));
        }
        features::check(&self.face, &self.voice)
    }

    pub(super) fn stages(&self) -> Vec<StagePlan> {
        vec![StagePlan {
            name: "audio-visual".into(),
            number: 1,
            input: StageInput::InTurn { together: self.network.audio_visual_head },
            n_epochs: self.epochs,
            learning_rate: self.learning_rate,
            optimization: Optimization {
                weight_decay: WeightDecay::L2 { rate: self.weight_decay },
                schedule: self.schedule,
                ..Optimization::default()
            },
            trains: "each branch with the shared layers, then the head for both".into(),
            starts_from: "random values; pretrained extractors stand still".into(),
        }]
    }
}

/// What a setting is, for people.
pub(super) fn help(key: &str) -> Option<&'static str> {
    Some(match key {
        "epochs" => "Epochs at most. Released code: 20.",
        "learning_rate" => "Initial learning rate. Paper: 0.00005.",
        "weight_decay" => "What Adam adds of a weight to its gradient. Released code: 5e-7.",
        "network.alpha" => "Weight of the reconstruction loss. Released code: 2.",
        "network.layers" => "Conformer layers of each modality. Released code: 3.",
        "network.shared_layers" => "Conformer layers that face and voice share. Released code: 2.",
        "network.residual" => "Off leaves out what leads past the shared layers, as in the paper's ablation.",
        "network.reconstruction" => "Off trains without reconstructing the features, as in the paper's ablation.",
        "network.audio_visual_head" => "Off leaves out the head for both modalities, as in the paper's ablation.",
        "network.projection_width" => "Width of a step before the conformers. Released code: 50.",
        "network.conformer.width" => "Width inside the conformers. Released code: 512.",
        "network.conformer.heads" => "Heads of the conformers. Released code: 8.",
        "network.conformer.kernel" => "Steps that a convolution of the conformers sees. Released code: 31.",
        "network.head_dropout" => "Part of the values that a head does without in training. Released code: 0.2.",
        _ => return None,
    })
}

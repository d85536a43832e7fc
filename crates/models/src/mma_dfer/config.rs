//! What an MMA-DFER is built from, its presets and its training plan.

use std::path::PathBuf;

use emotion::{FaceInput, Inputs, VoiceInput};
use serde::{Deserialize, Serialize};

use crate::batch::PixelScale;
use crate::encoders::vit::{BlockSize, VitSize};
use crate::settings::{check_not_negative, check_positive, check_probability, check_share, check_unread};
use crate::{Keep, ModelError, Optimization, Reader, Schedule, StageInput, StagePlan, WeightDecay};

/// Everything that the shape, the loss and the training plan of an MMA-DFER depend on.
///
/// Tables are those of the paper's ablations; official values are those of the preset `paper`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MmaDferConfig {
    /// Frames per clip t (§4.2: 16).
    pub n_frames: usize,
    /// Width of both encoders.
    pub width: usize,
    /// Blocks of both encoders.
    pub depth: usize,
    /// Heads of both encoders.
    pub heads: usize,
    /// Hidden width of a block's feed-forward half, in widths.
    pub mlp_ratio: usize,
    /// How likely the last block of an encoder is left out in training, those before it in proportion (released code:
    /// 0.1).
    pub drop_path: f64,
    /// Learned tokens beside the patches (tables 4 and 7).
    pub prompts: Prompts,
    /// Blocks from one update of the prompts to the next (§4.2: 6, after the 1st and the 7th).
    pub prompt_update_every: usize,
    /// Prompt tokens that an update changes (§4.2: 3).
    pub prompt_tokens_per_update: usize,
    /// How the encoders exchange what they see (table 3).
    pub fusion: Fusion,
    /// Width of the bottleneck d, or of the attention that takes its place (table 6; §4.2: 128).
    pub latent: usize,
    /// How frames become one feature (table 4).
    pub temporal: Temporal,
    /// Width of the frames' joint features (§4.2: 512).
    pub temporal_dim: usize,
    /// Layers of the temporal transformer (§4.2: 1).
    pub temporal_depth: usize,
    /// Heads of the temporal transformer (§4.2: 8).
    pub temporal_heads: usize,
    /// Width of one of these heads (released code: 64).
    pub temporal_head_width: usize,
    /// Hidden width of the temporal transformer's feed-forward half (released code: 1024).
    pub temporal_mlp: usize,
    /// Whether all of the encoders but their positions stays as it is; pretrained ones do (§4.2).
    pub frozen_encoders: bool,
    /// Epochs (§4.2: 25).
    pub epochs: usize,
    /// Learning rate of the first epoch (§4.2: 1e-4); it falls along a cosine.
    pub learning_rate: f64,
    /// AdamW's decay (§4.2: 0.01).
    pub weight_decay: f64,
    /// Which epoch's model is kept (§4.2: the last).
    pub keep: Keep,
    /// How likely a training step sees each modality of a clip that has both; 1 is the paper's.
    pub keep_probability: f64,
    /// File with the weights of MAE-Face; needed to train with a face encoder over patches.
    pub mae_face: PathBuf,
    /// File with the weights of AudioMAE; needed to train with a voice encoder over patches.
    pub audiomae: PathBuf,
    /// Face encoder.
    pub face: FaceEncoderConfig,
    /// Voice encoder.
    pub voice: VoiceEncoderConfig,
}

/// Learned tokens beside the patches (§3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompts {
    /// None ("-" in table 4, 0 in table 7).
    None,
    /// The same at every depth ("Pr.").
    Static,
    /// New ones are added to some of them at some depths ("Pr.Pr.", eq. 1).
    Progressive,
}

/// How the encoders exchange what they see after each block (§3.3, §4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fusion {
    /// Not at all; they meet in the class tokens.
    None,
    /// Through a narrow space, added with a gate ("Fusion Bottleneck").
    Bottleneck,
    /// The other's mean token, added with a gate ("ADD").
    Add,
    /// Attention to the other's tokens ("MULT").
    CrossAttention,
    /// The mean token of one transformer over the tokens of both ("MULT-concat").
    JointAttention,
}

/// How the frames of a clip become one feature (§3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Temporal {
    /// The class token of a transformer over time ("MTT").
    Transformer,
    /// Their mean.
    Mean,
}

/// Face encoders.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaceEncoderConfig {
    /// A transformer over patches of pixels, MAE-Face's.
    Patches {
        /// Side of a crop in pixels (§4.2: 112, 160 or 224).
        side_px: usize,
        /// Side of a patch in pixels.
        patch_px: usize,
    },
    /// Oriented gradients, which need no training, and a hidden layer before the blocks.
    Gradients {
        /// Side of a crop in pixels, a multiple of 8.
        side_px: usize,
        /// Hidden units.
        channels: usize,
    },
}

/// Voice encoders.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum VoiceEncoderConfig {
    /// A transformer over patches of log-mel frames, AudioMAE's.
    Patches {
        /// Sampling rate in hertz. AudioMAE was trained at 16 kHz; the released code takes the files' own rate.
        rate_hz: u32,
        /// Frames of 10 ms (released code: 512).
        n_frames: usize,
        /// Mel bins (released code: 128).
        n_bins: usize,
        /// Frames and bins of a patch.
        patch: usize,
    },
    /// Statistics of log-mel frames over time, and a hidden layer before the blocks.
    Statistics {
        /// Sampling rate in hertz.
        rate_hz: u32,
        /// Frames of 10 ms.
        n_frames: usize,
        /// Mel bins.
        n_bins: usize,
        /// Hidden units.
        channels: usize,
    },
}

impl MmaDferConfig {
    /// The published dimensions at 112 px: 7,519,519 trained parameters for seven classes.
    pub fn paper() -> Self {
        Self {
            n_frames: 16,
            width: 768,
            depth: 12,
            heads: 12,
            mlp_ratio: 4,
            drop_path: 0.1,
            prompts: Prompts::Progressive,
            prompt_update_every: 6,
            prompt_tokens_per_update: 3,
            fusion: Fusion::Bottleneck,
            latent: 128,
            temporal: Temporal::Transformer,
            temporal_dim: 512,
            temporal_depth: 1,
            temporal_heads: 8,
            temporal_head_width: 64,
            temporal_mlp: 1024,
            frozen_encoders: true,
            epochs: 25,
            learning_rate: 1e-4,
            weight_decay: 1e-2,
            keep: Keep::Last,
            keep_probability: 1.0,
            mae_face: PathBuf::new(),
            audiomae: PathBuf::new(),
            face: FaceEncoderConfig::Patches { side_px: 112, patch_px: 16 },
            voice: VoiceEncoderConfig::Patches { rate_hz: 16_000, n_frames: 512, n_bins: 128, patch: 16 },
        }
    }

    /// Trains in minutes on a laptop's CPU: two blocks behind encoders that need no pretraining, all of it trained.
    ///
    /// A modality is left out now and then, so that the model can do without it.
    pub fn tiny() -> Self {
        Self {
            n_frames: 16,
            width: 64,
            depth: 2,
            heads: 4,
            mlp_ratio: 2,
            drop_path: 0.0,
            prompts: Prompts::Progressive,
            prompt_update_every: 1,
            prompt_tokens_per_update: 2,
            fusion: Fusion::Bottleneck,
            latent: 16,
            temporal: Temporal::Transformer,
            temporal_dim: 64,
            temporal_depth: 1,
            temporal_heads: 4,
            temporal_head_width: 16,
            temporal_mlp: 128,
            frozen_encoders: false,
            epochs: 100,
            learning_rate: 1e-3,
            weight_decay: 1e-2,
            keep: Keep::LowestLoss,
            keep_probability: 0.5,
            mae_face: PathBuf::new(),
            audiomae: PathBuf::new(),
            face: FaceEncoderConfig::Gradients { side_px: 96, channels: 128 },
            voice: VoiceEncoderConfig::Statistics { rate_hz: 16_000, n_frames: 320, n_bins: 64, channels: 48 },
        }
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), ModelError> {
        let complain = |text: String| Err(ModelError::Config(text));
        let multiple = |name: &str, value: usize, of: usize| {
            if value == 0 || of == 0 || !value.is_multiple_of(of) {
                return complain(format!("{name} is {value}: it must be a multiple of {of}"));
            }
            Ok(())
        };
        if self.n_frames == 0 || self.depth == 0 || self.prompt_update_every == 0 {
            return complain("n_frames, depth and prompt_update_every must be at least 1".into());
        }
        multiple("width", self.width, self.heads)?;
        if self.prompts == Prompts::Progressive {
            multiple("depth", self.depth, self.prompt_update_every)?;
        }
        if matches!(self.fusion, Fusion::CrossAttention | Fusion::JointAttention) {
            multiple("latent", self.latent, super::fusion::ATTENTION_HEADS)?;
        }
        if self.latent == 0 || self.temporal_dim == 0 || self.temporal_heads * self.temporal_head_width == 0 {
            return complain("latent, temporal_dim, temporal_heads and temporal_head_width must be at least 1".into());
        }
        match self.face {
            FaceEncoderConfig::Patches { side_px, patch_px } => multiple("face.side_px", side_px, patch_px)?,
            FaceEncoderConfig::Gradients { side_px, .. } => multiple("face.side_px", side_px, 8)?,
        }
        match self.voice {
            VoiceEncoderConfig::Patches { n_frames, n_bins, patch, .. } => {
                multiple("voice.n_frames", n_frames, patch)?;
                multiple("voice.n_bins", n_bins, patch)?;
            }
            VoiceEncoderConfig::Statistics { n_frames, .. } => multiple("voice.n_frames", n_frames, 1)?,
        }
        check_unread("mae_face", &self.mae_face, matches!(self.face, FaceEncoderConfig::Patches { .. }))?;
        check_unread("audiomae", &self.audiomae, matches!(self.voice, VoiceEncoderConfig::Patches { .. }))?;
        check_share("drop_path", self.drop_path)?;
        check_probability("keep_probability", self.keep_probability)?;
        check_positive("learning_rate", self.learning_rate)?;
        check_not_negative("weight_decay", self.weight_decay)
    }

    /// Prompt tokens of an encoder.
    pub(crate) fn n_prompts(&self) -> usize {
        match self.prompts {
            Prompts::None => 0,
            Prompts::Static | Prompts::Progressive => {
                self.depth / self.prompt_update_every * self.prompt_tokens_per_update
            }
        }
    }

    pub(crate) fn blocks(&self) -> BlockSize {
        let Self { width, depth, heads, mlp_ratio, drop_path, .. } = *self;
        BlockSize { width, depth, heads, mlp_ratio, drop_path }
    }

    /// Sizes of an encoder over a grid of patches.
    pub(crate) fn patches(&self, channels: usize, patch: usize, grid: [usize; 2]) -> VitSize {
        VitSize { channels, patch, grid, n_prompts: self.n_prompts(), blocks: self.blocks() }
    }

    pub(crate) fn reader(&self) -> Reader {
        let (size_px, pixels) = match self.face {
            FaceEncoderConfig::Patches { side_px, .. } => (side_px, PixelScale::PLAIN),
            FaceEncoderConfig::Gradients { side_px, .. } => (side_px, PixelScale::PerFrame),
        };
        let (VoiceEncoderConfig::Patches { rate_hz, n_frames, n_bins, .. }
        | VoiceEncoderConfig::Statistics { rate_hz, n_frames, n_bins, .. }) = self.voice;
        Reader {
            inputs: Inputs {
                face: Some(FaceInput { n_frames: self.n_frames, size_px }),
                voice: Some(VoiceInput::LogMel { rate_hz, n_frames, n_bins }),
                text: None,
                features: Vec::new(),
            },
            pixels,
            n_buckets: 0,
            vocabulary: None,
            face_as_scene: false,
        }
    }

    pub(crate) fn stages(&self) -> Vec<StagePlan> {
        let drops = self.keep_probability < 1.0;
        vec![StagePlan {
            name: "adaptation".into(),
            number: 1,
            input: if drops { StageInput::RandomDrop { keep: self.keep_probability } } else { StageInput::All },
            n_epochs: self.epochs,
            learning_rate: self.learning_rate,
            optimization: Optimization {
                weight_decay: WeightDecay::Decoupled { rate: self.weight_decay },
                schedule: Schedule::Cosine,
                keep: self.keep,
                ..Optimization::default()
            },
            trains: if self.frozen_encoders {
                "prompts, positions, fusion, the temporal transformer and the classifier".into()
            } else {
                "everything".into()
            },
            starts_from: match (self.face, self.voice) {
                (FaceEncoderConfig::Patches { .. }, VoiceEncoderConfig::Patches { .. }) => {
                    "MAE-Face and AudioMAE".into()
                }
                (FaceEncoderConfig::Patches { .. }, _) => "MAE-Face".into(),
                (_, VoiceEncoderConfig::Patches { .. }) => "AudioMAE".into(),
                _ => "random values".into(),
            },
        }]
    }
}

/// What a setting is, for people.
pub(super) fn help(key: &str) -> Option<&'static str> {
    Some(match key {
        "n_frames" => "Frames per clip. Paper: 16.",
        "width" => "Width of both encoders. Published encoders: 768.",
        "depth" => "Blocks of both encoders. Published encoders: 12.",
        "heads" => "Heads of both encoders. Published encoders: 12.",
        "mlp_ratio" => "Hidden width of a block, in widths. Published encoders: 4.",
        "drop_path" => "How likely training leaves out the last block, those before in proportion. Released code: 0.1.",
        "prompts" => "Learned tokens beside the patches: none, static, progressive. Paper: progressive.",
        "prompt_update_every" => "Blocks between two updates of the prompts. Paper: 6.",
        "prompt_tokens_per_update" => "Prompt tokens that an update changes. Paper: 3.",
        "fusion" => {
            "What the encoders exchange: none, bottleneck, add, cross_attention, joint_attention. Paper: bottleneck."
        }
        "latent" => "Width of the fusion bottleneck. Paper: 128; also 64, 256 and 512.",
        "temporal" => "What sums the frames up: transformer or mean. Paper: transformer.",
        "temporal_dim" => "Width of the temporal transformer. Paper: 512.",
        "temporal_depth" => "Layers of the temporal transformer. Paper: 1.",
        "temporal_heads" => "Heads of the temporal transformer. Paper: 8.",
        "temporal_head_width" => "Width of one of its heads. Released code: 64.",
        "temporal_mlp" => "Hidden width of its feed-forward half. Released code: 1024.",
        "frozen_encoders" => "Whether the encoders stay as they were pretrained. Paper: true.",
        "epochs" => "Epochs; the learning rate reaches zero after the last one. Paper: 25.",
        "learning_rate" => "Learning rate of the first epoch. Paper: 0.0001.",
        "weight_decay" => "AdamW's weight decay. Paper: 0.01.",
        "keep" => "Which epoch's model is kept: lowest_loss (on the validation split) or last. Paper: last.",
        "keep_probability" => "How likely training keeps each modality of a clip. Paper: 1.",
        "mae_face" => "File with MAE-Face's weights, mae_face_pretrain_vit_base.pth.",
        "audiomae" => "File with AudioMAE's weights, pretrained.pth.",
        "face.side_px" => "Side of a face crop in pixels. Paper: 112, 160 or 224.",
        "face.patch_px" => "Side of a patch in pixels. MAE-Face: 16.",
        "voice.rate_hz" => "Sampling rate of the voice in hertz. AudioMAE: 16000.",
        "voice.n_frames" => "Log-mel frames of 10 ms per clip. Released code: 512.",
        "voice.n_bins" => "Mel bins. AudioMAE: 128.",
        "voice.patch" => "Frames and mel bins of a patch. AudioMAE: 16.",
        _ => return None,
    })
}

//! What a UMBEnet is built from, its presets and its training plan.

use std::path::PathBuf;

use emotion::{FaceInput, Inputs, Modality, TextInput, VoiceInput};
use serde::{Deserialize, Serialize};

use super::POSITIONS;
use crate::batch::PixelScale;
use crate::encoders::audio_cnn::AudioCnnSize;
use crate::encoders::clip::{self, ClipSize, ImageTowerSize, TextTowerSize};
use crate::settings::{check_not_negative, check_positive, check_probability, check_share, check_unread};
use crate::{Idle, ModelError, Optimization, Reader, StageInput, StagePlan};

/// Everything that the shape, the loss and the training plan of a UMBEnet depend on.
///
/// Symbols in brackets are those of the paper; a default that the paper does not give is marked as a choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UmbenetConfig {
    /// Joint width D.
    pub embed_dim: usize,
    /// Frames per clip T (choice: 16).
    pub n_frames: usize,
    /// Blocks of each of the two fusion transformers.
    pub fusion_layers: usize,
    /// Heads of the two fusion transformers.
    pub fusion_heads: usize,
    /// Prompts in the pool N (§4.3: 32).
    pub pool_size: usize,
    /// Prompts that a sample activates k (§4.3: 5).
    pub top_k: usize,
    /// Tokens of a pool prompt; the paper's prompt length is the sum of this and the next (§4.3: 64).
    pub selected_tokens: usize,
    /// Tokens of the inherent prompt.
    pub inherent_tokens: usize,
    /// Hidden width of the sparse gate (choice: an eighth to a sixteenth of the token width); 0 is the released code's
    /// gate of one layer.
    pub gate_width: usize,
    /// Weight of the gate's L1 term (eq. 13; choice: 0.01, as in the released code).
    pub l1: f64,
    /// Weight of the term that pulls keys towards the features that chose them (choice: 0.5); 0 leaves the keys as they
    /// are, as in the released code.
    pub pull: f64,
    /// Part of a label that is spread over all classes (Szegedy et al. 2016); 0 in the paper.
    #[serde(default)]
    pub label_smoothing: f64,
    /// Whether the mean feature of a batch chooses the prompts of all its samples, as in the released code. A
    /// prediction then depends on what else is in the batch.
    #[serde(default)]
    pub batch_selection: bool,
    /// Whether an LSTM lets each frame's face and scene exchange what they show, as in the released code.
    #[serde(default)]
    pub lstm: bool,
    /// Factor between cosines and logits; CLIP's is 100.
    pub logit_scale: f64,
    /// Standard deviation of fresh position tables; PyTorch's embeddings have 1.
    pub position_deviation: f64,
    /// Epochs of each stage-1 run at most.
    pub unimodal_epochs: usize,
    /// Epochs of stage 2 at most.
    pub joint_epochs: usize,
    /// Initial learning rate of every stage (§4.1: 0.002).
    pub learning_rate: f64,
    /// Stage 2 starts with this part of it; 1 in the paper.
    #[serde(default = "one")]
    pub joint_rate: f64,
    /// Probability that stage 2 keeps a modality of a sample (choice: 0.5).
    pub keep_probability: f64,
    /// `two_stage` false trains the joint pool alone, as in the paper's ablation.
    pub two_stage: bool,
    /// Whether the class-prompt tower and the class names stay as they are; pretrained towers do.
    pub frozen_prompt_tower: bool,
    /// What is fused, in the order of the rows of the position table.
    #[serde(default = "Token::paper")]
    pub tokens: Vec<Token>,
    /// Position of the end token of each class's prompt; empty: the last position.
    pub class_ends: Vec<usize>,
    /// File with the weights of the CLIP whose towers read frames and class prompts, under OpenAI's or Hugging Face's
    /// names; needed to train with it.
    #[serde(default)]
    pub clip: PathBuf,
    /// The same for the CLIP whose text tower reads captions.
    #[serde(default)]
    pub caption_clip: PathBuf,
    /// File with CLIP's vocabulary, `bpe_simple_vocab_16e6.txt.gz`; needed to read captions and names of classes by its
    /// towers.
    #[serde(default)]
    pub vocabulary: PathBuf,
    /// Class-prompt tower (width W, context L).
    pub prompt_tower: TextTowerSize,
    /// Face encoder.
    pub face: FaceEncoderConfig,
    /// Voice encoder.
    pub voice: VoiceEncoderConfig,
    /// Caption encoder.
    pub text: TextEncoderConfig,
}

fn one() -> f64 {
    1.0
}

/// What the fusion transformer takes of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Token {
    /// The faces, over time.
    Face,
    /// Speech.
    Voice,
    /// Words.
    Text,
    /// The mean of what the frames show besides the face.
    Scene,
}

impl Token {
    /// The paper's three, in the order V, A, T.
    pub fn paper() -> Vec<Self> {
        vec![Self::Face, Self::Voice, Self::Text]
    }

    /// The released code's four.
    pub fn released() -> Vec<Self> {
        vec![Self::Face, Self::Scene, Self::Text, Self::Voice]
    }
}

/// Face encoders.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaceEncoderConfig {
    /// CLIP's image tower, frozen.
    Clip {
        /// Its sizes.
        tower: ImageTowerSize,
    },
    /// Small, trained along.
    Tiny {
        /// Side of a crop in pixels.
        side_px: usize,
        /// Hidden units.
        channels: usize,
    },
}

/// Voice encoders.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum VoiceEncoderConfig {
    /// Convolutions over the waveform.
    Cnn {
        /// Sampling rate in hertz.
        rate_hz: u32,
        /// Its sizes.
        cnn: AudioCnnSize,
    },
    /// Small, over log-mel frames.
    Tiny {
        /// Sampling rate in hertz.
        rate_hz: u32,
        /// Frames of 10 ms, a multiple of 8.
        n_frames: usize,
        /// Mel bins.
        n_bins: usize,
        /// Channels.
        channels: usize,
    },
}

/// Caption encoders.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TextEncoderConfig {
    /// CLIP's text tower, frozen, and a projection.
    Clip {
        /// Its sizes.
        tower: TextTowerSize,
        /// Number of tokens.
        vocabulary: usize,
    },
    /// The tower of the class prompts, frozen, and a projection.
    Shared {
        /// Number of tokens.
        vocabulary: usize,
    },
    /// Small, over hashed words.
    Tiny {
        /// Size of the table.
        n_buckets: usize,
        /// Width of a word.
        channels: usize,
        /// Words at most.
        max_tokens: usize,
    },
}

impl UmbenetConfig {
    /// Trains in a minute or two on a laptop's CPU: small encoders, larger for faces than for voice and text.
    ///
    /// The rate, the temperature and the pull are lower than in the paper mode: they were chosen for encoders that
    /// start from nothing.
    pub fn tiny() -> Self {
        Self {
            embed_dim: 64,
            n_frames: 16,
            fusion_layers: 1,
            fusion_heads: 8,
            pool_size: 18,
            top_k: 3,
            selected_tokens: 4,
            inherent_tokens: 4,
            gate_width: 8,
            l1: 0.001,
            pull: 0.1,
            label_smoothing: 0.1,
            batch_selection: false,
            lstm: false,
            logit_scale: 16.0,
            position_deviation: 0.1,
            unimodal_epochs: 40,
            joint_epochs: 48,
            learning_rate: 0.001,
            joint_rate: 0.5,
            keep_probability: 0.5,
            two_stage: true,
            frozen_prompt_tower: false,
            tokens: Token::paper(),
            class_ends: Vec::new(),
            clip: PathBuf::new(),
            caption_clip: PathBuf::new(),
            vocabulary: PathBuf::new(),
            prompt_tower: TextTowerSize { context: 10, width: 64, n_layers: 1, head_width: 16, out: 64 },
            face: FaceEncoderConfig::Tiny { side_px: 96, channels: 128 },
            voice: VoiceEncoderConfig::Tiny { rate_hz: 16_000, n_frames: 320, n_bins: 64, channels: 48 },
            text: TextEncoderConfig::Tiny { n_buckets: 2048, channels: 16, max_tokens: 32 },
        }
    }

    /// The paper's sizes with CLIP's towers for images and class prompts; captions go through ViT-B/32's text tower, as
    /// in the released code.
    ///
    /// The paper names neither the towers, nor the frames, nor the front end of the sound: those are the released
    /// code's.
    pub fn paper(towers: ClipSize) -> Self {
        let width = towers.image.out;
        Self {
            embed_dim: width,
            n_frames: 16,
            fusion_layers: 12,
            fusion_heads: 8,
            pool_size: 32,
            top_k: 5,
            selected_tokens: 32,
            inherent_tokens: 32,
            gate_width: width / 16,
            l1: 0.01,
            pull: 0.5,
            label_smoothing: 0.0,
            batch_selection: false,
            lstm: false,
            logit_scale: 100.0,
            position_deviation: 1.0,
            unimodal_epochs: 30,
            joint_epochs: 30,
            learning_rate: 0.002,
            joint_rate: 1.0,
            keep_probability: 0.5,
            two_stage: true,
            frozen_prompt_tower: true,
            tokens: Token::paper(),
            class_ends: Vec::new(),
            clip: PathBuf::new(),
            caption_clip: PathBuf::new(),
            vocabulary: PathBuf::new(),
            prompt_tower: towers.text,
            face: FaceEncoderConfig::Clip { tower: towers.image },
            voice: VoiceEncoderConfig::Cnn {
                rate_hz: 22_050,
                cnn: AudioCnnSize {
                    n_samples: 110_250,
                    channels: [16, 32, 64, 128, 256, 512],
                    hidden: 1536,
                    out: width,
                },
            },
            text: TextEncoderConfig::Clip { tower: ClipSize::VIT_B_32.text, vocabulary: ClipSize::VIT_B_32.vocabulary },
        }
    }

    /// What the released code computes, with ViT-L/14 (`model_unimod_mafw_vat_64_32_5.py`), in one stage.
    pub fn official_compat() -> Self {
        Self {
            gate_width: 0,
            pull: 0.0,
            batch_selection: true,
            lstm: true,
            tokens: Token::released(),
            learning_rate: 2e-4,
            two_stage: false,
            ..Self::paper(ClipSize::VIT_L_14)
        }
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), ModelError> {
        let complain = |text: String| Err(ModelError::Config(text));
        if self.top_k == 0 || self.top_k > self.pool_size {
            return complain(format!("top_k is {}: it must be 1 to pool_size, {}", self.top_k, self.pool_size));
        }
        if self.two_stage && self.top_k > self.pool_size / 3 {
            return complain(format!(
                "top_k {} is more than a third of pool_size {}: each stage-1 pool has a third of the prompts",
                self.top_k, self.pool_size
            ));
        }
        if !self.embed_dim.is_multiple_of(self.fusion_heads) || self.fusion_heads == 0 {
            return complain(format!(
                "embed_dim {} is not a multiple of fusion_heads {}",
                self.embed_dim, self.fusion_heads
            ));
        }
        if !(1..=POSITIONS).contains(&self.n_frames) {
            let n_frames = self.n_frames;
            return complain(format!("n_frames is {n_frames}: the position table has room for 1 to {POSITIONS}"));
        }
        if self.embed_dim != self.prompt_tower.out {
            return complain(format!(
                "embed_dim {} and prompt_tower.out {} differ",
                self.embed_dim, self.prompt_tower.out
            ));
        }
        if self.frozen_prompt_tower != matches!(self.face, FaceEncoderConfig::Clip { .. }) {
            return complain("frozen_prompt_tower goes with the face encoder of CLIP, and only with it".into());
        }
        if matches!(self.text, TextEncoderConfig::Shared { .. }) && !self.frozen_prompt_tower {
            return complain("captions share the tower of the class prompts only where it is CLIP's".into());
        }
        if !self.prompt_tower.width.is_multiple_of(self.prompt_tower.head_width) {
            return complain("prompt_tower.width must be a multiple of prompt_tower.head_width".into());
        }
        let used = 2 + self.selected_tokens + self.inherent_tokens;
        if used > self.prompt_tower.context {
            return complain(format!(
                "{used} prompt tokens do not fit into a context of {}",
                self.prompt_tower.context
            ));
        }
        if let Some(token) = Token::paper().into_iter().find(|token| !self.tokens.contains(token)) {
            return complain(format!("tokens lack {token:?}"));
        }
        if self.tokens.len() > Token::paper().len() + usize::from(self.has_scene()) {
            return complain("tokens name one of them twice".into());
        }
        if self.lstm && !self.has_scene() {
            return complain("lstm mixes face and scene: tokens must have the scene".into());
        }
        if let FaceEncoderConfig::Tiny { side_px, .. } = self.face
            && (!side_px.is_multiple_of(8) || side_px == 0)
        {
            return complain(format!("face.side_px is {side_px}: it must be a multiple of 8"));
        }
        if let VoiceEncoderConfig::Tiny { n_frames, .. } = self.voice
            && (!n_frames.is_multiple_of(8) || n_frames == 0)
        {
            return complain(format!("voice.n_frames is {n_frames}: it must be a multiple of 8"));
        }
        if let VoiceEncoderConfig::Cnn { cnn, .. } = self.voice
            && cnn.n_positions().is_none()
        {
            return complain(format!("voice.cnn.n_samples is {}: too few for six convolutions", cnn.n_samples));
        }
        if let TextEncoderConfig::Tiny { n_buckets, .. } = self.text
            && n_buckets < 3
        {
            return complain(format!("text.n_buckets is {n_buckets}: it must be at least 3"));
        }
        check_unread("clip", &self.clip, matches!(self.face, FaceEncoderConfig::Clip { .. }))?;
        check_unread("caption_clip", &self.caption_clip, matches!(self.text, TextEncoderConfig::Clip { .. }))?;
        check_not_negative("l1", self.l1)?;
        check_not_negative("pull", self.pull)?;
        check_not_negative("position_deviation", self.position_deviation)?;
        check_positive("logit_scale", self.logit_scale)?;
        check_probability("keep_probability", self.keep_probability)?;
        check_probability("joint_rate", self.joint_rate)?;
        check_share("label_smoothing", self.label_smoothing)?;
        check_positive("learning_rate", self.learning_rate)
    }

    /// Whether the frames' surroundings are fused too.
    pub fn has_scene(&self) -> bool {
        self.tokens.contains(&Token::Scene)
    }

    /// Tokens left for a class's name.
    pub(crate) fn suffix_tokens(&self) -> usize {
        self.prompt_tower.context - 1 - self.selected_tokens - self.inherent_tokens
    }

    /// Position of the end token of class `class`.
    pub(crate) fn class_end(&self, class: usize) -> usize {
        self.class_ends.get(class).copied().unwrap_or(self.prompt_tower.context - 1)
    }

    pub(crate) fn reader(&self) -> Reader {
        let (side_px, pixels) = match self.face {
            FaceEncoderConfig::Clip { tower } => (tower.side_px, clip::PIXELS),
            FaceEncoderConfig::Tiny { side_px, .. } => (side_px, PixelScale::PerFrame),
        };
        let voice = match self.voice {
            VoiceEncoderConfig::Cnn { rate_hz, cnn } => VoiceInput::Waveform { rate_hz, n_samples: cnn.n_samples },
            VoiceEncoderConfig::Tiny { rate_hz, n_frames, n_bins, .. } => {
                VoiceInput::LogMel { rate_hz, n_frames, n_bins }
            }
        };
        let (max_tokens, n_buckets) = match self.text {
            TextEncoderConfig::Clip { tower, vocabulary } => (tower.context, vocabulary),
            TextEncoderConfig::Shared { vocabulary } => (self.prompt_tower.context, vocabulary),
            TextEncoderConfig::Tiny { n_buckets, max_tokens, .. } => (max_tokens, n_buckets),
        };
        Reader {
            inputs: Inputs {
                face: Some(FaceInput { n_frames: self.n_frames, size_px: side_px }),
                voice: Some(voice),
                text: Some(TextInput { max_tokens }),
                features: Vec::new(),
            },
            pixels,
            n_buckets,
            vocabulary: (!matches!(self.text, TextEncoderConfig::Tiny { .. })).then(|| self.vocabulary.clone()),
            face_as_scene: self.has_scene(),
        }
    }

    pub(crate) fn stages(&self) -> Vec<StagePlan> {
        let unimodal = |modality: Modality| StagePlan {
            name: format!("{} prompts", modality.name()),
            number: 1,
            input: StageInput::Only { modality },
            n_epochs: self.unimodal_epochs,
            learning_rate: self.learning_rate,
            optimization: Optimization::default(),
            trains: format!("the {} encoder, the fusion and a pool of its own", modality.name()),
            starts_from: "the same initial values for every modality".into(),
        };
        let joint = StagePlan {
            name: "joint prompts".into(),
            number: if self.two_stage { 2 } else { 1 },
            input: StageInput::RandomDrop { keep: self.keep_probability },
            n_epochs: self.joint_epochs,
            learning_rate: if self.two_stage { self.joint_rate } else { 1.0 } * self.learning_rate,
            // A modality that all clips of a batch lack is one whose token is multiplied by zero.
            optimization: Optimization { idle: Idle::MovesOn, ..Optimization::default() },
            trains: "everything, with modalities missing at random".into(),
            starts_from: if self.two_stage {
                "the prompts that stage 1 activated, each encoder from its own run, the rest averaged".into()
            } else {
                "random values".into()
            },
        };
        if self.two_stage { Modality::ALL.into_iter().map(unimodal).chain([joint]).collect() } else { vec![joint] }
    }
}

/// What a setting is, for people.
pub(super) fn help(key: &str) -> Option<&'static str> {
    Some(match key {
        "learning_rate" => "Initial learning rate of every stage. Paper: 0.002.",
        "unimodal_epochs" => "Epochs of each stage-1 run, at most.",
        "joint_epochs" => "Epochs of stage 2, at most.",
        "pool_size" => "Prompts in the pool. Paper: 32.",
        "top_k" => "Prompts that a clip activates. Paper: 5.",
        "selected_tokens" => "Tokens of a pool prompt. Paper: 32, half of its prompt length of 64.",
        "inherent_tokens" => "Tokens of the inherent prompt. Paper: 32, half of its prompt length of 64.",
        "l1" => "Weight of the sparse gate's L1 term. Released code: 0.01.",
        "pull" => "Weight of the term that pulls keys towards features.",
        "keep_probability" => "How likely stage 2 keeps each modality of a clip.",
        "two_stage" => "Off trains the joint pool alone, as in the paper's ablation.",
        "joint_rate" => "Stage 2 starts with this part of the learning rate; the paper's with all of it.",
        "label_smoothing" => "Part of a label that is spread over all classes; the paper has none.",
        "logit_scale" => "Factor between cosines and logits. CLIP's: 100.",
        "n_frames" => "Frames per clip. Released code: 16.",
        "embed_dim" => "Width of the joint feature. Paper mode: 768.",
        "fusion_layers" => "Blocks of each fusion transformer. Released code: 12.",
        "fusion_heads" => "Heads of each fusion transformer. Released code: 8.",
        "gate_width" => "Hidden width of the sparse gate.",
        "batch_selection" => "Whether the mean of a batch chooses the prompts of all its clips. Released code: true.",
        "lstm" => "Whether each frame's face and scene pass an LSTM together. Released code: true.",
        "clip" => "File with the weights of CLIP, as safetensors, under OpenAI's or Hugging Face's names.",
        "caption_clip" => "File with the weights of the CLIP whose text tower reads captions: ViT-B/32.",
        "vocabulary" => "File with CLIP's vocabulary, bpe_simple_vocab_16e6.txt.gz.",
        "face.side_px" => "Side of a face crop in pixels.",
        "voice.rate_hz" => "Sampling rate of the voice in hertz.",
        "voice.n_frames" => "Log-mel frames of 10 ms per clip.",
        "voice.n_bins" => "Mel bins.",
        _ => return None,
    })
}

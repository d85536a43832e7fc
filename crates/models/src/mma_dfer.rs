//! MMA-DFER (Chumachenko, Iosifidis & Gabbouj 2024, "MultiModal Adaptation of unimodal models for Dynamic Facial
//! Expression Recognition in-the-wild").
//!
//! Two frozen encoders, MAE-Face for frames and AudioMAE for speech, learn from prompts and from each other through
//! fusion bottlenecks; a temporal transformer sums the frames up. Follows the paper and, where it is silent, the
//! released code. The ablations of the paper's tables 3, 4, 6 and 7 are settings. Left out: the intermediate temporal
//! adapters of table 2.
//!
//! The released code needs both modalities of every clip. Here a clip may lack one: nothing is added from it, and a
//! clip without a face is summed up from its voice alone.

mod checkpoint;
mod config;
mod fusion;
mod temporal;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use emotion::{LabelSet, Modality};

pub(crate) use checkpoint::prefix;
pub use checkpoint::{RENAMES, import_trained, trained_spelling};
pub use config::{FaceEncoderConfig, Fusion, MmaDferConfig, Prompts, Temporal, VoiceEncoderConfig};
pub use fusion::{Attention, Bottleneck, CrossAttention, Exchange, FusionLayer, JointAttention, MeanToken, Tokens};
pub use temporal::{TemporalLayer, TemporalTransformer};

use crate::batch::{FaceBatch, VoiceBatch};
use crate::encoders::tiny::{FaceNet, VoiceNet};
use crate::encoders::vit::{Block, Stem, Vit, VitSize};
use crate::layers::rows::rows_for;
use crate::layers::transformer::{key_mask, masked_mean, unit_rows};
use crate::released::only;
use crate::{
    About, AttributeLoss, Augmentation, Batch, Config, EmotionModel, FinishedStage, Init, Loss, ModelError, Outlook,
    Reader, Rename, StagePlan, Target, TrainingBatches,
};

/// Channels of a face frame and of a spectrogram.
const RGB: usize = 3;
const MONO: usize = 1;

/// What is said of MMA-DFER.
pub const ABOUT: About = About {
    name: "mma-dfer",
    title: "MMA-DFER",
    paper: "Chumachenko, Iosifidis & Gabbouj, MMA-DFER: MultiModal Adaptation of unimodal models for Dynamic Facial \
            Expression Recognition in-the-wild, 2024",
    presets: &[
        ("tiny", || Config::MmaDfer(MmaDferConfig::tiny())),
        ("paper", || Config::MmaDfer(MmaDferConfig::paper())),
    ],
    help: config::help,
};

/// The model.
#[derive(Module, Debug)]
pub struct MmaDfer {
    /// Frames to tokens.
    pub face: Vit,
    /// Log-mel frames to tokens.
    pub voice: Vit,
    /// Learned tokens of the face encoder.
    pub face_prompts: PromptTokens,
    /// Learned tokens of the voice encoder.
    pub voice_prompts: PromptTokens,
    /// After each block; empty without fusion.
    pub fusion: Vec<FusionLayer>,
    /// From the sum of both class tokens to a frame's joint feature (§3.4, joint adaptation module).
    pub joint: Linear,
    /// Over the frames; `None` takes their mean.
    pub temporal: Option<TemporalTransformer>,
    /// Features to classes.
    pub classifier: Linear,
    prompt_update_every: usize,
}

/// Learned tokens of an encoder (§3.2).
#[derive(Module, Debug)]
pub struct PromptTokens {
    /// What stands after the patches, `[prompts, width]`.
    pub initial: Option<Param<Tensor<2>>>,
    /// What is added to some of them on the way, `[prompts of an update, width]` each (eq. 1).
    pub updates: Vec<Param<Tensor<2>>>,
}

impl PromptTokens {
    fn new(config: &MmaDferConfig, init: &mut Init<'_>) -> Self {
        let width = config.width;
        let deviation = (width as f64).powf(-0.5);
        let n_updates = match config.prompts {
            Prompts::None | Prompts::Static => 0,
            Prompts::Progressive => config.depth / config.prompt_update_every,
        };
        let n_prompts = config.n_prompts();
        Self {
            initial: (n_prompts > 0).then(|| init.normal([n_prompts, width], deviation)),
            updates: (0..n_updates).map(|_| init.normal([config.prompt_tokens_per_update, width], deviation)).collect(),
        }
    }

    fn tokens(&self) -> Option<Tensor<2>> {
        self.initial.as_ref().map(Param::val)
    }

    /// Adds update `idx` to its part of the prompts, which stand last in `x`, `[batch, tokens, width]`.
    fn updated(&self, x: Tensor<3>, idx: usize) -> Tensor<3> {
        let (Some(update), Some(initial)) = (self.updates.get(idx), &self.initial) else { return x };
        let ([_, n_tokens, _], [n_prompts, _], [n, _]) = (x.dims(), initial.dims(), update.dims());
        let start = n_tokens - n_prompts + idx * n;
        let end = start + n;
        let mut parts = vec![x.clone().narrow(1, 0, start), x.clone().narrow(1, start, n) + update.val().unsqueeze()];
        if end < n_tokens {
            parts.push(x.narrow(1, end, n_tokens - end));
        }
        Tensor::cat(parts, 1)
    }
}

/// The class tokens of the clips that have them.
#[derive(Debug, Clone)]
pub struct ClassTokens {
    /// Of every frame, `[clips with a face, frames, width]`.
    pub face: Option<Tensor<3>>,
    /// `[clips with a voice, width]`
    pub voice: Option<Tensor<2>>,
}

impl MmaDfer {
    /// A model with random values for `n_classes` classes.
    pub fn new(config: &MmaDferConfig, n_classes: usize, init: &mut Init<'_>) -> Self {
        let (blocks, n_prompts) = (config.blocks(), config.n_prompts());
        let face = match config.face {
            FaceEncoderConfig::Patches { side_px, patch_px } => {
                Vit::new(config.patches(RGB, patch_px, [side_px / patch_px; 2]), init)
            }
            FaceEncoderConfig::Gradients { side_px, channels } => {
                let net = FaceNet::new(side_px, channels, config.width, init);
                Vit::with_stem(Stem::Face(net), [0, 0], n_prompts, blocks, init)
            }
        };
        let voice = match config.voice {
            VoiceEncoderConfig::Patches { n_frames, n_bins, patch, .. } => {
                Vit::new(config.patches(MONO, patch, [n_frames / patch, n_bins / patch]), init)
            }
            VoiceEncoderConfig::Statistics { channels, .. } => {
                let net = VoiceNet::new(channels, config.width, init);
                Vit::with_stem(Stem::Voice(net), [0, 0], n_prompts, blocks, init)
            }
        };
        Self {
            face,
            voice,
            face_prompts: PromptTokens::new(config, init),
            voice_prompts: PromptTokens::new(config, init),
            fusion: (0..config.depth).filter_map(|_| FusionLayer::new(config, init)).collect(),
            joint: init.linear(config.width, config.temporal_dim),
            temporal: (config.temporal == Temporal::Transformer).then(|| TemporalTransformer::new(config, init)),
            classifier: init.linear(config.temporal_dim, n_classes),
            prompt_update_every: config.prompt_update_every,
        }
        .freeze_pretrained(config)
    }

    /// Turns gradients off for what the paper keeps as it is: the encoders without their positions.
    #[must_use]
    pub fn freeze_pretrained(mut self, config: &MmaDferConfig) -> Self {
        if config.frozen_encoders {
            self.face = self.face.freeze_pretrained();
            self.voice = self.voice.freeze_pretrained();
        }
        self
    }

    /// Number of blocks of each encoder.
    pub fn depth(&self) -> usize {
        self.face.blocks.len()
    }

    /// The tokens before the first block.
    pub fn embed(&self, face: Option<&FaceBatch>, voice: Option<&VoiceBatch>, n_clips: usize) -> Tokens {
        let face_tokens = face.map(|face| {
            let [n, n_frames, channels, height, width] = face.frames.dims();
            let images = face.frames.clone().reshape([n * n_frames, channels, height, width]);
            self.face.embed(images, None, self.face_prompts.tokens())
        });
        let voice_tokens = voice.map(|voice| {
            let mel = voice.values.clone().unsqueeze_dim::<4>(1);
            self.voice.embed(mel, Some(&voice.valid), self.voice_prompts.tokens())
        });
        Tokens {
            face: face_tokens,
            voice: voice_tokens,
            face_rows: face.map_or_else(Vec::new, |face| face.rows.clone()),
            voice_rows: voice.map_or_else(Vec::new, |voice| voice.rows.clone()),
            n_clips,
        }
    }

    /// Block `idx` of each encoder, before they exchange anything.
    pub fn encode(&self, idx: usize, tokens: Tokens) -> Tokens {
        let step = |block: &Block, x: Option<Tensor<3>>| x.map(|x| block.forward(x));
        Tokens {
            face: step(&self.face.blocks[idx], tokens.face),
            voice: step(&self.voice.blocks[idx], tokens.voice),
            ..tokens
        }
    }

    /// What follows block `idx`: the exchange, then the prompts' update.
    pub fn exchange(&self, idx: usize, tokens: Tokens) -> Tokens {
        let tokens = match self.fusion.get(idx) {
            Some(layer) => layer.forward(tokens),
            None => tokens,
        };
        if !idx.is_multiple_of(self.prompt_update_every) {
            return tokens;
        }
        let update = idx / self.prompt_update_every;
        Tokens {
            face: tokens.face.map(|x| self.face_prompts.updated(x, update)),
            voice: tokens.voice.map(|x| self.voice_prompts.updated(x, update)),
            ..tokens
        }
    }

    /// The class tokens after the last block.
    pub fn class_tokens(&self, tokens: &Tokens) -> ClassTokens {
        ClassTokens {
            face: tokens.face.clone().map(|x| {
                let [images, _, width] = x.dims();
                let n = tokens.face_rows.len();
                self.face.class_token(x).reshape([n, images / n, width])
            }),
            voice: tokens.voice.clone().map(|x| self.voice.class_token(x)),
        }
    }

    /// The joint features of the frames of all clips, with who is there.
    ///
    /// - output `[clips, frames, width]` and `[clips, frames]` of 0 and 1; a clip without a face has one frame, its
    ///   voice
    pub fn joint_features(&self, tokens: &Tokens, classes: &ClassTokens) -> (Tensor<3>, Tensor<2>) {
        let all: Vec<usize> = (0..tokens.n_clips).collect();
        let voice = classes.voice.clone().map(|voice| rows_for(voice, &tokens.voice_rows, &all).unsqueeze_dim::<3>(1));
        let Some(face) = classes.face.clone() else {
            let voice = voice.expect("a batch has a face or a voice");
            let present = Tensor::ones([all.len(), 1], &voice.device());
            return (self.joint.forward(voice), present);
        };
        let [n, n_frames, _] = face.dims();
        let device = face.device();
        let mut sum = rows_for(face, &tokens.face_rows, &all);
        if let Some(voice) = voice {
            sum = sum + voice;
        }
        let with_face = rows_for(Tensor::<2>::ones([n, n_frames], &device), &tokens.face_rows, &all);
        let first = Tensor::cat(vec![Tensor::<2>::ones([1, 1], &device), Tensor::zeros([1, n_frames - 1], &device)], 1);
        let present = with_face.max_pair(first.expand([all.len(), n_frames]));
        (self.joint.forward(sum), present)
    }

    /// The features that the classifier reads, `[clips, width]`, of what [`Self::joint_features`] yields.
    pub fn summary(&self, joint: Tensor<3>, present: &Tensor<2>) -> Tensor<2> {
        let [n, n_frames, _] = joint.dims();
        let Some(temporal) = &self.temporal else { return masked_mean(joint, present) };
        let class = Tensor::ones([n, 1], &joint.device());
        let mask = key_mask(&Tensor::cat(vec![class, present.clone()], 1));
        debug_assert_eq!(mask.dims(), [n, 1 + n_frames, 1 + n_frames]);
        temporal.forward(joint, Some(&mask))
    }

    /// The class tokens and the features of a batch.
    fn run(&self, batch: &Batch) -> (Tokens, ClassTokens, Tensor<2>) {
        let [n_clips, _] = batch.present.dims();
        let tokens = self.embed(batch.face.as_ref(), batch.voice.as_ref(), n_clips);
        let tokens = (0..self.depth()).fold(tokens, |tokens, idx| self.exchange(idx, self.encode(idx, tokens)));
        let classes = self.class_tokens(&tokens);
        let (joint, present) = self.joint_features(&tokens, &classes);
        let features = self.summary(joint, &present);
        (tokens, classes, features)
    }
}

impl EmotionModel for MmaDfer {
    type Config = MmaDferConfig;

    const RENAMES: &'static [Rename] = RENAMES;

    fn check(config: &MmaDferConfig) -> Result<(), ModelError> {
        config.check()
    }

    fn build(config: &MmaDferConfig, n_classes: usize, init: &mut Init<'_>) -> Self {
        Self::new(config, n_classes, init)
    }

    fn reader(config: &MmaDferConfig) -> Reader {
        config.reader()
    }

    fn stages(config: &MmaDferConfig) -> Vec<StagePlan> {
        config.stages()
    }

    fn start_stage(
        config: &MmaDferConfig,
        labels: &LabelSet,
        _stage: usize,
        seed: u64,
        _finished: &[FinishedStage<Self>],
        device: &Device,
    ) -> Result<Self, ModelError> {
        let mut init = Init::new(seed, device);
        let mut model = Self::new(config, labels.len(), &mut init);
        if let FaceEncoderConfig::Patches { patch_px: patch, .. } = config.face {
            let published = VitSize { patch, blocks: config.blocks(), ..VitSize::MAE_FACE };
            checkpoint::load_encoder(&mut model.face, published, ("mae_face", &config.mae_face), &mut init)?;
        }
        if let VoiceEncoderConfig::Patches { patch, .. } = config.voice {
            let published = VitSize { patch, blocks: config.blocks(), ..VitSize::AUDIO_MAE };
            checkpoint::load_encoder(&mut model.voice, published, ("audiomae", &config.audiomae), &mut init)?;
        }
        Ok(model.freeze_pretrained(config))
    }

    fn calibrate<E: From<ModelError>>(&mut self, training: impl TrainingBatches<E>) -> Result<(), E> {
        let Stem::Voice(net) = &mut self.voice.patch_embed else { return Ok(()) };
        net.calibrate(|each| {
            training(Modality::Voice, &mut |batch| match &batch.voice {
                Some(voice) => each(voice.values.clone(), &voice.valid),
                None => Ok(()),
            })
        })
    }

    fn augmentation(config: &MmaDferConfig) -> Augmentation {
        match config.face {
            FaceEncoderConfig::Patches { .. } => Augmentation::RandomCrops,
            // Gradients in cells make little of a part of a face.
            FaceEncoderConfig::Gradients { .. } => Augmentation::Gentle,
        }
    }

    fn import_released(&mut self, _config: &MmaDferConfig, files: &[PathBuf]) -> Result<(), ModelError> {
        import_trained(self, only(files)?)
    }

    fn config_at(config: &MmaDferConfig, _stage: usize) -> Config {
        // The encoders are part of the kept model; where their files were is nobody's business.
        Config::MmaDfer(MmaDferConfig { mae_face: PathBuf::new(), audiomae: PathBuf::new(), ..config.clone() })
    }

    fn forward(&self, _config: &MmaDferConfig, batch: &Batch) -> Result<Outlook, ModelError> {
        let (tokens, classes, features) = self.run(batch);
        let all: Vec<usize> = (0..tokens.n_clips).collect();
        let [_, _, width] = self.face.cls_token.dims();
        let absent = || Tensor::<2>::zeros([tokens.n_clips, width], &features.device());
        let face = classes.face.map(|face| rows_for(face.mean_dim(1).squeeze_dim::<2>(1), &tokens.face_rows, &all));
        let voice = classes.voice.map(|voice| rows_for(voice, &tokens.voice_rows, &all));
        let parts = [face, voice, None].map(|part| part.unwrap_or_else(absent));
        Ok(Outlook {
            logits: self.classifier.forward(features.clone()),
            tokens: Tensor::stack(parts.to_vec(), 1),
            fused: unit_rows(features),
            selection: None,
            auxiliary: Vec::new(),
        })
    }

    fn loss(&self, _config: &MmaDferConfig, outlook: &Outlook, target: impl Into<Target>) -> Loss {
        let classes = Target::from(target.into().into_classes());
        Loss::sum(vec![(classes.name(), classes.loss(outlook.logits.clone(), AttributeLoss::Absolute))])
    }
}

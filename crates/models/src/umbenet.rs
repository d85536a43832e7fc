//! UMBEnet (Mai et al. 2024, "All rivers run into the sea: Unified Modality Brain-like Emotional Central Mechanism").
//!
//! A sample's modalities are encoded by unbalanced encoders and fused under a mask; the joint feature activates prompts
//! of a pool, which together with the inherent prompt and the class names make the classifier. What the paper leaves
//! open is decided in the comments where it matters. The released code computes something else (a scene token, an LSTM,
//! one choice of prompts for the whole batch, a gate of one layer, no pull of the keys); each of these is a setting.

mod config;
mod published;
#[cfg(test)]
mod tests;
mod tokens;
mod transfer;

use std::path::PathBuf;

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData, assert_shape};
use emotion::{LabelSet, Manifest, Modality};

pub use config::{FaceEncoderConfig, TextEncoderConfig, Token, UmbenetConfig, VoiceEncoderConfig};
pub use published::{embedded_names, import_released, released_spelling};
pub use tokens::{CaptionEncoder, CaptionProjection, CaptionTower, FaceEncoder, VoiceEncoder};
pub use transfer::{activated_rows, joint, pool_rows};

use crate::encoders::audio_cnn::AudioCnn;
use crate::encoders::clip::{ClipSize, ImageTower, TextTower};
use crate::encoders::tiny::{FaceNet, TextNet, VoiceNet};
use crate::layers::lstm::Lstm;
use crate::layers::prompt_pool::{PoolSize, PromptPool, Query};
use crate::layers::transformer::{Transformer, key_mask, masked_mean, unit_rows};
use crate::released::only;
use crate::{
    About, AttributeLoss, Batch, Config, EmotionModel, FinishedStage, Frozen, Init, Loss, ModelError, Outlook, Reader,
    Rename, StagePlan, Target, TrainingBatches, compute,
};

/// Rows of the position tables, whatever the number of frames, as in the released checkpoints.
const POSITIONS: usize = 16;

/// What is said of UMBEnet.
pub const ABOUT: About = About {
    name: "umbenet",
    title: "UMBEnet",
    paper: "Mai et al., All rivers run into the sea: Unified Modality Brain-like Emotional Central Mechanism, 2024",
    presets: &[
        ("tiny", || Config::Umbenet(UmbenetConfig::tiny())),
        ("paper", || Config::Umbenet(UmbenetConfig::paper(ClipSize::VIT_L_14))),
        ("paper-b16", || Config::Umbenet(UmbenetConfig::paper(ClipSize::VIT_B_16))),
        ("paper-b32", || Config::Umbenet(UmbenetConfig::paper(ClipSize::VIT_B_32))),
        ("official-compat", || Config::Umbenet(UmbenetConfig::official_compat())),
    ],
    help: config::help,
};

/// Names of the published checkpoints that differ from the module's.
pub const RENAMES: &[Rename] = &[
    Rename { checkpoint: "image_encoder.", module: "face_encoder." },
    Rename { checkpoint: "pencoding.frame_position_embeddings.weight", module: "frame_positions" },
    Rename { checkpoint: "transformerClip.", module: "temporal." },
    Rename { checkpoint: "audio_encoder.", module: "voice_encoder." },
    Rename { checkpoint: "token_embedding.weight", module: "caption_encoder.token_embedding" },
    Rename { checkpoint: "cap_encoder.", module: "caption_encoder.tower." },
    Rename { checkpoint: "ctransTo768.", module: "caption_encoder.projection." },
    Rename { checkpoint: "cpencoding.frame_position_embeddings.weight", module: "modality_positions" },
    Rename { checkpoint: "seq_transformerClip.", module: "fusion." },
    Rename { checkpoint: "prompt_pool.sff.2.", module: "prompt_pool.sff.1." },
];

/// The model.
#[derive(Module, Debug)]
pub struct Umbenet {
    /// Frames to vectors.
    pub face_encoder: FaceEncoder,
    /// Position of a frame in its clip, `[16, width]`.
    pub frame_positions: Param<Tensor<2>>,
    /// Lets each frame's face and scene exchange what they show (released code).
    pub lstm: Option<Lstm>,
    /// Over the frames of a clip.
    pub temporal: Transformer,
    /// Speech to a vector.
    pub voice_encoder: VoiceEncoder,
    /// Words to a vector.
    pub caption_encoder: CaptionEncoder,
    /// Which token is which, `[16, width]`, as many rows used as there are tokens.
    pub modality_positions: Param<Tensor<2>>,
    /// Over the modalities of a sample.
    pub fusion: Transformer,
    /// Prompts.
    pub prompt_pool: PromptPool,
    /// Class prompts to class vectors.
    pub text_encoder: TextTower,
    /// Logarithm of the factor between cosines and logits, `[1]`.
    pub logit_scale: Param<Tensor<1>>,
}

impl Umbenet {
    /// A model for `n_classes` classes and a pool of `pool_size` prompts, with random values of all that is trained;
    /// towers of CLIP are empty.
    pub fn new(config: &UmbenetConfig, n_classes: usize, pool_size: usize, init: &mut Init<'_>) -> Self {
        let width = config.embed_dim;
        let face_encoder = match config.face {
            FaceEncoderConfig::Clip { tower } => FaceEncoder::Clip(ImageTower::new(tower, &mut init.emptied())),
            FaceEncoderConfig::Tiny { side_px, channels } => {
                FaceEncoder::Tiny(FaceNet::new(side_px, channels, width, init))
            }
        };
        let voice_encoder = match config.voice {
            VoiceEncoderConfig::Cnn { cnn, .. } => VoiceEncoder::Cnn(AudioCnn::new(cnn, init)),
            VoiceEncoderConfig::Tiny { channels, .. } => VoiceEncoder::Tiny(VoiceNet::new(channels, width, init)),
        };
        let caption_encoder = match config.text {
            TextEncoderConfig::Clip { tower, vocabulary } => CaptionEncoder::Clip(CaptionTower {
                token_embedding: init.emptied().normal([vocabulary, tower.width], 0.02),
                tower: TextTower::new(tower, &mut init.emptied()),
                projection: init.linear(tower.out, width),
            }),
            TextEncoderConfig::Shared { vocabulary } => CaptionEncoder::Shared(CaptionProjection {
                token_embedding: init.emptied().normal([vocabulary, config.prompt_tower.width], 0.02),
                projection: init.linear(config.prompt_tower.out, width),
            }),
            TextEncoderConfig::Tiny { n_buckets, channels, .. } => {
                CaptionEncoder::Tiny(TextNet::new(n_buckets, channels, width, init))
            }
        };
        Self {
            face_encoder,
            frame_positions: init.normal([POSITIONS, width], config.position_deviation),
            lstm: config.lstm.then(|| Lstm::new(width, init)),
            temporal: Transformer::new(width, config.fusion_layers, config.fusion_heads, init),
            voice_encoder,
            caption_encoder,
            modality_positions: init.normal([POSITIONS, width], config.position_deviation),
            fusion: Transformer::new(width, config.fusion_layers, config.fusion_heads, init),
            prompt_pool: PromptPool::new(pool(config, n_classes, pool_size), init),
            text_encoder: match config.frozen_prompt_tower {
                true => TextTower::new(config.prompt_tower, &mut init.emptied()),
                false => TextTower::new(config.prompt_tower, init),
            },
            logit_scale: init.constant([1], config.logit_scale.ln() as f32),
        }
        .freeze_pretrained(config)
    }

    /// Turns gradients off for what the paper mode keeps frozen: pretrained towers, class names, temperature.
    #[must_use]
    pub fn freeze_pretrained(mut self, config: &UmbenetConfig) -> Self {
        if let FaceEncoder::Clip(tower) = self.face_encoder {
            self.face_encoder = FaceEncoder::Clip(tower.no_grad());
        }
        self.caption_encoder = match self.caption_encoder {
            CaptionEncoder::Clip(mut caption) => {
                caption.token_embedding = caption.token_embedding.no_grad();
                caption.tower = caption.tower.no_grad();
                CaptionEncoder::Clip(caption)
            }
            CaptionEncoder::Shared(mut caption) => {
                caption.token_embedding = caption.token_embedding.no_grad();
                CaptionEncoder::Shared(caption)
            }
            tiny => tiny,
        };
        if config.frozen_prompt_tower {
            self.text_encoder = self.text_encoder.no_grad();
            self.prompt_pool.token_prefix = self.prompt_pool.token_prefix.no_grad();
            self.prompt_pool.token_suffix = self.prompt_pool.token_suffix.no_grad();
        }
        self.logit_scale = self.logit_scale.no_grad();
        self
    }

    /// The joint feature of unit length, `[batch, width]` (eqs. 2 and 3).
    ///
    /// `tokens` `[batch, tokens, width]`, `present` `[batch, tokens]` of 0 and 1.
    pub fn fuse(&self, tokens: Tensor<3>, present: &Tensor<2>) -> Tensor<2> {
        let [n, n_tokens, _] = tokens.dims();
        assert_shape!(present, [n, n_tokens]);
        let positions = self.modality_positions.val().narrow(0, 0, n_tokens).unsqueeze();
        let mixed = self.fusion.forward(tokens + positions, Some(&key_mask(present)));
        unit_rows(masked_mean(mixed, present))
    }

    /// Class vectors of unit length for each set of prompts, `[sets, classes, width]`.
    ///
    /// Samples with the same prompts share their class vectors, so the tower runs once per different set.
    pub fn class_vectors(&self, config: &UmbenetConfig, sets: &[Vec<usize>]) -> Tensor<3> {
        let prompts = self.prompt_pool.class_prompts(sets);
        let [n_sets, n_classes, context, width] = prompts.dims();
        let end: Vec<usize> = (0..n_sets).flat_map(|_| (0..n_classes).map(|class| config.class_end(class))).collect();
        let features = self.text_encoder.forward(prompts.reshape([n_sets * n_classes, context, width]), &end);
        let [_, out] = features.dims();
        unit_rows(features).reshape([n_sets, n_classes, out])
    }
}

fn pool(config: &UmbenetConfig, n_classes: usize, n_prompts: usize) -> PoolSize {
    PoolSize {
        n_prompts,
        selected_tokens: config.selected_tokens,
        inherent_tokens: config.inherent_tokens,
        width: config.prompt_tower.width,
        key_width: config.embed_dim,
        gate_width: config.gate_width,
        n_classes,
        suffix_tokens: config.suffix_tokens(),
    }
}

impl EmotionModel for Umbenet {
    type Config = UmbenetConfig;
    const RENAMES: &'static [Rename] = RENAMES;

    fn check(config: &UmbenetConfig) -> Result<(), ModelError> {
        config.check()
    }

    fn build(config: &UmbenetConfig, n_classes: usize, init: &mut Init<'_>) -> Self {
        Self::new(config, n_classes, config.pool_size, init)
    }

    fn reader(config: &UmbenetConfig) -> Reader {
        config.reader()
    }

    fn for_dataset(config: &UmbenetConfig, manifest: &Manifest) -> Result<UmbenetConfig, ModelError> {
        let class_ends = published::class_ends(config, &manifest.labels)?;
        Ok(UmbenetConfig { class_ends, ..config.clone() })
    }

    fn stages(config: &UmbenetConfig) -> Vec<StagePlan> {
        config.stages()
    }

    fn start_stage(
        config: &UmbenetConfig,
        labels: &LabelSet,
        stage: usize,
        seed: u64,
        finished: &[FinishedStage<Self>],
        device: &Device,
    ) -> Result<Self, ModelError> {
        transfer::start_stage(config, labels, stage, seed, finished, device)
    }

    fn import_released(&mut self, _config: &UmbenetConfig, files: &[PathBuf]) -> Result<(), ModelError> {
        import_released(self, only(files)?)
    }

    fn config_at(config: &UmbenetConfig, stage: usize) -> Config {
        // The towers are part of the kept model; where their files were is nobody's business.
        let mut config = UmbenetConfig { clip: PathBuf::new(), caption_clip: PathBuf::new(), ..config.clone() };
        if let Some(modality) = stage_modality(stage).filter(|_| config.two_stage) {
            config.pool_size = pool_rows(config.pool_size)[modality.index()];
            config.two_stage = false;
        }
        Config::Umbenet(config)
    }

    fn calibrate<E: From<ModelError>>(&mut self, training: impl TrainingBatches<E>) -> Result<(), E> {
        if let VoiceEncoder::Tiny(net) = &mut self.voice_encoder {
            net.calibrate(|each| {
                training(Modality::Voice, &mut |batch| match &batch.voice {
                    Some(voice) => each(voice.values.clone(), &voice.valid),
                    None => Ok(()),
                })
            })?;
        }
        if let CaptionEncoder::Tiny(net) = &mut self.caption_encoder {
            net.calibrate(|each| {
                training(Modality::Text, &mut |batch| match &batch.text {
                    Some(text) => each(text.tokens.clone()),
                    None => Ok(()),
                })
            })?;
        }
        Ok(())
    }

    fn encode_frozen(&self, _config: &UmbenetConfig, batch: &Batch) -> Frozen {
        self.encode_frozen_parts(batch)
    }

    fn forward(&self, config: &UmbenetConfig, batch: &Batch) -> Result<Outlook, ModelError> {
        let present = self.present(config, batch);
        let tokens = self.tokens(config, batch) * present.clone().unsqueeze_dim::<3>(2);
        let fused = self.fuse(tokens.clone(), &present);
        let [n, width] = fused.dims();
        let top_k = config.top_k.min(self.prompt_pool.n_prompts());
        let query = if config.batch_selection { Query::BatchMean } else { Query::Sample };
        let selection = self.prompt_pool.select(&fused, top_k, query)?;
        let classes = self.class_vectors(config, &selection.sets); // [sets, classes, width]
        let sets: Vec<i64> = selection.set_of_sample.iter().map(|&set| set as i64).collect();
        let sets = Tensor::<1, Int>::from_data(TensorData::new(sets, [n]), &fused.device());
        let classes = classes.select(0, sets); // [batch, classes, width]
        let cosines = (classes * fused.clone().reshape([n, 1, width])).sum_dim(2).flatten::<2>(1, 2);
        let logits = cosines * self.logit_scale.val().exp().unsqueeze();
        Ok(Outlook { logits, fused, tokens, selection: Some(selection), auxiliary: Vec::new() })
    }

    fn loss(&self, config: &UmbenetConfig, outlook: &Outlook, target: impl Into<Target>) -> Loss {
        let target = Target::from(target.into().into_classes());
        let task = target.smoothed_loss(outlook.logits.clone(), AttributeLoss::Absolute, config.label_smoothing);
        let l1 = self.prompt_pool.l1().mul_scalar(config.l1);
        let mut terms = vec![(target.name(), task), ("gate L1", l1)];
        if let Some(selection) = outlook.selection.as_ref().filter(|_| config.pull > 0.0) {
            terms.push(("key pull", self.prompt_pool.pull(selection).mul_scalar(config.pull)));
        }
        Loss::sum(terms)
    }

    fn prompt_vectors(&self) -> Result<Vec<Vec<f32>>, ModelError> {
        let [_, width] = self.prompt_pool.prompt_key.dims();
        let values = compute::read(self.prompt_pool.prompt_key.val().detach())?;
        Ok(values.chunks(width).map(<[f32]>::to_vec).collect())
    }
}

/// The modality whose prompts stage `stage` of the plan trains; `None` for the joint stage.
pub(crate) fn stage_modality(stage: usize) -> Option<Modality> {
    Modality::ALL.get(stage).copied()
}

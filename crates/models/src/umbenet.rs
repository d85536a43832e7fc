//! UMBEnet, paper mode (Mai et al. 2024, "All rivers run into the sea: Unified Modality Brain-like Emotional Central Mechanism").
//!
//! A sample's modalities are encoded by unbalanced encoders and fused under a mask; the joint feature activates prompts of a
//! pool, which together with the inherent prompt and the class names make the classifier. What the paper leaves open is
//! decided in the comments where it matters. Left out: the released code's variant, which computes something else.

mod config;
#[cfg(test)]
mod tests;
mod transfer;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData, assert_shape};
use emotion::{LabelSet, Modality};

pub use config::{FaceEncoderConfig, TextEncoderConfig, UmbenetConfig, VoiceEncoderConfig};
pub use transfer::{activated_rows, pool_rows};

use crate::encoders::audio_cnn::AudioCnn;
use crate::encoders::clip::{ImageTower, TextTower};
use crate::encoders::tiny::{FaceNet, TextNet, VoiceNet};
use crate::layers::prompt_pool::{PoolSize, PromptPool};
use crate::layers::transformer::{Transformer, key_mask, masked_mean, unit_rows};
use crate::{
    About, Batch, Config, EmotionModel, FinishedStage, Init, Loss, ModelError, Outlook, Reader, Rename, StagePlan,
    TrainingBatches,
};

/// Rows of the position tables, whatever the number of frames, as in the released checkpoints.
const POSITIONS: usize = 16;

/// What is said of UMBEnet.
pub const ABOUT: About = About {
    name: "umbenet",
    title: "UMBEnet",
    paper: "Mai et al., All rivers run into the sea: Unified Modality Brain-like Emotional Central Mechanism, 2024",
    presets: &[("tiny", || Config::Umbenet(UmbenetConfig::tiny()))],
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
    /// Over the frames of a clip.
    pub temporal: Transformer,
    /// Speech to a vector.
    pub voice_encoder: VoiceEncoder,
    /// Words to a vector.
    pub caption_encoder: CaptionEncoder,
    /// Which modality a token is, `[16, width]`, three rows used.
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

/// Encoder of face frames.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per model")]
pub enum FaceEncoder {
    /// CLIP's image tower.
    Clip(ImageTower),
    /// Small, trained along.
    Tiny(FaceNet),
}

/// Encoder of speech.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per model")]
pub enum VoiceEncoder {
    /// Six convolutions over the waveform.
    Cnn(AudioCnn),
    /// Small, over log-mel frames.
    Tiny(VoiceNet),
}

/// Encoder of captions.
#[derive(Module, Debug)]
pub enum CaptionEncoder {
    /// A text tower of its own and a projection to the joint width.
    Clip(CaptionTower),
    /// Small, over hashed words.
    Tiny(TextNet),
}

/// CLIP's text tower with its tokens and a projection.
#[derive(Module, Debug)]
pub struct CaptionTower {
    /// `[vocabulary, width]`
    pub token_embedding: Param<Tensor<2>>,
    /// The tower.
    pub tower: TextTower,
    /// To the joint width.
    pub projection: Linear,
}

impl Umbenet {
    /// A model with random values for `n_classes` classes and a pool of `pool_size` prompts.
    pub fn new(config: &UmbenetConfig, n_classes: usize, pool_size: usize, init: &mut Init<'_>) -> Self {
        let width = config.embed_dim;
        let face_encoder = match config.face {
            FaceEncoderConfig::Clip { tower } => FaceEncoder::Clip(ImageTower::new(tower, init)),
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
                token_embedding: init.normal([vocabulary, tower.width], 0.02),
                tower: TextTower::new(tower, init),
                projection: init.linear(tower.out, width),
            }),
            TextEncoderConfig::Tiny { n_buckets, channels, .. } => {
                CaptionEncoder::Tiny(TextNet::new(n_buckets, channels, width, init))
            }
        };
        Self {
            face_encoder,
            frame_positions: init.normal([POSITIONS, width], config.position_deviation),
            temporal: Transformer::new(width, config.fusion_layers, config.fusion_heads, init),
            voice_encoder,
            caption_encoder,
            modality_positions: init.normal([POSITIONS, width], config.position_deviation),
            fusion: Transformer::new(width, config.fusion_layers, config.fusion_heads, init),
            prompt_pool: PromptPool::new(pool(config, n_classes, pool_size), init),
            text_encoder: TextTower::new(config.prompt_tower, init),
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
        if let CaptionEncoder::Clip(mut caption) = self.caption_encoder {
            caption.token_embedding = caption.token_embedding.no_grad();
            caption.tower = caption.tower.no_grad();
            self.caption_encoder = CaptionEncoder::Clip(caption);
        }
        if config.frozen_prompt_tower {
            self.text_encoder = self.text_encoder.no_grad();
            self.prompt_pool.token_prefix = self.prompt_pool.token_prefix.no_grad();
            self.prompt_pool.token_suffix = self.prompt_pool.token_suffix.no_grad();
        }
        self.logit_scale = self.logit_scale.no_grad();
        self
    }

    /// The three modality features, `[batch, 3, width]` in the order V, A, T; zero where a modality is absent.
    pub fn tokens(&self, batch: &Batch) -> Tensor<3> {
        let [n, _] = batch.present.dims();
        let width = self.frame_positions.dims()[1];
        let device = batch.present.device();
        let absent = || Tensor::<2>::zeros([n, width], &device);
        let face = batch.face.as_ref().map(|face| spread(self.face(face.frames.clone(), &face.valid), &face.rows, n));
        let voice = batch.voice.as_ref().map(|voice| {
            let features = match &self.voice_encoder {
                VoiceEncoder::Cnn(cnn) => cnn.forward(voice.values.clone()),
                VoiceEncoder::Tiny(net) => net.forward(voice.values.clone(), &voice.valid),
            };
            spread(features, &voice.rows, n)
        });
        let text = batch.text.as_ref().map(|text| {
            let features = match &self.caption_encoder {
                CaptionEncoder::Clip(caption) => caption.forward(text.tokens.clone(), &text.end),
                CaptionEncoder::Tiny(net) => net.forward(text.tokens.clone()),
            };
            spread(features, &text.rows, n)
        });
        Tensor::stack([face, voice, text].map(|part| part.unwrap_or_else(absent)).to_vec(), 1)
    }

    /// A clip's frames to one vector: every frame alone, then over time (paper, unbalanced encoder).
    fn face(&self, frames: Tensor<5>, valid: &Tensor<2>) -> Tensor<2> {
        let [n, n_frames, channels, side, _] = frames.dims();
        let frames = frames.reshape([n * n_frames, channels, side, side]);
        let features = match &self.face_encoder {
            FaceEncoder::Clip(tower) => tower.forward(frames),
            FaceEncoder::Tiny(net) => net.forward(frames),
        };
        let [_, width] = features.dims();
        let features = features.reshape([n, n_frames, width]);
        let positions = self.frame_positions.val().narrow(0, 0, n_frames).unsqueeze();
        // The residual is of the features before the positions, as in the released code.
        let moved = self.temporal.forward(features.clone() + positions, Some(&key_mask(valid))) + features;
        masked_mean(moved, valid)
    }

    /// The joint feature of unit length, `[batch, width]` (eqs. 2 and 3).
    pub fn fuse(&self, tokens: Tensor<3>, present: &Tensor<2>) -> Tensor<2> {
        assert_shape!(tokens, [_, 3, _]);
        let positions = self.modality_positions.val().narrow(0, 0, 3).unsqueeze();
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

impl CaptionTower {
    fn forward(&self, tokens: Tensor<2, Int>, end: &[usize]) -> Tensor<2> {
        let [n, length] = tokens.dims();
        let width = self.token_embedding.dims()[1];
        let embedded = self.token_embedding.val().select(0, tokens.reshape([n * length])).reshape([n, length, width]);
        self.projection.forward(self.tower.forward(embedded, end))
    }
}

/// Puts row `i` of `features` at row `rows[i]` of `[n, width]`, zero elsewhere.
fn spread(features: Tensor<2>, rows: &[usize], n: usize) -> Tensor<2> {
    if rows.len() == n {
        return features;
    }
    let mut placement = vec![0.0_f32; n * rows.len()];
    for (from, &to) in rows.iter().enumerate() {
        placement[to * rows.len() + from] = 1.0;
    }
    let device = features.device();
    Tensor::<2>::from_data(TensorData::new(placement, [n, rows.len()]), &device).matmul(features)
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
        Ok(transfer::start_stage(config, labels, stage, seed, finished, device))
    }

    fn config_at(config: &UmbenetConfig, stage: usize) -> Config {
        let mut config = config.clone();
        if let Some(modality) = stage_modality(stage).filter(|_| config.two_stage) {
            config.pool_size = pool_rows(config.pool_size)[modality.index()];
            config.two_stage = false;
        }
        Config::Umbenet(config)
    }

    fn calibrate<E>(&mut self, training: impl TrainingBatches<E>) -> Result<(), E> {
        if let VoiceEncoder::Tiny(net) = &mut self.voice_encoder {
            net.calibrate(|each| {
                training(Modality::Voice, &mut |batch| {
                    if let Some(voice) = &batch.voice {
                        each(voice.values.clone(), &voice.valid);
                    }
                })
            })?;
        }
        if let CaptionEncoder::Tiny(net) = &mut self.caption_encoder {
            net.calibrate(|each| {
                training(Modality::Text, &mut |batch| {
                    if let Some(text) = &batch.text {
                        each(text.tokens.clone());
                    }
                })
            })?;
        }
        Ok(())
    }

    fn forward(&self, config: &UmbenetConfig, batch: &Batch) -> Result<Outlook, ModelError> {
        let tokens = self.tokens(batch);
        let fused = self.fuse(tokens.clone(), &batch.present);
        let [n, width] = fused.dims();
        let top_k = config.top_k.min(self.prompt_pool.n_prompts());
        let selection = self.prompt_pool.select(&fused, top_k)?;
        let classes = self.class_vectors(config, &selection.sets); // [sets, classes, width]
        let sets: Vec<i64> = selection.set_of_sample.iter().map(|&set| set as i64).collect();
        let sets = Tensor::<1, Int>::from_data(TensorData::new(sets, [n]), &fused.device());
        let classes = classes.select(0, sets); // [batch, classes, width]
        let cosines = (classes * fused.clone().reshape([n, 1, width])).sum_dim(2).flatten::<2>(1, 2);
        let logits = cosines * self.logit_scale.val().exp().unsqueeze();
        Ok(Outlook { logits, fused, tokens, selection: Some(selection), auxiliary: Vec::new() })
    }

    fn loss(&self, config: &UmbenetConfig, outlook: &Outlook, labels: Tensor<1, Int>) -> Loss {
        let [n] = labels.dims();
        let log_probabilities = log_softmax(outlook.logits.clone(), 1);
        let chosen = log_probabilities.clone().gather(1, labels.reshape([n, 1])).mean().neg();
        let smoothing = config.label_smoothing;
        let cross_entropy = if smoothing > 0.0 {
            chosen.mul_scalar(1.0 - smoothing) + log_probabilities.mean().neg().mul_scalar(smoothing)
        } else {
            chosen
        };
        let l1 = self.prompt_pool.l1().mul_scalar(config.l1);
        let mut terms = vec![("cross-entropy", cross_entropy), ("gate L1", l1)];
        if let Some(selection) = &outlook.selection {
            terms.push(("key pull", self.prompt_pool.pull(selection).mul_scalar(config.pull)));
        }
        let total = terms.iter().skip(1).fold(terms[0].1.clone(), |total, (_, term)| total + term.clone());
        Loss { total, terms }
    }

    fn prompt_vectors(&self) -> Vec<Vec<f32>> {
        let [_, width] = self.prompt_pool.prompt_key.dims();
        let values = self.prompt_pool.prompt_key.val().detach().try_into_vec_as::<f32>().unwrap_or_default();
        values.chunks(width).map(<[f32]>::to_vec).collect()
    }
}

/// The modality whose prompts stage `stage` of the plan trains; `None` for the joint stage.
pub(crate) fn stage_modality(stage: usize) -> Option<Modality> {
    Modality::ALL.get(stage).copied()
}

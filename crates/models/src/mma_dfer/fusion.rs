//! How the two encoders exchange what they see after a block (paper §3.3), and what the paper compares that with
//! (§4.5).
//!
//! Whatever is exchanged enters through a gate that starts at zero, so that training begins with the encoders as they
//! are. The released code has the bottleneck alone; the paper describes the others in a sentence each, and what it
//! leaves open is decided here: the same gates, norms before an attention, one layer, two heads. A clip that lacks a
//! modality gets nothing from it.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::activation::gelu;

use super::{Fusion, MmaDferConfig};
use crate::Init;
use crate::layers::rows::rows_for;
use crate::layers::transformer::{Transformer, attention, key_mask, masked_mean};

/// Heads of both kinds of attention (§4.5).
pub const ATTENTION_HEADS: usize = 2;

/// The tokens of a batch on their way through the blocks.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// `[clips with a face · frames, tokens, width]`, all frames of a clip after each other.
    pub face: Option<Tensor<3>>,
    /// `[clips with a voice, tokens, width]`
    pub voice: Option<Tensor<3>>,
    /// Which clips have a face, in order.
    pub face_rows: Vec<usize>,
    /// Which clips have a voice, in order.
    pub voice_rows: Vec<usize>,
    /// Clips of the batch.
    pub n_clips: usize,
}

impl Tokens {
    /// The face tokens of all frames of a clip in one row, `[clips with a face, frames · tokens, width]`.
    fn clips(&self, face: Tensor<3>) -> Tensor<3> {
        let [images, tokens, width] = face.dims();
        let n = self.face_rows.len();
        face.reshape([n, images / n * tokens, width])
    }

    /// A token of a clip for each of its frames: `[clips with a face, 1, width]` to `[clips with a face · frames, 1,
    /// width]`.
    fn for_each_frame(&self, clips: Tensor<3>) -> Tensor<3> {
        let [n, _, width] = clips.dims();
        let images = self.face.as_ref().map_or(0, |face| face.dims()[0]);
        clips.expand([n, images / n, width]).reshape([images, 1, width])
    }
}

/// What happens between the encoders after a block.
#[derive(Module, Debug)]
pub struct FusionLayer {
    /// What each gets from the other.
    pub exchange: Exchange,
    /// α of the face encoder (eq. 5), `[1]`.
    pub face_gate: Param<Tensor<1>>,
    /// α of the voice encoder, `[1]`.
    pub voice_gate: Param<Tensor<1>>,
}

/// What each encoder gets from the other.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "one layer has the same as all others")]
pub enum Exchange {
    /// The paper's.
    Bottleneck(Bottleneck),
    /// The other's mean token.
    Mean(MeanToken),
    /// Attention to the other's tokens.
    CrossAttention(CrossAttention),
    /// The mean token of a transformer over both.
    JointAttention(JointAttention),
}

impl FusionLayer {
    /// A layer with closed gates; nothing without fusion.
    pub fn new(config: &MmaDferConfig, init: &mut Init<'_>) -> Option<Self> {
        let MmaDferConfig { width, latent, .. } = *config;
        let exchange = match config.fusion {
            Fusion::None => return None,
            Fusion::Bottleneck => Exchange::Bottleneck(Bottleneck::new(width, latent, init)),
            Fusion::Add => Exchange::Mean(MeanToken {}),
            Fusion::CrossAttention => Exchange::CrossAttention(CrossAttention {
                to_face: Attention::new(width, latent, init),
                to_voice: Attention::new(width, latent, init),
            }),
            Fusion::JointAttention => Exchange::JointAttention(JointAttention {
                face_down: init.linear(width, latent),
                voice_down: init.linear(width, latent),
                transformer: Transformer::new(latent, 1, ATTENTION_HEADS, init),
                up: init.linear(latent, width),
            }),
        };
        Some(Self { exchange, face_gate: init.constant([1], 0.0), voice_gate: init.constant([1], 0.0) })
    }

    /// Adds to both encoders' tokens what they get from each other.
    pub fn forward(&self, tokens: Tokens) -> Tokens {
        let (to_face, to_voice) = match &self.exchange {
            Exchange::Bottleneck(bottleneck) => bottleneck.updates(&tokens),
            Exchange::Mean(_) => MeanToken::updates(&tokens),
            Exchange::CrossAttention(attention) => attention.updates(&tokens),
            Exchange::JointAttention(attention) => attention.updates(&tokens),
        };
        let add = |own: Option<Tensor<3>>, update: Option<Tensor<3>>, gate: &Param<Tensor<1>>| match (own, update) {
            (Some(own), Some(update)) => Some(own + update * gate.val().tanh().unsqueeze()),
            (own, _) => own,
        };
        Tokens {
            face: add(tokens.face.clone(), to_face, &self.face_gate),
            voice: add(tokens.voice.clone(), to_voice, &self.voice_gate),
            ..tokens
        }
    }
}

/// What is added to the tokens of face and voice, broadcastable to them.
type Updates = (Option<Tensor<3>>, Option<Tensor<3>>);

/// Fusion bottleneck: both are compressed, each gets the other's mean, both are expanded again (eqs. 2 to 4).
#[derive(Module, Debug)]
pub struct Bottleneck {
    /// Compresses face tokens.
    pub face_down: Linear,
    /// After it.
    pub face_norm: LayerNorm,
    /// Compresses voice tokens.
    pub voice_down: Linear,
    /// After it.
    pub voice_norm: LayerNorm,
    /// Expands face tokens.
    pub face_up: Linear,
    /// Expands voice tokens.
    pub voice_up: Linear,
}

impl Bottleneck {
    fn new(width: usize, latent: usize, init: &mut Init<'_>) -> Self {
        Self {
            face_down: init.linear(width, latent),
            face_norm: init.layer_norm(latent),
            voice_down: init.linear(width, latent),
            voice_norm: init.layer_norm(latent),
            face_up: init.linear(latent, width),
            voice_up: init.linear(latent, width),
        }
    }

    /// The tokens of face and voice in the narrow space (eq. 2).
    pub fn compressed(&self, tokens: &Tokens) -> (Option<Tensor<3>>, Option<Tensor<3>>) {
        (
            tokens.face.clone().map(|face| self.face_norm.forward(self.face_down.forward(face))),
            tokens.voice.clone().map(|voice| self.voice_norm.forward(self.voice_down.forward(voice))),
        )
    }

    fn updates(&self, tokens: &Tokens) -> Updates {
        let (face, voice) = self.compressed(tokens);
        let face_mean = face.clone().map(|face| tokens.clips(face).mean_dim(1));
        let voice_mean = voice.clone().map(|voice| voice.mean_dim(1));
        let (face_rows, voice_rows) = (&tokens.face_rows, &tokens.voice_rows);
        let face = face.map(|face| match voice_mean {
            Some(mean) => face + tokens.for_each_frame(rows_for(mean, voice_rows, face_rows)),
            None => face,
        });
        let voice = voice.map(|voice| match face_mean {
            Some(mean) => voice + rows_for(mean, face_rows, voice_rows),
            None => voice,
        });
        (face.map(|face| gelu(self.face_up.forward(face))), voice.map(|voice| gelu(self.voice_up.forward(voice))))
    }
}

/// The other's mean token in the encoders' own space.
#[derive(Module, Debug)]
pub struct MeanToken {}

impl MeanToken {
    fn updates(tokens: &Tokens) -> Updates {
        let (Some(face), Some(voice)) = (tokens.face.clone(), tokens.voice.clone()) else { return (None, None) };
        let (face_rows, voice_rows) = (&tokens.face_rows, &tokens.voice_rows);
        let to_face = tokens.for_each_frame(rows_for(voice.mean_dim(1), voice_rows, face_rows));
        let to_voice = rows_for(tokens.clips(face).mean_dim(1), face_rows, voice_rows);
        (Some(to_face), Some(to_voice))
    }
}

/// Each token looks at the other encoder's tokens (Tsai et al. 2019, MulT).
#[derive(Module, Debug)]
pub struct CrossAttention {
    /// Face tokens look at voice tokens.
    pub to_face: Attention,
    /// Voice tokens look at the face tokens of all frames.
    pub to_voice: Attention,
}

impl CrossAttention {
    fn updates(&self, tokens: &Tokens) -> Updates {
        let (Some(face), Some(voice)) = (tokens.face.clone(), tokens.voice.clone()) else { return (None, None) };
        let shape = face.dims();
        let face = tokens.clips(face);
        let (face_rows, voice_rows) = (&tokens.face_rows, &tokens.voice_rows);
        let to_face = self.to_face.forward(face.clone(), rows_for(voice.clone(), voice_rows, face_rows));
        let to_voice = self.to_voice.forward(voice, rows_for(face, face_rows, voice_rows));
        // A clip without the other modality has looked at zeros; what it made of them is dropped.
        let with_voice = there(voice_rows, face_rows, &to_face);
        let with_face = there(face_rows, voice_rows, &to_voice);
        (Some((to_face * with_voice).reshape(shape)), Some(to_voice * with_face))
    }
}

/// `[to, 1, 1]` of 0 and 1: which of the clips `to` are among `from`.
fn there(from: &[usize], to: &[usize], like: &Tensor<3>) -> Tensor<3> {
    rows_for(Tensor::ones([from.len(), 1, 1], &like.device()), from, to)
}

/// Attention of some tokens to others in a narrow space.
#[derive(Module, Debug)]
pub struct Attention {
    query_norm: LayerNorm,
    other_norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
}

impl Attention {
    fn new(width: usize, latent: usize, init: &mut Init<'_>) -> Self {
        Self {
            query_norm: init.layer_norm(width),
            other_norm: init.layer_norm(width),
            query: init.linear(width, latent),
            key: init.linear(width, latent),
            value: init.linear(width, latent),
            out: init.linear(latent, width),
        }
    }

    /// `own` `[batch, tokens, width]` looks at `other` `[batch, other tokens, width]`; output as `own`.
    fn forward(&self, own: Tensor<3>, other: Tensor<3>) -> Tensor<3> {
        let other = self.other_norm.forward(other);
        let query = self.query.forward(self.query_norm.forward(own));
        let (key, value) = (self.key.forward(other.clone()), self.value.forward(other));
        let (mixed, _) = attention([query, key, value], ATTENTION_HEADS, None, |weights| weights);
        self.out.forward(mixed)
    }
}

/// One transformer over the tokens of both; its mean token goes to both.
#[derive(Module, Debug)]
pub struct JointAttention {
    face_down: Linear,
    voice_down: Linear,
    transformer: Transformer,
    up: Linear,
}

impl JointAttention {
    fn updates(&self, tokens: &Tokens) -> Updates {
        let all: Vec<usize> = (0..tokens.n_clips).collect();
        let compress = |x: Option<Tensor<3>>, down: &Linear, rows: &[usize]| {
            x.map(|x| {
                let [_, n_tokens, _] = x.dims();
                let present = there(rows, &all, &x).expand([all.len(), n_tokens, 1]).squeeze_dim::<2>(2);
                (rows_for(down.forward(x), rows, &all), present)
            })
        };
        let face = tokens.face.clone().map(|face| tokens.clips(face));
        let face = compress(face, &self.face_down, &tokens.face_rows);
        let voice = compress(tokens.voice.clone(), &self.voice_down, &tokens.voice_rows);
        let (parts, present): (Vec<_>, Vec<_>) = face.into_iter().chain(voice).unzip();
        let present = Tensor::cat(present, 1);
        let mixed = self.transformer.forward(Tensor::cat(parts, 1), Some(&key_mask(&present)));
        let mean = self.up.forward(masked_mean(mixed, &present)).unsqueeze_dim::<3>(1); // [clips, 1, width]
        let to_face = || tokens.for_each_frame(rows_for(mean.clone(), &all, &tokens.face_rows));
        let to_voice = || rows_for(mean.clone(), &all, &tokens.voice_rows);
        (tokens.face.is_some().then(to_face), tokens.voice.is_some().then(to_voice))
    }
}

//! The multimodal temporal transformer (paper §3.4): a class token looks at the joint features of a clip's frames.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::gelu_approximate;
use burn::tensor::{Tensor, assert_shape};

use super::MmaDferConfig;
use crate::Init;
use crate::layers::transformer::attention;

/// Over the frames of a clip.
#[derive(Module, Debug)]
pub struct TemporalTransformer {
    /// Becomes the clip's feature, `[1, 1, width]`.
    pub cls_token: Param<Tensor<3>>,
    /// Of the class token and the frames, `[1, 1 + frames, width]`.
    pub positions: Param<Tensor<3>>,
    /// The layers; there is no norm after them.
    pub layers: Vec<TemporalLayer>,
}

/// `x + attention(norm x)`, then `x + mlp(norm x)`.
#[derive(Module, Debug)]
pub struct TemporalLayer {
    /// Before the attention.
    pub attention_norm: LayerNorm,
    /// In published files and among the parameters that the paper counts, without any effect.
    pub attention_idle_norm: LayerNorm,
    /// Queries, without bias.
    pub query: Linear,
    /// Keys, then values, without bias.
    pub key_value: Linear,
    /// After the heads.
    pub out: Linear,
    /// Before the feed-forward half.
    pub mlp_norm: LayerNorm,
    /// As [`Self::attention_idle_norm`].
    pub mlp_idle_norm: LayerNorm,
    /// Up.
    pub up: Linear,
    /// Down.
    pub down: Linear,
    n_heads: usize,
}

impl TemporalTransformer {
    /// Random values.
    pub fn new(config: &MmaDferConfig, init: &mut Init<'_>) -> Self {
        let width = config.temporal_dim;
        Self {
            cls_token: init.normal([1, 1, width], 1.0),
            positions: init.normal([1, 1 + config.n_frames, width], 1.0),
            layers: (0..config.temporal_depth).map(|_| TemporalLayer::new(config, init)).collect(),
        }
    }

    /// Sums a clip up.
    ///
    /// - `frames` `[batch, frames, width]`
    /// - `mask` `[batch, 1 + frames, 1 + frames]`, added to the scores
    /// - output `[batch, width]`
    pub fn forward(&self, frames: Tensor<3>, mask: Option<&Tensor<3>>) -> Tensor<2> {
        let [batch, n_frames, width] = frames.dims();
        assert_shape!(self.positions, [1, _, width]);
        let class = self.cls_token.val().expand([batch, 1, width]);
        let x = Tensor::cat(vec![class, frames], 1) + self.positions.val().narrow(1, 0, 1 + n_frames);
        let x = self.layers.iter().fold(x, |x, layer| layer.forward(x, mask));
        x.narrow(1, 0, 1).reshape([batch, width])
    }
}

impl TemporalLayer {
    fn new(config: &MmaDferConfig, init: &mut Init<'_>) -> Self {
        let width = config.temporal_dim;
        let inner = config.temporal_heads * config.temporal_head_width;
        Self {
            attention_norm: init.layer_norm(width),
            attention_idle_norm: init.layer_norm(width),
            query: Linear { bias: None, ..init.linear(width, inner) },
            key_value: Linear { bias: None, ..init.linear(width, 2 * inner) },
            out: init.linear(inner, width),
            mlp_norm: init.layer_norm(width),
            mlp_idle_norm: init.layer_norm(width),
            up: init.linear(width, config.temporal_mlp),
            down: init.linear(config.temporal_mlp, width),
            n_heads: config.temporal_heads,
        }
    }

    fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<3>>) -> Tensor<3> {
        let x = x.clone() + self.attend(self.attention_norm.forward(x), mask);
        // GELU's approximation, which the released code has here and nowhere else.
        x.clone() + self.down.forward(gelu_approximate(self.up.forward(self.mlp_norm.forward(x))))
    }

    fn attend(&self, x: Tensor<3>, mask: Option<&Tensor<3>>) -> Tensor<3> {
        let [_, inner] = self.query.weight.dims();
        let query = self.query.forward(x.clone());
        let key_value = self.key_value.forward(x);
        let (key, value) = (key_value.clone().narrow(2, 0, inner), key_value.narrow(2, inner, inner));
        let (mixed, _) = attention([query, key, value], self.n_heads, mask, |weights| weights);
        self.out.forward(mixed)
    }
}

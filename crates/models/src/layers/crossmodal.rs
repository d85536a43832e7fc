//! Pre-norm transformer blocks in which one sequence looks at another (Tsai et al. 2019, "Multimodal Transformer for
//! Unaligned Multimodal Language Sequences"), and what stands around them.
//!
//! Names of the fields follow the published code (`self_attn.in_proj_weight`, `fc1`, `layer_norms.0`). Layout is
//! `[batch, steps, width]` throughout; the reference has time first, which changes nothing.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::transformer::Attention;
use crate::settings::check_share;
use crate::{Init, ModelError};

/// Shares of values that a training step does without.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropRates {
    /// Of the language input, and in MulT of embedded sequences.
    pub embedding: f64,
    /// Of attention weights.
    pub attention: f64,
    /// After the ReLU of feed-forward layers.
    pub hidden: f64,
    /// Of what is added to a residual.
    pub residual: f64,
    /// In the head.
    pub output: f64,
}

impl DropRates {
    /// None at all.
    pub const NONE: Self = Self { embedding: 0.0, attention: 0.0, hidden: 0.0, residual: 0.0, output: 0.0 };

    /// Checks that each of them leaves something.
    pub fn check(&self) -> Result<(), ModelError> {
        let Self { embedding, attention, hidden, residual, output } = *self;
        check_share("network.dropout.embedding", embedding)?;
        check_share("network.dropout.attention", attention)?;
        check_share("network.dropout.hidden", hidden)?;
        check_share("network.dropout.residual", residual)?;
        check_share("network.dropout.output", output)
    }
}

/// A dropout layer.
pub(crate) fn dropout(rate: f64) -> Dropout {
    DropoutConfig::new(rate).init()
}

/// A convolution over time without bias that keeps the length: zeros stand before the first and after the last step.
#[derive(Module, Debug)]
pub struct TimeConv {
    /// `[out, in, kernel]`, the kernel odd.
    pub weight: Param<Tensor<3>>,
}

impl TimeConv {
    /// A layer with random values.
    pub fn new(n_in: usize, n_out: usize, kernel: usize, init: &mut Init<'_>) -> Self {
        assert!(kernel % 2 == 1, "a kernel of {kernel} steps has no middle");
        Self { weight: init.uniform([n_out, n_in, kernel], 1.0 / ((n_in * kernel) as f64).sqrt()) }
    }

    /// `[batch, steps, in]` to `[batch, steps, out]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, steps, n_in] = x.dims();
        let [n_out, _, kernel] = self.weight.dims();
        // One matrix product over the neighbours side by side; the backend's convolutions are slower.
        let weight = self.weight.val().permute([2, 1, 0]).reshape([kernel * n_in, n_out]);
        let neighbours = if kernel == 1 {
            x
        } else {
            let border = Tensor::zeros([batch, kernel / 2, n_in], &x.device());
            let padded = Tensor::cat(vec![border.clone(), x, border], 1);
            Tensor::cat((0..kernel).map(|shift| padded.clone().narrow(1, shift, steps)).collect(), 2)
        };
        burn::tensor::module::linear(neighbours, weight, None)
    }
}

/// `√width · x` plus the position of every step, `[batch, steps, width]`.
///
/// Positions count from 1: sines, then cosines. A step whose first channel is exactly zero is padding and has no
/// position.
pub fn with_positions(x: Tensor<3>) -> Tensor<3> {
    let [_, steps, width] = x.dims();
    let half = width / 2;
    let scale = 10_000_f64.ln() / (half as f64 - 1.0);
    let angle = |step: usize, channel: usize| (step + 1) as f64 * (-(channel as f64) * scale).exp();
    let table: Vec<f32> = (0..steps)
        .flat_map(|step| {
            (0..width).map(move |channel| match channel {
                channel if channel < half => angle(step, channel).sin() as f32,
                channel if channel < 2 * half => angle(step, channel - half).cos() as f32,
                _ => 0.0,
            })
        })
        .collect();
    let table = Tensor::<3>::from_data(TensorData::new(table, [1, steps, width]), &x.device());
    let there = x.clone().narrow(2, 0, 1).not_equal_elem(0.0).float();
    x.mul_scalar((width as f64).sqrt()) + table * there
}

/// What a feed-forward branch adds: width → wider → ReLU → width.
pub(crate) fn feed_forward(x: Tensor<3>, fc1: &Linear, fc2: &Linear, drops: &Drops) -> Tensor<3> {
    let hidden = drops.hidden.forward(relu(fc1.forward(x)));
    drops.residual.forward(fc2.forward(hidden))
}

/// The dropout layers of a block.
#[derive(Module, Debug)]
pub struct Drops {
    /// On attention weights.
    pub attention: Dropout,
    /// After the ReLU.
    pub hidden: Dropout,
    /// On what is added to a residual.
    pub residual: Dropout,
}

impl Drops {
    /// With these rates.
    pub fn new(attention: f64, rates: &DropRates) -> Self {
        Self { attention: dropout(attention), hidden: dropout(rates.hidden), residual: dropout(rates.residual) }
    }
}

/// A block: attention to itself or to another sequence, then feed-forward.
#[derive(Module, Debug)]
pub struct EncoderLayer {
    /// Attention.
    pub self_attn: Attention,
    /// Up.
    pub fc1: Linear,
    /// Down.
    pub fc2: Linear,
    /// Before the attention, on both sequences, and before the feed-forward.
    pub layer_norms: Vec<LayerNorm>,
    drops: Drops,
}

/// Sizes of an encoder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderSize {
    /// Width of a step.
    pub width: usize,
    /// Heads.
    pub n_heads: usize,
    /// Blocks.
    pub n_layers: usize,
    /// Hidden width of the feed-forward layers, in widths.
    pub ffn_mult: usize,
}

impl EncoderLayer {
    fn new(size: EncoderSize, drops: &Drops, init: &mut Init<'_>) -> Self {
        let hidden = size.ffn_mult * size.width;
        Self {
            self_attn: Attention::new(size.width, size.n_heads, init),
            fc1: init.linear(size.width, hidden),
            fc2: init.linear(hidden, size.width),
            layer_norms: (0..2).map(|_| init.layer_norm(size.width)).collect(),
            drops: drops.clone(),
        }
    }

    fn forward(&self, x: Tensor<3>, memory: Option<&Tensor<3>>, mask: Option<&Tensor<3>>) -> Tensor<3> {
        let query = self.layer_norms[0].forward(x.clone());
        let memory = memory.map_or_else(|| query.clone(), |memory| self.layer_norms[0].forward(memory.clone()));
        let (mixed, _) = self.self_attn.attend(query, memory, mask, &self.drops.attention);
        let x = x + self.drops.residual.forward(mixed);
        let normed = self.layer_norms[1].forward(x.clone());
        x + feed_forward(normed, &self.fc1, &self.fc2, &self.drops)
    }
}

/// Blocks and a final norm.
#[derive(Module, Debug)]
pub struct Encoder {
    /// The blocks.
    pub layers: Vec<EncoderLayer>,
    /// After the blocks.
    pub layer_norm: LayerNorm,
}

impl Encoder {
    /// An encoder with random values.
    pub fn new(size: EncoderSize, drops: &Drops, init: &mut Init<'_>) -> Self {
        Self {
            layers: (0..size.n_layers).map(|_| EncoderLayer::new(size, drops, init)).collect(),
            layer_norm: init.layer_norm(size.width),
        }
    }

    /// Runs the blocks and the norm.
    ///
    /// - `x` `[batch, queries, width]`
    /// - `memory` `[batch, tokens, width]`, what every block looks at; `x` itself if there is none
    /// - `mask` `[1, queries, tokens]`, added to the scores
    pub fn forward(&self, x: Tensor<3>, memory: Option<&Tensor<3>>, mask: Option<&Tensor<3>>) -> Tensor<3> {
        self.layer_norm.forward(self.layers.iter().fold(x, |x, layer| layer.forward(x, memory, mask)))
    }
}

/// Step `step` of `[batch, steps, width]` as `[batch, width]`.
pub(crate) fn step_at(x: Tensor<3>, step: usize) -> Tensor<2> {
    let [batch, _, width] = x.dims();
    x.narrow(1, step, 1).reshape([batch, width])
}

/// Two layers around a residual, then one: `out(down(dropout(relu(up x))) + x)`, `[batch, width]` to `[batch, out]`.
pub(crate) fn residual_head(x: Tensor<2>, [up, down, out]: [&Linear; 3], dropout: &Dropout) -> Tensor<2> {
    let hidden = dropout.forward(relu(up.forward(x.clone())));
    out.forward(down.forward(hidden) + x)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.try_into_vec_as().unwrap()
    }

    #[test]
    fn padding_has_no_position() {
        let x = Tensor::<3>::from_floats([[[0.0, 0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0]]], &Device::flex());
        let got = values(with_positions(x));
        assert_eq!(&got[..5], &[0.0; 5]);
        let want = [5_f64.sqrt() + 2_f64.sin(), 0.0002_f64.sin(), 2_f64.cos(), 0.0002_f64.cos(), 0.0];
        for (got, want) in got[5..].iter().zip(want) {
            assert!((f64::from(*got) - want).abs() < 1e-6, "{got} {want}");
        }
    }

    #[test]
    fn a_convolution_sees_its_neighbours_and_zeros_at_the_borders() {
        let device = Device::flex();
        let mut conv = TimeConv::new(1, 1, 3, &mut Init::new(1, &device));
        conv.weight = Param::from_tensor(Tensor::from_floats([[[1.0, 10.0, 100.0]]], &device));
        let x = Tensor::from_floats([[[1.0], [2.0], [3.0]]], &device);
        assert_eq!(values(conv.forward(x)), [210.0, 321.0, 32.0]);
    }
}

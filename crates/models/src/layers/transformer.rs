//! Pre-norm transformer blocks as CLIP has them.
//!
//! Names of the fields follow OpenAI's checkpoints (`resblocks`, `ln_1`, `attn.in_proj_weight`, `mlp.c_fc`), so that
//! they map without renaming. Left out: dropout, which none of the models uses here. Layout is `[batch, tokens, width]`
//! throughout; the reference permutes to `[tokens, batch, width]` and back, which changes nothing.

use burn::module::{Module, Param};
use burn::nn::{Dropout, LayerNorm, Linear};
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData, assert_shape};

use crate::Init;

/// Added to the attention scores of absent keys: after the softmax their weight is exactly zero.
pub const MASKED_SCORE: f64 = -1e6;

/// Multi-head attention with fused input projection (`torch.nn.MultiheadAttention`).
#[derive(Module, Debug)]
pub struct Attention {
    /// Queries, keys and values stacked, `[3 * width, width]`.
    pub in_proj_weight: Param<Tensor<2>>,
    /// `[3 * width]`
    pub in_proj_bias: Param<Tensor<1>>,
    /// Output projection.
    pub out_proj: Linear,
    n_heads: usize,
}

impl Attention {
    /// Xavier-uniform input projection, zero biases, as PyTorch.
    pub fn new(width: usize, n_heads: usize, init: &mut Init<'_>) -> Self {
        assert_eq!(width % n_heads, 0, "width {width} must be a multiple of {n_heads} heads");
        let xavier = (6.0 / (4 * width) as f64).sqrt();
        let mut out_proj = init.linear(width, width);
        out_proj.bias = Some(init.constant([width], 0.0));
        Self {
            in_proj_weight: init.uniform([3 * width, width], xavier),
            in_proj_bias: init.constant([3 * width], 0.0),
            out_proj,
            n_heads,
        }
    }

    /// Lets every token look at every other one.
    ///
    /// - `x` `[batch, tokens, width]`
    /// - `mask` `[batch or 1, tokens, tokens]`, added to the scores of every head
    /// - output `[batch, tokens, width]`
    pub fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<3>>) -> Tensor<3> {
        let [_, _, width] = x.dims();
        let qkv = self.project(x, 0, 3);
        let part = |part: usize| qkv.clone().narrow(2, part * width, width);
        let (mixed, _) = attention([part(0), part(1), part(2)], self.n_heads, mask, |weights| weights);
        self.out_proj.forward(mixed)
    }

    /// Lets every query look at every token of another sequence.
    ///
    /// - `query` `[batch, queries, width]`, `memory` `[batch, tokens, width]`
    /// - `mask` `[batch or 1, queries, tokens]`, added to the scores of every head
    /// - `dropout` falls on the attention weights
    /// - output `[batch, queries, width]` and the weights, `[batch, heads, queries, tokens]`
    pub fn attend(
        &self,
        query: Tensor<3>,
        memory: Tensor<3>,
        mask: Option<&Tensor<3>>,
        dropout: &Dropout,
    ) -> (Tensor<3>, Tensor<4>) {
        let [_, _, width] = query.dims();
        let query = self.project(query, 0, 1);
        let memory = self.project(memory, 1, 2);
        let (key, value) = (memory.clone().narrow(2, 0, width), memory.narrow(2, width, width));
        let (mixed, weights) = attention([query, key, value], self.n_heads, mask, |weights| dropout.forward(weights));
        (self.out_proj.forward(mixed), weights)
    }

    /// Parts `first..first + n` of the queries, keys and values of `x`, side by side.
    fn project(&self, x: Tensor<3>, first: usize, n: usize) -> Tensor<3> {
        let [_, _, width] = x.dims();
        let weight = self.in_proj_weight.val().narrow(0, first * width, n * width).transpose();
        let bias = self.in_proj_bias.val().narrow(0, first * width, n * width);
        burn::tensor::module::linear(x, weight, Some(bias))
    }
}

/// Mixes values, head by head, by how well queries and keys go together.
///
/// - queries `[batch, queries, width]`, keys and values `[batch, tokens, width]`
/// - `mask` `[batch or 1, queries, tokens]`, added to the scores of every head
/// - `drop` changes the weights
/// - output `[batch, queries, width]` and the weights, `[batch, heads, queries, tokens]`
pub fn attention(
    qkv: [Tensor<3>; 3],
    n_heads: usize,
    mask: Option<&Tensor<3>>,
    drop: impl FnOnce(Tensor<4>) -> Tensor<4>,
) -> (Tensor<3>, Tensor<4>) {
    let [batch, queries, width] = qkv[0].dims();
    let [_, tokens, _] = qkv[1].dims();
    let head_width = width / n_heads;
    let [query, key, value] = qkv.map(|part| {
        let [_, length, _] = part.dims();
        part.reshape([batch, length, n_heads, head_width]).swap_dims(1, 2) // [batch, heads, length, head_width]
    });
    let mut scores = query.mul_scalar(1.0 / (head_width as f64).sqrt()).matmul(key.swap_dims(2, 3));
    if let Some(mask) = mask {
        assert_shape!(mask, [_, queries, tokens]);
        scores = scores + mask.clone().unsqueeze_dim::<4>(1);
    }
    let weights = drop(softmax(scores, 3));
    let mixed = weights.clone().matmul(value); // [batch, heads, queries, head_width]
    (mixed.swap_dims(1, 2).reshape([batch, queries, width]), weights)
}

/// The feed-forward half of a block: width → 4 width → QuickGELU → width.
#[derive(Module, Debug)]
pub struct Mlp {
    /// Up.
    pub c_fc: Linear,
    /// Down.
    pub c_proj: Linear,
}

/// `x + attention(norm x)`, then `x + mlp(norm x)`.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// Self-attention.
    pub attn: Attention,
    /// Before the attention.
    pub ln_1: LayerNorm,
    /// Feed-forward.
    pub mlp: Mlp,
    /// Before the feed-forward.
    pub ln_2: LayerNorm,
}

impl ResidualBlock {
    fn new(width: usize, n_heads: usize, init: &mut Init<'_>) -> Self {
        Self {
            attn: Attention::new(width, n_heads, init),
            ln_1: init.layer_norm(width),
            mlp: Mlp { c_fc: init.linear(width, 4 * width), c_proj: init.linear(4 * width, width) },
            ln_2: init.layer_norm(width),
        }
    }

    fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<3>>) -> Tensor<3> {
        let x = x.clone() + self.attn.forward(self.ln_1.forward(x), mask);
        x.clone() + self.mlp.c_proj.forward(quick_gelu(self.mlp.c_fc.forward(self.ln_2.forward(x))))
    }
}

/// A stack of blocks without a final norm.
#[derive(Module, Debug)]
pub struct Transformer {
    /// The blocks, in order.
    pub resblocks: Vec<ResidualBlock>,
}

impl Transformer {
    /// `n_layers` blocks of `width` with `n_heads` heads.
    pub fn new(width: usize, n_layers: usize, n_heads: usize, init: &mut Init<'_>) -> Self {
        Self { resblocks: (0..n_layers).map(|_| ResidualBlock::new(width, n_heads, init)).collect() }
    }

    /// Runs all blocks; shapes as [`Attention::forward`].
    pub fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<3>>) -> Tensor<3> {
        self.resblocks.iter().fold(x, |x, block| block.forward(x, mask))
    }
}

/// `x · σ(1.702 x)`, the activation of OpenAI's CLIP; not the exact GELU.
pub fn quick_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone() * sigmoid(x.mul_scalar(1.702))
}

/// The additive mask that hides absent tokens as keys.
///
/// - `present` `[batch, tokens]` of 0 and 1
/// - output `[batch, tokens, tokens]`, [`MASKED_SCORE`] in the columns of absent tokens
pub fn key_mask(present: &Tensor<2>) -> Tensor<3> {
    let [batch, tokens] = present.dims();
    let column = (present.clone().sub_scalar(1.0)).mul_scalar(-MASKED_SCORE); // 0 present, MASKED_SCORE absent
    column.reshape([batch, 1, tokens]).expand([batch, tokens, tokens])
}

/// The additive mask that hides the future, `[1, queries, tokens]`; sequences of different lengths may look ahead by
/// the difference, as in the published code.
pub fn future_mask(queries: usize, tokens: usize, device: &Device) -> Tensor<3> {
    let ahead = queries.abs_diff(tokens);
    let hidden = |i: usize| i % tokens > i / tokens + ahead;
    let values: Vec<f32> = (0..queries * tokens).map(|i| if hidden(i) { MASKED_SCORE as f32 } else { 0.0 }).collect();
    Tensor::from_data(TensorData::new(values, [1, queries, tokens]), device)
}

/// Mean of the present tokens.
///
/// - `x` `[batch, tokens, width]`, `present` `[batch, tokens]` of 0 and 1
/// - output `[batch, width]`; zero where nothing is present
pub fn masked_mean(x: Tensor<3>, present: &Tensor<2>) -> Tensor<2> {
    let [batch, tokens, width] = x.dims();
    let weights = present.clone().reshape([batch, tokens, 1]);
    let sum = (x * weights).sum_dim(1).reshape([batch, width]);
    sum / present.clone().sum_dim(1).clamp_min(1.0)
}

/// Divides every row by its Euclidean length.
pub fn unit_rows<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    // The epsilon is far below any length that occurs; it keeps the gradient of a zero row finite.
    let length = x.clone().square().sum_dim(D - 1).add_scalar(1e-24).sqrt();
    x / length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_future_begins_after_the_difference_of_the_lengths() {
        let mask: Vec<f32> = future_mask(2, 4, &Device::flex()).try_into_vec_as().unwrap();
        assert_eq!(
            mask.iter().map(|&value| value < 0.0).collect::<Vec<_>>(),
            [false, false, false, true, false, false, false, false]
        );
    }
}

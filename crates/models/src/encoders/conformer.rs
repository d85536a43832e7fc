//! Conformer (Gulati et al. 2020) as VAVL has it: a copy of sooftware/conformer from before its relative position was
//! repaired.
//!
//! A block is half a feed-forward layer, self-attention with relative positions, a convolution, the other half
//! feed-forward layer, and a norm. Left out: the subsampling by convolutions, which VAVL's checkpoints hold but nothing
//! calls.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{Dropout, DropoutConfig, LayerNorm, Linear, PaddingConfig1d};
use burn::tensor::activation::{sigmoid, silu, softmax};
use burn::tensor::{Device, Tensor, TensorData, assert_shape};
use serde::{Deserialize, Serialize};

use crate::layers::batch_norm::BatchNorm;
use crate::{Init, Rename};

/// Added to variances, PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Sizes of a conformer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConformerSize {
    /// Width of a frame inside.
    pub width: usize,
    /// Heads of the attention; they divide the width.
    pub heads: usize,
    /// Hidden width of a feed-forward layer over the width.
    pub feed_forward_expansion: usize,
    /// Frames that the depthwise convolution sees; odd.
    pub kernel: usize,
    /// How the attention knows where a frame is.
    pub relative_position: RelativePosition,
    /// Share of values that training drops, everywhere.
    pub dropout: f64,
}

/// Relative positions in the attention's scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelativePosition {
    /// As VAVL has it: `T` absolute positions, shifted so that what lies ahead wraps around, and scores over the root
    /// of the whole width. VAVL's weights need it.
    AsIs,
    /// As sooftware/conformer repaired it (pull request 55): `2T - 1` relative positions, scores over the root of a
    /// head's width.
    Fixed,
}

/// Frames to frames.
#[derive(Module, Debug)]
pub struct Conformer {
    /// To the inner width.
    pub input_projection: Linear,
    dropout: Dropout,
    /// The blocks, in order.
    pub layers: Vec<ConformerBlock>,
}

impl Conformer {
    /// `n_layers` blocks over frames of `n_in` values.
    pub fn new(n_in: usize, size: ConformerSize, n_layers: usize, init: &mut Init<'_>) -> Self {
        Self {
            input_projection: init.xavier_linear(n_in, size.width),
            dropout: DropoutConfig::new(size.dropout).init(),
            layers: (0..n_layers).map(|_| ConformerBlock::new(size, init)).collect(),
        }
    }

    /// `[batch, frames, in]` to `[batch, frames, width]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = self.project(x);
        self.layers.iter().fold(x, |x, layer| layer.forward(x))
    }

    /// What the first block sees.
    pub fn project(&self, x: Tensor<3>) -> Tensor<3> {
        self.dropout.forward(self.input_projection.forward(x))
    }
}

/// One block.
#[derive(Module, Debug)]
pub struct ConformerBlock {
    /// First, by half.
    pub feed_forward_1: FeedForward,
    /// Second.
    pub attention: RelativeAttention,
    /// Third.
    pub convolution: Convolution,
    /// Fourth, by half.
    pub feed_forward_2: FeedForward,
    /// Last.
    pub norm: LayerNorm,
}

impl ConformerBlock {
    /// Random values.
    pub fn new(size: ConformerSize, init: &mut Init<'_>) -> Self {
        Self {
            feed_forward_1: FeedForward::new(size, init),
            attention: RelativeAttention::new(size, init),
            convolution: Convolution::new(size, init),
            feed_forward_2: FeedForward::new(size, init),
            norm: init.layer_norm(size.width),
        }
    }

    /// `[batch, frames, width]` to the same.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.feed_forward_1.forward(x).mul_scalar(0.5);
        let x = x.clone() + self.attention.forward(x);
        let x = x.clone() + self.convolution.forward(x);
        let x = x.clone() + self.feed_forward_2.forward(x).mul_scalar(0.5);
        self.norm.forward(x)
    }
}

/// Norm, up, swish, down.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Before.
    pub norm: LayerNorm,
    /// Up.
    pub up: Linear,
    /// Down.
    pub down: Linear,
    dropout: Dropout,
}

impl FeedForward {
    fn new(ConformerSize { width, feed_forward_expansion, dropout, .. }: ConformerSize, init: &mut Init<'_>) -> Self {
        let hidden = width * feed_forward_expansion;
        Self {
            norm: init.layer_norm(width),
            up: init.xavier_linear(width, hidden),
            down: init.xavier_linear(hidden, width),
            dropout: DropoutConfig::new(dropout).init(),
        }
    }

    /// `[batch, frames, width]` to the same, without the residual.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let hidden = self.dropout.forward(silu(self.up.forward(self.norm.forward(x))));
        self.dropout.forward(self.down.forward(hidden))
    }
}

/// Self-attention with relative positions (Dai et al. 2019, Transformer-XL).
#[derive(Module, Debug)]
pub struct RelativeAttention {
    /// Before.
    pub norm: LayerNorm,
    /// Queries.
    pub query: Linear,
    /// Keys.
    pub key: Linear,
    /// Values.
    pub value: Linear,
    /// Positions, without bias.
    pub position: Linear,
    /// What every query adds when it looks at contents, `[heads, head width]`.
    pub u_bias: Param<Tensor<2>>,
    /// What every query adds when it looks at positions, `[heads, head width]`.
    pub v_bias: Param<Tensor<2>>,
    /// After.
    pub out: Linear,
    dropout: Dropout,
    #[module(skip)]
    relative_position: RelativePosition,
}

impl RelativeAttention {
    fn new(size: ConformerSize, init: &mut Init<'_>) -> Self {
        let ConformerSize { width, heads, .. } = size;
        assert_eq!(width % heads, 0, "width {width} must be a multiple of {heads} heads");
        let head = width / heads;
        let xavier = (6.0 / (heads + head) as f64).sqrt();
        Self {
            norm: init.layer_norm(width),
            query: init.xavier_linear(width, width),
            key: init.xavier_linear(width, width),
            value: init.xavier_linear(width, width),
            position: Linear { bias: None, ..init.xavier_linear(width, width) },
            u_bias: init.uniform([heads, head], xavier),
            v_bias: init.uniform([heads, head], xavier),
            out: init.xavier_linear(width, width),
            dropout: DropoutConfig::new(size.dropout).init(),
            relative_position: size.relative_position,
        }
    }

    /// `[batch, frames, width]` to the same, without the residual.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, frames, width] = x.dims();
        let x = self.norm.forward(x);
        let weights = self.dropout.forward(self.weights_of(&x));
        let mixed = weights.matmul(self.heads(self.value.forward(x))); // [batch, heads, frames, head width]
        self.dropout.forward(self.out.forward(mixed.swap_dims(1, 2).reshape([batch, frames, width])))
    }

    /// How much each frame looks at which, `[batch, heads, frames, frames]`; `x` `[batch, frames, width]`.
    pub fn weights(&self, x: Tensor<3>) -> Tensor<4> {
        self.weights_of(&self.norm.forward(x))
    }

    /// Queries against positions before the shift, `[batch, heads, frames, positions]`; `x` `[batch, frames, width]`.
    pub fn position_scores(&self, x: Tensor<3>) -> Tensor<4> {
        self.position_scores_of(self.heads(self.query.forward(self.norm.forward(x))))
    }

    fn weights_of(&self, x: &Tensor<3>) -> Tensor<4> {
        let query = self.heads(self.query.forward(x.clone()));
        let key = self.heads(self.key.forward(x.clone()));
        let [_, n_heads, _, head] = query.dims();
        let content = (query.clone() + self.u_bias.val().reshape([1, n_heads, 1, head])).matmul(key.swap_dims(2, 3));
        let position = relative_shift(self.position_scores_of(query));
        let scale = match self.relative_position {
            RelativePosition::AsIs => n_heads * head,
            RelativePosition::Fixed => head,
        };
        softmax((content + position).div_scalar((scale as f64).sqrt()), 3)
    }

    fn position_scores_of(&self, query: Tensor<4>) -> Tensor<4> {
        let [_, n_heads, frames, head] = query.dims();
        let frames = frames as i64;
        let positions: Vec<i64> = match self.relative_position {
            RelativePosition::AsIs => (0..frames).collect(),
            RelativePosition::Fixed => (1 - frames..frames).rev().collect(),
        };
        let table = sinusoids(&positions, n_heads * head, &query.device()).unsqueeze::<3>();
        let position = self.heads(self.position.forward(table)); // [1, heads, positions, head width]
        (query + self.v_bias.val().reshape([1, n_heads, 1, head])).matmul(position.swap_dims(2, 3))
    }

    /// `[batch, frames, width]` to `[batch, heads, frames, head width]`.
    fn heads(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, frames, width] = x.dims();
        let [n_heads, head] = self.u_bias.dims();
        assert_shape!(x, [_, _, n_heads * head]);
        x.reshape([batch, frames, n_heads, width / n_heads]).swap_dims(1, 2)
    }
}

/// Moves scores of positions to the frames that they belong to: row `i` by `i` (Dai et al. 2019, appendix B).
///
/// `[batch, heads, frames, positions]` to `[batch, heads, frames, frames]`. With `2T - 1` positions, `T - 1` first,
/// element `(i, j)` is the score of `i - j`. With `T` positions, `T - 1` last, that holds for `j <= i` alone: `(i, i +
/// 1)` is 0 and what lies further ahead comes from row `i + 1`.
pub fn relative_shift(scores: Tensor<4>) -> Tensor<4> {
    let [batch, heads, frames, positions] = scores.dims();
    let column = Tensor::zeros([batch, heads, frames, 1], &scores.device());
    Tensor::cat(vec![column, scores], 3)
        .reshape([batch, heads, positions + 1, frames])
        .narrow(2, 1, positions)
        .reshape([batch, heads, frames, positions])
        .narrow(3, 0, frames)
}

/// Sines in even columns, cosines in odd ones, `[positions, width]` (Vaswani et al. 2017, §3.5).
fn sinusoids(positions: &[i64], width: usize, device: &Device) -> Tensor<2> {
    let frequencies: Vec<f64> = (0..width).map(|i| 10_000_f64.powf(-((i / 2 * 2) as f64) / width as f64)).collect();
    let value = |position: f64, i: usize| {
        let angle = position * frequencies[i];
        (if i.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    };
    let values: Vec<f32> =
        positions.iter().flat_map(|&position| (0..width).map(move |i| value(position as f64, i))).collect();
    Tensor::from_data(TensorData::new(values, [positions.len(), width]), device)
}

/// Norm, pointwise up with a gate, depthwise over time, batch norm, swish, pointwise.
#[derive(Module, Debug)]
pub struct Convolution {
    /// Before.
    pub norm: LayerNorm,
    /// To twice the width.
    pub pointwise_in: Conv1d,
    /// Over time, each channel alone, without bias.
    pub depthwise: Conv1d,
    /// After the depthwise convolution.
    pub batch_norm: BatchNorm,
    /// Last.
    pub pointwise_out: Conv1d,
    dropout: Dropout,
}

impl Convolution {
    fn new(ConformerSize { width, kernel, dropout, .. }: ConformerSize, init: &mut Init<'_>) -> Self {
        assert_eq!(kernel % 2, 1, "a kernel of {kernel} frames has no middle");
        let depthwise = Conv1dConfig::new(width, width, kernel)
            .with_groups(width)
            .with_bias(false)
            .with_padding(PaddingConfig1d::Explicit(kernel / 2, kernel / 2));
        Self {
            norm: init.layer_norm(width),
            pointwise_in: init.conv1d(&Conv1dConfig::new(width, 2 * width, 1)),
            depthwise: init.conv1d(&depthwise),
            batch_norm: BatchNorm::new(width, EPSILON, init),
            pointwise_out: init.conv1d(&Conv1dConfig::new(width, width, 1)),
            dropout: DropoutConfig::new(dropout).init(),
        }
    }

    /// `[batch, frames, width]` to the same, without the residual.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = silu(self.batch_norm.forward(self.before_norm(x))).swap_dims(1, 2);
        self.dropout.forward(pointwise(&self.pointwise_out, x))
    }

    /// What the batch norm sees, `[batch, width, frames]`; `x` `[batch, frames, width]`.
    pub fn before_norm(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, _, width] = x.dims();
        let x = pointwise(&self.pointwise_in, self.norm.forward(x));
        let x = x.clone().narrow(2, 0, width) * sigmoid(x.narrow(2, width, width));
        self.depthwise.forward(x.swap_dims(1, 2))
    }
}

/// A convolution of one frame, `[batch, frames, in]` to `[batch, frames, out]`: as a matrix product it is several times
/// faster.
pub fn pointwise(conv: &Conv1d, x: Tensor<3>) -> Tensor<3> {
    let [n_out, n_in, _] = conv.weight.dims();
    let weight = conv.weight.val().reshape([n_out, n_in]).transpose();
    burn::tensor::module::linear(x, weight, conv.bias.as_ref().map(Param::val))
}

/// Names of sooftware/conformer that differ from those of [`Conformer`]; of two that fit, the first is meant.
const RENAMES: [Rename; 20] = [
    Rename { checkpoint: ".input_projection.0.linear.", module: ".input_projection." },
    Rename { checkpoint: ".sequential.0.module.sequential.0.", module: ".feed_forward_1.norm." },
    Rename { checkpoint: ".sequential.0.module.sequential.1.linear.", module: ".feed_forward_1.up." },
    Rename { checkpoint: ".sequential.0.module.sequential.4.linear.", module: ".feed_forward_1.down." },
    Rename { checkpoint: ".sequential.1.module.layer_norm.", module: ".attention.norm." },
    Rename { checkpoint: ".sequential.1.module.attention.pos_proj.linear.", module: ".attention.position." },
    Rename { checkpoint: ".sequential.1.module.attention.query_proj.linear.", module: ".attention.query." },
    Rename { checkpoint: ".sequential.1.module.attention.key_proj.linear.", module: ".attention.key." },
    Rename { checkpoint: ".sequential.1.module.attention.value_proj.linear.", module: ".attention.value." },
    Rename { checkpoint: ".sequential.1.module.attention.out_proj.linear.", module: ".attention.out." },
    Rename { checkpoint: ".sequential.1.module.attention.", module: ".attention." },
    Rename { checkpoint: ".sequential.2.module.sequential.0.", module: ".convolution.norm." },
    Rename { checkpoint: ".sequential.2.module.sequential.2.conv.", module: ".convolution.pointwise_in." },
    Rename { checkpoint: ".sequential.2.module.sequential.4.conv.", module: ".convolution.depthwise." },
    Rename { checkpoint: ".sequential.2.module.sequential.5.", module: ".convolution.batch_norm." },
    Rename { checkpoint: ".sequential.2.module.sequential.7.conv.", module: ".convolution.pointwise_out." },
    Rename { checkpoint: ".sequential.3.module.sequential.0.", module: ".feed_forward_2.norm." },
    Rename { checkpoint: ".sequential.3.module.sequential.1.linear.", module: ".feed_forward_2.up." },
    Rename { checkpoint: ".sequential.3.module.sequential.4.linear.", module: ".feed_forward_2.down." },
    Rename { checkpoint: ".sequential.4.", module: ".norm." },
];

/// The path in [`Conformer`] of a parameter as sooftware/conformer spells it, without what stands before `encoder.`.
///
/// `None` for what published files hold but nothing reads: the subsampling, the table of positions, the count of
/// batches.
pub fn module_path(key: &str) -> Option<String> {
    const UNREAD: [&str; 3] = ["conv_subsample.", "positional_encoding.pe", "num_batches_tracked"];
    if UNREAD.iter().any(|part| key.contains(part)) {
        return None;
    }
    // A dot first, so that names in a block alone are any part too.
    Some(Rename::to_module(&RENAMES, &format!(".{key}"))[1..].to_owned())
}

/// How sooftware/conformer spells the parameter at a path in [`Conformer`].
pub fn published_name(path: &str) -> String {
    Rename::to_checkpoint(&RENAMES, &format!(".{path}"))[1..].to_owned()
}

//! The units of a reinforcement layer: cross-mutual attention (CMU), self-cross attention (SCU), source update (SUM).
//!
//! Shapes: a target stream is `[batch, T_t, width]`, its sources `[batch, T_s1, width]` and `[batch, T_s2, width]`.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::{sigmoid, softmax, tanh};
use burn::tensor::{Tensor, assert_shape};

use super::attention::AttentionLayer;
use super::config::{McrSize, SourceUpdate};
use crate::Init;
use crate::layers::crossmodal::{Drops, feed_forward};
use crate::layers::transformer::Attention;

/// A linear layer without bias.
fn matrix(width: usize, init: &mut Init<'_>) -> Linear {
    Linear { weight: init.uniform([width, width], 1.0 / (width as f64).sqrt()), bias: None }
}

/// The position-wise feed-forward layer with its skip connection: `z + fc2(relu(fc1(LN z)))`.
#[derive(Module, Debug)]
pub struct FeedForward {
    /// Before the layers.
    pub ln: LayerNorm,
    /// Up.
    pub fc1: Linear,
    /// Down.
    pub fc2: Linear,
}

impl FeedForward {
    fn new(size: &McrSize, init: &mut Init<'_>) -> Self {
        let (width, hidden) = (size.width, size.width * size.ffn_mult);
        Self { ln: init.layer_norm(width), fc1: init.linear(width, hidden), fc2: init.linear(hidden, width) }
    }

    fn forward(&self, z: Tensor<3>, drops: &Drops) -> Tensor<3> {
        z.clone() + feed_forward(self.ln.forward(z), &self.fc1, &self.fc2, drops)
    }
}

/// A convolution of kernel 1 along the target axis whose channels are the steps of a source: it maps the attention on
/// one source to the steps of the other.
#[derive(Module, Debug)]
pub struct Exchange {
    /// `[T_to, T_from, 1]`
    pub weight: Param<Tensor<3>>,
    /// `[T_to]`
    pub bias: Param<Tensor<1>>,
}

impl Exchange {
    fn new(from: usize, to: usize, init: &mut Init<'_>) -> Self {
        let bound = 1.0 / (from as f64).sqrt();
        Self { weight: init.uniform([to, from, 1], bound), bias: init.uniform([to], bound) }
    }

    /// `[batch, T_t, T_from]` to `[batch, T_t, T_to]`.
    fn forward(&self, scores: Tensor<3>) -> Tensor<3> {
        let [to, from, _] = self.weight.dims();
        let weight = self.weight.val().reshape([to, from]).transpose();
        burn::tensor::module::linear(scores, weight, Some(self.bias.val()))
    }
}

/// The cross-mutual attention unit (eqs. 2 to 5), with a single head.
#[derive(Module, Debug)]
pub struct Cmu {
    /// Queries from the target.
    pub w_q: Linear,
    /// On the queries.
    pub ln_q: LayerNorm,
    /// Keys from the first source.
    pub w_k1: Linear,
    /// On these keys.
    pub ln_k1: LayerNorm,
    /// Values from the first source.
    pub w_v1: Linear,
    /// On these values.
    pub ln_v1: LayerNorm,
    /// Keys from the second source.
    pub w_k2: Linear,
    /// On these keys.
    pub ln_k2: LayerNorm,
    /// Values from the second source.
    pub w_v2: Linear,
    /// On these values.
    pub ln_v2: LayerNorm,
    /// From the first source's steps to the second's; absent without mutual attention.
    pub exchange1: Option<Exchange>,
    /// From the second source's steps to the first's.
    pub exchange2: Option<Exchange>,
    /// On the target.
    pub ln_t: LayerNorm,
    /// After the sum.
    pub pff: FeedForward,
    drops: Drops,
}

/// What a CMU yields.
pub struct CmuOutput {
    /// Reliability of the steps of both sources, `[batch, T_s1 + T_s2]` (eq. 3); absent without mutual attention.
    pub alpha: Option<Tensor<2>>,
    /// Attention on the sources, `[batch, T_t, T_s1]` and `[batch, T_t, T_s2]` (eqs. 4 and 5).
    pub attention: [Tensor<3>; 2],
    /// `[batch, T_t, width]`
    pub out: Tensor<3>,
}

impl Cmu {
    /// A unit with random values for sources of these lengths.
    pub fn new(size: &McrSize, [n_1, n_2]: [usize; 2], init: &mut Init<'_>) -> Self {
        let width = size.width;
        Self {
            w_q: matrix(width, init),
            ln_q: init.layer_norm(width),
            w_k1: matrix(width, init),
            ln_k1: init.layer_norm(width),
            w_v1: matrix(width, init),
            ln_v1: init.layer_norm(width),
            w_k2: matrix(width, init),
            ln_k2: init.layer_norm(width),
            w_v2: matrix(width, init),
            ln_v2: init.layer_norm(width),
            exchange1: size.mutual.then(|| Exchange::new(n_1, n_2, init)),
            exchange2: size.mutual.then(|| Exchange::new(n_2, n_1, init)),
            ln_t: init.layer_norm(width),
            pff: FeedForward::new(size, init),
            drops: size.drops(),
        }
    }

    /// Reinforces `target` from its two sources.
    pub fn forward(&self, target: Tensor<3>, [s1, s2]: [Tensor<3>; 2]) -> CmuOutput {
        let [_, _, width] = target.dims();
        let query = self.ln_q.forward(self.w_q.forward(target.clone())).div_scalar((width as f64).sqrt());
        let key_1 = self.ln_k1.forward(self.w_k1.forward(s1.clone()));
        let key_2 = self.ln_k2.forward(self.w_k2.forward(s2.clone()));
        let scores = [query.clone().matmul(key_1.swap_dims(1, 2)), query.matmul(key_2.swap_dims(1, 2))];
        let value_1 = self.ln_v1.forward(self.w_v1.forward(s1.clone()));
        let value_2 = self.ln_v2.forward(self.w_v2.forward(s2.clone()));
        let (scores, alpha) = self.exchanged(scores, [s1, s2]);
        let attention = scores.map(|scores| self.drops.attention.forward(softmax(scores, 2)));
        let [from_1, from_2] = attention.clone();
        let z = self.ln_t.forward(target) + from_1.matmul(value_1) + from_2.matmul(value_2);
        CmuOutput { alpha, attention, out: self.pff.forward(z, &self.drops) }
    }

    /// Adds to the scores on each source those on the other one, weighted by the reliability of its own steps.
    fn exchanged(&self, [e1, e2]: [Tensor<3>; 2], [s1, s2]: [Tensor<3>; 2]) -> ([Tensor<3>; 2], Option<Tensor<2>>) {
        let (Some(exchange_1), Some(exchange_2)) = (&self.exchange1, &self.exchange2) else {
            return ([e1, e2], None);
        };
        let [batch, _, n_1] = e1.dims();
        let [_, _, n_2] = e2.dims();
        let sums = Tensor::cat(vec![s1, s2], 1).sum_dim(2).reshape([batch, 1, n_1 + n_2]);
        let alpha = softmax(sums, 2);
        let (alpha_1, alpha_2) = (alpha.clone().narrow(2, 0, n_1), alpha.clone().narrow(2, n_1, n_2));
        let (x1, x2) = (exchange_1.forward(e1.clone()), exchange_2.forward(e2.clone()));
        ([e1 + alpha_1 * x2, e2 + alpha_2 * x1], Some(alpha.reshape([batch, n_1 + n_2])))
    }
}

/// The self-cross attention unit (eqs. 6 to 11).
#[derive(Module, Debug)]
pub struct Scu {
    /// On the target, for both branches.
    pub ln_t: LayerNorm,
    /// On the sources.
    pub ln_ds: LayerNorm,
    /// From the target to the sources (eq. 7).
    pub cross: Attention,
    /// From the target to itself (eq. 8); `self` in parameter names.
    pub own: Attention,
    /// Weighs the two branches; without it they are added.
    pub attention: Option<AttentionLayer>,
    /// After the sum.
    pub pff: FeedForward,
    drops: Drops,
}

/// What an SCU yields.
pub struct ScuOutput {
    /// Attention on the sources, `[batch, heads, T_t, T_s1 + T_s2]`.
    pub attention: Tensor<4>,
    /// Scores of the cross and the self branch, `[batch, 2]` (eq. 9); absent without attention layer.
    pub beta: Option<Tensor<2>>,
    /// Weights of the branches, `[batch, 2]` (eq. 10).
    pub gamma: Option<Tensor<2>>,
    /// `[batch, T_t, width]`
    pub out: Tensor<3>,
}

impl Scu {
    /// A unit with random values for a target of `n_steps`.
    pub fn new(size: &McrSize, n_steps: usize, init: &mut Init<'_>) -> Self {
        Self {
            ln_t: init.layer_norm(size.width),
            ln_ds: init.layer_norm(size.width),
            cross: Attention::new(size.width, size.n_heads, init),
            own: Attention::new(size.width, size.n_heads, init),
            attention: size.attention_layer.then(|| AttentionLayer::new(size.beta, n_steps, size.width, init)),
            pff: FeedForward::new(size, init),
            drops: size.drops(),
        }
    }

    /// Reinforces `target` from its sources side by side, `[batch, T_s1 + T_s2, width]`.
    pub fn forward(&self, target: Tensor<3>, sources: Tensor<3>) -> ScuOutput {
        let query = self.ln_t.forward(target);
        let sources = self.ln_ds.forward(sources);
        let (cross, attention) = self.cross.attend(query.clone(), sources, None, &self.drops.attention);
        let (own, _) = self.own.attend(query.clone(), query, None, &self.drops.attention);
        let (beta, gamma, z) = match &self.attention {
            None => (None, None, cross + own),
            Some(layer) => {
                let beta = layer.beta(cross.clone(), own.clone());
                let (gamma, z) = AttentionLayer::weighed(beta.clone(), cross, own);
                (Some(beta), Some(gamma), z)
            }
        };
        ScuOutput { attention, beta, gamma, out: self.pff.forward(z, &self.drops) }
    }
}

/// A bias that each step has of its own, or that all steps share.
#[derive(Module, Debug)]
pub enum StepBias {
    /// `[steps, width]`
    Own(Param<Tensor<2>>),
    /// `[width]`
    Shared(Param<Tensor<1>>),
}

impl StepBias {
    fn new(size: &McrSize, n_steps: usize, init: &mut Init<'_>) -> Self {
        if size.beta.fixes_length() {
            Self::Own(init.constant([n_steps, size.width], 0.0))
        } else {
            Self::Shared(init.constant([size.width], 0.0))
        }
    }

    fn add(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Own(bias) => x + bias.val().unsqueeze(),
            Self::Shared(bias) => x + bias.val().unsqueeze(),
        }
    }
}

/// The source update of one stream (eqs. 12 to 14). Without the memory's weights the source updates itself alone.
#[derive(Module, Debug)]
pub struct SourceUpdateUnit {
    /// Up.
    pub fc1: Linear,
    /// Down.
    pub fc2: Linear,
    /// From the updated source to what is kept.
    pub w_s: Option<Linear>,
    /// Its bias.
    pub b_s: Option<StepBias>,
    /// From the target of the same stream to what is kept.
    pub w_t: Option<Linear>,
    /// Its bias.
    pub b_t: Option<StepBias>,
    drops: Drops,
}

impl SourceUpdateUnit {
    /// A unit with random values for a stream of `n_steps`; `is_target` says whether the stream is a target too.
    pub fn new(size: &McrSize, n_steps: usize, is_target: bool, init: &mut Init<'_>) -> Self {
        let (width, hidden) = (size.width, size.width * size.ffn_mult);
        let (fc1, fc2) = (init.linear(width, hidden), init.linear(hidden, width));
        let remembers = is_target && size.source_update == SourceUpdate::Sum;
        Self {
            fc1,
            fc2,
            w_s: remembers.then(|| matrix(width, init)),
            b_s: remembers.then(|| StepBias::new(size, n_steps, init)),
            w_t: remembers.then(|| matrix(width, init)),
            b_t: remembers.then(|| StepBias::new(size, n_steps, init)),
            drops: size.drops(),
        }
    }

    /// Updates `source`; `target` is the reinforced stream of the same modality, if it is to be heard.
    ///
    /// Returns the update and what of it was kept (μ, eq. 13), where that was asked.
    pub fn forward(&self, source: Tensor<3>, target: Option<Tensor<3>>) -> (Tensor<3>, Option<Tensor<3>>) {
        let updated = source.clone() + feed_forward(source, &self.fc1, &self.fc2, &self.drops);
        let memory = (&self.w_s, &self.b_s, &self.w_t, &self.b_t);
        match (target, memory) {
            (None, _) => (updated, None),
            (Some(target), (Some(w_s), Some(b_s), Some(w_t), Some(b_t))) => {
                assert_shape!(target, [_, _, _]);
                let scores = w_s.forward(updated.clone()) + w_t.forward(target.clone());
                let kept = sigmoid(b_t.add(b_s.add(scores)));
                let forgotten = kept.clone().neg().add_scalar(1.0);
                (forgotten * tanh(target) + kept.clone() * updated, Some(kept))
            }
            (Some(target), _) => (updated + target, None),
        }
    }
}

/// Filters the two sources of a target before its SCU (eqs. 15 and 16).
#[derive(Module, Debug)]
pub struct Gate {
    /// From the sources to how open the gate is.
    pub w: Linear,
    /// Its bias, `[T_s1 + T_s2, width]` or `[width]`.
    pub b: StepBias,
}

impl Gate {
    /// A gate with random values for sources of `n_steps` together.
    pub fn new(size: &McrSize, n_steps: usize, init: &mut Init<'_>) -> Self {
        Self { w: matrix(size.width, init), b: StepBias::new(size, n_steps, init) }
    }

    /// `[batch, T_s1 + T_s2, width]` to the same shape.
    pub fn forward(&self, sources: Tensor<3>) -> Tensor<3> {
        sigmoid(self.b.add(self.w.forward(sources.clone()))) * tanh(sources)
    }
}

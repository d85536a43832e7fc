//! The attention layer that weighs the branches of an SCU (eqs. 9 to 11), in three forms.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use crate::Init;

/// How the score β of a branch is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaForm {
    /// One linear layer from all values of a branch to its score: eq. 9 has nothing non-linear between W and U, so this
    /// is the same class of functions.
    Collapsed,
    /// Eq. 9 as printed: W of the squared size of a branch. Only for short sequences.
    Literal,
    /// W and U over the width alone, and the mean over time: no length is fixed here.
    Pooled,
}

impl BetaForm {
    /// Whether biases and scores are made for sequences of one length.
    pub fn fixes_length(self) -> bool {
        self != Self::Pooled
    }
}

/// The attention layer. Which of the fields there are says which form it has.
#[derive(Module, Debug)]
pub struct AttentionLayer {
    /// Collapsed score of the cross branch, `T·width` to 1.
    pub beta_cross: Option<Linear>,
    /// Collapsed score of the self branch.
    pub beta_self: Option<Linear>,
    /// U, shared by the branches, `[T·width]` (literal) or `[width]` (pooled).
    pub beta_u: Option<Param<Tensor<1>>>,
    /// W and b of the cross branch.
    pub beta_w_cross: Option<Linear>,
    /// W and b of the self branch.
    pub beta_w_self: Option<Linear>,
}

impl AttentionLayer {
    /// A layer with random values for branches of `n_steps` of `width`.
    pub fn new(form: BetaForm, n_steps: usize, width: usize, init: &mut Init<'_>) -> Self {
        let n = if form.fixes_length() { n_steps * width } else { width };
        let collapsed = form == BetaForm::Collapsed;
        Self {
            beta_cross: collapsed.then(|| init.linear(n, 1)),
            beta_self: collapsed.then(|| init.linear(n, 1)),
            beta_u: (!collapsed).then(|| init.uniform([n], 1.0 / (n as f64).sqrt())),
            beta_w_cross: (!collapsed).then(|| init.linear(n, n)),
            beta_w_self: (!collapsed).then(|| init.linear(n, n)),
        }
    }

    /// Scores of the two branches, `[batch, T, width]` each, as `[batch, 2]` (eq. 9).
    pub fn beta(&self, cross: Tensor<3>, own: Tensor<3>) -> Tensor<2> {
        let scores = match self {
            Self { beta_cross: Some(on_cross), beta_self: Some(on_own), .. } => {
                vec![on_cross.forward(cross.flatten(1, 2)), on_own.forward(own.flatten(1, 2))]
            }
            Self { beta_u: Some(u), beta_w_cross: Some(on_cross), beta_w_self: Some(on_own), .. } => {
                vec![score(&u.val(), on_cross, cross), score(&u.val(), on_own, own)]
            }
            _ => unreachable!("a layer is made in one of its forms"),
        };
        Tensor::cat(scores, 1)
    }

    /// The weights γ of the branches, `[batch, 2]`, and their weighted sum (eqs. 10 and 11).
    pub fn weighed(beta: Tensor<2>, cross: Tensor<3>, own: Tensor<3>) -> (Tensor<2>, Tensor<3>) {
        let [batch, _] = beta.dims();
        let gamma = softmax(beta, 1);
        let weight = |branch: usize| gamma.clone().narrow(1, branch, 1).reshape([batch, 1, 1]);
        (gamma.clone(), cross * weight(0) + own * weight(1))
    }
}

/// `U · (W z + b)`, the mean over time where W is over the width alone, `[batch, 1]`.
fn score(u: &Tensor<1>, layer: &Linear, branch: Tensor<3>) -> Tensor<2> {
    let [batch, n_steps, width] = branch.dims();
    let [n] = u.dims();
    let z = if n == width { branch } else { branch.reshape([batch, 1, n_steps * width]) };
    let hidden = layer.forward(z); // [batch, T or 1, n]
    hidden.matmul(u.clone().reshape([1, n, 1])).mean_dim(1).reshape([batch, 1])
}

//! A one-layer LSTM (Hochreiter & Schmidhuber 1997) under the names and in the gate order of `torch.nn.LSTM`.
//!
//! Written for the short sequences of UMBEnet's released code; left out: several layers, both directions, dropout.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::module::linear;

use crate::Init;

/// From `width` to `width`; the gates are stacked as input, forget, cell, output.
#[derive(Module, Debug)]
pub struct Lstm {
    /// `[4 * width, width]`
    pub weight_ih_l0: Param<Tensor<2>>,
    /// `[4 * width, width]`
    pub weight_hh_l0: Param<Tensor<2>>,
    /// `[4 * width]`
    pub bias_ih_l0: Param<Tensor<1>>,
    /// `[4 * width]`
    pub bias_hh_l0: Param<Tensor<1>>,
}

impl Lstm {
    /// Evenly within 1/√width, as PyTorch.
    pub fn new(width: usize, init: &mut Init<'_>) -> Self {
        let bound = 1.0 / (width as f64).sqrt();
        Self {
            weight_ih_l0: init.uniform([4 * width, width], bound),
            weight_hh_l0: init.uniform([4 * width, width], bound),
            bias_ih_l0: init.uniform([4 * width], bound),
            bias_hh_l0: init.uniform([4 * width], bound),
        }
    }

    /// The output of every step, from a state of zeros; each step `[batch, width]`.
    pub fn forward<const STEPS: usize>(&self, steps: [Tensor<2>; STEPS]) -> [Tensor<2>; STEPS] {
        let mut state: Option<(Tensor<2>, Tensor<2>)> = None;
        steps.map(|x| {
            let [_, width] = x.dims();
            let input =
                linear(x, self.weight_ih_l0.val().transpose(), Some(self.bias_ih_l0.val() + self.bias_hh_l0.val()));
            let gates = match &state {
                Some((output, _)) => input + output.clone().matmul(self.weight_hh_l0.val().transpose()),
                None => input,
            };
            let gate = |idx: usize| gates.clone().narrow(1, idx * width, width);
            let fresh = sigmoid(gate(0)) * tanh(gate(2));
            let cell = match state.take() {
                Some((_, cell)) => sigmoid(gate(1)) * cell + fresh,
                None => fresh,
            };
            let output = sigmoid(gate(3)) * tanh(cell.clone());
            state = Some((output.clone(), cell));
            output
        })
    }
}

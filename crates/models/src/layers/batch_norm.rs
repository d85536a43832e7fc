//! Batch normalization as `torch.nn.BatchNorm1d` and `BatchNorm2d` have it.
//!
//! burn's own keeps the biased variance of a batch as its running one, where PyTorch keeps the unbiased one, and hands
//! out running statistics one update late.

use burn::module::{Flag, Module, Param, RunningState};
use burn::tensor::Tensor;
use burn::tensor::module::{batch_norm, batch_norm_train};

use crate::Init;

/// Share of a running statistic that a training batch replaces (PyTorch's default).
const MOMENTUM: f64 = 0.1;

/// Normalization by channel, over everything else.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[channels]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[channels]`.
    pub beta: Param<Tensor<1>>,
    /// Mean of what training saw, `[channels]`; not trained.
    pub running_mean: RunningState<Tensor<1>>,
    /// Unbiased variance of what training saw, `[channels]`; not trained.
    pub running_var: RunningState<Tensor<1>>,
    training: Param<Flag>,
    epsilon: f64,
}

impl BatchNorm {
    /// Ones and zeros for `channels` channels; `epsilon` is added to the variance.
    pub fn new(channels: usize, epsilon: f64, init: &mut Init<'_>) -> Self {
        let mut state = |value: f32| {
            let param = init.constant([channels], value);
            RunningState::with_id(param.id, param.val().set_require_grad(false))
        };
        let (running_mean, running_var) = (state(0.0), state(1.0));
        Self {
            gamma: init.constant([channels], 1.0),
            beta: init.constant([channels], 0.0),
            running_mean,
            running_var,
            training: Param::from_bool(true),
            epsilon,
        }
    }

    /// Normalizes `[batch, channels, ..]`.
    ///
    /// On a device with gradients, unless frozen: by the batch's own biased statistics, and the running ones follow.
    /// Otherwise by the running ones.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        if !(x.device().is_autodiff() && self.training.is_enabled()) {
            let (mean, variance) = (self.running_mean.value(), self.running_var.value());
            return batch_norm(x, gamma, beta, mean, variance, self.epsilon);
        }
        let [channels] = gamma.dims();
        let n = (x.shape().num_elements() / channels) as f64;
        let batch = batch_norm_train(x, gamma, beta, self.epsilon);
        // A single value has no unbiased variance; PyTorch refuses it, here the statistic stays finite.
        let unbiased = batch.variance.mul_scalar(n / (n - 1.0).max(1.0));
        for (state, seen) in [(&self.running_mean, batch.mean), (&self.running_var, unbiased)] {
            state.update((state.value().mul_scalar(1.0 - MOMENTUM) + seen.mul_scalar(MOMENTUM)).detach());
            // An update only counts once it is read on the thread that made it.
            state.value_sync();
        }
        batch.output
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn running_variance_is_unbiased_and_up_to_date() {
        let device = Device::flex().autodiff();
        let norm = BatchNorm::new(1, 1e-5, &mut Init::new(0, &device));
        let x = Tensor::<3>::from_floats([[[1.0, 2.0]], [[3.0, 6.0]]], &device);
        norm.forward(x.clone());
        let read = |state: &RunningState<Tensor<1>>| state.value().into_scalar::<f32>();
        assert!((read(&norm.running_mean) - 0.3).abs() < 1e-6);
        // Deviations -2, -1, 0, 3: 14 / 3 unbiased.
        assert!((read(&norm.running_var) - (0.9 + 0.1 * 14.0 / 3.0)).abs() < 1e-6);
        norm.clone().freeze().forward(x);
        assert!((read(&norm.running_mean) - 0.3).abs() < 1e-6, "a frozen norm follows nothing");
    }
}

//! Initial values that depend on a seed alone: not on the device, nor on what else runs on it.
//!
//! Distributions are PyTorch's defaults, as the published recipes use them.

use burn::module::{Param, ParamId};
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// Draws initial values on a device.
pub struct Init<'a> {
    rng: Pcg64Mcg,
    device: &'a Device,
    is_empty: bool,
}

impl<'a> Init<'a> {
    /// Values that follow from `seed`.
    pub fn new(seed: u64, device: &'a Device) -> Self {
        Self { rng: Pcg64Mcg::seed_from_u64(seed), device, is_empty: false }
    }

    /// No values yet: parameters that take no memory until a checkpoint fills them; zeros where none does.
    pub fn empty(device: &'a Device) -> Self {
        Self { is_empty: true, ..Self::new(0, device) }
    }

    /// As [`Init::empty`], for a part of a module whose values always come from a checkpoint.
    pub fn emptied(&mut self) -> Self {
        Self { rng: Pcg64Mcg::seed_from_u64(self.rng.next_u64()), device: self.device, is_empty: true }
    }

    /// Where the values go.
    pub fn device(&self) -> &'a Device {
        self.device
    }

    /// A parameter drawn from the normal distribution with mean 0.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], deviation: f64) -> Param<Tensor<D>> {
        self.param(shape, |init| (init.standard_normal() * deviation) as f32)
    }

    /// A parameter drawn evenly from `-bound..bound`.
    pub fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f64) -> Param<Tensor<D>> {
        self.param(shape, |init| ((init.rng.random::<f64>() * 2.0 - 1.0) * bound) as f32)
    }

    /// A parameter of one value everywhere.
    pub fn constant<const D: usize>(&mut self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.param(shape, |_| value)
    }

    /// Weight and bias within 1/√(inputs).
    pub fn linear(&mut self, n_in: usize, n_out: usize) -> Linear {
        let bound = 1.0 / (n_in as f64).sqrt();
        Linear { weight: self.uniform([n_in, n_out], bound), bias: Some(self.uniform([n_out], bound)) }
    }

    /// Weight after Glorot and Bengio (2010), bias zero.
    pub fn xavier_linear(&mut self, n_in: usize, n_out: usize) -> Linear {
        let bound = (6.0 / (n_in + n_out) as f64).sqrt();
        Linear { weight: self.uniform([n_in, n_out], bound), bias: Some(self.constant([n_out], 0.0)) }
    }

    /// Ones and zeros.
    pub fn layer_norm(&mut self, width: usize) -> LayerNorm {
        let mut norm = LayerNormConfig::new(width).init(self.device);
        norm.gamma = self.constant([width], 1.0);
        norm.beta = Some(self.constant([width], 0.0));
        norm
    }

    /// Weight and bias within 1/√(inputs of an output value).
    pub fn conv1d(&mut self, config: &Conv1dConfig) -> Conv1d {
        let (n_in, n_out) = (config.channels_in / config.groups, config.channels_out);
        let mut conv = config.init(self.device);
        let bound = 1.0 / ((n_in * config.kernel_size) as f64).sqrt();
        conv.weight = self.uniform([n_out, n_in, config.kernel_size], bound);
        conv.bias = config.bias.then(|| self.uniform([n_out], bound));
        conv
    }

    /// Box and Muller's transform of two even draws.
    fn standard_normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.rng.random::<f64>()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.rng.random::<f64>()).cos()
    }

    fn param<const D: usize>(&mut self, shape: [usize; D], mut draw: impl FnMut(&mut Self) -> f32) -> Param<Tensor<D>> {
        let is_trained = self.device.is_autodiff();
        if self.is_empty {
            let id = ParamId::from(self.rng.next_u64());
            let zeros = move |device: &Device, require_grad: bool| {
                let zeros = Tensor::zeros(shape, device);
                if require_grad { zeros.require_grad() } else { zeros }
            };
            return Param::uninitialized(id, zeros, self.device.clone(), is_trained, shape.into());
        }
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| draw(self)).collect();
        let tensor = Tensor::from_data(TensorData::new(values, shape), self.device);
        let tensor = if is_trained { tensor.require_grad() } else { tensor };
        // Identifiers come from the seed too: optimizer states are stored under them.
        Param::initialized(ParamId::from(self.rng.next_u64()), tensor)
    }
}

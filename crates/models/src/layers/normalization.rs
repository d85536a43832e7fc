//! Features minus their mean, over their deviation, both of the training set (VAVL's released code,
//! `train_norm_stat.pkl`).

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use emotion::SpeakerScale;

use crate::{Init, ModelError, RowScale, compute};

/// Added to deviations.
const EPSILON: f64 = 1e-6;
/// What deviates less than this never changes: it is centred, not blown up.
const CONSTANT: f64 = 1e-5;

/// Mean and biased deviation of every value of a frame over all frames of all training clips.
///
/// A waveform is a sequence of frames of one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Of each value.
    pub mean: Vec<f64>,
    /// Of each value.
    pub deviation: Vec<f64>,
}

/// Sums over the frames that were seen so far.
#[derive(Debug, Clone)]
pub struct Moments {
    n: f64,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    /// Of frames of `width` values, none seen yet.
    pub fn new(width: usize) -> Self {
        Self { n: 0.0, sums: vec![0.0; width], squares: vec![0.0; width] }
    }

    /// Adds frames, one after the other.
    pub fn add(&mut self, frames: &[f32]) {
        for frame in frames.chunks_exact(self.sums.len()) {
            self.n += 1.0;
            for (value, (sum, square)) in frame.iter().zip(self.sums.iter_mut().zip(&mut self.squares)) {
                *sum += f64::from(*value);
                *square += f64::from(*value).powi(2);
            }
        }
    }

    /// Adds those frames of `x` `[rows, frames, width]` that are 1 in `valid` `[rows, frames]`.
    pub(crate) fn add_valid(&mut self, x: &Tensor<3>, valid: &Tensor<2>) -> Result<(), ModelError> {
        let (values, valid) = (compute::read(x.clone())?, compute::read(valid.clone())?);
        for (frame, _) in values.chunks(self.sums.len()).zip(valid).filter(|(_, valid)| *valid > 0.5) {
            self.add(frame);
        }
        Ok(())
    }

    /// What the frames amount to; `None` before the first one.
    pub fn statistics(&self) -> Option<Statistics> {
        let mean: Vec<f64> = self.sums.iter().map(|sum| sum / self.n).collect();
        let squares = self.squares.iter().zip(&mean);
        let deviation = squares.map(|(square, mean)| (square / self.n - mean * mean).max(0.0).sqrt()).collect();
        (self.n > 0.0).then_some(Statistics { mean, deviation })
    }
}

impl Statistics {
    /// Mean and divisor as samples carry them.
    pub fn scale(&self) -> SpeakerScale {
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
        SpeakerScale { mean: narrow(self.mean.clone()), divisor: narrow(self.divisors()) }
    }

    fn divisors(&self) -> Vec<f64> {
        let divisor = |&deviation: &f64| if deviation > CONSTANT { deviation + EPSILON } else { 1.0 };
        self.deviation.iter().map(divisor).collect()
    }
}

/// Mean and divisor within a model: changes nothing until it is set.
#[derive(Module, Debug)]
pub struct Scale {
    /// `[width]`, not trained.
    mean: Param<Tensor<1>>,
    /// What is divided by, `[width]`, not trained.
    divisor: Param<Tensor<1>>,
}

impl Scale {
    /// For frames of `width` values.
    pub fn new(width: usize, init: &mut Init<'_>) -> Self {
        Self { mean: init.constant([width], 0.0).no_grad(), divisor: init.constant([width], 1.0).no_grad() }
    }

    /// Number of values of a frame.
    pub fn width(&self) -> usize {
        self.mean.dims()[0]
    }

    /// Normalizes by these statistics from now on.
    pub fn set(&mut self, statistics: &Statistics) {
        let device = self.mean.val().device();
        self.mean = replaced(&self.mean, &statistics.mean, &device);
        self.divisor = replaced(&self.divisor, &statistics.divisors(), &device);
    }

    /// The same by numbers from a file, of `what`.
    ///
    /// Errors when they are not as many as the values of a frame.
    pub(crate) fn set_measured(&mut self, what: &str, mean: &[f32], deviation: &[f32]) -> Result<(), ModelError> {
        let width = self.width();
        if mean.len() != width || deviation.len() != width {
            let reason = format!(
                "there are {} means and {} deviations of the {what} instead of {width} each",
                mean.len(),
                deviation.len()
            );
            return Err(ModelError::Config(reason));
        }
        let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect();
        self.set(&Statistics { mean: wide(mean), deviation: wide(deviation) });
        Ok(())
    }

    /// `[.., width]` to the same.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        (x - self.mean.val().unsqueeze()) / self.divisor.val().unsqueeze()
    }

    /// `[rows, steps, width]` to the same, rows with a scale of their own by that one.
    pub fn forward_rows(&self, x: Tensor<3>, own: Option<&RowScale>) -> Tensor<3> {
        let Some(RowScale { mean, divisor, common }) = own else { return self.forward(x) };
        let mean = mean.clone() + common.clone() * self.mean.val().unsqueeze();
        let divisor = divisor.clone() + common.clone() * self.divisor.val().unsqueeze();
        (x - mean.unsqueeze_dim::<3>(1)) / divisor.unsqueeze_dim::<3>(1)
    }
}

fn replaced(param: &Param<Tensor<1>>, values: &[f64], device: &Device) -> Param<Tensor<1>> {
    let narrow: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Param::initialized(param.id, Tensor::from_data(TensorData::new(narrow, [values.len()]), device))
}

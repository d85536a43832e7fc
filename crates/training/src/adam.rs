//! Adam (Kingma & Ba 2015), as `torch.optim.Adam` without weight decay.
//!
//! burn's own is not used because restoring its state puts tensors on the default device, which may be a GPU that is
//! compiled in but not there.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::{Recipe, TrainError, run};

/// Moments of every parameter that ever had a gradient, by its path in the module.
#[derive(Debug, Clone, Default)]
pub struct Adam {
    states: BTreeMap<String, State>,
}

#[derive(Debug, Clone)]
struct State {
    /// Steps that this parameter took, as PyTorch counts them.
    n_steps: usize,
    /// Running mean of the gradient, flat.
    mean: Tensor<1>,
    /// Running mean of the squared gradient, flat.
    square: Tensor<1>,
}

impl Adam {
    /// Moves every parameter that has a gradient.
    pub fn step<M: Module>(&mut self, recipe: &Recipe, learning_rate: f64, model: M, grads: GradientsParams) -> M {
        model.map(&mut Step { adam: self, recipe, learning_rate, grads, path: Vec::new() })
    }

    /// Writes the moments.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let damaged = |reason: String| TrainError::Damaged { reason, path: path.to_owned() };
        let mut tensors: Vec<(String, Vec<u8>)> = Vec::new();
        let mut steps = std::collections::HashMap::new();
        for (name, state) in &self.states {
            for (moment, tensor) in [("mean", &state.mean), ("square", &state.square)] {
                let values = tensor.clone().try_into_vec_as::<f32>().map_err(|error| damaged(error.to_string()))?;
                let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                tensors.push((format!("{name}:{moment}"), bytes));
            }
            steps.insert(name.clone(), state.n_steps.to_string());
        }
        let views = tensors
            .iter()
            .map(|(name, bytes)| Ok((name, TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|error| damaged(error.to_string()))?;
        let bytes = safetensors::serialize(views, Some(steps)).map_err(|error| damaged(error.to_string()))?;
        run::write_atomically(path, &bytes)
    }

    /// Reads moments written by [`Self::save`], to the device without autodiff.
    pub fn load(path: &Path, device: &Device) -> Result<Self, TrainError> {
        let damaged = |reason: String| TrainError::Damaged { reason, path: path.to_owned() };
        let bytes = std::fs::read(path).map_err(|source| TrainError::Read { path: path.to_owned(), source })?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let steps = metadata.metadata().clone().unwrap_or_default();
        let moment = |name: &str, moment: &str| -> Result<Tensor<1>, TrainError> {
            let view = file.tensor(&format!("{name}:{moment}")).map_err(|error| damaged(error.to_string()))?;
            let values: Vec<f32> = view
                .data()
                .chunks_exact(4)
                .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
                .collect();
            let n = values.len();
            Ok(Tensor::from_data(TensorData::new(values, [n]), device))
        };
        let states = steps
            .iter()
            .map(|(name, n_steps)| {
                let n_steps = n_steps.parse().map_err(|_| damaged(format!("{name} has no step count")))?;
                Ok((name.clone(), State { n_steps, mean: moment(name, "mean")?, square: moment(name, "square")? }))
            })
            .collect::<Result<_, TrainError>>()?;
        Ok(Self { states })
    }
}

struct Step<'a> {
    adam: &'a mut Adam,
    recipe: &'a Recipe,
    learning_rate: f64,
    grads: GradientsParams,
    path: Vec<String>,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.remove::<D>(param.id) else { return param };
        let dims = grad.dims();
        let n: usize = dims.iter().product();
        let grad = grad.reshape([n]);
        let Recipe { beta_1, beta_2, epsilon, .. } = *self.recipe;
        let (n_steps, mean, square) = match self.adam.states.remove(&self.path.join(".")) {
            Some(State { n_steps, mean, square }) => (n_steps + 1, mean.mul_scalar(beta_1), square.mul_scalar(beta_2)),
            None => (1, grad.zeros_like(), grad.zeros_like()),
        };
        let mean = mean + grad.clone().mul_scalar(1.0 - beta_1);
        let square = square + grad.square().mul_scalar(1.0 - beta_2);
        let steps = i32::try_from(n_steps).unwrap_or(i32::MAX);
        let (unbias_1, unbias_2) = (1.0 - beta_1.powi(steps), 1.0 - beta_2.powi(steps));
        let denominator = square.clone().div_scalar(unbias_2).sqrt().add_scalar(epsilon);
        let change = (mean.clone() / denominator).mul_scalar(self.learning_rate / unbias_1);
        self.adam.states.insert(self.path.join("."), State { n_steps, mean, square });
        param.map(|value| {
            let moved = value.clone().inner() - change.reshape(dims);
            Tensor::from_inner(moved).set_require_grad(value.is_require_grad())
        })
    }
}

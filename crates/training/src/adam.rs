//! Adam (Kingma & Ba 2015), as `torch.optim.Adam`, and AdamW (Loshchilov & Hutter 2019), as `torch.optim.AdamW`.
//!
//! burn's own is not used because restoring its state puts tensors on the default device, which may be a GPU that is
//! compiled in but not there.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use models::{Idle, Optimization, WeightDecay};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::{Recipe, TrainError, run};

/// Moments of every parameter that ever had a gradient, by its path in the module.
#[derive(Debug, Clone, Default)]
pub struct Adam {
    weight_decay: WeightDecay,
    idle: Idle,
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
    /// The same moments under a stage's rules.
    #[must_use]
    pub fn under(self, rules: &Optimization) -> Self {
        Self { weight_decay: rules.weight_decay, idle: rules.idle, ..self }
    }

    /// Moves every parameter that has a gradient, and trained ones without where they are to move on.
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

    /// Reads moments written by [`Self::save`], to the device without autodiff; the rules are not among them.
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
        Ok(Self { states, ..Self::default() })
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
        let grad = match self.grads.remove::<D>(param.id) {
            Some(grad) => grad,
            None if self.adam.idle == Idle::MovesOn && param.is_require_grad() => param.val().inner().zeros_like(),
            None => return param,
        };
        let dims = grad.dims();
        let n: usize = dims.iter().product();
        let mut grad = grad.reshape([n]);
        let weight = || param.val().inner().reshape([n]);
        let shrink = match self.adam.weight_decay {
            WeightDecay::None => 1.0,
            WeightDecay::L2 { rate } => {
                grad = grad + weight().mul_scalar(rate);
                1.0
            }
            WeightDecay::Decoupled { rate } => 1.0 - self.learning_rate * rate,
        };
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
            let moved = value.clone().inner().mul_scalar(shrink) - change.reshape(dims);
            Tensor::from_inner(moved).set_require_grad(value.is_require_grad())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use burn::tensor::Int;
    use emotion::{Frames, LabelSet, LogMel, Modalities, Sample, Voice};
    use models::mma_dfer::{MmaDfer, MmaDferConfig};
    use models::umbenet::{Umbenet, UmbenetConfig};
    use models::vavl::{FaceFeaturesConfig, Vavl, VavlConfig};
    use models::{EmotionModel, Outlook, SeeBatch};

    use super::*;

    /// Held by tests that draw: the device's random numbers are those of the whole process.
    static DRAWS: Mutex<()> = Mutex::new(());

    fn drawing() -> MutexGuard<'static, ()> {
        DRAWS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sample whose three modalities all depend on `seed` alone; every other word is in two of eight texts, since
    /// what is in one alone is not learned.
    fn sample(seed: usize) -> Sample {
        let byte = |i: usize| ((i / 7 + 1) * (seed + 3) * 41 % 253) as u8;
        let mel = (0..320 * 64).map(|i| (i % 64 * (seed + 1) % 11) as f32 / 2.0 - 8.0).collect();
        Sample {
            face: Some(Frames { size_px: 96, rgb: (0..4 * 96 * 96 * 3).map(byte).collect(), valid: vec![true; 4] }),
            voice: Some(Voice::LogMel(LogMel { n_bins: 64, values: mel, n_valid: 300 })),
            text: Some(format!("sentence {} of eight", seed % 4)),
            ..Sample::default()
        }
    }

    /// Trains on eight samples with ever other subsets of `of`, then expects every subset to be right on all of them.
    fn check_overfits<M: EmotionModel>(config: &M::Config, of: &[Modalities], rate: f64, n_steps: usize) {
        let _drawing = drawing();
        let device = Device::flex().autodiff();
        let labels = LabelSet::basic(4);
        let mut model = M::start_stage(config, &labels, 0, 1, &[], &device).unwrap();
        let (recipe, mut adam) = (Recipe::default(), Adam::default().under(&M::stages(config)[0].optimization));
        let samples: Vec<Sample> = (0..8).map(sample).collect();
        let samples: Vec<&Sample> = samples.iter().collect();
        let truths: Vec<i64> = (0..8).map(|i| i % 4).collect();
        let reader = M::reader(config);
        let still = device.clone().inner();
        let all_with = |modality, body: &mut SeeBatch<'_>| {
            body(&reader.batch(&samples, &[Modalities::only(modality); 8], &still)?)
        };
        model.calibrate(all_with).unwrap();
        let outlook = |model: &M, on: &[Modalities], device: &Device| -> Outlook {
            model.forward(config, &reader.batch(&samples, on, device).unwrap()).unwrap()
        };
        for step in 0..n_steps {
            // Dropout draws on the device.
            device.seed(step as u64);
            let on: Vec<Modalities> = (0..8).map(|row| of[(row + step) % of.len()]).collect();
            let outlook = outlook(&model, &on, &device);
            let target = Tensor::<1, Int>::from_ints(truths.as_slice(), &device);
            let loss = M::loss(&model, config, &outlook, target);
            let grads = GradientsParams::from_grads(loss.total.backward(), &model);
            model = adam.step(&recipe, rate, model.clone(), grads);
        }
        let (model, device) = (model.valid(), device.inner());
        for &on in of {
            let logits: Vec<f32> = outlook(&model, &[on; 8], &device).logits.try_into_vec_as().unwrap();
            let tops: Vec<i64> =
                logits.chunks(4).map(|row| (0..4).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as i64).collect();
            assert_eq!(tops, truths, "{on}");
        }
    }

    #[test]
    fn tiny_umbenet_overfits_eight_samples_with_any_modalities() {
        let config = UmbenetConfig { n_frames: 4, two_stage: false, ..UmbenetConfig::tiny() };
        check_overfits::<Umbenet>(&config, &Modalities::subsets(), 0.002, 250);
    }

    #[test]
    fn tiny_mma_dfer_overfits_eight_samples_with_face_or_voice() {
        let config = MmaDferConfig { n_frames: 4, ..MmaDferConfig::tiny() };
        let of = ["v", "a", "va"].map(|on| on.parse().unwrap());
        check_overfits::<MmaDfer>(&config, &of, 0.002, 300);
    }

    #[test]
    fn tiny_vavl_overfits_eight_samples_with_face_or_voice() {
        // What training drops is there against learning by heart, which is what this asks for.
        let face = FaceFeaturesConfig::Gradients { n_frames: 4, side_px: 96, dropout: 0.0 };
        let config = VavlConfig { face, ..VavlConfig::tiny() };
        let of = ["v", "a", "va"].map(|on| on.parse().unwrap());
        check_overfits::<Vavl>(&config, &of, 0.001, 300);
    }

    #[test]
    fn moments_survive_their_file() {
        let _drawing = drawing();
        let device = Device::flex().autodiff();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("adam.safetensors");
        let linear = burn::nn::LinearConfig::new(3, 2).init(&device);
        let step = |adam: &mut Adam, model: burn::nn::Linear| {
            let x = Tensor::<2>::from_floats([[1.0, -2.0, 0.5]], &device);
            let grads = GradientsParams::from_grads(model.forward(x).square().sum().backward(), &model);
            adam.step(&Recipe::default(), 0.1, model, grads)
        };
        let mut adam = Adam::default();
        let model = step(&mut adam, linear);
        adam.save(&path).unwrap();
        let mut restored = Adam::load(&path, &device.clone().inner()).unwrap();
        let values = |model: burn::nn::Linear| model.weight.val().try_into_vec_as::<f32>().unwrap();
        assert_eq!(values(step(&mut adam, model.clone())), values(step(&mut restored, model)));
    }

    /// After one step from 2 with a gradient of 1: Adam's step is the rate, whatever the size of the gradient.
    #[test]
    fn decoupled_decay_shrinks_weights_and_l2_turns_gradients() {
        let _drawing = drawing();
        let device = Device::flex().autodiff();
        let after = |weight_decay: WeightDecay, slope: f64| {
            let mut model = burn::nn::LinearConfig::new(1, 1).with_bias(false).init(&device);
            model.weight = model.weight.map(|weight| (weight.zeros_like() + 2.0).detach().require_grad());
            let x = Tensor::<2>::full([1, 1], slope, &device);
            let grads = GradientsParams::from_grads(model.forward(x).sum().backward(), &model);
            let rules = Optimization { weight_decay, ..Optimization::default() };
            let moved = Adam::default().under(&rules).step(&Recipe::default(), 0.1, model, grads);
            moved.weight.val().into_scalar::<f32>()
        };
        for (weight_decay, slope, want) in [
            (WeightDecay::None, 1.0, 1.9),
            (WeightDecay::Decoupled { rate: 0.5 }, 1.0, 2.0 * (1.0 - 0.1 * 0.5) - 0.1),
            (WeightDecay::L2 { rate: 0.5 }, 1.0, 1.9),
            // -0.5 + 0.5 · 2 is positive: the weight falls against its gradient.
            (WeightDecay::L2 { rate: 0.5 }, -0.5, 1.9),
            (WeightDecay::Decoupled { rate: 0.5 }, -0.5, 2.0 * (1.0 - 0.1 * 0.5) + 0.1),
        ] {
            let got = after(weight_decay, slope);
            assert!((got - want as f32).abs() < 1e-5, "{weight_decay:?} {slope}: {got}, should be {want}");
        }
    }

    /// Two steps: the first with a gradient, the second without.
    #[test]
    fn a_weight_without_a_gradient_stays_or_moves_on() {
        let _drawing = drawing();
        let device = Device::flex().autodiff();
        for (idle, want) in [(Idle::Stays, 0.9), (Idle::MovesOn, 0.9 - 0.1 * (0.9 / 1.9) / (0.999_f64 / 1.999).sqrt())]
        {
            let mut model = burn::nn::LinearConfig::new(1, 1).with_bias(false).init(&device);
            model.weight = model.weight.map(|weight| weight.ones_like().detach().require_grad());
            let mut adam = Adam::default().under(&Optimization { idle, ..Optimization::default() });
            let loss = model.forward(Tensor::<2>::ones([1, 1], &device)).sum();
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            let model = adam.step(&Recipe::default(), 0.1, model, grads);
            let model = adam.step(&Recipe::default(), 0.1, model, GradientsParams::new());
            let got = f64::from(model.weight.val().into_scalar::<f32>());
            assert!((got - want).abs() < 1e-5, "{idle:?}: {got}, should be {want}");
        }
    }

    #[test]
    fn the_first_step_is_as_long_as_the_rate() {
        let _drawing = drawing();
        let device = Device::flex().autodiff();
        let model = burn::nn::LinearConfig::new(4, 4).init(&device);
        let before: Vec<f32> = model.weight.val().try_into_vec_as().unwrap();
        let x = Tensor::<2>::full([8, 4], 0.75, &device);
        let grads = GradientsParams::from_grads(model.forward(x).sum().backward(), &model);
        let moved = Adam::default().step(&Recipe::default(), 0.01, model, grads);
        let after: Vec<f32> = moved.weight.val().try_into_vec_as().unwrap();
        for (before, after) in before.iter().zip(after) {
            assert!((before - after - 0.01).abs() < 1e-5, "{before} {after}");
        }
    }
}

//! What a preset costs: parameters, and the time and memory of a forward pass on one clip of full length.

use std::time::Instant;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Distribution, Int, Tensor};
use emotion::{Inputs, Modality, VoiceInput};
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, FaceBatch, FeatureBatch, Frozen, Reader, TextBatch, VoiceBatch};
use crate::{Config, DeviceId, EmotionModel, Init, ModelError, ModelKind, compute, with_model};

/// Classes of the model that is measured, as of DFEW.
const N_CLASSES: usize = 7;
const BYTES_PER_VALUE: u64 = 4;

/// What a preset costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Parameters, frozen ones included.
    pub n_parameters: usize,
    /// Parameters that training moves.
    pub n_trained: usize,
    /// Seconds of a forward pass, its first being left out.
    pub forward_secs: f64,
    /// Most memory that the process ever had, where the system tells.
    pub peak_bytes: Option<u64>,
    /// Memory that the process had before there was a model.
    pub rest_bytes: Option<u64>,
}

impl Cost {
    /// Memory of the pass over that of the weights alone, which no implementation can do without.
    pub fn peak_over_weights(&self) -> Option<f64> {
        let pass = self.peak_bytes?.saturating_sub(self.rest_bytes?);
        Some(pass as f64 / (self.n_parameters as u64 * BYTES_PER_VALUE) as f64)
    }
}

/// What a paper says of a preset's size, and where; the paper itself where it says nothing.
pub fn claim(model: ModelKind, preset: &str) -> &'static str {
    match (model, preset) {
        (ModelKind::MmaDfer, "paper") => "7.5 M trained (Chumachenko et al. 2024, table 6)",
        (ModelKind::Vavl, "paper") => {
            "86 M without extractors (Goncalves et al. 2024, §4), which are 5 layers a branch"
        }
        _ => "–",
    }
}

/// Builds a model with random weights and runs it twice on a clip of random numbers, alone in its process if the memory
/// shall mean anything.
pub fn measure(config: &Config) -> Result<Cost, ModelError> {
    let rest_bytes = memory("VmRSS");
    let device = compute::open(&DeviceId::Cpu)?;
    with_model!(config, M, config => {
        let (n_parameters, n_trained) = count(&M::build(config, N_CLASSES, &mut Init::empty(&device.clone().autodiff())));
        let model = M::build(config, N_CLASSES, &mut Init::new(0, &device));
        let batch = clip(&M::reader(config), &device);
        model.forward(config, &batch)?;
        let start = Instant::now();
        let outlook = model.forward(config, &batch)?;
        outlook.logits.try_into_data().map_err(|error| ModelError::Compute(error.to_string()))?;
        let forward_secs = start.elapsed().as_secs_f64();
        Ok(Cost { n_parameters, n_trained, forward_secs, peak_bytes: memory("VmHWM"), rest_bytes })
    })
}

/// A clip that has everything that a model reads, at full length.
fn clip(reader: &Reader, device: &Device) -> Batch {
    let Inputs { face, voice, text, features } = &reader.inputs;
    let even = Distribution::Uniform(-1.0, 1.0);
    let present = Modality::ALL.map(|modality| f32::from(u8::from(reader.inputs.modalities().contains(modality))));
    let face = face.map(|face| FaceBatch {
        rows: vec![0],
        frames: Tensor::random([1, face.n_frames, 3, face.size_px, face.size_px], even, device),
        valid: Tensor::ones([1, face.n_frames], device),
    });
    let voice = voice.map(|voice| {
        let (shape, length) = match voice {
            VoiceInput::Waveform { n_samples, .. } => ([1, 1, n_samples], n_samples),
            VoiceInput::LogMel { n_frames, n_bins, .. } => ([1, n_frames, n_bins], n_frames),
        };
        let valid = Tensor::ones([1, length], device);
        VoiceBatch { rows: vec![0], values: Tensor::random(shape, even, device), valid }
    });
    let text = text.map(|text| TextBatch {
        rows: vec![0],
        tokens: Tensor::<2, Int>::ones([1, text.max_tokens], device),
        end: vec![text.max_tokens - 1],
    });
    let features = features.iter().map(|input| {
        let length = input.n_steps + input.n_after;
        let valid = Tensor::ones([1, length], device);
        let values = Tensor::random([1, length, input.n_dims], even, device);
        FeatureBatch { modality: input.modality, rows: vec![0], values, valid, own_scale: None }
    });
    let scene = face.clone().filter(|_| reader.face_as_scene);
    let present = Tensor::from_floats([present], device);
    Batch { present, face, scene, voice, text, features: features.collect(), frozen: Frozen::default() }
}

/// Parameters of a module, and those among them that training moves.
fn count<M: Module>(module: &M) -> (usize, usize) {
    struct Counter(usize, usize);
    impl ModuleVisitor for Counter {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let n = param.lazy_shape().num_elements();
            self.0 += n;
            self.1 += if param.is_require_grad() { n } else { 0 };
        }
    }
    let mut counter = Counter(0, 0);
    module.visit(&mut counter);
    (counter.0, counter.1)
}

/// A number of bytes that the system keeps about this process.
fn memory(what: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_mma_dfer_trains_as_many_parameters_as_its_paper_says() {
        let Config::MmaDfer(config) = ModelKind::MmaDfer.preset("paper").unwrap() else { panic!("MMA-DFER") };
        let device = Device::flex().autodiff();
        let model = crate::mma_dfer::MmaDfer::build(&config, N_CLASSES, &mut Init::empty(&device));
        let (all, trained) = count(&model);
        assert_eq!(trained, 7_519_519);
        assert!(all > trained);
    }

    #[test]
    fn a_tiny_preset_is_measured() {
        let cost = measure(&ModelKind::Mult.preset("tiny").unwrap()).unwrap();
        assert!((1..=cost.n_parameters).contains(&cost.n_trained) && cost.forward_secs > 0.0, "{cost:?}");
        if cfg!(target_os = "linux") {
            assert!(cost.peak_bytes.unwrap() >= cost.rest_bytes.unwrap());
        }
    }
}

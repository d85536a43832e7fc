//! What the definition promises, for every ablation; the numbers are compared in `tests/parity`.

use burn::module::{Module as _, ModuleMapper, ModuleVisitor};
use burn::optim::GradientsParams;
use emotion::{Frames, LogMel, Modalities, Modality, Sample, Voice};

use super::*;
use crate::encoders::vit::BlockSize;
use crate::{Keep, Schedule, StageInput, WeightDecay, export};

const FUSIONS: [Fusion; 5] =
    [Fusion::None, Fusion::Bottleneck, Fusion::Add, Fusion::CrossAttention, Fusion::JointAttention];

fn small() -> MmaDferConfig {
    MmaDferConfig {
        n_frames: 3,
        width: 8,
        depth: 2,
        heads: 2,
        mlp_ratio: 2,
        drop_path: 0.0,
        prompt_update_every: 1,
        prompt_tokens_per_update: 1,
        latent: 4,
        temporal_dim: 8,
        temporal_heads: 2,
        temporal_head_width: 4,
        temporal_mlp: 8,
        face: FaceEncoderConfig::Patches { side_px: 8, patch_px: 4 },
        voice: VoiceEncoderConfig::Patches { rate_hz: 16_000, n_frames: 8, n_bins: 4, patch: 4 },
        ..MmaDferConfig::paper()
    }
}

/// A model whose gates are open, so that what is exchanged shows.
fn open_model(config: &MmaDferConfig, device: &Device) -> MmaDfer {
    config.check().unwrap();
    let mut init = Init::new(5, device);
    let mut model = MmaDfer::new(config, 3, &mut init);
    for layer in &mut model.fusion {
        layer.face_gate = init.constant([1], 0.8);
        layer.voice_gate = init.constant([1], -0.6);
    }
    model
}

fn sample(seed: usize) -> Sample {
    let byte = |i: usize| (i * (seed + 1) * 37 % 251) as u8;
    let mel = (0..8 * 4).map(|i| f32::from(byte(i)) / 20.0 - 10.0).collect();
    Sample {
        face: Some(Frames { size_px: 8, rgb: (0..3 * 8 * 8 * 3).map(byte).collect(), valid: vec![true; 3] }),
        voice: Some(Voice::LogMel(LogMel { n_bins: 4, values: mel, n_valid: 8 })),
        ..Sample::default()
    }
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().detach().try_into_vec_as().unwrap()
}

fn logits(model: &MmaDfer, config: &MmaDferConfig, samples: &[(Sample, &str)]) -> Vec<f32> {
    let on: Vec<Modalities> = samples.iter().map(|(_, on)| on.parse().unwrap()).collect();
    let samples: Vec<&Sample> = samples.iter().map(|(sample, _)| sample).collect();
    let batch = config.reader().batch(&samples, &on, &model.joint.weight.device()).unwrap();
    values(&model.forward(config, &batch).unwrap().logits)
}

#[test]
fn the_rest_of_the_batch_does_not_matter_whatever_it_lacks() {
    let device = Device::flex();
    for fusion in FUSIONS {
        for temporal in [Temporal::Transformer, Temporal::Mean] {
            let config = MmaDferConfig { fusion, temporal, ..small() };
            let model = open_model(&config, &device);
            let clips = || [(sample(1), "v"), (sample(2), "va"), (sample(3), "a"), (sample(4), "va")];
            let together = logits(&model, &config, &clips());
            for (row, clip) in clips().into_iter().enumerate() {
                let alone = logits(&model, &config, &[clip]);
                for (alone, together) in alone.iter().zip(&together[row * 3..]) {
                    assert!((alone - together).abs() < 1e-4, "{fusion:?} {temporal:?} {row}: {alone} {together}");
                }
            }
        }
    }
}

#[test]
fn what_is_switched_off_has_no_influence_and_what_is_on_has() {
    let device = Device::flex();
    for fusion in FUSIONS {
        let config = MmaDferConfig { fusion, ..small() };
        let model = open_model(&config, &device);
        let other_face = Sample { face: sample(9).face, ..sample(1) };
        let no_face = Sample { face: None, ..sample(1) };
        let of = |sample: Sample, on| logits(&model, &config, &[(sample, on)]);
        assert_eq!(of(sample(1), "a"), of(other_face.clone(), "a"), "{fusion:?}");
        assert_eq!(of(sample(1), "a"), of(no_face, "va"), "{fusion:?}");
        assert_ne!(of(sample(1), "va"), of(other_face, "va"), "{fusion:?}");
        assert_ne!(of(sample(1), "va"), of(sample(1), "v"), "{fusion:?}");
    }
}

#[test]
fn closed_gates_are_no_fusion() {
    let device = Device::flex();
    let with = MmaDfer::new(&small(), 3, &mut Init::new(5, &device));
    let without = MmaDfer { fusion: Vec::new(), ..with.clone() };
    let of = |model: &MmaDfer| logits(model, &small(), &[(sample(1), "va")]);
    assert_eq!(of(&with), of(&without));
}

/// The loss of two clips, one of them without a voice.
fn loss(model: &MmaDfer, config: &MmaDferConfig) -> Tensor<1> {
    let device = model.joint.weight.device();
    let on = ["va", "v"].map(|on| on.parse().unwrap());
    let batch = config.reader().batch(&[&sample(1), &sample(2)], &on, &device).unwrap();
    let outlook = model.forward(config, &batch).unwrap();
    model.loss(config, &outlook, Tensor::<1, burn::tensor::Int>::from_ints([2, 0], &device)).total
}

/// Moves every trainable parameter by `step` times a direction that follows from `seed`, and notes the slope along it.
struct Along<'a> {
    step: f64,
    init: Init<'a>,
    grads: Option<&'a GradientsParams>,
    slope: f64,
}

impl ModuleMapper for Along<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !param.is_require_grad() {
            return param;
        }
        let direction = self.init.normal(param.dims(), 1.0).val().inner();
        if let Some(grad) = self.grads.and_then(|grads| grads.get::<D>(param.id)) {
            let along: f32 = (grad * direction.clone()).sum().into_scalar();
            self.slope += f64::from(along);
        }
        param.map(|value| Tensor::from_inner(value.inner() + direction.mul_scalar(self.step)).require_grad())
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let device = Device::flex().autodiff();
    for fusion in FUSIONS {
        for frozen_encoders in [true, false] {
            let config = MmaDferConfig { fusion, frozen_encoders, ..small() };
            let model = open_model(&config, &device);
            let grads = GradientsParams::from_grads(loss(&model, &config).backward(), &model);
            let along = |step: f64, grads| Along { step, init: Init::new(7, &device), grads, slope: 0.0 };
            let mut still = along(0.0, Some(&grads));
            model.clone().map(&mut still);
            let at = |step: f64| f64::from(values(&loss(&model.clone().map(&mut along(step, None)), &config))[0]);
            // Large enough for single precision, small enough for a straight line.
            let step = 2e-3;
            let slope = (at(step) - at(-step)) / (2.0 * step);
            let error = (slope - still.slope).abs() / still.slope.abs().max(1.0);
            assert!(
                error < 0.02,
                "{fusion:?} {frozen_encoders}: {slope} along the direction, {} by gradients",
                still.slope
            );
        }
    }
}

/// Names of the parameters with and without a gradient.
struct Moves<'a> {
    grads: &'a GradientsParams,
    path: Vec<String>,
    moved: Vec<String>,
    still: Vec<String>,
}

impl ModuleVisitor for Moves<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        if self.grads.get::<D>(param.id).is_some() { self.moved.push(name) } else { self.still.push(name) }
    }
}

#[test]
fn exactly_the_published_parameters_learn() {
    let device = Device::flex().autodiff();
    let config = small();
    let model = open_model(&config, &device);
    let grads = GradientsParams::from_grads(loss(&model, &config).backward(), &model);
    let mut moves = Moves { grads: &grads, path: Vec::new(), moved: Vec::new(), still: Vec::new() };
    model.visit(&mut moves);
    let is_encoder =
        |name: &String| (name.starts_with("face.") || name.starts_with("voice.")) && !name.ends_with(".pos_embed");
    assert!(!moves.moved.iter().any(is_encoder), "{:?}", moves.moved);
    let idle: Vec<&String> = moves.still.iter().filter(|name| !is_encoder(name)).collect();
    assert!(idle.iter().all(|name| name.contains("idle_norm")), "{idle:?}");
}

#[test]
fn blocks_are_left_out_in_training_only() {
    let device = Device::flex().autodiff();
    let config = MmaDferConfig { drop_path: 0.5, ..small() };
    let model = open_model(&config, &device);
    device.seed(1);
    let of = |model: &MmaDfer| logits(model, &config, &[(sample(1), "va"), (sample(2), "va")]);
    let drawn: Vec<Vec<f32>> = (0..8).map(|_| of(&model)).collect();
    assert!(drawn.iter().any(|other| *other != drawn[0]));
    assert_eq!(of(&model.valid()), of(&model.valid()));
}

#[test]
fn training_starts_from_the_published_encoders() {
    let device = Device::flex().autodiff();
    let dir = tempfile::tempdir().unwrap();
    let blocks = BlockSize { width: 8, depth: 2, heads: 2, mlp_ratio: 2, drop_path: 0.0 };
    let mut init = Init::new(9, &device);
    let published = |size: VitSize| VitSize { patch: 4, blocks, ..size };
    let face = Vit::new(published(VitSize::MAE_FACE), &mut init);
    let voice = Vit::new(published(VitSize::AUDIO_MAE), &mut init);
    let (mae_face, audiomae) = (dir.path().join("face.safetensors"), dir.path().join("voice.safetensors"));
    export(&face, &mae_face, &[]).unwrap();
    export(&voice, &audiomae, &[]).unwrap();
    let labels = LabelSet::basic(3);
    let start = |config: &MmaDferConfig| MmaDfer::start_stage(config, &labels, 0, 1, &[], &device);

    let config = MmaDferConfig { mae_face, audiomae, ..small() };
    let model = start(&config).unwrap();
    assert_eq!(values(&model.face.blocks[1].mlp.fc1.weight.val()), values(&face.blocks[1].mlp.fc1.weight.val()));
    let positions = values(&model.voice.pos_embed.val());
    assert_eq!(positions[..3 * 8], values(&voice.positions([2, 1]))[..], "class token and two patches");
    assert_eq!(positions.len(), (3 + 2) * 8, "and two prompts");
    assert!(model.face.pos_embed.is_require_grad() && !model.face.cls_token.is_require_grad());
    let Config::MmaDfer(kept) = MmaDfer::config_at(&config, 0) else { panic!("{config:?}") };
    assert_eq!(kept.mae_face, PathBuf::new(), "a kept model does not tell where files were");

    let error = start(&MmaDferConfig { mae_face: PathBuf::new(), ..config.clone() }).unwrap_err().to_string();
    assert!(error.contains("mae_face"), "{error}");
    let swapped = MmaDferConfig { mae_face: config.audiomae.clone(), ..config };
    let error = start(&swapped).unwrap_err().to_string();
    assert!(error.contains("misshapen") && error.contains("pos_embed"), "{error}");
}

#[test]
fn the_plan_is_the_paper_s() {
    let plan = MmaDfer::stages(&MmaDferConfig::paper()).remove(0);
    assert_eq!((plan.input, plan.n_epochs, plan.learning_rate), (StageInput::All, 25, 1e-4));
    assert_eq!(plan.optimization.weight_decay, WeightDecay::Decoupled { rate: 0.01 });
    assert_eq!((plan.optimization.schedule, plan.optimization.keep), (Schedule::Cosine, Keep::Last));
    let inputs = MmaDferConfig::paper().reader().inputs;
    assert_eq!(inputs.modalities(), Modalities::ALL.with(Modality::Text, false));
}

#[test]
fn impossible_configurations_are_refused() {
    for config in [
        MmaDferConfig { heads: 3, ..small() },
        MmaDferConfig { prompt_update_every: 3, ..small() },
        MmaDferConfig { prompt_update_every: 0, prompts: Prompts::None, ..small() },
        MmaDferConfig { fusion: Fusion::CrossAttention, latent: 3, ..small() },
        MmaDferConfig { face: FaceEncoderConfig::Patches { side_px: 10, patch_px: 4 }, ..small() },
        MmaDferConfig { keep_probability: 0.0, ..small() },
        MmaDferConfig { drop_path: 1.0, ..small() },
        MmaDferConfig { weight_decay: f64::NAN, ..small() },
        MmaDferConfig { learning_rate: f64::INFINITY, ..small() },
    ] {
        assert!(config.check().is_err(), "{config:?}");
    }
    for config in [small(), MmaDferConfig::tiny(), MmaDferConfig::paper()] {
        config.check().unwrap();
    }
}

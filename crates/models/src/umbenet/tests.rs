//! The properties that the definition of the paper mode promises; its numbers are checked by the reference cases.

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::*;
use crate::encoders::audio_cnn::AudioCnnSize;
use crate::import;

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().detach().try_into_vec_as().unwrap()
}

fn tiny() -> (UmbenetConfig, Umbenet, Device) {
    let device = Device::flex();
    let config = UmbenetConfig::tiny();
    let model = Umbenet::new(&config, 3, config.pool_size, &mut Init::new(5, &device));
    (config, model, device)
}

fn sample(seed: u8) -> emotion::Sample {
    let byte = |i: usize| (i * usize::from(seed) * 37 % 251) as u8;
    let mel = (0..320 * 64).map(|i| f32::from(byte(i)) / 20.0 - 10.0).collect();
    emotion::Sample {
        face: Some(emotion::Frames {
            size_px: 96,
            rgb: (0..16 * 96 * 96 * 3).map(byte).collect(),
            valid: vec![true; 16],
        }),
        voice: Some(emotion::Voice::LogMel(emotion::LogMel { n_bins: 64, values: mel, n_valid: 300 })),
        text: Some(format!("word number {seed}")),
        ..emotion::Sample::default()
    }
}

#[test]
fn the_rest_of_the_batch_does_not_matter() {
    let (config, model, device) = tiny();
    let reader = config.reader();
    let logits = |samples: &[&emotion::Sample]| {
        let on = vec![emotion::Modalities::ALL; samples.len()];
        let batch = reader.batch(samples, &on, &device).unwrap();
        values(&model.forward(&config, &batch).unwrap().logits)
    };
    let (a, b, c) = (sample(1), sample(2), sample(3));
    let (alone, together) = (logits(&[&b]), logits(&[&a, &b, &c]));
    for (alone, together) in alone.iter().zip(&together[3..6]) {
        assert!((alone - together).abs() < 1e-4, "{alone} {together}");
    }
}

#[test]
fn what_is_switched_off_has_no_influence() {
    let (config, model, device) = tiny();
    let reader = config.reader();
    let logits = |sample: &emotion::Sample| {
        let batch = reader.batch(&[sample], &["at".parse().unwrap()], &device).unwrap();
        values(&model.forward(&config, &batch).unwrap().logits)
    };
    let sample_1 = sample(1);
    let other_face = emotion::Sample { face: sample(9).face, ..sample_1.clone() };
    let no_face = emotion::Sample { face: None, ..sample_1.clone() };
    assert_eq!(logits(&sample_1), logits(&other_face));
    assert_eq!(logits(&sample_1), logits(&no_face));
}

#[test]
fn keys_learn_exactly_when_they_are_pulled() {
    for (pull, learns) in [(0.5, true), (0.0, false)] {
        let device = Device::flex().autodiff();
        let config = UmbenetConfig { pull, ..UmbenetConfig::tiny() };
        let model = Umbenet::new(&config, 3, config.pool_size, &mut Init::new(5, &device));
        let batch = config.reader().batch(&[&sample(1)], &[emotion::Modalities::ALL], &device).unwrap();
        let outlook = model.forward(&config, &batch).unwrap();
        let loss = model.loss(&config, &outlook, Tensor::<1, Int>::from_ints([1], &device));
        let grads = GradientsParams::from_grads(loss.total.backward(), &model);
        let moved = grads.get::<2>(model.prompt_pool.prompt_key.id).is_some_and(|grad| {
            let norm: f32 = grad.abs().sum().into_scalar();
            norm > 0.0
        });
        assert_eq!(moved, learns, "pull {pull}");
    }
}

#[test]
fn weights_of_another_model_are_refused_by_name() {
    let (_, model, device) = tiny();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    crate::export(&model, &path, RENAMES).unwrap();
    let mut same = Umbenet::new(&UmbenetConfig::tiny(), 3, 18, &mut Init::new(6, &device));
    import(&mut same, &path, RENAMES).unwrap();
    assert_eq!(values(&same.prompt_pool.ctx.val()), values(&model.prompt_pool.ctx.val()));
    let mut wider = Umbenet::new(&UmbenetConfig::tiny(), 4, 18, &mut Init::new(6, &device));
    let error = import(&mut wider, &path, RENAMES).unwrap_err().to_string();
    assert!(error.contains("token_suffix") && error.contains("misshapen"), "{error}");
}

#[test]
fn the_same_seed_makes_the_same_model() {
    let device = Device::flex();
    let config = UmbenetConfig::tiny();
    let make = |seed| Umbenet::new(&config, 3, 9, &mut Init::new(seed, &device));
    let key = |model: &Umbenet| values(&model.prompt_pool.prompt_key.val());
    assert_eq!(key(&make(1)), key(&make(1)));
    assert_ne!(key(&make(1)), key(&make(2)));
    assert_eq!(make(1).num_params(), make(2).num_params());
}

/// The paper's variant and the released code's, both with small encoders.
fn variants() -> [UmbenetConfig; 2] {
    let paper = UmbenetConfig { fusion_layers: 1, ..UmbenetConfig::tiny() };
    let released = UmbenetConfig {
        tokens: Token::released(),
        lstm: true,
        batch_selection: true,
        gate_width: 0,
        pull: 0.0,
        ..paper.clone()
    };
    [paper, released]
}

#[test]
fn every_preset_can_be_had() {
    let kind = crate::ModelKind::Umbenet;
    for name in kind.presets() {
        kind.preset(name).unwrap().check().unwrap();
    }
    for config in variants() {
        config.check().unwrap();
    }
    let no_scene = UmbenetConfig { lstm: true, ..UmbenetConfig::tiny() };
    assert!(no_scene.check().is_err());
}

#[test]
fn in_the_released_variant_the_rest_of_the_batch_matters() {
    let device = Device::flex();
    let [_, config] = variants();
    let mut config = UmbenetConfig { top_k: 1, ..config };
    let model = Umbenet::new(&config, 3, config.pool_size, &mut Init::new(5, &device));
    let mut chosen = |batch_selection: bool, samples: &[&emotion::Sample]| {
        config.batch_selection = batch_selection;
        let on = vec![emotion::Modalities::ALL; samples.len()];
        let batch = config.reader().batch(samples, &on, &device).unwrap();
        model.forward(&config, &batch).unwrap().selection.unwrap().chosen
    };
    let samples: Vec<emotion::Sample> = (1..9).map(sample).collect();
    let all: Vec<&emotion::Sample> = samples.iter().collect();
    let alone: Vec<Vec<usize>> = samples.iter().flat_map(|sample| chosen(false, &[sample])).collect();
    assert_eq!(chosen(false, &all), alone);
    assert!(alone.iter().any(|prompts| *prompts != alone[0]), "samples differ in what they activate: {alone:?}");
    let together = chosen(true, &all);
    assert!(together.iter().all(|prompts| *prompts == together[0]));
}

#[test]
fn the_scene_is_masked_where_it_is_absent() {
    let device = Device::flex();
    let config = UmbenetConfig { lstm: false, ..variants()[1].clone() };
    let model = Umbenet::new(&config, 3, config.pool_size, &mut Init::new(5, &device));
    let on = [emotion::Modalities::ALL];
    let batch = config.reader().batch(&[&sample(1)], &on, &device).unwrap();
    let fused = |batch: &Batch| values(&model.forward(&config, batch).unwrap().fused);
    let without = Batch { scene: None, ..batch.clone() };
    assert_eq!(values(&model.present(&config, &without)), [1.0, 0.0, 1.0, 1.0]);
    assert_ne!(fused(&batch), fused(&without));
}

#[test]
fn beside_a_scene_an_lstm_makes_a_token_of_an_absent_face_and_it_is_masked() {
    let device = Device::flex();
    let config = variants()[1].clone();
    let model = Umbenet::new(&config, 3, config.pool_size, &mut Init::new(5, &device));
    let batch = config.reader().batch(&[&sample(1)], &[emotion::Modalities::ALL], &device).unwrap();
    let face = |batch: &Batch| values(&model.tokens(&config, batch).narrow(1, 0, 1));
    let without = Batch { face: None, ..batch.clone() };
    assert!(face(&without).iter().any(|&value| value != 0.0));
    assert_ne!(face(&without), face(&batch));
    let neither = Batch { scene: None, ..without.clone() };
    assert!(face(&neither).iter().all(|&value| value == 0.0));
    let no_face = Batch { present: Tensor::from_floats([[0.0, 1.0, 1.0]], &device), ..without };
    assert_eq!(values(&model.present(&config, &no_face))[0], 0.0);
}

/// The loss of two samples that differ in what they lack.
fn loss_of(model: &Umbenet, config: &UmbenetConfig, device: &Device) -> Tensor<1> {
    let on = ["vat".parse().unwrap(), "vt".parse().unwrap(), "a".parse().unwrap()];
    // Dropout draws on the device.
    device.seed(3);
    let batch = config.reader().batch(&[&sample(1), &sample(2), &sample(3)], &on, device).unwrap();
    let outlook = model.forward(config, &batch).unwrap();
    model.loss(config, &outlook, Tensor::<1, Int>::from_ints([2, 0, 1], device)).total
}

/// Moves every parameter that learns by `step` times a direction of its own, and adds up the slope along it.
struct Along<'a> {
    step: f64,
    directions: Init<'a>,
    grads: &'a GradientsParams,
    slope: f64,
}

impl burn::module::ModuleMapper for Along<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.get::<D>(param.id) else { return param };
        let direction = self.directions.normal(param.dims(), 1.0).val().inner();
        self.slope += f64::from((grad * direction.clone()).sum().into_scalar::<f32>());
        param.map(|value| Tensor::from_inner(value.inner() + direction.mul_scalar(self.step)).require_grad())
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let device = Device::flex().autodiff();
    for config in variants() {
        let model = Umbenet::new(&config, 3, config.pool_size, &mut Init::new(5, &device));
        let grads = GradientsParams::from_grads(loss_of(&model, &config, &device).backward(), &model);
        let along = |step: f64| {
            let mut along = Along { step, directions: Init::new(7, &device), grads: &grads, slope: 0.0 };
            let moved = model.clone().map(&mut along);
            (f64::from(values(&loss_of(&moved, &config, &device))[0]), along.slope)
        };
        // Large enough for single precision, small enough for a straight line and the same prompts.
        let step = 5e-5;
        let ((above, slope), (below, _)) = (along(step), along(-step));
        let got = (above - below) / (2.0 * step);
        assert!((got - slope).abs() < 0.03 * slope.abs().max(1.0), "{got} along the direction, {slope} by gradients");
    }
}

/// Names of the parameters without a gradient.
struct Still<'a> {
    grads: &'a GradientsParams,
    path: Vec<String>,
    names: Vec<String>,
}

impl burn::module::ModuleVisitor for Still<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.grads.get::<D>(param.id).is_none() {
            self.names.push(self.path.join("."));
        }
    }
}

#[test]
fn everything_learns_but_temperature_scales_and_keys_that_nothing_pulls() {
    let device = Device::flex().autodiff();
    for config in variants() {
        let model = Umbenet::new(&config, 3, config.pool_size, &mut Init::new(5, &device));
        let grads = GradientsParams::from_grads(loss_of(&model, &config, &device).backward(), &model);
        let mut still = Still { grads: &grads, path: Vec::new(), names: Vec::new() };
        model.visit(&mut still);
        // Scales of the small encoders are measured, not learned.
        still.names.retain(|name| !name.contains("_encoder.Tiny."));
        let expected: &[&str] =
            if config.pull > 0.0 { &["logit_scale"] } else { &["prompt_pool.prompt_key", "logit_scale"] };
        assert_eq!(still.names, expected);
    }
}

#[test]
fn sizes_that_leave_nothing_are_refused() {
    let (tiny, compat) = (UmbenetConfig::tiny(), UmbenetConfig::official_compat());
    let VoiceEncoderConfig::Cnn { rate_hz, cnn } = compat.voice else { panic!("the released code has the CNN") };
    let short = VoiceEncoderConfig::Cnn { rate_hz, cnn: AudioCnnSize { n_samples: 100, ..cnn } };
    let words = TextEncoderConfig::Tiny { n_buckets: 2, channels: 8, max_tokens: 8 };
    for (config, word) in [
        (UmbenetConfig { voice: short, ..compat.clone() }, "voice.cnn.n_samples"),
        (UmbenetConfig { text: words, ..tiny.clone() }, "text.n_buckets"),
        (UmbenetConfig { logit_scale: 0.0, ..tiny.clone() }, "logit_scale"),
        (UmbenetConfig { clip: "weights.pt".into(), ..tiny.clone() }, "weights.pt"),
        (UmbenetConfig { learning_rate: f64::INFINITY, ..tiny.clone() }, "learning_rate"),
        (UmbenetConfig { n_frames: 17, ..tiny.clone() }, "1 to 16"),
    ] {
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    for config in [tiny, compat] {
        config.check().unwrap();
    }
}

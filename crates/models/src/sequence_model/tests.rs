//! What both models on sequences promise: they learn, every parameter with them, and who lacks a modality shows none.

use std::collections::BTreeSet;

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::Int;
use emotion::{Frames, LogMel, Sample, Voice};

use super::*;
use crate::SeeBatch;
use crate::encoders::feature_sequences::StreamSize;
use crate::layers::crossmodal::DropRates;
use crate::mcr::{McrClassifier, McrConfig, McrSize};
use crate::mult::{MultClassifier, MultConfig, MultSize};

fn size() -> SequenceSize {
    SequenceSize {
        n_dims: 8,
        n_frames: 3,
        side_px: 16,
        face_hidden: 8,
        voice_hidden: 8,
        mel_frames: 12,
        n_bins: 4,
        frames_per_step: 3,
        n_buckets: 64,
        max_words: 5,
        face_dropout: 0.0,
        dropout: 0.0,
        ..SequenceSize::tiny()
    }
}

fn sequences() -> SequenceSource {
    SequenceSource::Encoders(size())
}

fn mcr() -> McrConfig {
    let network = McrSize { width: 8, n_heads: 2, dropout: DropRates::NONE, ..McrConfig::tiny().network };
    McrConfig { network, sequences: sequences(), ..McrConfig::tiny() }
}

fn mult() -> MultConfig {
    let network = MultSize { width: 8, n_heads: 2, n_layers: 1, dropout: DropRates::NONE, ..MultSize::paper() };
    MultConfig { network, sequences: sequences(), ..MultConfig::tiny() }
}

/// A sample whose three modalities all depend on `seed` alone.
fn sample(seed: usize) -> Sample {
    let byte = |i: usize| ((i / 7 + 1) * (seed + 3) * 41 % 253) as u8;
    let mel = (0..12 * 4).map(|i| (i % 4 * (seed + 1) % 11) as f32 - 8.0).collect();
    Sample {
        face: Some(Frames {
            size_px: 16,
            rgb: (0..3 * 16 * 16 * 3).map(byte).collect(),
            valid: vec![true, true, seed.is_multiple_of(2)],
        }),
        voice: Some(Voice::LogMel(LogMel { n_bins: 4, values: mel, n_valid: 8 })),
        text: Some(format!("sentence {seed} of eight")),
        ..Sample::default()
    }
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().detach().try_into_vec_as().unwrap()
}

/// The loss of `model` on samples of which each has what `on` says.
fn loss<N: SequenceNetwork>(
    config: &SequenceConfig<N::Size>,
    model: &SequenceClassifier<N>,
    on: &[Modalities],
    device: &Device,
) -> Tensor<1> {
    let samples: Vec<Sample> = (0..on.len()).map(sample).collect();
    let samples: Vec<&Sample> = samples.iter().collect();
    let batch = SequenceClassifier::<N>::reader(config).batch(&samples, on, device).unwrap();
    let truths: Vec<i64> = (0..on.len() as i64).map(|row| row % 4).collect();
    let outlook = model.forward(config, &batch).unwrap();
    model.loss(config, &outlook, Tensor::<1, Int>::from_ints(truths.as_slice(), device)).total
}

fn overfits<N: SequenceNetwork>(config: &SequenceConfig<N::Size>) {
    let device = Device::flex().autodiff();
    let mut model = SequenceClassifier::<N>::build(config, 4, &mut Init::new(3, &device));
    let mut adam = AdamConfig::new().init();
    let on = |step: usize| -> Vec<Modalities> { (0..8).map(|row| Modalities::subsets()[(row + step) % 7]).collect() };
    for step in 0..250 {
        let loss = loss(config, &model, &on(step), &device);
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = adam.step(0.003, model, grads);
    }
    let (model, device) = (model.valid(), device.inner());
    for step in 0..7 {
        let [loss] = values(&loss(config, &model, &on(step), &device))[..] else { panic!("one loss") };
        assert!(loss < 0.1, "{loss} with the modalities {:?}", on(step));
    }
}

#[test]
fn mcr_overfits_eight_samples_with_any_modalities() {
    overfits::<crate::mcr::Mcr>(&mcr());
}

#[test]
fn mult_overfits_eight_samples_with_any_modalities() {
    overfits::<crate::mult::Mult>(&mult());
}

/// Names of all parameters, those that have a gradient other than zero, and the squared norm of all gradients.
struct Gradients<'a> {
    grads: &'a GradientsParams,
    path: Vec<String>,
    all: BTreeSet<String>,
    moving: BTreeSet<String>,
    square: f64,
}

impl ModuleVisitor for Gradients<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        let square: f32 = self.grads.get::<D>(param.id).map_or(0.0, |grad| grad.square().sum().into_scalar());
        self.all.insert(name.clone());
        if square > 0.0 {
            self.moving.insert(name);
        }
        self.square += f64::from(square);
    }
}

/// Moves every parameter along its gradient.
struct Along<'a> {
    grads: &'a GradientsParams,
    far: f64,
}

impl ModuleMapper for Along<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.get::<D>(param.id) else { return param };
        let far = self.far;
        param.map(|value| Tensor::from_inner(value.inner() + grad.mul_scalar(far)))
    }
}

/// Checks the gradient of the loss against its differences; returns the parameters that it does not move.
fn unmoved<N: SequenceNetwork>(config: &SequenceConfig<N::Size>) -> Vec<String> {
    let device = Device::flex().autodiff();
    let model = SequenceClassifier::<N>::build(config, 4, &mut Init::new(3, &device));
    let on: Vec<Modalities> = ["vat", "v", "at", "t", "va"].iter().map(|letters| letters.parse().unwrap()).collect();
    let grads = GradientsParams::from_grads(loss(config, &model, &on, &device).backward(), &model);
    let mut found =
        Gradients { grads: &grads, path: Vec::new(), all: BTreeSet::new(), moving: BTreeSet::new(), square: 0.0 };
    model.visit(&mut found);
    // So far that the loss changes by about 0.002, well above the rounding of its 32 bits.
    let far = 1e-3 / found.square;
    let loss_at = |far: f64| {
        let moved = model.clone().map(&mut Along { grads: &grads, far });
        f64::from(values(&loss(config, &moved, &on, &device))[0])
    };
    let slope = (loss_at(far) - loss_at(-far)) / (2.0 * far);
    assert!((slope / found.square - 1.0).abs() < 0.02, "slope {slope}, squared gradient {}", found.square);
    found.all.difference(&found.moving).cloned().collect()
}

/// Set by calibration, not by learning.
const SCALES: [&str; 2] = ["sequences.voice.scale", "sequences.voice.shift"];

#[test]
fn every_parameter_of_mcr_learns() {
    assert_eq!(unmoved::<crate::mcr::Mcr>(&mcr()), SCALES);
}

#[test]
fn of_mult_only_what_is_not_used_does_not_learn() {
    // Sequences of the common width are not projected.
    let unused = ["network.proj.a.weight", "network.proj.l.weight", "network.proj.v.weight"];
    assert_eq!(unmoved::<crate::mult::Mult>(&mult()), [&unused[..], &SCALES].concat());
    let mut config = mult();
    config.network.targets = "t".parse().unwrap();
    config.sequences = SequenceSource::Encoders(SequenceSize { n_dims: 6, ..size() });
    let unmoved = unmoved::<crate::mult::Mult>(&config);
    let memory = unmoved
        .iter()
        .filter(|name| ["v", "a"].iter().any(|stream| name.starts_with(&format!("network.memory.{stream}."))));
    assert_eq!(memory.count(), 2 * (3 * 12 + 2), "all of the encoders over streams that are no targets");
    assert_eq!(unmoved.len(), 2 * (3 * 12 + 2) + SCALES.len(), "{unmoved:?}");
}

fn what_is_switched_off_has_no_influence<N: SequenceNetwork>(config: &SequenceConfig<N::Size>) {
    let device = Device::flex();
    let model = SequenceClassifier::<N>::build(config, 3, &mut Init::new(5, &device));
    let reader = SequenceClassifier::<N>::reader(config);
    let logits = |samples: &[&Sample], on: &str| {
        let batch = reader.batch(samples, &vec![on.parse().unwrap(); samples.len()], &device).unwrap();
        values(&model.forward(config, &batch).unwrap().logits)
    };
    let one = sample(1);
    let other_face = Sample { face: sample(6).face, ..one.clone() };
    let no_face = Sample { face: None, ..one.clone() };
    assert_eq!(logits(&[&one], "at"), logits(&[&other_face], "at"));
    assert_eq!(logits(&[&one], "at"), logits(&[&no_face], "vat"));
    assert_ne!(logits(&[&one], "vat"), logits(&[&other_face], "vat"));
    // Nor has the rest of the batch.
    let together = logits(&[&sample(2), &no_face, &sample(3)], "vat");
    for (alone, together) in logits(&[&no_face], "vat").iter().zip(&together[3..6]) {
        assert!((alone - together).abs() < 1e-5, "{alone} {together}");
    }
}

#[test]
fn what_is_switched_off_has_no_influence_on_mcr_and_mult() {
    what_is_switched_off_has_no_influence::<crate::mcr::Mcr>(&mcr());
    what_is_switched_off_has_no_influence::<crate::mult::Mult>(&mult());
}

#[test]
fn a_modality_that_the_network_lacks_is_not_asked_for() {
    let mut config = mcr();
    config.network.modalities = "va".parse().unwrap();
    config.network.targets = "va".parse().unwrap();
    McrClassifier::check(&config).unwrap();
    let device = Device::flex();
    let model = McrClassifier::build(&config, 3, &mut Init::new(5, &device));
    let reader = McrClassifier::reader(&config);
    assert_eq!(reader.inputs.text, None);
    let batch = reader.batch(&[&sample(1)], &[Modalities::ALL], &device).unwrap();
    let outlook = model.forward(&config, &batch).unwrap();
    assert_eq!(outlook.logits.dims(), [1, 3]);
    assert_eq!(outlook.tokens.dims(), [1, 3, 8]);
}

#[test]
fn weights_survive_their_file_under_the_published_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let device = Device::flex();
    let model = |seed| McrClassifier::build(&mcr(), 3, &mut Init::new(seed, &device));
    let (model, mut other) = (model(1), model(2));
    crate::export(&model, &path, McrClassifier::RENAMES).unwrap();
    let names: Vec<String> = crate::read_checkpoint(&path).unwrap().into_iter().map(|tensor| tensor.name).collect();
    for name in ["network.layers.1.scu.a.self.in_proj_weight", "network.layers.0.scu.l.beta_cross.weight"] {
        assert!(names.iter().any(|own| own == name), "{name}");
    }
    crate::import(&mut other, &path, McrClassifier::RENAMES).unwrap();
    let batch = McrClassifier::reader(&mcr()).batch(&[&sample(1)], &[Modalities::ALL], &device).unwrap();
    let logits = |model: &McrClassifier| values(&model.forward(&mcr(), &batch).unwrap().logits);
    assert_eq!(logits(&model), logits(&other));
}

#[test]
fn every_ablation_is_a_setting() {
    let full = Config::Mcr(McrConfig::tiny());
    for (key, value) in [
        ("network.source_update", "low_level"),
        ("network.source_update", "feed_forward"),
        ("network.source_update", "no_smm"),
        ("network.targets", "v"),
        ("network.structure", "serial"),
        ("network.cmu", "false"),
        ("network.mutual", "false"),
        ("network.scu", "false"),
        ("network.attention_layer", "false"),
        ("network.beta", "pooled"),
    ] {
        let config = crate::apply_setting(&full, key, value).unwrap();
        config.check().unwrap();
        assert_ne!(config, full, "{key}={value}");
    }
    assert!(crate::apply_setting(&full, "network.source_update", "sometimes").is_err());
}

#[test]
fn impossible_configurations_are_refused() {
    type Change = fn(&mut McrConfig);
    let refused = |change: Change| {
        let mut config = mcr();
        change(&mut config);
        McrClassifier::check(&config).unwrap_err().to_string()
    };
    let rows: [(Change, &str); 6] = [
        (|config| config.network.n_heads = 3, "n_heads"),
        (|config| config.network.kernel.video = 2, "kernel"),
        (|config| config.network.modalities = "va".parse().unwrap(), "targets"),
        (|config| (config.network.cmu, config.network.scu) = (false, false), "cmu"),
        (
            |config| config.sequences = SequenceSource::Encoders(SequenceSize { frames_per_step: 5, ..size() }),
            "frames_per_step",
        ),
        (|config| config.network.dropout.hidden = 1.0, "dropout"),
    ];
    for (change, word) in rows {
        assert!(refused(change).contains(word), "{}", refused(change));
    }
    let mut config = mult();
    config.network.targets = Modalities::NONE;
    assert!(MultClassifier::check(&config).is_err());
}

/// MulT on features of which two steps are the clip's and one is of the clip after it.
fn on_features(causal: bool) -> MultConfig {
    let stream = |name: &str| StreamSize { stream: name.into(), shape: [2, 1, 3], ..StreamSize::of(2, 3) };
    let size = FeatureSize { language: stream("l"), video: stream("v"), audio: stream("a"), ..FeatureSize::mosi() };
    MultConfig {
        network: MultSize { causal, ..mult().network },
        sequences: SequenceSource::Features(size),
        ..MultConfig::tiny()
    }
}

fn features(seed: usize, after: f32) -> Sample {
    let sequence = |stream: &str, modality, shift: usize| emotion::Sequence {
        stream: stream.into(),
        modality,
        n_dims: 3,
        values: (0..6).map(|i| ((i * 5 + seed * 7 + shift) % 11) as f32 - 5.0).chain([after; 3]).collect(),
        n_after: 1,
        speaker: None,
    };
    let streams = [("l", Modality::Text, 1), ("v", Modality::Face, 2), ("a", Modality::Voice, 3)];
    Sample {
        features: streams.map(|(name, modality, shift)| sequence(name, modality, shift)).to_vec(),
        ..Sample::default()
    }
}

#[test]
fn a_clip_is_read_out_where_it_ends_not_where_its_context_does() {
    let device = Device::flex();
    for causal in [true, false] {
        let config = on_features(causal);
        let model = MultClassifier::build(&config, 3, &mut Init::new(5, &device));
        let logits = |after: f32| {
            let batch =
                MultClassifier::reader(&config).batch(&[&features(1, after)], &[Modalities::ALL], &device).unwrap();
            values(&model.forward(&config, &batch).unwrap().logits)
        };
        assert_eq!(logits(1.0) == logits(9.0), causal, "only who looks ahead hears of what comes after");
    }
}

#[test]
fn features_that_are_switched_off_or_absent_are_the_same() {
    let device = Device::flex();
    let config = on_features(false);
    let model = MultClassifier::build(&config, 3, &mut Init::new(5, &device));
    let logits = |sample: &Sample, on: &str| {
        let batch = MultClassifier::reader(&config).batch(&[sample], &[on.parse().unwrap()], &device).unwrap();
        values(&model.forward(&config, &batch).unwrap().logits)
    };
    let whole = features(2, 0.5);
    let without =
        Sample { features: whole.features.iter().filter(|own| own.stream != "v").cloned().collect(), ..whole.clone() };
    assert_eq!(logits(&whole, "at"), logits(&without, "vat"));
    assert_ne!(logits(&whole, "vat"), logits(&without, "vat"));
}

#[test]
fn features_are_brought_to_one_scale() {
    let device = Device::flex();
    let config = on_features(false);
    let mut model = MultClassifier::build(&config, 3, &mut Init::new(5, &device));
    let times = |factor: f32| -> Vec<Sample> {
        let larger = |mut sample: Sample| {
            sample
                .features
                .iter_mut()
                .flat_map(|own| &mut own.values)
                .for_each(|value| *value = *value * factor + factor);
            sample
        };
        (0..6).map(|seed| larger(features(seed, seed as f32))).collect()
    };
    let mut calibrated = |samples: &[Sample]| {
        let samples: Vec<&Sample> = samples.iter().collect();
        let batch = |on: Modalities| {
            MultClassifier::reader(&config).batch(&samples, &vec![on; samples.len()], &device).unwrap()
        };
        let training = |modality: Modality, each: &mut SeeBatch<'_>| each(&batch(Modalities::only(modality)));
        model.calibrate(training).unwrap();
        values(&model.forward(&config, &batch(Modalities::ALL)).unwrap().logits)
    };
    for (small, large) in calibrated(&times(1.0)).iter().zip(calibrated(&times(1000.0))) {
        assert!((small - large).abs() < 1e-3, "{small} {large}");
    }
}

#[test]
fn published_presets_are_whole_before_a_dataset_is_known() {
    let device = Device::flex();
    let config = MultConfig::paper();
    let reader = MultClassifier::reader(&config);
    let asked: Vec<_> =
        reader.inputs.features.iter().map(|input| (input.modality, input.n_steps, input.n_dims)).collect();
    assert_eq!(asked, [(Modality::Face, 500, 20), (Modality::Voice, 375, 5), (Modality::Text, 50, 300)]);
    let model = MultClassifier::build(&config, 1, &mut Init::new(0, &device));
    // The network's parameters, a scale and an absent token of each stream.
    assert_eq!(model.num_params(), 1_071_211 + 3 * (20 + 5 + 300));
}

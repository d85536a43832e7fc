//! Properties that the definition of VAVL promises.

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use emotion::{Frames, LabelSet, LogMel, Modalities, Sample, Voice};

use super::*;

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().detach().try_into_vec_as().unwrap()
}

/// The tiny preset with inputs so small that tests take no time.
fn small() -> VavlConfig {
    VavlConfig {
        face: FaceFeaturesConfig::Gradients { n_frames: 4, side_px: 16, dropout: 0.5 },
        voice: VoiceFeaturesConfig::Cepstrum {
            rate_hz: 16_000,
            n_frames: 32,
            n_bins: 40,
            frames_per_step: 4,
            dropout: 0.0,
        },
        ..VavlConfig::tiny()
    }
}

/// A clip whose face and voice depend on `seed` alone.
fn sample(seed: usize) -> Sample {
    let byte = |i: usize| ((i / 5 + 1) * (seed + 3) * 41 % 253) as u8;
    let mel = (0..32 * 40).map(|i| (i % 40 * (seed + 1) % 11) as f32 / 2.0 - 8.0).collect();
    Sample {
        face: Some(Frames { size_px: 16, rgb: (0..4 * 16 * 16 * 3).map(byte).collect(), valid: vec![true; 4] }),
        voice: Some(Voice::LogMel(LogMel { n_bins: 40, values: mel, n_valid: 24 })),
        ..Sample::default()
    }
}

fn only(sample: &Sample, modality: Modality) -> Sample {
    Sample {
        face: sample.face.clone().filter(|_| modality == Modality::Face),
        voice: sample.voice.clone().filter(|_| modality == Modality::Voice),
        ..Sample::default()
    }
}

fn outlook_of(model: &Vavl, config: &VavlConfig, samples: &[Sample], device: &Device) -> Outlook {
    let samples: Vec<&Sample> = samples.iter().collect();
    let batch = Vavl::reader(config).batch(&samples, &vec![Modalities::ALL; samples.len()], device).unwrap();
    model.forward(config, &batch).unwrap()
}

#[test]
fn clips_that_lack_a_modality_keep_their_place_in_the_batch() {
    let device = Device::flex();
    let config = small();
    let model = Vavl::new(&config, 3, &mut Init::new(1, &device));
    let clips = [sample(0), only(&sample(1), Modality::Voice), only(&sample(2), Modality::Face), sample(3), sample(4)];
    let together = outlook_of(&model, &config, &clips, &device);
    for (row, clip) in clips.iter().enumerate() {
        let alone = outlook_of(&model, &config, std::slice::from_ref(clip), &device);
        let pairs = [
            (together.logits.clone(), alone.logits),
            (together.fused.clone(), alone.fused),
            (together.tokens.clone().flatten(1, 2), alone.tokens.flatten(1, 2)),
        ];
        for (together, alone) in pairs {
            for (a, b) in values(&together.narrow(0, row, 1)).iter().zip(values(&alone)) {
                assert!((a - b).abs() < 1e-5, "clip {row}: {a} {b}");
            }
        }
    }
    assert_eq!(together.auxiliary.len(), 2, "both clips that are alone are reconstructed");
}

#[test]
fn in_the_transposed_layout_a_prediction_depends_on_its_batch() {
    let device = Device::flex();
    let mut config = small();
    config.network.layout = Layout::OfficialTransposed;
    let model = Vavl::new(&config, 3, &mut Init::new(1, &device));
    let clips = [sample(0), sample(1)];
    let together = values(&outlook_of(&model, &config, &clips, &device).logits);
    let alone = values(&outlook_of(&model, &config, &clips[..1], &device).logits);
    assert!(alone.iter().zip(&together).any(|(a, b)| (a - b).abs() > 1e-4));
}

/// The loss of a fresh model on these clips, with its gradients.
fn gradients(config: &VavlConfig, clips: &[Sample]) -> (Vavl, GradientsParams, Device) {
    let device = Device::flex().autodiff();
    let model = Vavl::start_stage(config, &LabelSet::basic(3), 0, 1, &[], &device).unwrap();
    let grads = GradientsParams::from_grads(loss_of(&model, config, clips, &device).backward(), &model);
    (model, grads, device)
}

fn loss_of(model: &Vavl, config: &VavlConfig, clips: &[Sample], device: &Device) -> Tensor<1> {
    let outlook = outlook_of(model, config, clips, device);
    let labels = Tensor::from_data(TensorData::new(vec![1_i64; clips.len()], [clips.len()]), device);
    model.loss(config, &outlook, labels).total
}

/// Paths of parameters that can move, and of those that have a gradient.
struct Paths<'a> {
    grads: &'a GradientsParams,
    path: Vec<String>,
    all: Vec<String>,
    moved: Vec<String>,
}

impl ModuleVisitor for Paths<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.all.push(self.path.join("."));
        }
        if self.grads.get::<D>(param.id).is_some() {
            self.moved.push(self.path.join("."));
        }
    }
}

#[test]
fn each_update_teaches_what_algorithm_1_says_and_nothing_else() {
    let config = small();
    let clips = [sample(0), sample(1)];
    let voices = clips.each_ref().map(|clip| only(clip, Modality::Voice));
    let faces = clips.each_ref().map(|clip| only(clip, Modality::Face));
    let updates: [(&[Sample], &[&str]); 3] = [
        (&voices, &["network.acoustic.", "network.shared."]),
        (&faces, &["network.visual.", "network.shared."]),
        (&clips, &["network.audio_visual_head."]),
    ];
    for (clips, parts) in updates {
        let (model, grads, _) = gradients(&config, clips);
        let mut paths = Paths { grads: &grads, path: Vec::new(), all: Vec::new(), moved: Vec::new() };
        model.visit(&mut paths);
        let taught = paths.all.iter().filter(|path| parts.iter().any(|part| path.starts_with(part)));
        assert_eq!(paths.moved, taught.cloned().collect::<Vec<_>>(), "{parts:?}");
    }
}

#[test]
fn end_to_end_the_head_for_both_teaches_all_that_it_is_made_from() {
    let mut config = small();
    config.network.end_to_end = true;
    let (model, grads, _) = gradients(&config, &[sample(0), sample(1)]);
    let mut paths = Paths { grads: &grads, path: Vec::new(), all: Vec::new(), moved: Vec::new() };
    model.visit(&mut paths);
    let is_apart = |path: &&String| {
        path.starts_with("network.")
            && !path.contains(".reconstruction.")
            && !path.contains("stic.head.")
            && !path.contains("ual.head.")
    };
    assert_eq!(paths.moved, paths.all.iter().filter(is_apart).cloned().collect::<Vec<_>>());
}

/// Moves every parameter by `length` times its gradient.
struct Along<'a> {
    grads: &'a GradientsParams,
    length: f32,
}

impl ModuleMapper for Along<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.get::<D>(param.id) else { return param };
        param.map(|value| Tensor::from_inner(value.inner() + grad.mul_scalar(self.length)))
    }
}

#[test]
fn a_step_along_the_gradient_changes_the_loss_by_the_square_of_its_length() {
    let mut config = small();
    config.network.conformer.dropout = 0.0;
    config.network.head_dropout = 0.0;
    config.face = FaceFeaturesConfig::Gradients { n_frames: 4, side_px: 16, dropout: 0.0 };
    for modality in [Modality::Voice, Modality::Face] {
        let clips = [0, 1, 2].map(|seed| only(&sample(seed), modality));
        let (model, grads, device) = gradients(&config, &clips);
        let mut square = Square(&grads, 0.0);
        model.visit(&mut square);
        let square = square.1;
        // Short enough for the loss to be straight, long enough for 32 bits.
        let length = 2e-3 / square;
        let at = |length: f64| {
            let moved = model.clone().map(&mut Along { grads: &grads, length: length as f32 });
            f64::from(values(&loss_of(&moved, &config, &clips, &device))[0])
        };
        let slope = (at(length) - at(-length)) / (2.0 * length);
        assert!((slope / square - 1.0).abs() < 0.05, "{modality:?}: {slope} {square}");
    }
}

/// Squared length of all gradients together.
struct Square<'a>(&'a GradientsParams, f64);

impl ModuleVisitor for Square<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.0.get::<D>(param.id) {
            self.1 += f64::from(grad.square().sum().into_scalar::<f32>());
        }
    }
}

#[test]
fn ablations_take_away_what_they_name() {
    let device = Device::flex();
    let with = |change: fn(&mut NetworkConfig)| {
        let mut config = small();
        change(&mut config.network);
        let model = Vavl::new(&config, 3, &mut Init::new(1, &device));
        (outlook_of(&model, &config, &[sample(0)], &device), model, config)
    };
    let (whole, ..) = with(|_| {});
    let (plain, ..) = with(|network| network.residual = false);
    assert_ne!(values(&whole.logits), values(&plain.logits));

    let (_, model, config) = with(|network| network.reconstruction = false);
    assert!(outlook_of(&model, &config, &[only(&sample(0), Modality::Face)], &device).auxiliary.is_empty());

    let (both, model, config) = with(|network| network.audio_visual_head = false);
    let probabilities = |outlook: &Outlook| values(&burn::tensor::activation::softmax(outlook.logits.clone(), 1));
    let alone = [Modality::Voice, Modality::Face]
        .map(|modality| probabilities(&outlook_of(&model, &config, &[only(&sample(0), modality)], &device)));
    for (idx, got) in probabilities(&both).into_iter().enumerate() {
        assert!((got - (alone[0][idx] + alone[1][idx]) / 2.0).abs() < 1e-6);
    }
    assert_eq!(Vavl::stages(&config)[0].input.turns().len(), 2, "there is no head to train for both");
}

#[test]
fn pretrained_extractors_are_asked_for_by_name() {
    let device = Device::flex();
    let mut config = small();
    let size =
        crate::encoders::efficientnet::EfficientNetSize { channel_multiplier: 0.1, depth_multiplier: 0.1, classes: 0 };
    config.face = FaceFeaturesConfig::EfficientNet { n_frames: 4, side_px: 32, size };
    let start = |config: &VavlConfig| Vavl::start_stage(config, &LabelSet::basic(3), 0, 1, &[], &device);
    assert!(start(&config).unwrap_err().to_string().contains("efficientnet"));

    let dir = tempfile::tempdir().unwrap();
    config.efficientnet = dir.path().join("faces.safetensors");
    let network = crate::encoders::efficientnet::EfficientNet::new(size, &mut Init::new(7, &device));
    crate::export(&network, &config.efficientnet, &[]).unwrap();
    let clip = only(&Sample { face: None, ..sample(0) }, Modality::Voice);
    outlook_of(&start(&config).unwrap(), &config, &[clip], &device);
}

#[test]
fn every_parameter_has_a_name_in_the_set_of_files() {
    let network = Network::new(&VavlConfig::paper().network, 1024, 1408, 6, &mut Init::empty(&Device::flex()));
    let names: Vec<String> = crate::weights::fit::parameters(&network).into_keys().collect();
    assert!(names.len() > 100);
    let fit = crate::fit(&network, Vec::new(), &checkpoint::spelling()).0;
    for (own, published) in names.iter().zip(&fit.missing) {
        let (stem, key) = published.split_once('/').unwrap();
        assert_eq!(checkpoint::module_path(stem, key).as_ref(), Some(own), "{published}");
    }
    let known = "final_visual_head/x_visual.encoder.layers.0.sequential.1.module.attention.query_proj.linear.weight";
    assert!(fit.missing.iter().any(|name| name == known));
}

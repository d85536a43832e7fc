//! Properties that the definition of VAVL promises.

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
            dropout: 0.2,
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

/// Paths of the parameters that a loss on these clips has a gradient for.
fn moved(config: &VavlConfig, clips: &[Sample]) -> Vec<String> {
    struct Moved<'a>(&'a burn::optim::GradientsParams, Vec<String>, Vec<String>);
    impl burn::module::ModuleVisitor for Moved<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.1.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.1.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            if self.0.get::<D>(param.id).is_some() {
                self.2.push(self.1.join("."));
            }
        }
    }
    let device = Device::flex().autodiff();
    let model = Vavl::start_stage(config, &LabelSet::basic(3), 0, 1, &[], &device).unwrap();
    let outlook = outlook_of(&model, config, clips, &device);
    let labels = Tensor::from_data(TensorData::new(vec![1_i64; clips.len()], [clips.len()]), &device);
    let loss = model.loss(config, &outlook, labels);
    let grads = burn::optim::GradientsParams::from_grads(loss.total.backward(), &model);
    let mut moved = Moved(&grads, Vec::new(), Vec::new());
    model.visit(&mut moved);
    moved.2
}

#[test]
fn each_update_teaches_what_algorithm_1_says() {
    let config = small();
    let clips = [sample(0), sample(1)];
    let parts = |clips: &[Sample]| {
        let mut parts: Vec<String> =
            moved(&config, clips).iter().map(|path| path.split('.').take(2).collect::<Vec<_>>().join(".")).collect();
        parts.dedup();
        parts
    };
    let voices = clips.each_ref().map(|clip| only(clip, Modality::Voice));
    let faces = clips.each_ref().map(|clip| only(clip, Modality::Face));
    assert_eq!(parts(&voices), ["network.acoustic", "network.shared"]);
    assert_eq!(parts(&faces), ["network.visual", "network.shared"]);
    assert_eq!(parts(&clips), ["network.audio_visual_head"]);
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

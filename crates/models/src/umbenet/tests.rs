//! The properties that the definition of the paper mode promises; its numbers are checked by the reference cases.

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::*;
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
        let loss = model.loss(&config, &outlook, Tensor::from_ints([1], &device));
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
    assert!(error.contains("token_suffix") && error.contains("unfit"), "{error}");
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

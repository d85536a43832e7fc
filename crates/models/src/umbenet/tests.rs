//! The paper mode against its reference case, and the properties that its definition promises.

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use super::*;
use crate::batch::{FaceBatch, TextBatch, VoiceBatch};
use crate::encoders::audio_cnn::AudioCnnSize;
use crate::encoders::clip::{ImageTowerSize, TextTowerSize};
use crate::import;
use crate::parity::{Case, gradient_norms};

/// The configuration of a case with CLIP's towers.
fn config_of(case: &Case) -> UmbenetConfig {
    let tower = |prefix: &str, context: &str, out: &str| TextTowerSize {
        context: case.size(context),
        width: case.size(&format!("{prefix}_width")),
        n_layers: case.size(&format!("{prefix}_layers")),
        head_width: case.size(&format!("{prefix}_width")) / case.size(&format!("{prefix}_heads")),
        out: case.size(out),
    };
    UmbenetConfig {
        embed_dim: case.size("embed_dim"),
        n_frames: case.size("timesteps"),
        fusion_layers: case.size("fusion_layers"),
        fusion_heads: case.size("fusion_heads"),
        pool_size: case.size("pool_size"),
        top_k: case.size("top_k"),
        selected_tokens: case.size("selected_length"),
        inherent_tokens: case.size("inherent_length"),
        gate_width: case.size("sff_hidden"),
        l1: case.number("l1"),
        pull: case.number("pull"),
        frozen_prompt_tower: true,
        class_ends: case.integers("class_eot").iter().map(|&end| end as usize).collect(),
        prompt_tower: tower("text", "context_length", "embed_dim"),
        face: FaceEncoderConfig::Clip {
            tower: ImageTowerSize {
                side_px: case.size("image_resolution"),
                patch_px: case.size("vision_patch_size"),
                width: case.size("vision_width"),
                n_layers: case.size("vision_layers"),
                out: case.size("embed_dim"),
            },
        },
        voice: VoiceEncoderConfig::Cnn {
            rate_hz: 22_050,
            cnn: AudioCnnSize {
                n_samples: case.size("audio_samples"),
                channels: case.sizes("audio_channels").try_into().unwrap(),
                hidden: case.size("audio_hidden"),
                out: case.size("embed_dim"),
            },
        },
        text: TextEncoderConfig::Clip {
            tower: tower("caption", "caption_context", "caption_embed"),
            vocabulary: case.size("caption_vocab"),
        },
        ..UmbenetConfig::tiny()
    }
}

/// The whole batch of a case with these modalities present, `[batch, 3]`.
fn batch_of(case: &Case, present: &[f32], device: &Device) -> Batch {
    let n = present.len() / 3;
    let rows = |modality: usize| -> Vec<usize> { (0..n).filter(|row| present[row * 3 + modality] > 0.5).collect() };
    let pick = |rows: &[usize]| -> Tensor<1, Int> {
        let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let len = rows.len();
        Tensor::from_data(TensorData::new(rows, [len]), device)
    };
    let some = |rows: Vec<usize>| (!rows.is_empty()).then_some(rows);
    let tokens = case.integers("caption_tokens");
    let length = tokens.len() / n;
    let ends: Vec<usize> =
        tokens.chunks(length).map(|row| (0..length).rev().max_by_key(|&position| row[position]).unwrap()).collect();
    Batch {
        present: Tensor::from_data(TensorData::new(present.to_vec(), [n, 3]), device),
        face: some(rows(0)).map(|rows| FaceBatch {
            frames: case.floats::<5>("frames", device).select(0, pick(&rows)),
            valid: case.ints::<2>("frames_valid", device).float().select(0, pick(&rows)),
            rows,
        }),
        voice: some(rows(1)).map(|rows| VoiceBatch {
            values: case.floats::<3>("audio", device).select(0, pick(&rows)),
            valid: Tensor::ones([rows.len(), 1], device),
            rows,
        }),
        text: some(rows(2)).map(|rows| TextBatch {
            tokens: case.ints::<2>("caption_tokens", device).select(0, pick(&rows)),
            end: rows.iter().map(|&row| ends[row]).collect(),
            rows,
        }),
    }
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().detach().try_into_vec_as().unwrap()
}

#[test]
fn paper_mode_is_the_reference() {
    let Some(case) = Case::open("umbenet_paper_tiny") else { return };
    let device = Device::flex().autodiff();
    let config = config_of(&case);
    let mut model = Umbenet::new(&config, case.n_classes(), config.pool_size, &mut Init::new(0, &device));
    import(&mut model, &case.checkpoint(), RENAMES).unwrap();
    let model = model.freeze_pretrained(&config);
    let n = case.size("batch");
    let labels = case.ints::<1>("labels", &device);

    case.compare("tokens", &values(&model.tokens(&batch_of(&case, &vec![1.0; n * 3], &device))));
    let mixed: Vec<f32> = case.integers("mixed_mask").iter().map(|&present| present as f32).collect();
    let subsets = case.subsets().into_iter().map(|(name, present)| (name, present.repeat(n)));
    for (name, present) in subsets.chain([("mixed".to_owned(), mixed)]) {
        let batch = batch_of(&case, &present, &device);
        let outlook = model.forward(&config, &batch).unwrap();
        let selection = outlook.selection.as_ref().unwrap();
        let loss = model.loss(&config, &outlook, labels.clone());
        let chosen: Vec<f32> = selection.chosen.iter().flatten().map(|&idx| idx as f32).collect();
        let mut terms: Vec<f32> = loss.terms.iter().flat_map(|(_, term)| values(term)).collect();
        terms.extend(values(&loss.total));
        case.compare(&format!("{name}.fused"), &values(&outlook.fused));
        case.compare(&format!("{name}.indices"), &chosen);
        case.compare(&format!("{name}.sim"), &values(&selection.similarity));
        case.compare(&format!("{name}.logits"), &values(&outlook.logits));
        case.compare(&format!("{name}.loss"), &terms);
        let gates = values(&model.prompt_pool.gates());
        let tokens = config.selected_tokens;
        for output in case.outputs(&format!("{name}.")) {
            match output.as_str() {
                "class_embeds" => {
                    let classes = values(&model.class_vectors(&config, &selection.sets));
                    let per_set = classes.len() / selection.sets.len();
                    let of_sample = selection.set_of_sample.iter();
                    let by_sample: Vec<f32> =
                        of_sample.flat_map(|set| classes[set * per_set..(set + 1) * per_set].to_vec()).collect();
                    case.compare(&format!("{name}.class_embeds"), &by_sample);
                }
                "gates" => {
                    let chosen = selection.chosen.iter().flatten();
                    let by_sample: Vec<f32> =
                        chosen.flat_map(|idx| gates[idx * tokens..(idx + 1) * tokens].to_vec()).collect();
                    case.compare(&format!("{name}.gates"), &by_sample);
                }
                _ => {}
            }
        }
        if name == "mixed" {
            let grads = GradientsParams::from_grads(loss.total.backward(), &model);
            let norms = gradient_norms(&model, &grads, RENAMES);
            for name in case.outputs("grad.") {
                let (_, norm) = norms.iter().find(|(own, _)| *own == name).unwrap_or_else(|| panic!("{name}"));
                case.compare(&format!("grad.{name}"), &[*norm]);
            }
            for frozen in ["image_encoder.", "text_encoder.", "cap_encoder.", "token_embedding.", "prompt_pool.token_"]
            {
                assert!(!norms.iter().any(|(name, _)| name.starts_with(frozen)), "{frozen} must not move");
            }
        }
    }
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

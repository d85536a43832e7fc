//! UMBEnet's forward pass, loss and gradients, as the paper and as the released code have them.

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use models::encoders::audio_cnn::AudioCnnSize;
use models::encoders::clip::{ClipSize, ImageTowerSize, TextTowerSize, end_of};
use models::umbenet::{
    FaceEncoderConfig, RENAMES, TextEncoderConfig, Token, Umbenet, UmbenetConfig, VoiceEncoderConfig, embedded_names,
    import_released,
};
use models::{
    Batch, EmotionModel as _, FaceBatch, Frozen, Init, Outlook, TextBatch, VoiceBatch, import_tensors, read_checkpoint,
};

use super::Case;
use super::clip::ends;
use crate::parity::{norms_or_zero, values};

/// The configuration of a case with CLIP's towers.
pub fn config_of(case: &Case) -> UmbenetConfig {
    // As in every published one.
    case.expects("vision_heads", case.size("vision_width") / 64);
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
        gate_width: case.config("sff_hidden").as_u64().unwrap_or(0) as usize,
        l1: case.number("l1"),
        pull: case.config("pull").as_f64().unwrap_or(0.0),
        frozen_prompt_tower: true,
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
        text: if case.config("caption_tower") == "shared" {
            TextEncoderConfig::Shared { vocabulary: case.size("vocab_size") }
        } else {
            TextEncoderConfig::Clip {
                tower: tower("caption", "caption_context", "caption_embed"),
                vocabulary: case.size("caption_vocab"),
            }
        },
        ..UmbenetConfig::paper(ClipSize::VIT_B_32)
    }
}

pub fn n_classes(case: &Case) -> usize {
    case.config("classes").as_array().unwrap().len()
}

/// A set of samples of a case, of which any may be made to lack modalities.
pub struct Samples {
    face: Tensor<5>,
    scene: Option<Tensor<5>>,
    valid: Tensor<2>,
    voice: Tensor<3>,
    tokens: Tensor<2, Int>,
    ends: Vec<usize>,
    pub labels: Tensor<1, Int>,
}

impl Samples {
    /// Reads the inputs whose roles begin with `prefix`, as the case calls its `frames`.
    pub fn of(case: &Case, prefix: &str, frames: &str, device: &Device) -> Self {
        let input = |role: &str| case.by_role(&format!("{prefix}{role}"));
        let tokens = input("caption_tokens");
        let has_scene = case.roles().iter().any(|(role, _)| role == "scene");
        Self {
            face: input(frames).tensor(device),
            scene: has_scene.then(|| input("scene").tensor(device)),
            valid: input("frames_valid").tensor(device),
            voice: input("audio").tensor(device),
            ends: ends(&tokens.ints(), tokens.shape[1]),
            tokens: tokens.int_tensor(device),
            labels: input("labels").int_tensor(device),
        }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The batch in which sample `i` has the modalities V, A, T and the scene as `present[i]` says.
    pub fn batch(&self, present: &[[bool; 4]]) -> Batch {
        let device = self.face.device();
        let n = self.len();
        let rows_with = |column: usize| -> Option<Vec<usize>> {
            let rows: Vec<usize> = (0..n).filter(|&row| present[row][column]).collect();
            (!rows.is_empty()).then_some(rows)
        };
        let pick = |rows: &[usize]| -> Tensor<1, Int> {
            let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
            let n = rows.len();
            Tensor::from_data(TensorData::new(rows, [n]), &device)
        };
        let frames = |frames: &Tensor<5>, rows: Vec<usize>| FaceBatch {
            frames: frames.clone().select(0, pick(&rows)),
            valid: self.valid.clone().select(0, pick(&rows)),
            rows,
        };
        let flags: Vec<f32> =
            present.iter().flat_map(|has| has[..3].iter().map(|&has| f32::from(u8::from(has)))).collect();
        Batch {
            present: Tensor::from_data(TensorData::new(flags, [n, 3]), &device),
            face: rows_with(0).map(|rows| frames(&self.face, rows)),
            scene: rows_with(3).zip(self.scene.as_ref()).map(|(rows, scene)| frames(scene, rows)),
            voice: rows_with(1).map(|rows| VoiceBatch {
                values: self.voice.clone().select(0, pick(&rows)),
                valid: Tensor::ones([rows.len(), 1], &device),
                rows,
            }),
            text: rows_with(2).map(|rows| TextBatch {
                tokens: self.tokens.clone().select(0, pick(&rows)),
                end: rows.iter().map(|&row| self.ends[row]).collect(),
                rows,
            }),
            features: Vec::new(),
            frozen: Frozen::default(),
        }
    }

    /// The batch of all samples in which each has the modalities V, A, T that a mask `[batch, 3]` says.
    pub fn masked(&self, mask: &[i64]) -> Batch {
        self.batch(&mask.chunks(3).map(|has| [has[0] == 1, has[1] == 1, has[2] == 1, false]).collect::<Vec<_>>())
    }
}

/// Cross-entropy, L1 term, pull term, total, as cases list them.
pub fn loss_values(terms: &[(&'static str, Tensor<1>)], total: &Tensor<1>) -> [f32; 4] {
    let term = |name: &str| terms.iter().find(|(known, _)| *known == name).map_or(0.0, |(_, value)| values(value)[0]);
    [term("cross-entropy"), term("gate L1"), term("key pull"), values(total)[0]]
}

/// Chosen prompts, sample by sample.
pub fn chosen(outlook: &Outlook) -> Vec<f32> {
    outlook.selection.as_ref().unwrap().chosen.iter().flatten().map(|&prompt_idx| prompt_idx as f32).collect()
}

/// The subsets of modalities of a case, each as whether it has V, A, T and the scene.
fn subsets(case: &Case, columns: &[usize]) -> Vec<(String, [bool; 4])> {
    let subsets = case.json()["subsets"].as_array().cloned().unwrap_or_default();
    subsets
        .iter()
        .map(|subset| {
            let mut present = [false; 4];
            for (place, &column) in columns.iter().enumerate() {
                present[column] = subset["present"][place] == 1;
            }
            (subset["name"].as_str().unwrap().to_owned(), present)
        })
        .collect()
}

/// Adds the embedded names of the classes to a checkpoint that has the table of all tokens.
fn name_classes(
    config: &UmbenetConfig,
    class_tokens: &[Vec<i64>],
    tensors: &mut Vec<burn::store::burn_pack::Tensor>,
    device: &Device,
) {
    let table = tensors.iter().find(|tensor| tensor.name == "token_embedding.weight").unwrap();
    let table = TensorData::from_bytes(table.to_bytes().unwrap(), table.shape.clone(), table.dtype);
    let named = embedded_names(config, class_tokens, &Tensor::from_data(table, device));
    for (name, value) in ["prompt_pool.token_prefix", "prompt_pool.token_suffix"].into_iter().zip(named) {
        let (shape, data) = (value.dims(), value.into_data());
        let bytes = data.into_bytes();
        tensors.push(burn::store::burn_pack::Tensor::new(name.to_owned(), DType::F32, shape, None, bytes));
    }
}

pub fn paper(case: &mut Case) {
    let device = if case.is_heavy() { Device::flex() } else { Device::flex().autodiff() };
    let mut config = config_of(case);
    let path = case.checkpoint();
    let mut tensors = read_checkpoint(&path).unwrap();
    if case.roles().iter().any(|(role, _)| role == "class_tokens") {
        let tokens = case.by_role("class_tokens").ints();
        let class_tokens: Vec<Vec<i64>> = tokens.chunks(config.prompt_tower.context).map(<[i64]>::to_vec).collect();
        config.class_ends = class_tokens.iter().map(|tokens| end_of(tokens)).collect();
        name_classes(&config, &class_tokens, &mut tensors, &device);
    } else {
        config.class_ends = case.by_role("class_eot").ints().iter().map(|&end| end as usize).collect();
    }
    let mut model = Umbenet::new(&config, n_classes(case), config.pool_size, &mut Init::empty(&device));
    import_tensors(&mut model, tensors, RENAMES, &path).unwrap();
    let model = model.freeze_pretrained(&config);
    let samples = Samples::of(case, "", "frames", &device);
    let n = samples.len();
    let mixed = case.by_role("mixed_mask").ints();
    case.compare_tensor("tokens", &model.tokens(&config, &samples.batch(&vec![[true, true, true, false]; n])));
    let mut batches: Vec<(String, Batch)> =
        subsets(case, &[0, 1, 2]).into_iter().map(|(name, present)| (name, samples.batch(&vec![present; n]))).collect();
    if batches.is_empty() {
        batches.push(("VAT".to_owned(), samples.batch(&vec![[true, true, true, false]; n])));
    }
    batches.push(("mixed".to_owned(), samples.masked(&mixed)));
    for (name, batch) in batches {
        let outlook = model.forward(&config, &batch).unwrap();
        let loss = model.loss(&config, &outlook, samples.labels.clone());
        case.compare(&format!("{name}.loss"), &loss_values(&loss.terms, &loss.total));
        compare_forward(case, &name, &config, &model, &outlook);
        if name == "mixed" && case.outputs().iter().any(|output| output.starts_with("grad.")) {
            let grads = GradientsParams::from_grads(loss.total.backward(), &model);
            compare_gradients(case, &model, &grads);
        }
    }
}

/// Compares what a case stores of a forward pass, sample by sample.
fn compare_forward(case: &mut Case, name: &str, config: &UmbenetConfig, model: &Umbenet, outlook: &Outlook) {
    let selection = outlook.selection.as_ref().unwrap();
    let output = |what: &str| format!("{name}.{what}");
    case.compare_tensor(&output("fused"), &outlook.fused);
    case.compare(&output("indices"), &chosen(outlook));
    case.compare_tensor(&output("sim"), &selection.similarity);
    case.compare_tensor(&output("logits"), &outlook.logits);
    if case.wants(&output("class_embeds")) {
        let classes = values(&model.class_vectors(config, &selection.sets));
        let per_set = classes.len() / selection.sets.len();
        let of_sample = selection.set_of_sample.iter();
        let by_sample: Vec<f32> =
            of_sample.flat_map(|set| classes[set * per_set..(set + 1) * per_set].to_vec()).collect();
        case.compare(&output("class_embeds"), &by_sample);
    }
    if case.wants(&output("gates")) {
        let (gates, tokens) = (values(&model.prompt_pool.gates()), config.selected_tokens);
        let chosen = selection.chosen.iter().flatten();
        let by_sample: Vec<f32> = chosen.flat_map(|idx| gates[idx * tokens..(idx + 1) * tokens].to_vec()).collect();
        case.compare(&output("gates"), &by_sample);
    }
}

fn compare_gradients(case: &mut Case, model: &Umbenet, grads: &GradientsParams) {
    let norms = norms_or_zero(model, grads, RENAMES);
    for output in case.outputs() {
        if let Some(name) = output.strip_prefix("grad.") {
            let norm = norms.iter().find(|(own, _)| own == name);
            case.compare(&output, &[norm.unwrap_or_else(|| panic!("{name} has no gradient")).1]);
        }
    }
    for frozen in case.json()["frozen"].as_array().cloned().unwrap_or_default() {
        let moved = norms.iter().find(|(name, _)| name.starts_with(frozen.as_str().unwrap()));
        assert!(moved.is_none(), "{} must not be trained", moved.unwrap().0);
    }
}

pub fn released(case: &mut Case) {
    let device = Device::flex();
    let config = UmbenetConfig {
        tokens: Token::released(),
        lstm: true,
        batch_selection: true,
        class_ends: case.by_role("class_eot").ints().iter().map(|&end| end as usize).collect(),
        ..config_of(case)
    };
    let mut model = Umbenet::new(&config, n_classes(case), config.pool_size, &mut Init::empty(&device));
    import_released(&mut model, &case.checkpoint()).unwrap();
    let model = model.valid();
    let samples = Samples::of(case, "", "face", &device);
    // Cases list presence in the released order: face, scene, caption, audio.
    for (name, present) in subsets(case, &[0, 3, 2, 1]) {
        let batch = samples.batch(&vec![present; samples.len()]);
        let output = |what: &str| format!("{name}.{what}");
        let outlook = model.forward(&config, &batch).unwrap();
        let selection = outlook.selection.as_ref().unwrap();
        let loss = model.loss(&config, &outlook, samples.labels.clone());
        let [cross_entropy, l1, _, total] = loss_values(&loss.terms, &loss.total);
        case.compare_tensor(&output("fused"), &outlook.fused);
        // One choice for the whole batch.
        assert_eq!(selection.sets.len(), 1);
        case.compare(&output("indices"), &chosen(&outlook)[..config.top_k]);
        case.compare_tensor(&output("class_embeds"), &model.class_vectors(&config, &selection.sets));
        case.compare_tensor(&output("logits"), &outlook.logits);
        case.compare(&output("loss"), &[cross_entropy, l1, total]);
        if case.wants(&output("tokens")) {
            case.compare_tensor(&output("tokens"), &model.tokens(&config, &batch));
        }
        if case.wants(&output("sim")) {
            case.compare_tensor(&output("sim"), &selection.similarity.clone().narrow(0, 0, 1));
        }
    }
}

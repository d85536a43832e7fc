//! MMA-DFER and its encoders.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use models::encoders::vit::{BlockSize, Vit, VitSize, resize_positions};
use models::mma_dfer::{
    Exchange, FaceEncoderConfig, Fusion, MmaDfer, MmaDferConfig, Prompts, RENAMES, Temporal, Tokens,
    VoiceEncoderConfig, import_trained,
};
use models::{
    Batch, EmotionModel as _, FaceBatch, Frozen, Init, Optimization, VoiceBatch, WeightDecay, export, read_checkpoint,
};
use safetensors::tensor::{SafeTensors, TensorView};
use training::{Adam, Recipe};

use super::{Case, Kind, gradient_norms, values};

/// Kinds of cases.
pub const CASES: &[Kind] = &[
    ("vit_mae_face", encoder),
    ("vit_audiomae", encoder),
    ("pos_embed_resize", positions),
    ("mma_dfer_tiny", whole),
    ("mma_dfer_ablation", whole),
    ("mma_dfer_full", full),
    ("mma_dfer_train", train),
];

fn encoder(case: &mut Case) {
    let device = Device::flex();
    let blocks = BlockSize {
        width: case.size("width"),
        depth: case.size("depth"),
        heads: case.size("heads"),
        mlp_ratio: case.size("mlp_ratio"),
        drop_path: 0.0,
    };
    case.expects("norm_eps", 1e-6);
    let patch = case.size("patch_size");
    let grid = case.sizes("checkpoint_grid").try_into().unwrap();
    let size = VitSize { channels: case.size("channels"), patch, grid, n_prompts: 0, blocks };
    let vit = Vit::from_file(size, &case.checkpoint(), &mut Init::new(0, &device)).unwrap();
    for item in case.items() {
        let x = item.tensor::<4>(&device);
        let [_, _, height, width] = x.dims();
        let embedded = vit.embed(x.clone(), None, None);
        let tokens = vit.forward(x);
        let mut compare = |part: &str, got: &Tensor<3>| case.compare_tensor(&format!("{}.{part}", item.name), got);
        compare("pos_embed", &vit.positions([height / patch, width / patch]));
        compare("block0", &vit.blocks[0].forward(embedded.clone()));
        compare("tokens", &tokens);
        let last = vit.blocks.iter().fold(embedded.clone(), |tokens, block| block.forward(tokens));
        compare("embedded", &embedded);
        case.compare_tensor(&format!("{}.cls", item.name), &vit.class_token(last));
    }
}

fn positions(case: &mut Case) {
    let device = Device::flex();
    for resize in case.config("resizes").as_array().unwrap().clone() {
        let text = |key: &str| resize[key].as_str().unwrap().to_owned();
        let grid = |key: &str| [0, 1].map(|side| resize[key][side].as_u64().unwrap() as usize);
        let input = case.input(&text("input")).tensor::<3>(&device);
        case.compare_tensor(&text("output"), &resize_positions(input, grid("from"), grid("to")));
    }
}

fn config_of(case: &Case) -> MmaDferConfig {
    let audio = case.sizes("audio_size");
    let patch = case.size("patch_size");
    let paper = MmaDferConfig::paper();
    let VoiceEncoderConfig::Patches { rate_hz, .. } = paper.voice else { unreachable!("the paper's is AudioMAE") };
    MmaDferConfig {
        n_frames: case.size("frames"),
        width: case.size("width"),
        depth: case.size("depth"),
        heads: case.size("heads"),
        mlp_ratio: case.size("mlp_ratio"),
        // The reference was run without it.
        drop_path: 0.0,
        prompts: match case.text("prompts") {
            "progressive" => Prompts::Progressive,
            "input" => Prompts::Static,
            "none" => Prompts::None,
            other => panic!("prompts {other}"),
        },
        prompt_update_every: case.size("prompt_update_every"),
        prompt_tokens_per_update: case.size("prompt_tokens_per_update"),
        fusion: match case.text("fusion") {
            "bottleneck" => Fusion::Bottleneck,
            "none" => Fusion::None,
            other => panic!("fusion {other}"),
        },
        latent: case.size("latent"),
        temporal: match case.text("temporal") {
            "transformer" => Temporal::Transformer,
            "mean" => Temporal::Mean,
            other => panic!("temporal {other}"),
        },
        temporal_dim: case.size("temporal_dim"),
        temporal_depth: case.size("temporal_depth"),
        temporal_heads: case.size("temporal_heads"),
        temporal_head_width: case.size("temporal_dim_head"),
        temporal_mlp: case.size("temporal_mlp"),
        face: FaceEncoderConfig::Patches { side_px: case.size("image_size"), patch_px: patch },
        voice: VoiceEncoderConfig::Patches { rate_hz, n_frames: audio[0], n_bins: audio[1], patch },
        ..paper
    }
}

/// The case's model, with the weights of its checkpoint.
fn model_of(case: &Case, config: &MmaDferConfig, device: &Device) -> MmaDfer {
    config.check().unwrap();
    let mut model = MmaDfer::new(config, case.size("classes"), &mut Init::new(0, device));
    import_trained(&mut model, &case.checkpoint()).unwrap();
    model
}

/// A batch whose clips all have a face and a voice.
///
/// - `frames` `[clips, frames, 3, side, side]`, `audio` `[clips, 1, log-mel frames, bins]`
fn batch_of(frames: Tensor<5>, audio: Tensor<4>) -> Batch {
    let ([n, n_frames, ..], [_, _, n_mel, n_bins]) = (frames.dims(), audio.dims());
    let device = frames.device();
    let present = Tensor::from_floats([[1.0, 1.0, 0.0]], &device).repeat_dim(0, n);
    let rows: Vec<usize> = (0..n).collect();
    let voice = VoiceBatch {
        rows: rows.clone(),
        values: audio.reshape([n, n_mel, n_bins]),
        valid: Tensor::ones([n, n_mel], &device),
    };
    let face = FaceBatch { rows, frames, valid: Tensor::ones([n, n_frames], &device) };
    Batch {
        present,
        face: Some(face),
        scene: None,
        voice: Some(voice),
        text: None,
        features: Vec::new(),
        frozen: Frozen::default(),
    }
}

/// A tensor of a case, or, as `NAME.head`, its first values, its mean and its norm.
fn compare_part<const D: usize>(case: &mut Case, name: &str, got: &Tensor<D>) {
    if case.wants(name) {
        case.compare_tensor(name, got);
    }
    let head = format!("{name}.head");
    if case.wants(&head) {
        let all = values(got);
        let mean = all.iter().map(|&value| f64::from(value)).sum::<f64>() / all.len() as f64;
        let n = case.stored(&head).len().saturating_sub(2);
        let mut part: Vec<f32> = all.iter().copied().take(n).collect();
        part.extend([mean as f32, norm(&all) as f32]);
        case.compare(&head, &part);
    }
}

fn whole(case: &mut Case) {
    let device = Device::flex();
    let config = config_of(case);
    let model = model_of(case, &config, &device);
    let batch = batch_of(case.by_role("frames").tensor(&device), case.by_role("audio").tensor(&device));
    let [n_clips, _] = batch.present.dims();
    let mut tokens = model.embed(batch.face.as_ref(), batch.voice.as_ref(), n_clips);
    for idx in 0..model.depth() {
        tokens = model.encode(idx, tokens);
        if let Some(layer) = model.fusion.get(idx) {
            compare_latents(case, idx, &layer.exchange, &tokens);
        }
        tokens = model.exchange(idx, tokens);
        compare_part(case, &format!("block{idx}.image_tokens"), tokens.face.as_ref().unwrap());
        compare_part(case, &format!("block{idx}.audio_tokens"), tokens.voice.as_ref().unwrap());
    }
    let classes = model.class_tokens(&tokens);
    compare_part(case, "image_cls", classes.face.as_ref().unwrap());
    compare_part(case, "audio_cls", classes.voice.as_ref().unwrap());
    let (joint, present) = model.joint_features(&tokens, &classes);
    compare_part(case, "temporal_input", &joint);
    compare_part(case, "video_features", &model.summary(joint, &present));
    compare_part(case, "logits", &model.forward(&config, &batch).unwrap().logits);

    // The released training code puts `module.` before every name.
    let dir = tempfile::tempdir().unwrap();
    let prefixed = dir.path().join("prefixed.safetensors");
    with_prefix("module.", &case.checkpoint(), &prefixed);
    let mut same = MmaDfer::new(&config, case.size("classes"), &mut Init::new(1, &device));
    import_trained(&mut same, &prefixed).unwrap();
    compare_part(case, "logits", &same.forward(&config, &batch).unwrap().logits);
}

fn compare_latents(case: &mut Case, idx: usize, exchange: &Exchange, tokens: &Tokens) {
    let Exchange::Bottleneck(bottleneck) = exchange else { return };
    let (face, voice) = bottleneck.compressed(tokens);
    compare_part(case, &format!("block{idx}.image_latent"), &face.unwrap());
    compare_part(case, &format!("block{idx}.audio_latent"), &voice.unwrap());
}

/// Copies a checkpoint with `prefix` before every name.
fn with_prefix(prefix: &str, from: &Path, to: &Path) {
    let bytes = std::fs::read(from).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors();
    let renamed = tensors.iter().map(|(name, view)| {
        (format!("{prefix}{name}"), TensorView::new(view.dtype(), view.shape().to_vec(), view.data()).unwrap())
    });
    std::fs::write(to, safetensors::serialize(renamed, None).unwrap()).unwrap();
}

/// The model at its real size, and the numbers of parameters that the released code has.
fn full(case: &mut Case) {
    whole(case);
    let device = Device::flex().autodiff();
    // Heads of the encoders' other tasks, which do nothing and are not in our model.
    let heads: usize = parameters(case).filter(|(name, ..)| name.contains(".head.")).map(|(_, n, _)| n).sum();
    for (name, counts) in case.json()["parameter_counts"].as_object().unwrap().clone() {
        let (side, classes) = name.split_once('/').unwrap();
        let patch_px = case.size("patch_size");
        let face = FaceEncoderConfig::Patches { side_px: side.parse().unwrap(), patch_px };
        let config = MmaDferConfig { face, ..config_of(case) };
        let model = MmaDfer::new(&config, classes.parse().unwrap(), &mut Init::new(0, &device));
        let count = |idx: usize| counts[idx].as_f64().unwrap();
        case.check(&format!("{name} trainable"), n_trainable(&model) as f64, count(0), 0.0, 0.0);
        case.check(&format!("{name} total"), (model.num_params() + heads) as f64, count(1), 0.0, 0.0);
    }
}

/// (name, number of values, description) of the case's parameters.
fn parameters(case: &Case) -> impl Iterator<Item = (&str, usize, &serde_json::Value)> {
    case.json()["parameters"].as_array().unwrap().iter().map(|parameter| {
        let n = parameter["shape"].as_array().unwrap().iter().map(|side| side.as_u64().unwrap() as usize).product();
        (parameter["name"].as_str().unwrap(), n, parameter)
    })
}

fn n_trainable(model: &MmaDfer) -> usize {
    struct Count(usize);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                self.0 += param.dims().iter().product::<usize>();
            }
        }
    }
    let mut count = Count(0);
    model.visit(&mut count);
    count.0
}

fn train(case: &mut Case) {
    let device = Device::flex().autodiff();
    let config = config_of(case);
    let mut model = model_of(case, &config, &device);
    assert_eq!(case.text("optimizer"), "adamw");
    let betas = case.config("betas").clone();
    let recipe = Recipe {
        beta_1: betas[0].as_f64().unwrap(),
        beta_2: betas[1].as_f64().unwrap(),
        epsilon: case.number("eps"),
        ..Recipe::default()
    };
    let weight_decay = WeightDecay::Decoupled { rate: case.number("weight_decay") };
    let mut adam = Adam::default().under(&Optimization { weight_decay, ..Optimization::default() });
    let n_steps = case.size("steps");
    let tracked: Vec<String> =
        case.config("tracked").as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    let batches: Vec<Batch> = (0..n_steps).map(|step| batch_of_step(case, step, &device)).collect();
    let labels = case.by_role("labels");
    let (n_clips, labels) = (labels.shape[1], labels.ints());
    let before = tensors_of(&model);
    let mut losses = Vec::new();
    for step in 0..n_steps {
        let outlook = model.forward(&config, &batches[step]).unwrap();
        let labels = Tensor::<1, Int>::from_ints(&labels[step * n_clips..(step + 1) * n_clips], &device);
        let loss = model.loss(&config, &outlook, labels).total;
        losses.extend(values(&loss));
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        if step == 0 {
            case.compare_tensor("first_logits", &outlook.logits);
            compare_gradients(case, &model, &grads, &tracked);
        }
        model = adam.step(&recipe, case.number("lr"), model, grads);
    }
    case.compare("losses", &losses);
    let last = model.forward(&config, &batches[0]).unwrap().logits;
    case.compare_tensor("final_logits", &last);

    let after = tensors_of(&model);
    let of_tracked = |measure: fn(&[f32], &[f32]) -> f64| -> Vec<f32> {
        tracked.iter().map(|name| measure(&before[name], &after[name]) as f32).collect()
    };
    case.compare("param_l2", &of_tracked(|_, after| norm(after)));
    case.compare(
        "param_mean",
        &of_tracked(|_, after| after.iter().map(|&value| f64::from(value)).sum::<f64>() / after.len() as f64),
    );
    case.compare(
        "update_l2",
        &of_tracked(|before, after| {
            let squares =
                before.iter().zip(after).map(|(&before, &after)| (f64::from(after) - f64::from(before)).powi(2));
            squares.sum::<f64>().sqrt()
        }),
    );
    compare_heads(case, ".head", &after);
    for (name, _, parameter) in parameters(case).collect::<Vec<_>>() {
        let still = parameter["trainable"] == false || parameter["unused"] == true;
        if let Some(after) = after.get(name).filter(|_| still) {
            assert!(after == &before[name], "{name} must not move");
        }
    }
}

fn batch_of_step(case: &Case, step: usize, device: &Device) -> Batch {
    let (frames, audio) = (case.by_role("frames"), case.by_role("audio"));
    let of_step = |values: Vec<f32>, shape: &[usize]| {
        let n: usize = shape[1..].iter().product();
        TensorData::new(values[step * n..(step + 1) * n].to_vec(), shape[1..].to_vec())
    };
    batch_of(
        Tensor::from_data(of_step(frames.floats(), &frames.shape), device),
        Tensor::from_data(of_step(audio.floats(), &audio.shape), device),
    )
}

fn compare_gradients(case: &mut Case, model: &MmaDfer, grads: &GradientsParams, tracked: &[String]) {
    let norms: BTreeMap<String, f32> = gradient_norms(model, grads, RENAMES).into_iter().collect();
    let wanted = |name: &str| norms.get(name).copied().unwrap_or_else(|| panic!("{name} has no gradient"));
    case.compare("grad_l2", &tracked.iter().map(|name| wanted(name)).collect::<Vec<_>>());
    for (name, _, parameter) in parameters(case) {
        let moves = parameter["trainable"] == true && parameter["unused"] != true;
        assert_eq!(norms.contains_key(name), moves, "{name}");
    }
    let gradients = tensors_of(&model.clone().map(&mut Gradients(grads)));
    compare_heads(case, ".grad.head", &gradients);
}

/// Compares the outputs `NAME` + `ending` with the first values of those tensors.
fn compare_heads(case: &mut Case, ending: &str, tensors: &BTreeMap<String, Vec<f32>>) {
    for output in case.outputs() {
        if let Some(values) = output.strip_suffix(ending).and_then(|name| tensors.get(name)) {
            let n = case.stored(&output).len();
            case.compare(&output, &values[..n.min(values.len())]);
        }
    }
}

/// Puts gradients in the place of parameters, zero where there is none.
struct Gradients<'a>(&'a GradientsParams);

impl ModuleMapper for Gradients<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let grad = self.0.get::<D>(param.id);
        param.map(|value| grad.map_or_else(|| value.zeros_like(), Tensor::from_inner))
    }
}

/// Parameters by name, in the layout of the checkpoint.
fn tensors_of(model: &MmaDfer) -> BTreeMap<String, Vec<f32>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    export(model, &path, RENAMES).unwrap();
    let floats =
        |bytes: &[u8]| bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    let tensors = read_checkpoint(&path).unwrap();
    tensors.iter().map(|tensor| (tensor.name.clone(), floats(&tensor.to_bytes().unwrap()))).collect()
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

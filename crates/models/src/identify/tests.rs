//! Files of the published sizes, which take no room: their numbers are never read.

use std::io::Write as _;

use burn::module::Module;
use burn::tensor::Device;
use rand::RngExt as _;
use serde_json::json;

use super::bundles::FACE_WIDTH;
use super::*;
use crate::layers::streams::ByStream;
use crate::mma_dfer::{MmaDfer, MmaDferConfig};
use crate::mult::{Mult, MultSize};
use crate::umbenet::{Umbenet, UmbenetConfig};
use crate::weights::fit::parameters;
use crate::{Misshapen, ModelKind, Rename};

type Shapes = Vec<(String, Vec<usize>)>;

/// Names and shapes of a module, as its checkpoint has them.
fn shapes<M: Module>(module: &M, renames: &[Rename]) -> Shapes {
    parameters(module).into_iter().map(|(name, shape)| (Rename::to_checkpoint(renames, &name), shape)).collect()
}

/// Writes a safetensors file with a hole in place of the numbers.
fn write(path: &Path, shapes: &Shapes) {
    let mut end = 0;
    let mut header = serde_json::Map::new();
    for (name, shape) in shapes {
        let start = end;
        end += shape.iter().product::<usize>() * 2;
        header.insert(name.clone(), json!({ "dtype": "F16", "shape": shape, "data_offsets": [start, end] }));
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(&header).unwrap();
    file.set_len((8 + header.len() + end) as u64).unwrap();
}

fn identified(shapes: &Shapes) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weights.safetensors");
    write(&path, shapes);
    identify(&path).unwrap()
}

fn leftovers(report: &Report) -> Vec<(&str, usize)> {
    let leftovers = &report.fit.as_ref().unwrap().leftovers;
    leftovers.iter().map(|leftovers| (leftovers.what.as_str(), leftovers.names.len())).collect()
}

#[track_caller]
fn check_whole(report: &Report, kind: Kind, published: Option<&str>) {
    let fit = report.fit.as_ref().unwrap();
    assert!(report.is_whole(), "{}: {:?}", report.title, fit.complaint());
    assert_eq!((report.kind, report.published), (kind, published));
    assert!(report.packing.contains("16-bit floats"), "{}", report.packing);
}

fn clip(size: ClipSize) -> Shapes {
    let mut shapes = shapes(&Clip::new(size, &mut Init::empty(&Device::flex())), clip::RENAMES);
    shapes.push(("input_resolution".into(), vec![]));
    shapes
}

#[test]
fn every_published_size_of_clip_is_told_and_serves_its_presets() {
    for (size, key, preset) in [
        (ClipSize::VIT_L_14, "clip-vit-l-14", "paper"),
        (ClipSize::VIT_B_16, "clip-vit-b-16", "paper-b16"),
        (ClipSize::VIT_B_32, "clip-vit-b-32", "paper-b32"),
    ] {
        let report = identified(&clip(size));
        check_whole(&report, Kind::Clip, Some(key));
        assert!(report.uses.contains(&Use { model: ModelKind::Umbenet, preset, setting: "clip" }));
        assert_eq!(leftovers(&report), [("sizes that follow from the shapes", 1)]);
    }
    let report = identified(&clip(ClipSize::VIT_L_14));
    assert_eq!(report.fit.unwrap().n_values, 427_616_513);
}

#[test]
fn a_clip_of_another_size_says_which_tensors_differ() {
    // ViT-L/14 at 336 pixels has more patches.
    let mut size = ClipSize::VIT_L_14;
    size.image.side_px = 336;
    let report = identified(&clip(size));
    let fit = report.fit.as_ref().unwrap();
    assert!(!report.is_whole() && report.uses.is_empty() && report.published.is_none());
    assert_eq!((fit.misshapen.len(), fit.mistyped.len()), (1, 0));
    let misshapen = &fit.misshapen[0];
    assert_eq!(misshapen.name, "visual.positional_embedding");
    assert_eq!((&misshapen.found[..], &misshapen.expected[..]), (&[577, 1024][..], &[257, 1024][..]));
}

#[test]
fn a_clip_of_hugging_face_is_read_under_its_own_names() {
    let mut shapes: Shapes = vec![
        ("vision_model.embeddings.class_embedding".into(), vec![768]),
        ("vision_model.embeddings.position_ids".into(), vec![1, 50]),
        ("text_projection.weight".into(), vec![512, 512]),
    ];
    for part in ["q", "k", "v"] {
        shapes.push((format!("vision_model.encoder.layers.0.self_attn.{part}_proj.bias"), vec![768]));
    }
    shapes.push(("vision_model.encoder.layers.1.self_attn.q_proj.bias".into(), vec![768]));
    let report = identified(&shapes);
    let fit = report.fit.as_ref().unwrap();
    // Class embedding, projection, one stack of three and a third of another.
    assert_eq!((report.kind, fit.n_mapped, fit.unexpected.len()), (Kind::Clip, 6, 0));
    assert_eq!(leftovers(&report), [("the numbers 0, 1, 2, …", 1)]);
    let is_missing = |name: &str| fit.missing.iter().any(|missing| missing == name);
    for name in [
        "text_model.embeddings.token_embedding.weight",
        "text_model.encoder.layers.11.self_attn.v_proj.weight",
        "text_model.final_layer_norm.bias",
        "vision_model.encoder.layers.1.self_attn.k_proj.bias",
        "vision_model.encoder.layers.11.mlp.fc2.weight",
        "vision_model.pre_layrnorm.weight",
        "visual_projection.weight",
        "logit_scale",
    ] {
        assert!(is_missing(name), "{name} is not among {:?}", fit.missing);
    }
    assert!(
        !is_missing("vision_model.encoder.layers.1.self_attn.q_proj.bias") && !is_missing("text_projection.weight")
    );
}

#[test]
fn one_bad_tensor_of_a_stack_is_told_by_its_own_name() {
    let query = |name: &str| format!("vision_model.encoder.layers.0.self_attn.{name}_proj.weight");
    let shapes: Shapes = vec![(query("q"), vec![768, 768]), (query("k"), vec![768, 700]), (query("v"), vec![768, 768])];
    let report = identified(&shapes);
    let fit = report.fit.as_ref().unwrap();
    let misshapen = Misshapen { name: query("k"), expected: vec![768, 768], found: vec![768, 700] };
    assert_eq!((fit.n_mapped, &fit.misshapen[..], fit.unexpected.len()), (2, &[misshapen][..], 0));

    let mut tensors: Vec<PackTensor> = shapes.into_iter().map(tensor).collect();
    tensors[2].dtype = DType::I64;
    let report = told(Path::new("weights"), tensors).unwrap();
    assert_eq!(report.fit.unwrap().mistyped, [format!("{} holds int64 numbers, not floats", query("v"))]);
}

#[test]
fn what_is_missing_is_told_as_the_file_would_have_it() {
    let device = Device::flex();
    let without = |shapes: &Shapes, missing: &str| {
        let mut shapes = shapes.clone();
        let n = shapes.len();
        shapes.retain(|(name, _)| name != missing);
        assert_eq!(shapes.len() + 1, n, "{missing} was there");
        assert_eq!(identified(&shapes).fit.unwrap().missing, [missing]);
    };
    let clip = clip(ClipSize::VIT_B_32);
    for missing in
        ["transformer.resblocks.0.attn.in_proj_weight", "token_embedding.weight", "text_projection", "visual.proj"]
    {
        without(&clip, missing);
    }
    without(&vit(VitSize::MAE_FACE, "model."), "model.blocks.3.attn.qkv.weight");
    let wav2vec2 = Wav2vec2::new(&Wav2vec2Size::large_robust(), &mut Init::empty(&device));
    let name = |name: &str| format!("wav2vec2.{}", name.replace("pos_conv_embed.", "pos_conv_embed.conv."));
    let wav2vec2: Shapes = shapes(&wav2vec2, &[]).into_iter().map(|(own, shape)| (name(&own), shape)).collect();
    without(&wav2vec2, "wav2vec2.encoder.pos_conv_embed.conv.bias");
    without(&wav2vec2, "wav2vec2.encoder.layers.3.attention.q_proj.weight");
    let newer = |name: &str| {
        name.replace(".weight_g", ".parametrizations.weight.original0")
            .replace(".weight_v", ".parametrizations.weight.original1")
    };
    let newer: Shapes = wav2vec2.into_iter().map(|(own, shape)| (newer(&own), shape)).collect();
    without(&newer, "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0");
}

fn vit(size: VitSize, prefix: &str) -> Shapes {
    let shapes = shapes(&Vit::new(size, &mut Init::empty(&Device::flex())), &[]);
    shapes.into_iter().map(|(name, shape)| (format!("{prefix}{name}"), shape)).collect()
}

#[test]
fn masked_autoencoders_are_told_by_their_channels_and_may_bring_their_decoders() {
    let mut face = vit(VitSize::MAE_FACE, "");
    face.extend([("mask_token".into(), vec![1, 1, 512]), ("decoder_embed.weight".into(), vec![512, 768])]);
    let report = identified(&face);
    check_whole(&report, Kind::MaeFace, Some("mae-face"));
    assert_eq!(leftovers(&report), [("the decoder that it was pretrained with", 2)]);
    assert_eq!(report.uses, [Use { model: ModelKind::MmaDfer, preset: "paper", setting: "mae_face" }]);
    check_whole(&identified(&vit(VitSize::AUDIO_MAE, "model.")), Kind::AudioMae, Some("audiomae"));

    face.retain(|(name, _)| !name.starts_with("blocks.11."));
    let report = identified(&face);
    assert_eq!(report.fit.as_ref().unwrap().missing.len(), 12);
    assert!(!report.is_whole() && report.uses.is_empty());
}

#[test]
fn extractors_of_vavl_are_told_whatever_their_heads() {
    let device = Device::flex();
    let wav2vec2 = Wav2vec2::new(
        &Wav2vec2Size { layers: 13, attributes: 3, ..Wav2vec2Size::large_robust() },
        &mut Init::empty(&device),
    );
    let name = |name: String| format!("wav2vec2.{}", name.replace("pos_conv_embed.", "pos_conv_embed.conv."));
    let mut names: Shapes = shapes(&wav2vec2, &[]).into_iter().map(|(own, shape)| (name(own), shape)).collect();
    names.extend([
        ("quantizer.codevectors".into(), vec![1, 640, 384]),
        ("wav2vec2.masked_spec_embed".into(), vec![1024]),
    ]);
    let report = identified(&names);
    check_whole(&report, Kind::Wav2vec2, Some("wav2vec2-large-robust"));
    assert_eq!(
        leftovers(&report),
        [
            ("a head for attributes", 4),
            ("layers above those that are run", 16),
            ("the codebooks of pretraining", 1),
            ("what stands for masked frames in pretraining", 1),
        ]
    );

    let network = EfficientNet::new(EfficientNetSize { classes: 8, ..EfficientNetSize::B2 }, &mut Init::empty(&device));
    let mut names = shapes(&network, &[]);
    names.push(("bn1.num_batches_tracked".into(), vec![]));
    let report = identified(&names);
    check_whole(&report, Kind::EfficientNet, Some("efficientnet-b2"));
    assert_eq!(leftovers(&report), [("counts of batches", 1), ("the classifier that it was trained with", 2)]);
    assert!(
        matches!(&report.notes[..], [note] if note.contains("efficientnet_b2 has the names")),
        "{:?}",
        report.notes
    );
    let network = EfficientNetSize { classes: 1000, ..EfficientNetSize::B2 };
    let network = EfficientNet::new(network, &mut Init::empty(&device));
    let report = identified(&shapes(&network, &[]));
    assert!(report.notes[1].contains("not trained on faces"), "{:?}", report.notes);
}

/// The configuration that a report leads to, and its number of outputs.
fn released(report: &Report) -> (Config, usize) {
    let Released { model, preset, settings, n_outputs, .. } = report.released.as_ref().unwrap();
    let changed = settings.iter().fold(model.preset(preset).unwrap(), |config, Setting { key, value }| {
        crate::apply_setting(&config, key, value).unwrap()
    });
    (changed, *n_outputs)
}

#[test]
fn trained_models_of_the_released_codes_are_told_with_their_sizes() {
    let device = Device::flex();
    let mut config = MmaDferConfig::paper();
    config.latent = 64;
    config.face = crate::mma_dfer::FaceEncoderConfig::Patches { side_px: 160, patch_px: 16 };
    let model = MmaDfer::new(&config, 11, &mut Init::empty(&device));
    let mut names = shapes(&model, crate::mma_dfer::RENAMES);
    names.push(("image_encoder.head.weight".into(), vec![12, 768]));
    for (name, _) in &mut names {
        *name = format!("module.{name}");
    }
    let report = identified(&names);
    check_whole(&report, Kind::MmaDfer, None);
    assert!(report.title.contains("160 pixels, 11 classes"), "{}", report.title);
    assert_eq!(released(&report), (Config::MmaDfer(config), 11));

    let config =
        UmbenetConfig { pool_size: 8, selected_tokens: 16, inherent_tokens: 16, ..UmbenetConfig::official_compat() };
    let model = Umbenet::new(&config, 11, 8, &mut Init::empty(&device));
    let mut names = shapes(&model, crate::umbenet::RENAMES);
    names.push(("prompt_pool.transformerClip.resblocks.0.ln_1.bias".into(), vec![768]));
    let report = identified(&names);
    check_whole(&report, Kind::Umbenet, None);
    assert!(report.title.contains("8 prompts, 11 classes"), "{}", report.title);
    assert_eq!(released(&report), (Config::Umbenet(config), 11));
}

#[test]
fn the_files_of_a_vavl_belong_together() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("MLP_a_head.safetensors"), &vec![("out_layer.weight".into(), vec![3, 256])]);
    write(&dir.path().join("MLP_av_head.safetensors"), &vec![("out_layer.weight".into(), vec![3, 256])]);
    for path in [dir.path().to_owned(), dir.path().join("MLP_a_head.safetensors")] {
        let report = identify(&path).unwrap();
        let fit = report.fit.as_ref().unwrap();
        assert_eq!((report.kind, report.path.as_path(), fit.n_mapped), (Kind::Vavl, dir.path(), 1));
        assert_eq!(report.packing, "safetensors, 16-bit floats");
        assert_eq!(report.released.as_ref().unwrap().needs, ["efficientnet", "wav2vec2"]);
        assert!(fit.missing.iter().any(|name| name.starts_with("final_visual_head/x_visual.encoder.")));
        assert_eq!(leftovers(&report), [("what no forward pass reads", 1)]);
        assert_eq!(released(&report).1, 3);
        assert!(report.notes[0].contains("network.task=regression"), "{:?}", report.notes);
    }
}

#[test]
fn a_vavl_is_not_whole_without_what_its_inputs_are_normalized_by() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("MLP_a_head.safetensors"), &vec![("out_layer.weight".into(), vec![3, 256])]);
    let path = dir.path().join("train_norm_stat.pkl");
    let list = |n: usize| format!("(l{}", "F1.0\na".repeat(n));
    let pickle = |lengths: [usize; 4]| format!("({}t.", lengths.map(list).concat());
    let complaints = |path: &Path| {
        let missing = identify(path).unwrap().fit.unwrap().missing;
        missing.into_iter().filter(|name| name.starts_with("train_norm_stat.pkl")).collect::<Vec<_>>()
    };
    assert_eq!(complaints(dir.path()), ["train_norm_stat.pkl, what inputs are normalized by"]);
    for (content, complaint) in [
        ("<html>".to_owned(), "train_norm_stat.pkl as it should be (refused"),
        (
            pickle([1, 1, 5, 5]),
            "train_norm_stat.pkl with [1, 1, 1408, 1408] means and deviations instead of [1, 1, 5, 5]",
        ),
        (
            "(lF1.0\na.".to_owned(),
            "train_norm_stat.pkl as it should be (the file cannot be read as weights: it holds 1 arrays",
        ),
    ] {
        std::fs::write(&path, content).unwrap();
        let found = complaints(&path);
        assert!(found.len() == 1 && found[0].starts_with(complaint), "{found:?}");
    }
    std::fs::write(&path, pickle([1, 1, FACE_WIDTH, FACE_WIDTH])).unwrap();
    assert!(complaints(dir.path()).is_empty());
}

#[test]
fn a_model_of_ratings_says_which_it_needs() {
    let device = Device::flex();
    let Config::Vavl(mut config) = ModelKind::Vavl.preset("tiny").unwrap() else { panic!("VAVL") };
    config.network.task = crate::Task::Regression;
    config.attributes = vec![emotion::Attribute::Valence, emotion::Attribute::Arousal];
    let model = crate::vavl::Vavl::new(&config, 2, &mut Init::new(1, &device));
    let labels = emotion::LabelSet::new(["negative", "positive"]).unwrap();
    let bundle = crate::Bundle::new(Config::Vavl(config), labels, emotion::Modalities::ALL, crate::Card::default());
    let dir = tempfile::tempdir().unwrap();
    crate::save_bundle(dir.path(), &bundle, &model).unwrap();
    let report = identify(dir.path()).unwrap();
    assert!(report.title.ends_with("VAVL for valence, arousal"), "{}", report.title);
    assert_eq!(report.notes, ["it is scored on datasets whose clips are rated: valence, arousal"]);
}

#[test]
fn a_folder_of_hugging_face_says_which_file_to_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), "{}").unwrap();
    for file in ["pytorch_model.bin", "model.safetensors"] {
        let file = dir.path().join(file);
        std::fs::write(&file, "").unwrap();
        let device = Device::flex();
        let mut network = EfficientNet::new(EfficientNetSize::B2, &mut Init::empty(&device));
        for error in [identify(dir.path()).unwrap_err(), network.import(dir.path()).unwrap_err()] {
            let text = error.to_string();
            assert!(text.contains(&format!("name {}: ", file.display())), "{text}");
        }
    }
}

#[test]
fn a_packed_file_is_looked_into_before_it_is_called_a_vocabulary() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("weights.pt.gz");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"anything else\nat all").unwrap();
    std::fs::write(&path, packed.finish().unwrap()).unwrap();
    let report = identify(&path).unwrap();
    assert_eq!((report.kind, report.is_whole(), report.packing.as_str()), (Kind::Unknown, false, "gzip"));
    assert!(report.notes[0].starts_with("unpack it"), "{:?}", report.notes);
}

#[test]
fn a_checkpoint_in_parts_is_said_to_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("model-00002-of-00004.safetensors");
    let index = dir.path().join("model.safetensors.index.json");
    write(&part, &clip(ClipSize::VIT_B_32));
    std::fs::write(&index, "{}").unwrap();
    for (path, title) in [
        (part.as_path(), "one of 4 parts"),
        (index.as_path(), "a checkpoint in 4 parts"),
        (dir.path(), "a checkpoint in 4 parts"),
    ] {
        let report = identify(path).unwrap();
        assert_eq!((report.title.as_str(), report.is_whole()), (title, false));
        assert!(report.notes[0].contains("save it as one file"));
    }
    for name in ["model-00001-of-00001.safetensors", "best-of-3.pt", "run-1-of-2.pt"] {
        assert!(parts::identify(Path::new(name)).is_none(), "{name}");
    }
}

#[test]
fn whatever_sizes_a_file_claims_it_is_told_what_it_is() {
    let device = Device::flex();
    let mma_dfer = MmaDfer::new(&MmaDferConfig::paper(), 7, &mut Init::empty(&device));
    let config = UmbenetConfig::official_compat();
    let umbenet = Umbenet::new(&config, 11, config.pool_size, &mut Init::empty(&device));
    let size = MultSize { n_layers: 1, ..MultSize::paper() };
    let mult = Mult::new(&size, &ByStream { language: 5, video: 6, audio: 7 }, 2, &mut Init::empty(&device));
    let kinds = [
        (Kind::MmaDfer, shapes(&mma_dfer, crate::mma_dfer::RENAMES)),
        (Kind::Umbenet, shapes(&umbenet, crate::umbenet::RENAMES)),
        (Kind::Mult, shapes(&mult, crate::mult::RENAMES)),
        (Kind::AudioMae, vit(VitSize::AUDIO_MAE, "")),
        (Kind::Clip, clip(ClipSize::VIT_B_32)),
    ];
    // Tensors by which sizes are told, and any others.
    let telling =
        ["pos_embed", "temporal_pre.0.", "our_classifier", "prompt_pool", "token_prefix", "proj_", "out_layer"];
    let mut rng = rand_pcg::Pcg32::new(3, 5);
    for (kind, whole) in kinds {
        for round in 0..16 {
            let mut shapes = whole.clone();
            for _ in 0..=round {
                let place = rng.random_range(0..shapes.len());
                let near = (place..shapes.len()).find(|&at| telling.iter().any(|part| shapes[at].0.contains(part)));
                let (name, shape) = &mut shapes[near.unwrap_or(place)];
                let side = [0, 1, 2, 197, 4096, 4097, 1 << 40, usize::MAX][rng.random_range(0..8)];
                match rng.random_range(0..3) {
                    0 => shape.clear(),
                    1 => name.push_str(".99999999.weight"),
                    _ => shape.iter_mut().for_each(|own| *own = if rng.random() { side } else { *own }),
                }
            }
            let report = told(Path::new("weights"), shapes.into_iter().map(tensor).collect()).unwrap();
            assert!(!report.is_whole() || report.kind == kind, "{}", report.title);
        }
    }
}

/// Without numbers, which nobody asks for here.
fn tensor((name, shape): (String, Vec<usize>)) -> PackTensor {
    let unread = || panic!("a number was read");
    PackTensor::deferred(name, DType::F32, burn::tensor::Shape::from(shape), None, 0, unread)
}

#[test]
fn what_nobody_knows_is_said_to_be_unknown() {
    let report = identified(&vec![("conv.weight".into(), vec![4, 3])]);
    assert!(!report.is_whole() && report.kind == Kind::Unknown);
    assert_eq!(report.notes, ["1 tensors, the first are conv.weight [4, 3]"]);
    let report = identified(&vec![("visual.layer1.0.conv1.weight".into(), vec![64, 3, 1, 1])]);
    assert!(report.title.contains("ResNet") && !report.is_whole());
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(identify(empty.path()), Err(ModelError::NoModel { .. })));
}

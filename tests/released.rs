//! Checkpoints as released codes save them, through `limbic models import` to predictions.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use emotion::LabelSet;
use models::mma_dfer::{self, MmaDfer};
use models::umbenet::{self, Umbenet};
use models::vavl::Vavl;
use models::{Bundle, Card, Config, EmotionModel, Init, ModelKind, export, save_bundle};
use safetensors::SafeTensors;

use crate::cli::{WORLD, World, lines};

/// In another order than the dataset has them.
const LABELS: [&str; 2] = ["sadness", "happiness"];

/// A model of random values, and a folder that Limbic itself saved it in.
fn saved<M: EmotionModel>(world: &World, folder: &str, config: &M::Config) -> M {
    let model = M::build(config, LABELS.len(), &mut Init::new(5, &Device::flex()));
    let last = M::stages(config).len() - 1;
    let (labels, on) = (LabelSet::new(LABELS).unwrap(), M::reader(config).inputs.modalities());
    let bundle = Bundle::new(M::config_at(config, last), labels, on, Card::default());
    save_bundle(&world.path(folder), &bundle, &model).unwrap();
    model
}

/// What a model says about a clip.
fn probabilities(world: &World, model: &str) -> Vec<f64> {
    let clips = datasets::load(&world.path("demo/manifest.json")).unwrap();
    let clip = clips.root.join(&clips.clips[0].path).display().to_string();
    let prediction = &lines(&world.ok(&["predict", model, &clip, "--json"]))[0]["prediction"];
    assert_eq!(prediction["labels"], serde_json::json!(LABELS));
    prediction["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect()
}

fn import<'a>(model: &'a str, file: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["models", "import", file, "--model", model, "--preset", "tiny", "--out", out];
    args.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn a_released_checkpoint_predicts_what_its_model_predicts() {
    let world = &*WORLD;
    let Config::MmaDfer(config) = ModelKind::MmaDfer.preset("tiny").unwrap() else { panic!("MMA-DFER") };
    let model: MmaDfer = saved(world, "own-mma-dfer", &config);
    export(&model, &world.path("mma-dfer.safetensors"), mma_dfer::RENAMES).unwrap();
    let Config::Umbenet(config) = ModelKind::Umbenet.preset("tiny").unwrap() else { panic!("UMBEnet") };
    let model: Umbenet = saved(world, "own-umbenet", &config);
    export(&model, &world.path("umbenet.safetensors"), umbenet::RENAMES).unwrap();
    for model in ["mma-dfer", "umbenet"] {
        let (file, own, out) = (format!("{model}.safetensors"), format!("own-{model}"), format!("imported-{model}"));
        world.ok(&import(model, &file, &out, &["--labels", "sadness, happiness"]));
        assert_eq!(probabilities(world, &out), probabilities(world, &own), "{model}");
    }
}

#[test]
fn an_import_is_strict_and_guesses_no_classes() {
    let world = &*WORLD;
    let Config::MmaDfer(config) = ModelKind::MmaDfer.preset("tiny").unwrap() else { panic!("MMA-DFER") };
    let model = MmaDfer::build(&config, 2, &mut Init::new(6, &Device::flex()));
    export(&model, &world.path("two.safetensors"), mma_dfer::RENAMES).unwrap();
    let import = |more: &[&'static str]| import("mma-dfer", "two.safetensors", "strict", more);
    world.fails(&import(&["--labels", "dfew"]), "our_classifier.weight has the shape [2, 64] instead of [7, 64]");
    world.fails(&import(&["--labels", "a,b", "--set", "latent=8"]), "misshapen: ");
    world.fails(&import(&["--labels", "a,b", "--set", "prompts=none"]), "unexpected: ");
    world.fails(&import(&["--labels", "a,b", "--set", "depth=3"]), "missing: ");
    world.fails(&import(&["--labels", "a"]), "--labels is neither a known order nor a list");
    assert!(!world.path("strict").join("model.toml").exists());
    assert_eq!(world.run(&import(&[])).status.code(), Some(2), "classes must be said");
    world.ok(&import(&["--labels", "a,b"]));
    world.fails(&import(&["--labels", "a,b"]), "already holds a model");
}

#[test]
fn an_import_with_its_dataset_is_a_run_with_scores() {
    let world = &*WORLD;
    let Config::MmaDfer(config) = ModelKind::MmaDfer.preset("tiny").unwrap() else { panic!("MMA-DFER") };
    let model = MmaDfer::build(&config, 2, &mut Init::new(7, &Device::flex()));
    export(&model, &world.path("scored.safetensors"), mma_dfer::RENAMES).unwrap();
    let more = ["--labels", "sadness,happiness", "--manifest", "demo/manifest.json"];
    world.ok(&import("mma-dfer", "scored.safetensors", "imported-run", &more));
    let run = limbic::run::Run::load(&world.path("imported-run")).unwrap();
    assert!(run.has_model() && run.record.status() == limbic::run::Status::Complete);
    assert_eq!(run.record.report.as_ref().unwrap().n_clips, run.predictions.len());
    let again = lines(&world.ok(&["evaluate", "imported-run", "--json"])).pop().unwrap();
    assert_eq!(again["war"], run.record.report.unwrap().scores.war);
}

/// File and name under which the released code saves a parameter of VAVL's network, but for names within a conformer's
/// block.
fn released(path: &str) -> (&'static str, String) {
    let files = [
        ("acoustic.head.", "MLP_a_head", ""),
        ("visual.head.", "MLP_v_head", ""),
        ("acoustic.reconstruction.", "MLP_rec_a_head", ""),
        ("visual.reconstruction.", "MLP_rec_v_head", ""),
        ("acoustic.projection.", "final_acoustic_head", "conv_1d_a."),
        ("visual.projection.", "final_visual_head", "conv_1d_v."),
        ("acoustic.encoder.", "final_acoustic_head", "x_acoustic.encoder."),
        ("visual.encoder.", "final_visual_head", "x_visual.encoder."),
        ("shared.encoder.", "final_shared_head", "x_shared.encoder."),
        ("shared.", "final_shared_head", ""),
        ("audio_visual_head.", "final_weights_head", ""),
    ];
    let found = files.iter().find_map(|(own, file, name)| Some((*file, format!("{name}{}", path.strip_prefix(own)?))));
    found.unwrap_or_else(|| panic!("{path} has no file"))
}

/// Means and deviations as a pickle of lists.
fn statistics(file: &Path, rows: [(usize, f64); 4]) {
    let list = |(n, value): (usize, f64)| format!("(l{}", format!("F{value:?}\na").repeat(n));
    std::fs::write(file, format!("({}t.", rows.map(list).concat())).unwrap();
}

#[test]
fn the_files_of_a_vavl_become_one_model_with_its_normalization() {
    let world = &*WORLD;
    let Config::Vavl(config) = ModelKind::Vavl.preset("tiny").unwrap() else { panic!("VAVL") };
    let model: Vavl = saved(world, "own-vavl", &config);
    export(&model.network, &world.path("network.safetensors"), &[]).unwrap();
    let bytes = std::fs::read(world.path("network.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut files: BTreeMap<&str, Vec<(String, safetensors::tensor::TensorView<'_>)>> = BTreeMap::new();
    for (path, view) in tensors.tensors() {
        let (file, name) = released(&path);
        files.entry(file).or_default().push((name, view));
    }
    let folder = world.path("vavl");
    std::fs::create_dir(&folder).unwrap();
    for (file, tensors) in files {
        let bytes = safetensors::serialize(tensors, None).unwrap();
        std::fs::write(folder.join(format!("{file}.safetensors")), bytes).unwrap();
    }
    let labels = ["--labels", "sadness,happiness"];
    world.fails(&import("vavl", "vavl", "unscaled", &labels), "train_norm_stat.pkl");

    let (voice, face) = (config.voice.width(), config.face.width());
    let norm = folder.join("train_norm_stat.pkl");
    statistics(&norm, [(voice, 0.0), (voice, 1.0 - 1e-6), (face, 0.0), (face, 1.0 - 1e-6)]);
    world.ok(&import("vavl", "vavl", "imported-vavl", &labels));
    let own = probabilities(world, "own-vavl");
    assert_eq!(probabilities(world, "imported-vavl"), own);
    statistics(&norm, [(voice, 3.0), (voice, 0.5), (face, 0.2), (face, 2.0)]);
    world.ok(&import("vavl", "vavl", "rescaled-vavl", &labels));
    assert_ne!(probabilities(world, "rescaled-vavl"), own);
    statistics(&norm, [(1, 0.0), (1, 1.0), (face, 0.0), (face, 1.0)]);
    world.fails(&import("vavl", "vavl", "narrow", &labels), "of the voice instead of");
}

//! Training of VAVL against the reference.

use std::collections::BTreeMap;

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use emotion::Modality;
use models::vavl::{Network, NetworkConfig, Target, Task, checkpoint};
use models::{AttributeLoss, Optimization, WeightDecay};
use training::{Adam, Recipe};

use super::super::{Case, gradient_norms, values};
use super::{both, network_config, network_of};

/// Algorithm 1 of the paper: an update for each modality alone, then one for both.
pub fn train(case: &mut Case) {
    let device = Device::flex().autodiff();
    let config = network_config(case);
    let mut network = network_of(case, &config, &device);
    case.expects("batch_norm_momentum", 0.1);
    let files = trained_parameters(case);
    let optimizer = case.config("optimizer").clone();
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let recipe = Recipe {
        beta_1: number(&optimizer["betas"][0]),
        beta_2: number(&optimizer["betas"][1]),
        epsilon: number(&optimizer["eps"]),
        ..Recipe::default()
    };
    let weight_decay = WeightDecay::L2 { rate: number(&optimizer["weight_decay"]) };
    let mut adam = Adam::default().under(&Optimization { weight_decay, ..Optimization::default() });
    let input = |case: &Case, role: &str| case.by_role(role).tensor::<3>(&device);

    let columns: Vec<String> = words(case.config("moved_columns"));
    let start = snapshot(&network);
    let (mut losses, mut tasks, mut reconstructions, mut moved) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for step in words(case.config("steps")) {
        let (iteration, update) = step.split_once(' ').unwrap();
        let target = target_of(case, &config, iteration, &device);
        let audio = || input(case, &format!("audio_{iteration}"));
        let visual = || input(case, &format!("visual_{iteration}"));
        let (total, task, reconstruction) = match update {
            "acoustic" | "visual" => {
                let (modality, frames) =
                    if update == "acoustic" { (Modality::Voice, audio()) } else { (Modality::Face, visual()) };
                let alone = network.unimodal(&config, modality, frames.clone());
                let loss = alone.loss(&config, frames.clone(), &target);
                (loss.total, loss.terms[0].1.clone(), alone.reconstruction_loss(frames).unwrap())
            }
            "audio_visual" => {
                let acoustic = network.frozen(&config, Modality::Voice, audio());
                let seen = network.frozen(&config, Modality::Face, visual());
                let loss = target.loss(network.audio_visual(&config, &acoustic, &seen), AttributeLoss::Concordance);
                (loss.clone(), loss.clone(), loss.zeros_like())
            }
            other => panic!("update {other}"),
        };
        losses.push(values(&total)[0]);
        tasks.push(values(&task)[0]);
        reconstructions.push(values(&reconstruction)[0]);
        let grads = GradientsParams::from_grads(total.backward(), &network);
        if iteration == "0" {
            compare_gradients(case, update, &gradient_norms(&network, &grads, &[]), &files);
        }
        let before = snapshot(&network);
        network = adam.step(&recipe, number(&optimizer["lr"]), network, grads);
        let after = snapshot(&network);
        let distance = |column: &String| {
            let paths = files.get(column).into_iter().flatten();
            let squares =
                paths.flat_map(|path| before[path].iter().zip(&after[path])).map(|(b, a)| f64::from(a - b).powi(2));
            squares.sum::<f64>().sqrt() as f32
        };
        moved.extend(columns.iter().map(distance));
    }
    case.compare("loss", &losses);
    case.compare("task_loss", &tasks);
    case.compare("reconstruction_loss", &reconstructions);
    if case.wants("moved") {
        let still = case.stored("moved").iter().zip(&moved).all(|(&want, &got)| want != 0.0 || got == 0.0);
        assert!(still, "an update moves what it may not: {moved:?}");
        case.compare("moved", &moved);
    }
    compare_parameters(case, &start, &snapshot(&network));
    if !case.outputs().iter().any(|output| output.starts_with("after.")) {
        return;
    }
    let (network, device) = (network.valid(), device.clone().inner());
    let [acoustic, seen] =
        both(&network, &config, case.by_role("audio_0").tensor(&device), case.by_role("visual_0").tensor(&device));
    case.compare_tensor("after.acoustic_prediction", &acoustic.prediction);
    case.compare_tensor("after.visual_prediction", &seen.prediction);
    case.compare_tensor("after.audio_visual_prediction", &network.audio_visual(&config, &acoustic, &seen));
}

fn words(list: &serde_json::Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Paths in the network of what training moves and what has an effect, by file.
fn trained_parameters(case: &Case) -> BTreeMap<String, Vec<String>> {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for parameter in case.json()["parameters"].as_array().unwrap() {
        if ["unused", "buffer", "no_effect"].iter().all(|mark| parameter[*mark] != true) {
            let (file, key) = parameter["name"].as_str().unwrap().split_once('/').unwrap();
            files.entry(file.to_owned()).or_default().push(checkpoint::module_path(file, key).unwrap());
        }
    }
    files
}

fn target_of(case: &Case, config: &NetworkConfig, iteration: &str, device: &Device) -> Target {
    let labels: Tensor<2> = case.by_role(&format!("labels_{iteration}")).tensor(device);
    match config.task {
        Task::Classification => Target::Classes(labels.argmax(1).squeeze_dim(1)),
        Task::Regression => Target::Attributes(labels),
    }
}

/// All parameters and running statistics by their path, in PyTorch's layouts.
fn snapshot(network: &Network) -> BTreeMap<String, Vec<f32>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("network.safetensors");
    models::export(network, &path, &[]).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let floats =
        |bytes: &[u8]| bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    file.tensors().into_iter().map(|(name, view)| (name, floats(view.data()))).collect()
}

/// Compares the norms after one update, of parameters and of whole files.
fn compare_gradients(case: &mut Case, update: &str, norms: &[(String, f32)], files: &BTreeMap<String, Vec<String>>) {
    let norm_of = |path: &String| norms.iter().find(|(name, _)| name == path).map_or(0.0, |(_, norm)| *norm);
    for output in case.outputs() {
        let Some(of) = output.strip_prefix(&format!("gradient_l2.{update}.")) else { continue };
        let norm = match of.split_once('/') {
            Some((file, key)) => norm_of(&checkpoint::module_path(file, key).unwrap()),
            None => files[of].iter().map(|path| f64::from(norm_of(path)).powi(2)).sum::<f64>().sqrt() as f32,
        };
        case.compare(&output, &[norm]);
    }
}

/// Compares what became of parameters and running statistics.
fn compare_parameters(case: &mut Case, start: &BTreeMap<String, Vec<f32>>, end: &BTreeMap<String, Vec<f32>>) {
    for output in case.outputs() {
        let Some((what @ ("change" | "mean" | "l2" | "final"), name)) = output.split_once('.') else { continue };
        let (file, key) = name.split_once('/').unwrap();
        let path = checkpoint::module_path(file, key).unwrap();
        let (start, end) = (&start[&path], &end[&path]);
        let wide = end.iter().map(|&value| f64::from(value));
        let got = match what {
            "change" => {
                let n = case.stored(&output).len();
                end.iter().zip(start).take(n).map(|(end, start)| end - start).collect()
            }
            "mean" => vec![(wide.sum::<f64>() / end.len() as f64) as f32],
            "l2" => vec![wide.map(|value| value * value).sum::<f64>().sqrt() as f32],
            _ => end.clone(),
        };
        case.compare(&output, &got);
    }
}

//! UMBEnet's two stages through the code that trains.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use models::umbenet::{RENAMES, Umbenet, UmbenetConfig, activated_rows, joint, pool_rows};
use models::{
    EmotionModel as _, FinishedStage, Init, Optimization, WeightDecay, export, import_tensors, read_checkpoint,
};
use training::{Adam, Recipe, train_step};

use super::Case;
use super::graph::{Samples, chosen, config_of, loss_values, n_classes};
use crate::parity::{norms_or_zero, values};

/// The runs of stage 1, in their order.
const RUNS: [&str; 3] = ["V", "A", "T"];

pub fn two_stage(case: &mut Case) {
    let device = Device::flex().autodiff();
    let ends = case.by_role("class_eot").ints();
    let config = UmbenetConfig { class_ends: ends.iter().map(|&end| end as usize).collect(), ..config_of(case) };
    let betas = case.config("betas").clone();
    let recipe = Recipe {
        beta_1: betas[0].as_f64().unwrap(),
        beta_2: betas[1].as_f64().unwrap(),
        epsilon: case.number("eps"),
        ..Recipe::default()
    };
    let path = case.checkpoint();
    let train = Samples::of(case, "", "frames", &device);
    let eval = Samples::of(case, "eval.", "frames", &device);
    let sizes = pool_rows(config.pool_size);
    let n_steps = case.size("steps");

    let mut finished = Vec::new();
    for (run, name) in RUNS.into_iter().enumerate() {
        let mut model = start(case, &config, &path, &[&format!("stage1.{name}.")], sizes[run], &device);
        let mask = |samples: &Samples| [0, 1, 2].map(|modality| i64::from(modality == run)).repeat(samples.len());
        let masks = vec![mask(&train); n_steps];
        train_run(case, (&format!("stage1.{name}"), 0), &mut model, &config, &recipe, &train, &masks);
        let mut counts = vec![0; sizes[run]];
        for samples in [&train, &eval] {
            let outlook = model.valid().forward(&config, &samples.masked(&mask(samples))).unwrap();
            outlook.selection.unwrap().count(&mut counts);
        }
        case.compare(&format!("stage1.{name}.counts"), &counts.iter().map(|&count| count as f32).collect::<Vec<_>>());
        finished.push(FinishedStage { model, prompt_counts: counts });
    }

    let counts: Vec<Vec<usize>> = finished.iter().map(|stage| stage.prompt_counts.clone()).collect();
    let global = |(run, row): (usize, usize)| (sizes[..run].iter().sum::<usize>() + row) as f32;
    let moved = activated_rows(&counts).into_iter().map(global).chain(std::iter::repeat(-1.0));
    case.compare("transferred", &moved.take(config.pool_size).collect::<Vec<_>>());
    // The inherent prompt is replaced by the mean of the runs'; the checkpoint has none of its own.
    let fresh = start(case, &config, &path, &["stage2.", "stage1.V.prompt_pool.ctx"], config.pool_size, &device);
    let mut model = joint(fresh, &finished).freeze_pretrained(&config);
    compare_sums(case, "stage2.start.", &model);
    let masks = case.by_role("stage2.keep_mask").ints();
    let masks: Vec<Vec<i64>> = masks.chunks(train.len() * 3).map(<[i64]>::to_vec).collect();
    train_run(case, ("stage2", RUNS.len()), &mut model, &config, &recipe, &train, &masks);
    let logits = [&train, &eval].map(|samples| {
        let all = vec![1; samples.len() * 3];
        values(&model.valid().forward(&config, &samples.masked(&all)).unwrap().logits)
    });
    case.compare("stage2.logits", &logits.concat());
}

/// A model with the shared initial values and, without that prefix, those whose names begin with one of `own`.
fn start(case: &Case, config: &UmbenetConfig, path: &Path, own: &[&str], pool_size: usize, device: &Device) -> Umbenet {
    let is_of_a_run = |name: &str| name.starts_with("stage1.") || name.starts_with("stage2.");
    let mut tensors = read_checkpoint(path).unwrap();
    tensors
        .retain(|tensor| !is_of_a_run(&tensor.name) || own.iter().any(|beginning| tensor.name.starts_with(beginning)));
    for tensor in &mut tensors {
        if is_of_a_run(&tensor.name) {
            tensor.name = tensor.name[tensor.name.find("prompt_pool.").unwrap()..].to_owned();
        }
    }
    let mut model = Umbenet::new(config, n_classes(case), pool_size, &mut Init::empty(device));
    import_tensors(&mut model, tensors, RENAMES, path).unwrap();
    model.freeze_pretrained(config)
}

/// Trains a run, a stage of the plan, each step under its mask `[batch, 3]`, and compares all that the case stores of
/// it.
fn train_run(
    case: &mut Case,
    (run, stage): (&str, usize),
    model: &mut Umbenet,
    config: &UmbenetConfig,
    recipe: &Recipe,
    train: &Samples,
    masks: &[Vec<i64>],
) {
    let weight_decay = WeightDecay::L2 { rate: case.number("weight_decay") };
    let rules = Optimization { weight_decay, ..Umbenet::stages(config)[stage].optimization };
    let (mut adam, mut losses, mut indices) = (Adam::default().under(&rules), Vec::new(), Vec::new());
    for (step, mask) in masks.iter().enumerate() {
        let batch = train.masked(mask);
        if step == 0 {
            let outlook = model.forward(config, &batch).unwrap();
            let loss = model.loss(config, &outlook, train.labels.clone());
            let grads = GradientsParams::from_grads(loss.total.backward(), model);
            let norms: BTreeMap<String, f32> = norms_or_zero(model, &grads, RENAMES).into_iter().collect();
            let prefix = format!("grad.{run}.");
            for output in case.outputs().iter().filter(|output| output.starts_with(&prefix)) {
                case.compare(output, &[norms[&output[prefix.len()..]]]);
            }
        }
        let labels = train.labels.clone();
        let (outlook, loss) = train_step(model, config, &batch, labels, recipe, case.number("lr"), &mut adam).unwrap();
        losses.extend(loss_values(&loss.terms, &loss.total));
        indices.extend(chosen(&outlook));
    }
    case.compare(&format!("{run}.loss"), &losses);
    case.compare(&format!("{run}.indices"), &indices);
    compare_sums(case, &format!("sum.{run}."), model);
}

/// Compares mean and length of the parameters that a case stores under `prefix`, as an export names them.
fn compare_sums(case: &mut Case, prefix: &str, model: &Umbenet) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    export(model, &path, RENAMES).unwrap();
    let tensors = read_checkpoint(&path).unwrap();
    for output in case.outputs().iter().filter(|output| output.starts_with(prefix)) {
        let tensor = tensors.iter().find(|tensor| tensor.name == output[prefix.len()..]).unwrap();
        let bytes = tensor.to_bytes().unwrap();
        let values: Vec<f64> =
            bytes.chunks_exact(4).map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()))).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        case.compare(output, &[mean as f32, length as f32]);
    }
}

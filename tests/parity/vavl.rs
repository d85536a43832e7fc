//! VAVL and its encoders.

mod encoders;
mod train;

use std::collections::BTreeSet;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use emotion::Modality;
use models::encoders::conformer::{self, Conformer, ConformerBlock, ConformerSize, RelativePosition, relative_shift};
use models::vavl::{
    Layout, Moments, Network, NetworkConfig, Scale, Statistics, Target, Task, Unimodal, ccc, checkpoint,
};
use models::{AttributeLoss, Init, Place, Spelling};

use super::{Case, Input, Kind, values};

/// Kinds of cases.
pub const CASES: &[Kind] = &[
    ("conformer_block", block),
    ("conformer_relpos_fixed", block),
    ("conformer_encoder", encoder),
    ("vavl_tiny", tiny),
    ("vavl_full", tiny),
    ("vavl_input_norm", input_norm),
    ("vavl_masking", masking),
    ("vavl_train", train::train),
    ("wav2vec2", encoders::wav2vec2),
    ("efficientnet", encoders::efficientnet),
    ("ccc_loss", concordance),
    ("label_scaling", label_scaling),
];

fn conformer_size(case: &Case) -> ConformerSize {
    case.expects("half_step_residual", true);
    case.expects("conv_expansion", 2);
    let is_fixed = case.config("relative_position") == "fixed";
    case.expects("score_scale", if is_fixed { "1/sqrt(head_dim)" } else { "1/sqrt(encoder_dim)" });
    ConformerSize {
        width: case.size("encoder_dim"),
        heads: case.size("heads"),
        feed_forward_expansion: case.size("feed_forward_expansion"),
        kernel: case.size("conv_kernel_size"),
        relative_position: match case.config("relative_position").as_str() {
            Some("as_is") | None => RelativePosition::AsIs,
            Some("fixed") => RelativePosition::Fixed,
            Some(other) => panic!("relative position {other}"),
        },
        dropout: case.config("dropout").as_f64().unwrap_or(0.1),
    }
}

/// Fills a module from the case's one checkpoint, whose names begin with `prefix`.
fn filled<M: Module>(case: &Case, mut module: M, prefix: &str) -> M {
    let place = |name: &str| match conformer::module_path(name.strip_prefix(prefix).unwrap()) {
        Some(path) => Place::At(path),
        None => Place::Leftover("what nothing reads"),
    };
    let path = case.checkpoint();
    let tensors = models::read_checkpoint(&path).unwrap();
    models::import_spelled(&mut module, tensors, &Spelling::new(place, str::to_owned), &path).unwrap();
    module
}

fn block(case: &mut Case) {
    let device = Device::flex();
    let block = filled(case, ConformerBlock::new(conformer_size(case), &mut Init::new(0, &device)), "block.");
    let x: Tensor<3> = case.by_role("x").tensor(&device);
    case.compare_tensor("output", &block.forward(x.clone()));

    let first = block.feed_forward_1.forward(x.clone());
    case.compare_tensor("feed_forward_1", &first);
    let x = x + first.mul_scalar(0.5);
    case.compare_tensor("after_feed_forward_1", &x);
    let raw = block.attention.position_scores(x.clone());
    case.compare_tensor("pos_score_raw", &raw);
    case.compare_tensor("pos_score_shifted", &relative_shift(raw));
    case.compare_tensor("attention", &block.attention.weights(x.clone()));
    let mixed = block.attention.forward(x.clone());
    case.compare_tensor("mhsa", &mixed);
    let x = x + mixed;
    case.compare_tensor("depthwise", &block.convolution.before_norm(x.clone()).swap_dims(1, 2));
    let convolved = block.convolution.forward(x.clone());
    case.compare_tensor("convolution", &convolved);
    case.compare_tensor("feed_forward_2", &block.feed_forward_2.forward(x + convolved));
    if case.wants("shift_example") {
        case.compare_tensor("shift_example", &relative_shift(case.by_role("shift_input").tensor(&device)));
    }
}

fn encoder(case: &mut Case) {
    let device = Device::flex();
    let conformer =
        Conformer::new(case.size("input_dim"), conformer_size(case), case.size("layers"), &mut Init::new(0, &device));
    let conformer = filled(case, conformer, "x.encoder.");
    let x = case.by_role("x").tensor(&device);
    case.compare_tensor("output", &conformer.forward(x.clone()));
    let x = conformer.project(x);
    case.compare_tensor("input_projection", &x);
    case.compare_tensor("layer_0", &conformer.layers[0].forward(x));
}

fn network_config(case: &Case) -> NetworkConfig {
    NetworkConfig {
        projection_width: case.size("proj_dim"),
        conformer: conformer_size(case),
        layers: case.size("layers"),
        shared_layers: case.size("shared_layers"),
        head_width: case.size("head_width"),
        head_hidden: case.size("head_hidden"),
        head_dropout: case.config("dropout").as_f64().unwrap_or(0.2),
        alpha: case.config("alpha").as_f64().unwrap_or(1.0),
        layout: match case.text("layout") {
            "batch_first" => Layout::BatchFirst,
            "official" => Layout::OfficialTransposed,
            other => panic!("layout {other}"),
        },
        task: match case.text("task") {
            "classification" => Task::Classification,
            "regression" => Task::Regression,
            other => panic!("task {other}"),
        },
        residual: true,
        reconstruction: true,
        audio_visual_head: true,
        end_to_end: false,
    }
}

/// A network with the parameters of the case's files.
fn network_of(case: &Case, config: &NetworkConfig, device: &Device) -> Network {
    let (audio, visual) = (case.size("audio_dim"), case.size("visual_dim"));
    let mut network = Network::new(config, audio, visual, case.size("outputs"), &mut Init::new(0, device));
    let mut files: Vec<&str> = Vec::new();
    for parameter in case.json()["parameters"].as_array().unwrap() {
        let file = parameter["file"].as_str().unwrap();
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let files: Vec<_> = files.into_iter().map(|file| case.checkpoint_file(file)).collect();
    checkpoint::import(&mut network, &files).unwrap();
    network
}

/// Both modalities of a network alone.
fn both(network: &Network, config: &NetworkConfig, audio: Tensor<3>, visual: Tensor<3>) -> [Unimodal; 2] {
    [network.unimodal(config, Modality::Voice, audio), network.unimodal(config, Modality::Face, visual)]
}

/// Compares a tensor, or what a case keeps of a large one: its first values, mean and norm; or nothing, where it keeps
/// nothing.
fn compare_whole_or_part<const D: usize>(case: &mut Case, name: &str, got: &Tensor<D>) {
    if case.wants(name) {
        return case.compare_tensor(name, got);
    }
    let first = format!("{name}.first");
    if !case.wants(&first) {
        return;
    }
    let all = values(got);
    let n_first = case.stored(&first).len();
    case.compare(&first, &all[..n_first]);
    let wide = all.iter().map(|&value| f64::from(value));
    case.compare(&format!("{name}.mean"), &[(wide.clone().sum::<f64>() / all.len() as f64) as f32]);
    case.compare(&format!("{name}.l2"), &[wide.map(|value| value * value).sum::<f64>().sqrt() as f32]);
}

fn tiny(case: &mut Case) {
    let device = Device::flex();
    let config = network_config(case);
    let network = network_of(case, &config, &device);
    let audio: Tensor<3> = case.by_role("audio").tensor(&device);
    let visual: Tensor<3> = case.by_role("visual").tensor(&device);
    let [acoustic, seen] = both(&network, &config, audio.clone(), visual.clone());
    for (name, one) in [("acoustic", &acoustic), ("visual", &seen)] {
        compare_whole_or_part(case, &format!("{name}_encoded"), &one.encoded);
        compare_whole_or_part(case, &format!("{name}_embedding"), &one.embedding);
        compare_whole_or_part(case, &format!("{name}_prediction"), &one.prediction);
        let reconstruction = one.reconstruction.as_ref().unwrap();
        compare_whole_or_part(case, &format!("{name}_reconstruction"), reconstruction);
    }
    case.compare_tensor("audio_visual_prediction", &network.audio_visual(&config, &acoustic, &seen));
    if case.wants("alone.audio_visual_prediction") {
        let [acoustic, seen] = both(&network, &config, audio.narrow(0, 1, 1), visual.narrow(0, 1, 1));
        case.compare_tensor("alone.audio_visual_prediction", &network.audio_visual(&config, &acoustic, &seen));
    }
    count(case, &config);
}

/// Compares numbers of parameters with those of the release and of the paper.
fn count(case: &mut Case, config: &NetworkConfig) {
    let counts = case.json()["expected"]["counts"].as_object().cloned().unwrap_or_default();
    for (what, want) in counts {
        let words: Vec<usize> = what.split('_').filter_map(|word| word.parse().ok()).collect();
        let [layers, outputs] = words[..] else { panic!("{what} says no layers and outputs") };
        let config = NetworkConfig { layers, ..config.clone() };
        let device = Device::flex().autodiff();
        let (audio, visual) = (case.size("audio_dim"), case.size("visual_dim"));
        let network = Network::new(&config, audio, visual, outputs, &mut Init::new(0, &device));
        let n = Trained::count(&network) as f64;
        case.check(&what, n, want["without_unused"].as_f64().unwrap(), 0.0, 0.0);
    }
}

/// Number of values that training may change.
struct Trained(usize);

impl Trained {
    fn count<M: Module>(module: &M) -> usize {
        let mut trained = Self(0);
        module.visit(&mut trained);
        trained.0
    }
}

impl ModuleVisitor for Trained {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 += if param.is_require_grad() { param.shape().num_elements() } else { 0 };
    }
}

fn statistics_of(clips: &[&[f32]], width: usize) -> Statistics {
    let mut moments = Moments::new(width);
    clips.iter().for_each(|clip| moments.add(clip));
    moments.statistics().unwrap()
}

/// Clips of at most `max_frames`, normalized, zeros after the end of a clip, `[clips, frames, width]`; and 1 on a
/// clip's frames, 0 on padding, `[clips, frames]`.
fn scaled(statistics: &Statistics, clips: &[&[f32]], max_frames: usize) -> (Tensor<3>, Tensor<2>) {
    let device = Device::flex();
    let width = statistics.mean.len();
    let mut scale = Scale::new(width, &mut Init::new(0, &device));
    scale.set(statistics);
    let lengths: Vec<usize> = clips.iter().map(|clip| (clip.len() / width).min(max_frames)).collect();
    let n_frames = lengths.iter().copied().max().unwrap_or(0);
    let rows = clips.iter().zip(&lengths).flat_map(|(clip, &length)| {
        let padding = std::iter::repeat_n(0.0, (n_frames - length) * width);
        clip[..length * width].iter().copied().chain(padding)
    });
    let rows: Vec<f32> = rows.collect();
    let mask = lengths.iter().flat_map(|&length| (0..n_frames).map(move |frame| f32::from(u8::from(frame < length))));
    let mask: Vec<f32> = mask.collect();
    let mask = Tensor::<1>::from_floats(mask.as_slice(), &device).reshape([clips.len(), n_frames]);
    let rows = Tensor::<1>::from_floats(rows.as_slice(), &device).reshape([clips.len(), n_frames, width]);
    (scale.forward(rows) * mask.clone().unsqueeze_dim::<3>(2), mask)
}

fn input_norm(case: &mut Case) {
    let clips = |prefix: &str| -> Vec<Input> {
        let mut roles: Vec<String> = case.roles().into_iter().map(|(role, _)| role).collect();
        roles.retain(|role| role.strip_prefix(prefix).is_some_and(|rest| rest.parse::<usize>().is_ok()));
        roles.sort_by_key(|role| role[prefix.len()..].parse::<usize>().unwrap());
        roles.into_iter().map(|role| case.by_role(&role)).collect()
    };
    case.expects("epsilon", 1e-6);
    case.expects("variance", "biased");
    let (wavs, visuals) = (clips("wav_"), clips("visual_"));
    let wide = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();

    let wavs: Vec<Vec<f32>> = wavs.iter().map(Input::floats).collect();
    let wavs: Vec<&[f32]> = wavs.iter().map(Vec::as_slice).collect();
    let statistics = statistics_of(&wavs, 1);
    case.compare("wav_mean", &wide(&statistics.mean));
    case.compare("wav_std", &wide(&statistics.deviation));
    let (wav, mask) = scaled(&statistics, &wavs, case.size("max_samples"));
    case.compare_tensor("wav", &wav);
    case.compare_tensor("attention_mask", &mask);

    let width = visuals[0].shape[1];
    let constant = case.by_role("constant_column").floats()[0];
    let visuals: Vec<Vec<f32>> = visuals.iter().map(Input::floats).collect();
    let visuals: Vec<Vec<f32>> = visuals
        .iter()
        .map(|visual| visual.iter().enumerate().map(|(i, &v)| if i % width == 0 { constant } else { v }).collect())
        .collect();
    let visuals: Vec<&[f32]> = visuals.iter().map(Vec::as_slice).collect();
    let statistics = statistics_of(&visuals, width);
    case.compare("visual_mean", &wide(&statistics.mean));
    case.compare("visual_std", &wide(&statistics.deviation[1..]));
    let (all, _) = scaled(&statistics, &visuals, usize::MAX);
    assert!(values(&all).iter().all(|value| value.is_finite()), "a constant column stays finite");
    let rest = all.narrow(2, 1, width - 1);
    case.compare_tensor("visual", &rest);
    case.compare_tensor("visual_pooled", &rest.mean_dim(1));
}

fn masking(case: &mut Case) {
    let device = Device::flex();
    let config = network_config(case);
    let network = network_of(case, &config, &device);
    let audio: Tensor<3> = case.by_role("audio").tensor(&device);
    let visual: Tensor<3> = case.by_role("visual").tensor(&device);
    for output in case.outputs() {
        let masked = output.strip_prefix("audio_visual_prediction.").unwrap();
        let (mut audio, mut visual) = (audio.clone(), visual.clone());
        if let Some((modality, percent)) = masked.split_once('_') {
            let keep: Tensor<2> = case.by_role(&format!("{modality}_keep_{percent}")).tensor(&device);
            let frames = if modality == "audio" { &mut audio } else { &mut visual };
            *frames = frames.clone() * keep.unsqueeze_dim::<3>(2);
        }
        let [acoustic, seen] = both(&network, &config, audio, visual);
        case.compare_tensor(&output, &network.audio_visual(&config, &acoustic, &seen));
    }
}

fn concordance(case: &mut Case) {
    case.expects("variance", "biased (divide by N)");
    let device = Device::flex().autodiff();
    let outputs = case.outputs();
    let sets: BTreeSet<&str> = outputs.iter().filter_map(|output| Some(output.split_once('.')?.1)).collect();
    for set in sets {
        let [prediction, label] = roles_of_set(case, set).map(|role| case.by_role(&role));
        let label: Tensor<2> = label.tensor(&device);
        let prediction: Tensor<2> = prediction.tensor::<2>(&device).require_grad();
        case.compare_tensor(&format!("ccc.{set}"), &ccc(prediction.clone(), label.clone()));
        let loss = Target::Attributes(label).loss(prediction.clone(), AttributeLoss::Concordance);
        case.compare_tensor(&format!("loss.{set}"), &loss);
        let gradient = prediction.grad(&loss.backward()).unwrap();
        case.compare_tensor(&format!("gradient.{set}"), &gradient);
    }
}

/// Roles of predictions and labels of a set, by the notes ("Sets and their inputs: a: pred_a, label_a; …"). Without
/// them a set that has no labels of its own is measured against those of another one of its shape.
fn roles_of_set(case: &Case, set: &str) -> [String; 2] {
    let notes = case.json()["notes"].as_array().cloned().unwrap_or_else(|| vec![case.json()["notes"].clone()]);
    let pairs = notes.iter().filter_map(|note| Some(note.as_str()?.split_once("Sets and their inputs:")?.1));
    let told = pairs.flat_map(|pairs| pairs.split(';')).find_map(|pair| {
        let (prediction, label) = pair.trim().strip_prefix(set)?.strip_prefix(':')?.split_once(',')?;
        let label = label.split_whitespace().next()?.trim_end_matches('.');
        Some([prediction.trim().to_owned(), label.to_owned()])
    });
    told.unwrap_or_else(|| {
        let prediction = format!("pred_{set}");
        let shape = case.by_role(&prediction).shape;
        let mut labels: Vec<String> = case.roles().into_iter().map(|(role, _)| role).collect();
        labels.retain(|role| role.starts_with("label_") && case.by_role(role).shape == shape);
        // Its own comes first.
        labels.sort_by_key(|role| *role != format!("label_{set}"));
        let label = labels.into_iter().next().unwrap_or_else(|| panic!("no labels for {set}"));
        [prediction, label]
    })
}

fn label_scaling(case: &mut Case) {
    let columns = case.config("columns").as_array().unwrap().clone();
    let flip = case.flag("flip_arousal");
    let scale = emotion::Scale { low: case.number("min_score") as f32, high: case.number("max_score") as f32 };
    // Some attributes are scored the other way round.
    let turned = |i: usize, score: f32| match flip && columns[i % columns.len()] == "EmoAct" {
        true => scale.high + scale.low - score,
        false => score,
    };
    // The reference has 0..1 where Limbic has −1..1.
    for (role, output) in [("raw", "scaled"), ("corner", "scaled_corner")] {
        let scores = case.by_role(role).floats();
        let unit = |(i, &score): (usize, &f32)| {
            (scale.to_unit(turned(i, score).clamp(scale.low, scale.high)).unwrap() + 1.0) / 2.0
        };
        case.compare(output, &scores.iter().enumerate().map(unit).collect::<Vec<f32>>());
    }
    let predictions = case.by_role("prediction").floats();
    let raw = |(i, &value): (usize, &f32)| turned(i, scale.value_of(2.0 * value - 1.0));
    case.compare("prediction_in_raw_scale", &predictions.iter().enumerate().map(raw).collect::<Vec<f32>>());
}

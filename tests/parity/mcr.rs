//! MCR and MulT.

use std::collections::BTreeMap;

use burn::module::{Module as _, Param};
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor};
use emotion::{Modalities, Modality};
use models::layers::crossmodal::DropRates;
use models::layers::streams::{ByStream, Streams, Watch, stream_letter};
use models::mcr::{self, AttentionLayer, BetaForm, Mcr, McrSize, SourceUpdate, Structure};
use models::mult::{Mult, MultSize};
use models::{AttributeLoss, Init, Optimization, Target, WeightDecay, export, import};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use training::{Adam, Recipe};

use super::{Case, Kind, gradient_norms, values};

/// Kinds of cases.
pub const CASES: &[Kind] =
    &[("mcr", mcr), ("mcr_literal_equivalence", literal_equivalence), ("mcr_train", mcr_training), ("mult", mult)];

fn by_stream(case: &Case, name: &str) -> ByStream {
    let of = |letter: &str| case.config(name)[letter].as_u64().unwrap() as usize;
    ByStream { language: of("l"), video: of("v"), audio: of("a") }
}

fn stream_set(letters: &str) -> Modalities {
    Modality::ALL.into_iter().filter(|&stream| letters.contains(stream_letter(stream))).collect()
}

/// The word of a configuration as one of the forms that files name with the same word.
fn form<T: serde::de::DeserializeOwned>(case: &Case, name: &str) -> T {
    serde_json::from_value(case.config(name).clone()).unwrap()
}

fn mcr_size(case: &Case) -> McrSize {
    let size = McrSize {
        width: case.size("d"),
        n_heads: case.size("heads"),
        n_layers: case.size("layers"),
        encoder_layers: case.size("encoder_layers"),
        ffn_mult: case.size("ffn_mult"),
        kernel: by_stream(case, "kernel"),
        modalities: stream_set(case.text("modalities")),
        targets: stream_set(case.text("targets")),
        source_update: form::<SourceUpdate>(case, "source_update"),
        cmu: case.flag("cmu"),
        mutual: case.flag("mutual"),
        scu: case.flag("scu"),
        attention_layer: case.flag("attention_layer"),
        beta: form::<BetaForm>(case, "beta"),
        structure: form::<Structure>(case, "structure"),
        dropout: DropRates::NONE,
    };
    size.check().unwrap();
    size
}

/// The model of a case, from its checkpoint.
fn mcr_model(case: &Case, device: &Device) -> (McrSize, Mcr) {
    let size = mcr_size(case);
    let (length, n_dims) = (by_stream(case, "t"), by_stream(case, "dim"));
    let mut model = Mcr::new(&size, &length, &n_dims, case.size("out_dim"), &mut Init::new(0, device));
    import(&mut model, &case.checkpoint(), mcr::RENAMES).unwrap();
    case.expects("parameter_count", model.num_params());
    (size, model)
}

/// The streams of a case that its model has.
fn mcr_streams(case: &Case, size: &McrSize, device: &Device) -> Streams<Tensor<3>> {
    Streams::of(size.modalities, |stream| {
        let role = match stream {
            Modality::Text => "language",
            Modality::Face => "video",
            Modality::Voice => "audio",
        };
        case.by_role(role).tensor(device)
    })
}

/// Compares a tensor where the case has it, whole, by its first values or by its mean and norm.
fn compare(case: &mut Case, name: &str, got: &[f32]) {
    if case.wants(name) {
        case.compare(name, got);
    }
    let head = format!("{name}.head");
    if case.wants(&head) {
        let n = case.stored(&head).len();
        case.compare(&head, &got[..got.len().min(n)]);
    }
    let stats = format!("{name}.stats");
    if case.wants(&stats) {
        case.compare(&stats, &mean_and_norm(got).map(|number| number as f32));
    }
}

fn mean_and_norm(values: &[f32]) -> [f64; 2] {
    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
    let squares: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
    [sum / values.len() as f64, squares.sqrt()]
}

fn mcr(case: &mut Case) {
    let device = Device::flex();
    let (size, model) = mcr_model(case, &device);
    let inputs = mcr_streams(case, &size, &device);
    let mut see = |name: &str, tensor: Tensor<3>| {
        if case.outputs().iter().any(|output| output.starts_with(name)) {
            compare(case, name, &values(&tensor));
        }
    };
    let output = model.watched(&size, &inputs, &mut Watch::new(&mut see));
    compare(case, "encoder", &values(&output.encoded));
    compare(case, "pooled", &values(&output.pooled));
    compare(case, "prediction", &values(&output.prediction));
}

fn literal_equivalence(case: &mut Case) {
    let device = Device::flex();
    let (cross, own) = (case.by_role("cross").tensor::<3>(&device), case.by_role("self").tensor::<3>(&device));
    let (n_steps, width) = (case.size("t"), case.size("d"));
    let mut literal = AttentionLayer::new(form(case, "beta"), n_steps, width, &mut Init::new(0, &device));
    import(&mut literal, &case.checkpoint(), mcr::RENAMES).unwrap();
    let collapsed = collapsed(&literal).unwrap();
    for (name, layer) in [("cross", &collapsed.beta_cross), ("self", &collapsed.beta_self)] {
        let layer = layer.as_ref().unwrap();
        case.compare_tensor(&format!("collapsed_{name}.weight"), &layer.weight.val());
        case.compare_tensor(&format!("collapsed_{name}.bias"), &layer.bias.as_ref().unwrap().val());
    }
    for layer in [literal, collapsed] {
        let beta = layer.beta(cross.clone(), own.clone());
        let (gamma, z) = AttentionLayer::weighed(beta.clone(), cross.clone(), own.clone());
        case.compare_tensor("beta", &beta);
        case.compare_tensor("gamma", &gamma);
        case.compare_tensor("z_tb", &z);
    }
}

/// The collapsed layer that computes the same as a literal one: weights `Uᵀ W`, biases `Uᵀ b`.
fn collapsed(literal: &AttentionLayer) -> Option<AttentionLayer> {
    let u = literal.beta_u.as_ref()?.val();
    let [n] = u.dims();
    let u = u.reshape([n, 1]);
    let collapse = |layer: &Linear| {
        let bias = layer.bias.as_ref().map(|bias| bias.val().reshape([1, n]).matmul(u.clone()).reshape([1]));
        let weight = layer.weight.val().matmul(u.clone());
        Linear { weight: Param::from_tensor(weight), bias: bias.map(Param::from_tensor) }
    };
    Some(AttentionLayer {
        beta_cross: Some(collapse(literal.beta_w_cross.as_ref()?)),
        beta_self: Some(collapse(literal.beta_w_self.as_ref()?)),
        beta_u: None,
        beta_w_cross: None,
        beta_w_self: None,
    })
}

fn mcr_training(case: &mut Case) {
    let device = Device::flex().autodiff();
    let (size, mut model) = mcr_model(case, &device);
    let inputs = mcr_streams(case, &size, &device);
    let training = case.json()["training"].clone();
    let number = |name: &str| training[name].as_f64().unwrap_or_else(|| panic!("training.{name}"));
    assert_eq!(training["optimizer"], "adam", "another optimizer");
    let recipe = Recipe {
        beta_1: training["betas"][0].as_f64().unwrap(),
        beta_2: training["betas"][1].as_f64().unwrap(),
        epsilon: number("eps"),
        ..Recipe::default()
    };
    let labels = case.by_role("labels");
    let loss = |model: &Mcr| {
        let prediction = model.forward(&size, &inputs).prediction;
        match training["loss"].as_str() {
            Some("l1") => mcr::l1_loss(prediction, labels.tensor(&device)),
            // Each emotion is there or not: two classes of its own.
            Some("cross_entropy") => {
                let there: Tensor<2, Int> = labels.int_tensor(&device);
                let [batch, n] = there.dims();
                let target = Target::Classes(there.reshape([batch * n]));
                target.loss(prediction.reshape([batch * n, 2]), AttributeLoss::Absolute)
            }
            other => panic!("another loss: {other:?}"),
        }
    };
    let weight_decay = WeightDecay::L2 { rate: number("weight_decay") };
    let mut adam = Adam::default().under(&Optimization { weight_decay, ..Optimization::default() });
    let mut losses = Vec::new();
    for step in 0..number("steps") as usize {
        let loss = loss(&model);
        losses.extend(values(&loss));
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        if step == 0 {
            let norms: BTreeMap<String, f32> = gradient_norms(&model, &grads, mcr::RENAMES).into_iter().collect();
            let names: Vec<&str> = case.json()["parameters"].as_array().unwrap().iter().map(text_of_name).collect();
            let norms: Vec<f32> = names.iter().map(|&name| norms.get(name).copied().unwrap_or_default()).collect();
            case.compare("gradient_l2", &norms);
        }
        model = adam.step(&recipe, number("lr"), model, grads);
    }
    losses.extend(values(&loss(&model)));
    case.compare("losses", &losses);
    case.compare_tensor("final_prediction", &model.forward(&size, &inputs).prediction);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("final.safetensors");
    export(&model, &path, mcr::RENAMES).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let finals: Vec<[f64; 2]> = training["final_parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| {
            let data = file.tensor(name.as_str().unwrap()).unwrap().data();
            let values: Vec<f32> =
                data.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
            mean_and_norm(&values)
        })
        .collect();
    for (output, part) in [("final_mean", 0), ("final_l2", 1)] {
        let numbers: Vec<f32> = finals.iter().map(|numbers| numbers[part] as f32).collect();
        case.compare(output, &numbers);
    }
}

fn mult(case: &mut Case) {
    let device = Device::flex();
    let on = |case: &Case, flag: &str, stream: Modality| case.flag(flag).then_some(stream);
    let targets = [("lonly", Modality::Text), ("aonly", Modality::Voice), ("vonly", Modality::Face)];
    let size = MultSize {
        width: case.size("d"),
        n_heads: case.size("num_heads"),
        n_layers: case.size("layers"),
        causal: case.flag("attn_mask"),
        targets: targets.into_iter().filter_map(|(flag, stream)| on(case, flag, stream)).collect(),
        dropout: DropRates::NONE,
        video_attention_dropout: 0.0,
        audio_attention_dropout: 0.0,
    };
    size.check().unwrap();
    let n_dims =
        ByStream { language: case.size("orig_d_l"), video: case.size("orig_d_v"), audio: case.size("orig_d_a") };
    let mut model = Mult::new(&size, &n_dims, case.size("output_dim"), &mut Init::new(0, &device));
    model.import(&with_buffers(case)).unwrap();
    case.expects("parameter_count", model.num_params());
    let inputs = Streams::of(Modalities::ALL, |stream| {
        let role = match stream {
            Modality::Text => "text",
            Modality::Face => "vision",
            Modality::Voice => "audio",
        };
        case.by_role(role).tensor::<3>(&device)
    });
    let output = model.forward(&size, &inputs);
    for (target, memory) in output.memory.iter() {
        let target_letter = stream_letter(target);
        compare(case, &format!("trans_{target_letter}_mem"), &values(memory));
        for (source, cross) in output.cross[target].iter() {
            compare(case, &format!("trans_{target_letter}_with_{}", stream_letter(source)), &values(cross));
        }
    }
    compare(case, "last_hs", &values(&output.pooled));
    compare(case, "prediction", &values(&output.prediction));
    let counts = case.json()["expected_parameter_counts_at_defaults"].clone();
    for (dataset, count) in counts.as_object().into_iter().flatten() {
        // Values a step of the published features (language, video, audio) and outputs.
        let (dims, n_out) = match dataset.as_str() {
            "mosi" => ([300, 20, 5], 1),
            "mosei" => ([300, 35, 74], 1),
            "iemocap" => ([300, 35, 74], 8),
            other => panic!("dimensions of {other}"),
        };
        let [language, video, audio] = dims;
        let dims = ByStream { language, video, audio };
        let model = Mult::new(&MultSize::paper(), &dims, n_out, &mut Init::new(0, &device));
        case.check(dataset, model.num_params() as f64, count.as_f64().unwrap(), 0.0, 0.0);
    }
}

/// The checkpoint of a case with the entries that a published one has besides its parameters.
fn with_buffers(case: &Case) -> std::path::PathBuf {
    let path = case.checkpoint();
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut views: Vec<(String, TensorView<'_>)> = file.tensors();
    for name in case.json()["buffers"].as_array().into_iter().flatten() {
        let view = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
        views.push((name.as_str().unwrap().to_owned(), view));
    }
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

fn text_of_name(parameter: &serde_json::Value) -> &str {
    parameter["name"].as_str().unwrap()
}

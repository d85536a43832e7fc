//! The feature extractors that VAVL stands on.

use burn::tensor::{Device, Tensor};
use models::Init;
use models::encoders::efficientnet::{EfficientNet, EfficientNetSize, forward_stage};
use models::encoders::wav2vec2::{ConvolutionSize, Wav2vec2, Wav2vec2Size};
use models::layers::transformer::key_mask;

use super::super::{Case, Input, values};
use super::{Trained, compare_whole_or_part};

fn wav2vec2_size(case: &Case) -> Wav2vec2Size {
    case.expects("layer_norm_eps", 1e-5);
    case.expects("feat_extract_norm", "layer");
    case.expects("do_stable_layer_norm", true);
    case.expects("conv_bias", true);
    case.expects("activation", "exact gelu");
    let convolutions = case.sizes("conv_dim").into_iter().zip(case.sizes("conv_kernel")).zip(case.sizes("conv_stride"));
    let head = case.json()["parameters"].as_array().unwrap().iter().find(|p| p["name"] == "classifier.out_proj.bias");
    Wav2vec2Size {
        convolutions: convolutions
            .map(|((channels, kernel), stride)| ConvolutionSize { channels, kernel, stride })
            .collect(),
        width: case.size("hidden_size"),
        layers: case.size("keep_layers"),
        heads: case.size("num_attention_heads"),
        hidden: case.size("intermediate_size"),
        position_kernel: case.size("num_conv_pos_embeddings"),
        position_groups: case.size("num_conv_pos_embedding_groups"),
        attributes: head.map_or(0, |bias| bias["shape"][0].as_u64().unwrap() as usize),
    }
}

pub fn wav2vec2(case: &mut Case) {
    let device = Device::flex();
    let size = wav2vec2_size(case);
    let mut model = Wav2vec2::new(&size, &mut Init::new(0, &device));
    model.import(&case.checkpoint()).unwrap();

    let counts = case.by_role("sample_counts").ints();
    let counts: Vec<f32> = counts.into_iter().map(|n| size.n_frames(n as usize) as f32).collect();
    case.compare("frame_counts", &counts);

    let n_waves = case.roles().iter().filter(|(role, _)| role.starts_with("wav_")).count();
    let waves: Vec<Input> = (0..n_waves).map(|idx| case.by_role(&format!("wav_{idx}"))).collect();
    let lengths: Vec<usize> = waves.iter().map(|wave| wave.shape.iter().product()).collect();
    let longest = lengths.iter().copied().max().unwrap();
    let rows = waves.iter().map(|wave| {
        let mut row = wave.floats();
        row.resize(longest, 0.0);
        Tensor::<1>::from_floats(row.as_slice(), &device)
    });
    let batch = Tensor::stack::<2>(rows.collect(), 0);

    let last = model.forward(batch.clone(), &lengths);
    compare_whole_or_part(case, "last_hidden_state", &last);
    compare_rows(case, &last, &lengths);
    let pooled = last.mean_dim(1).squeeze_dim::<2>(1);
    compare_whole_or_part(case, "pooled", &pooled);
    if case.wants("attributes") {
        case.compare_tensor("attributes", &model.classifier.as_ref().unwrap().forward(pooled));
    }
    let alone = waves[0].tensor::<1>(&device).unsqueeze::<2>();
    compare_whole_or_part(case, "alone.last_hidden_state", &model.forward(alone, &lengths[..1]));

    let features = model.feature_extractor.forward(batch);
    compare_whole_or_part(case, "conv_features", &features.clone().swap_dims(1, 2));
    compare_whole_or_part(case, "extract_features", &model.feature_projection.layer_norm.forward(features.clone()));
    let projected = model.feature_projection.forward(features);
    compare_whole_or_part(case, "projected", &projected);
    let [_, n_frames, _] = projected.dims();
    let present = model.present(&lengths, n_frames, &device);
    let zeroed = projected.clone() * present.clone().unsqueeze_dim::<3>(2);
    compare_whole_or_part(case, "positional", &model.encoder.pos_conv_embed.forward(zeroed));
    let mut x = model.encoder.start(projected, &present);
    for (idx, layer) in model.encoder.layers.iter().enumerate() {
        x = layer.forward(x, &key_mask(&present));
        if idx == 0 {
            compare_whole_or_part(case, "layer_0", &x);
        }
    }
    compare_whole_or_part(case, "last_layer", &x);

    let kept = case.json()["expected"].clone();
    for (key, layers) in [("parameters_kept", None), ("parameters_kept_per_layer", Some(1))] {
        let Some(want) = kept[key].as_f64() else { continue };
        let device = Device::flex().autodiff();
        let n = |layers: usize| {
            // What only pretraining and fine-tuning use is not counted, but for the masked frame.
            let model =
                Wav2vec2::new(&Wav2vec2Size { layers, attributes: 0, ..size.clone() }, &mut Init::new(0, &device));
            Trained::count(&model)
        };
        let got = match layers {
            None => n(size.layers) + size.width,
            Some(_) => n(2) - n(1),
        };
        case.check(key, got as f64, want, 0.0, 0.0);
    }
}

/// Compares the first values of what stands for single frames: the first of a sample, and the last of the shortest,
/// which is padding.
fn compare_rows(case: &mut Case, last: &Tensor<3>, lengths: &[usize]) {
    let [_, n_frames, _] = last.dims();
    for output in case.outputs() {
        let Some(row) = output.strip_prefix("last_hidden_state.sample_") else { continue };
        let (sample, frame) = match row.split_once('.').unwrap() {
            (sample, "first") => (sample.parse().unwrap(), 0),
            (_, "padding") => ((0..lengths.len()).min_by_key(|&row| lengths[row]).unwrap(), n_frames - 1),
            (_, other) => panic!("frame {other}"),
        };
        let n = case.stored(&output).len();
        let frame = last.clone().narrow(0, sample, 1).narrow(1, frame, 1);
        case.compare(&output, &values(&frame)[..n]);
    }
}

pub fn efficientnet(case: &mut Case) {
    let device = Device::flex();
    let size = EfficientNetSize {
        channel_multiplier: case.number("channel_multiplier"),
        depth_multiplier: case.number("depth_multiplier"),
        classes: case.size("classes"),
    };
    let mut network = EfficientNet::new(size, &mut Init::new(0, &device));
    network.import(&case.checkpoint()).unwrap();
    case.expects("batch_norm_eps", 1e-3);
    case.expects("channel_divisor", 8);
    for (role, name) in case.roles() {
        let mut x = network.stem(case.input(&name).tensor(&device));
        let role = if role == "item" { name } else { role };
        compare_whole_or_part(case, &format!("{role}.stem"), &x);
        for (idx, stage) in network.blocks.iter().enumerate() {
            x = forward_stage(stage, x);
            compare_whole_or_part(case, &format!("{role}.stage_{idx}"), &x);
        }
        let pooled = network.pool(x);
        compare_whole_or_part(case, &format!("{role}.pooled"), &pooled);
        compare_whole_or_part(case, &format!("{role}.logits"), &network.classifier.as_ref().unwrap().forward(pooled));
    }
    let network = EfficientNet::new(size, &mut Init::new(0, &Device::flex().autodiff()));
    if let Some(want) = case.json()["expected"]["parameters"].as_f64() {
        case.check("parameters", Trained::count(&network) as f64, want, 0.0, 0.0);
    }
}

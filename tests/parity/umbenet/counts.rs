//! How many parameters UMBEnet has at the sizes of the published towers.

use burn::module::Module as _;
use burn::tensor::Device;
use models::Init;
use models::encoders::clip::{Clip, ClipSize};
use models::umbenet::{CaptionEncoder, TextEncoderConfig, Umbenet, UmbenetConfig};
use serde_json::Value;

use super::Case;
use crate::parity::shared::{list, number, text};

/// Counts do not depend on it.
const N_CLASSES: usize = 7;

pub fn parameters(case: &mut Case) {
    for entry in list(case.json(), "counts").to_vec() {
        let name = format!("{} {} {}", text(&entry, "towers"), text(&entry, "captions"), text(&entry, "setting"));
        let got = counts(&entry);
        let listed = |value: &Value| value.as_object().cloned().unwrap_or_default();
        for (what, want) in listed(&entry).into_iter().chain(listed(&entry["groups"])) {
            let Some(want) = want.as_f64().filter(|_| what != "sff_hidden") else { continue };
            let (_, got) =
                got.iter().find(|(own, _)| *own == what).unwrap_or_else(|| panic!("{name}: what is {what}?"));
            case.check(&format!("{name}: {what}"), *got as f64, want, 0.0, 0.0);
        }
    }
}

fn size_of(towers: &str) -> ClipSize {
    match towers {
        "L/14" => ClipSize::VIT_L_14,
        "B/16" => ClipSize::VIT_B_16,
        "B/32" => ClipSize::VIT_B_32,
        other => panic!("towers {other}"),
    }
}

/// All that an entry lists, under its names.
fn counts(entry: &Value) -> Vec<(String, usize)> {
    let device = Device::flex();
    let towers = size_of(text(entry, "towers"));
    let captions = Some(text(entry, "captions")).filter(|captions| *captions != "shared").map(size_of);
    let (length, pool_size) = text(entry, "setting").split_once('/').unwrap();
    let (length, pool_size): (usize, usize) = (length.parse().unwrap(), pool_size.parse().unwrap());
    let paper = UmbenetConfig {
        pool_size,
        selected_tokens: length / 2,
        inherent_tokens: length - length / 2,
        gate_width: number(entry, "sff_hidden") as usize,
        text: captions.map_or(TextEncoderConfig::Shared { vocabulary: towers.vocabulary }, |captions| {
            TextEncoderConfig::Clip { tower: captions.text, vocabulary: captions.vocabulary }
        }),
        ..UmbenetConfig::paper(towers)
    };
    let compat = UmbenetConfig::official_compat();
    let released = UmbenetConfig {
        gate_width: compat.gate_width,
        lstm: compat.lstm,
        tokens: compat.tokens.clone(),
        ..paper.clone()
    };
    let build = |config: &UmbenetConfig| Umbenet::new(config, N_CLASSES, pool_size, &mut Init::empty(&device));
    let (model, released) = (build(&paper), build(&released));
    // The module holds of the prompt tower's vocabulary only what names the classes.
    let clip = Clip::new(towers, &mut Init::empty(&device));
    let vocabulary = clip.token_embedding.lazy_shape().num_elements();
    assert_eq!(model.face_encoder.num_params(), clip.visual.num_params());
    assert_eq!(model.text_encoder.num_params(), clip.text.num_params());
    let pool = &model.prompt_pool;
    let (caption_tower, caption_held, projection) = match &model.caption_encoder {
        CaptionEncoder::Clip(caption) => {
            let tower = caption.tower.num_params() + caption.token_embedding.num_params();
            (tower, tower, caption.projection.num_params())
        }
        CaptionEncoder::Shared(caption) => (0, vocabulary, caption.projection.num_params()),
        CaptionEncoder::Tiny(_) => panic!("captions go through a tower"),
    };
    let (towers, logit_scale) = (clip.visual.num_params() + clip.text.num_params(), model.logit_scale.num_params());
    // Everything that is not a frozen tower or a class's name is trained.
    let trained = |model: &Umbenet| {
        let names = model.prompt_pool.token_prefix.num_params() + model.prompt_pool.token_suffix.num_params();
        model.num_params() - towers - caption_held - logit_scale - names
    };
    let positions = model.frame_positions.num_params();
    let lstm = released.lstm.as_ref().map_or(0, burn::module::Module::num_params);
    let unused = released.temporal.num_params() + positions;
    let entries = [
        ("frozen", towers + vocabulary + caption_tower + logit_scale),
        ("paper_trainable", trained(&model)),
        ("official_trainable_used", trained(&released)),
        ("official_trainable_flagged", trained(&released) + unused),
        ("image_tower", clip.visual.num_params()),
        ("prompt_text_tower", clip.text.num_params() + vocabulary),
        ("caption_text_tower", caption_tower),
        ("logit_scale", logit_scale),
        ("transformerClip", model.temporal.num_params()),
        ("seq_transformerClip", model.fusion.num_params()),
        ("audio_encoder", model.voice_encoder.num_params()),
        ("ctransTo768", projection),
        ("pencoding", positions),
        ("cpencoding", model.modality_positions.num_params()),
        ("prompt_pool.prompt_pool", pool.prompt_pool.num_params()),
        ("prompt_pool.prompt_key", pool.prompt_key.num_params()),
        ("prompt_pool.ctx", pool.ctx.num_params()),
        ("prompt_pool.sff", pool.sff.num_params()),
        ("lstm", lstm),
        ("prompt_pool.alpha.0", released.prompt_pool.alpha.num_params()),
    ];
    entries.map(|(what, count)| (what.to_owned(), count)).to_vec()
}

//! CLIP's towers.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor};
use models::Init;
use models::encoders::clip::{Clip, ClipSize, ImageTowerSize, TextTowerSize, end_of};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use super::Case;
use crate::parity::values;

/// Position of the end token of each row.
pub fn ends(tokens: &[i64], length: usize) -> Vec<usize> {
    tokens.chunks(length).map(end_of).collect()
}

pub fn towers(case: &mut Case) {
    let device = Device::flex();
    case.expects("vision_heads", case.size("vision_width") / 64);
    let out = case.size("embed_dim");
    let size = ClipSize {
        image: ImageTowerSize {
            side_px: case.size("image_resolution"),
            patch_px: case.size("vision_patch_size"),
            width: case.size("vision_width"),
            n_layers: case.size("vision_layers"),
            out,
        },
        text: TextTowerSize {
            context: case.size("context_length"),
            width: case.size("transformer_width"),
            n_layers: case.size("transformer_layers"),
            head_width: case.size("transformer_width") / case.size("transformer_heads"),
            out,
        },
        vocabulary: case.size("vocab_size"),
    };
    let openai = case.checkpoint();
    let files = [hugging_face(case, &openai), openai];
    for file in files {
        let mut clip = Clip::new(size, &mut Init::new(0, &device));
        clip.import(&file).unwrap();
        compare(case, &clip, &device);
    }
}

fn compare(case: &mut Case, clip: &Clip, device: &Device) {
    let images: Tensor<4> = case.by_role("image").tensor(device);
    let tokens = case.by_role("text_tokens");
    let ends = ends(&tokens.ints(), tokens.shape[1]);
    let tokens: Tensor<2, Int> = tokens.int_tensor(device);
    let image_features = clip.visual.forward(images.clone());
    let text_features = clip.encode_text(tokens.clone(), &ends);
    case.compare_tensor("image_features", &image_features);
    case.compare_tensor("text_features", &text_features);
    case.compare_tensor("logits_per_image", &clip.logits_per_image(image_features, text_features));
    let embedded = clip.visual.embed(images);
    let steps = [
        ("debug.visual_ln_pre", embedded.clone()),
        ("debug.visual_blocks", clip.visual.transformer.forward(embedded, None)),
        ("debug.text_blocks", clip.text.blocks(models::encoders::clip::embedded(&clip.token_embedding, tokens))),
    ];
    for (name, step) in steps {
        if case.wants(name) {
            let (n, step) = (case.stored(name).len(), values(&step));
            case.compare(name, &step[..n.min(step.len())]);
        }
    }
}

/// The same numbers as Hugging Face stores them, with the integers that its older files hold besides.
fn hugging_face(case: &Case, openai: &Path) -> PathBuf {
    let bytes = std::fs::read(openai).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for entry in case.json()["hf_map"].as_array().unwrap() {
        let text = |key: &str| entry[key].as_str().unwrap();
        let numbers = |value: &Value| -> Vec<usize> {
            value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
        };
        let view = file.tensor(text("from")).unwrap();
        let row_bytes = view.data().len() / view.shape().first().copied().unwrap_or(1);
        let mut data = view.data().to_vec();
        if !entry["rows"].is_null() {
            let rows = numbers(&entry["rows"]);
            data = data[rows[0] * row_bytes..rows[1] * row_bytes].to_vec();
        }
        if entry["transpose"] == true {
            let (n_rows, n_columns) = (view.shape()[0], view.shape()[1]);
            let cells = (0..n_columns).flat_map(|column| (0..n_rows).map(move |row| row * n_columns + column));
            data = cells.flat_map(|cell| view.data()[cell * 4..(cell + 1) * 4].to_vec()).collect();
        }
        tensors.push((text("name").to_owned(), Dtype::F32, numbers(&entry["shape"]), data));
    }
    let positions: Vec<u8> = (0..case.size("context_length") as i64).flat_map(i64::to_le_bytes).collect();
    let name = "text_model.embeddings.position_ids".to_owned();
    tensors.push((name, Dtype::I64, vec![1, case.size("context_length")], positions));
    let views =
        tensors.iter().map(|(name, dtype, shape, data)| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    let path = openai.with_file_name("hugging-face.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    path
}

//! CLIP's checkpoints: OpenAI's names, which the modules have, and Hugging Face's (`CLIPModel`), which are converted to them.
//!
//! Not told apart: models of the same shape with the exact GELU (LAION, DataComp), whose weights say nothing of it.

use std::collections::BTreeMap;
use std::path::Path;

use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::Bytes;

use crate::{ModelError, Rename, read_checkpoint};

/// OpenAI's names that differ from those of [`super::Clip`].
pub const RENAMES: &[Rename] = &[
    Rename { checkpoint: "token_embedding.weight", module: "token_embedding" },
    Rename { checkpoint: "positional_embedding", module: "text.positional_embedding" },
    Rename { checkpoint: "transformer.", module: "text.transformer." },
    Rename { checkpoint: "ln_final.", module: "text.ln_final." },
    Rename { checkpoint: "text_projection", module: "text.text_projection" },
];

/// What files hold besides parameters: sizes that follow from the shapes, and the numbers 0, 1, 2, ….
const LEFTOVERS: [&str; 5] = [
    "input_resolution",
    "context_length",
    "vocab_size",
    "text_model.embeddings.position_ids",
    "vision_model.embeddings.position_ids",
];

/// Reads a checkpoint of CLIP, in either naming, under OpenAI's names.
pub fn read(path: &Path) -> Result<Vec<PackTensor>, ModelError> {
    let bad = |reason: String| ModelError::Weights { reason, path: path.to_owned() };
    let mut tensors = read_checkpoint(path)?;
    tensors.retain(|tensor| !LEFTOVERS.contains(&tensor.name.as_str()));
    let is_hugging_face =
        |tensor: &PackTensor| tensor.name.starts_with("text_model.") || tensor.name.starts_with("vision_model.");
    if tensors.iter().any(is_hugging_face) { from_hugging_face(tensors).map_err(bad) } else { Ok(tensors) }
}

/// Hugging Face's names that only differ, by what they begin with.
const BEGINNINGS: [(&str, &str); 11] = [
    ("text_model.embeddings.token_embedding.weight", "token_embedding.weight"),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.encoder.layers.", "transformer.resblocks."),
    ("text_model.final_layer_norm.", "ln_final."),
    ("vision_model.embeddings.class_embedding", "visual.class_embedding"),
    ("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"),
    ("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"),
    ("vision_model.pre_layrnorm.", "visual.ln_pre."), // as Hugging Face spells it
    ("vision_model.encoder.layers.", "visual.transformer.resblocks."),
    ("vision_model.post_layernorm.", "visual.ln_post."),
    ("logit_scale", "logit_scale"),
];

/// The same within a block.
const PARTS: [(&str, &str); 5] = [
    ("self_attn.out_proj.", "attn.out_proj."),
    ("layer_norm1.", "ln_1."),
    ("layer_norm2.", "ln_2."),
    ("mlp.fc1.", "mlp.c_fc."),
    ("mlp.fc2.", "mlp.c_proj."),
];

/// The projections, which Hugging Face keeps the other way round. The text tower's is square at some sizes, so that no shape
/// would tell of a transpose that was forgotten.
const TRANSPOSED: [(&str, &str); 2] =
    [("text_projection.weight", "text_projection"), ("visual_projection.weight", "visual.proj")];

fn from_hugging_face(tensors: Vec<PackTensor>) -> Result<Vec<PackTensor>, String> {
    let mut converted = Vec::with_capacity(tensors.len());
    let mut stacks: BTreeMap<String, [Option<PackTensor>; 3]> = BTreeMap::new();
    for mut tensor in tensors {
        if let Some((_, name)) = TRANSPOSED.iter().find(|(theirs, _)| tensor.name == *theirs) {
            converted.push(transposed(&tensor, name)?);
            continue;
        }
        let beginning = BEGINNINGS.iter().find(|(theirs, _)| tensor.name.starts_with(theirs));
        let (theirs, ours) = beginning.ok_or_else(|| format!("no CLIP has {}", tensor.name))?;
        tensor.name = format!("{ours}{}", &tensor.name[theirs.len()..]);
        for (theirs, ours) in PARTS {
            tensor.name = tensor.name.replace(&format!(".{theirs}"), &format!(".{ours}"));
        }
        match stack_of(&tensor.name) {
            Some((name, part)) => stacks.entry(name).or_default()[part] = Some(tensor),
            None => converted.push(tensor),
        }
    }
    for (name, parts) in stacks {
        converted.push(stacked(name, parts)?);
    }
    Ok(converted)
}

/// The stack that a tensor of queries, keys or values belongs to, and its place there.
fn stack_of(name: &str) -> Option<(String, usize)> {
    let (block, rest) = name.split_once(".self_attn.")?;
    let (part, kind) = rest.split_once("_proj.")?;
    let part = ["q", "k", "v"].iter().position(|known| *known == part)?;
    Some((format!("{block}.attn.in_proj_{kind}"), part))
}

/// Rows become columns.
fn transposed(tensor: &PackTensor, name: &str) -> Result<PackTensor, String> {
    let &[n_rows, n_columns] = tensor.shape.as_slice() else {
        return Err(format!("{} is no matrix", tensor.name));
    };
    let bytes = tensor.to_bytes().map_err(|error| error.to_string())?;
    let size = bytes.len() / (n_rows * n_columns).max(1);
    let at = |row: usize, column: usize| &bytes[(row * n_columns + column) * size..][..size];
    let turned: Vec<u8> =
        (0..n_columns).flat_map(|column| (0..n_rows).flat_map(move |row| at(row, column)).copied()).collect();
    let bytes = Bytes::from_bytes_vec(turned);
    Ok(PackTensor::new(name.to_owned(), tensor.dtype, [n_columns, n_rows], None, bytes))
}

/// Queries, keys and values on top of one another.
fn stacked(name: String, parts: [Option<PackTensor>; 3]) -> Result<PackTensor, String> {
    let [Some(query), Some(key), Some(value)] = parts else {
        return Err(format!("a part of {name} is missing"));
    };
    if key.shape != query.shape || value.shape != query.shape || key.dtype != query.dtype || value.dtype != query.dtype
    {
        return Err(format!("the parts of {name} differ in shape or precision"));
    }
    let mut shape: Vec<usize> = query.shape.iter().copied().collect();
    shape[0] *= 3;
    let mut bytes = Vec::with_capacity(3 * query.byte_len());
    let dtype = query.dtype;
    for part in [query, key, value] {
        bytes.extend_from_slice(&part.into_bytes().map_err(|error| error.to_string())?);
    }
    Ok(PackTensor::new(name, dtype, shape, None, Bytes::from_bytes_vec(bytes)))
}

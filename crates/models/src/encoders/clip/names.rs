//! CLIP's checkpoints: OpenAI's names, which the modules have, and Hugging Face's (`CLIPModel`), which are converted to them.
//!
//! Not told apart: models of the same shape with the exact GELU (LAION, DataComp), whose weights say nothing of it.

use std::collections::BTreeMap;
use std::path::Path;

use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::Bytes;

use crate::{ModelError, Place, Rename, read_checkpoint};

/// OpenAI's names that differ from those of [`super::Clip`].
pub const RENAMES: &[Rename] = &[
    Rename { checkpoint: "token_embedding.weight", module: "token_embedding" },
    Rename { checkpoint: "positional_embedding", module: "text.positional_embedding" },
    Rename { checkpoint: "transformer.", module: "text.transformer." },
    Rename { checkpoint: "ln_final.", module: "text.ln_final." },
    Rename { checkpoint: "text_projection", module: "text.text_projection" },
];

/// What files hold besides parameters.
const LEFTOVERS: [(&str, &str); 5] = [
    ("input_resolution", "sizes that follow from the shapes"),
    ("context_length", "sizes that follow from the shapes"),
    ("vocab_size", "sizes that follow from the shapes"),
    ("text_model.embeddings.position_ids", "the numbers 0, 1, 2, …"),
    ("vision_model.embeddings.position_ids", "the numbers 0, 1, 2, …"),
];

/// Where a tensor of a checkpoint under OpenAI's names belongs in a [`super::Clip`].
pub fn place(name: &str) -> Place {
    Place::unless_leftover(name, &LEFTOVERS).renamed(RENAMES)
}

/// Reads a checkpoint of CLIP, in either naming, under OpenAI's names.
pub fn read(path: &Path) -> Result<Vec<PackTensor>, ModelError> {
    Ok(under_openais_names(read_checkpoint(path)?))
}

/// The tensors of a checkpoint in either naming under OpenAI's names; those that no CLIP has stay what they are.
pub fn under_openais_names(tensors: Vec<PackTensor>) -> Vec<PackTensor> {
    if tensors.iter().any(|tensor| is_hugging_face(&tensor.name)) { from_hugging_face(tensors) } else { tensors }
}

/// Whether a name is Hugging Face's.
pub fn is_hugging_face(name: &str) -> bool {
    name.starts_with("text_model.") || name.starts_with("vision_model.")
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

fn from_hugging_face(tensors: Vec<PackTensor>) -> Vec<PackTensor> {
    let mut converted = Vec::with_capacity(tensors.len());
    let mut stacks: BTreeMap<String, [Option<PackTensor>; 3]> = BTreeMap::new();
    for mut tensor in tensors {
        if let Some((_, name)) = TRANSPOSED.iter().find(|(theirs, _)| tensor.name == *theirs) {
            converted.push(transposed(tensor, name));
            continue;
        }
        let beginning = BEGINNINGS.iter().find(|(theirs, _)| tensor.name.starts_with(theirs));
        if let Some((theirs, ours)) = beginning {
            tensor.name = format!("{ours}{}", &tensor.name[theirs.len()..]);
            for (theirs, ours) in PARTS {
                tensor.name = tensor.name.replace(&format!(".{theirs}"), &format!(".{ours}"));
            }
        }
        match stack_of(&tensor.name) {
            Some((name, part)) => stacks.entry(name).or_default()[part] = Some(tensor),
            None => converted.push(tensor),
        }
    }
    for (name, parts) in stacks {
        match parts {
            [Some(query), Some(key), Some(value)] if are_alike(&query, [&key, &value]) => {
                converted.push(stacked(name, [query, key, value]));
            }
            // Left as they are, for the importer to complain about.
            parts => converted.extend(parts.into_iter().flatten()),
        }
    }
    converted
}

/// The stack that a tensor of queries, keys or values belongs to, and its place there.
fn stack_of(name: &str) -> Option<(String, usize)> {
    let (block, rest) = name.split_once(".self_attn.")?;
    let (part, kind) = rest.split_once("_proj.")?;
    let part = ["q", "k", "v"].iter().position(|known| *known == part)?;
    Some((format!("{block}.attn.in_proj_{kind}"), part))
}

/// Rows become columns; what is no matrix stays.
fn transposed(tensor: PackTensor, name: &str) -> PackTensor {
    let &[n_rows, n_columns] = tensor.shape.as_slice() else { return tensor };
    PackTensor::deferred(name.to_owned(), tensor.dtype, [n_columns, n_rows], None, tensor.byte_len(), move || {
        let bytes = tensor.to_bytes()?;
        let size = tensor.dtype.size();
        let at = |row: usize, column: usize| &bytes[(row * n_columns + column) * size..][..size];
        let turned: Vec<u8> =
            (0..n_columns).flat_map(|column| (0..n_rows).flat_map(move |row| at(row, column)).copied()).collect();
        Ok(Bytes::from_bytes_vec(turned))
    })
}

fn are_alike(first: &PackTensor, others: [&PackTensor; 2]) -> bool {
    first.shape.num_dims() > 0 && others.iter().all(|other| other.shape == first.shape && other.dtype == first.dtype)
}

/// Queries, keys and values on top of one another.
fn stacked(name: String, parts: [PackTensor; 3]) -> PackTensor {
    let mut shape: Vec<usize> = parts[0].shape.iter().copied().collect();
    shape[0] *= 3;
    let n_bytes = 3 * parts[0].byte_len();
    PackTensor::deferred(name, parts[0].dtype, shape, None, n_bytes, move || {
        let mut bytes = Vec::with_capacity(n_bytes);
        for part in &parts {
            bytes.extend_from_slice(&part.to_bytes()?);
        }
        Ok(Bytes::from_bytes_vec(bytes))
    })
}

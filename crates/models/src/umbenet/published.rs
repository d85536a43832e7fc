//! Published weights: checkpoints of the released code, and CLIP's vocabulary made into class prompts.

use std::path::Path;

use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::Bytes;

use super::{RENAMES, Umbenet, UmbenetConfig};
use crate::{ModelError, import_tensors, read_checkpoint};

/// What checkpoints of the released code hold without using it, and the image tower's second name.
const LEFTOVERS: [&str; 3] = ["prompt_pool.transformerClip.", "prompt_pool.pencoding.", "image_encoder_s."];

/// Fills a model of the released code's configuration from one of its Lightning checkpoints.
pub fn import_released(model: &mut Umbenet, path: &Path) -> Result<(), ModelError> {
    let mut tensors = read_checkpoint(path)?;
    tensors.retain(|tensor| !LEFTOVERS.iter().any(|leftover| tensor.name.starts_with(leftover)));
    import_tensors(model, tensors, RENAMES, path)
}

/// The embedded beginnings and ends of the class prompts, under their names in a checkpoint, and the positions of the end tokens.
///
/// - `class_tokens` one row per class: the ids of as many placeholders as there are learned tokens, then the class's name
///   and a full stop, all between start and end token, padded to the context of the prompt tower
/// - `table` the prompt tower's embedding of tokens, `[vocabulary, width]`
pub fn name_classes(
    config: &UmbenetConfig,
    class_tokens: &[Vec<i64>],
    table: &PackTensor,
) -> Result<([PackTensor; 2], Vec<usize>), ModelError> {
    let learned = config.selected_tokens + config.inherent_tokens;
    let (context, width) = (config.prompt_tower.context, config.prompt_tower.width);
    let complain = |text: String| ModelError::Config(text);
    let &[vocabulary, table_width] = table.shape.as_slice() else {
        return Err(complain(format!("{} is no table of tokens", table.name)));
    };
    let unfit = |row: &Vec<i64>| row.len() != context || row.iter().any(|&id| id < 0 || id as usize >= vocabulary);
    if table_width != width || class_tokens.iter().any(unfit) {
        return Err(complain(format!(
            "the class names do not fit {} of {vocabulary} tokens of {table_width}",
            table.name
        )));
    }
    let bytes = table.to_bytes().map_err(|error| complain(error.to_string()))?;
    let row_bytes = bytes.len() / vocabulary;
    let rows = |name: &str, places: std::ops::Range<usize>| {
        let ids = class_tokens.iter().flat_map(|row| &row[places.clone()]);
        let embedded: Vec<u8> =
            ids.flat_map(|&id| bytes[id as usize * row_bytes..][..row_bytes].iter().copied()).collect();
        let shape = [class_tokens.len(), places.len(), width];
        PackTensor::new(name.to_owned(), table.dtype, shape, None, Bytes::from_bytes_vec(embedded))
    };
    let prefix = rows("prompt_pool.token_prefix", 0..1);
    let suffix = rows("prompt_pool.token_suffix", 1 + learned..context);
    // The end token has the largest id of all.
    let end = |row: &Vec<i64>| (0..row.len()).rev().max_by_key(|&position| row[position]).unwrap_or(0);
    Ok(([prefix, suffix], class_tokens.iter().map(end).collect()))
}

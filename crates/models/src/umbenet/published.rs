//! Published weights: checkpoints of the released code, and CLIP's vocabulary made into class prompts.

use std::path::Path;

use burn::module::Param;
use burn::tensor::{Device, Int, Tensor, TensorData};
use emotion::LabelSet;

use super::{CaptionEncoder, FaceEncoder, FaceEncoderConfig, RENAMES, TextEncoderConfig, Umbenet, UmbenetConfig};
use crate::encoders::clip::{self, Clip, ClipSize, ClipText, Tokenizer, end_of};
use crate::{Init, ModelError, Place, Spelling, import_spelled, read_checkpoint};

/// What checkpoints of the released code hold without using it, and the image tower's second name.
const LEFTOVERS: [(&str, &str); 3] = [
    ("prompt_pool.transformerClip.", "a transformer in the pool that no forward pass runs"),
    ("prompt_pool.pencoding.", "positions in the pool that no forward pass reads"),
    ("image_encoder_s.", "the image tower once more, for scenes"),
];

/// Fills a model of the released code's configuration from one of its Lightning checkpoints.
pub fn import_released(model: &mut Umbenet, path: &Path) -> Result<(), ModelError> {
    import_spelled(model, read_checkpoint(path)?, &released_spelling(), path)
}

/// How such a checkpoint spells the parameters of a [`Umbenet`].
pub fn released_spelling() -> Spelling<'static> {
    Spelling::renamed(RENAMES, &LEFTOVERS)
}

/// The embedded beginnings and ends of the class prompts, `[classes, 1, width]` and `[classes, suffix tokens, width]`.
///
/// - `class_tokens` one row per class, see [`Tokenizer::class_prompt`], as long as the context of the prompt tower
/// - `table` the prompt tower's embedding of tokens, `[vocabulary, width]`
pub fn embedded_names(config: &UmbenetConfig, class_tokens: &[Vec<i64>], table: &Tensor<2>) -> [Tensor<3>; 2] {
    let learned = config.selected_tokens + config.inherent_tokens;
    [0..1, 1 + learned..config.prompt_tower.context].map(|places| {
        let ids: Vec<i64> = class_tokens.iter().flat_map(|row| row[places.clone()].iter().copied()).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::from(ids.as_slice()), &table.device());
        table.clone().select(0, ids).reshape([class_tokens.len(), places.len(), config.prompt_tower.width])
    })
}

/// Positions of the end tokens of the class prompts; none where names are no text to the model.
pub(super) fn class_ends(config: &UmbenetConfig, labels: &LabelSet) -> Result<Vec<usize>, ModelError> {
    if !config.frozen_prompt_tower {
        return Ok(Vec::new());
    }
    Ok(class_tokens(config, labels)?.iter().map(|tokens| end_of(tokens)).collect())
}

fn class_tokens(config: &UmbenetConfig, labels: &LabelSet) -> Result<Vec<Vec<i64>>, ModelError> {
    let tokenizer = Tokenizer::shared(given("vocabulary", &config.vocabulary)?)?;
    let learned = config.selected_tokens + config.inherent_tokens;
    let context = config.prompt_tower.context;
    labels.names().iter().map(|name| tokenizer.class_prompt(name, learned, context)).collect()
}

/// Fills the towers of a fresh model from the files of the configuration, and names its classes.
pub(super) fn load_towers(
    mut model: Umbenet,
    config: &UmbenetConfig,
    labels: &LabelSet,
    device: &Device,
) -> Result<Umbenet, ModelError> {
    if let FaceEncoderConfig::Clip { tower } = config.face {
        let tokens = class_tokens(config, labels)?;
        let path = given("clip", &config.clip)?;
        let vocabulary = vocabulary_of(path)?;
        let size = ClipSize { image: tower, text: config.prompt_tower, vocabulary };
        let mut clip = Clip::new(size, &mut Init::empty(device));
        clip.import(path)?;
        let [prefix, suffix] = embedded_names(config, &tokens, &clip.token_embedding.val());
        model.prompt_pool.token_prefix = replaced(&model.prompt_pool.token_prefix, prefix);
        model.prompt_pool.token_suffix = replaced(&model.prompt_pool.token_suffix, suffix);
        model.face_encoder = FaceEncoder::Clip(clip.visual);
        model.text_encoder = clip.text;
        model.logit_scale = clip.logit_scale;
        if let CaptionEncoder::Shared(caption) = &mut model.caption_encoder {
            caption.token_embedding = clip.token_embedding;
        }
    }
    if let (TextEncoderConfig::Clip { tower, vocabulary }, CaptionEncoder::Clip(caption)) =
        (config.text, &mut model.caption_encoder)
    {
        let path = given("caption_clip", &config.caption_clip)?;
        let clip = ClipText::open(path, tower, vocabulary, &mut Init::empty(device))?;
        caption.token_embedding = clip.token_embedding;
        caption.tower = clip.text;
    }
    Ok(model.freeze_pretrained(config))
}

/// Tokens of the CLIP in a file.
fn vocabulary_of(path: &Path) -> Result<usize, ModelError> {
    let tensors = read_checkpoint(path)?;
    let spelling = clip::spelling(&tensors);
    let table = tensors.iter().find(|tensor| spelling.place(&tensor.name) == Place::At("token_embedding".into()));
    let rows = table.and_then(|table| table.shape.iter().copied().next());
    rows.ok_or_else(|| ModelError::Weights {
        reason: "token_embedding.weight is missing".into(),
        path: path.to_owned(),
    })
}

/// A file that somebody must have named.
fn given<'a>(setting: &str, path: &'a Path) -> Result<&'a Path, ModelError> {
    match path.as_os_str().is_empty() {
        true => Err(ModelError::Config(format!(
            "{setting} names no file, and without it a model of this preset is neither trained nor imported: \
             --set {setting}=FILE"
        ))),
        false => Ok(path),
    }
}

fn replaced<const D: usize>(param: &Param<Tensor<D>>, value: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(param.id, value.detach())
}

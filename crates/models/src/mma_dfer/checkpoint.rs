//! Published weights: the two encoders that training starts from, and whole models as the released code saves them.

use std::path::Path;

use burn::store::burn_pack::Tensor as PackTensor;

use super::MmaDfer;
use crate::encoders::vit::{Vit, VitSize};
use crate::weights::{Spelling, import_spelled, read_checkpoint};
use crate::{Init, ModelError, Rename};

/// Names of the published checkpoints that differ from the module's.
pub const RENAMES: &[Rename] = &[
    Rename { checkpoint: "image_encoder.learnable_prompts_init", module: "face_prompts.initial" },
    Rename { checkpoint: "image_encoder.learnable_prompts_progr.", module: "face_prompts.updates." },
    Rename { checkpoint: "image_encoder.temporal_pre.*.", module: "fusion.*.exchange.face_down." },
    Rename { checkpoint: "image_encoder.temporal_pre_norm.*.", module: "fusion.*.exchange.face_norm." },
    // It lives in the image encoder all the same.
    Rename { checkpoint: "image_encoder.audio_proj_pre.*.0.", module: "fusion.*.exchange.voice_down." },
    Rename { checkpoint: "image_encoder.audio_proj_pre.*.1.", module: "fusion.*.exchange.voice_norm." },
    Rename { checkpoint: "image_encoder.temporal_att_post.*.0.", module: "fusion.*.exchange.face_up." },
    Rename { checkpoint: "image_encoder.all_gate.*", module: "fusion.*.face_gate" },
    Rename { checkpoint: "audio_model.learnable_prompts_init", module: "voice_prompts.initial" },
    Rename { checkpoint: "audio_model.learnable_prompts_progr.", module: "voice_prompts.updates." },
    Rename { checkpoint: "audio_model.temporal_att_post.*.0.", module: "fusion.*.exchange.voice_up." },
    Rename { checkpoint: "audio_model.all_gate.*", module: "fusion.*.voice_gate" },
    Rename { checkpoint: "image_encoder.", module: "face." },
    Rename { checkpoint: "audio_model.", module: "voice." },
    Rename { checkpoint: "vision_proj.", module: "joint." },
    Rename { checkpoint: "temporal_net.cls_token", module: "temporal.cls_token" },
    Rename { checkpoint: "temporal_net.pos_embedding", module: "temporal.positions" },
    Rename {
        checkpoint: "temporal_net.temporal_transformer.layers.*.0.fn.norm.",
        module: "temporal.layers.*.attention_norm.",
    },
    Rename {
        checkpoint: "temporal_net.temporal_transformer.layers.*.0.fn.norm2.",
        module: "temporal.layers.*.attention_idle_norm.",
    },
    Rename {
        checkpoint: "temporal_net.temporal_transformer.layers.*.0.fn.fn.to_q.",
        module: "temporal.layers.*.query.",
    },
    Rename {
        checkpoint: "temporal_net.temporal_transformer.layers.*.0.fn.fn.to_kv.",
        module: "temporal.layers.*.key_value.",
    },
    Rename {
        checkpoint: "temporal_net.temporal_transformer.layers.*.0.fn.fn.to_out.0.",
        module: "temporal.layers.*.out.",
    },
    Rename {
        checkpoint: "temporal_net.temporal_transformer.layers.*.1.fn.norm.",
        module: "temporal.layers.*.mlp_norm.",
    },
    Rename {
        checkpoint: "temporal_net.temporal_transformer.layers.*.1.fn.norm2.",
        module: "temporal.layers.*.mlp_idle_norm.",
    },
    Rename { checkpoint: "temporal_net.temporal_transformer.layers.*.1.fn.fn.net.0.", module: "temporal.layers.*.up." },
    Rename {
        checkpoint: "temporal_net.temporal_transformer.layers.*.1.fn.fn.net.3.",
        module: "temporal.layers.*.down.",
    },
    Rename { checkpoint: "our_classifier.", module: "classifier." },
];

/// Beginnings of names that trained models hold besides what has an effect: heads of the encoders' other tasks and the
/// state of the training that saved them.
const LEFTOVERS: [(&str, &str); 5] = [
    ("image_encoder.head.", "heads of the encoders' other tasks"),
    ("audio_model.head.", "heads of the encoders' other tasks"),
    ("optimizer.", "the training that saved it"),
    ("best_acc", "the training that saved it"),
    ("recorder.", "the training that saved it"),
];

/// What the released training code puts before every name, or nothing.
const PREFIXES: [&str; 4] = ["state_dict.module.", "state_dict.", "module.", ""];

/// Fills a model from a checkpoint of the released code or of Limbic: strict, but for what has no effect.
pub fn import_trained(model: &mut MmaDfer, path: &Path) -> Result<(), ModelError> {
    let tensors = read_checkpoint(path)?;
    let spelling = trained_spelling(&tensors);
    import_spelled(model, tensors, &spelling, path)
}

/// How such a checkpoint of these tensors spells the parameters of a [`MmaDfer`].
pub fn trained_spelling(tensors: &[PackTensor]) -> Spelling<'static> {
    Spelling::renamed(RENAMES, &LEFTOVERS).behind(prefix(tensors))
}

/// What stands before every name of a model in such a checkpoint.
pub(crate) fn prefix(tensors: &[PackTensor]) -> &'static str {
    let is_there = |prefix: &&str| tensors.iter().any(|tensor| tensor.name.starts_with(prefix));
    PREFIXES.into_iter().find(is_there).unwrap_or_default()
}

/// Replaces a fresh encoder by a published one, adapted to the fresh one's patches and prompts.
///
/// `file` is the name of the setting and its value.
pub(super) fn load_encoder(
    encoder: &mut Vit,
    published: VitSize,
    file: (&str, &Path),
    init: &mut Init<'_>,
) -> Result<(), ModelError> {
    let (setting, path) = file;
    if path.as_os_str().is_empty() {
        let reason = format!("{setting} is not set: name the file that the encoder's published weights are in");
        return Err(ModelError::Config(reason));
    }
    *encoder = Vit::from_file(published, path, init)?.adapted_to(encoder, init);
    Ok(())
}

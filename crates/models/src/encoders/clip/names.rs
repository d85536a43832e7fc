//! CLIP's checkpoints: OpenAI's names, which the modules have, and Hugging Face's (`CLIPModel`), which are converted to
//! them.
//!
//! Not told apart: models of the same shape with the exact GELU (LAION, DataComp), whose weights say nothing of it.

use burn::store::burn_pack::Tensor as PackTensor;

use crate::{Place, Rename, Spelling};

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

/// How a checkpoint of these tensors spells the parameters of a [`super::Clip`].
pub fn spelling(tensors: &[PackTensor]) -> Spelling<'static> {
    match tensors.iter().any(|tensor| is_hugging_face(&tensor.name)) {
        true => Spelling::in_parts(
            |name| place_from_hugging_face(name).renamed(RENAMES),
            |parameter| hugging_faces(&Rename::to_checkpoint(RENAMES, parameter)),
        ),
        false => Spelling::renamed(RENAMES, &LEFTOVERS),
    }
}

/// Whether a name is Hugging Face's.
pub fn is_hugging_face(name: &str) -> bool {
    name.starts_with("text_model.") || name.starts_with("vision_model.")
}

/// Hugging Face's names that only differ from OpenAI's, by what they begin with.
const BEGINNINGS: [Rename; 10] = [
    Rename { checkpoint: "text_model.embeddings.token_embedding.weight", module: "token_embedding.weight" },
    Rename { checkpoint: "text_model.embeddings.position_embedding.weight", module: "positional_embedding" },
    Rename { checkpoint: "text_model.encoder.layers.", module: "transformer.resblocks." },
    Rename { checkpoint: "text_model.final_layer_norm.", module: "ln_final." },
    Rename { checkpoint: "vision_model.embeddings.class_embedding", module: "visual.class_embedding" },
    Rename { checkpoint: "vision_model.embeddings.patch_embedding.weight", module: "visual.conv1.weight" },
    Rename { checkpoint: "vision_model.embeddings.position_embedding.weight", module: "visual.positional_embedding" },
    Rename { checkpoint: "vision_model.pre_layrnorm.", module: "visual.ln_pre." }, // as Hugging Face spells it
    Rename { checkpoint: "vision_model.encoder.layers.", module: "visual.transformer.resblocks." },
    Rename { checkpoint: "vision_model.post_layernorm.", module: "visual.ln_post." },
];

/// The same within a block.
const PARTS: [Rename; 5] = [
    Rename { checkpoint: ".self_attn.out_proj.", module: ".attn.out_proj." },
    Rename { checkpoint: ".layer_norm1.", module: ".ln_1." },
    Rename { checkpoint: ".layer_norm2.", module: ".ln_2." },
    Rename { checkpoint: ".mlp.fc1.", module: ".mlp.c_fc." },
    Rename { checkpoint: ".mlp.fc2.", module: ".mlp.c_proj." },
];

/// The projections, which Hugging Face keeps the other way round. The text tower's is square at some sizes, so that no
/// shape would tell of a transpose that was forgotten.
const TRANSPOSED: [(&str, &str); 2] =
    [("text_projection.weight", "text_projection"), ("visual_projection.weight", "visual.proj")];

/// What OpenAI stacks, as Hugging Face calls it: queries, keys and values.
const STACKED: [&str; 3] = ["q", "k", "v"];

/// Where a tensor under Hugging Face's name belongs, under OpenAI's names.
fn place_from_hugging_face(name: &str) -> Place {
    if let Some((_, ours)) = TRANSPOSED.iter().find(|(theirs, _)| name == *theirs) {
        return Place::Transposed((*ours).to_owned());
    }
    let name = Rename::to_module(&PARTS, &Rename::to_module(&BEGINNINGS, name));
    third_of_stack(&name).unwrap_or_else(|| Place::unless_leftover(&name, &LEFTOVERS))
}

/// The stack that a tensor of queries, keys or values belongs to, and its place there.
fn third_of_stack(name: &str) -> Option<Place> {
    let (block, rest) = name.split_once(".self_attn.")?;
    let (part, kind) = rest.split_once("_proj.")?;
    let part = STACKED.iter().position(|known| *known == part)?;
    Some(Place::Third(format!("{block}.attn.in_proj_{kind}"), part))
}

/// What Hugging Face makes of a parameter under OpenAI's name.
fn hugging_faces(name: &str) -> Vec<String> {
    if let Some((theirs, _)) = TRANSPOSED.iter().find(|(_, ours)| name == *ours) {
        return vec![(*theirs).to_owned()];
    }
    let name = Rename::to_checkpoint(&BEGINNINGS, &Rename::to_checkpoint(&PARTS, name));
    match name.split_once(".attn.in_proj_") {
        Some((block, kind)) => STACKED.map(|part| format!("{block}.self_attn.{part}_proj.{kind}")).to_vec(),
        None => vec![name],
    }
}

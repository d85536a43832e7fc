//! Trained models as the released codes save them.

use std::path::Path;

use burn::store::burn_pack::Tensor as PackTensor;
use emotion::{Modalities, Modality};

use super::{Kind, Names, Released, Report, empty};
use crate::layers::streams::{ByStream, stream_letter};
use crate::mma_dfer::{self, MmaDfer, MmaDferConfig};
use crate::mult::{self, Mult, MultSize};
use crate::umbenet::{self, Umbenet, UmbenetConfig};
use crate::{Config, DeviceId, ModelError, ModelKind, compute, fit};

/// The most that a size read from a file may be: a file of a few bytes shall not ask for a million layers.
const MAX_SIZE: usize = 4096;

/// What the file is, if it is one of these.
pub(super) fn identify(path: &Path, tensors: &[PackTensor]) -> Result<Option<Report>, ModelError> {
    let names = Names(tensors);
    Ok(if names.contain("image_encoder.all_gate.") || names.contain("image_encoder.temporal_pre.") {
        Some(mma_dfer(path, tensors)?)
    } else if names.has("prompt_pool.prompt_key") {
        Some(umbenet(path, tensors)?)
    } else if names.begin("trans_l_mem.") || names.begin("trans_a_mem.") {
        Some(mult(path, tensors)?)
    } else {
        None
    })
}

fn report(path: &Path, kind: Kind, model: ModelKind, how: &str) -> Report {
    Report::new(path, kind, format!("a trained {} of the released code, {how}", model.title()))
}

fn mma_dfer(path: &Path, tensors: &[PackTensor]) -> Result<Report, ModelError> {
    let names = Names(tensors);
    let stem = mma_dfer::prefix(tensors);
    let side = |name: &str, axis: usize| names.side(&format!("{stem}{name}"), axis).filter(|&side| side <= MAX_SIZE);
    let mut config = MmaDferConfig::paper();
    // The class token, a square of patches, the prompts.
    let n_patches = side("image_encoder.pos_embed", 1).map(|n| n.saturating_sub(1 + config.n_prompts()));
    let side_px = n_patches.map_or(0, |n| n.isqrt() * 16);
    if let mma_dfer::FaceEncoderConfig::Patches { side_px: own, .. } = &mut config.face
        && side_px > 0
    {
        *own = side_px;
    }
    config.latent = side("image_encoder.temporal_pre.0.weight", 0).unwrap_or(config.latent);
    let n_classes = side("our_classifier.weight", 0).unwrap_or(7);
    let device = compute::open(&DeviceId::Cpu)?;
    let model = MmaDfer::new(&config, n_classes, &mut empty(&device));
    let (fit, _) = fit(&model, tensors.to_vec(), &mma_dfer::trained_spelling(tensors));
    let how = match side_px {
        0 => format!("{n_classes} classes"),
        _ => format!("at {side_px} pixels, {n_classes} classes"),
    };
    let released = Released::of(&Config::MmaDfer(config), "paper", n_classes)?;
    let report = report(path, Kind::MmaDfer, ModelKind::MmaDfer, &how);
    Ok(Report { fit: Some(fit), released: Some(released), ..report })
}

fn umbenet(path: &Path, tensors: &[PackTensor]) -> Result<Report, ModelError> {
    let names = Names(tensors);
    let side = |name: &str, axis: usize| names.side(name, axis).filter(|&side| side <= MAX_SIZE);
    let mut config = UmbenetConfig::official_compat();
    config.pool_size = side("prompt_pool.prompt_pool", 0).unwrap_or(config.pool_size);
    config.selected_tokens = side("prompt_pool.prompt_pool", 1).unwrap_or(config.selected_tokens);
    config.inherent_tokens = side("prompt_pool.ctx", 0).unwrap_or(config.inherent_tokens);
    let n_classes = side("prompt_pool.token_prefix", 0).unwrap_or(11);
    if 1 + config.selected_tokens + config.inherent_tokens >= config.prompt_tower.context {
        let note = "its prompts are longer than CLIP's context";
        return Ok(report(path, Kind::Umbenet, ModelKind::Umbenet, "of another shape").with_note(note));
    }
    let device = compute::open(&DeviceId::Cpu)?;
    let model = Umbenet::new(&config, n_classes, config.pool_size, &mut empty(&device));
    let (fit, _) = fit(&model, tensors.to_vec(), &umbenet::released_spelling());
    let how = format!("a pool of {} prompts, {n_classes} classes", config.pool_size);
    let released = Released::of(&Config::Umbenet(config), "official-compat", n_classes)?;
    let report = report(path, Kind::Umbenet, ModelKind::Umbenet, &how);
    Ok(Report { fit: Some(fit), released: Some(released), ..report })
}

fn mult(path: &Path, tensors: &[PackTensor]) -> Result<Report, ModelError> {
    let names = Names(tensors);
    let side = |name: &str, axis: usize| names.side(name, axis).filter(|&side| side <= MAX_SIZE);
    let letters = Modality::ALL.map(|stream| (stream, stream_letter(stream)));
    let targets = letters.into_iter().filter(|(_, letter)| names.begin(&format!("trans_{letter}_with_")));
    let targets = targets.fold(Modalities::NONE, |targets, (stream, _)| targets.with(stream, true));
    let layers = letters.into_iter().flat_map(|(_, target)| {
        letters.map(|(_, source)| names.count(&format!("trans_{target}_with_{source}.layers.")))
    });
    let mut size = MultSize::paper();
    size.width = letters.iter().find_map(|(_, letter)| side(&format!("proj_{letter}.weight"), 0)).unwrap_or(size.width);
    size.n_layers = layers.max().filter(|&n| n > 0 && n <= MAX_SIZE).unwrap_or(size.n_layers);
    size.targets = targets;
    let dims = |letter: char| side(&format!("proj_{letter}.weight"), 1).unwrap_or(size.width);
    let n_dims = ByStream { language: dims('l'), video: dims('v'), audio: dims('a') };
    let n_out = side("out_layer.weight", 0).unwrap_or(1);
    let device = compute::open(&DeviceId::Cpu)?;
    let model = Mult::new(&size, &n_dims, n_out, &mut empty(&device));
    let (fit, _) = fit(&model, tensors.to_vec(), &mult::published_spelling());
    let how = format!(
        "{} language, {} video and {} audio features, {n_out} outputs",
        n_dims.language, n_dims.video, n_dims.audio
    );
    let report = report(path, Kind::Mult, ModelKind::Mult, &how);
    Ok(Report { fit: Some(fit), ..report }.with_note("a trained MulT is checked only: Limbic does not import it"))
}

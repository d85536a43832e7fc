//! Trained models of the released codes as models of Limbic.

use std::path::{Path, PathBuf};

use emotion::{Attribute, Manifest};

use crate::bundle::refuse_occupied;
use crate::{
    Bundle, Card, Config, DeviceId, EmotionModel as _, Init, ModelError, ModelKind, compute, save_bundle, with_model,
};

/// The models whose released codes save weights in a form of their own.
pub const RELEASED: [ModelKind; 3] = [ModelKind::Umbenet, ModelKind::MmaDfer, ModelKind::Vavl];

/// The checkpoint of a model that is one file.
pub(crate) fn only(files: &[PathBuf]) -> Result<&Path, ModelError> {
    match files {
        [file] => Ok(file),
        files => Err(ModelError::Config(format!("such a model is one file, not {}", files.len()))),
    }
}

/// Makes a model of Limbic in the folder `to`, which any command takes.
///
/// `files` are its checkpoint, the files of a set, or their folder; for VAVL what inputs are normalized by is among
/// them.
/// `about` says what the outputs are, its classes in their order or its ratings, and which features there are; it needs
/// no clips. Errors when a tensor is missing, unexpected or misshapen, with its name.
pub fn import_released(
    config: &Config,
    about: &Manifest,
    files: &[PathBuf],
    card: Card,
    to: &Path,
) -> Result<Bundle, ModelError> {
    if !RELEASED.contains(&config.kind()) {
        let known = RELEASED.map(ModelKind::title).join(", ");
        let reason = format!("a trained {} is not imported; those of {known} are", config.kind().title());
        return Err(ModelError::Config(reason));
    }
    refuse_occupied(to)?;
    let device = compute::open(&DeviceId::Cpu)?;
    with_model!(config, M, config => {
        let config = M::for_dataset(config, about)?;
        M::check(&config)?;
        let labels = M::attributes(&config).first().map_or_else(|| about.labels.clone(), |first: &Attribute| first.halves());
        let mut model = M::build(&config, about.labels.len(), &mut Init::empty(&device));
        model.import_released(&config, files)?;
        let last = M::stages(&config).len().saturating_sub(1);
        let bundle = Bundle::new(M::config_at(&config, last), labels, M::reader(&config).inputs.modalities(), card);
        save_bundle(to, &bundle, &model)?;
        Ok(bundle)
    })
}

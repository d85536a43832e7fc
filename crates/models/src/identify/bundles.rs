//! What takes more than one file: models of Limbic, and VAVL's set.

use std::path::{Path, PathBuf};

use super::{Kind, Names, Released, Report, empty, packing, parts};
use crate::vavl::checkpoint::{self, STATISTICS, set_of};
use crate::vavl::{Network, VavlConfig};
use crate::weights::snapshot_fault;
use crate::{
    Config, DeviceId, EmotionModel, ModelError, Spelling, compute, fit, load_bundle, open_checkpoint, with_model,
};

/// Widths of the features that VAVL's released code reads.
const VOICE_WIDTH: usize = 1024;
pub(super) const FACE_WIDTH: usize = 1408;
/// Values of a voice that are normalized at once: a waveform has one.
const WAVE_WIDTH: usize = 1;

/// What `path` is, if it is or belongs to something of several files.
pub(super) fn identify(path: &Path) -> Result<Option<Report>, ModelError> {
    let folder = match path.is_dir() {
        true => path,
        // The folder of a bare name is this one.
        false => path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")),
    };
    let is_bundle = |dir: &Path| dir.join("model.toml").is_file();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if path.is_dir() {
        let candidates = [folder.join("best"), folder.to_owned()];
        if let Some(dir) = candidates.iter().find(|dir| is_bundle(dir)) {
            return bundle(path, dir).map(Some);
        }
    } else if matches!(name, "model.safetensors" | "model.toml") && is_bundle(folder) {
        return bundle(path, folder).map(Some);
    }
    let files = set_of(folder);
    let is_part = path.is_dir() || name == STATISTICS || files.iter().any(|file| file.file_name() == path.file_name());
    if is_part && !files.is_empty() {
        return vavl(folder, &files).map(Some);
    }
    match path.is_dir() && parts::identify(path).is_none() {
        true => Err(snapshot_fault(path).unwrap_or_else(|| ModelError::NoModel { path: path.to_owned() })),
        false => Ok(None),
    }
}

fn bundle(path: &Path, dir: &Path) -> Result<Report, ModelError> {
    let bundle = load_bundle(dir)?;
    let contents = open_checkpoint(&dir.join("model.safetensors"))?;
    let device = compute::open(&DeviceId::Cpu)?;
    let (fit, attributes) = with_model!(&bundle.config, M, config => {
        let model = M::build(config, bundle.labels.len(), &mut empty(&device));
        let (fit, _) = fit(&model, contents.tensors, &Spelling::renamed(M::RENAMES, &[]));
        let attributes: Vec<&str> = M::attributes(config).iter().map(|attribute| attribute.name()).collect();
        (fit, attributes.join(", "))
    });
    let model = bundle.model.title();
    let report = match attributes.is_empty() {
        true => {
            let title = format!("a model of Limbic: {model}, {} classes", bundle.labels.len());
            Report::new(path, Kind::Bundle, title)
        }
        false => {
            let note = format!("it is scored on datasets whose clips are rated: {attributes}");
            Report::new(path, Kind::Bundle, format!("a model of Limbic: {model} for {attributes}")).with_note(note)
        }
    };
    let packing = contents.container.name().to_owned();
    Ok(Report { fit: Some(fit), packing, ..report })
}

fn vavl(folder: &Path, files: &[PathBuf]) -> Result<Report, ModelError> {
    let (tensors, containers) = checkpoint::open(files)?;
    let packing = packing(&containers, &tensors);
    let names = Names(&tensors);
    let mut config = VavlConfig::paper();
    let layers = names.count("final_acoustic_head/x_acoustic.encoder.layers.");
    if (1..64).contains(&layers) {
        config.network.layers = layers;
    }
    let outputs = names.side("MLP_a_head/out_layer.weight", 0).filter(|&outputs| outputs < 4096).unwrap_or(6);
    let device = compute::open(&DeviceId::Cpu)?;
    let model = Network::new(&config.network, VOICE_WIDTH, FACE_WIDTH, outputs, &mut empty(&device));
    let (mut fit, _) = fit(&model, tensors, &checkpoint::spelling());
    fit.missing.extend(checkpoint::statistics_fault(folder, [WAVE_WIDTH, FACE_WIDTH]));
    let title = format!("the files of a trained VAVL, {} layers a branch, {outputs} outputs", config.network.layers);
    let released = Some(Released::of(&Config::Vavl(config), "paper", outputs)?);
    let report = Report::new(folder, Kind::Vavl, title).with_note(
        "outputs that are ratings look the same as classes: import them with --set network.task=regression and the \
         --manifest of a dataset that rates as many attributes (valence, arousal, dominance)",
    );
    Ok(Report { fit: Some(fit), packing, released, ..report })
}

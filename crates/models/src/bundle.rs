//! A trained model on disk: `model.toml`, `model.safetensors` and `card.md` in one folder.

use std::io::Write as _;
use std::path::Path;

use atomic_write_file::AtomicWriteFile;
use burn::module::Module as _;
use burn::tensor::Device;
use emotion::{LabelSet, Modalities, Scores};
use serde::{Deserialize, Serialize};

use crate::mcr::McrConfig;
use crate::mma_dfer::MmaDferConfig;
use crate::mult::MultConfig;
use crate::settings::check_sizes;
use crate::umbenet::UmbenetConfig;
use crate::vavl::VavlConfig;
use crate::{DeviceId, EmotionModel, Init, ModelError, ModelKind, Predict, Trained, compute, weights, with_model};

/// The version of `model.toml`.
const FORMAT: u32 = 1;
const DESCRIPTION: &str = "model.toml";
const WEIGHTS: &str = "model.safetensors";
/// Burn's own format, written by an export for those who build on burn.
const BURN_WEIGHTS: &str = "model.bpk";

/// The configuration of any model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "kebab-case")]
pub enum Config {
    /// UMBEnet.
    Umbenet(UmbenetConfig),
    /// MMA-DFER.
    MmaDfer(MmaDferConfig),
    /// VAVL.
    Vavl(VavlConfig),
    /// MCR.
    Mcr(McrConfig),
    /// MulT.
    Mult(MultConfig),
}

impl Config {
    /// Which model it is for.
    pub fn kind(&self) -> ModelKind {
        match self {
            Self::Umbenet(_) => ModelKind::Umbenet,
            Self::MmaDfer(_) => ModelKind::MmaDfer,
            Self::Vavl(_) => ModelKind::Vavl,
            Self::Mcr(_) => ModelKind::Mcr,
            Self::Mult(_) => ModelKind::Mult,
        }
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), ModelError> {
        check_sizes(self)?;
        with_model!(self, M, config => M::check(config))
    }

    /// The training plan.
    pub fn stages(&self) -> Vec<crate::StagePlan> {
        with_model!(self, M, config => M::stages(config))
    }

    /// The configuration completed by what follows from a dataset.
    ///
    /// Errors when the dataset lacks what the model learns from.
    pub fn for_dataset(&self, manifest: &emotion::Manifest) -> Result<Self, ModelError> {
        with_model!(self, M, config => {
            let completed = M::for_dataset(config, manifest)?;
            let last = M::stages(&completed).len().saturating_sub(1);
            Ok(M::config_at(&completed, last))
        })
    }

    /// What the model needs of a clip.
    pub fn inputs(&self) -> emotion::Inputs {
        with_model!(self, M, config => M::reader(config).inputs)
    }
}

/// What people want to know of a trained model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Card {
    /// Name of the run.
    pub name: String,
    /// Preset that it started from.
    pub preset: String,
    /// Dataset that it was trained on.
    pub dataset: String,
    /// Protocol of its splits.
    pub protocol: String,
    /// Training clips.
    pub n_train: usize,
    /// Seed.
    pub seed: u64,
    /// Device that it was trained on.
    pub device: String,
    /// Version of Limbic that trained it.
    pub version: String,
    /// Scores on the test split, once it was scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Scores>,
}

/// All that `model.toml` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bundle {
    /// Format of the description.
    pub format: u32,
    /// Which model.
    pub model: ModelKind,
    /// Modalities that it was trained with.
    pub trained_on: Modalities,
    /// The classes, in the order of the outputs.
    pub labels: LabelSet,
    /// Where it comes from.
    pub card: Card,
    /// Its configuration.
    pub config: Config,
}

impl Bundle {
    /// A description in the current format.
    pub fn new(config: Config, labels: LabelSet, trained_on: Modalities, card: Card) -> Self {
        Self { format: FORMAT, model: config.kind(), trained_on, labels, card, config }
    }
}

/// Loads the model of a run folder, of its `best` folder or of an exported bundle.
pub fn load(dir: &Path, device: &DeviceId) -> Result<Box<dyn Predict>, ModelError> {
    let candidates = [dir.join("best"), dir.to_owned()];
    let Some(dir) = candidates.iter().find(|candidate| candidate.join(DESCRIPTION).is_file()) else {
        return Err(ModelError::NoModel { path: dir.to_owned() });
    };
    let bundle = load_bundle(dir)?;
    let device = compute::open(device)?;
    with_model!(bundle.config.clone(), M, config => {
        let model: M = fill(&config, &bundle, &dir.join(WEIGHTS), &device)?;
        Ok(Box::new(Trained::new(&model, config, bundle, device)))
    })
}

/// Writes the model of `from` (anything that [`load`] takes) to `to`, also in burn's own format; returns the names of
/// the files.
pub fn copy_bundle(from: &Path, to: &Path) -> Result<Vec<String>, ModelError> {
    let candidates = [from.join("best"), from.to_owned()];
    let Some(from) = candidates.iter().find(|candidate| candidate.join(DESCRIPTION).is_file()) else {
        return Err(ModelError::NoModel { path: from.to_owned() });
    };
    refuse_occupied(to)?;
    let bundle = load_bundle(from)?;
    let device = compute::open(&DeviceId::Cpu)?;
    with_model!(&bundle.config, M, config => {
        let model: M = fill(config, &bundle, &from.join(WEIGHTS), &device)?;
        save_bundle(to, &bundle, &model)?;
        let path = to.join(BURN_WEIGHTS);
        let bytes = model.into_record().into_bytes();
        let failed = |reason: String| ModelError::Write { path: path.clone(), source: std::io::Error::other(reason) };
        write_atomically(&path, &bytes.map_err(|error| failed(error.to_string()))?)?;
    });
    Ok([DESCRIPTION, WEIGHTS, BURN_WEIGHTS, "card.md"].map(str::to_owned).to_vec())
}

/// Errors when a folder holds a model already.
pub(crate) fn refuse_occupied(dir: &Path) -> Result<(), ModelError> {
    if dir.join(DESCRIPTION).exists() {
        let source = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "the folder already holds a model");
        return Err(ModelError::Write { path: dir.to_owned(), source });
    }
    Ok(())
}

/// The model that a description speaks of, with the weights of a file.
fn fill<M: EmotionModel>(
    config: &M::Config,
    bundle: &Bundle,
    weights: &Path,
    device: &Device,
) -> Result<M, ModelError> {
    let mut model = M::build(config, bundle.labels.len(), &mut Init::empty(device));
    weights::import(&mut model, weights, M::RENAMES)?;
    Ok(model)
}

/// Reads `model.toml` alone.
pub fn load_bundle(dir: &Path) -> Result<Bundle, ModelError> {
    let path = dir.join(DESCRIPTION);
    let text = std::fs::read_to_string(&path).map_err(|source| ModelError::Read { path: path.clone(), source })?;
    let damaged = |reason: String| ModelError::Description { reason, path: path.clone() };
    let bundle: Bundle = toml::from_str(&text).map_err(|error| damaged(error.message().to_owned()))?;
    if bundle.format > FORMAT {
        return Err(damaged(format!("it has format {}, this version of Limbic reads up to {FORMAT}", bundle.format)));
    }
    bundle.config.check()?;
    Ok(bundle)
}

/// Writes a model as a bundle; the description last, so that a folder with one is whole.
pub fn save_bundle<M: EmotionModel>(dir: &Path, bundle: &Bundle, model: &M) -> Result<(), ModelError> {
    std::fs::create_dir_all(dir).map_err(|source| ModelError::Write { path: dir.to_owned(), source })?;
    weights::export(model, &dir.join(WEIGHTS), M::RENAMES)?;
    save_description(dir, bundle)
}

/// Writes `model.toml` and `card.md` alone, after scores have changed.
pub fn save_description(dir: &Path, bundle: &Bundle) -> Result<(), ModelError> {
    let text = toml::to_string_pretty(bundle)
        .map_err(|error| ModelError::Description { reason: error.to_string(), path: dir.join(DESCRIPTION) })?;
    write_atomically(&dir.join("card.md"), card_text(bundle).as_bytes())?;
    write_atomically(&dir.join(DESCRIPTION), text.as_bytes())
}

/// Writes a file whole or not at all.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    write_atomically_with(path, |file| file.write_all(bytes))
}

/// The same for what is written piece by piece.
pub(crate) fn write_atomically_with(
    path: &Path,
    write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<(), ModelError> {
    let written = AtomicWriteFile::open(path).and_then(|mut file| {
        write(file.as_file_mut())?;
        file.commit()
    });
    written.map_err(|source| ModelError::Write { path: path.to_owned(), source })
}

/// The model card that people read.
fn card_text(bundle: &Bundle) -> String {
    let Card { name, preset, dataset, protocol, n_train, seed, device, version, test } = &bundle.card;
    let scores = test.as_ref().map_or("not scored on a test split".into(), |scores| {
        format!("WAR {:.3}, UAR {:.3}, macro F1 {:.3} on the test split", scores.war, scores.uar, scores.macro_f1)
    });
    format!(
        "# {name}\n\n{title}, preset {preset}: {paper}.\n\n\
         - Classes, in order: {labels}\n\
         - Modalities: {modalities} (V face, A voice, T text)\n\
         - Trained on: {dataset}, {n_train} clips; {protocol}\n\
         - Scores: {scores}\n\
         - Seed {seed}, device {device}, Limbic {version}\n\n\
         Emotion labels describe what observers perceive, not what a person feels. Do not use this model to judge people.\n",
        title = bundle.model.title(),
        paper = bundle.model.paper(),
        labels = bundle.labels.names().join(", "),
        modalities = bundle.trained_on,
    )
}

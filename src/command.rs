//! All that a page can ask for. Pages change nothing themselves: they draw the state and return these.

use std::collections::BTreeMap;
use std::path::PathBuf;

use emotion::{FaceChoice, LabelSet, Modalities};
use models::{DeviceId, ModelKind};
use serde::{Deserialize, Serialize};

use crate::figure::{FigureKind, Format};
use crate::state::{DialogFor, JobId, PageName, PeopleOf, State};
use crate::theme::Appearance;

/// A wish of the user.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Show another page.
    GoTo(PageName),
    /// Make the sample project and open it.
    CreateSample,
    /// Make a project of a folder, or open the one in it.
    OpenProject(PathBuf),
    /// Take a project off the list of recent ones; its folder stays.
    Forget(PathBuf),
    /// Let the user choose a folder or a file.
    Choose(DialogFor),
    /// Look at a folder, to decide about its import.
    ShowImport(PathBuf),
    /// Decide again how a dataset is read.
    ReadAgain(String),
    /// Decide otherwise about the import.
    ChangeImport(Import),
    /// Look at another folder for the same import.
    MoveImport(PathBuf),
    /// Take the last decision about the import back.
    UndoImport,
    /// Import nothing.
    DropImport,
    /// Import a folder of clips as a dataset.
    Import(Import),
    /// Exchange a dataset with what it was before it was read again.
    Exchange {
        /// Where the other lies.
        place: PathBuf,
        /// The dataset's folder.
        dir: PathBuf,
    },
    /// Look for the people of a clip.
    FindPeople {
        /// The clip.
        of: PeopleOf,
        /// Whom it is about so far.
        choice: FaceChoice,
    },
    /// Say whom clips are about.
    ChoosePerson(Whose),
    /// Make features of a dataset's clips.
    Extract(Extract),
    /// Show another dataset.
    SelectDataset(String),
    /// Move a dataset to the bin.
    DeleteDataset(String),
    /// Stop a job at its next step.
    CancelJob(JobId),
    /// Train a model.
    Train(Training),
    /// Go on with an interrupted run.
    ResumeRun(String),
    /// Let the running training wait.
    Pause,
    /// Let the waiting training go on.
    Continue,
    /// End the training and keep its best epoch.
    StopAndKeep,
    /// End the training; it can be resumed.
    Abort,
    /// Show another run in Insight, Live and Train.
    SelectRun(String),
    /// Select runs in the table.
    SelectRuns(Vec<String>),
    /// Move runs to the bin.
    DeleteRuns(Vec<String>),
    /// Put back what was deleted.
    Restore {
        /// Where it lies now.
        place: PathBuf,
        /// Where it was.
        dir: PathBuf,
    },
    /// Score the model of a run again.
    Evaluate(String),
    /// Write the model of a run as a bundle that can be used elsewhere.
    ExportModel(String),
    /// Compute the map of features of a run's test clips.
    MapFeatures(String),
    /// Compute the map of a run's prompt pool.
    MapPrompts(String),
    /// Write a figure to the exports folder.
    ExportFigure {
        /// What it shows.
        figure: FigureKind,
        /// How.
        format: Format,
    },
    /// Look for cameras and microphones; asks the system, so only ever after a click.
    ListCaptureDevices,
    /// Start the live view.
    StartLive(LiveSource),
    /// End the live view and close the devices.
    StopLive,
    /// Switch modalities of the live view.
    SwitchLive(Modalities),
    /// Tell the live view what is being said.
    SetLiveText(String),
    /// How much predictions are smoothed, 0 (not at all) to below 1.
    SetSmoothing(f32),
    /// Begin or end writing live predictions to a CSV file.
    Record(bool),
    /// Fill the screen with the live view, or leave that.
    Present(bool),
    /// List and probe devices again.
    ProbeDevices,
    /// Use another device from now on.
    UseDevice(DeviceId),
    /// Light or dark.
    SetAppearance(Appearance),
    /// Size of everything.
    SetZoom(f32),
    /// Keep the cache to so many GiB; 0 is no limit.
    LimitCache(u32),
    /// Look for published weights: those that were chosen, and those in the app's folder for them.
    FindWeights,
    /// Use a file as the published weights with this key from now on.
    UseWeights {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Look into a file of published weights again, and compare its checksum.
    VerifyWeights(&'static str),
    /// Use the file of published weights with this key no longer; it stays where it is.
    ForgetWeights(&'static str),
    /// Look into a file, to decide about importing it as a trained model.
    ShowRelease(PathBuf),
    /// Import no trained model.
    DropRelease,
    /// Make a run of a trained model of a released code.
    ImportModel(ImportModel),
    /// Count the size of the cache.
    MeasureCache,
    /// Empty the cache.
    ClearCache,
    /// Show a folder or file in the system's file manager.
    Reveal(PathBuf),
    /// Put a text on the clipboard.
    Copy(String),
    /// Close a notice.
    Dismiss(u64),
}

impl Command {
    /// What follows once `path` was chosen.
    pub fn of_chosen(what: DialogFor, path: PathBuf) -> Self {
        match what {
            DialogFor::ImportFolder => Self::ShowImport(path),
            DialogFor::MovedFolder => Self::MoveImport(path),
            DialogFor::ProjectFolder => Self::OpenProject(path),
            DialogFor::LiveClip => Self::StartLive(LiveSource::File { path, text: None }),
            DialogFor::Weights(key) => Self::UseWeights { key, path },
            DialogFor::TrainedModel => Self::ShowRelease(path),
        }
    }
}

/// What a dataset is made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// Folder of clips, or of an annotation file with its clips, or that file.
    pub root: PathBuf,
    /// Name that it gets.
    pub name: String,
    /// Whether it takes the place of the dataset of that name.
    #[serde(skip)]
    pub replaces: bool,
    /// How it is read.
    pub options: datasets::Options,
}

impl Import {
    /// A new dataset, read as it is recognized.
    pub fn new(root: PathBuf, name: &str) -> Self {
        Self { root, name: name.to_owned(), replaces: false, options: datasets::Options::default() }
    }

    /// The same, named after its folder.
    pub fn of(root: PathBuf) -> Self {
        let folder = if root.extension().is_some() { root.parent().unwrap_or(&root) } else { &root };
        let name = folder.file_name().map_or_else(|| "clips".into(), |name| name.to_string_lossy().into_owned());
        Self::new(root, &name)
    }
}

/// Whom the clips of a dataset are about, or one of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Whose {
    /// Name of the dataset.
    pub dataset: String,
    /// The clip; `None` for all that do not say it themselves.
    pub clip: Option<String>,
    /// Whose face; `None`: as the dataset says, as usual.
    pub person: Option<FaceChoice>,
}

/// Features that are to be made of a dataset's clips.
#[derive(Debug, Clone, PartialEq)]
pub struct Extract {
    /// Name of the dataset.
    pub dataset: String,
    /// Which, and how.
    pub extraction: training::Extraction,
    /// Speeds of copies of the voices that are made as well.
    pub speeds: Vec<training::Speed>,
    /// The folder in which each kind gets one of its own.
    pub to: PathBuf,
}

/// What a training run is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// Name of the run.
    pub name: String,
    /// Name of the dataset.
    pub dataset: String,
    /// The model.
    pub model: ModelKind,
    /// Its preset.
    pub preset: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The device.
    pub device: DeviceId,
    /// Settings that differ from the preset, as on the command line.
    pub settings: BTreeMap<String, String>,
}

impl Training {
    /// A run with a preset's values, under a name that is free.
    pub fn of_preset(state: &State, dataset: &str, model: ModelKind, device: DeviceId) -> Self {
        Self {
            name: state.free_run_name(dataset, model),
            dataset: dataset.to_owned(),
            model,
            preset: model.default_preset().to_owned(),
            seed: 0,
            device,
            settings: BTreeMap::new(),
        }
    }
}

/// What a trained model of a released code becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportModel {
    /// Name of the run.
    pub name: String,
    /// The checkpoint, or the folder of a set of files.
    pub path: PathBuf,
    /// The model.
    pub model: ModelKind,
    /// Its preset.
    pub preset: String,
    /// Settings that differ from the preset, as on the command line.
    pub settings: Vec<(String, String)>,
    /// The classes in the order of its outputs.
    pub labels: LabelSet,
    /// Name of the dataset that it is scored on.
    pub dataset: Option<String>,
}

/// What the live view looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveSource {
    /// A camera and a microphone, by their ids; `None` for one that stays closed.
    Devices {
        /// The camera.
        camera: Option<String>,
        /// The microphone.
        microphone: Option<String>,
    },
    /// A file, played in real time.
    File {
        /// The file.
        path: PathBuf,
        /// What is said in it, where that is known.
        text: Option<String>,
    },
}

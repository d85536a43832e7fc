//! All that the window shows, and how events change it.
//!
//! [`State::apply`] is pure: it reads no clock, no file and no lock, so that every page can be put into any state by a
//! test. What only a page cares about, such as which tab is open, stays in the page.

mod apply;
mod event;
mod facts;
mod import;
mod live;
mod notice;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use emotion::{FaceSource, Manifest};
use models::identify::Report;
use models::{DeviceInfo, ModelKind, Published};

use crate::command::Import;
use crate::project::Project;
use crate::run::Run;

pub use event::Event;
pub use facts::{Facts, Speakers};
pub use import::{Found, ImportDraft};
pub use live::{Live, LivePhase, LivePoint};
pub use notice::{Level, Notice};

/// Names a job of a worker as long as the window is open.
pub type JobId = u64;

/// Predictions that the timeline of the live view remembers.
pub const LIVE_HISTORY: usize = 600;
/// Notices that are remembered.
const NOTICE_HISTORY: usize = 100;

/// A page of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PageName {
    /// What can be done now.
    #[default]
    Home,
    /// Datasets and their clips.
    Library,
    /// Training plan and progress.
    Train,
    /// All runs, compared.
    Runs,
    /// What a model has learned.
    Insight,
    /// A model at work.
    Live,
    /// Published weights that presets start from.
    Models,
    /// Devices, folders, appearance.
    Settings,
}

impl PageName {
    /// In the order of the rail and of the number keys.
    pub const ALL: [Self; 8] =
        [Self::Home, Self::Library, Self::Train, Self::Runs, Self::Insight, Self::Live, Self::Models, Self::Settings];

    /// The word in the rail.
    pub fn name(self) -> &'static str {
        match self {
            Self::Home => "Home",
            Self::Library => "Library",
            Self::Train => "Train",
            Self::Runs => "Runs",
            Self::Insight => "Insight",
            Self::Live => "Live",
            Self::Models => "Models",
            Self::Settings => "Settings",
        }
    }
}

/// What a chosen path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialogFor {
    /// A folder to import clips from.
    ImportFolder,
    /// Where the clips of the import that is being decided about are now.
    MovedFolder,
    /// A project to open, or a folder to make one in.
    ProjectFolder,
    /// A clip to play in the live view.
    LiveClip,
    /// Published weights, by their key.
    Weights(&'static str),
    /// A trained model of a released code.
    TrainedModel,
}

/// A file of published weights on this computer.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// The file.
    pub path: PathBuf,
    /// What was found in it.
    pub checked: Computed<Checked>,
}

/// What was found in a file of weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What it is and what maps.
    pub report: Report,
    /// Whether its checksum is the published one; `None` where that was not asked or is not known.
    pub checksum: Option<bool>,
}

impl Weights {
    /// Whether it is what `key` names, and all of it fits.
    pub fn fits(&self, key: &str) -> bool {
        matches!(&self.checked, Computed::Ready(checked) if checked.report.published == Some(key) && checked.checksum != Some(false))
    }
}

/// A dataset of the project.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Name of its folder.
    pub name: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Its clips.
    pub manifest: Arc<Manifest>,
    /// What was counted in it.
    pub facts: Facts,
    /// How it was imported.
    pub import: Import,
    /// Whether its clips are not where they were: moved, or on a disk that is not connected.
    pub is_away: bool,
}

impl Dataset {
    /// The dataset `name` in `dir`.
    pub fn new(name: &str, dir: &Path, manifest: Manifest, import: Import) -> Self {
        let facts = Facts::of(&manifest);
        Self { name: name.to_owned(), dir: dir.to_owned(), manifest: Arc::new(manifest), facts, import, is_away: false }
    }
}

/// A job on a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What it does, as a sentence without a full stop.
    pub title: String,
    /// What it is at.
    pub note: String,
    /// Done and in all; `None` when that cannot be said.
    pub progress: Option<(usize, usize)>,
    /// Estimate of what is left.
    pub remaining_secs: Option<f64>,
    /// Whether it has been asked to stop.
    pub cancelled: bool,
}

/// A device and whether it works.
#[derive(Debug, Clone)]
pub struct Device {
    /// What it is.
    pub info: DeviceInfo,
    /// What the probe said; `None` while it runs.
    pub probe: Option<Result<String, String>>,
}

impl Device {
    /// How people call it.
    pub fn name(&self) -> String {
        match self.info.id {
            models::DeviceId::Cpu => format!("Processor, {}", self.info.name),
            _ => self.info.name.clone(),
        }
    }
}

/// Points of a map with what they stand for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map {
    /// Position of each point.
    pub points: Vec<[f64; 2]>,
    /// Group of each point: an index into `groups`.
    pub group: Vec<usize>,
    /// Names of the groups.
    pub groups: Vec<String>,
    /// What a point says when the pointer rests on it.
    pub names: Vec<String>,
    /// What the map shows, as a title.
    pub title: String,
}

/// A figure's data that has to be computed first.
#[derive(Debug, Clone, PartialEq)]
pub enum Computed<T> {
    /// It is being computed.
    Underway,
    /// It is there.
    Ready(Arc<T>),
    /// It cannot be had, and why.
    Failed(String),
}

/// What is computed about a run when Insight asks for it.
#[derive(Debug, Clone, Default)]
pub struct Analysis {
    /// Features of the test clips before and after the model.
    pub features: Option<Computed<Vec<Map>>>,
    /// Prompt pools, stage 1 first.
    pub prompts: Option<Computed<Vec<Map>>>,
}

/// A clip whose people are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeopleOf {
    /// The file, or the folder of pictures.
    pub path: PathBuf,
    /// Where the face is looked for.
    pub faces: FaceSource,
}

/// A camera or a microphone that could be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureDevice {
    /// How it is opened.
    pub id: String,
    /// How it is called.
    pub name: String,
}

/// All that the window shows.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The page that is open.
    pub page: PageName,
    /// The project that is open.
    pub project: Option<Project>,
    /// Its datasets, by name.
    pub datasets: Vec<Dataset>,
    /// Its runs, by name.
    pub runs: Vec<Run>,
    /// The dataset that Library and Train show.
    pub dataset: Option<String>,
    /// The people of the clip that was opened last; nobody where the whole picture is the face.
    pub people: Option<(PeopleOf, Computed<Option<media::People>>)>,
    /// The import that is being decided about.
    pub import: Option<ImportDraft>,
    /// The run that Insight and Live show.
    pub run: Option<String>,
    /// The runs that are selected in the table.
    pub selected_runs: Vec<String>,
    /// The run that trains right now, and its job.
    pub training: Option<(String, JobId)>,
    /// Everything that runs.
    pub jobs: Vec<Job>,
    /// Notices, oldest first.
    pub notices: Vec<Notice>,
    /// Devices to compute on.
    pub devices: Vec<Device>,
    /// Whether devices are being listed.
    pub listing_devices: bool,
    /// Cameras, once somebody asked.
    pub cameras: Option<Vec<CaptureDevice>>,
    /// Microphones, once somebody asked.
    pub microphones: Option<Vec<CaptureDevice>>,
    /// What was computed about runs, by their names.
    pub analyses: BTreeMap<String, Analysis>,
    /// The live view.
    pub live: Live,
    /// Published weights on this computer, by their keys.
    pub weights: BTreeMap<String, Weights>,
    /// A file that is to be imported as a trained model, and what was found in it.
    pub release: Option<(PathBuf, Computed<Report>)>,
    /// Size of the cache in bytes, once it was counted.
    pub cache_bytes: Option<u64>,
    /// The number that the next notice gets.
    next_notice: u64,
}

impl State {
    /// The files that a preset starts from, by the settings that name them, of those that are here and fit.
    pub fn weights_of(&self, model: ModelKind, preset: &str) -> BTreeMap<String, String> {
        let here = |(published, setting): (&Published, &str)| {
            let weights = self.weights.get(published.key).filter(|weights| weights.fits(published.key))?;
            Some((setting.to_owned(), weights.path.display().to_string()))
        };
        Published::of_preset(model, preset).filter_map(here).collect()
    }

    /// The dataset that is shown.
    pub fn current_dataset(&self) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| Some(&dataset.name) == self.dataset.as_ref())
    }

    /// The run that is shown.
    pub fn current_run(&self) -> Option<&Run> {
        self.runs.iter().find(|run| Some(&run.name) == self.run.as_ref())
    }

    /// The dataset that a run was trained on, if the project still has it.
    pub fn dataset_of(&self, run: &Run) -> Option<&Dataset> {
        let job = run.record.job.as_ref()?;
        self.datasets.iter().find(|dataset| dataset.dir.join("manifest.json") == job.manifest)
    }

    /// Run `name`.
    pub fn run_named(&self, name: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.name == name)
    }

    /// A name for a run of `model` on `dataset` that no run has.
    pub fn free_run_name(&self, dataset: &str, model: ModelKind) -> String {
        let wanted = format!("{dataset}-{}", model.name());
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        std::iter::once(wanted.clone())
            .chain(numbered)
            .find(|name| self.run_named(name).is_none())
            .expect("there are more numbers than runs")
    }

    /// The run whose model the live view uses: the one that is shown, else the newest that has one.
    pub fn live_run(&self) -> Option<&Run> {
        let shown = self.current_run().filter(|run| run.has_model());
        shown.or_else(|| self.runs.iter().filter(|run| run.has_model()).max_by_key(|run| run.started_secs))
    }

    /// The run that trains right now.
    pub fn training_run(&self) -> Option<&Run> {
        self.training.as_ref().and_then(|(name, _)| self.run_named(name))
    }

    /// Whether run `name` trains right now.
    pub fn is_training(&self, name: &str) -> bool {
        self.training.as_ref().is_some_and(|(training, _)| training == name)
    }

    /// What a run is called in tables: where it stands, or that it trains.
    pub fn status_of(&self, run: &Run) -> &'static str {
        if !self.is_training(&run.name) {
            run.record.status().name()
        } else if run.record.paused {
            "Paused"
        } else {
            "Training"
        }
    }

    /// The device that `id` names.
    pub fn device(&self, id: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.info.id.to_string() == id)
    }
}

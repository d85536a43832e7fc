//! All that the window shows, and how events change it.
//!
//! [`State::apply`] is pure: it reads no clock, no file and no lock, so that every page can be put into any state by a
//! test. What only a page cares about, such as which tab is open, stays in the page.

mod import;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use emotion::{LabelSet, Manifest, Modalities, Modality, Prediction};
use models::identify::Report;
use models::{DeviceInfo, ModelKind, Published};

use crate::command::{Command, Import, LiveSource};
use crate::project::Project;
use crate::run::{Run, Status};

pub use import::{Found, ImportDraft, Speakers};

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
    /// A project to open, or a folder to make one in.
    ProjectFolder,
    /// A clip to play in the live view.
    LiveClip,
    /// Published weights, by their key.
    Weights(&'static str),
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
    /// Who speaks in which split.
    pub speakers: Speakers,
    /// How it was imported.
    pub import: Import,
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

/// How urgent a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Info,
    /// It worked.
    Success,
    /// It worked in part.
    Warning,
    /// It did not work.
    Error,
}

/// Something that the user should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Its number; set when it is shown.
    pub id: u64,
    /// How urgent it is.
    pub level: Level,
    /// What happened, in a sentence.
    pub text: String,
    /// All that could help to understand it.
    pub details: Option<String>,
    /// Something that can be done about it: the verb and what it does.
    pub action: Option<(String, Command)>,
    /// Whether it was closed or has faded.
    pub closed: bool,
}

impl Notice {
    /// A notice without details.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { id: 0, level, text: text.into(), details: None, action: None, closed: false }
    }

    /// A failure: the problem in a sentence, and the chain of causes as details.
    pub fn error(what: &str, error: &anyhow::Error) -> Self {
        let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
        let notice = Self::new(Level::Error, format!("{what}: {error}"));
        Self { details: Some(chain.join("\ncaused by: ")), ..notice }
    }

    /// With something that can be done.
    #[must_use]
    pub fn with_action(mut self, verb: &str, command: Command) -> Self {
        self.action = Some((verb.to_owned(), command));
        self
    }
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

/// Where the live view stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum LivePhase {
    /// Nothing is open.
    #[default]
    Off,
    /// The model is being loaded and the devices are being opened.
    Starting,
    /// It runs.
    Running,
    /// It is over, and why; what it saw last stays in sight.
    Ended(String),
    /// It could not start.
    Failed(String),
}

/// A point of the live timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct LivePoint {
    /// Time since the start.
    pub at_secs: f64,
    /// Smoothed probabilities, one per class.
    pub probabilities: Vec<f32>,
}

/// What the live view shows.
#[derive(Debug, Clone)]
pub struct Live {
    /// Where it stands.
    pub phase: LivePhase,
    /// What it looks at.
    pub source: Option<LiveSource>,
    /// The run whose model it uses.
    pub run: String,
    /// The model's classes.
    pub labels: Option<LabelSet>,
    /// What the source can give and the model can use.
    pub usable: Modalities,
    /// What the model was trained with.
    pub trained_on: Modalities,
    /// Switched-on modalities.
    pub on: Modalities,
    /// What is being said.
    pub text: String,
    /// Strength of smoothing.
    pub smoothing: f32,
    /// The newest prediction.
    pub last: Option<Prediction>,
    /// Its probabilities, smoothed.
    pub smoothed: Vec<f32>,
    /// Time from sample to prediction.
    pub latency_ms: f64,
    /// Loudness of the sound, root mean square.
    pub level: f32,
    /// Recent predictions, oldest first.
    pub history: VecDeque<LivePoint>,
    /// What is wrong with the input at the moment.
    pub notices: Vec<live::Notice>,
    /// The file that is being written.
    pub recording: Option<PathBuf>,
    /// Whether it fills the screen.
    pub presenting: bool,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            phase: LivePhase::Off,
            source: None,
            run: String::new(),
            labels: None,
            usable: Modalities::ALL,
            trained_on: Modalities::ALL,
            on: Modalities::ALL,
            text: String::new(),
            smoothing: 0.5,
            last: None,
            smoothed: Vec::new(),
            latency_ms: 0.0,
            level: 0.0,
            history: VecDeque::new(),
            notices: Vec::new(),
            recording: None,
            presenting: false,
        }
    }
}

impl Live {
    /// Whether a camera is open.
    pub fn uses_camera(&self) -> bool {
        self.is_open() && matches!(&self.source, Some(LiveSource::Devices { camera: Some(_), .. }))
    }

    /// Whether a microphone is open.
    pub fn uses_microphone(&self) -> bool {
        self.is_open() && matches!(&self.source, Some(LiveSource::Devices { microphone: Some(_), .. }))
    }

    /// Whether it runs or is about to.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, LivePhase::Starting | LivePhase::Running)
    }

    /// Whether the newest prediction made use of `modality`.
    pub fn has(&self, modality: Modality) -> bool {
        self.last.as_ref().is_some_and(|prediction| prediction.used.contains(modality))
    }
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
    /// Size of the cache in bytes, once it was counted.
    pub cache_bytes: Option<u64>,
    /// The number that the next notice gets.
    next_notice: u64,
}

/// Something that a worker has to tell.
#[derive(Debug)]
pub enum Event {
    /// A project was opened.
    Opened {
        /// The project.
        project: Project,
        /// Its datasets.
        datasets: Vec<Dataset>,
        /// Its runs.
        runs: Vec<Run>,
    },
    /// A job begins.
    JobStarted {
        /// Its name.
        id: JobId,
        /// What it does.
        title: String,
    },
    /// A job has come further.
    JobProgress {
        /// Its name.
        id: JobId,
        /// What it is at.
        note: String,
        /// Done and in all.
        progress: Option<(usize, usize)>,
        /// Estimate of what is left.
        remaining_secs: Option<f64>,
    },
    /// A job is over, whatever came of it.
    JobEnded {
        /// Its name.
        id: JobId,
    },
    /// A job was asked to stop.
    JobCancelled {
        /// Its name.
        id: JobId,
    },
    /// A dataset is there, or has changed.
    Dataset(Dataset),
    /// A look at an import was taken.
    Looked {
        /// Its number.
        look: u64,
        /// What was found.
        found: Box<Found>,
    },
    /// A dataset is gone.
    DatasetGone(String),
    /// A training begins or goes on.
    TrainingStarted {
        /// The run, as far as it got before.
        run: Run,
        /// The job.
        id: JobId,
    },
    /// A training tells something.
    Training {
        /// Name of the run.
        run: String,
        /// What it tells.
        event: training::Event,
    },
    /// A training is over.
    TrainingEnded {
        /// The run as its folder has it now.
        run: Run,
    },
    /// A run is there, or has changed.
    Run(Run),
    /// A run is gone.
    RunGone(String),
    /// The devices of this computer.
    Devices(Vec<DeviceInfo>),
    /// A device works, or does not.
    Probed {
        /// Its position in the list.
        device_idx: usize,
        /// What it did, or why it cannot be used.
        outcome: Result<String, String>,
    },
    /// What can be captured from.
    CaptureDevices {
        /// Cameras.
        cameras: Vec<CaptureDevice>,
        /// Microphones.
        microphones: Vec<CaptureDevice>,
    },
    /// Maps of features.
    Features {
        /// Name of the run.
        run: String,
        /// Before and after the model.
        maps: Computed<Vec<Map>>,
    },
    /// Maps of prompts.
    Prompts {
        /// Name of the run.
        run: String,
        /// Stage 1 first.
        maps: Computed<Vec<Map>>,
    },
    /// The live view is about to start.
    LiveStarting {
        /// What it looks at.
        source: LiveSource,
        /// Name of the run.
        run: String,
    },
    /// The live view runs.
    LiveStarted {
        /// The model's classes.
        labels: LabelSet,
        /// What the source can give and the model can use.
        usable: Modalities,
        /// What it was trained with.
        trained_on: Modalities,
    },
    /// The live view predicted.
    LivePrediction {
        /// Time since the start.
        at_secs: f64,
        /// The prediction.
        prediction: Prediction,
        /// Its probabilities, smoothed.
        smoothed: Vec<f32>,
        /// Time from sample to prediction.
        latency_ms: f64,
    },
    /// Loudness of the sound.
    LiveLevel(f32),
    /// Something about the input of the live view.
    LiveNotice(live::Notice),
    /// The live view could not start.
    LiveFailed(String),
    /// The live view is over, and why.
    LiveEnded(String),
    /// The live view was closed.
    LiveClosed,
    /// Live predictions are being written to a file, or no longer.
    Recording(Option<PathBuf>),
    /// A file of published weights is there, or has been looked into.
    Weights {
        /// Which it is to be.
        key: String,
        /// The file, and what was found.
        weights: Weights,
    },
    /// A file of published weights is to be used no longer.
    WeightsGone(String),
    /// Size of the cache.
    CacheSize(u64),
    /// A path was chosen in a dialog.
    Chosen {
        /// What for.
        what: DialogFor,
        /// The path.
        path: PathBuf,
    },
    /// Something that the user should know.
    Notice(Notice),
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

    /// Takes in one event.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Opened { project, datasets, runs } => {
                self.dataset = datasets.first().map(|dataset| dataset.name.clone());
                self.run = newest(&runs);
                self.project = Some(project);
                self.datasets = datasets;
                self.runs = runs;
                self.selected_runs.clear();
                self.analyses.clear();
            }
            Event::JobStarted { id, title } => {
                let note = String::new();
                self.jobs.push(Job { id, title, note, progress: None, remaining_secs: None, cancelled: false });
            }
            Event::JobProgress { id, note, progress, remaining_secs } => {
                if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
                    (job.note, job.progress, job.remaining_secs) = (note, progress, remaining_secs);
                }
            }
            Event::JobEnded { id } => {
                self.jobs.retain(|job| job.id != id);
                if self.training.as_ref().is_some_and(|(_, training)| *training == id) {
                    self.training = None;
                }
            }
            Event::JobCancelled { id } => {
                if let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) {
                    (job.cancelled, job.remaining_secs) = (true, None);
                }
            }
            Event::Dataset(dataset) => {
                self.dataset = Some(dataset.name.clone());
                put(&mut self.datasets, dataset, |dataset| &dataset.name);
            }
            Event::Looked { look, found } => {
                if let Some(draft) = &mut self.import {
                    draft.looked(look, *found);
                }
            }
            Event::DatasetGone(name) => {
                self.datasets.retain(|dataset| dataset.name != name);
                if self.dataset.as_deref() == Some(&name) {
                    self.dataset = self.datasets.first().map(|dataset| dataset.name.clone());
                }
            }
            Event::TrainingStarted { run, id } => {
                self.training = Some((run.name.clone(), id));
                self.run = Some(run.name.clone());
                self.analyses.remove(&run.name);
                put(&mut self.runs, run, |run| &run.name);
            }
            Event::Training { run, event } => {
                if let Some(run) = self.runs.iter_mut().find(|own| own.name == run) {
                    run.record.apply(event);
                }
            }
            Event::TrainingEnded { run } => {
                self.training = None;
                self.notices.push(self.training_notice(&run));
                self.number_notices();
                // Another project may have been opened meanwhile.
                if self.project.as_ref().is_none_or(|project| run.dir.starts_with(&project.dir)) {
                    put(&mut self.runs, run, |run| &run.name);
                }
            }
            Event::Run(run) => {
                self.analyses.remove(&run.name);
                if self.run.is_none() {
                    self.run = Some(run.name.clone());
                }
                put(&mut self.runs, run, |run| &run.name);
            }
            Event::RunGone(name) => {
                self.runs.retain(|run| run.name != name);
                self.selected_runs.retain(|run| *run != name);
                self.analyses.remove(&name);
                if self.run.as_deref() == Some(&name) {
                    self.run = newest(&self.runs);
                }
            }
            Event::Devices(devices) => {
                self.listing_devices = false;
                self.devices = devices.into_iter().map(|info| Device { info, probe: None }).collect();
            }
            Event::Probed { device_idx, outcome } => {
                if let Some(device) = self.devices.get_mut(device_idx) {
                    device.probe = Some(outcome);
                }
            }
            Event::CaptureDevices { cameras, microphones } => {
                (self.cameras, self.microphones) = (Some(cameras), Some(microphones));
            }
            Event::Weights { key, weights } => drop(self.weights.insert(key, weights)),
            Event::WeightsGone(key) => drop(self.weights.remove(&key)),
            Event::Features { run, maps } => self.analyses.entry(run).or_default().features = Some(maps),
            Event::Prompts { run, maps } => self.analyses.entry(run).or_default().prompts = Some(maps),
            Event::LiveStarting { source, run } => {
                let text = match &source {
                    LiveSource::File { text: Some(text), .. } => text.clone(),
                    LiveSource::File { text: None, .. } | LiveSource::Devices { .. } => String::new(),
                };
                let Live { on, smoothing, presenting, .. } = self.live;
                self.live = Live {
                    phase: LivePhase::Starting,
                    source: Some(source),
                    run,
                    text,
                    on,
                    smoothing,
                    presenting,
                    ..Live::default()
                };
            }
            Event::LiveStarted { labels, usable, trained_on } => {
                self.live.phase = LivePhase::Running;
                (self.live.labels, self.live.usable, self.live.trained_on) = (Some(labels), usable, trained_on);
            }
            Event::LivePrediction { at_secs, prediction, smoothed, latency_ms } => {
                let live = &mut self.live;
                if live.history.len() == LIVE_HISTORY {
                    live.history.pop_front();
                }
                live.history.push_back(LivePoint { at_secs, probabilities: smoothed.clone() });
                live.notices.retain(|notice| *notice != live::Notice::NothingLeft);
                (live.last, live.smoothed, live.latency_ms) = (Some(prediction), smoothed, latency_ms);
            }
            Event::LiveLevel(level) => self.live.level = level,
            Event::LiveNotice(notice) => {
                let notices = &mut self.live.notices;
                match notice {
                    live::Notice::FaceBack => notices.retain(|own| *own != live::Notice::NoFace),
                    live::Notice::SoundBack => notices.retain(|own| *own != live::Notice::Silence),
                    problem if !notices.contains(&problem) => notices.push(problem),
                    _ => {}
                }
            }
            Event::LiveFailed(reason) => {
                self.live.phase = LivePhase::Failed(reason);
                self.live.presenting = false;
            }
            Event::LiveEnded(reason) => {
                self.live.phase = LivePhase::Ended(reason);
                (self.live.level, self.live.presenting) = (0.0, false);
            }
            Event::LiveClosed => {
                let Live { on, smoothing, .. } = self.live;
                self.live = Live { on, smoothing, ..Live::default() };
            }
            Event::Recording(path) => self.live.recording = path,
            Event::CacheSize(bytes) => self.cache_bytes = Some(bytes),
            // What follows from a choice is a command; the window gives it.
            Event::Chosen { .. } => {}
            Event::Notice(notice) => self.notify(notice),
        }
    }

    /// Shows a notice.
    pub fn notify(&mut self, notice: Notice) {
        self.notices.push(notice);
        self.number_notices();
    }

    /// The dataset that is shown.
    pub fn current_dataset(&self) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| Some(&dataset.name) == self.dataset.as_ref())
    }

    /// The run that is shown.
    pub fn current_run(&self) -> Option<&Run> {
        self.runs.iter().find(|run| Some(&run.name) == self.run.as_ref())
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

    fn training_notice(&self, run: &Run) -> Notice {
        let record = &run.record;
        match record.status() {
            Status::Complete | Status::Kept => {
                let score = record.report.as_ref().map_or_else(String::new, |report| {
                    format!(
                        ", {} of the {} clips right",
                        crate::wording::percent(report.scores.war),
                        report.split.name()
                    )
                });
                Notice::new(Level::Success, format!("“{}” is trained{score}", run.name))
                    .with_action("Show", Command::GoTo(PageName::Insight))
            }
            Status::Interrupted => Notice::new(Level::Info, format!("“{}” was stopped and can be resumed", run.name))
                .with_action("Show", Command::GoTo(PageName::Runs)),
            Status::Failed => {
                let message = match &record.end {
                    Some(crate::run::End::Failed(message)) => message.clone(),
                    _ => String::new(),
                };
                Notice {
                    details: Some(message.clone()),
                    ..Notice::new(Level::Error, format!("“{}” could not be trained: {message}", run.name))
                }
            }
        }
    }

    fn number_notices(&mut self) {
        if let Some(last) = self.notices.last_mut() {
            self.next_notice += 1;
            last.id = self.next_notice;
        }
        if self.notices.len() > NOTICE_HISTORY {
            self.notices.remove(0);
        }
    }
}

/// Replaces the member of the same name, or inserts where the order by names wants it.
fn put<T>(members: &mut Vec<T>, member: T, name: impl Fn(&T) -> &String) {
    match members.binary_search_by(|own| name(own).cmp(name(&member))) {
        Ok(idx) => members[idx] = member,
        Err(idx) => members.insert(idx, member),
    }
}

fn newest(runs: &[Run]) -> Option<String> {
    runs.iter().max_by_key(|run| run.started_secs).map(|run| run.name.clone())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use models::ModelKind;
    use training::{EpochRecord, Event as Told, Outcome, StopReason};

    use super::*;

    fn job() -> Box<training::Job> {
        Box::new(training::Job::new("r", Path::new("m.json"), ModelKind::Umbenet, "tiny", &[]).unwrap())
    }

    fn started() -> Told {
        let job = job();
        Told::Started {
            stages: job.config.stages(),
            job,
            labels: LabelSet::basic(3),
            n_train: 20,
            n_val: 5,
            n_parameters: 1000,
            device: "cpu".into(),
        }
    }

    fn epoch(stage: usize, epoch: usize, val_war: f64) -> Told {
        let record = EpochRecord {
            train_loss: 1.0,
            train_war: 0.5,
            val_loss: 1.0,
            val_war,
            val_uar: val_war,
            learning_rate: 0.001,
            secs: 1.0,
            is_best: true,
        };
        Told::EpochFinished { stage, epoch, record }
    }

    fn step(stage: usize, epoch: usize, step: usize) -> Told {
        Told::Step { stage, epoch, step, n_steps: 4, loss: 2.0, remaining_secs: Some(60.0) }
    }

    /// A state in which run `r` trains and has told `told`.
    fn training(told: impl IntoIterator<Item = Told>) -> State {
        let mut state = State::default();
        state.apply(Event::JobStarted { id: 7, title: "Training “r”".into() });
        state.apply(Event::TrainingStarted { run: Run::new(Path::new("/p/runs/r")), id: 7 });
        for event in told {
            state.apply(Event::Training { run: "r".into(), event });
        }
        state
    }

    #[test]
    fn a_resumed_run_does_not_count_its_lost_epoch_twice() {
        let told = [
            started(),
            Told::StageStarted { stage: 0, epochs_done: 0 },
            epoch(0, 0, 0.3),
            step(0, 1, 2),
            // The process died here and was resumed from the checkpoint after the first epoch.
            started(),
            Told::StageStarted { stage: 0, epochs_done: 1 },
            step(0, 1, 2),
            epoch(0, 1, 0.4),
        ];
        let state = training(told);
        let progress = &state.runs[0].record.progress[0];
        assert_eq!(progress.epochs.iter().map(|epoch| epoch.val_war).collect::<Vec<_>>(), [0.3, 0.4]);
        assert_eq!(progress.losses, [[1.5, 2.0]]);
    }

    #[test]
    fn the_status_line_says_stage_and_epoch() {
        let mut state =
            training([started(), Told::StageStarted { stage: 1, epochs_done: 0 }, epoch(1, 0, 0.3), step(1, 1, 2)]);
        let (words, share) = state.runs[0].record.doing();
        let n_epochs = state.runs[0].record.stages[1].n_epochs;
        assert!(words.starts_with("stage 2/") && words.ends_with(&format!("epoch 2/{n_epochs}")), "{words}");
        assert_eq!(share, Some(1.5 / n_epochs as f32));
        assert_eq!(state.status_of(&state.runs[0]), "Training");
        state.apply(Event::Training { run: "r".into(), event: Told::Paused });
        assert_eq!(state.status_of(&state.runs[0]), "Paused");
    }

    #[test]
    fn the_end_of_a_training_clears_its_job_and_says_so() {
        let mut state = training([started(), Told::StageStarted { stage: 0, epochs_done: 0 }]);
        let mut run = state.runs[0].clone();
        run.record.apply(Told::StageFinished { stage: 0, reason: StopReason::Asked, best_epoch: 0 });
        run.record.apply(Told::Finished { outcome: Outcome::Aborted, checksum: None });
        state.apply(Event::TrainingEnded { run });
        state.apply(Event::JobEnded { id: 7 });
        assert!(state.jobs.is_empty() && state.training.is_none());
        assert_eq!(state.status_of(&state.runs[0]), "Interrupted");
        assert!(state.notices[0].text.contains("can be resumed"));
    }

    #[test]
    fn a_job_that_is_cancelled_makes_no_promises() {
        let mut state = State::default();
        state.apply(Event::JobStarted { id: 1, title: "Importing".into() });
        let progress =
            Event::JobProgress { id: 1, note: "clips".into(), progress: Some((1, 2)), remaining_secs: Some(5.0) };
        state.apply(progress);
        state.apply(Event::JobCancelled { id: 1 });
        assert_eq!((state.jobs[0].cancelled, state.jobs[0].remaining_secs), (true, None));
        state.apply(Event::JobEnded { id: 1 });
        assert!(state.jobs.is_empty());
    }

    #[test]
    fn deleting_the_shown_run_shows_the_newest_other() {
        let mut state = State::default();
        for (name, started_secs) in [("a", 1), ("b", 3), ("c", 2)] {
            state.apply(Event::Run(Run { started_secs, ..Run::new(&Path::new("/p/runs").join(name)) }));
        }
        (state.run, state.selected_runs) = (Some("a".into()), vec!["a".into(), "c".into()]);
        state.apply(Event::RunGone("a".into()));
        assert_eq!((state.run.as_deref(), &state.selected_runs[..]), (Some("b"), &["c".to_owned()][..]));
    }

    #[test]
    fn the_timeline_forgets_what_is_long_past() {
        let mut state = State::default();
        let labels = LabelSet::basic(2);
        for at in 0..LIVE_HISTORY + 5 {
            let prediction = Prediction {
                labels: labels.clone(),
                probabilities: vec![0.5, 0.5],
                values: Vec::new(),
                used: Modalities::ALL,
                features: Vec::new(),
                unfused: Vec::new(),
                prompts: Vec::new(),
            };
            let smoothed = vec![0.5, 0.5];
            state.apply(Event::LivePrediction { at_secs: at as f64, prediction, smoothed, latency_ms: 1.0 });
        }
        assert_eq!((state.live.history.len(), state.live.history[0].at_secs), (LIVE_HISTORY, 5.0));
    }

    #[test]
    fn a_face_that_comes_back_takes_its_notice_away() {
        let mut state = State::default();
        for notice in [live::Notice::NoFace, live::Notice::NoFace, live::Notice::Silence, live::Notice::FaceBack] {
            state.apply(Event::LiveNotice(notice));
        }
        assert_eq!(state.live.notices, [live::Notice::Silence]);
    }
}

//! All that the window shows, and how events change it.
//!
//! [`State::apply`] is pure: it reads no clock, no file and no lock, so that every page can be put into any state by a
//! test. What only a page cares about, such as which tab is open, stays in the page.

mod event;
mod facts;
mod import;
mod live;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use emotion::{FaceSource, Manifest};
use models::identify::Report;
use models::{DeviceInfo, ModelKind, Published};

use crate::command::{Command, Import, LiveSource};
use crate::project::Project;
use crate::run::{Run, Status};

pub use event::Event;
pub use facts::{Facts, Speakers};
pub use import::{Found, ImportDraft};
pub use live::{Live, LivePhase, LivePoint};

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
    /// What was counted in it.
    pub facts: Facts,
    /// How it was imported.
    pub import: Import,
}

impl Dataset {
    /// The dataset `name` in `dir`.
    pub fn new(name: &str, dir: &Path, manifest: Manifest, import: Import) -> Self {
        let facts = Facts::of(&manifest);
        Self { name: name.to_owned(), dir: dir.to_owned(), manifest: Arc::new(manifest), facts, import }
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
            Event::People(of, found) => {
                // What is found of a clip that was closed again is not shown.
                if matches!(found, Computed::Underway) || self.people.as_ref().is_some_and(|(own, _)| *own == of) {
                    self.people = Some((of, found));
                }
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
                live.notices.retain(|notice| *notice != ::live::Notice::NothingLeft);
                (live.last, live.smoothed, live.latency_ms) = (Some(prediction), smoothed, latency_ms);
            }
            Event::LiveLevel(level) => self.live.level = level,
            Event::LiveNotice(notice) => {
                let notices = &mut self.live.notices;
                match notice {
                    ::live::Notice::FaceBack => notices.retain(|own| *own != ::live::Notice::NoFace),
                    ::live::Notice::SoundBack | ::live::Notice::SpeechBack => notices.retain(|own| !is_hush(own)),
                    hush if is_hush(&hush) => {
                        notices.retain(|own| !is_hush(own));
                        notices.push(hush);
                    }
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

/// Whether a notice says that there is no voice.
fn is_hush(notice: &::live::Notice) -> bool {
    matches!(notice, ::live::Notice::Silence | ::live::Notice::NobodySpeaks)
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

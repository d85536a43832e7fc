//! What workers do for the window: each job is a plain value, and [`Job::perform`] does it on the worker's thread.
//!
//! A job tells how far it is through its [`Desk`], which also says when it should stop. Errors become notices.

mod extract;
mod import;
mod people;
mod weights;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use emotion::{FaceChoice, Manifest, Modalities, Modality, Split};
use media::SampleCache;
use media::sample_clips::{self, SampleSet};
use models::{DeviceId, Published, compute};
use training::{Control, Order};

use crate::command::{Command, Extract, Import, Whose};
use crate::figure::{Draft, Format, NOT_ACTIVATED};
use crate::project::{self, CacheRoom, Project, folder_name, unused_name};
use crate::run::Run;
use crate::state::{CaptureDevice, Computed, DialogFor, Event, JobId, Level, Map, Notice, PageName, PeopleOf};
use crate::textures::{N_PEAKS, Preview, THUMBNAIL_PX};
use crate::worker::Outbox;
use import::{import_dataset, load_dataset};

/// Between two reports of progress; more often would only repaint the window.
const REPORT_EVERY: Duration = Duration::from_millis(80);

/// The sample project: enough clips to learn from in two minutes on two cores.
const SAMPLE: SampleSet = SampleSet { n_clips: 350, n_classes: 7, seed: 0 };

/// What comes out of a worker: events for the state, and things that only the window can use.
#[expect(clippy::large_enum_variant, reason = "messages are moved once, and most are events")]
pub enum Message {
    /// For the state.
    Event(Event),
    /// What a clip looks like.
    Thumbnail(PathBuf, Preview),
    /// A live session that runs.
    Session(JobId, Box<live::Session>),
}

/// Which worker does a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Reads and writes small files.
    Files,
    /// Makes and imports datasets.
    Data,
    /// Trains.
    Train,
    /// Computes figures and scores.
    Analyse,
    /// Decodes pictures of clips.
    Thumbnails,
    /// Finds and probes devices.
    Devices,
    /// Waits in dialogs of the system.
    Dialogs,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Files, Self::Data, Self::Train, Self::Analyse, Self::Thumbnails, Self::Devices, Self::Dialogs];

    /// The thread's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Data => "data",
            Self::Train => "train",
            Self::Analyse => "analyse",
            Self::Thumbnails => "thumbnails",
            Self::Devices => "devices",
            Self::Dialogs => "dialogs",
        }
    }
}

/// Something to do.
pub enum Job {
    /// Open the project in a folder, or make one.
    OpenProject(PathBuf),
    /// Make the sample project, with its clips, and open it.
    CreateSample {
        /// The folder for the project.
        dir: PathBuf,
    },
    /// Make a dataset of a folder.
    Import {
        /// The project that gets it.
        project: Project,
        /// What and how.
        import: Import,
    },
    /// Look at what an import would make.
    Look {
        /// The number of the look.
        look: u64,
        /// What and how.
        import: Import,
    },
    /// Look for the people of a clip.
    FindPeople {
        /// The clip.
        of: PeopleOf,
        /// Whom it is about so far.
        choice: FaceChoice,
        /// Folder of the networks that find faces.
        models: PathBuf,
    },
    /// Note whom clips are about.
    ChoosePerson {
        /// The dataset's folder.
        dir: PathBuf,
        /// Which clips, and who.
        whose: Whose,
    },
    /// Make features of a dataset's clips.
    Extract {
        /// The dataset's folder.
        dir: PathBuf,
        /// Which, and where to.
        extract: Extract,
        /// The device.
        device: DeviceId,
        /// Prepared clips.
        cache: CacheRoom,
    },
    /// Exchange a dataset with what it was before it was read again.
    Exchange {
        /// Where the other lies.
        place: PathBuf,
        /// The dataset's folder.
        dir: PathBuf,
    },
    /// Move folders into the project's bin.
    Discard {
        /// The project.
        project: Project,
        /// The folders.
        dirs: Vec<PathBuf>,
    },
    /// Put a folder back.
    Restore {
        /// Where it lies.
        place: PathBuf,
        /// Where it was.
        dir: PathBuf,
    },
    /// Train, or go on.
    Train {
        /// The job.
        job: Box<training::Job>,
        /// The run's folder.
        dir: PathBuf,
        /// Whether to go on from the last checkpoint.
        resume: bool,
        /// Prepared clips.
        cache: CacheRoom,
    },
    /// Score a run's model again.
    Evaluate {
        /// The run.
        run: Box<Run>,
        /// The device.
        device: DeviceId,
        /// Prepared clips.
        cache: CacheRoom,
    },
    /// Map the features of a run's test clips.
    MapFeatures {
        /// The run.
        run: Box<Run>,
        /// The device.
        device: DeviceId,
        /// Prepared clips.
        cache: CacheRoom,
    },
    /// Map a run's prompt pools.
    MapPrompts {
        /// The run.
        run: Box<Run>,
    },
    /// Write a figure.
    ExportFigure {
        /// Its numbers.
        draft: Draft,
        /// The kind of file.
        format: Format,
        /// The file.
        path: PathBuf,
    },
    /// Write a run's model as a bundle.
    ExportModel {
        /// The run's folder.
        dir: PathBuf,
        /// The bundle's folder.
        to: PathBuf,
    },
    /// Decode a thumbnail.
    Thumbnail(PathBuf),
    /// List and probe devices.
    ProbeDevices,
    /// Find cameras and microphones.
    ListCaptureDevices,
    /// Look into the files of published weights that were chosen, and into those of a folder.
    FindWeights {
        /// The folder.
        dir: PathBuf,
        /// Chosen files, by the keys of what they are to be.
        chosen: BTreeMap<String, PathBuf>,
    },
    /// Look into a file of published weights and compare its checksum.
    VerifyWeights {
        /// What it is to be.
        published: &'static Published,
        /// The file.
        path: PathBuf,
    },
    /// Let the user choose a path.
    Choose(DialogFor),
    /// Count the cache.
    MeasureCache(PathBuf),
    /// Empty the cache.
    ClearCache(PathBuf),
    /// Start a live session.
    StartLive {
        /// The run's folder.
        dir: PathBuf,
        /// The device.
        device: DeviceId,
        /// What to look at.
        source: live::Source,
        /// What is being said.
        text: String,
        /// Strength of smoothing.
        smoothing: f32,
        /// Folder of the networks that find faces.
        models: PathBuf,
    },
    /// End a live session, which waits for its threads.
    EndLive(Box<live::Session>),
    /// Write a prediction to the file of a recording, which begins with the first.
    Record {
        /// The recording.
        recording: Recording,
        /// The prediction.
        event: live::Event,
    },
    /// Close the file of a recording.
    EndRecording(Recording),
    /// Write the settings.
    SaveSettings {
        /// The settings.
        settings: project::Settings,
        /// Folders of the app.
        places: project::Places,
    },
    /// Show a path in the file manager.
    Reveal(PathBuf),
}

/// A file that live predictions are written to, shared between the jobs that write it.
#[derive(Clone)]
pub struct Recording {
    /// The file.
    pub path: PathBuf,
    recorder: Arc<Mutex<Option<live::Recorder>>>,
}

impl Recording {
    /// A recording to `path`, which is made with the first prediction.
    pub fn new(path: PathBuf) -> Self {
        Self { path, recorder: Arc::default() }
    }

    fn write(&self, event: &live::Event) -> anyhow::Result<()> {
        let live::Event::Prediction { prediction, .. } = event else { return Ok(()) };
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        if recorder.is_none() {
            if let Some(dir) = self.path.parent() {
                std::fs::create_dir_all(dir)
                    .with_context(|| format!("the folder cannot be made: {}", dir.display()))?;
            }
            *recorder = Some(live::Recorder::create(&self.path, &prediction.labels)?);
        }
        recorder.as_mut().map_or(Ok(()), |recorder| Ok(recorder.record(event)?))
    }
}

/// A job with its name and the hand on it.
pub struct Errand {
    /// Its name.
    pub id: JobId,
    /// What to do.
    pub job: Job,
    /// How it is told to pause or to stop.
    pub control: Control,
}

/// Where a job tells what happens.
pub struct Desk {
    id: JobId,
    control: Control,
    outbox: Outbox<Message>,
    wake: crate::worker::Wake,
    pace: Mutex<Pace>,
}

/// How fast a job goes.
struct Pace {
    note: String,
    started: Instant,
    reported: Option<Instant>,
}

impl Desk {
    /// A desk for `errand`.
    pub fn new(errand: &Errand, outbox: &Outbox<Message>, wake: &crate::worker::Wake) -> Self {
        Self {
            id: errand.id,
            control: errand.control.clone(),
            outbox: outbox.clone(),
            wake: Arc::clone(wake),
            pace: Mutex::new(Pace { note: String::new(), started: Instant::now(), reported: None }),
        }
    }

    fn tell(&self, event: Event) {
        self.outbox.send(Message::Event(event));
    }

    fn notice(&self, notice: Notice) {
        self.tell(Event::Notice(notice));
    }

    fn keep_going(&self) -> bool {
        !self.control.is_stopping()
    }

    /// Says that `done` of `total` is done of the part called `note`.
    fn progress(&self, note: &str, done: usize, total: usize) {
        let now = Instant::now();
        let remaining_secs = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            if pace.note != note {
                *pace = Pace { note: note.to_owned(), started: now, reported: None };
            }
            if done < total && pace.reported.is_some_and(|reported| now - reported < REPORT_EVERY) {
                return;
            }
            pace.reported = Some(now);
            let spent = now.duration_since(pace.started).as_secs_f64();
            (done > 0 && spent > 0.5).then(|| spent / done as f64 * total.saturating_sub(done) as f64)
        };
        let progress = Some((done, total));
        self.tell(Event::JobProgress { id: self.id, note: note.to_owned(), progress, remaining_secs });
    }
}

impl Job {
    /// The worker that does it.
    pub fn lane(&self) -> Lane {
        match self {
            Self::OpenProject(_)
            | Self::Discard { .. }
            | Self::Restore { .. }
            | Self::Exchange { .. }
            | Self::ChoosePerson { .. }
            | Self::Record { .. }
            | Self::EndRecording(_)
            | Self::SaveSettings { .. }
            | Self::Reveal(_)
            | Self::EndLive(_) => Lane::Files,
            Self::CreateSample { .. } | Self::Import { .. } | Self::Look { .. } | Self::Extract { .. } => Lane::Data,
            Self::Train { .. } => Lane::Train,
            Self::Evaluate { .. }
            | Self::MapFeatures { .. }
            | Self::MapPrompts { .. }
            | Self::ExportFigure { .. }
            | Self::ExportModel { .. }
            | Self::StartLive { .. }
            | Self::FindWeights { .. }
            | Self::VerifyWeights { .. }
            | Self::MeasureCache(_)
            | Self::ClearCache(_) => Lane::Analyse,
            Self::Thumbnail(_) | Self::FindPeople { .. } => Lane::Thumbnails,
            Self::ProbeDevices | Self::ListCaptureDevices => Lane::Devices,
            Self::Choose(_) => Lane::Dialogs,
        }
    }

    /// What it does, for the status bar; `None` for what is done in no time.
    pub fn title(&self) -> Option<String> {
        Some(match self {
            Self::CreateSample { .. } => "Creating the sample project".into(),
            Self::Import { import, .. } => format!("Importing “{}”", import.name),
            Self::Extract { extract, .. } => {
                format!("Extracting {} of “{}”", extract.extraction.kind, extract.dataset)
            }
            Self::Train { job, .. } => format!("Training “{}”", job.name),
            Self::Evaluate { run, .. } => format!("Evaluating “{}”", run.name),
            Self::MapFeatures { run, .. } => format!("Mapping the features of “{}”", run.name),
            Self::MapPrompts { run } => format!("Mapping the prompts of “{}”", run.name),
            Self::ExportModel { .. } => "Exporting a model".into(),
            Self::ClearCache(_) => "Clearing the cache".into(),
            Self::VerifyWeights { published, .. } => format!("Verifying {}", published.title),
            _ => return None,
        })
    }

    /// What went wrong if it does, as the beginning of a sentence.
    pub fn failure(&self) -> String {
        match self {
            Self::OpenProject(_) => "The project could not be opened".into(),
            Self::CreateSample { .. } => "The sample project could not be created".into(),
            Self::Import { import, .. } => format!("“{}” could not be imported", import.name),
            Self::Look { .. } => "The folder could not be looked at".into(),
            Self::FindPeople { .. } => "The people of a clip could not be found".into(),
            Self::ChoosePerson { .. } => "The choice could not be kept".into(),
            Self::Extract { extract, .. } => format!("{} could not be extracted", extract.extraction.kind),
            Self::Exchange { .. } => "The earlier reading could not be put back".into(),
            Self::Discard { .. } => "Not everything could be deleted".into(),
            Self::Restore { .. } => "It could not be put back".into(),
            Self::Train { job, .. } => format!("“{}” could not be trained", job.name),
            Self::Evaluate { run, .. } => format!("“{}” could not be evaluated", run.name),
            Self::MapFeatures { run, .. } => format!("The features of “{}” could not be mapped", run.name),
            Self::MapPrompts { run } => format!("The prompts of “{}” could not be mapped", run.name),
            Self::ExportFigure { .. } => "The figure could not be exported".into(),
            Self::ExportModel { .. } => "The model could not be exported".into(),
            Self::Thumbnail(_) => "A picture could not be read".into(),
            Self::ProbeDevices => "The devices could not be listed".into(),
            Self::ListCaptureDevices => "Cameras and microphones could not be listed".into(),
            Self::FindWeights { .. } => "Files of weights could not be looked for".into(),
            Self::VerifyWeights { published, .. } => format!("{} could not be verified", published.title),
            Self::Choose(_) => "The dialog could not be opened".into(),
            Self::MeasureCache(_) => "The cache could not be counted".into(),
            Self::ClearCache(_) => "The cache could not be cleared".into(),
            Self::StartLive { .. } | Self::EndLive(_) => "The live view could not be started".into(),
            Self::Record { .. } | Self::EndRecording(_) => "The recording could not be written".into(),
            Self::SaveSettings { .. } => "The settings could not be saved".into(),
            Self::Reveal(_) => "The folder could not be shown".into(),
        }
    }

    /// Does the job.
    pub fn perform(self, desk: &Desk) -> anyhow::Result<()> {
        match self {
            Self::OpenProject(dir) => open_project(&dir, desk),
            Self::CreateSample { dir } => create_sample(&dir, desk),
            Self::Import { project, import } => import_dataset(&project, &import, desk).map(|_| ()),
            Self::Look { look, import } => {
                desk.tell(Event::Looked { look, found: Box::new(import::look(&import)) });
                Ok(())
            }
            Self::FindPeople { of, choice, models } => {
                people::find(of, choice, &models, desk);
                Ok(())
            }
            Self::ChoosePerson { dir, whose } => people::choose(&dir, &whose, desk),
            Self::Extract { dir, extract, device, cache } => extract::extract(&dir, &extract, &device, &cache, desk),
            Self::Exchange { place, dir } => import::exchange(&place, &dir, desk),
            Self::Discard { project, dirs } => discard(&project, &dirs, desk),
            Self::Restore { place, dir } => restore(&place, &dir, desk),
            Self::Train { job, dir, resume, cache } => train(&job, &dir, resume, &cache, desk),
            Self::Evaluate { run, device, cache } => evaluate(&run, &device, &cache, desk),
            Self::MapFeatures { run, device, cache } => {
                let name = run.name.clone();
                let maps = map_features(&run, &device, &cache, desk);
                let maps = computed(maps, desk);
                desk.tell(Event::Features { run: name, maps });
                Ok(())
            }
            Self::MapPrompts { run } => {
                let maps = computed(map_prompts(&run, desk), desk);
                desk.tell(Event::Prompts { run: run.name, maps });
                Ok(())
            }
            Self::ExportFigure { draft, format, path } => export_figure(&draft, format, &path, desk),
            Self::ExportModel { dir, to } => export_model(&dir, &to, desk),
            Self::Thumbnail(path) => {
                let picture = media::thumbnail(&path, THUMBNAIL_PX).ok();
                let peaks = media::waveform(&path, N_PEAKS).unwrap_or_default();
                desk.outbox.send(Message::Thumbnail(path, Preview { picture, peaks }));
                Ok(())
            }
            Self::ProbeDevices => {
                probe_devices(desk);
                Ok(())
            }
            Self::ListCaptureDevices => {
                list_capture_devices(desk);
                Ok(())
            }
            Self::FindWeights { dir, chosen } => {
                weights::find(&dir, &chosen, desk);
                Ok(())
            }
            Self::VerifyWeights { published, path } => weights::verify(published, &path, desk),
            Self::Choose(what) => {
                choose(what, desk);
                Ok(())
            }
            Self::MeasureCache(dir) => {
                desk.tell(Event::CacheSize(SampleCache::open(&dir)?.size_bytes()));
                Ok(())
            }
            Self::ClearCache(dir) => {
                let cache = SampleCache::open(&dir)?;
                cache.clear()?;
                let n_bytes = cache.size_bytes();
                desk.tell(Event::CacheSize(n_bytes));
                let text =
                    if n_bytes == 0 { "The cache is empty" } else { "The cache holds only what a running job uses" };
                desk.notice(Notice::new(Level::Success, text));
                Ok(())
            }
            Self::StartLive { dir, device, source, text, smoothing, models } => {
                start_live(&dir, &device, source, text, smoothing, &models, desk);
                Ok(())
            }
            Self::EndLive(session) => {
                session.stop();
                Ok(())
            }
            Self::Record { recording, event } => recording.write(&event),
            Self::EndRecording(recording) => {
                let is_begun = recording.recorder.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
                desk.notice(if is_begun {
                    exported(&recording.path)
                } else {
                    Notice::new(Level::Info, "Nothing was recorded: there was no prediction")
                });
                Ok(())
            }
            Self::SaveSettings { settings, places } => settings.save(&places),
            Self::Reveal(path) => reveal(&path),
        }
    }
}

fn open_project(dir: &Path, desk: &Desk) -> anyhow::Result<()> {
    let project = Project::create(dir)?;
    let mut datasets = Vec::new();
    for name in project.dataset_names() {
        match load_dataset(&project.dataset_dir(&name)) {
            Ok(dataset) => datasets.push(dataset),
            Err(error) => desk.notice(Notice::error(&format!("Dataset “{name}” could not be opened"), &error)),
        }
    }
    let mut runs = Vec::new();
    for name in project.run_names() {
        match Run::load(&project.run_dir(&name)) {
            Ok(run) => runs.push(run),
            Err(error) => desk.notice(Notice::error(&format!("Run “{name}” could not be opened"), &error)),
        }
    }
    desk.tell(Event::Opened { project, datasets, runs });
    Ok(())
}

fn create_sample(dir: &Path, desk: &Desk) -> anyhow::Result<()> {
    let is_new = !dir.exists();
    let made = (|| {
        let project = Project::create(dir)?;
        let root = project.dataset_dir("sample");
        let keep_going = || desk.keep_going();
        sample_clips::create(&root, &SAMPLE, &keep_going, &|done, total| desk.progress("drawing clips", done, total))?;
        anyhow::ensure!(desk.keep_going(), "cancelled");
        let dataset = import_dataset(&project, &Import::new(root, "sample"), desk)?;
        anyhow::Ok((project, dataset))
    })();
    match made {
        Ok((project, dataset)) => {
            desk.tell(Event::Opened { project, datasets: dataset.into_iter().collect(), runs: Vec::new() });
            Ok(())
        }
        Err(error) => {
            if is_new {
                // Half a sample is of no use to anybody; what cannot be removed does no harm either.
                std::fs::remove_dir_all(dir).ok();
            }
            if desk.keep_going() { Err(error) } else { Ok(()) }
        }
    }
}

fn discard(project: &Project, dirs: &[PathBuf], desk: &Desk) -> anyhow::Result<()> {
    for dir in dirs {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_run = dir.parent() == Some(&project.dir.join("runs"));
        let place = project.discard(dir)?;
        desk.tell(if is_run { Event::RunGone(name.clone()) } else { Event::DatasetGone(name.clone()) });
        let what = if is_run { "Run" } else { "Dataset" };
        desk.notice(
            Notice::new(Level::Info, format!("{what} “{name}” was deleted"))
                .with_action("Undo", Command::Restore { place, dir: dir.clone() }),
        );
    }
    Ok(())
}

fn restore(place: &Path, dir: &Path, desk: &Desk) -> anyhow::Result<()> {
    project::restore(place, dir)?;
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if dir.join("manifest.json").exists() {
        desk.tell(Event::Dataset(load_dataset(dir)?));
    } else {
        desk.tell(Event::Run(Run::load(dir)?));
    }
    desk.notice(Notice::new(Level::Success, format!("“{name}” is back")));
    Ok(())
}

fn train(job: &training::Job, dir: &Path, resume: bool, cache: &CacheRoom, desk: &Desk) -> anyhow::Result<()> {
    let name = job.name.clone();
    let mut run = if resume { Run::load(dir)? } else { Run::new(dir) };
    run.name.clone_from(&name);
    desk.tell(Event::TrainingStarted { run, id: desk.id });
    let cache = cache.open()?;
    let mut last_step = Instant::now();
    let fitted = training::fit(job, dir, resume, &cache, &desk.control, &mut |event| {
        // A step more or less is not seen; events that say something new always pass.
        if matches!(event, training::Event::Step { .. }) {
            if last_step.elapsed() < REPORT_EVERY {
                return;
            }
            last_step = Instant::now();
        }
        desk.tell(Event::Training { run: name.clone(), event });
    });
    let failed = fitted.as_ref().err().map(ToString::to_string);
    let mut run = if dir.join("job.toml").exists() { Run::load(dir)? } else { Run::new(dir) };
    if let (Some(message), false) = (failed, desk.control.is_stopping()) {
        run.record.apply(training::Event::Failed { message });
    }
    desk.tell(Event::TrainingEnded { run });
    Ok(())
}

/// The manifest that a run was trained on.
fn manifest_of(run: &Run) -> anyhow::Result<Manifest> {
    let job = run.record.job.as_ref().context("the run has no job")?;
    datasets::load(&job.manifest).context("the dataset that it was trained on cannot be opened")
}

fn evaluate(run: &Run, device: &DeviceId, cache: &CacheRoom, desk: &Desk) -> anyhow::Result<()> {
    let manifest = manifest_of(run)?;
    let predictor = models::load(&run.dir, device)?;
    let cache = cache.open()?;
    let mut on_event = |event| {
        if let training::Event::Preparing { done, total, .. } = event {
            desk.progress("preparing clips", done, total);
        }
    };
    let scored =
        training::evaluate(&*predictor, &manifest, Split::Test, Modalities::ALL, &cache, &desk.control, &mut on_event);
    if !desk.keep_going() {
        return Ok(());
    }
    let (report, predictions) = scored?;
    let folder = training::Run::at(&run.dir);
    folder.save_report(&report)?;
    training::write_predictions(&predictions, &folder.predictions_path())?;
    let mut again = Run::load(&run.dir)?;
    let score = crate::wording::percent(report.scores.war);
    again.record.report = Some(report);
    desk.tell(Event::Run(again));
    desk.notice(
        Notice::new(Level::Success, format!("“{}” gets {score} of the test clips right", run.name))
            .with_action("Show", Command::GoTo(PageName::Insight)),
    );
    Ok(())
}

fn computed(maps: anyhow::Result<Vec<Map>>, desk: &Desk) -> Computed<Vec<Map>> {
    match maps {
        Ok(maps) => Computed::Ready(Arc::new(maps)),
        Err(_) if !desk.keep_going() => Computed::Failed("It was cancelled.".into()),
        Err(error) => Computed::Failed(format!("{error:#}")),
    }
}

fn lay_out(vectors: &[Vec<f32>], note: &str, desk: &Desk) -> anyhow::Result<Vec<[f64; 2]>> {
    let points = figures::tsne(vectors, figures::PERPLEXITY, 0, &mut |done, total| {
        desk.progress(note, done, total);
        desk.keep_going()
    });
    anyhow::ensure!(desk.keep_going(), "cancelled");
    Ok(points)
}

fn map_features(run: &Run, device: &DeviceId, cache: &CacheRoom, desk: &Desk) -> anyhow::Result<Vec<Map>> {
    let manifest = manifest_of(run)?;
    let predictor = models::load(&run.dir, device)?;
    let cache = cache.open()?;
    let mut on_event = |event| {
        if let training::Event::Preparing { done, total, .. } = event {
            desk.progress("preparing clips", done, total);
        }
    };
    let (_, clips) =
        training::evaluate(&*predictor, &manifest, Split::Test, Modalities::ALL, &cache, &desk.control, &mut on_event)?;
    let groups = predictor.labels().names().to_vec();
    let sides = [("Before the model’s fusion", true), ("After it", false)];
    let mut maps = Vec::new();
    for (title, before) in sides {
        let vectors: Vec<Vec<f32>> = clips
            .iter()
            .map(|clip| if before { clip.prediction.unfused.clone() } else { clip.prediction.features.clone() })
            .collect();
        let points =
            lay_out(&vectors, if before { "laying out what goes in" } else { "laying out what comes out" }, desk)?;
        maps.push(Map {
            points,
            group: clips.iter().map(|clip| clip.truth).collect(),
            groups: groups.clone(),
            names: clips.iter().map(|clip| clip.clip.clone()).collect(),
            title: title.into(),
        });
    }
    Ok(maps)
}

fn map_prompts(run: &Run, desk: &Desk) -> anyhow::Result<Vec<Map>> {
    let pool = training::Run::at(&run.dir).prompts()?;
    anyhow::ensure!(!pool.rows.is_empty(), "this model has no prompt pool");
    let groups: Vec<String> =
        Modality::ALL.iter().map(|modality| modality.name().to_owned()).chain([NOT_ACTIVATED.to_owned()]).collect();
    let mut stages: Vec<usize> = pool.rows.iter().map(|row| row.stage).collect();
    stages.sort_unstable();
    stages.dedup();
    // One layout for all stages, so that a place means the same in both.
    let vectors: Vec<Vec<f32>> = pool.rows.iter().map(|row| row.key.clone()).collect();
    let points = lay_out(&vectors, "laying out prompts", desk)?;
    let map = |stage: &usize| {
        let members: Vec<usize> = (0..pool.rows.len()).filter(|&idx| pool.rows[idx].stage == *stage).collect();
        Map {
            points: members.iter().map(|&idx| points[idx]).collect(),
            group: members
                .iter()
                .map(|&idx| pool.rows[idx].modality().map_or(Modality::ALL.len(), Modality::index))
                .collect(),
            groups: groups.clone(),
            names: members
                .iter()
                .map(|&idx| {
                    let row = &pool.rows[idx];
                    let [face, voice, text] = row.counts;
                    format!("prompt {}: chosen by {face} faces, {voice} voices, {text} texts", row.prompt_idx)
                })
                .collect(),
            title: format!("Stage {stage}"),
        }
    };
    Ok(stages.iter().map(map).collect())
}

fn export_figure(draft: &Draft, format: Format, path: &Path, desk: &Desk) -> anyhow::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("the folder cannot be made: {}", dir.display()))?;
    }
    format.write(&draft.draw(), path)?;
    desk.notice(exported(path));
    Ok(())
}

fn exported(path: &Path) -> Notice {
    Notice::new(Level::Success, format!("Exported to {}", path.display()))
        .with_action("Show in folder", Command::Reveal(path.to_owned()))
}

fn export_model(dir: &Path, to: &Path, desk: &Desk) -> anyhow::Result<()> {
    let from = dir.join("best");
    anyhow::ensure!(from.is_dir(), "the run has no finished model: {}", from.display());
    let partly = to.with_extension("partly");
    std::fs::create_dir_all(&partly).with_context(|| format!("the folder cannot be made: {}", partly.display()))?;
    for entry in std::fs::read_dir(&from).with_context(|| format!("the model cannot be read: {}", from.display()))? {
        let entry = entry.with_context(|| format!("the model cannot be read: {}", from.display()))?;
        let target = partly.join(entry.file_name());
        std::fs::copy(entry.path(), &target).with_context(|| format!("it cannot be written: {}", target.display()))?;
    }
    std::fs::rename(&partly, to).with_context(|| format!("it cannot be written: {}", to.display()))?;
    // Whoever gets the bundle should be able to load it, so it is tried right away.
    models::load(to, &DeviceId::Cpu)?;
    desk.notice(exported(to));
    Ok(())
}

fn probe_devices(desk: &Desk) {
    let devices = compute::devices();
    desk.tell(Event::Devices(devices.clone()));
    for (device_idx, device) in devices.iter().enumerate() {
        if !desk.keep_going() {
            return;
        }
        let outcome = match compute::probe(&device.id) {
            Ok(report) if report.gflops < 10.0 => Ok(format!("works, {:.1} GFLOPS", report.gflops)),
            Ok(report) => Ok(format!("works, {:.0} GFLOPS", report.gflops)),
            Err(error) => Err(error.to_string()),
        };
        desk.tell(Event::Probed { device_idx, outcome });
    }
}

fn list_capture_devices(desk: &Desk) {
    let cameras = media::cameras().into_iter().map(|found| CaptureDevice { id: found.id, name: found.name }).collect();
    let microphones =
        media::microphones().into_iter().map(|found| CaptureDevice { id: found.id, name: found.name }).collect();
    desk.tell(Event::CaptureDevices { cameras, microphones });
}

fn choose(what: DialogFor, desk: &Desk) {
    let dialog = rfd::AsyncFileDialog::new();
    let chosen = match what {
        DialogFor::ImportFolder => block_on(dialog.set_title("Import a folder of clips").pick_folder()),
        DialogFor::ProjectFolder => block_on(dialog.set_title("Open a project or an empty folder").pick_folder()),
        DialogFor::LiveClip => block_on(
            dialog
                .set_title("Play a clip")
                .add_filter(
                    "Video and sound",
                    &["mp4", "avi", "mov", "mkv", "webm", "wav", "mp3", "flac", "m4a", "ogg"],
                )
                .add_filter("All files", &["*"])
                .pick_file(),
        ),
        DialogFor::Weights(key) => {
            let title = Published::with_key(key).map_or(key, |published| published.title);
            let dialog = dialog.set_title(format!("Choose the file of {title}"));
            let kinds = ["pt", "pth", "bin", "ckpt", "safetensors", "gz"];
            block_on(dialog.add_filter("Weights", &kinds).add_filter("All files", &["*"]).pick_file())
        }
    };
    // Nothing chosen: cancelled, or a system without dialogs, where the path field of the form does it.
    if let Some(chosen) = chosen {
        desk.tell(Event::Chosen { what, path: chosen.path().to_owned() });
    }
}

/// Waits for a future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

fn start_live(
    dir: &Path,
    device: &DeviceId,
    source: live::Source,
    text: String,
    smoothing: f32,
    models: &Path,
    desk: &Desk,
) {
    let started = (|| {
        let predictor = models::load(dir, device)?;
        let detectors = media::Detectors::in_folder(models)?;
        let settings = live::Settings { text, smoothing, detectors, ..live::Settings::new(source, predictor.inputs()) };
        let wake = Arc::clone(&desk.wake);
        anyhow::Ok(live::Session::start(predictor, settings, move || wake())?)
    })();
    match started {
        Ok(session) => {
            desk.outbox.send(Message::Session(desk.id, Box::new(session)));
        }
        Err(error) => desk.tell(Event::LiveFailed(format!("{error:#}"))),
    }
}

fn reveal(path: &Path) -> anyhow::Result<()> {
    let dir = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(target_os = "windows") {
        "explorer"
    } else {
        "xdg-open"
    };
    std::process::Command::new(program)
        .arg(dir)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .map(|_| ())
        .with_context(|| format!("{program} is not there, the folder is {}", dir.display()))
}

/// A name for an exported file that is not taken yet.
pub fn export_path(project: &Project, name: &str, extension: &str) -> PathBuf {
    let dir = project.exports();
    let stem = folder_name(name);
    let mut path = dir.join(format!("{stem}.{extension}"));
    let mut number = 2;
    while path.exists() {
        path = dir.join(format!("{stem}-{number}.{extension}"));
        number += 1;
    }
    path
}

/// The folder for a new sample project.
pub fn sample_dir(projects: &Path) -> PathBuf {
    projects.join(unused_name(projects, "sample"))
}

/// Ends whatever `control` steers, at its next step.
pub fn cancel(control: &Control) {
    control.order(Order::Abort);
}

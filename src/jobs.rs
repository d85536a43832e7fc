//! What workers do for the window: each job is a plain value, and [`Job::perform`] does it on the worker's thread.
//!
//! A job tells how far it is through its [`Desk`], which also says when it should stop. Errors become notices.

mod desk;
mod devices;
mod dialogs;
mod export;
mod extract;
mod import;
mod lane;
mod live;
mod people;
mod project;
mod runs;
mod weights;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use emotion::{FaceChoice, LabelSet, Manifest};
use media::SampleCache;
use models::{DeviceId, Published};
use training::{Control, Order};

use crate::command::{Extract, Import, Whose};
use crate::figure::{Draft, Format};
use crate::project::{CacheRoom, Places, Project, Settings};
use crate::run::Run;
use crate::state::{DialogFor, Event, JobId, Level, Notice, PeopleOf};
use crate::textures::{N_PEAKS, Preview, THUMBNAIL_PX};

use desk::REPORT_EVERY;
pub use desk::{Desk, Errand};
pub use dialogs::WEIGHT_FILES;
pub use export::export_path;
pub use lane::Lane;
pub use live::Recording;
pub use project::sample_dir;

/// What comes out of a worker: events for the state, and things that only the window can use.
#[expect(clippy::large_enum_variant, reason = "messages are moved once, and most are events")]
pub enum Message {
    /// For the state.
    Event(Event),
    /// What a clip looks like.
    Thumbnail(PathBuf, Preview),
    /// A live session that runs.
    Session(JobId, Box<::live::Session>),
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
    /// See whether the folders of datasets are there.
    FindAway(Vec<(String, Arc<Manifest>)>),
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
    /// Look into a file that is to be imported as a trained model.
    LookIntoRelease(PathBuf),
    /// Make a run of a trained model of a released code.
    ImportModel {
        /// What it becomes; its name is the run's.
        job: Box<training::Job>,
        /// The classes in the order of its outputs.
        labels: LabelSet,
        /// The checkpoint, or the folder of a set of files.
        path: PathBuf,
        /// The run's folder.
        dir: PathBuf,
        /// Prepared clips.
        cache: CacheRoom,
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
        source: ::live::Source,
        /// What is being said.
        text: String,
        /// Strength of smoothing.
        smoothing: f32,
        /// Folder of the networks that find faces.
        models: PathBuf,
    },
    /// End a live session, which waits for its threads.
    EndLive(Box<::live::Session>),
    /// Write a prediction to the file of a recording, which begins with the first.
    Record {
        /// The recording.
        recording: Recording,
        /// The prediction.
        event: ::live::Event,
    },
    /// Close the file of a recording.
    EndRecording(Recording),
    /// Write the settings.
    SaveSettings {
        /// The settings.
        settings: Settings,
        /// Folders of the app.
        places: Places,
    },
    /// Show a path in the file manager.
    Reveal(PathBuf),
}

impl Job {
    /// The worker that does it.
    pub fn lane(&self) -> Lane {
        match self {
            Self::OpenProject(_)
            | Self::FindAway(_)
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
            | Self::LookIntoRelease(_)
            | Self::ImportModel { .. }
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
                format!("Extracting {} of “{}”", extract.extraction.stream(), extract.dataset)
            }
            Self::Train { job, .. } => format!("Training “{}”", job.name),
            Self::Evaluate { run, .. } => format!("Evaluating “{}”", run.name),
            Self::MapFeatures { run, .. } => format!("Mapping the features of “{}”", run.name),
            Self::MapPrompts { run } => format!("Mapping the prompts of “{}”", run.name),
            Self::ExportModel { .. } => "Exporting a model".into(),
            Self::ClearCache(_) => "Clearing the cache".into(),
            Self::VerifyWeights { published, .. } => format!("Verifying {}", published.title),
            Self::ImportModel { job, .. } => format!("Importing the model “{}”", job.name),
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
            Self::Extract { extract, .. } => format!("{} could not be extracted", extract.extraction.stream()),
            Self::Exchange { .. } => "The earlier reading could not be put back".into(),
            Self::FindAway(_) => "The folders of the datasets could not be looked for".into(),
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
            Self::LookIntoRelease(_) => "The file could not be looked into".into(),
            Self::ImportModel { job, .. } => format!("The model “{}” could not be imported", job.name),
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
            Self::OpenProject(dir) => project::open(&dir, desk),
            Self::CreateSample { dir } => project::create_sample(&dir, desk),
            Self::Import { project, import } => import::import_dataset(&project, &import, desk).map(|_| ()),
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
            Self::FindAway(manifests) => {
                for (name, manifest) in manifests {
                    desk.tell(Event::Away { dataset: name, is_away: datasets::is_away(&manifest) });
                }
                Ok(())
            }
            Self::Discard { project, dirs } => project::discard(&project, &dirs, desk),
            Self::Restore { place, dir } => project::restore(&place, &dir, desk),
            Self::Train { job, dir, resume, cache } => runs::train(&job, &dir, resume, &cache, desk),
            Self::Evaluate { run, device, cache } => runs::evaluate(&run, &device, &cache, desk),
            Self::MapFeatures { run, device, cache } => {
                let name = run.name.clone();
                let maps = runs::map_features(&run, &device, &cache, desk);
                let maps = runs::computed(maps, desk);
                desk.tell(Event::Features { run: name, maps });
                Ok(())
            }
            Self::MapPrompts { run } => {
                let maps = runs::computed(runs::map_prompts(&run, desk), desk);
                desk.tell(Event::Prompts { run: run.name, maps });
                Ok(())
            }
            Self::ExportFigure { draft, format, path } => export::export_figure(&draft, format, &path, desk),
            Self::ExportModel { dir, to } => export::export_model(&dir, &to, desk),
            Self::Thumbnail(path) => {
                let picture = media::thumbnail(&path, THUMBNAIL_PX).ok();
                let peaks = media::waveform(&path, N_PEAKS).unwrap_or_default();
                desk.outbox.send(Message::Thumbnail(path, Preview { picture, peaks }));
                Ok(())
            }
            Self::ProbeDevices => {
                devices::probe(desk);
                Ok(())
            }
            Self::ListCaptureDevices => {
                devices::list_capturing(desk);
                Ok(())
            }
            Self::FindWeights { dir, chosen } => {
                weights::find(&dir, &chosen, desk);
                Ok(())
            }
            Self::VerifyWeights { published, path } => weights::verify(published, &path, desk),
            Self::LookIntoRelease(path) => {
                let report = weights::look_into(&path);
                desk.tell(Event::Release(path, report));
                Ok(())
            }
            Self::ImportModel { job, labels, path, dir, cache } => {
                runs::import(&job, &labels, path, &dir, &cache, desk)
            }
            Self::Choose(what) => {
                dialogs::choose(what, desk);
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
                live::start(&dir, &device, source, text, smoothing, &models, desk);
                Ok(())
            }
            Self::EndLive(session) => {
                session.stop();
                Ok(())
            }
            Self::Record { recording, event } => recording.write(&event),
            Self::EndRecording(recording) => {
                desk.notice(if recording.end() {
                    export::exported(&recording.path)
                } else {
                    Notice::new(Level::Info, "Nothing was recorded: there was no prediction")
                });
                Ok(())
            }
            Self::SaveSettings { settings, places } => settings.save(&places),
            Self::Reveal(path) => export::reveal(&path),
        }
    }
}

/// Ends whatever `control` steers, at its next step.
pub fn cancel(control: &Control) {
    control.order(Order::Abort);
}

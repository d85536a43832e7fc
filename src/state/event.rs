//! What workers tell.

use std::path::PathBuf;

use emotion::{LabelSet, Modalities, Prediction};
use models::DeviceInfo;
use models::identify::Report;

use super::{CaptureDevice, Computed, Dataset, DialogFor, Found, JobId, Map, Notice, PeopleOf, Weights};
use crate::command::LiveSource;
use crate::project::Project;
use crate::run::Run;

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
    /// The folder of a dataset's clips was looked for.
    Away {
        /// The dataset.
        dataset: String,
        /// Whether it is not there.
        is_away: bool,
    },
    /// A look at an import was taken.
    Looked {
        /// Its number.
        look: u64,
        /// What was found.
        found: Box<Found>,
    },
    /// The people of a clip are looked for, or found.
    People(PeopleOf, Computed<Option<media::People>>),
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
    /// A file that is to be imported as a trained model is looked into, or was.
    Release(PathBuf, Computed<Report>),
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

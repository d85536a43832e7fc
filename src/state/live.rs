//! What the live view shows.

use std::collections::VecDeque;
use std::path::PathBuf;

use emotion::{LabelSet, Modalities, Modality, Prediction};

use crate::command::LiveSource;

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

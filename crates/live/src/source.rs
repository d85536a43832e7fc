//! What a session watches, and how.

use std::path::PathBuf;

use emotion::{FaceChoice, FaceSource, Inputs, VoiceInput};
use media::Detectors;

use crate::LiveError;

/// Where picture and sound come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, once from start to end.
    File(PathBuf),
    /// Devices, until stopped.
    Devices {
        /// Name as `media::cameras` gives it; `None` for none.
        camera: Option<String>,
        /// Name as `media::microphones` gives it, empty for the default one; `None` for none.
        microphone: Option<String>,
    },
}

/// How a session runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What is watched.
    pub source: Source,
    /// Seconds from one prediction to the next.
    pub interval_secs: f64,
    /// Seconds that a prediction looks back.
    pub window_secs: f64,
    /// Whether a file is played by the clock; otherwise as fast as it goes, with the same predictions each time.
    pub real_time: bool,
    /// Strength of the smoothing over time, 0 (off) to 1.
    pub smoothing: f32,
    /// How faces are found; boxes, which no live source brings, are searched.
    pub faces: FaceSource,
    /// Whose face, of several; who was found is followed.
    pub choice: FaceChoice,
    /// What finds faces.
    pub detectors: Detectors,
    /// What is said, as long as nobody changes it.
    pub text: String,
}

impl Settings {
    /// Two predictions a second over as much as the model hears at once.
    pub fn new(source: Source, inputs: &Inputs) -> Self {
        let window_secs = match inputs.voice {
            Some(VoiceInput::Waveform { rate_hz, n_samples }) => n_samples as f64 / f64::from(rate_hz.max(1)),
            Some(VoiceInput::LogMel { n_frames, .. }) => n_frames as f64 * 0.01,
            None => 3.0,
        };
        Self {
            source,
            interval_secs: 0.5,
            window_secs: window_secs.clamp(1.0, 10.0),
            real_time: true,
            smoothing: 0.0,
            faces: FaceSource::Auto,
            choice: FaceChoice::default(),
            detectors: Detectors::default(),
            text: String::new(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), LiveError> {
        for (what, secs) in [("the interval between predictions", self.interval_secs), ("the window", self.window_secs)]
        {
            if !(secs.is_finite() && secs > 0.0) {
                return Err(LiveError::BadTime { what, secs });
            }
        }
        match &self.source {
            Source::Devices { camera: None, microphone: None } => Err(LiveError::NoSource),
            _ => Ok(()),
        }
    }
}

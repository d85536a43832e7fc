//! What a session tells, to the window and to `--json` alike.

use emotion::{LabelSet, Modalities, Prediction};
use serde::{Deserialize, Serialize};

/// One thing that happened. Times are seconds since the start of the session, or within the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Devices or file are being watched.
    Started {
        /// The model's classes.
        labels: LabelSet,
        /// What the source can give and the model can use.
        modalities: Modalities,
        /// What the model was trained with; it was never taught to do without others.
        trained_on: Modalities,
        /// Seconds that a prediction looks back.
        window_secs: f64,
        /// Length of the file, if it is one and says so.
        duration_secs: Option<f64>,
    },
    /// The model has looked at the last seconds.
    Prediction {
        /// End of what it looked at.
        at_secs: f64,
        /// What it says.
        prediction: Prediction,
        /// Probabilities after smoothing over time, in the order of the labels.
        smoothed: Vec<f32>,
        /// From looking to saying, in milliseconds.
        latency_ms: f64,
    },
    /// How loud it is; dropped where nobody listens fast enough.
    Level {
        /// End of the sound.
        at_secs: f64,
        /// Root mean square of the samples, 0..=1.
        rms: f32,
    },
    /// Something that people should know.
    Notice {
        /// When.
        at_secs: f64,
        /// What.
        what: Notice,
    },
    /// The session is over; nothing follows.
    Ended {
        /// Why, in words.
        reason: String,
    },
}

/// What people should know while a session runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum Notice {
    /// No face for more than a second; the face is masked until there is one.
    NoFace,
    /// A face again.
    FaceBack,
    /// Nothing but zeros, or nothing at all, for more than a second: muted, or no permission. The voice is masked.
    Silence,
    /// Sound again.
    SoundBack,
    /// Nobody has spoken for more than a second, as the detector of speech says. The voice is masked.
    NobodySpeaks,
    /// Somebody speaks again.
    SpeechBack,
    /// The detector of speech failed; loudness alone tells from now on. Why.
    DetectorGone(String),
    /// Everything is masked or switched off: no prediction until that changes.
    NothingLeft,
    /// The camera cannot be opened or went away; why.
    CameraGone(String),
    /// The microphone cannot be opened or went away; why.
    MicrophoneGone(String),
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoFace => f.write_str("No face to be seen"),
            Self::FaceBack => f.write_str("There is a face again"),
            Self::Silence => f.write_str("The microphone gives only silence: is it muted, or is permission missing?"),
            Self::SoundBack => f.write_str("There is sound again"),
            Self::NobodySpeaks => f.write_str("Nobody speaks: the voice is left out until somebody does"),
            Self::SpeechBack => f.write_str("Somebody speaks again"),
            Self::DetectorGone(why) => write!(f, "Speech is told by loudness alone from now on: {why}"),
            Self::NothingLeft => f.write_str("Nothing to predict from: switch on a modality that is there"),
            Self::CameraGone(why) => write!(f, "No picture: {why}"),
            Self::MicrophoneGone(why) => write!(f, "No sound: {why}"),
        }
    }
}

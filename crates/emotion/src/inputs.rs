//! What a model needs to see of a clip. Whoever prepares samples reads this and nothing else of the model.

use serde::{Deserialize, Serialize};

use crate::{Modalities, Modality};

/// The inputs of a model; `None` means that the model does not use the modality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// Face frames.
    pub face: Option<FaceInput>,
    /// Speech.
    pub voice: Option<VoiceInput>,
    /// Words.
    pub text: Option<TextInput>,
}

impl Inputs {
    /// The modalities that the model can use.
    pub fn modalities(&self) -> Modalities {
        Modalities::NONE
            .with(Modality::Face, self.face.is_some())
            .with(Modality::Voice, self.voice.is_some())
            .with(Modality::Text, self.text.is_some())
    }
}

/// Square RGB face crops spread evenly over the clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaceInput {
    /// Frames per clip; shorter clips repeat their last frame, marked invalid.
    pub n_frames: usize,
    /// Side of a crop in pixels.
    pub size_px: usize,
}

/// The form in which a model takes speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum VoiceInput {
    /// Mono samples in -1..1, cut or zero-padded to `n_samples`.
    Waveform {
        /// Sampling rate in hertz.
        rate_hz: u32,
        /// Length in samples.
        n_samples: usize,
    },
    /// Kaldi-compatible log-mel frames (25 ms window, 10 ms hop), cut or zero-padded to `n_frames`.
    LogMel {
        /// Sampling rate in hertz.
        rate_hz: u32,
        /// Frames of 10 ms.
        n_frames: usize,
        /// Mel bins.
        n_bins: usize,
    },
}

impl VoiceInput {
    /// Sampling rate in hertz.
    pub fn rate_hz(&self) -> u32 {
        match *self {
            Self::Waveform { rate_hz, .. } | Self::LogMel { rate_hz, .. } => rate_hz,
        }
    }
}

/// How a model reads text; the model's own tokenizer does it, samples carry the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextInput {
    /// Tokens at most; longer texts are cut.
    pub max_tokens: usize,
}

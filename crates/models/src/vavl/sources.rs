//! Where the sequences of features come from, as settings: pretrained extractors, descriptions, or the dataset.

use emotion::{FaceInput, Inputs, Manifest, Modality, VoiceInput};
use serde::{Deserialize, Serialize};

use crate::batch::PixelScale;
use crate::encoders::efficientnet::EfficientNetSize;
use crate::encoders::feature_sequences::StreamSize;
use crate::encoders::tiny::{CEPSTRAL_WIDTH, gradient_width};
use crate::encoders::wav2vec2::Wav2vec2Size;
use crate::settings::check_share;
use crate::{ModelError, Reader};

/// Sampling rate that wav2vec 2.0 was trained at.
const WAV2VEC2_RATE_HZ: u32 = 16_000;

/// Where the features of a face come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaceFeaturesConfig {
    /// An EfficientNet trained on faces, frozen.
    EfficientNet {
        /// Frames of a clip.
        n_frames: usize,
        /// Side of a crop in pixels (released code: 224).
        side_px: usize,
        /// Its sizes.
        size: EfficientNetSize,
    },
    /// Histograms of oriented gradients.
    Gradients {
        /// Frames of a clip.
        n_frames: usize,
        /// Side of a crop in pixels, a multiple of 8.
        side_px: usize,
        /// Share of values that training drops, against learning speakers by heart.
        dropout: f64,
    },
    /// Features that the dataset brings.
    Precomputed {
        /// Which.
        features: StreamSize,
        /// Steps at most; earlier ones are left out.
        max_steps: usize,
        /// Share of values that training drops.
        dropout: f64,
    },
}

/// Where the features of a voice come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum VoiceFeaturesConfig {
    /// wav2vec 2.0, frozen.
    Wav2vec2 {
        /// Samples of a clip at 16 kHz (released code: 192 000, 12 s).
        n_samples: usize,
        /// Its sizes.
        size: Wav2vec2Size,
    },
    /// Statistics of the cepstrum, over several log-mel frames a step.
    Cepstrum {
        /// Sampling rate in hertz.
        rate_hz: u32,
        /// Frames of 10 ms, a multiple of `frames_per_step`.
        n_frames: usize,
        /// Mel bins.
        n_bins: usize,
        /// Frames of a step, 2 at least.
        frames_per_step: usize,
        /// Share of values that training drops.
        dropout: f64,
    },
    /// Features that the dataset brings.
    Precomputed {
        /// Which.
        features: StreamSize,
        /// Steps at most; earlier ones are left out.
        max_steps: usize,
        /// Share of values that training drops.
        dropout: f64,
    },
}

impl FaceFeaturesConfig {
    /// Values of a frame.
    pub fn width(&self) -> usize {
        match self {
            Self::EfficientNet { size, .. } => size.width(),
            Self::Gradients { side_px, .. } => gradient_width(*side_px),
            Self::Precomputed { features, .. } => features.n_dims(),
        }
    }

    /// The same with the features of a dataset.
    pub(super) fn for_dataset(&self, manifest: &Manifest) -> Result<Self, ModelError> {
        let Self::Precomputed { features, max_steps, dropout } = self else { return Ok(self.clone()) };
        let features = features.for_dataset(Modality::Face, manifest, *max_steps, 0)?;
        Ok(Self::Precomputed { features, max_steps: *max_steps, dropout: *dropout })
    }

    fn check(&self) -> Result<(), ModelError> {
        match *self {
            Self::Gradients { side_px, .. } if !side_px.is_multiple_of(8) => {
                Err(ModelError::Config(format!("face.side_px is {side_px}: it must be a multiple of 8")))
            }
            Self::Gradients { dropout, .. } | Self::Precomputed { dropout, .. } => check_share("face.dropout", dropout),
            Self::EfficientNet { .. } => Ok(()),
        }
    }
}

impl VoiceFeaturesConfig {
    /// Values of a step.
    pub fn width(&self) -> usize {
        match self {
            Self::Wav2vec2 { size, .. } => size.width,
            Self::Cepstrum { .. } => CEPSTRAL_WIDTH,
            Self::Precomputed { features, .. } => features.n_dims(),
        }
    }

    /// The same with the features of a dataset.
    pub(super) fn for_dataset(&self, manifest: &Manifest) -> Result<Self, ModelError> {
        let Self::Precomputed { features, max_steps, dropout } = self else { return Ok(self.clone()) };
        let features = features.for_dataset(Modality::Voice, manifest, *max_steps, 0)?;
        Ok(Self::Precomputed { features, max_steps: *max_steps, dropout: *dropout })
    }

    fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::Wav2vec2 { n_samples, size } if size.n_frames(*n_samples) == 0 => {
                Err(ModelError::Config(format!("voice.n_samples is {n_samples}: too few for a single frame")))
            }
            Self::Cepstrum { n_frames, frames_per_step, .. }
                if *frames_per_step < 2 || !n_frames.is_multiple_of(*frames_per_step) =>
            {
                Err(ModelError::Config(format!(
                    "voice.n_frames is {n_frames}: it must be a multiple of voice.frames_per_step, {frames_per_step}, which is 2 at least"
                )))
            }
            Self::Cepstrum { dropout, .. } | Self::Precomputed { dropout, .. } => {
                check_share("voice.dropout", *dropout)
            }
            Self::Wav2vec2 { .. } => Ok(()),
        }
    }
}

/// How samples become batches for these extractors.
pub(super) fn reader(face: &FaceFeaturesConfig, voice: &VoiceFeaturesConfig) -> Reader {
    let mut features = Vec::new();
    let (face, pixels) = match face {
        &FaceFeaturesConfig::EfficientNet { n_frames, side_px, .. } => {
            (Some(FaceInput { n_frames, size_px: side_px }), PixelScale::IMAGENET)
        }
        &FaceFeaturesConfig::Gradients { n_frames, side_px, .. } => {
            (Some(FaceInput { n_frames, size_px: side_px }), PixelScale::PerFrame)
        }
        FaceFeaturesConfig::Precomputed { features: stream, .. } => {
            features.extend(stream.input(Modality::Face, 0));
            (None, PixelScale::PerFrame)
        }
    };
    let voice = match voice {
        &VoiceFeaturesConfig::Wav2vec2 { n_samples, .. } => {
            Some(VoiceInput::Waveform { rate_hz: WAV2VEC2_RATE_HZ, n_samples })
        }
        &VoiceFeaturesConfig::Cepstrum { rate_hz, n_frames, n_bins, .. } => {
            Some(VoiceInput::LogMel { rate_hz, n_frames, n_bins })
        }
        VoiceFeaturesConfig::Precomputed { features: stream, .. } => {
            features.extend(stream.input(Modality::Voice, 0));
            None
        }
    };
    Reader {
        inputs: Inputs { face, voice, text: None, features },
        pixels,
        n_buckets: 2,
        vocabulary: None,
        face_as_scene: false,
    }
}

/// Checks what types cannot say.
pub(super) fn check(face: &FaceFeaturesConfig, voice: &VoiceFeaturesConfig) -> Result<(), ModelError> {
    face.check().and_then(|()| voice.check())
}

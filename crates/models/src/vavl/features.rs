//! Clips to sequences of features: pretrained extractors that stand still, or descriptions that need no training.
//!
//! The released code normalizes waveforms and faces by statistics of the training set ([`super::Statistics`]). A model here is
//! built before it has seen a clip, so a waveform is normalized by itself, as wav2vec 2.0's own preprocessing does, and so is
//! the feature of each face. Padding is zero after that, as in the released code.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Tensor, assert_shape};
use emotion::{FaceInput, Inputs, VoiceInput};
use serde::{Deserialize, Serialize};

use crate::batch::{FaceBatch, PixelScale, VoiceBatch};
use crate::encoders::efficientnet::{EfficientNet, EfficientNetSize};
use crate::encoders::tiny::{gradient_width, oriented_gradients};
use crate::encoders::wav2vec2::{Wav2vec2, Wav2vec2Size};
use crate::{Init, ModelError, Reader};

/// Sampling rate that wav2vec 2.0 was trained at.
const WAV2VEC2_RATE_HZ: u32 = 16_000;
/// ImageNet's pixel statistics.
const IMAGENET_PIXELS: PixelScale =
    PixelScale::Channels { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

/// Where the features of a face come from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    /// Log-mel frames, several of them a step.
    LogMel {
        /// Sampling rate in hertz.
        rate_hz: u32,
        /// Frames of 10 ms, a multiple of `frames_per_step`.
        n_frames: usize,
        /// Mel bins.
        n_bins: usize,
        /// Frames that stand side by side in one step.
        frames_per_step: usize,
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
        }
    }

    fn check(&self) -> Result<(), ModelError> {
        let (Self::EfficientNet { n_frames, side_px, .. } | Self::Gradients { n_frames, side_px, .. }) = *self;
        if n_frames == 0 || side_px == 0 {
            return Err(ModelError::Config("face.n_frames and face.side_px must be positive".into()));
        }
        match self {
            Self::Gradients { side_px, .. } if !side_px.is_multiple_of(8) => {
                Err(ModelError::Config(format!("face.side_px is {side_px}: it must be a multiple of 8")))
            }
            _ => Ok(()),
        }
    }
}

impl VoiceFeaturesConfig {
    /// Values of a step.
    pub fn width(&self) -> usize {
        match self {
            Self::Wav2vec2 { size, .. } => size.width,
            Self::LogMel { n_bins, frames_per_step, .. } => n_bins * frames_per_step,
        }
    }

    fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::Wav2vec2 { n_samples, size } if size.n_frames(*n_samples) == 0 => {
                Err(ModelError::Config(format!("voice.n_samples is {n_samples}: too few for a single frame")))
            }
            Self::LogMel { n_frames, frames_per_step, .. }
                if *frames_per_step == 0 || *n_frames == 0 || !n_frames.is_multiple_of(*frames_per_step) =>
            {
                Err(ModelError::Config(format!(
                    "voice.n_frames is {n_frames}: it must be a multiple of voice.frames_per_step, {frames_per_step}"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// How samples become batches for these extractors.
pub(super) fn reader(face: &FaceFeaturesConfig, voice: &VoiceFeaturesConfig) -> Reader {
    let (face, pixels) = match *face {
        FaceFeaturesConfig::EfficientNet { n_frames, side_px, .. } => {
            (FaceInput { n_frames, size_px: side_px }, IMAGENET_PIXELS)
        }
        FaceFeaturesConfig::Gradients { n_frames, side_px, .. } => {
            (FaceInput { n_frames, size_px: side_px }, PixelScale::PerFrame)
        }
    };
    let voice = match *voice {
        VoiceFeaturesConfig::Wav2vec2 { n_samples, .. } => {
            VoiceInput::Waveform { rate_hz: WAV2VEC2_RATE_HZ, n_samples }
        }
        VoiceFeaturesConfig::LogMel { rate_hz, n_frames, n_bins, .. } => {
            VoiceInput::LogMel { rate_hz, n_frames, n_bins }
        }
    };
    Reader { inputs: Inputs { face: Some(face), voice: Some(voice), text: None }, pixels, n_buckets: 2 }
}

/// Checks what types cannot say.
pub(super) fn check(face: &FaceFeaturesConfig, voice: &VoiceFeaturesConfig) -> Result<(), ModelError> {
    face.check().and_then(|()| voice.check())
}

/// Face frames to features.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per model")]
pub enum FaceFeatures {
    /// A pretrained network.
    EfficientNet(EfficientNet),
    /// Histograms, with what training drops of them.
    Gradients(Dropout),
}

/// Speech to features.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per model")]
pub enum VoiceFeatures {
    /// A pretrained network.
    Wav2vec2(Wav2vec2),
    /// Log-mel frames, with what training drops of them.
    LogMel(Dropout),
}

/// A sequence as the network takes it, and as it should be reconstructed.
#[derive(Debug, Clone)]
pub struct Sequence {
    /// With what training drops missing, `[rows, steps, features]`.
    pub seen: Tensor<3>,
    /// Whole.
    pub whole: Tensor<3>,
}

impl FaceFeatures {
    pub(super) fn new(config: &FaceFeaturesConfig, init: &mut Init<'_>) -> Self {
        match *config {
            FaceFeaturesConfig::EfficientNet { size, .. } => Self::EfficientNet(EfficientNet::new(size, init).freeze()),
            FaceFeaturesConfig::Gradients { dropout, .. } => Self::Gradients(DropoutConfig::new(dropout).init()),
        }
    }

    /// The frames of those who have a face.
    pub fn forward(&self, face: &FaceBatch) -> Sequence {
        let [rows, frames, channels, side, _] = face.frames.dims();
        let images = face.frames.clone().reshape([rows * frames, channels, side, side]);
        let features = match self {
            Self::EfficientNet(network) => network.forward(images),
            Self::Gradients(_) => oriented_gradients(images),
        };
        let [_, width] = features.dims();
        let whole = padded(standardized(features.reshape([rows, frames, width])), &face.valid);
        match self {
            Self::EfficientNet(_) => Sequence { seen: whole.clone(), whole },
            Self::Gradients(dropout) => Sequence { seen: dropout.forward(whole.clone()), whole },
        }
    }
}

impl VoiceFeatures {
    pub(super) fn new(config: &VoiceFeaturesConfig, init: &mut Init<'_>) -> Self {
        match config {
            VoiceFeaturesConfig::Wav2vec2 { size, .. } => Self::Wav2vec2(Wav2vec2::new(size, init).freeze()),
            VoiceFeaturesConfig::LogMel { dropout, .. } => Self::LogMel(DropoutConfig::new(*dropout).init()),
        }
    }

    /// The steps of those who speak.
    pub fn forward(&self, config: &VoiceFeaturesConfig, voice: &VoiceBatch) -> Result<Sequence, ModelError> {
        match (self, config) {
            (Self::Wav2vec2(network), _) => {
                let [rows, _, n_samples] = voice.values.dims();
                let waves = voice.values.clone().reshape([rows, n_samples]);
                let lengths = lengths(&voice.valid)?;
                // What the layers make of padding counts, as in the released code.
                let whole = network.forward(normalized_waves(waves, &voice.valid), &lengths);
                Ok(Sequence { seen: whole.clone(), whole })
            }
            (Self::LogMel(dropout), VoiceFeaturesConfig::LogMel { frames_per_step, .. }) => {
                let [rows, frames, bins] = voice.values.dims();
                let steps = frames / frames_per_step;
                let whole = padded(voice.values.clone(), &voice.valid);
                let whole = whole.reshape([rows, steps, frames_per_step * bins]);
                Ok(Sequence { seen: dropout.forward(whole.clone()), whole })
            }
            (Self::LogMel(_), VoiceFeaturesConfig::Wav2vec2 { .. }) => {
                Err(ModelError::Config("the model was built from another configuration".into()))
            }
        }
    }
}

/// Valid samples of each clip; `valid` `[clips, samples]`.
fn lengths(valid: &Tensor<2>) -> Result<Vec<usize>, ModelError> {
    let sums = valid.clone().sum_dim(1).try_into_vec_as::<f32>();
    let sums = sums.map_err(|error| ModelError::Compute(error.to_string()))?;
    Ok(sums.into_iter().map(|sum| sum as usize).collect())
}

/// Mean 0 and deviation 1 of the samples of each clip, 0 after its end; `valid` `[clips, samples]`.
fn normalized_waves(waves: Tensor<2>, valid: &Tensor<2>) -> Tensor<2> {
    let n = valid.clone().sum_dim(1).clamp_min(1.0);
    let mean = (waves.clone() * valid.clone()).sum_dim(1) / n.clone();
    let centred = (waves - mean) * valid.clone();
    // wav2vec 2.0's own preprocessing adds 1e-7 to the variance.
    let deviation = (centred.clone().square().sum_dim(1) / n).add_scalar(1e-7).sqrt();
    centred / deviation
}

/// Mean 0 and deviation 1 of the values of each frame.
fn standardized(x: Tensor<3>) -> Tensor<3> {
    let centred = x.clone() - x.mean_dim(2);
    let deviation = centred.clone().square().mean_dim(2).add_scalar(1e-6).sqrt();
    centred / deviation
}

/// Zero where a step is not of the clip; `valid` `[rows, steps]`.
fn padded(x: Tensor<3>, valid: &Tensor<2>) -> Tensor<3> {
    let [rows, steps, _] = x.dims();
    assert_shape!(valid, [rows, steps]);
    x * valid.clone().unsqueeze_dim::<3>(2)
}

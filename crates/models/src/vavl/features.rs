//! Clips to sequences of features: pretrained extractors that stand still, or descriptions that need no training.
//!
//! Waveforms and the features of faces are normalized by statistics of the training set; padding is zero after that.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Tensor, assert_shape};
use emotion::{FaceInput, Inputs, VoiceInput};
use serde::{Deserialize, Serialize};

use super::normalization::{Moments, Scale};
use crate::batch::{FaceBatch, PixelScale, VoiceBatch};
use crate::encoders::efficientnet::{EfficientNet, EfficientNetSize};
use crate::encoders::tiny::{CEPSTRAL_WIDTH, cepstral_statistics, gradient_width, oriented_gradients};
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
            Self::Cepstrum { .. } => CEPSTRAL_WIDTH,
        }
    }

    fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::Wav2vec2 { n_samples, size } if size.n_frames(*n_samples) == 0 => {
                Err(ModelError::Config(format!("voice.n_samples is {n_samples}: too few for a single frame")))
            }
            Self::Cepstrum { n_frames, frames_per_step, .. }
                if *frames_per_step < 2 || *n_frames == 0 || !n_frames.is_multiple_of(*frames_per_step) =>
            {
                Err(ModelError::Config(format!(
                    "voice.n_frames is {n_frames}: it must be a multiple of voice.frames_per_step, {frames_per_step}, which is 2 at least"
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
        VoiceFeaturesConfig::Cepstrum { rate_hz, n_frames, n_bins, .. } => {
            VoiceInput::LogMel { rate_hz, n_frames, n_bins }
        }
    };
    Reader {
        inputs: Inputs { face: Some(face), voice: Some(voice), text: None },
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

/// Face frames to features.
#[derive(Module, Debug)]
pub struct FaceFeatures {
    extractor: FaceExtractor,
    scale: Scale,
}

/// Where the features of a face come from.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per model")]
pub enum FaceExtractor {
    /// A pretrained network.
    EfficientNet(EfficientNet),
    /// Histograms, with what training drops of them.
    Gradients(Dropout),
}

/// Speech to features.
#[derive(Module, Debug)]
pub struct VoiceFeatures {
    extractor: VoiceExtractor,
    scale: Scale,
    frames_per_step: usize,
}

/// Where the features of a voice come from.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per model")]
pub enum VoiceExtractor {
    /// A pretrained network.
    Wav2vec2(Wav2vec2),
    /// Statistics, with what training drops of them.
    Cepstrum(Dropout),
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
        let extractor = match *config {
            FaceFeaturesConfig::EfficientNet { size, .. } => {
                FaceExtractor::EfficientNet(EfficientNet::new(size, init).freeze())
            }
            FaceFeaturesConfig::Gradients { dropout, .. } => {
                FaceExtractor::Gradients(DropoutConfig::new(dropout).init())
            }
        };
        Self { extractor, scale: Scale::new(config.width(), init) }
    }

    /// The frames of those who have a face.
    pub fn forward(&self, face: &FaceBatch) -> Sequence {
        let whole = padded(self.scale.forward(self.raw(face)), face.valid.clone());
        let seen = match &self.extractor {
            FaceExtractor::EfficientNet(_) => whole.clone(),
            FaceExtractor::Gradients(dropout) => dropout.forward(whole.clone()),
        };
        Sequence { seen, whole }
    }

    /// Measures frames that are of a clip.
    pub(super) fn measure(&self, face: &FaceBatch, moments: &mut Moments) {
        measure(&self.raw(face), &face.valid, moments);
    }

    /// Normalizes by what was measured.
    pub(super) fn set_scale(&mut self, moments: &Moments) {
        moments.statistics().iter().for_each(|statistics| self.scale.set(statistics));
    }

    /// Moments of as many values as are normalized.
    pub(super) fn moments(&self) -> Moments {
        Moments::new(self.scale.width())
    }

    /// Features as they are, `[rows, frames, features]`.
    fn raw(&self, face: &FaceBatch) -> Tensor<3> {
        let [rows, frames, channels, side, _] = face.frames.dims();
        let images = face.frames.clone().reshape([rows * frames, channels, side, side]);
        let features = match &self.extractor {
            FaceExtractor::EfficientNet(network) => network.forward(images),
            FaceExtractor::Gradients(_) => oriented_gradients(images),
        };
        let [_, width] = features.dims();
        features.reshape([rows, frames, width])
    }
}

impl VoiceFeatures {
    pub(super) fn new(config: &VoiceFeaturesConfig, init: &mut Init<'_>) -> Self {
        match config {
            // A waveform has one value a sample.
            VoiceFeaturesConfig::Wav2vec2 { size, .. } => Self {
                extractor: VoiceExtractor::Wav2vec2(Wav2vec2::new(size, init).freeze()),
                scale: Scale::new(1, init),
                frames_per_step: 1,
            },
            VoiceFeaturesConfig::Cepstrum { frames_per_step, dropout, .. } => Self {
                extractor: VoiceExtractor::Cepstrum(DropoutConfig::new(*dropout).init()),
                scale: Scale::new(CEPSTRAL_WIDTH, init),
                frames_per_step: *frames_per_step,
            },
        }
    }

    /// The steps of those who speak.
    pub fn forward(&self, voice: &VoiceBatch) -> Result<Sequence, ModelError> {
        let (raw, valid) = self.raw(voice);
        let whole = padded(self.scale.forward(raw), valid.clone());
        match &self.extractor {
            VoiceExtractor::Wav2vec2(network) => {
                let [rows, samples, _] = whole.dims();
                // What the layers make of padding counts, as in the released code.
                let whole = network.forward(whole.reshape([rows, samples]), &lengths(valid)?);
                Ok(Sequence { seen: whole.clone(), whole })
            }
            VoiceExtractor::Cepstrum(dropout) => Ok(Sequence { seen: dropout.forward(whole.clone()), whole }),
        }
    }

    /// Measures samples or steps that are of a clip.
    pub(super) fn measure(&self, voice: &VoiceBatch, moments: &mut Moments) {
        let (raw, valid) = self.raw(voice);
        measure(&raw, &valid, moments);
    }

    /// Normalizes by what was measured.
    pub(super) fn set_scale(&mut self, moments: &Moments) {
        moments.statistics().iter().for_each(|statistics| self.scale.set(statistics));
    }

    /// Moments of as many values as are normalized.
    pub(super) fn moments(&self) -> Moments {
        Moments::new(self.scale.width())
    }

    /// What is normalized, `[rows, samples or steps, values]`, and which of it is of the clip.
    fn raw(&self, voice: &VoiceBatch) -> (Tensor<3>, Tensor<2>) {
        match self.extractor {
            VoiceExtractor::Wav2vec2(_) => (voice.values.clone().swap_dims(1, 2), voice.valid.clone()),
            VoiceExtractor::Cepstrum(_) => {
                let [rows, frames, bins] = voice.values.dims();
                let (per_step, steps) = (self.frames_per_step, frames / self.frames_per_step);
                let valid = voice.valid.clone().reshape([rows * steps, per_step]);
                let mel = voice.values.clone().reshape([rows * steps, per_step, bins]);
                let statistics = cepstral_statistics(mel, &valid).reshape([rows, steps, CEPSTRAL_WIDTH]);
                // A step is there where half of it is.
                let there = valid.mean_dim(1).greater_equal_elem(0.5).float().reshape([rows, steps]);
                (statistics, there)
            }
        }
    }
}

/// Valid samples of each clip; `valid` `[clips, samples]`.
fn lengths(valid: Tensor<2>) -> Result<Vec<usize>, ModelError> {
    let sums = valid.sum_dim(1).try_into_vec_as::<f32>();
    let sums = sums.map_err(|error| ModelError::Compute(error.to_string()))?;
    Ok(sums.into_iter().map(|sum| sum as usize).collect())
}

/// Zero where a step is not of the clip; `valid` `[rows, steps]`.
fn padded(x: Tensor<3>, valid: Tensor<2>) -> Tensor<3> {
    let [rows, steps, _] = x.dims();
    assert_shape!(valid, [rows, steps]);
    x * valid.unsqueeze_dim::<3>(2)
}

/// Adds the valid steps of `x` `[rows, steps, values]`.
fn measure(x: &Tensor<3>, valid: &Tensor<2>, moments: &mut Moments) {
    let [_, _, width] = x.dims();
    let values = x.clone().try_into_vec_as::<f32>().unwrap_or_default();
    let valid = valid.clone().try_into_vec_as::<f32>().unwrap_or_default();
    for (step, _) in values.chunks(width).zip(valid).filter(|(_, valid)| *valid > 0.5) {
        moments.add(step);
    }
}

//! Clips to sequences of features: pretrained extractors that stand still, descriptions that need no training, or
//! features that the dataset brings.
//!
//! Waveforms and features are normalized by statistics of the training set, features of a dataset by those of their
//! speaker where that is asked for; padding is zero after that.

use std::path::Path;

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Tensor, assert_shape};
use emotion::Modality;

use super::sources::{FaceFeaturesConfig, VoiceFeaturesConfig};
use crate::batch::{FaceBatch, FeatureBatch, VoiceBatch};
use crate::encoders::efficientnet::EfficientNet;
use crate::encoders::tiny::{CEPSTRAL_WIDTH, cepstral_statistics, oriented_gradients};
use crate::encoders::wav2vec2::Wav2vec2;
use crate::layers::normalization::{Moments, Scale};
use crate::{Batch, Init, ModelError, RowScale, compute};

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
    /// None: features come with the dataset.
    Precomputed(Dropout),
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
    /// None: features come with the dataset.
    Precomputed(Dropout),
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
            FaceFeaturesConfig::Precomputed { dropout, .. } => {
                FaceExtractor::Precomputed(DropoutConfig::new(dropout).init())
            }
        };
        Self { extractor, scale: Scale::new(config.width(), init) }
    }

    /// Fills a pretrained extractor from its file; what needs none passes the path over.
    pub(super) fn load(&mut self, path: &Path) -> Result<(), ModelError> {
        match &mut self.extractor {
            FaceExtractor::EfficientNet(network) => network.import(named("efficientnet", path)?),
            FaceExtractor::Gradients(_) | FaceExtractor::Precomputed(_) => Ok(()),
        }
    }

    /// The frames of those who have a face, and which samples these are.
    pub fn forward(&self, batch: &Batch) -> Option<(Vec<usize>, Sequence)> {
        let Raw { rows, values, valid, own_scale } = self.raw(batch)?;
        let whole = padded(self.scale.forward_rows(values, own_scale.as_ref()), valid);
        let seen = match &self.extractor {
            FaceExtractor::EfficientNet(_) => whole.clone(),
            FaceExtractor::Gradients(dropout) | FaceExtractor::Precomputed(dropout) => dropout.forward(whole.clone()),
        };
        Some((rows, Sequence { seen, whole }))
    }

    /// Measures frames that are of a clip.
    pub(super) fn measure(&self, batch: &Batch, moments: &mut Moments) -> Result<(), ModelError> {
        self.raw(batch).map_or(Ok(()), |raw| moments.add_valid(&raw.values, &raw.valid))
    }

    /// Normalizes by what was measured.
    pub(super) fn set_scale(&mut self, moments: &Moments) {
        moments.statistics().iter().for_each(|statistics| self.scale.set(statistics));
    }

    /// Normalizes by what the released code measured, of `what`.
    pub(super) fn set_statistics(&mut self, what: &str, mean: &[f32], deviation: &[f32]) -> Result<(), ModelError> {
        self.scale.set_measured(what, mean, deviation)
    }

    /// Moments of as many values as are normalized.
    pub(super) fn moments(&self) -> Moments {
        Moments::new(self.scale.width())
    }

    /// Features as they are.
    fn raw(&self, batch: &Batch) -> Option<Raw> {
        let encoded = |face: &FaceBatch, encode: &dyn Fn(Tensor<4>) -> Tensor<2>| {
            let [rows, frames, channels, side, _] = face.frames.dims();
            let features = encode(face.frames.clone().reshape([rows * frames, channels, side, side]));
            let [_, width] = features.dims();
            let values = features.reshape([rows, frames, width]);
            Raw { rows: face.rows.clone(), values, valid: face.valid.clone(), own_scale: None }
        };
        match &self.extractor {
            FaceExtractor::EfficientNet(network) => {
                Some(encoded(batch.face.as_ref()?, &|images| network.forward(images)))
            }
            FaceExtractor::Gradients(_) => Some(encoded(batch.face.as_ref()?, &oriented_gradients)),
            FaceExtractor::Precomputed(_) => batch.features(Modality::Face).map(Raw::from),
        }
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
            VoiceFeaturesConfig::Precomputed { features, dropout, .. } => Self {
                extractor: VoiceExtractor::Precomputed(DropoutConfig::new(*dropout).init()),
                scale: Scale::new(features.n_dims(), init),
                frames_per_step: 1,
            },
        }
    }

    /// Fills a pretrained extractor from its file; what needs none passes the path over.
    pub(super) fn load(&mut self, path: &Path) -> Result<(), ModelError> {
        match &mut self.extractor {
            VoiceExtractor::Wav2vec2(network) => network.import(named("wav2vec2", path)?),
            VoiceExtractor::Cepstrum(_) | VoiceExtractor::Precomputed(_) => Ok(()),
        }
    }

    /// The steps of those who speak, and which samples these are.
    pub fn forward(&self, batch: &Batch) -> Result<Option<(Vec<usize>, Sequence)>, ModelError> {
        let Some(Raw { rows, values, valid, own_scale }) = self.raw(batch) else { return Ok(None) };
        let whole = padded(self.scale.forward_rows(values, own_scale.as_ref()), valid.clone());
        let sequence = match &self.extractor {
            VoiceExtractor::Wav2vec2(network) => {
                let [n_rows, samples, _] = whole.dims();
                // What the layers make of padding counts, as in the released code.
                let whole = network.forward(whole.reshape([n_rows, samples]), &lengths(valid)?);
                Sequence { seen: whole.clone(), whole }
            }
            VoiceExtractor::Cepstrum(dropout) | VoiceExtractor::Precomputed(dropout) => {
                Sequence { seen: dropout.forward(whole.clone()), whole }
            }
        };
        Ok(Some((rows, sequence)))
    }

    /// Measures samples or steps that are of a clip.
    pub(super) fn measure(&self, batch: &Batch, moments: &mut Moments) -> Result<(), ModelError> {
        self.raw(batch).map_or(Ok(()), |raw| moments.add_valid(&raw.values, &raw.valid))
    }

    /// Normalizes by what was measured.
    pub(super) fn set_scale(&mut self, moments: &Moments) {
        moments.statistics().iter().for_each(|statistics| self.scale.set(statistics));
    }

    /// Normalizes by what the released code measured, of `what`.
    pub(super) fn set_statistics(&mut self, what: &str, mean: &[f32], deviation: &[f32]) -> Result<(), ModelError> {
        self.scale.set_measured(what, mean, deviation)
    }

    /// Moments of as many values as are normalized.
    pub(super) fn moments(&self) -> Moments {
        Moments::new(self.scale.width())
    }

    /// What is normalized: samples or steps.
    fn raw(&self, batch: &Batch) -> Option<Raw> {
        if let VoiceExtractor::Precomputed(_) = self.extractor {
            return batch.features(Modality::Voice).map(Raw::from);
        }
        let VoiceBatch { rows, values, valid } = batch.voice.as_ref()?;
        let (values, valid) = match self.extractor {
            VoiceExtractor::Cepstrum(_) => {
                let [n_rows, frames, bins] = values.dims();
                let (per_step, steps) = (self.frames_per_step, frames / self.frames_per_step);
                let valid = valid.clone().reshape([n_rows * steps, per_step]);
                let mel = values.clone().reshape([n_rows * steps, per_step, bins]);
                let statistics = cepstral_statistics(mel, &valid).reshape([n_rows, steps, CEPSTRAL_WIDTH]);
                // A step is there where half of it is.
                let there = valid.mean_dim(1).greater_equal_elem(0.5).float().reshape([n_rows, steps]);
                (statistics, there)
            }
            _ => (values.clone().swap_dims(1, 2), valid.clone()),
        };
        Some(Raw { rows: rows.clone(), values, valid, own_scale: None })
    }
}

/// One modality of those samples of a batch that have it, before normalization.
struct Raw {
    /// Samples in the batch.
    rows: Vec<usize>,
    /// `[rows, steps, values]`
    values: Tensor<3>,
    /// `[rows, steps]` of 0 and 1.
    valid: Tensor<2>,
    /// What rows are normalized by, where it is not the training set's statistics for all of them.
    own_scale: Option<RowScale>,
}

impl From<&FeatureBatch> for Raw {
    fn from(features: &FeatureBatch) -> Self {
        let FeatureBatch { rows, values, valid, own_scale, .. } = features.clone();
        Self { rows, values, valid, own_scale }
    }
}

/// The file that a setting names.
fn named<'a>(setting: &str, path: &'a Path) -> Result<&'a Path, ModelError> {
    if path.as_os_str().is_empty() {
        let reason = format!("{setting} is not set: name the file that the extractor's published weights are in");
        return Err(ModelError::Config(reason));
    }
    Ok(path)
}

/// Valid samples of each clip; `valid` `[clips, samples]`.
fn lengths(valid: Tensor<2>) -> Result<Vec<usize>, ModelError> {
    Ok(compute::read(valid.sum_dim(1))?.into_iter().map(|sum| sum as usize).collect())
}

/// Zero where a step is not of the clip; `valid` `[rows, steps]`.
fn padded(x: Tensor<3>, valid: Tensor<2>) -> Tensor<3> {
    let [rows, steps, _] = x.dims();
    assert_shape!(valid, [rows, steps]);
    x * valid.unsqueeze_dim::<3>(2)
}

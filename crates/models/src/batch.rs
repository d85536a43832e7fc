//! Samples to tensors on a device, with who has what.
//!
//! A modality that a sample lacks, or that is switched off, has no row at all: its encoder never sees it, and no value
//! could leak from it.

use std::path::PathBuf;

use burn::tensor::{Device, Int, Tensor, TensorData};
use emotion::{FeatureInput, Inputs, Modalities, Modality, Normalization, Sample, TextInput, Voice};
use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::encoders::clip::{Overlong, Tokenizer, end_of};
use crate::hashed_tokens;

/// Mean and twice the deviation of AudioSet's log-mel energies (AudioMAE), used for every log-mel input.
const LOG_MEL_MEAN: f32 = -4.267_739_3;
const LOG_MEL_SCALE: f32 = 2.0 * 4.568_997_4;

/// A batch of samples. `rows` of a part name the samples that it holds, in order.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Who has which modality, `[batch, 3]` of 0 and 1 in the order V, A, T.
    pub present: Tensor<2>,
    /// Face frames of those who have them.
    pub face: Option<FaceBatch>,
    /// Whole frames of those who have them, for models that look at the surroundings too.
    pub scene: Option<FaceBatch>,
    /// Speech of those who have it.
    pub voice: Option<VoiceBatch>,
    /// Words of those who have them.
    pub text: Option<TextBatch>,
    /// Precomputed features of those who have them, one part a stream.
    pub features: Vec<FeatureBatch>,
    /// What frozen encoders made of these parts before; empty where they shall be run.
    pub frozen: Frozen,
}

impl Batch {
    /// The precomputed features that stand for a modality.
    pub fn features(&self, modality: Modality) -> Option<&FeatureBatch> {
        self.features.iter().find(|part| part.modality == modality)
    }
}

/// Features from encoders that never learn, row by row as in the parts of the batch that they read.
#[derive(Debug, Clone, Default)]
pub struct Frozen {
    /// Of face frames, `[rows, frames, width]`.
    pub face: Option<Tensor<3>>,
    /// Of whole frames, `[rows, frames, width]`.
    pub scene: Option<Tensor<3>>,
    /// Of words, `[rows, width]`.
    pub text: Option<Tensor<2>>,
}

/// Frames of faces or of what is around them.
#[derive(Debug, Clone)]
pub struct FaceBatch {
    /// Samples in the batch.
    pub rows: Vec<usize>,
    /// `[rows, frames, 3, side, side]`, normalized.
    pub frames: Tensor<5>,
    /// `[rows, frames]` of 0 and 1.
    pub valid: Tensor<2>,
}

/// Speech.
#[derive(Debug, Clone)]
pub struct VoiceBatch {
    /// Samples in the batch.
    pub rows: Vec<usize>,
    /// Waveforms `[rows, 1, samples]` or normalized log-mel `[rows, frames, bins]`.
    pub values: Tensor<3>,
    /// `[rows, samples or frames]` of 0 and 1.
    pub valid: Tensor<2>,
}

/// Token ids.
#[derive(Debug, Clone)]
pub struct TextBatch {
    /// Samples in the batch.
    pub rows: Vec<usize>,
    /// `[rows, tokens]`, 0 after the end.
    pub tokens: Tensor<2, Int>,
    /// Position of the last token of each row.
    pub end: Vec<usize>,
}

/// Precomputed features.
#[derive(Debug, Clone)]
pub struct FeatureBatch {
    /// What they stand for.
    pub modality: Modality,
    /// Samples in the batch.
    pub rows: Vec<usize>,
    /// `[rows, steps, values]`, laid out as [`FeatureInput`] says.
    pub values: Tensor<3>,
    /// `[rows, steps]` of 0 and 1.
    pub valid: Tensor<2>,
    /// What rows are normalized by, where it is not the training split's statistics for all of them.
    pub own_scale: Option<RowScale>,
}

/// What some rows of features are normalized by instead of the training split's statistics.
#[derive(Debug, Clone)]
pub struct RowScale {
    /// Is taken off, `[rows, values]`; zero where a row has no scale of its own.
    pub mean: Tensor<2>,
    /// What is left is divided by this, `[rows, values]`; zero where a row has no scale of its own.
    pub divisor: Tensor<2>,
    /// 0 where a row has a scale of its own, 1 where it takes the training split's, `[rows, 1]`.
    pub common: Tensor<2>,
}

/// How pixels become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PixelScale {
    /// Mean 0 and deviation 1 in every frame.
    PerFrame,
    /// Minus `mean`, over `deviation`, by channel, of values in 0..=1.
    Channels {
        /// Red, green, blue.
        mean: [f32; 3],
        /// Red, green, blue.
        deviation: [f32; 3],
    },
}

impl PixelScale {
    /// Values in 0..=1.
    pub const PLAIN: Self = Self::Channels { mean: [0.0; 3], deviation: [1.0; 3] };
    /// ImageNet's statistics.
    pub const IMAGENET: Self = Self::Channels { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

    /// One picture, `[side, side, 3]` bytes to `[3, side, side]`.
    pub fn scale(self, rgb: &[u8], out: &mut [f32]) {
        let n_pixels = rgb.len() / 3;
        let (mean, deviation) = match self {
            Self::Channels { mean, deviation } => (mean, deviation),
            Self::PerFrame => {
                let n = rgb.len() as f64;
                let sum: f64 = rgb.iter().map(|&byte| f64::from(byte)).sum();
                let squares: f64 = rgb.iter().map(|&byte| f64::from(byte).powi(2)).sum();
                let mean = sum / n;
                // A frame of one colour has no deviation; a floor of one grey level keeps it at zero, not at infinity.
                let deviation = (squares / n - mean * mean).max(1.0).sqrt();
                ([(mean / 255.0) as f32; 3], [(deviation / 255.0) as f32; 3])
            }
        };
        for channel in 0..3 {
            let (shift, scale) = (mean[channel], 1.0 / deviation[channel]);
            for (pixel, value) in out[channel * n_pixels..(channel + 1) * n_pixels].iter_mut().enumerate() {
                *value = (f32::from(rgb[3 * pixel + channel]) / 255.0 - shift) * scale;
            }
        }
    }
}

/// Turns samples into batches for one model.
#[derive(Debug, Clone)]
pub struct Reader {
    /// What the model takes.
    pub inputs: Inputs,
    /// How it takes pixels.
    pub pixels: PixelScale,
    /// Size of the table of hashed words, where there is no vocabulary.
    pub n_buckets: usize,
    /// File with CLIP's vocabulary, for models with its text tower.
    pub vocabulary: Option<PathBuf>,
    /// Whether the faces also stand for the scene, as UMBEnet's released code has it for clips that are crops of faces.
    pub face_as_scene: bool,
}

impl Reader {
    /// The modalities of a sample that remain when only `on` are switched on and the model's are counted.
    pub fn usable(&self, sample: &Sample, on: Modalities) -> Modalities {
        self.inputs.present(sample).intersection(on)
    }

    /// Makes a batch; `on[i]` is what is switched on for sample `i`.
    pub fn batch(&self, samples: &[&Sample], on: &[Modalities], device: &Device) -> Result<Batch, ModelError> {
        let usable: Vec<Modalities> = samples.iter().zip(on).map(|(sample, &on)| self.usable(sample, on)).collect();
        if let Some(row) = usable.iter().position(|usable| usable.is_empty()) {
            return Err(ModelError::NothingLeft {
                present: samples[row].present(),
                uses: self.inputs.modalities(),
                on: on[row],
            });
        }
        let rows_with = |modality: Modality| -> Vec<usize> {
            (0..samples.len()).filter(|&row| usable[row].contains(modality)).collect()
        };
        let present: Vec<f32> = usable
            .iter()
            .flat_map(|usable| Modality::ALL.map(|modality| f32::from(u8::from(usable.contains(modality)))))
            .collect();
        let face = self.face(samples, rows_with(Modality::Face), device);
        Ok(Batch {
            present: Tensor::from_data(TensorData::new(present, [samples.len(), 3]), device),
            scene: face.clone().filter(|_| self.face_as_scene),
            face,
            voice: self.voice(samples, rows_with(Modality::Voice), device),
            text: self.text(samples, rows_with(Modality::Text), device)?,
            features: (self.inputs.features.iter())
                .filter_map(|input| features(input, samples, rows_with(input.modality), device))
                .collect(),
            frozen: Frozen::default(),
        })
    }

    fn face(&self, samples: &[&Sample], rows: Vec<usize>, device: &Device) -> Option<FaceBatch> {
        let input = self.inputs.face?;
        let (n_rows, n_frames, side) = (rows.len(), input.n_frames, input.size_px);
        let first = rows.iter().find_map(|&row| samples[row].face.as_ref());
        first?;
        let mut values = vec![0.0_f32; n_rows * n_frames * 3 * side * side];
        let mut valid = Vec::with_capacity(n_rows * n_frames);
        for (&row, out) in rows.iter().zip(values.chunks_mut(n_frames * 3 * side * side)) {
            let frames = samples[row].face.as_ref().expect("rows were chosen by having a face");
            assert_eq!((frames.n_frames(), frames.size_px), (n_frames, side), "samples are prepared for this model");
            valid.extend(frames.valid.iter().map(|&valid| f32::from(u8::from(valid))));
            for (frame_idx, out) in out.chunks_mut(3 * side * side).enumerate() {
                self.pixels.scale(frames.frame(frame_idx), out);
            }
        }
        Some(FaceBatch {
            rows,
            frames: Tensor::from_data(TensorData::new(values, [n_rows, n_frames, 3, side, side]), device),
            valid: Tensor::from_data(TensorData::new(valid, [n_rows, n_frames]), device),
        })
    }

    fn voice(&self, samples: &[&Sample], rows: Vec<usize>, device: &Device) -> Option<VoiceBatch> {
        self.inputs.voice?;
        let mut values = Vec::new();
        let mut valid = Vec::new();
        let mut shape = None;
        for &row in &rows {
            match samples[row].voice.as_ref().expect("rows were chosen by having a voice") {
                Voice::Waveform(samples) => {
                    values.extend_from_slice(samples);
                    // Zeros at the end are padding or silence: no encoder hears a difference.
                    let n_valid = samples.iter().rposition(|&sample| sample != 0.0).map_or(1, |last| last + 1);
                    valid.extend((0..samples.len()).map(|idx| f32::from(u8::from(idx < n_valid))));
                    shape = Some([rows.len(), 1, samples.len()]);
                }
                Voice::LogMel(mel) => {
                    values.extend(mel.values.iter().map(|&value| (value - LOG_MEL_MEAN) / LOG_MEL_SCALE));
                    let n_frames = mel.n_frames();
                    // A clip shorter than one window still has a first frame to look at.
                    let n_valid = mel.n_valid.clamp(1, n_frames);
                    valid.extend((0..n_frames).map(|frame_idx| f32::from(u8::from(frame_idx < n_valid))));
                    shape = Some([rows.len(), n_frames, mel.n_bins]);
                }
            }
        }
        let shape = shape?;
        let n_valid = valid.len() / rows.len();
        Some(VoiceBatch {
            values: Tensor::from_data(TensorData::new(values, shape), device),
            valid: Tensor::from_data(TensorData::new(valid, [rows.len(), n_valid]), device),
            rows,
        })
    }

    fn text(&self, samples: &[&Sample], rows: Vec<usize>, device: &Device) -> Result<Option<TextBatch>, ModelError> {
        let Some(TextInput { max_tokens }) = self.inputs.text.filter(|_| !rows.is_empty()) else { return Ok(None) };
        let tokenizer = self.vocabulary.as_deref().map(Tokenizer::shared).transpose()?;
        let mut tokens = vec![0_i64; rows.len() * max_tokens];
        let mut end = Vec::with_capacity(rows.len());
        for (&row, out) in rows.iter().zip(tokens.chunks_mut(max_tokens)) {
            let text = samples[row].text.as_deref().expect("rows were chosen by having a text");
            let words = match &tokenizer {
                Some(tokenizer) => tokenizer.caption(text, max_tokens, Overlong::Cut)?,
                None => hashed_tokens(text, self.n_buckets),
            };
            let n = words.len().min(max_tokens);
            out[..n].copy_from_slice(&words[..n]);
            end.push(if tokenizer.is_some() { end_of(out) } else { n.saturating_sub(1) });
        }
        let shape = [rows.len(), max_tokens];
        Ok(Some(TextBatch { rows, tokens: Tensor::from_data(TensorData::new(tokens, shape), device), end }))
    }
}

/// The features of `rows`, in the places that `input` gives them.
fn features(input: &FeatureInput, samples: &[&Sample], rows: Vec<usize>, device: &Device) -> Option<FeatureBatch> {
    let &FeatureInput { modality, n_dims, n_steps, n_after, .. } = input;
    let length = n_steps + n_after;
    let mut values = vec![0.0_f32; rows.len() * length * n_dims];
    let mut valid = vec![0.0_f32; rows.len() * length];
    for (place, &row) in rows.iter().enumerate() {
        let sequence = samples[row].sequence(&input.stream).expect("rows were chosen by having features");
        assert_eq!(sequence.n_dims, n_dims, "samples are prepared for this model");
        let end = sequence.n_steps() - sequence.n_after;
        let (before, after) = (end.min(n_steps), sequence.n_after.min(n_after));
        let own = &sequence.values[(end - before) * n_dims..(end + after) * n_dims];
        let first = place * length + n_steps - before;
        values[first * n_dims..][..own.len()].copy_from_slice(own);
        valid[first..first + before + after].fill(1.0);
    }
    (!rows.is_empty()).then(|| FeatureBatch {
        modality,
        own_scale: own_scale(input, samples, &rows, device),
        values: Tensor::from_data(TensorData::new(values, [rows.len(), length, n_dims]), device),
        valid: Tensor::from_data(TensorData::new(valid, [rows.len(), length]), device),
        rows,
    })
}

/// The scales of `rows` that are not the training split's.
fn own_scale(input: &FeatureInput, samples: &[&Sample], rows: &[usize], device: &Device) -> Option<RowScale> {
    let n_dims = input.n_dims;
    let of = |row: usize| match input.normalize {
        Normalization::Train => None,
        Normalization::None => Some((vec![0.0; n_dims], vec![1.0; n_dims])),
        Normalization::Speaker => {
            let scale = samples[row].sequence(&input.stream)?.speaker.as_ref()?;
            Some((scale.mean.clone(), scale.divisor.clone()))
        }
    };
    if input.normalize == Normalization::Train {
        return None;
    }
    let (mut mean, mut divisor, mut common) = (Vec::new(), Vec::new(), Vec::new());
    for &row in rows {
        let own = of(row);
        common.push(f32::from(u8::from(own.is_none())));
        let (own_mean, own_divisor) = own.unwrap_or_else(|| (vec![0.0; n_dims], vec![0.0; n_dims]));
        mean.extend(own_mean);
        divisor.extend(own_divisor);
    }
    let table = |values: Vec<f32>, width| Tensor::from_data(TensorData::new(values, [rows.len(), width]), device);
    Some(RowScale { mean: table(mean, n_dims), divisor: table(divisor, n_dims), common: table(common, 1) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::normalization::{Scale, Statistics};

    #[test]
    fn features_end_at_one_place_and_padding_is_marked() {
        let input = FeatureInput {
            stream: "s".into(),
            modality: Modality::Voice,
            n_dims: 1,
            n_steps: 3,
            n_after: 2,
            context: 1,
            root: false,
            normalize: Normalization::Train,
        };
        let sample = |values: &[f32], n_after| Sample {
            features: vec![emotion::Sequence {
                stream: "s".into(),
                modality: Modality::Voice,
                n_dims: 1,
                values: values.to_vec(),
                n_after,
                speaker: None,
            }],
            ..Sample::default()
        };
        let long = sample(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 3);
        let short = sample(&[8.0, 9.0], 1);
        let none = Sample { text: Some("only text".into()), ..Sample::default() };
        let reader = crate::encoders::feature_sequences::reader_of(vec![input]);
        assert_eq!(reader.usable(&none, Modalities::ALL), Modalities::NONE);
        let batch = reader.batch(&[&long, &short], &[Modalities::ALL; 2], &Device::flex()).unwrap();
        let part = batch.features(Modality::Voice).unwrap();
        let values: Vec<f32> = part.values.clone().try_into_vec_as().unwrap();
        assert_eq!(values, [2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0, 8.0, 9.0, 0.0]);
        let valid: Vec<f32> = part.valid.clone().try_into_vec_as().unwrap();
        assert_eq!(valid, [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn rows_are_normalized_by_their_own_scale_or_the_training_splits() {
        let device = Device::flex();
        let input = |normalize| FeatureInput {
            stream: "s".into(),
            modality: Modality::Voice,
            n_dims: 2,
            n_steps: 1,
            n_after: 0,
            context: 0,
            root: false,
            normalize,
        };
        let sample = |speaker: Option<emotion::SpeakerScale>| Sample {
            features: vec![emotion::Sequence {
                stream: "s".into(),
                modality: Modality::Voice,
                n_dims: 2,
                values: vec![7.0, 9.0],
                n_after: 0,
                speaker: speaker.map(std::sync::Arc::new),
            }],
            ..Sample::default()
        };
        let known = sample(Some(emotion::SpeakerScale { mean: vec![5.0, 3.0], divisor: vec![2.0, 3.0] }));
        let unknown = sample(None);
        let mut scale = Scale::new(2, &mut crate::Init::new(1, &device));
        scale.set(&Statistics { mean: vec![6.0, 1.0], deviation: vec![0.5, 4.0] });
        for (normalize, expected) in [
            (Normalization::Speaker, [1.0, 2.0, 2.0, 2.0]),
            (Normalization::Train, [2.0, 2.0, 2.0, 2.0]),
            (Normalization::None, [7.0, 9.0, 7.0, 9.0]),
        ] {
            let reader = crate::encoders::feature_sequences::reader_of(vec![input(normalize)]);
            let batch = reader.batch(&[&known, &unknown], &[Modalities::ALL; 2], &device).unwrap();
            let part = batch.features(Modality::Voice).unwrap();
            let scaled = scale.forward_rows(part.values.clone(), part.own_scale.as_ref());
            let values: Vec<f32> = scaled.try_into_vec_as().unwrap();
            assert!(values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{normalize:?}: {values:?}");
        }
    }

    #[test]
    fn a_frame_of_one_colour_is_zero() {
        let mut out = [1.0; 12];
        PixelScale::PerFrame.scale(&[7; 12], &mut out);
        assert!(out.iter().all(|value| value.abs() < 1e-6), "{out:?}");
    }
}

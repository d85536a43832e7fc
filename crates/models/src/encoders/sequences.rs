//! Clips as three sequences of features: words, face frames and slices of the spectrum, by small encoders of our own
//! that are trained along.
//!
//! A sequence ends with its last step; where it is shorter than the model's, zero rows stand before it, as in the
//! published features that MulT and MCR read. A modality that a clip lacks is one learned vector at every step ("absent
//! token"): neither zeros, which mean padding, nor any data.

use burn::module::{Module, Param};
use burn::nn::Dropout;
use burn::tensor::{Int, Tensor, TensorData};
use emotion::{FaceInput, Inputs, Modalities, Modality, TextInput, VoiceInput};
use serde::{Deserialize, Serialize};

use super::tiny::{FaceNet, VoiceNet};
use crate::batch::PixelScale;
use crate::layers::crossmodal::dropout;
use crate::layers::rows::{all, rows_or};
use crate::layers::streams::{ByStream, Streams};
use crate::settings::check_share;
use crate::{Batch, Init, ModelError, Reader, TrainingBatches, VoiceBatch, compute};

/// Sizes of the encoders and lengths of their sequences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceSize {
    /// Values of a step of any of the sequences.
    pub n_dims: usize,
    /// Face frames of a clip, one step each.
    pub n_frames: usize,
    /// Side of a face crop in pixels, a multiple of 8.
    pub side_px: usize,
    /// Hidden units of the face encoder.
    pub face_hidden: usize,
    /// Hidden units of the voice encoder.
    pub voice_hidden: usize,
    /// Sampling rate of speech in hertz.
    pub rate_hz: u32,
    /// Log-mel frames of 10 ms.
    pub mel_frames: usize,
    /// Mel bins.
    pub n_bins: usize,
    /// Log-mel frames that one step summarizes.
    pub frames_per_step: usize,
    /// Size of the table of hashed words.
    pub n_buckets: usize,
    /// Words at most, one step each.
    pub max_words: usize,
    /// Share of the values of faces that a training step does without.
    pub face_dropout: f64,
    /// Share of the values of voice and words that a training step does without.
    pub dropout: f64,
}

impl SequenceSize {
    /// Trains in minutes on a laptop's CPU.
    pub fn tiny() -> Self {
        Self {
            n_dims: 32,
            n_frames: 16,
            side_px: 96,
            face_hidden: 128,
            voice_hidden: 64,
            rate_hz: 16_000,
            mel_frames: 320,
            n_bins: 64,
            frames_per_step: 16,
            n_buckets: 2048,
            max_words: 24,
            face_dropout: 0.5,
            dropout: 0.2,
        }
    }

    /// Steps of each sequence.
    pub fn lengths(&self) -> ByStream {
        ByStream {
            language: self.max_words,
            video: self.n_frames,
            audio: self.mel_frames / self.frames_per_step.max(1),
        }
    }

    /// How samples become batches when these modalities are used.
    pub fn reader(&self, modalities: Modalities) -> Reader {
        let Self { n_frames, side_px: size_px, rate_hz, mel_frames, n_bins, max_words, n_buckets, .. } = *self;
        let uses = |modality| modalities.contains(modality);
        Reader {
            inputs: Inputs {
                face: uses(Modality::Face).then_some(FaceInput { n_frames, size_px }),
                voice: uses(Modality::Voice).then_some(VoiceInput::LogMel { rate_hz, n_frames: mel_frames, n_bins }),
                text: uses(Modality::Text).then_some(TextInput { max_tokens: max_words }),
                features: Vec::new(),
            },
            pixels: PixelScale::PerFrame,
            n_buckets,
            vocabulary: None,
            face_as_scene: false,
        }
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), ModelError> {
        let complain = |text: String| Err(ModelError::Config(text));
        let Self { side_px, mel_frames, frames_per_step, n_frames, max_words, n_dims, n_buckets, .. } = *self;
        if side_px == 0 || !side_px.is_multiple_of(8) {
            return complain(format!("side_px is {side_px}: it must be a multiple of 8"));
        }
        if frames_per_step < 2 || mel_frames == 0 || !mel_frames.is_multiple_of(frames_per_step) {
            return complain(format!(
                "mel_frames {mel_frames} must be a multiple of frames_per_step {frames_per_step}, which is 2 at least"
            ));
        }
        if n_frames == 0 || max_words == 0 || n_dims == 0 || n_buckets < 3 {
            return complain("n_frames, max_words and n_dims must be at least 1, n_buckets at least 3".into());
        }
        check_share("sequences.face_dropout", self.face_dropout)?;
        check_share("sequences.dropout", self.dropout)
    }
}

/// The encoders.
#[derive(Module, Debug)]
pub struct Sequences {
    face: Option<FaceNet>,
    voice: Option<VoiceNet>,
    words: Option<Words>,
    absent: Streams<Param<Tensor<1>>>,
    /// Slices of a clip's spectrum.
    n_slices: usize,
}

impl Sequences {
    /// Encoders with random values for these modalities.
    pub fn new(size: &SequenceSize, modalities: Modalities, init: &mut Init<'_>) -> Self {
        let uses = |modality| modalities.contains(modality);
        Self {
            face: uses(Modality::Face)
                .then(|| FaceNet::new(size.side_px, size.face_hidden, size.n_dims, init).dropping(size.face_dropout)),
            voice: uses(Modality::Voice)
                .then(|| VoiceNet::new(size.voice_hidden, size.n_dims, init).dropping(size.dropout)),
            words: uses(Modality::Text).then(|| Words::new(size, init)),
            absent: Streams::of(modalities, |_| init.normal([size.n_dims], 1.0)),
            n_slices: size.lengths().audio,
        }
    }

    /// Sets scales of inputs from the training split, as [`EmotionModel::calibrate`](crate::EmotionModel::calibrate)
    /// says.
    pub fn calibrate<E: From<ModelError>>(&mut self, training: impl TrainingBatches<E>) -> Result<(), E> {
        let Self { voice: Some(net), n_slices, .. } = self else { return Ok(()) };
        net.calibrate(|each| {
            training(Modality::Voice, &mut |batch| {
                let Some(voice) = &batch.voice else { return Ok(()) };
                let (slices, valid) = slices(voice, *n_slices);
                match whole_rows(&valid)? {
                    Some(whole) => each(slices.select(0, whole.clone()), &valid.select(0, whole)),
                    None => Ok(()),
                }
            })
        })
    }

    /// The sequences of a batch, `[batch, steps, n_dims]` each; a modality that nobody in the batch has is all absent
    /// tokens.
    pub fn forward(&self, size: &SequenceSize, batch: &Batch) -> Streams<Tensor<3>> {
        let [n, _] = batch.present.dims();
        Streams::from_fn(|stream| {
            let absent = self.absent.get(stream)?.val();
            let steps = size.lengths().get(stream);
            let filler = absent.reshape([1, 1, size.n_dims]).expand([1, steps, size.n_dims]);
            let encoded = match stream {
                Modality::Face => batch.face.as_ref().zip(self.face.as_ref()).map(|(face, net)| {
                    let [rows, frames, channels, side, _] = face.frames.dims();
                    let features = net.forward(face.frames.clone().reshape([rows * frames, channels, side, side]));
                    (&face.rows, last_steps(features.reshape([rows, frames, size.n_dims]), face.valid.clone()))
                }),
                Modality::Voice => batch.voice.as_ref().zip(self.voice.as_ref()).map(|(voice, net)| {
                    let (slices, valid) = slices(voice, steps);
                    let features = net.forward(slices, &valid);
                    let rows = voice.rows.len();
                    let there = valid.max_dim(1).reshape([rows, steps]);
                    (&voice.rows, last_steps(features.reshape([rows, steps, size.n_dims]), there))
                }),
                Modality::Text => batch.text.as_ref().zip(self.words.as_ref()).map(|(text, net)| {
                    let there = text.tokens.clone().greater_elem(0).float();
                    (&text.rows, last_steps(net.forward(text.tokens.clone()), there))
                }),
            };
            Some(match encoded {
                None => filler.expand([n, steps, size.n_dims]),
                Some((rows, encoded)) => rows_or(encoded, rows, &all(n), filler),
            })
        })
    }
}

/// The log-mel frames of a batch in `steps` slices of equal length, `[rows · steps, frames, bins]`, and which frames
/// are valid, `[rows · steps, frames]`.
fn slices(voice: &VoiceBatch, steps: usize) -> (Tensor<3>, Tensor<2>) {
    let [rows, frames, bins] = voice.values.dims();
    let n = frames / steps;
    (voice.values.clone().reshape([rows * steps, n, bins]), voice.valid.clone().reshape([rows * steps, n]))
}

/// Rows of `valid` in which every frame is there; `None` if there are none.
fn whole_rows(valid: &Tensor<2>) -> Result<Option<Tensor<1, Int>>, ModelError> {
    let shares = compute::read(valid.clone().mean_dim(1))?;
    let whole: Vec<i64> = (0_i64..).zip(&shares).filter(|&(_, &share)| share > 0.999).map(|(row, _)| row).collect();
    let n = whole.len();
    Ok((n > 0).then(|| Tensor::from_data(TensorData::new(whole, [n]), &valid.device())))
}

/// Moves the valid steps, which come first, to the end, zero rows before them.
///
/// - `x` `[batch, steps, dims]`, `valid` `[batch, steps]` of 0 and 1
fn last_steps(x: Tensor<3>, valid: Tensor<2>) -> Tensor<3> {
    let [batch, steps, dims] = x.dims();
    let n_before = valid.sum_dim(1).neg().add_scalar(steps as f64); // [batch, 1]
    let position = Tensor::<1, Int>::arange(0..steps as i64, &x.device()).float().reshape([1, steps]);
    let from = position.expand([batch, steps]) - n_before;
    let there = from.clone().greater_equal_elem(0.0).float().reshape([batch, steps, 1]);
    let from = from.clamp_min(0.0).int().reshape([batch, steps, 1]).expand([batch, steps, dims]);
    x.gather(1, from) * there
}

/// Hashed words to one vector each.
#[derive(Module, Debug)]
pub struct Words {
    embedding: Param<Tensor<2>>,
    dropout: Dropout,
}

impl Words {
    fn new(size: &SequenceSize, init: &mut Init<'_>) -> Self {
        Self {
            // Small, so that a word which no training text has says little.
            embedding: init.normal([size.n_buckets, size.n_dims], 0.1),
            dropout: dropout(size.dropout),
        }
    }

    /// `tokens` `[batch, words]` to `[batch, words, dims]`.
    fn forward(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        let [batch, words] = tokens.dims();
        let [_, dims] = self.embedding.dims();
        let embedded = self.embedding.val().select(0, tokens.reshape([batch * words]));
        self.dropout.forward(embedded).reshape([batch, words, dims])
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn sequences_end_with_their_last_step() {
        let device = Device::flex();
        let x = Tensor::<3>::from_floats([[[1.0], [2.0], [9.0]], [[3.0], [4.0], [5.0]]], &device);
        let valid = Tensor::<2>::from_floats([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], &device);
        let got: Vec<f32> = last_steps(x, valid).try_into_vec_as().unwrap();
        assert_eq!(got, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn padding_does_not_change_a_voice() {
        let device = Device::flex();
        let size = SequenceSize { n_bins: 4, n_dims: 6, mel_frames: 16, frames_per_step: 4, ..SequenceSize::tiny() };
        let voice = Modalities::only(Modality::Voice);
        let net = Sequences::new(&size, voice, &mut Init::new(1, &device));
        let mel = Init::new(2, &device).normal([1, 16, 4], 1.0).val();
        let read = |padding: f32| {
            let padding = Tensor::full([1, 10, 4], padding, &device);
            let valid = Tensor::cat(vec![Tensor::<2>::ones([1, 6], &device), Tensor::zeros([1, 10], &device)], 1);
            let values = Tensor::cat(vec![mel.clone().narrow(1, 0, 6), padding], 1);
            let batch = Batch {
                present: Tensor::from_floats([[0.0, 1.0, 0.0]], &device),
                face: None,
                voice: Some(VoiceBatch { rows: vec![0], values, valid }),
                scene: None,
                text: None,
                features: Vec::new(),
                frozen: crate::Frozen::default(),
            };
            net.forward(&size, &batch)[Modality::Voice].clone().try_into_vec_as::<f32>().unwrap()
        };
        let values = read(3.0);
        assert_eq!(values, read(-1.0));
        let steps: Vec<bool> = values.chunks(6).map(|step| step.iter().any(|&value| value != 0.0)).collect();
        assert_eq!(steps, [false, false, true, true], "six frames are one slice and a half, at the end");
    }
}

//! A sample's modalities to the vectors that are fused: unbalanced encoders, each as large as its modality deserves.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Tensor, TensorData};

use super::config::Token;
use super::{Umbenet, UmbenetConfig};
use crate::encoders::audio_cnn::AudioCnn;
use crate::encoders::clip::{ImageTower, TextTower, embedded};
use crate::encoders::tiny::{FaceNet, TextNet, VoiceNet};
use crate::layers::rows::{all, rows_for};
use crate::layers::transformer::{key_mask, masked_mean};
use crate::{Batch, FaceBatch, Frozen, TextBatch};

/// Encoder of face frames.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per model")]
pub enum FaceEncoder {
    /// CLIP's image tower.
    Clip(ImageTower),
    /// Small, trained along.
    Tiny(FaceNet),
}

/// Encoder of speech.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per model")]
pub enum VoiceEncoder {
    /// Six convolutions over the waveform.
    Cnn(AudioCnn),
    /// Small, over log-mel frames.
    Tiny(VoiceNet),
}

/// Encoder of captions.
#[derive(Module, Debug)]
pub enum CaptionEncoder {
    /// A text tower of its own and a projection to the joint width.
    Clip(CaptionTower),
    /// The tower of the class prompts and a projection.
    Shared(CaptionProjection),
    /// Small, over hashed words.
    Tiny(TextNet),
}

/// CLIP's text tower with its tokens and a projection.
#[derive(Module, Debug)]
pub struct CaptionTower {
    /// `[vocabulary, width]`
    pub token_embedding: Param<Tensor<2>>,
    /// The tower.
    pub tower: TextTower,
    /// To the joint width.
    pub projection: Linear,
}

/// What captions need besides a tower that is there anyway.
#[derive(Module, Debug)]
pub struct CaptionProjection {
    /// `[vocabulary, width]`
    pub token_embedding: Param<Tensor<2>>,
    /// To the joint width.
    pub projection: Linear,
}

/// Features of the frames of those rows of a batch that have them.
struct FrameFeatures<'a> {
    /// `[rows, frames, width]`
    values: Tensor<3>,
    /// `[rows, frames]` of 0 and 1
    valid: &'a Tensor<2>,
    rows: &'a [usize],
}

impl Umbenet {
    /// The modality features before fusion, `[batch, tokens, width]` in the order of the configuration.
    ///
    /// Zero where a modality is absent, but for what an LSTM makes of an absent face beside a scene, and the other way
    /// round.
    pub fn tokens(&self, config: &UmbenetConfig, batch: &Batch) -> Tensor<3> {
        let [n, _] = batch.present.dims();
        let clips = all(n);
        let width = self.frame_positions.dims()[1];
        let device = batch.present.device();
        let (face, scene) = self.face_and_scene(batch);
        let voice = batch.voice.as_ref().map(|voice| {
            let features = match &self.voice_encoder {
                VoiceEncoder::Cnn(cnn) => cnn.forward(voice.values.clone()),
                VoiceEncoder::Tiny(net) => net.forward(voice.values.clone(), &voice.valid),
            };
            rows_for(features, &voice.rows, &clips)
        });
        let text = batch.text.as_ref().map(|text| rows_for(self.text(text, &batch.frozen), &text.rows, &clips));
        let parts = config.tokens.iter().map(|token| match token {
            Token::Face => &face,
            Token::Voice => &voice,
            Token::Text => &text,
            Token::Scene => &scene,
        });
        Tensor::stack(parts.map(|part| part.clone().unwrap_or_else(|| Tensor::zeros([n, width], &device))).collect(), 1)
    }

    /// Who has which token, `[batch, tokens]` of 0 and 1 in the order of the configuration.
    pub fn present(&self, config: &UmbenetConfig, batch: &Batch) -> Tensor<2> {
        let [n, _] = batch.present.dims();
        let columns = config.tokens.iter().map(|token| match token {
            Token::Face => batch.present.clone().narrow(1, 0, 1),
            Token::Voice => batch.present.clone().narrow(1, 1, 1),
            Token::Text => batch.present.clone().narrow(1, 2, 1),
            Token::Scene => {
                let has = |row: usize| batch.scene.as_ref().is_some_and(|scene| scene.rows.contains(&row));
                let column: Vec<f32> = (0..n).map(|row| f32::from(u8::from(has(row)))).collect();
                Tensor::from_data(TensorData::new(column, [n, 1]), &batch.present.device())
            }
        });
        Tensor::cat(columns.collect(), 1)
    }

    /// The tokens of the face and of the scene, `[batch, width]` each.
    fn face_and_scene(&self, batch: &Batch) -> (Option<Tensor<2>>, Option<Tensor<2>>) {
        let [n, _] = batch.present.dims();
        let clips = all(n);
        let face = batch.face.as_ref().map(|face| self.frame_features(face, batch.frozen.face.as_ref()));
        let scene = batch.scene.as_ref().map(|scene| self.frame_features(scene, batch.frozen.scene.as_ref()));
        let Some(lstm) = &self.lstm else {
            let face = face.map(|face| rows_for(self.over_time(face.values, face.valid), face.rows, &clips));
            // The plain mean, whatever is valid, as in the released code.
            let scene = scene.map(|scene| rows_for(scene.values.mean_dim(1).flatten(1, 2), scene.rows, &clips));
            return (face, scene);
        };
        let Some(some) = face.as_ref().or(scene.as_ref()) else { return (None, None) };
        let [_, n_frames, width] = some.values.dims();
        let device = some.values.device();
        let everywhere = |part: Option<&FrameFeatures<'_>>| match part {
            Some(FrameFeatures { values, rows, .. }) => {
                rows_for::<2>(values.clone().flatten(1, 2), rows, &clips).reshape([n * n_frames, width])
            }
            None => Tensor::zeros([n * n_frames, width], &device),
        };
        // Each frame is a sequence of two, its face and its scene.
        let steps = [everywhere(face.as_ref()), everywhere(scene.as_ref())];
        let [face_out, scene_out] = lstm.forward(steps.clone());
        let [face_in, scene_in] = steps;
        let per_clip = |features: Tensor<2>| features.reshape([n, n_frames, width]);
        let valid_of = |part: Option<FrameFeatures<'_>>| match part {
            Some(FrameFeatures { valid, rows, .. }) => rows_for(valid.clone(), rows, &clips),
            None => Tensor::zeros([n, n_frames], &device),
        };
        let [face_valid, scene_valid] = [valid_of(face), valid_of(scene)];
        // An absent face is as long as its scene.
        let is_absent = face_valid.clone().sum_dim(1).equal_elem(0.0).float();
        let face = self.over_time(per_clip(face_in + face_out), &(face_valid + scene_valid * is_absent));
        (Some(face), Some(per_clip(scene_in + scene_out).mean_dim(1).flatten(1, 2)))
    }

    /// What the towers of CLIP make of frames and captions; nothing of what is read by encoders that learn.
    pub(super) fn encode_frozen_parts(&self, batch: &Batch) -> Frozen {
        let frames = |part: &Option<FaceBatch>| {
            let is_frozen = matches!(self.face_encoder, FaceEncoder::Clip(_));
            part.as_ref().filter(|_| is_frozen).map(|part| self.encode_frames(&part.frames))
        };
        Frozen {
            face: frames(&batch.face),
            scene: frames(&batch.scene),
            text: batch.text.as_ref().and_then(|text| self.encode_caption(text)),
        }
    }

    /// The features of a part's frames, which may be known.
    fn frame_features<'a>(&self, part: &'a FaceBatch, known: Option<&Tensor<3>>) -> FrameFeatures<'a> {
        let values = known.cloned().unwrap_or_else(|| self.encode_frames(&part.frames));
        FrameFeatures { values, valid: &part.valid, rows: &part.rows }
    }

    /// Every frame alone to a vector: `[rows, frames, 3, side, side]` to `[rows, frames, width]`.
    fn encode_frames(&self, frames: &Tensor<5>) -> Tensor<3> {
        let [n, n_frames, channels, side, _] = frames.dims();
        let frames = frames.clone().reshape([n * n_frames, channels, side, side]);
        let features = match &self.face_encoder {
            FaceEncoder::Clip(tower) => tower.forward(frames),
            FaceEncoder::Tiny(net) => net.forward(frames),
        };
        let [_, width] = features.dims();
        features.reshape([n, n_frames, width])
    }

    /// A clip's frames `[batch, frames, width]` to one vector (paper, unbalanced encoder).
    fn over_time(&self, features: Tensor<3>, valid: &Tensor<2>) -> Tensor<2> {
        let [_, n_frames, _] = features.dims();
        let positions = self.frame_positions.val().narrow(0, 0, n_frames).unsqueeze();
        // The residual is of the features before the positions, as in the released code.
        let moved = self.temporal.forward(features.clone() + positions, Some(&key_mask(valid))) + features;
        masked_mean(moved, valid)
    }

    fn text(&self, text: &TextBatch, known: &Frozen) -> Tensor<2> {
        let features = || {
            let known = known.text.clone().or_else(|| self.encode_caption(text));
            known.expect("a caption is read by the tower that belongs to its projection")
        };
        match &self.caption_encoder {
            CaptionEncoder::Clip(caption) => caption.projection.forward(features()),
            CaptionEncoder::Shared(caption) => caption.projection.forward(features()),
            CaptionEncoder::Tiny(net) => net.forward(text.tokens.clone()),
        }
    }

    /// What a tower of CLIP makes of captions, `[rows, width]`; nothing where none reads them.
    fn encode_caption(&self, text: &TextBatch) -> Option<Tensor<2>> {
        let (table, tower) = match &self.caption_encoder {
            CaptionEncoder::Clip(caption) => (&caption.token_embedding, &caption.tower),
            CaptionEncoder::Shared(caption) => (&caption.token_embedding, &self.text_encoder),
            CaptionEncoder::Tiny(_) => return None,
        };
        Some(tower.forward(embedded(table, text.tokens.clone()), &text.end))
    }
}

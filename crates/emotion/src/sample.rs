//! A clip as a model sees it, before it becomes tensors.

use serde::{Deserialize, Serialize};

use crate::{Modalities, Modality, Sequence};

/// A prepared clip. A modality that the clip lacks is `None`, never zeros that look like data.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Face crops.
    pub face: Option<Frames>,
    /// Speech.
    pub voice: Option<Voice>,
    /// What is said.
    pub text: Option<String>,
    /// Precomputed features, at most one sequence of a stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Sequence>,
}

impl Sample {
    /// The modalities that the clip has, as media or as features.
    pub fn present(&self) -> Modalities {
        let media = Modalities::NONE
            .with(Modality::Face, self.face.is_some())
            .with(Modality::Voice, self.voice.is_some())
            .with(Modality::Text, self.text.is_some());
        self.features.iter().fold(media, |present, sequence| present.with(sequence.modality, true))
    }

    /// The features of one stream.
    pub fn sequence(&self, stream: &str) -> Option<&Sequence> {
        self.features.iter().find(|sequence| sequence.stream == stream)
    }
}

/// Square RGB frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Side in pixels.
    pub size_px: usize,
    /// Bytes, `[n_frames, size_px, size_px, 3]`.
    pub rgb: Vec<u8>,
    /// One flag a frame; `false` marks a repeated frame of a short clip.
    pub valid: Vec<bool>,
}

impl Frames {
    /// Number of frames, valid or not.
    pub fn n_frames(&self) -> usize {
        self.valid.len()
    }

    /// Bytes of frame `frame_idx`, `[size_px, size_px, 3]`.
    pub fn frame(&self, frame_idx: usize) -> &[u8] {
        let len = self.size_px * self.size_px * 3;
        &self.rgb[frame_idx * len..(frame_idx + 1) * len]
    }
}

/// Speech in the form that the model asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// Mono samples in -1..1.
    Waveform(Vec<f32>),
    /// Log-mel frames.
    LogMel(LogMel),
}

/// Log-mel energies, not normalized.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogMel {
    /// Mel bins per frame.
    pub n_bins: usize,
    /// Natural logarithms, `[n_frames, n_bins]`.
    pub values: Vec<f32>,
    /// Frames that come from the clip; those after are padding.
    pub n_valid: usize,
}

impl LogMel {
    /// Number of frames, padding included.
    pub fn n_frames(&self) -> usize {
        self.values.len() / self.n_bins
    }
}

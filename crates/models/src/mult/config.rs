//! What a MulT is built from.

use emotion::{Modalities, Modality};
use serde::{Deserialize, Serialize};

use crate::ModelError;
use crate::layers::crossmodal::{DropRates, EncoderSize};

/// Everything that the shape of a MulT depends on, apart from its inputs and outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultSize {
    /// Width of every step (published code: 30).
    pub width: usize,
    /// Heads.
    pub n_heads: usize,
    /// Layers of an encoder between two streams; those over one stream have 3 at least.
    pub n_layers: usize,
    /// Whether a step sees the past alone.
    pub causal: bool,
    /// Streams that are read out in the end: `t` language, `v` video, `a` audio.
    pub targets: Modalities,
    /// Dropout in training; its attention rate is that of attention to language and within a stream.
    pub dropout: DropRates,
    /// Dropout on attention to video.
    pub video_attention_dropout: f64,
    /// Dropout on attention to audio.
    pub audio_attention_dropout: f64,
}

impl MultSize {
    /// The published code's defaults.
    pub fn paper() -> Self {
        Self {
            width: 30,
            n_heads: 5,
            n_layers: 5,
            causal: true,
            targets: Modalities::ALL,
            dropout: DropRates { embedding: 0.25, attention: 0.1, hidden: 0.1, residual: 0.1, output: 0.0 },
            video_attention_dropout: 0.0,
            audio_attention_dropout: 0.0,
        }
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), ModelError> {
        let complain = |text: String| Err(ModelError::Config(text));
        if self.n_heads == 0 || !self.width.is_multiple_of(self.n_heads) {
            return complain(format!("width {} is not a multiple of n_heads {}", self.width, self.n_heads));
        }
        if self.width < 4 || self.n_layers == 0 {
            return complain("width must be at least 4 and n_layers at least 1".into());
        }
        if self.targets.is_empty() {
            return complain("targets must be at least one of the streams".into());
        }
        for attention in [self.video_attention_dropout, self.audio_attention_dropout] {
            DropRates { attention, ..self.dropout }.check()?;
        }
        self.dropout.check()
    }

    /// Dropout on attention to `stream`.
    pub(crate) fn attention_dropout(&self, stream: Modality) -> f64 {
        match stream {
            Modality::Text => self.dropout.attention,
            Modality::Face => self.video_attention_dropout,
            Modality::Voice => self.audio_attention_dropout,
        }
    }

    /// Of an encoder from one stream to another.
    pub(crate) fn cross(&self) -> EncoderSize {
        EncoderSize { width: self.width, n_heads: self.n_heads, n_layers: self.n_layers, ffn_mult: 4 }
    }

    /// Of an encoder over what a stream gathered from the two others.
    pub(crate) fn memory(&self) -> EncoderSize {
        EncoderSize { width: 2 * self.width, n_layers: self.n_layers.max(3), ..self.cross() }
    }
}

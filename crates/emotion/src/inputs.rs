//! What a model needs to see of a clip. Whoever prepares samples reads this and nothing else of the model.

use serde::{Deserialize, Serialize};

use crate::{Modalities, Modality, Sample};

/// The inputs of a model; `None` means that the model does not use the modality.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// Face frames.
    pub face: Option<FaceInput>,
    /// Speech.
    pub voice: Option<VoiceInput>,
    /// Words.
    pub text: Option<TextInput>,
    /// Precomputed features, at most one stream of a modality.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<FeatureInput>,
}

impl Inputs {
    /// What is left of them where nothing but `modalities` is switched on.
    #[must_use]
    pub fn only(&self, modalities: Modalities) -> Self {
        Self {
            face: self.face.filter(|_| modalities.contains(Modality::Face)),
            voice: self.voice.filter(|_| modalities.contains(Modality::Voice)),
            text: self.text.filter(|_| modalities.contains(Modality::Text)),
            features: self.features.iter().filter(|input| modalities.contains(input.modality)).cloned().collect(),
        }
    }

    /// The modalities that the model can use.
    pub fn modalities(&self) -> Modalities {
        let media = Modalities::NONE
            .with(Modality::Face, self.face.is_some())
            .with(Modality::Voice, self.voice.is_some())
            .with(Modality::Text, self.text.is_some());
        self.features.iter().fold(media, |all, input| all.with(input.modality, true))
    }

    /// The modalities that `sample` has in the form that the model takes.
    pub fn present(&self, sample: &Sample) -> Modalities {
        let media = Modalities::NONE
            .with(Modality::Face, self.face.is_some() && sample.face.is_some())
            .with(Modality::Voice, self.voice.is_some() && sample.voice.is_some())
            .with(Modality::Text, self.text.is_some() && sample.text.is_some());
        let features = self.features.iter().filter(|input| sample.sequence(&input.stream).is_some());
        features.fold(media, |all, input| all.with(input.modality, true))
    }

    /// Whether the model looks at a clip's film or listens to its sound.
    pub fn needs_media(&self) -> bool {
        self.face.is_some() || self.voice.is_some()
    }
}

/// A stream of precomputed features that stands for a modality.
///
/// The steps of a clip end at step `n_steps` of the model's sequence, whatever their number; those of the clips that
/// follow in its recording come after it. Where there are fewer there is padding, where there are more the farthest are
/// left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureInput {
    /// Name of the stream in the manifest, or of several as [`side_by_side`](crate::side_by_side) says.
    pub stream: String,
    /// What it stands for.
    pub modality: Modality,
    /// Values per step.
    pub n_dims: usize,
    /// Steps up to the clip's last one.
    pub n_steps: usize,
    /// Steps after that.
    pub n_after: usize,
    /// Clips before and after in the same recording whose features come along.
    pub context: usize,
    /// Whether features are first taken by the square root of their size, with their sign: intensities and counts have
    /// long tails.
    #[serde(default)]
    pub root: bool,
    /// What the features are normalized by.
    #[serde(default)]
    pub normalize: Normalization,
}

/// Whose mean and deviation features are normalized by before a network sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Those of the training split.
    #[default]
    Train,
    /// Those of the clip's own speaker, over all clips that are at hand of that person, whatever their split; no label
    /// is looked at. A clip whose speaker is not known takes those of the training split.
    Speaker,
    /// Nobody's: features come as they are.
    None,
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

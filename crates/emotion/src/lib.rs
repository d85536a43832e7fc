//! The words of the domain: labels, modalities, samples, predictions, scores, manifests.
//!
//! No files, no tensors, no threads: everything here can be built by hand in a test, compared and serialized.

mod affect;
mod agreement;
mod face_choice;
mod features;
mod inputs;
mod label;
mod label_map;
mod manifest;
mod modality;
mod prediction;
mod recording;
mod sample;
mod score;
mod text;

pub use affect::{Affect, Attribute, Scale, ScaleError};
pub use agreement::{Agreement, Polarity, SentimentScores, Spread};
pub use face_choice::{FaceChoice, UnknownChoice};
pub use features::{FeatureRef, Sequence, SpeakerScale, Stream, side_by_side};
pub use inputs::{FaceInput, FeatureInput, Inputs, Normalization, TextInput, VoiceInput};
pub use label::{LabelError, LabelSet, canonical_emotion};
pub use label_map::{LabelMap, LabelMapError, LabelSpec};
pub use manifest::{Clip, FaceBox, FaceSource, Manifest, ManifestError, PICTURE_EXTENSIONS, Problem, Split, Stamp};
pub use modality::{Modalities, Modality, ModalityError};
pub use prediction::{Prediction, PromptUse};
pub use recording::Recordings;
pub use sample::{Frames, LogMel, Sample, Voice};
pub use score::{Confusion, Scores};
pub use text::text_from_bytes;

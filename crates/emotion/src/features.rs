//! Precomputed features: sequences of vectors that stand for a modality, as manifests name them and as samples hold
//! them.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Modality;

/// A kind of features that the clips of a dataset bring, such as COVAREP's 74 numbers every 10 ms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Unique name within the manifest.
    pub name: String,
    /// What the features were computed from.
    pub modality: Modality,
    /// Values per step.
    pub n_dims: usize,
    /// Whether step *i* is the same word in all streams that say so; such streams of a clip have equal lengths.
    #[serde(default)]
    pub aligned: bool,
    /// Whether Limbic made them of the clips, so that no annotation names them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extracted: bool,
}

impl Stream {
    /// How this is changed, where it is `original` of changed copies of the clips: what follows the `@` of `mfcc@0.9`.
    pub fn change_of(&self, original: &Self) -> Option<&str> {
        let change = self.name.strip_prefix(&original.name)?.strip_prefix('@')?;
        ((self.modality, self.n_dims) == (original.modality, original.n_dims)).then_some(change)
    }
}

/// The places of the streams that `names` means: the one called so, or several joined by `+`, as in `au/r + au/c`,
/// whose values lie side by side in a step.
///
/// Errors with the name that none of `streams` has.
pub fn side_by_side<'a>(streams: &[Stream], names: &'a str) -> Result<Vec<usize>, &'a str> {
    let place = |name: &'a str| streams.iter().position(|stream| stream.name == name).ok_or(name);
    place(names).map(|place| vec![place]).or_else(|whole| match whole.contains('+') {
        true => whole.split('+').map(|name| place(name.trim())).collect(),
        false => Err(whole),
    })
}

/// Where the features of one clip lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureRef {
    /// Index into the manifest's streams.
    pub stream: usize,
    /// File, relative to the manifest's root.
    pub path: PathBuf,
    /// Array within the file, such as `train/audio`; `None` where the file is one array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<String>,
    /// Index along the array's first axis; `None` where the whole array is the clip's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// First value of each vector that belongs to the stream, where a table holds several streams side by side.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub first_dim: usize,
    /// First step that is data; those before are padding.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub first_step: usize,
    /// Steps that are data; those after are padding.
    pub n_steps: usize,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// The features of one clip from one stream, without padding; with those of its neighbours in a recording before and
/// after them, where a model asks for context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// Name of the stream.
    pub stream: String,
    /// What the features were computed from.
    pub modality: Modality,
    /// Values per step.
    pub n_dims: usize,
    /// Finite numbers, `[n_steps, n_dims]`.
    pub values: Vec<f32>,
    /// Steps at the end that are of the clips after this one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub n_after: usize,
    /// The scale of the clip's speaker, where a model asks for it and the speaker is known; it follows from the dataset
    /// and is not stored.
    #[serde(skip)]
    pub speaker: Option<Arc<SpeakerScale>>,
}

/// What the features of a speaker are normalized by: `mean` is taken off, `divisor` is what is left divided by.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeakerScale {
    /// Of each value of a step.
    pub mean: Vec<f32>,
    /// Of each value of a step, positive.
    pub divisor: Vec<f32>,
}

impl Sequence {
    /// Number of steps.
    pub fn n_steps(&self) -> usize {
        self.values.len().checked_div(self.n_dims).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_called_after_their_original_and_shaped_like_it() {
        let stream = |name: &str, n_dims| Stream {
            name: name.into(),
            modality: Modality::Voice,
            n_dims,
            aligned: false,
            extracted: true,
        };
        let original = stream("mfcc", 39);
        assert_eq!(stream("mfcc@0.9", 39).change_of(&original), Some("0.9"));
        for other in [stream("mfcc", 39), stream("mfcc@0.9", 13), stream("mfccs@0.9", 39), stream("hog@0.9", 39)] {
            assert_eq!(other.change_of(&original), None, "{other:?}");
        }
    }

    #[test]
    fn names_joined_by_plus_are_streams_side_by_side() {
        let stream = |name: &str| Stream {
            name: name.into(),
            modality: Modality::Face,
            n_dims: 1,
            aligned: false,
            extracted: false,
        };
        let streams = ["a", "b", "c++"].map(stream);
        assert_eq!(side_by_side(&streams, "b"), Ok(vec![1]));
        assert_eq!(side_by_side(&streams, "b + a"), Ok(vec![1, 0]));
        assert_eq!(side_by_side(&streams, "c++"), Ok(vec![2]), "a name of its own");
        assert_eq!(side_by_side(&streams, "a+d"), Err("d"));
        assert_eq!(side_by_side(&streams, ""), Err(""));
    }
}

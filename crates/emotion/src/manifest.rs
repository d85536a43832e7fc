//! A dataset as Limbic keeps it: which clips there are, what is known about each, and what was wrong.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{LabelSet, Modalities};

/// The version written into manifests; a newer one is refused rather than misread.
const FORMAT: u32 = 1;

/// The part of a dataset that a clip belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Learned from.
    Train,
    /// Decides about learning rate, stopping and the best epoch.
    Val,
    /// Only ever scored.
    Test,
}

impl Split {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// The word in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl std::str::FromStr for Split {
    type Err = ManifestError;
    fn from_str(name: &str) -> Result<Self, ManifestError> {
        match name.trim().to_lowercase().as_str() {
            "train" | "training" => Ok(Self::Train),
            "val" | "valid" | "validation" | "dev" | "development" => Ok(Self::Val),
            "test" | "testing" | "eval" => Ok(Self::Test),
            _ => Err(ManifestError::UnknownSplit(name.to_owned())),
        }
    }
}

/// Where the face crops of a dataset come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaceSource {
    /// Square frames of at most 256 px are crops already, others are searched.
    #[default]
    Auto,
    /// A detector looks for the face.
    Detect,
    /// The whole frame is the face.
    Cropped,
    /// Each clip brings a box.
    Boxes,
}

impl std::str::FromStr for FaceSource {
    type Err = ManifestError;
    fn from_str(name: &str) -> Result<Self, ManifestError> {
        match name {
            "auto" => Ok(Self::Auto),
            "detect" => Ok(Self::Detect),
            "cropped" => Ok(Self::Cropped),
            "boxes" => Ok(Self::Boxes),
            _ => Err(ManifestError::UnknownFaceSource(name.to_owned())),
        }
    }
}

/// A box in pixels of the upright frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FaceBox {
    /// Left edge.
    pub x_px: f32,
    /// Top edge.
    pub y_px: f32,
    /// Width.
    pub width_px: f32,
    /// Height.
    pub height_px: f32,
}

/// One labelled recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// Unique name within the manifest.
    pub id: String,
    /// File, relative to the manifest's root.
    pub path: PathBuf,
    /// Index into the manifest's labels.
    pub label: usize,
    /// Part of the dataset.
    pub split: Split,
    /// Who speaks, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// Transcript or caption, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where the face is, if the annotation says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub face: Option<FaceBox>,
    /// Length in seconds, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_secs: Option<f32>,
    /// What the clip has, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<Modalities>,
}

/// A file that could not be used, or could only partly be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what becomes of the file.
    pub reason: String,
}

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Written by a newer Limbic.
    #[error("this manifest has format {found}, this version of Limbic reads up to {FORMAT}: update Limbic")]
    Newer {
        /// The format found.
        found: u32,
    },
    /// A clip's label is not in the label set.
    #[error("clip {clip:?} has label number {label}, but there are only {n_labels} labels")]
    LabelOutOfRange {
        /// The clip.
        clip: String,
        /// Its label.
        label: usize,
        /// Size of the set.
        n_labels: usize,
    },
    /// Two clips of one name.
    #[error("clip {0:?} is listed twice")]
    DuplicateClip(String),
    /// Not train, val or test.
    #[error("unknown split {0:?}: use train, val or test")]
    UnknownSplit(String),
    /// Not a known face source.
    #[error("unknown face source {0:?}: use auto, detect, cropped or boxes")]
    UnknownFaceSource(String),
}

/// A dataset: its clips with labels and splits, and the problems found on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of this record.
    pub format: u32,
    /// Name shown to people.
    pub name: String,
    /// The importer that made it.
    pub importer: String,
    /// Folder that clip paths are relative to.
    pub root: PathBuf,
    /// The protocol that the splits follow, in words.
    pub protocol: String,
    /// The classes.
    pub labels: LabelSet,
    /// Where faces come from.
    pub faces: FaceSource,
    /// All usable clips.
    pub clips: Vec<Clip>,
    /// Everything that was skipped or doubtful.
    #[serde(default)]
    pub problems: Vec<Problem>,
}

impl Manifest {
    /// An empty manifest in the current format.
    pub fn new(name: &str, importer: &str, root: &Path, labels: LabelSet) -> Self {
        Self {
            format: FORMAT,
            name: name.to_owned(),
            importer: importer.to_owned(),
            root: root.to_owned(),
            protocol: String::new(),
            labels,
            faces: FaceSource::default(),
            clips: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Checks what serde cannot: the format, labels in range, unique names.
    pub fn check(&self) -> Result<(), ManifestError> {
        if self.format > FORMAT {
            return Err(ManifestError::Newer { found: self.format });
        }
        let mut seen = std::collections::HashSet::new();
        for clip in &self.clips {
            if clip.label >= self.labels.len() {
                return Err(ManifestError::LabelOutOfRange {
                    clip: clip.id.clone(),
                    label: clip.label,
                    n_labels: self.labels.len(),
                });
            }
            if !seen.insert(&clip.id) {
                return Err(ManifestError::DuplicateClip(clip.id.clone()));
            }
        }
        Ok(())
    }

    /// The clips of one split, in manifest order.
    pub fn split(&self, split: Split) -> impl Iterator<Item = &Clip> {
        self.clips.iter().filter(move |clip| clip.split == split)
    }

    /// Clips per class of one split.
    pub fn class_counts(&self, split: Split) -> Vec<usize> {
        let mut counts = vec![0; self.labels.len()];
        for clip in self.split(split) {
            counts[clip.label] += 1;
        }
        counts
    }

    /// Absolute path of `clip`.
    pub fn clip_path(&self, clip: &Clip) -> PathBuf {
        self.root.join(&clip.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let mut manifest = Manifest::new("m", "csv", Path::new("/data"), LabelSet::basic(2));
        manifest.clips.push(Clip {
            id: "a".into(),
            path: "a.mp4".into(),
            label: 1,
            split: Split::Val,
            speaker: None,
            text: None,
            face: None,
            duration_secs: None,
            present: None,
        });
        manifest
    }

    #[test]
    fn what_serde_cannot_see_is_checked() {
        let good = manifest();
        assert_eq!(good.check(), Ok(()));
        assert_eq!(good.class_counts(Split::Val), [0, 1]);
        let mut bad = manifest();
        bad.clips[0].label = 2;
        assert!(matches!(bad.check(), Err(ManifestError::LabelOutOfRange { label: 2, .. })));
        let mut twice = manifest();
        twice.clips.push(twice.clips[0].clone());
        assert_eq!(twice.check(), Err(ManifestError::DuplicateClip("a".into())));
        let newer = Manifest { format: FORMAT + 1, ..manifest() };
        assert!(matches!(newer.check(), Err(ManifestError::Newer { .. })));
    }
}

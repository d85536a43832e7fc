//! A dataset as Limbic keeps it: which clips there are, what is known about each, and what was wrong.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Affect, FaceChoice, FeatureRef, LabelSet, Modalities, Scale, Stream};

/// The version written into manifests; a newer one is refused rather than misread.
const FORMAT: u32 = 1;

/// The part of a dataset that a clip belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Learned from.
    #[default]
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

/// What a file, or a folder of pictures, looked like from outside; while that stays, what is known about it stays true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Length in bytes, of all pictures together.
    pub n_bytes: u64,
    /// Last change, of the folder's too, in seconds since 1970; 0 where the system does not say.
    pub modified_secs: u64,
}

/// What ends the names of pictures, in lower case; a folder of pictures can be a clip.
pub const PICTURE_EXTENSIONS: [&str; 7] = ["jpg", "jpeg", "png", "bmp", "webp", "tif", "tiff"];

/// One labelled recording.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Clip {
    /// Unique name within the manifest.
    pub id: String,
    /// File, or folder of numbered pictures, relative to the manifest's root; empty where text or features are all
    /// there is.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub path: PathBuf,
    /// Sound in a file of its own, relative to the manifest's root, where `path` has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<PathBuf>,
    /// Index into the manifest's labels.
    pub label: usize,
    /// Share of the annotators that each label got, in the order of the manifest's labels; empty where it is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<f32>,
    /// Ratings in −1..=1.
    #[serde(default, skip_serializing_if = "Affect::is_empty")]
    pub affect: Affect,
    /// Part of the dataset.
    pub split: Split,
    /// Who speaks, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// The recording that the clip is a piece of, where there are several; they are listed in their order in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<String>,
    /// Transcript or caption, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where the face is, if the annotation says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub face: Option<FaceBox>,
    /// Whose face it is, where somebody said so of this clip; else the manifest says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<FaceChoice>,
    /// Precomputed features, at most one of a stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<FeatureRef>,
    /// Size and time of the file or the pictures when it was listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// Length in seconds, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_secs: Option<f32>,
    /// What the clip has, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<Modalities>,
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

impl Clip {
    /// Whether there is a file or folder to decode.
    pub fn has_media(&self) -> bool {
        !is_empty(&self.path)
    }
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
    /// Votes that are not one per label.
    #[error("clip {clip:?} has {found} votes for {n_labels} labels")]
    Votes {
        /// The clip.
        clip: String,
        /// Its votes.
        found: usize,
        /// Size of the label set.
        n_labels: usize,
    },
    /// Features of a stream that does not exist, twice of one stream, or of unequal length where streams are aligned.
    #[error("clip {clip:?}: {reason}")]
    Features {
        /// The clip.
        clip: String,
        /// What does not fit.
        reason: &'static str,
    },
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
    /// Whose face it is, where a clip shows several people and does not say itself.
    #[serde(default, skip_serializing_if = "FaceChoice::is_usual")]
    pub person: FaceChoice,
    /// The scale that valence, arousal and dominance had in the annotation; clips hold them in −1..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// The kinds of precomputed features.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<Stream>,
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
            person: FaceChoice::default(),
            scale: None,
            streams: Vec::new(),
            clips: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Checks what serde cannot: the format, labels in range, unique names, features that belong to a stream.
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
            let (found, n_labels) = (clip.votes.len(), self.labels.len());
            if found != 0 && found != n_labels {
                return Err(ManifestError::Votes { clip: clip.id.clone(), found, n_labels });
            }
            if let Some(reason) = self.misfit(&clip.features) {
                return Err(ManifestError::Features { clip: clip.id.clone(), reason });
            }
        }
        Ok(())
    }

    /// Takes the features of extracted copies of the stream called `original` from all clips; whether there were any.
    pub fn drop_copies(&mut self, original: &str) -> bool {
        let is_copy = |stream: &Stream| {
            stream.extracted && stream.name.strip_prefix(original).is_some_and(|rest| rest.starts_with('@'))
        };
        let are_copies: Vec<bool> = self.streams.iter().map(is_copy).collect();
        let n_features = |clips: &[Clip]| clips.iter().map(|clip| clip.features.len()).sum::<usize>();
        let n_before = n_features(&self.clips);
        for clip in &mut self.clips {
            clip.features.retain(|feature| !are_copies.get(feature.stream).copied().unwrap_or_default());
        }
        n_features(&self.clips) < n_before
    }

    fn misfit(&self, features: &[FeatureRef]) -> Option<&'static str> {
        let mut n_aligned = None;
        for (at, feature) in features.iter().enumerate() {
            let Some(stream) = self.streams.get(feature.stream) else { return Some("features of no known stream") };
            if features[..at].iter().any(|other| other.stream == feature.stream) {
                return Some("features of one stream twice");
            }
            if stream.aligned && *n_aligned.get_or_insert(feature.n_steps) != feature.n_steps {
                return Some("aligned features of unequal length");
            }
        }
        None
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

    /// Where the face of `clip` is looked for, its box, and whose it is.
    pub fn face_of(&self, clip: &Clip) -> (FaceSource, Option<FaceBox>, FaceChoice) {
        match (clip.person, self.faces) {
            // Who was chosen by hand is looked for, whatever the annotation says.
            (Some(person), FaceSource::Boxes) => (FaceSource::Detect, None, person),
            (Some(person), faces) => (faces, None, person),
            (None, faces) => (faces, clip.face, self.person),
        }
    }

    /// Absolute path of `clip`.
    pub fn clip_path(&self, clip: &Clip) -> PathBuf {
        self.root.join(&clip.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Modality;

    fn manifest() -> Manifest {
        let mut manifest = Manifest::new("m", "csv", Path::new("/data"), LabelSet::basic(2));
        manifest.clips.push(Clip {
            id: "a".into(),
            path: "a.mp4".into(),
            label: 1,
            split: Split::Val,
            ..Clip::default()
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
        let mut votes = manifest();
        votes.clips[0].votes = vec![1.0];
        assert!(matches!(votes.check(), Err(ManifestError::Votes { found: 1, n_labels: 2, .. })));
        let newer = Manifest { format: FORMAT + 1, ..manifest() };
        assert!(matches!(newer.check(), Err(ManifestError::Newer { .. })));
    }

    #[test]
    fn whose_face_it_is_says_the_clip_or_else_the_manifest() {
        let area = FaceBox { x_px: 1.0, y_px: 2.0, width_px: 3.0, height_px: 4.0 };
        let mut manifest = Manifest { person: FaceChoice::Centre, ..manifest() };
        let mut clip = Clip { face: Some(area), ..manifest.clips[0].clone() };
        assert_eq!(manifest.face_of(&clip), (FaceSource::Auto, Some(area), FaceChoice::Centre));
        clip.person = Some(FaceChoice::Size);
        assert_eq!(manifest.face_of(&clip), (FaceSource::Auto, None, FaceChoice::Size));
        manifest.faces = FaceSource::Boxes;
        assert_eq!(manifest.face_of(&clip), (FaceSource::Detect, None, FaceChoice::Size));
    }

    #[test]
    fn features_belong_to_a_stream_and_keep_step() {
        let stream = |name: &str, modality, aligned| Stream {
            name: name.into(),
            modality,
            n_dims: 2,
            aligned,
            extracted: false,
        };
        let feature = |stream, n_steps| FeatureRef {
            stream,
            path: "f.npz".into(),
            array: None,
            row: Some(0),
            first_dim: 0,
            first_step: 0,
            n_steps,
        };
        let with = |features: &[FeatureRef]| {
            let mut manifest = manifest();
            manifest.streams = vec![
                stream("audio", Modality::Voice, true),
                stream("glove", Modality::Text, true),
                stream("facet", Modality::Face, false),
            ];
            manifest.clips[0].features = features.to_vec();
            manifest.check().is_ok()
        };
        assert!(with(&[feature(0, 5), feature(1, 5), feature(2, 9)]));
        assert!(!with(&[feature(0, 5), feature(1, 4)]));
        assert!(!with(&[feature(2, 5), feature(2, 5)]));
        assert!(!with(&[feature(3, 5)]));
    }
}

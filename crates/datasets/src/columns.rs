//! Which column of a list means what.

use std::path::Path;

use emotion::Modality;
use serde::{Deserialize, Serialize};

use crate::DatasetError;
use crate::table::Table;
use crate::tree::is_media;

/// Header names by role; a role without a name is recognized by the words that datasets use for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnMap {
    /// The clip's file.
    pub path: Option<String>,
    /// Its class.
    pub label: Option<String>,
    /// Train, val or test, or the number of a fold.
    pub split: Option<String>,
    /// Who speaks.
    pub speaker: Option<String>,
    /// Transcript or caption.
    pub text: Option<String>,
    /// Left, top, width and height of the face in pixels.
    pub face: Option<[String; 4]>,
    /// Valence, arousal and dominance; used once the scale is known.
    pub ratings: [Option<String>; 3],
    /// Files of precomputed features of the face, the voice and the text.
    pub features: [Option<String>; 3],
    /// Which row of arrays of many clips is the clip's, counted from 0, in all columns of features.
    pub row: Option<String>,
    /// The same, in the column of the face, the voice or the text alone.
    pub rows: [Option<String>; 3],
}

/// What features can be of, in the order of their columns.
pub(crate) const FEATURED: [Modality; 3] = [Modality::Face, Modality::Voice, Modality::Text];
/// A column of features is called by one word of its modality and one of these, as in `audio_features_path`.
const FEATURES: &[&str] = &["features", "feature", "feats", "embedding", "embeddings"];
const FEATURED_WORDS: [&[&str]; 3] = [
    &["face", "visual", "vision", "video", "image"],
    &["voice", "audio", "acoustic", "speech", "sound"],
    &["text", "language", "word", "words", "transcript"],
];
const FILE_WORDS: &[&str] = &["path", "file", "filename"];
/// A column of rows is called by one of these, and where it is of one modality, by one of its words before it.
const ROW: &[&str] = &["row", "feature_row", "features_row"];

const PATH: &[&str] = &[
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "subdirectory_filepath",
    "clip",
    "clip_path",
    "clip_name",
    "clip_file",
    "video",
    "video_path",
    "video_name",
    "video_file",
    "video_filename",
    "audio",
    "audio_path",
    "audio_file",
    "wav",
    "media",
    "image",
    "image_path",
    "image_name",
    "img",
    "name",
    "clip_id",
    "video_id",
    "utterance_id",
    "sample",
    "id",
];
const LABEL: &[&str] = &[
    "label",
    "emotion",
    "class",
    "emotion_label",
    "label_name",
    "class_name",
    "emotion_name",
    "category",
    "expression",
    "target",
    "gold",
    "sentiment",
    "labels",
    "emotions",
    "annotation",
];
const SPLIT: &[&str] = &["split", "set", "partition", "subset", "part", "usage", "phase", "fold"];
const SPEAKER: &[&str] = &[
    "speaker",
    "speaker_id",
    "actor",
    "actor_id",
    "subject",
    "subject_id",
    "person",
    "person_id",
    "participant",
    "participant_id",
    "identity",
    "spk",
    "spk_id",
];
const TEXT: &[&str] = &[
    "text",
    "transcript",
    "transcription",
    "caption",
    "utterance",
    "sentence",
    "subtitle",
    "subtitles",
    "words",
    "description",
];
const RATINGS: [&[&str]; 3] = [&["valence"], &["arousal", "activation"], &["dominance"]];
const FACE: [&[&str]; 4] = [
    &["face_x", "bbox_x", "box_x", "x", "left", "face_left", "x_px", "face_x_px"],
    &["face_y", "bbox_y", "box_y", "y", "top", "face_top", "y_px", "face_y_px"],
    &["face_width", "face_w", "bbox_w", "bbox_width", "box_width", "box_w", "width", "w", "width_px", "face_width_px"],
    &[
        "face_height",
        "face_h",
        "bbox_h",
        "bbox_height",
        "box_height",
        "box_h",
        "height",
        "h",
        "height_px",
        "face_height_px",
    ],
];

/// Positions of the roles in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    /// May be absent where there are features.
    pub path: Option<usize>,
    pub label: usize,
    pub split: Option<usize>,
    pub speaker: Option<usize>,
    pub text: Option<usize>,
    pub face: Option<[usize; 4]>,
    /// Valence, arousal, dominance.
    pub ratings: [Option<usize>; 3],
    /// As in [`FEATURED`].
    pub features: [Option<usize>; 3],
    /// Likewise.
    pub rows: [Option<usize>; 3],
}

impl Columns {
    /// Finds the roles in the header of `table`, which is the list at `list`.
    pub fn locate(table: &Table, map: &ColumnMap, list: &Path) -> Result<Self, DatasetError> {
        let plain: Vec<String> = table.header.iter().map(|name| plain_name(name)).collect();
        let asked = |role, name: &String| {
            plain.iter().position(|column| *column == plain_name(name)).ok_or_else(|| DatasetError::UnknownColumn {
                role,
                name: name.clone(),
                found: table.listed(),
                path: list.to_owned(),
            })
        };
        let mut taken = Vec::new();
        let mut pick = |role, name: &Option<String>, words: &[&str]| -> Result<Option<usize>, DatasetError> {
            let column_idx = match name {
                Some(name) => Some(asked(role, name)?),
                None => words.iter().find_map(|word| plain.iter().position(|column| column == word)),
            };
            let column_idx = column_idx.filter(|column_idx| name.is_some() || !taken.contains(column_idx));
            taken.extend(column_idx);
            Ok(column_idx)
        };
        let path = pick("path", &map.path, PATH)?;
        let label = pick("label", &map.label, LABEL)?;
        let split = pick("split", &map.split, SPLIT)?;
        let speaker = pick("speaker", &map.speaker, SPEAKER)?;
        let text = pick("text", &map.text, TEXT)?;
        let names = map.face.clone().map(|names| names.map(Some)).unwrap_or_default();
        let mut face = [None; 4];
        for (side, (name, words)) in names.iter().zip(FACE).enumerate() {
            face[side] = pick("face box", name, words)?;
        }
        let mut ratings = [None; 3];
        for (rating, (name, words)) in map.ratings.iter().zip(RATINGS).enumerate() {
            ratings[rating] = pick("rating", name, words)?;
        }
        let mut features = [None; 3];
        for (place, (name, words)) in map.features.iter().zip(FEATURED_WORDS).enumerate() {
            let called = plain.iter().find(|column| is_features(column, words)).map(String::as_str);
            features[place] = pick("features", name, called.as_slice())?;
        }
        let mut rows = [None; 3];
        for (place, (name, words)) in map.rows.iter().zip(FEATURED_WORDS).enumerate() {
            let called = plain.iter().find(|column| is_row(column, words)).map(String::as_str);
            rows[place] = pick("row", name, called.as_slice())?;
        }
        let row = pick("row", &map.row, ROW)?;
        if path.is_none() && label.is_none() && table.header.iter().any(|cell| is_media(Path::new(cell))) {
            return Err(DatasetError::NoHeader(list.to_owned()));
        }
        let missing = |role| DatasetError::NoColumn { role, found: table.listed(), path: list.to_owned() };
        Ok(Self {
            path: if path.is_none() && features == [None; 3] { return Err(missing("path")) } else { path },
            label: label.ok_or_else(|| missing("label"))?,
            split,
            speaker,
            text,
            face: if let [Some(x), Some(y), Some(width), Some(height)] = face {
                Some([x, y, width, height])
            } else {
                None
            },
            ratings,
            features,
            rows: rows.map(|own| own.or(row)),
        })
    }

    /// Other columns that could as well be the label, each in quotes.
    pub fn rivals(&self, header: &[String]) -> Vec<String> {
        let taken = [self.path, Some(self.label), self.split, self.speaker, self.text];
        let free = header.iter().enumerate().filter(|(column_idx, _)| !taken.contains(&Some(*column_idx)));
        free.filter(|(_, name)| LABEL.contains(&plain_name(name).as_str()))
            .map(|(_, name)| format!("{name:?}"))
            .collect()
    }
}

/// Whether a plain name is that of features of what `words` call.
fn is_features(column: &str, words: &[&str]) -> bool {
    let parts: Vec<&str> = column.split('_').filter(|part| !FILE_WORDS.contains(part)).collect();
    let is = |a: &str, b: &str| words.contains(&a) && FEATURES.contains(&b);
    matches!(parts[..], [a, b] if is(a, b) || is(b, a))
}

/// Whether a plain name is that of rows of features of what `words` call: `voice_row`, `audio_features_row`.
fn is_row(column: &str, words: &[&str]) -> bool {
    let of = ROW.iter().find_map(|row| column.strip_suffix(row)?.strip_suffix('_'));
    of.is_some_and(|word| words.contains(&word)) || column.strip_suffix("_row").is_some_and(|of| is_features(of, words))
}

/// `Clip Name`, `clip-name` and `CLIP_NAME` are one.
fn plain_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

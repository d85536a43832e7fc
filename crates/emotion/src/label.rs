//! Emotion labels in a fixed, stored order.
//!
//! Datasets and checkpoints disagree about the order of the same seven emotions, so an index means nothing
//! without the set it belongs to.

use serde::{Deserialize, Serialize};

/// What is wrong with a list of labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// A classifier needs at least two classes.
    #[error("a label set needs at least two labels, found {0}")]
    TooFew(usize),
    /// The same name twice would make two classes out of one.
    #[error("label {0:?} is listed twice")]
    Duplicate(String),
    /// An empty name cannot be shown.
    #[error("label {0} has no name")]
    Empty(usize),
}

/// The ordered names of the classes of a dataset or a model: at least two, all different.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct LabelSet(Vec<String>);

impl LabelSet {
    /// The eleven emotions of MAFW (Liu et al. 2022), in its order.
    pub const ELEVEN: [&str; 11] = [
        "anger",
        "disgust",
        "fear",
        "happiness",
        "neutral",
        "sadness",
        "surprise",
        "contempt",
        "anxiety",
        "helplessness",
        "disappointment",
    ];

    /// Checks and keeps `names` in the order given.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Self, LabelError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() < 2 {
            return Err(LabelError::TooFew(names.len()));
        }
        for (label_idx, name) in names.iter().enumerate() {
            if name.trim().is_empty() {
                return Err(LabelError::Empty(label_idx));
            }
            if names[..label_idx].contains(name) {
                return Err(LabelError::Duplicate(name.clone()));
            }
        }
        Ok(Self(names))
    }

    /// The six basic emotions and neutral, in alphabetical order.
    pub fn basic_seven() -> Self {
        Self(["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"].map(String::from).to_vec())
    }

    /// The first `n` of an order in which any prefix is a sensible set; `n` is clamped to 2..=7.
    pub fn basic(n: usize) -> Self {
        let all = ["happiness", "sadness", "anger", "neutral", "surprise", "fear", "disgust"];
        let mut names: Vec<String> = all[..n.clamp(2, all.len())].iter().map(ToString::to_string).collect();
        names.sort();
        Self(names)
    }

    /// A set that several corpora share: `four` (IEMOCAP's usual classes), `six` (CREMA-D), `seven` (the basic emotions
    /// and neutral), `eight` (RAVDESS), `eleven` (MAFW); alphabetical but for the last, which has MAFW's own order.
    pub fn named(name: &str) -> Option<Self> {
        let names: &[&str] = match name {
            "four" => &["anger", "happiness", "neutral", "sadness"],
            "six" => &["anger", "disgust", "fear", "happiness", "neutral", "sadness"],
            "seven" => &["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
            "eight" => &["anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
            "eleven" => &Self::ELEVEN,
            _ => return None,
        };
        Some(Self(names.iter().map(ToString::to_string).collect()))
    }

    /// Number of classes, at least two.
    #[expect(clippy::len_without_is_empty, reason = "a label set is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Name of class `label_idx`.
    pub fn name(&self, label_idx: usize) -> &str {
        &self.0[label_idx]
    }

    /// Position of `name`, exactly as spelled.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|own| own == name)
    }

    /// Names in order.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for LabelSet {
    type Error = LabelError;
    fn try_from(names: Vec<String>) -> Result<Self, LabelError> {
        Self::new(names)
    }
}

impl From<LabelSet> for Vec<String> {
    fn from(labels: LabelSet) -> Self {
        labels.0
    }
}

/// The field's standard noun for the spellings that datasets use; `None` for a name that is no known emotion.
pub fn canonical_emotion(name: &str) -> Option<&'static str> {
    Some(match name.trim().to_lowercase().as_str() {
        "anger" | "angry" | "ang" | "mad" => "anger",
        "disgust" | "disgusted" | "dis" => "disgust",
        "fear" | "fearful" | "afraid" | "fea" => "fear",
        "happiness" | "happy" | "joy" | "joyful" | "hap" => "happiness",
        "neutral" | "neu" => "neutral",
        "sadness" | "sad" => "sadness",
        "surprise" | "surprised" | "sur" => "surprise",
        "excitement" | "excited" | "exc" => "excitement",
        "frustration" | "frustrated" | "fru" => "frustration",
        "contempt" | "contemptuous" => "contempt",
        "anxiety" | "anxious" => "anxiety",
        "helplessness" | "helpless" => "helplessness",
        "disappointment" | "disappointed" => "disappointment",
        "calm" => "calm",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_checked() {
        let labels = LabelSet::new(["sadness", "anger"]).expect("two different names");
        assert_eq!((labels.index_of("anger"), labels.name(0), labels.len()), (Some(1), "sadness", 2));
        assert_eq!(LabelSet::new(["a", "a"]), Err(LabelError::Duplicate("a".into())));
        assert_eq!(LabelSet::new(["a"]), Err(LabelError::TooFew(1)));
        assert_eq!(LabelSet::new(["a", " "]), Err(LabelError::Empty(1)));
        assert!(serde_json::from_str::<LabelSet>(r#"["a","a"]"#).is_err());
    }

    #[test]
    fn spellings_meet_in_one_noun() {
        for (spelling, noun) in
            [("Happy", "happiness"), ("joy", "happiness"), ("ANG", "anger"), ("surprised", "surprise")]
        {
            assert_eq!(canonical_emotion(spelling), Some(noun));
        }
        assert_eq!(canonical_emotion("train"), None);
    }
}

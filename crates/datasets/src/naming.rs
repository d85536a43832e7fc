//! How a dataset's spellings become class names, and which folders are called like classes and splits.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use emotion::{Split, canonical_emotion};

use crate::DatasetError;
use crate::assemble::Row;

/// Class names, and which spelling means which.
pub(crate) struct Naming {
    pub names: Vec<String>,
    by_spelling: HashMap<String, usize>,
    /// Spellings that changed, by the name they got, with the number of rows.
    changed: BTreeMap<String, Vec<(String, usize)>>,
    are_numbers: bool,
}

impl Naming {
    /// Each known emotion gets its usual name, whatever the other labels are, unless the dataset `keeps_words`.
    pub fn of(rows: &[Row], source: &Path, keeps_words: bool) -> Result<Self, DatasetError> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(&row.label).or_default() += 1);
        let numbers: Option<Vec<f64>> = counts.keys().map(|spelling| spelling.parse().ok()).collect();
        if let Some(numbers) = &numbers
            && let Some(example) = numbers.iter().find(|number| number.fract() != 0.0 || !number.is_finite())
        {
            return Err(DatasetError::ContinuousLabels { example: example.to_string(), path: source.to_owned() });
        }
        let are_numbers = numbers.is_some();
        // Neutral is a sentiment, too, and is spelled like Positive and Negative.
        let is_emotion = |spelling: &&str| canonical_emotion(spelling).is_some_and(|emotion| emotion != "neutral");
        let has_emotions = !keeps_words && counts.keys().any(is_emotion);
        // Of spellings that differ in case only, the most frequent one is kept.
        let mut by_fold: HashMap<String, (&str, usize)> = HashMap::new();
        for (&spelling, &n) in &counts {
            let best = by_fold.entry(spelling.to_lowercase()).or_insert((spelling, n));
            if n > best.1 {
                *best = (spelling, n);
            }
        }
        let name_of = |spelling: &str| -> String {
            match (canonical_emotion(spelling), spelling.parse::<f64>()) {
                (Some(emotion), _) if has_emotions => emotion.to_owned(),
                (_, Ok(number)) if are_numbers => format!("{number:.0}"),
                _ => by_fold[&spelling.to_lowercase()].0.to_owned(),
            }
        };
        let mut names: Vec<String> = counts.keys().map(|spelling| name_of(spelling)).collect();
        if are_numbers {
            names.sort_by_key(|name| name.parse::<i64>().unwrap_or(i64::MAX));
        } else {
            names.sort();
        }
        names.dedup();
        let mut by_spelling = HashMap::new();
        let mut changed: BTreeMap<String, Vec<(String, usize)>> = BTreeMap::new();
        for (&spelling, &n) in &counts {
            let name = name_of(spelling);
            let label = names.iter().position(|own| *own == name).expect("the names were made of the same spellings");
            by_spelling.insert(spelling.to_owned(), label);
            if name != spelling {
                changed.entry(name).or_default().push((spelling.to_owned(), n));
            }
        }
        Ok(Self { names, by_spelling, changed, are_numbers })
    }

    /// The dataset's own classes in its own order; rows are spelled like them.
    pub fn fixed(labels: &[&str]) -> Self {
        let names: Vec<String> = labels.iter().map(ToString::to_string).collect();
        let by_spelling = names.iter().cloned().zip(0..).collect();
        Self { names, by_spelling, changed: BTreeMap::new(), are_numbers: false }
    }

    pub fn index_of(&self, spelling: &str) -> usize {
        self.by_spelling[spelling]
    }

    /// What people should know about the names, if anything.
    pub fn explain(&self) -> Option<String> {
        let mut sentences = Vec::new();
        if !self.changed.is_empty() {
            let changes = self.changed.iter().map(|(name, spellings)| {
                let spellings: Vec<_> = spellings.iter().map(|(spelling, n)| format!("{spelling:?} ({n})")).collect();
                format!("{} is read as {name}", spellings.join(", "))
            });
            sentences.push(format!(
                "labels in several spellings or other words: {}",
                changes.collect::<Vec<_>>().join("; ")
            ));
        }
        if self.are_numbers {
            sentences.push("labels are numbers without names: they are kept as the names".to_owned());
        }
        (!sentences.is_empty()).then(|| sentences.join(". "))
    }
}

/// Classes that are no emotions.
const OTHER_CLASSES: [&str; 4] = ["positive", "negative", "boredom", "bored"];
/// What people call classes that are numbered.
const NUMBERED: [&str; 3] = ["class", "label", "emotion"];
/// What follows the name of a split in names of folders and lists.
const SPLIT_ENDS: [&str; 4] = ["_set", "_class", "_label", "_labels"];

/// Whether at least half of `names` are those of classes: an emotion, with or without a number before it, a number of
/// one or two digits, or `class001`.
pub(crate) fn are_class_names<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    let is_class = |name: &str| {
        let word = name.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase();
        let has_digits = name.contains(|c: char| c.is_ascii_digit());
        canonical_emotion(&word).is_some()
            || OTHER_CLASSES.contains(&word.as_str())
            || NUMBERED.contains(&word.as_str()) && has_digits
            || name.trim().len() <= 2 && name.trim().parse::<u8>().is_ok()
    };
    let (known, unknown): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| is_class(name));
    !known.is_empty() && known.len() >= unknown.len()
}

/// The split that a folder or a list is called after: `train`, `val_set`, `test_class`.
pub(crate) fn part_of(name: &str) -> Option<Split> {
    let name = name.to_lowercase();
    SPLIT_ENDS.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name).parse().ok()
}

/// The class of `classes` that `word` is, spelled like it or meaning the same emotion.
pub(crate) fn class_of(word: &str, classes: &[&'static str]) -> Option<&'static str> {
    let is = |class: &&&str| class.eq_ignore_ascii_case(word.trim());
    classes
        .iter()
        .find(is)
        .or_else(|| {
            let meaning = canonical_emotion(word)?;
            classes.iter().find(|class| canonical_emotion(class) == Some(meaning))
        })
        .copied()
}

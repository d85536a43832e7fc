//! From rows, whatever layout they came from, to a manifest: names of labels, duplicates, splits.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use emotion::{Clip, FaceBox, FaceSource, LabelSet, Manifest, Problem, canonical_emotion};

use crate::split::{self, Divided, Entry};
use crate::{DatasetError, Options};

/// What an annotation says about one file, in its own words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Relative to the root where it lies in it.
    pub path: PathBuf,
    pub label: String,
    pub split: Option<String>,
    pub speaker: Option<String>,
    pub text: Option<String>,
    pub face: Option<FaceBox>,
}

/// Makes a manifest of `rows`, which are not empty; `source` is the list or folder that messages name.
pub(crate) fn assemble(
    importer: &str,
    root: &Path,
    source: &Path,
    rows: Vec<Row>,
    options: &Options,
    warn: &mut dyn FnMut(Problem),
) -> Result<Manifest, DatasetError> {
    let n_rows = rows.len();
    let naming = Naming::of(&rows, source)?;
    if let Some(reason) = naming.explain() {
        warn(Problem { path: source.to_owned(), reason });
    }
    let rows = without_duplicates(rows, &naming, warn);
    let entries: Vec<Entry<'_>> = rows
        .iter()
        .map(|row| Entry {
            key: &row.path,
            label: naming.index_of(&row.label),
            speaker: row.speaker.as_deref(),
            split: row.split.as_deref(),
        })
        .collect();
    let Divided { splits, protocol, doubts } = split::divide(&entries, options.seed);
    for reason in doubts {
        warn(Problem { path: source.to_owned(), reason });
    }
    let root = root.to_owned();
    let name = root.file_name().map_or_else(|| "dataset".to_owned(), |name| name.to_string_lossy().into_owned());
    let mut clips = Vec::with_capacity(rows.len());
    for (row, split) in rows.into_iter().zip(splits) {
        let Some(split) = split else {
            warn(Problem {
                path: row.path,
                reason: "no train, val or test given, as others have: left out".to_owned(),
            });
            continue;
        };
        clips.push(Clip {
            id: row.path.to_string_lossy().replace('\\', "/"),
            label: naming.index_of(&row.label),
            path: row.path,
            split,
            speaker: row.speaker,
            text: row.text,
            face: row.face,
            ..Clip::default()
        });
    }
    // Labels of rows that were left out after all are no classes.
    let mut n_clips = vec![0_usize; naming.names.len()];
    clips.iter().for_each(|clip| n_clips[clip.label] += 1);
    let kept: Vec<usize> = (0..n_clips.len()).filter(|&label| n_clips[label] > 0).collect();
    for clip in &mut clips {
        clip.label = kept.binary_search(&clip.label).expect("labels of clips are kept");
    }
    let names: Vec<&str> = kept.iter().map(|&label| naming.names[label].as_str()).collect();
    match names.as_slice() {
        [] => {
            let first = "every file is listed with different labels".to_owned();
            return Err(DatasetError::NothingUsable { n_rows, first, path: source.to_owned() });
        }
        [label] => return Err(DatasetError::OneClass { label: (*label).to_owned(), path: source.to_owned() }),
        _ => {}
    }
    let n_boxes = clips.iter().filter(|clip| clip.face.is_some()).count();
    let faces = match options.faces {
        FaceSource::Boxes if n_boxes == 0 => return Err(DatasetError::NoBoxes(source.to_owned())),
        FaceSource::Auto if n_boxes == clips.len() => FaceSource::Boxes,
        chosen => chosen,
    };
    let mut manifest = Manifest::new(&name, importer, &root, LabelSet::new(names)?);
    manifest.protocol = protocol;
    manifest.faces = faces;
    manifest.clips = clips;
    Ok(manifest)
}

/// How the dataset's spellings become class names.
struct Naming {
    names: Vec<String>,
    by_spelling: HashMap<String, usize>,
    /// Spellings that changed, by the name they got, with the number of rows.
    changed: BTreeMap<String, Vec<(String, usize)>>,
    are_numbers: bool,
}

impl Naming {
    fn of(rows: &[Row], source: &Path) -> Result<Self, DatasetError> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(&row.label).or_default() += 1);
        let numbers: Option<Vec<f64>> = counts.keys().map(|spelling| spelling.parse().ok()).collect();
        if let Some(numbers) = &numbers
            && let Some(example) = numbers.iter().find(|number| number.fract() != 0.0 || !number.is_finite())
        {
            return Err(DatasetError::ContinuousLabels { example: example.to_string(), path: source.to_owned() });
        }
        let are_numbers = numbers.is_some();
        let are_emotions = counts.keys().all(|spelling| canonical_emotion(spelling).is_some());
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
                (Some(emotion), _) if are_emotions => emotion.to_owned(),
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

    fn index_of(&self, spelling: &str) -> usize {
        self.by_spelling[spelling]
    }

    /// What people should know about the names, if anything.
    fn explain(&self) -> Option<String> {
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

/// Keeps one row a file, and none of a file whose rows contradict each other.
fn without_duplicates(rows: Vec<Row>, naming: &Naming, warn: &mut dyn FnMut(Problem)) -> Vec<Row> {
    let mut by_path: HashMap<&Path, Vec<usize>> = HashMap::new();
    for (row_idx, row) in rows.iter().enumerate() {
        by_path.entry(&row.path).or_default().push(row_idx);
    }
    let mut keep = vec![true; rows.len()];
    for (row_idx, row) in rows.iter().enumerate() {
        let same = &by_path[row.path.as_path()];
        if same.len() == 1 {
            continue;
        }
        let mut labels: Vec<&str> =
            same.iter().map(|&idx| naming.names[naming.index_of(&rows[idx].label)].as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        let agree = labels.len() == 1;
        keep[row_idx] = agree && row_idx == same[0];
        if row_idx == same[0] {
            let n = same.len();
            let reason = if agree {
                format!("listed {n} times: the first row is kept")
            } else {
                format!("listed {n} times, as {}: left out", labels.join(" and "))
            };
            warn(Problem { path: row.path.clone(), reason });
        }
    }
    rows.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(row, _)| row).collect()
}

//! From rows, whatever layout they came from, to a manifest: names of labels, duplicates, splits.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use emotion::{Affect, Clip, FaceBox, FaceSource, FeatureRef, LabelSet, Manifest, Problem, Scale, Split, Stream};

use crate::naming::Naming;
use crate::split::{self, Divided, Entry, NoFold};
use crate::{DatasetError, Options, doubles};

/// What an annotation says about one clip, in its own words.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Row {
    /// Name of the clip; `None`: its path.
    pub id: Option<String>,
    /// File or folder of pictures, relative to the root where it lies in it; empty where there is none.
    pub path: PathBuf,
    pub audio: Option<PathBuf>,
    pub label: String,
    /// Of each class, where the draft has classes of its own.
    pub votes: Vec<f32>,
    pub affect: Affect,
    /// Train, val or test, or the name of a fold.
    pub split: Option<String>,
    pub speaker: Option<String>,
    pub recording: Option<String>,
    pub text: Option<String>,
    pub face: Option<FaceBox>,
    pub features: Vec<FeatureRef>,
}

impl Row {
    fn key(&self) -> &Path {
        self.id.as_deref().map_or(&self.path, Path::new)
    }
}

/// A manifest in the making.
pub(crate) struct Draft<'a> {
    importer: &'static str,
    root: &'a Path,
    /// The list or folder that messages about the whole name.
    source: &'a Path,
    pub rows: Vec<Row>,
    /// The dataset's classes in its own order, where it has such; then all rows are spelled like them.
    pub labels: Vec<&'static str>,
    /// Whether labels of rows are the dataset's words for its classes, which stay what they are.
    pub keeps_words: bool,
    /// How the dataset's splits and labels came about, where more can be said than that the dataset has them.
    pub protocol: Option<String>,
    /// Where faces come from, unless the user says so.
    pub faces: FaceSource,
    pub scale: Option<Scale>,
    pub streams: Vec<Stream>,
    n_skipped: usize,
    first_skipped: Option<Problem>,
    /// Clips that are left out for what they are: number and first, by reason.
    left_out: BTreeMap<String, (usize, PathBuf)>,
    warn: &'a mut dyn FnMut(Problem),
}

impl<'a> Draft<'a> {
    pub fn new(importer: &'static str, root: &'a Path, source: &'a Path, warn: &'a mut dyn FnMut(Problem)) -> Self {
        Self {
            importer,
            root,
            source,
            rows: Vec::new(),
            labels: Vec::new(),
            keeps_words: false,
            protocol: None,
            faces: FaceSource::Auto,
            scale: None,
            streams: Vec::new(),
            n_skipped: 0,
            first_skipped: None,
            left_out: BTreeMap::new(),
            warn,
        }
    }

    pub fn warn(&mut self, problem: Problem) {
        (self.warn)(problem);
    }

    /// Something about a clip that stays, or about a list.
    pub fn note(&mut self, path: impl Into<PathBuf>, reason: impl Into<String>) {
        self.warn(Problem { path: path.into(), reason: reason.into() });
    }

    /// A clip that cannot be used.
    pub fn skip(&mut self, path: impl Into<PathBuf>, reason: impl Into<String>) {
        let problem = Problem { path: path.into(), reason: reason.into() };
        self.count(&problem);
        self.warn(problem);
    }

    /// A clip that is no example of any class; there can be thousands, so they are listed once a reason.
    pub fn leave_out(&mut self, path: impl Into<PathBuf>, reason: impl Into<String>) {
        let problem = Problem { path: path.into(), reason: reason.into() };
        self.count(&problem);
        self.left_out.entry(problem.reason).or_insert((0, problem.path)).0 += 1;
    }

    fn count(&mut self, skipped: &Problem) {
        self.n_skipped += 1;
        self.first_skipped.get_or_insert_with(|| skipped.clone());
    }

    /// The first clip that was skipped and why, and where its file was looked for unless the source says it.
    fn first_skipped(&self) -> String {
        let Some(Problem { path, reason }) = &self.first_skipped else { return String::new() };
        let path = path.strip_prefix(self.root).unwrap_or(path);
        let name = if path.as_os_str().is_empty() { String::new() } else { format!("{}: ", path.display()) };
        let is_elsewhere = self.source != self.root && reason.contains("is missing");
        let folder =
            if is_elsewhere { format!("; files are looked for in {}", self.root.display()) } else { String::new() };
        // All of them are left out.
        format!("{name}{}{folder}", reason.replacen(": left out", "", 1))
    }

    /// Makes the manifest.
    pub fn finish(mut self, options: &Options) -> Result<Manifest, DatasetError> {
        for (reason, (n, first)) in std::mem::take(&mut self.left_out) {
            let reason =
                if n == 1 { format!("{reason}: left out") } else { format!("{reason}, and {} more: left out", n - 1) };
            self.warn(Problem { path: first, reason });
        }
        let n_rows = self.rows.len() + self.n_skipped;
        if n_rows == 0 {
            return Err(DatasetError::EmptyList(self.source.to_owned()));
        }
        let nothing = |first| DatasetError::NothingUsable { n_rows, first, path: self.source.to_owned() };
        if self.rows.is_empty() {
            return Err(nothing(self.first_skipped()));
        }
        let others = match self.n_skipped {
            0 => String::new(),
            n => format!("; {n} of {n_rows} rows cannot be used, the first: {}", self.first_skipped()),
        };
        let (source, warn) = (self.source, self.warn);
        let is_fixed = !self.labels.is_empty();
        let naming =
            if is_fixed { Naming::fixed(&self.labels) } else { Naming::of(&self.rows, source, self.keeps_words)? };
        if let Some(reason) = naming.explain() {
            warn(Problem { path: source.to_owned(), reason });
        }
        let rows = without_duplicates(self.rows, &naming, warn);
        let entries: Vec<Entry<'_>> = rows
            .iter()
            .map(|row| Entry {
                key: row.key(),
                label: naming.index_of(&row.label),
                speaker: row.speaker.as_deref(),
                split: row.split.as_deref(),
            })
            .collect();
        let Divided { splits, protocol, doubts } =
            split::divide(&entries, self.protocol.as_deref(), options.fold, options.seed).map_err(
                |none| match none {
                    NoFold::Other(there) => {
                        DatasetError::NoFold { asked: options.fold.unwrap_or(1), there, path: source.to_owned() }
                    }
                    NoFold::Only(only) => DatasetError::OneFold { only, path: source.to_owned() },
                    NoFold::None => DatasetError::NoFolds(source.to_owned()),
                },
            )?;
        for reason in doubts {
            warn(Problem { path: source.to_owned(), reason });
        }
        let mut clips = Vec::with_capacity(rows.len());
        for (row, split) in rows.into_iter().zip(splits) {
            let Some(split) = split else {
                let reason = "no train, val or test given, as others have: left out".to_owned();
                warn(Problem { path: row.key().to_owned(), reason });
                continue;
            };
            clips.push(Clip {
                id: row.key().to_string_lossy().replace('\\', "/"),
                label: naming.index_of(&row.label),
                path: row.path,
                audio: row.audio,
                votes: row.votes,
                affect: row.affect,
                split,
                speaker: row.speaker,
                recording: row.recording,
                text: row.text,
                face: row.face,
                features: row.features,
                ..Clip::default()
            });
        }
        let names: Vec<&str> = if is_fixed { self.labels } else { only_used(&naming, &mut clips) };
        let has = |label| clips.iter().any(|clip| clip.label == label);
        let used: Vec<&str> = (0..names.len()).filter(|&label| has(label)).map(|label| names[label]).collect();
        match used.as_slice() {
            [] => return Err(nothing("every file is listed with different labels".to_owned())),
            [label] => {
                return Err(DatasetError::OneClass { label: (*label).to_owned(), others, path: source.to_owned() });
            }
            used if used.len() < names.len() => {
                let without: Vec<&str> = names.iter().copied().filter(|name| !used.contains(name)).collect();
                let reason = format!("classes of the dataset without a clip: {}", without.join(", "));
                warn(Problem { path: source.to_owned(), reason });
            }
            _ => {}
        }
        doubles::stamp(&mut clips, self.root);
        for problem in doubles::across_splits(&clips, self.root) {
            warn(problem);
        }
        let n_boxes = clips.iter().filter(|clip| clip.face.is_some()).count();
        let faces = match options.faces {
            FaceSource::Boxes if n_boxes == 0 => return Err(DatasetError::NoBoxes(source.to_owned())),
            FaceSource::Auto if n_boxes == clips.len() => FaceSource::Boxes,
            FaceSource::Auto => self.faces,
            chosen => chosen,
        };
        let folder = self.root.file_name();
        let name = folder.map_or_else(|| "dataset".to_owned(), |name| name.to_string_lossy().into_owned());
        let mut manifest = Manifest::new(&name, self.importer, self.root, LabelSet::new(names)?);
        manifest.protocol = protocol;
        manifest.faces = faces;
        manifest.scale = self.scale;
        manifest.streams = self.streams;
        manifest.clips = clips;
        Ok(manifest)
    }
}

/// Names of the labels that clips have; labels of rows that were left out after all are no classes.
fn only_used<'a>(naming: &'a Naming, clips: &mut [Clip]) -> Vec<&'a str> {
    let mut n_clips = vec![0_usize; naming.names.len()];
    clips.iter().for_each(|clip| n_clips[clip.label] += 1);
    let kept: Vec<usize> = (0..n_clips.len()).filter(|&label| n_clips[label] > 0).collect();
    for clip in clips {
        clip.label = kept.binary_search(&clip.label).expect("labels of clips are kept");
    }
    kept.iter().map(|&label| naming.names[label].as_str()).collect()
}

/// Keeps one row a file, and none of a file whose rows contradict each other.
fn without_duplicates(rows: Vec<Row>, naming: &Naming, warn: &mut dyn FnMut(Problem)) -> Vec<Row> {
    let mut by_path: HashMap<&Path, Vec<usize>> = HashMap::new();
    for (row_idx, row) in rows.iter().enumerate() {
        by_path.entry(row.key()).or_default().push(row_idx);
    }
    let mut keep = vec![true; rows.len()];
    for (row_idx, row) in rows.iter().enumerate() {
        let same = &by_path[row.key()];
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
            let parts = parts(same.iter().map(|&idx| &rows[idx]));
            let reason = match parts.as_slice() {
                _ if !agree => format!("listed {n} times, as {}: left out", labels.join(" and ")),
                [first, _, ..] => format!("listed in {}: the {first} row is kept", parts.join(" and in ")),
                _ => format!("listed {n} times: the first row is kept"),
            };
            warn(Problem { path: row.key().to_owned(), reason });
        }
    }
    rows.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(row, _)| row).collect()
}

/// The parts that rows of one clip are in, by the names that parts have here.
fn parts<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<String> {
    let mut parts = Vec::new();
    for word in rows.filter_map(|row| row.split.as_deref()) {
        let part = match (word.parse::<Split>(), word.parse::<f64>()) {
            (Ok(split), _) => split.name().to_owned(),
            (_, Ok(_)) => format!("fold {word}"),
            _ => format!("{word:?}"),
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}

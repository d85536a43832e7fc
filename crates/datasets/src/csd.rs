//! CMU-MOSI, CMU-MOSEI and others as computational sequences of the CMU Multimodal SDK: `.csd` files, one a modality
//! and one with labels.
//!
//! `NAME/data/VIDEO/{features,intervals}`: a row a step, and the seconds that it spans. Labels are sequences, too; each
//! of their rows is a clip, with the steps of the other sequences whose middles lie in its interval. After the SDK's
//! alignment each clip is a sequence `VIDEO[3]` of its own in every file. The official folds are not in the files:
//! lists of videos `train.txt`, `valid.txt` and `test.txt` beside them are followed. Left out: labels other than MOSI's
//! and MOSEI's.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use emotion::{Affect, FeatureRef, Manifest, Modality, Problem, Scale, Split, Stream};
use features::{Array, Store};

use crate::assemble::{Draft, Row};
use crate::sequences::{SENTIMENTS, class};
use crate::table::Lines;
use crate::tree::{entries, extension, stem};
use crate::{DatasetError, Importer, Options, Variant, variant};

/// Columns of MOSEI's labels after the sentiment, from 0 to 3 each.
const EMOTIONS: [&str; 6] = ["happiness", "sadness", "anger", "surprise", "disgust", "fear"];
/// Parts of the names of sequences, by what they are made of.
const WORDS: [(Modality, &[&str]); 3] = [
    (Modality::Text, &["word", "glove", "bert", "text", "phone"]),
    (Modality::Voice, &["covarep", "opensmile", "audio", "acoustic"]),
    (Modality::Face, &["facet", "openface", "visual", "vision", "video"]),
];
/// Words that the SDK's transcripts have for pauses.
const PAUSE: &str = "sp";

/// Folder of computational sequences.
pub struct Csd;

impl Importer for Csd {
    fn name(&self) -> &'static str {
        "csd"
    }

    fn describe(&self) -> &'static str {
        "computational sequences of the CMU Multimodal SDK: CMU_MOSEI_Labels.csd, CMU_MOSEI_COVAREP.csd … in one folder, with its folds as {train,valid,test}.txt"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "sentiment", describe: "sentiment from −3 to 3, by its sign as classes" },
            Variant { name: "emotions", describe: "the strongest of MOSEI's six emotions" },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        !files(root).is_empty()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let variant = variant(self, options)?;
        let mut draft = Draft::new(self.name(), root, root, warn);
        let (labels, others): (Vec<PathBuf>, Vec<PathBuf>) =
            files(root).into_iter().partition(|path| stem(path).to_lowercase().contains("label"));
        let [labels] = labels.as_slice() else {
            let path = root.to_owned();
            let found = labels.iter().map(|path| stem(path)).collect::<Vec<_>>().join(", ");
            return Err(match found.is_empty() {
                true => DatasetError::Incomplete {
                    what: "the sequence of labels, as in CMU_MOSEI_Labels.csd,".into(),
                    path,
                },
                false => DatasetError::SeveralLists { found, path },
            });
        };
        let mut sources = Vec::new();
        let mut transcript = None;
        for path in others {
            let file = Sequences::open(path)?;
            if file.has_texts() {
                transcript = Some(file);
            } else if let Some(source) = Source::of(file, &mut draft)? {
                sources.push(source);
            }
        }
        let splits = splits(root)?;
        let mut labels = Sequences::open(labels.clone())?;
        let mut is_aligned = !sources.is_empty();
        for video in labels.videos() {
            let Some((rows, intervals)) = labels.read(&video)? else { continue };
            let recording = video.split('[').next().unwrap_or_default().to_owned();
            let own = video.ends_with(']') && rows.shape.first() == Some(&1);
            is_aligned &= own;
            let width = rows.values.len() / rows.shape.first().copied().unwrap_or(1).max(1);
            for (row, values) in rows.values.chunks_exact(width.max(1)).enumerate() {
                let id = if own { video.clone() } else { format!("{video}[{row}]") };
                let (label, affect) = match label(values, variant) {
                    Ok(found) => found,
                    Err(reason) => {
                        draft.leave_out(id, reason);
                        continue;
                    }
                };
                let span = if own { None } else { intervals.get(row).copied() };
                let mut features = Vec::new();
                for source in &mut sources {
                    features.extend(source.steps(&video, span, &id, &mut draft)?);
                }
                let text = transcript.as_mut().map(|words| words.text(&video, span)).transpose()?.flatten();
                is_aligned &= features.windows(2).all(|pair: &[FeatureRef]| pair[0].n_steps == pair[1].n_steps);
                draft.rows.push(Row {
                    id: Some(id),
                    label: label.to_owned(),
                    affect,
                    split: splits.get(&recording).map(|split| split.name().to_owned()),
                    speaker: Some(recording.clone()),
                    recording: Some(recording.clone()),
                    text,
                    features,
                    ..Row::default()
                });
            }
        }
        draft.streams.iter_mut().for_each(|stream| stream.aligned = is_aligned);
        let what = if variant == "emotions" {
            draft.labels = EMOTIONS.to_vec();
            "the strongest emotion"
        } else {
            draft.labels = SENTIMENTS.to_vec();
            draft.scale = Some(Scale::SENTIMENT);
            "sentiment, by its sign as classes"
        };
        let parts = if splits.is_empty() { "" } else { ", parts by the lists of videos" };
        if splits.is_empty() {
            let reason = "no train.txt, valid.txt and test.txt, one video a line: write the SDK's standard folds into them \
                          for the official parts";
            draft.note(root, reason);
        }
        draft.protocol = Some(format!("{}, {what}{parts}", stem(&labels.path)));
        draft.finish(options)
    }
}

fn files(root: &Path) -> Vec<PathBuf> {
    let found = entries(root).unwrap_or_default().into_iter();
    let is_csd = |path: &Path| extension(path).as_deref() == Some("csd");
    found.filter(|(path, is_folder)| !is_folder && is_csd(path)).map(|(path, _)| path).collect()
}

/// The split of each video, where there are lists.
fn splits(root: &Path) -> Result<HashMap<String, Split>, DatasetError> {
    let mut splits = HashMap::new();
    for (path, _) in entries(root).unwrap_or_default() {
        if extension(&path).as_deref() == Some("txt")
            && let Ok(split) = stem(&path).parse::<Split>()
        {
            splits.extend(Lines::read(&path)?.lines.into_iter().map(|(_, video)| (video.trim().to_owned(), split)));
        }
    }
    Ok(splits)
}

/// Class and sentiment of a row of labels; the error says why it has none.
fn label(values: &[f32], variant: &str) -> Result<(&'static str, Affect), String> {
    if variant != "emotions" {
        return class(&values[..1], Scale::SENTIMENT);
    }
    let emotions = values.get(1..7).ok_or("labels without emotions")?;
    let strongest = emotions.iter().copied().fold(0.0, f32::max);
    let found: Vec<&str> =
        EMOTIONS.into_iter().zip(emotions).filter(|(_, value)| **value == strongest).map(|(name, _)| name).collect();
    match found.as_slice() {
        [emotion] if strongest > 0.0 => Ok((emotion, Affect::default())),
        _ if strongest > 0.0 => Err("several emotions are equally strong".to_owned()),
        _ => Err("none of the six emotions".to_owned()),
    }
}

/// Start and end in seconds.
type Span = (f32, f32);

/// One file, of one sequence a video.
struct Sequences {
    path: PathBuf,
    store: Store,
    /// Name in front of `/data/`.
    name: String,
}

impl Sequences {
    fn open(path: PathBuf) -> Result<Self, DatasetError> {
        let store = Store::open(&path)?;
        let name = store.names().find_map(|name| Some(name.split_once("/data/")?.0.to_owned()));
        let what = || format!("a computational sequence (NAME/data/VIDEO/features) in {}", stem(&path));
        let name = name.ok_or_else(|| DatasetError::Incomplete { what: what(), path: path.clone() })?;
        Ok(Self { path, store, name })
    }

    fn array(&self, video: &str, part: &str) -> String {
        format!("{}/data/{video}/{part}", self.name)
    }

    fn videos(&self) -> Vec<String> {
        let video = |name: &str| Some(name.split_once("/data/")?.1.strip_suffix("/features")?.to_owned());
        self.store.names().filter_map(video).collect()
    }

    fn has_texts(&self) -> bool {
        self.videos().first().is_some_and(|video| self.store.texts(&self.array(video, "features")).is_some())
    }

    /// Rows of a video and the time that each spans; `None` where they are no numbers.
    fn read(&mut self, video: &str) -> Result<Option<(Array, Vec<Span>)>, DatasetError> {
        let name = self.array(video, "features");
        if self.store.shape(&name).is_none() || self.store.texts(&name).is_some() {
            return Ok(None);
        }
        let rows = self.store.read(&name, None)?;
        Ok(Some((rows, self.intervals(video)?)))
    }

    fn intervals(&mut self, video: &str) -> Result<Vec<Span>, DatasetError> {
        let name = self.array(video, "intervals");
        if self.store.shape(&name).is_none() {
            return Ok(Vec::new());
        }
        let times = self.store.read(&name, None)?.values;
        Ok(times.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }

    /// The words of a clip.
    fn text(&mut self, video: &str, span: Option<Span>) -> Result<Option<String>, DatasetError> {
        let intervals = self.intervals(video)?;
        let Some(words) = self.store.texts(&self.array(video, "features")) else { return Ok(None) };
        let (first, n) = within(&intervals, span, words.values.len());
        let words = words.values.iter().skip(first).take(n).map(|word| word.trim());
        let text = words.filter(|word| !word.is_empty() && *word != PAUSE).collect::<Vec<_>>().join(" ");
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

/// First of the steps whose middles lie in `span`, and their number; all `n_steps` where no span is given.
fn within(intervals: &[Span], span: Option<Span>, n_steps: usize) -> (usize, usize) {
    let Some((start, end)) = span else { return (0, n_steps) };
    let is_in = |(from, to): &Span| (start..end).contains(&((from + to) / 2.0));
    let steps = &intervals[..intervals.len().min(n_steps)];
    let Some(first) = steps.iter().position(is_in) else { return (0, 0) };
    let last = steps.iter().rposition(is_in).expect("there is a first one");
    (first, last + 1 - first)
}

/// A sequence of features and its stream.
struct Source {
    file: Sequences,
    stream: usize,
    n_dims: usize,
    /// Of the video that was asked for last.
    times: (String, Vec<Span>),
    /// Steps and values a step of each video.
    shapes: BTreeMap<String, (usize, usize)>,
}

impl Source {
    /// `None`, and a note, where it is not known what the features are made of.
    fn of(file: Sequences, draft: &mut Draft<'_>) -> Result<Option<Self>, DatasetError> {
        let named = format!("{} {}", file.name, stem(&file.path)).to_lowercase();
        let modality = WORDS.iter().find(|(_, words)| words.iter().any(|word| named.contains(word)));
        let mut shapes = BTreeMap::new();
        for video in file.videos() {
            let shape = match file.store.shape(&file.array(&video, "features")) {
                Some(&[n_steps]) => (n_steps, 1),
                Some(&[n_steps, n_dims]) => (n_steps, n_dims),
                _ => continue,
            };
            shapes.insert(video, shape);
        }
        let n_dims = shapes.values().next().map(|&(_, n_dims)| n_dims);
        let (Some((modality, _)), Some(n_dims)) = (modality, n_dims) else {
            let what = "neither words, voice nor face by their name, or no sequences: these features are not used";
            draft.note(&file.path, what);
            return Ok(None);
        };
        let stream = draft.streams.len();
        let name = file.name.clone();
        draft.streams.push(Stream { name, modality: *modality, n_dims, aligned: false, extracted: false });
        Ok(Some(Self { file, stream, n_dims, times: Default::default(), shapes }))
    }

    /// The steps of a clip; what it lacks is noted.
    fn steps(
        &mut self,
        video: &str,
        span: Option<Span>,
        clip: &str,
        draft: &mut Draft<'_>,
    ) -> Result<Option<FeatureRef>, DatasetError> {
        let name = self.file.name.clone();
        let Some(&(n_steps, n_dims)) = self.shapes.get(video) else {
            draft.note(clip, format!("{name} does not have it"));
            return Ok(None);
        };
        if n_dims != self.n_dims {
            draft.note(clip, format!("{name} has {n_dims} values a step here instead of {}: not used", self.n_dims));
            return Ok(None);
        }
        if span.is_some() && self.times.0 != video {
            self.times = (video.to_owned(), self.file.intervals(video)?);
        }
        let (first_step, n_steps) = within(&self.times.1, span, n_steps);
        if n_steps == 0 {
            draft.note(clip, format!("{name} has nothing at its time"));
            return Ok(None);
        }
        Ok(Some(FeatureRef {
            stream: self.stream,
            path: self.file.path.file_name().map(PathBuf::from).unwrap_or_default(),
            array: Some(self.file.array(video, "features")),
            row: None,
            first_dim: 0,
            first_step,
            n_steps,
        }))
    }
}

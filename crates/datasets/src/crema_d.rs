//! CREMA-D (Cao et al. 2014): 7,442 recordings of 91 actors, six emotions.
//!
//! `AudioWAV/1001_DFA_ANG_XX.wav` and `VideoFlash/1001_DFA_ANG_XX.flv`: actor, sentence, intended emotion, level; names
//! are unique, so folders may be called otherwise. What raters saw is in `processedResults/summaryTable.csv` (with
//! ties, `A:D`); VAVL's `label_consensus_1.csv` has shares of raters and splits, its `Face_features` an array for each
//! recording.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::split::fold_of_part;
use crate::table::Table;
use crate::tree::{Kind, Recordings, Tree, child, entries, extension, kind, stem};
use crate::vavl::add_face_features;
use crate::{CsvList, DatasetError, Importer, Options, Variant, variant};

/// In the alphabetical order of the codes.
pub(crate) const LABELS: [&str; 6] = ["anger", "disgust", "fear", "happiness", "neutral", "sadness"];
const CODES: [&str; 6] = ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"];
/// Columns of VAVL's lists, and the classes of its checkpoints in their order.
const CONSENSUS: [(&str, &str); 6] = [
    ("angry", "anger"),
    ("sad", "sadness"),
    ("disgust", "disgust"),
    ("fear", "fear"),
    ("neutral", "neutral"),
    ("happy", "happiness"),
];
/// Recordings that the corpus is known to ship damaged.
const DAMAGED: [&str; 4] = ["1076_MTI_NEU_XX", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX", "1064_IEO_DIS_MD"];
/// Sentences by their codes.
const SENTENCES: [(&str, &str); 12] = [
    ("IEO", "It's eleven o'clock."),
    ("TIE", "That is exactly what happened."),
    ("IOM", "I'm on my way to the meeting."),
    ("IWW", "I wonder what this is about."),
    ("TAI", "The airplane is almost full."),
    ("MTI", "Maybe tomorrow it will be cold."),
    ("IWL", "I would like a new alarm clock."),
    ("ITH", "I think I have a doctor's appointment."),
    ("DFA", "Don't forget a jacket."),
    ("ITS", "I think I've seen this before."),
    ("TSI", "The surface is slick."),
    ("WSI", "We'll stop in a couple of minutes."),
];
const N_FOLDS: usize = 5;
/// Folders down to which a first recording is looked for.
const DEPTH: usize = 3;

/// Folder of CREMA-D, with the lists of VAVL if they are there.
pub struct CremaD;

impl Importer for CremaD {
    fn name(&self) -> &'static str {
        "crema-d"
    }

    fn describe(&self) -> &'static str {
        "CREMA-D: AudioWAV and VideoFlash with 1001_DFA_ANG_XX.*, processedResults/summaryTable.csv, label_consensus_K.csv, Face_features/*.npy"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "intended", describe: "the emotion that the actor was asked for" },
            Variant { name: "multimodal", describe: "what most raters saw and heard (summaryTable.csv)" },
            Variant { name: "face", describe: "what most raters saw without sound (summaryTable.csv)" },
            Variant { name: "voice", describe: "what most raters heard without picture (summaryTable.csv)" },
            Variant { name: "consensus", describe: "shares of the raters and splits by VAVL (label_consensus_K.csv)" },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        let mut own = ["AudioWAV", "VideoFlash"].iter().filter_map(|name| child(root, &[name]));
        // A list that somebody made of the recordings says more than their names.
        own.any(|folder| has_takes(&folder, 0)) || !CsvList.recognizes(root) && has_takes(root, DEPTH)
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let variant = variant(self, options)?;
        let mut draft = Draft::new(self.name(), root, root, warn);
        let mut files = Tree::walk(root, &mut |problem| draft.warn(problem))?.files;
        // The corpus has the sound twice, and AudioMP3 is made of AudioWAV.
        files.sort_by_key(|file| extension(file).is_none_or(|end| end != "wav"));
        let recordings = Recordings::new(&files);
        if variant == "consensus" {
            consensus(root, &files, &recordings, options, &mut draft)?;
            add_face_features(root, &files, &mut draft);
            return draft.finish(options);
        }
        let perceived = match variant {
            "intended" => None,
            _ => Some(perceived(root, &files, variant)?),
        };
        let mut stems: Vec<&str> = files.iter().filter(|file| is_recording(file)).map(|file| stem(file)).collect();
        stems.sort_unstable();
        stems.dedup();
        let mut actors: Vec<&str> = stems.iter().filter_map(|stem| Some(Take::of(stem)?.actor)).collect();
        actors.dedup();
        for name in stems {
            let Some(take) = Take::of(name) else {
                draft.skip(name, "not called like 1001_DFA_ANG_XX: left out");
                continue;
            };
            let label = match &perceived {
                None => take.label,
                Some(votes) => match votes.get(name).map(String::as_str) {
                    Some(vote) if vote.contains(':') => {
                        draft.leave_out(name, format!("the raters tie between classes ({variant})"));
                        continue;
                    }
                    Some(vote) => match LABELS.into_iter().find(|label| label[..1].eq_ignore_ascii_case(vote)) {
                        Some(label) => label,
                        None => {
                            draft.skip(name, format!("summaryTable.csv has the unknown vote {vote:?}: left out"));
                            continue;
                        }
                    },
                    None => {
                        draft.skip(name, "not in summaryTable.csv: left out");
                        continue;
                    }
                },
            };
            let fold =
                actors.binary_search(&take.actor).expect("actors were collected from the same names") % N_FOLDS + 1;
            push(
                &mut draft,
                name,
                &recordings,
                Row { label: label.to_owned(), split: Some(fold.to_string()), ..Row::default() },
            );
        }
        add_face_features(root, &files, &mut draft);
        draft.labels = LABELS.to_vec();
        draft.protocol = Some(format!("CREMA-D, {variant} emotions; actors dealt in order to"));
        let fold = fold_of_part(&mut draft.rows, options.fold, 1);
        draft.finish(&Options { fold, ..options.clone() })
    }
}

/// What a name says.
struct Take<'a> {
    actor: &'a str,
    sentence: &'a str,
    label: &'static str,
}

impl<'a> Take<'a> {
    fn of(stem: &'a str) -> Option<Self> {
        let parts: Vec<&str> = stem.split('_').collect();
        let [actor, sentence, code, level] = parts.as_slice() else { return None };
        let is_actor = actor.len() == 4 && actor.bytes().all(|byte| byte.is_ascii_digit());
        // Some levels are written X instead of XX.
        let fits = is_actor && sentence.len() == 3 && ["LO", "MD", "HI", "XX", "X"].contains(level);
        let label = CODES.iter().position(|own| own == code)?;
        fits.then_some(Self { actor, sentence, label: LABELS[label] })
    }
}

/// Who speaks in the recording `stem`; `None` where it is not called like one.
pub(crate) fn actor(stem: &str) -> Option<&str> {
    Take::of(stem).map(|take| take.actor)
}

fn is_recording(file: &Path) -> bool {
    matches!(kind(file), Some(Kind::Video | Kind::Sound))
}

/// Whether a recording at or below `folder` is called like a take.
fn has_takes(folder: &Path, depth: usize) -> bool {
    let Ok(found) = entries(folder) else { return false };
    found.iter().any(|(path, is_folder)| !is_folder && is_recording(path) && Take::of(stem(path)).is_some())
        || depth > 0 && found.iter().any(|(path, is_folder)| *is_folder && has_takes(path, depth - 1))
}

/// Adds `row` with the files, the actor and the sentence of the recording `name`.
fn push(draft: &mut Draft<'_>, name: &str, recordings: &Recordings, row: Row) {
    let Some((path, audio)) = recordings.find(name) else {
        draft.skip(name, "neither video nor sound is there: left out");
        return;
    };
    if DAMAGED.contains(&name) {
        draft.note(&path, "the corpus is known to ship this recording damaged");
    }
    let take = Take::of(name);
    let spoken = take.as_ref().and_then(|take| SENTENCES.iter().find(|(code, _)| *code == take.sentence));
    draft.rows.push(Row {
        path,
        audio,
        speaker: take.map(|take| take.actor.to_owned()),
        text: spoken.map(|(_, sentence)| (*sentence).to_owned()),
        ..row
    });
}

/// Votes by recording, as `A`, or `A:D` for a tie.
fn perceived(root: &Path, files: &[PathBuf], variant: &str) -> Result<HashMap<String, String>, DatasetError> {
    let is_table = |file: &&PathBuf| file.file_name().is_some_and(|name| name.eq_ignore_ascii_case("summaryTable.csv"));
    let table = files.iter().find(is_table).ok_or_else(|| DatasetError::Incomplete {
        what: "processedResults/summaryTable.csv".to_owned(),
        path: root.to_owned(),
    })?;
    let list = root.join(table);
    let table = Table::read(&list)?;
    let column = match variant {
        "face" => "FaceVote",
        "voice" => "VoiceVote",
        _ => "MultiModalVote",
    };
    let [name, vote] = table.columns(["FileName", column], &list)?;
    Ok(table.records.iter().map(|record| (record.field(name).to_owned(), record.field(vote).to_owned())).collect())
}

/// The rows of one of VAVL's partitions.
fn consensus(
    root: &Path,
    files: &[PathBuf],
    recordings: &Recordings,
    options: &Options,
    draft: &mut Draft<'_>,
) -> Result<(), DatasetError> {
    let mut partitions: Vec<(usize, &PathBuf)> = files
        .iter()
        .filter_map(|file| {
            let name = stem(file).strip_prefix("label_consensus_").or(stem(file).strip_prefix("labels_consensus_"))?;
            Some((name.parse().ok()?, file))
        })
        .collect();
    partitions.sort_unstable();
    let fold = options.fold.unwrap_or(1);
    let list = partitions.iter().find(|(number, _)| *number == fold).ok_or_else(|| DatasetError::NoFold {
        asked: fold,
        there: match partitions.len() {
            0 => "none, for label_consensus_K.csv is missing".to_owned(),
            n => format!("1 to {n}"),
        },
        path: root.to_owned(),
    })?;
    let list = root.join(list.1);
    let table = Table::read(&list)?;
    let [name, split] = table.columns(["FileName", "Split_Set"], &list)?;
    let columns = table.columns(CONSENSUS.map(|(column, _)| column), &list)?;
    for record in &table.records {
        let (file, line) = (record.field(name), record.line);
        let votes: Option<Vec<f32>> = columns.iter().map(|&column| record.field(column).parse::<f32>().ok()).collect();
        let votes = votes.filter(|votes| votes.iter().all(|share| (0.0..=1.0).contains(share)));
        let Some(mut votes) = votes.filter(|votes| votes.iter().sum::<f32>() > 0.0) else {
            draft.skip(file, format!("line {line} has no shares of raters in 0..1: left out"));
            continue;
        };
        let total: f32 = votes.iter().sum();
        votes.iter_mut().for_each(|share| *share /= total);
        let best = votes.iter().copied().fold(0.0, f32::max);
        let mut winners = (0..votes.len()).filter(|&label| votes[label] == best);
        let label = winners.next().expect("the best share is one of the shares");
        if winners.next().is_some() {
            draft.leave_out(file, "the raters tie between classes (consensus)");
            continue;
        }
        let (label, split) = (CONSENSUS[label].1.to_owned(), Some(record.field(split).to_owned()));
        push(draft, stem(Path::new(file)), recordings, Row { label, votes, split, ..Row::default() });
    }
    draft.labels = CONSENSUS.iter().map(|(_, label)| *label).collect();
    draft.protocol = Some(format!("CREMA-D, VAVL's partition {fold} of {}", partitions.len()));
    Ok(())
}

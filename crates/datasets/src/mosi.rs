//! CMU-MOSI as the tables of bc-LSTM (Poria et al. 2017): one vector an utterance and modality, no media.
//!
//! `{text,audio,video}_{train,test}.csv` without headers, the 0/1 label in the last column, and `transcripts_train.csv`
//! with `utterance_id,video_id,text,label`; line *i* is the same utterance in all of them.

use std::path::{Path, PathBuf};

use emotion::{FeatureRef, Manifest, Modality, Problem, Stream};

use crate::assemble::{Draft, Row};
use crate::table::{Lines, Table};
use crate::tree::child;
use crate::{DatasetError, Importer, Options};

const LABELS: [&str; 2] = ["negative", "positive"];
const PARTS: [(&str, Modality); 3] = [("text", Modality::Text), ("audio", Modality::Voice), ("video", Modality::Face)];

/// Folder of utterance features.
pub struct Mosi;

impl Importer for Mosi {
    fn name(&self) -> &'static str {
        "mosi-utterances"
    }

    fn describe(&self) -> &'static str {
        "CMU-MOSI by utterance: {text,audio,video}_{train,test}.csv and transcripts_{train,test}.csv"
    }

    fn recognizes(&self, root: &Path) -> bool {
        let is_there = |name: &str| child(root, &[name]).is_some();
        is_there("transcripts_train.csv") && PARTS.iter().all(|(part, _)| is_there(&format!("{part}_train.csv")))
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let mut draft = Draft::new(self.name(), root, root, warn);
        for split in ["train", "val", "test"] {
            let Some(list) = child(root, &[&format!("transcripts_{split}.csv")]) else { continue };
            let table = Table::read(&list)?;
            let [id, video, text, label] = table.columns(["utterance_id", "video_id", "text", "label"], &list)?;
            let parts = parts(root, split, table.records.len(), &mut draft)?;
            for (row, record) in table.records.iter().enumerate() {
                let name = record.field(id);
                let Some(label) = record.field(label).parse::<usize>().ok().filter(|label| *label < 2) else {
                    draft.skip(name, format!("line {} has a label other than 0 and 1: left out", record.line));
                    continue;
                };
                if parts.iter().any(|part| part.labels[row] != label) {
                    draft.skip(name, format!("line {} has another label in its features: left out", record.line));
                    continue;
                }
                let feature = |part: &Part| FeatureRef {
                    stream: part.stream,
                    path: part.path.clone(),
                    array: None,
                    row: Some(row),
                    first_dim: 0,
                    first_step: 0,
                    n_steps: 1,
                };
                let text = record.field(text);
                draft.rows.push(Row {
                    id: Some(name.to_owned()),
                    label: LABELS[label].to_owned(),
                    split: Some(split.to_owned()),
                    speaker: Some(record.field(video).to_owned()),
                    recording: Some(record.field(video).to_owned()),
                    text: (!text.is_empty()).then(|| text.to_owned()),
                    features: parts.iter().map(feature).collect(),
                    ..Row::default()
                });
            }
        }
        // The tables sort `video_10` before `video_2`.
        let number = |id: &str| id.rsplit('_').next().and_then(|number| number.parse::<usize>().ok());
        draft.rows.sort_by_cached_key(|row| (row.recording.clone(), row.id.as_deref().and_then(number)));
        draft.labels = LABELS.to_vec();
        draft.protocol = Some("CMU-MOSI, two classes".to_owned());
        draft.finish(options)
    }
}

/// One modality of one split.
struct Part {
    stream: usize,
    path: PathBuf,
    labels: Vec<usize>,
}

/// The feature tables of a split that fit its transcripts.
fn parts(root: &Path, split: &str, n_rows: usize, draft: &mut Draft<'_>) -> Result<Vec<Part>, DatasetError> {
    let mut parts = Vec::new();
    for (name, modality) in PARTS {
        let Some(path) = child(root, &[&format!("{name}_{split}.csv")]) else { continue };
        let lines = Lines::read(&path)?.lines;
        let n_dims = lines.first().map_or(0, |(_, line)| line.split(',').count().saturating_sub(1));
        let label = |(_, line): &(u64, String)| {
            let label = line.rsplit(',').next()?.trim().trim_matches('"').parse::<f64>().ok()?;
            (line.split(',').count() == n_dims + 1).then_some(label as usize)
        };
        let labels: Option<Vec<usize>> = lines.iter().map(label).collect();
        match labels {
            Some(labels) if labels.len() == n_rows => {
                let known = draft.streams.iter().position(|stream| stream.name == name);
                let stream = known.unwrap_or(draft.streams.len());
                if known.is_none() {
                    let name = name.to_owned();
                    draft.streams.push(Stream { name, modality, n_dims, aligned: true, extracted: false });
                }
                let path = path.strip_prefix(root).expect("it is listed below the root").to_owned();
                parts.push(Part { stream, path, labels });
            }
            Some(labels) => {
                let n = labels.len();
                draft.note(path, format!("{n} lines for {n_rows} transcripts: these features are not used"));
            }
            None => draft.note(path, "not a table of numbers of one width: these features are not used"),
        }
    }
    Ok(parts)
}

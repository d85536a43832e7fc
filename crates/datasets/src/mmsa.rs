//! CMU-MOSI, CMU-MOSEI and CH-SIMS as MMSA keeps the films and their annotation: `label.csv` with `Raw/VIDEO/CLIP.mp4`.
//!
//! The list has the columns `video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode`: the sentiment of the
//! clip and of each of its modalities, its class, and the official part. Only CH-SIMS has sentiments of single
//! modalities; they tell its scale from that of the others, and are left out. Where there are pickles in `Processed`,
//! the folder is read as sequences.

use std::path::{Path, PathBuf};

use emotion::{Manifest, Problem, Scale};

use crate::assemble::{Draft, Row};
use crate::naming::class_of;
use crate::sequences::{SENTIMENTS, class, films, note_without_film};
use crate::table::{Record, Table, is_list};
use crate::tree::child;
use crate::{DatasetError, Importer, Options};

const COLUMNS: [&str; 5] = ["video_id", "clip_id", "label", "annotation", "mode"];

/// Folder of films and their list.
pub struct Mmsa;

impl Importer for Mmsa {
    fn name(&self) -> &'static str {
        "mmsa"
    }

    fn describe(&self) -> &'static str {
        "MOSI, MOSEI (−3..3) and CH-SIMS (−1..1) as films: label.csv with video_id, clip_id, label, annotation, mode and Raw/VIDEO/CLIP.mp4"
    }

    fn recognizes(&self, root: &Path) -> bool {
        list(root).is_some()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let missing = || DatasetError::Incomplete {
            what: format!("label.csv with the columns {}", COLUMNS.join(", ")),
            path: root.to_owned(),
        };
        let list = list(root).ok_or_else(missing)?;
        let folder = list.parent().unwrap_or(root);
        let mut draft = Draft::new(self.name(), folder, &list, warn);
        let films = films(folder, &mut draft)?;
        let table = Table::read(&list)?;
        let [video, clip, label, annotation, mode] = table.columns(COLUMNS, &list)?;
        let [text, by_text] = ["text", "label_T"].map(|name| table.column(name));
        let number =
            |row: &Record, column: usize| row.field(column).parse::<f32>().ok().filter(|number| number.is_finite());
        let is_sims = by_text.is_some_and(|column| table.records.iter().any(|row| number(row, column).is_some()));
        let scale = if is_sims { Scale::UNIT } else { Scale::SENTIMENT };
        let mut without = Vec::new();
        for record in &table.records {
            let line = record.line;
            let field = |column: usize| Some(record.field(column)).filter(|field| !field.is_empty());
            let id = format!("{}/{}", record.field(video), record.field(clip));
            let Some(sentiment) = number(record, label) else {
                draft.skip(id, format!("line {line} has no number as its label: left out"));
                continue;
            };
            let (by_sign, affect) = match class(&[sentiment], scale) {
                Ok(found) => found,
                Err(reason) => {
                    draft.leave_out(id, reason);
                    continue;
                }
            };
            let label = field(annotation).map_or(Some(by_sign), |word| class_of(word, &SENTIMENTS));
            let Some(label) = label else {
                let word = field(annotation).unwrap_or_default();
                draft.skip(id, format!("line {line} has the unknown annotation {word:?}: left out"));
                continue;
            };
            let (path, text) = (films.get(&id.to_lowercase()).cloned(), text.and_then(field).map(str::to_owned));
            match (&path, &text) {
                (Some(_), _) => {}
                (None, Some(_)) => without.push(id.clone()),
                (None, None) => {
                    draft.skip(&id, format!("line {line} has no text, and Raw/{id}.mp4 is missing: left out"));
                    continue;
                }
            }
            draft.rows.push(Row {
                id: Some(id),
                path: path.unwrap_or_default(),
                label: label.to_owned(),
                affect,
                split: field(mode).map(str::to_owned),
                speaker: field(video).map(str::to_owned),
                recording: field(video).map(str::to_owned),
                text,
                ..Row::default()
            });
        }
        note_without_film(&without, "texts", &mut draft);
        draft.labels = SENTIMENTS.to_vec();
        draft.scale = Some(scale);
        let whose = if is_sims { "CH-SIMS's" } else { "MMSA's" };
        draft.protocol = Some(format!("{whose} official parts, sentiment as three classes"));
        draft.finish(options)
    }
}

/// The list at `root` or in it.
fn list(root: &Path) -> Option<PathBuf> {
    let list = if root.is_file() { root.to_owned() } else { child(root, &["label.csv"])? };
    let table = is_list(&list).then(|| Table::head(&list).ok()).flatten()?;
    COLUMNS.iter().all(|name| table.column(name).is_some()).then_some(list)
}

//! MELD (Poria et al. 2019): 13,708 utterances of a television series, with emotion, sentiment and speaker.
//!
//! `{train,dev,test}_sent_emo.csv`, of which `train.tar.gz` unpacks its own beside its films; films are `dia0_utt0.mp4`
//! in a folder per split, if they are there at all.
//! The official parts share their speakers.

use std::path::{Path, PathBuf};

use emotion::{Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::naming::class_of;
use crate::table::Table;
use crate::tree::{Kind, Recordings, Tree, child};
use crate::{DatasetError, Importer, Options, Variant, variant};

const EMOTIONS: [&str; 7] = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"];
const SENTIMENTS: [&str; 3] = ["negative", "neutral", "positive"];
/// Parts with the folders that the archives of their films unpack to.
const SPLITS: [(&str, &str); 3] =
    [("train", "train_splits"), ("dev", "dev_splits_complete"), ("test", "output_repeated_splits_test")];

/// Folder of MELD.
pub struct Meld;

impl Importer for Meld {
    fn name(&self) -> &'static str {
        "meld"
    }

    fn describe(&self) -> &'static str {
        "MELD: {train,dev,test}_sent_emo.csv, with or without folders of dia0_utt0.mp4"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "emotion", describe: "seven emotions" },
            Variant { name: "sentiment", describe: "negative, neutral, positive" },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        SPLITS.iter().any(|(split, films)| list(root, split, films).is_some())
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let variant = variant(self, options)?;
        let (column, labels): (_, &[&'static str]) =
            if variant == "sentiment" { ("Sentiment", &SENTIMENTS) } else { ("Emotion", &EMOTIONS) };
        let mut draft = Draft::new(self.name(), root, root, warn);
        let files = Tree::walk(root, &mut |problem| draft.warn(problem))?.files;
        for (split, folder) in SPLITS {
            let Some(list) = list(root, split, folder) else {
                draft.note(
                    format!("{split}_sent_emo.csv"),
                    format!("the list of {split} is missing: its clips are left out"),
                );
                continue;
            };
            let films = films(&files, split);
            if films.is_none() {
                draft.note(&list, format!("no films of {split} beside the list: the clips are text alone"));
            }
            let table = Table::read(&list)?;
            if table.n_foreign() > 0 {
                draft.note(
                    &list,
                    format!("lines that are not UTF-8, read as GBK or Windows-1252: {}", table.n_foreign()),
                );
            }
            let [text, speaker, class, dialogue, utterance] =
                table.columns(["Utterance", "Speaker", column, "Dialogue_ID", "Utterance_ID"], &list)?;
            for record in &table.records {
                let name = format!("dia{}_utt{}", record.field(dialogue), record.field(utterance));
                let id = format!("{split}/{name}");
                let Some(label) = class_of(record.field(class), labels) else {
                    let found = record.field(class);
                    draft.skip(id, format!("line {} has the unknown class {found:?}: left out", record.line));
                    continue;
                };
                let film = films.as_ref().and_then(|films| films.get(&name, Kind::Video)).cloned();
                if film.is_none() && films.is_some() {
                    draft.note(&id, "film is missing: the clip is text alone");
                }
                draft.rows.push(Row {
                    path: film.unwrap_or_default(),
                    id: Some(id),
                    label: label.to_owned(),
                    split: Some(split.to_owned()),
                    speaker: Some(record.field(speaker).to_owned()),
                    text: Some(record.field(text).to_owned()).filter(|text| !text.is_empty()),
                    ..Row::default()
                });
            }
        }
        draft.labels = labels.to_vec();
        draft.protocol = Some(format!("MELD's official parts, {variant}"));
        draft.finish(options)
    }
}

/// The list of a split: on top, in the folder of the split, or with its films.
fn list(root: &Path, split: &str, films: &str) -> Option<PathBuf> {
    let folders = [root.to_owned(), root.join(split), root.join(films), root.join(split).join(films)];
    folders.iter().find_map(|folder| child(folder, &[&format!("{split}_sent_emo.csv")]))
}

/// Films of a split, in folders that have its name in theirs.
fn films(files: &[PathBuf], split: &str) -> Option<Recordings> {
    let is_own = |file: &&PathBuf| {
        let folder = file.parent().map(|folder| folder.to_string_lossy().to_lowercase()).unwrap_or_default();
        folder.contains(split)
    };
    let own: Vec<PathBuf> =
        files.iter().filter(is_own).filter(|file| crate::tree::kind(file) == Some(Kind::Video)).cloned().collect();
    (!own.is_empty()).then(|| Recordings::new(&own))
}

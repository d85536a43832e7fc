//! Kaldi's data folders: `wav.scp` with a recording a line, and beside it lists that begin with the same names.
//!
//! `utt2emo` (or `utt2label`, `labels`) has the classes, `utt2spk` the speakers, `text` the words, `utt2split` the
//! parts; folders below the root or its `data` that are called after train, dev and test, as `train_sp` and
//! `test_clean` are, are parts as well. Paths in lists are those of the folder, of the root, or of the recipe, from
//! which `data` is seen. Left out:
//! commands in place of files, which would have to be run, and `segments`, without which the names in the lists mean
//! nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{Manifest, Problem, Split};

use crate::assemble::{Draft, Row};
use crate::table::Lines;
use crate::tree::{Finder, Lost, Tree, child, entries};
use crate::{DatasetError, Importer, Options};

const LABELS: [&str; 4] = ["utt2emo", "utt2label", "utt2emotion", "labels"];

/// A data folder, or one a part.
pub struct Kaldi;

impl Importer for Kaldi {
    fn name(&self) -> &'static str {
        "kaldi"
    }

    fn describe(&self) -> &'static str {
        "Kaldi's data folders: wav.scp and utt2emo with utt2spk, text and utt2split where known, or [data/]{train,dev,test}/wav.scp"
    }

    fn recognizes(&self, root: &Path) -> bool {
        !DataFolders::of(root).used.is_empty()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let mut draft = Draft::new(self.name(), root, root, warn);
        let finder = Finder::new(Tree::walk(root, &mut |problem| draft.warn(problem))?);
        let DataFolders { used, left_out } = DataFolders::of(root);
        if used.is_empty() {
            let data = if is_data(root) { Some(root) } else { left_out.first().map(|(folder, _)| folder.as_path()) };
            return Err(match data {
                Some(data) => DatasetError::Incomplete {
                    what: format!("{} (or {})", LABELS[0], LABELS[1..].join(", ")),
                    path: data.to_owned(),
                },
                None => DatasetError::Incomplete { what: "wav.scp".to_owned(), path: root.to_owned() },
            });
        }
        for (folder, reason) in left_out {
            draft.note(folder, reason);
        }
        for (folder, split) in used {
            let segments = folder.join("segments");
            if segments.is_file() {
                let reason = "segments cut recordings into utterances, which is not supported: \
                              cut them first, one file an utterance, named in wav.scp";
                return Err(DatasetError::Unreadable { reason: reason.to_owned(), path: segments });
            }
            let list = |name: &str| pairs(&folder.join(name));
            let labels =
                LABELS.iter().map(|name| list(name)).find(|found| !matches!(found, Ok(found) if found.is_empty()));
            let labels = labels.unwrap_or_else(|| Ok(HashMap::new()))?;
            let (speakers, texts, splits) = (list("utt2spk")?, list("text")?, list("utt2split")?);
            for (line, text) in Lines::read(&folder.join("wav.scp"))?.lines {
                let Some((name, file)) = text.trim().split_once(char::is_whitespace) else {
                    draft.skip(folder.join("wav.scp"), format!("line {line} is not NAME FILE: left out"));
                    continue;
                };
                let file = file.trim();
                if file.ends_with('|') {
                    draft.skip(name, format!("line {line} is a command, which is not run: left out"));
                    continue;
                }
                let Some(label) = labels.get(name) else {
                    draft.skip(name, "no label: left out");
                    continue;
                };
                let path = match direct(root, &folder, file).map_or_else(|| finder.find(file).map(Path::to_owned), Ok) {
                    Ok(path) => path,
                    Err(Lost::Missing) => {
                        draft.skip(name, format!("file of line {line} is missing: left out"));
                        continue;
                    }
                    Err(Lost::Ambiguous(n, some)) => {
                        draft.skip(name, format!("line {line} can mean {n} files ({some}): left out"));
                        continue;
                    }
                };
                draft.rows.push(Row {
                    id: Some(name.to_owned()),
                    path,
                    label: label.clone(),
                    split: split.map(|split| split.name().to_owned()).or_else(|| splits.get(name).cloned()),
                    speaker: speakers.get(name).cloned(),
                    text: texts.get(name).cloned(),
                    ..Row::default()
                });
            }
        }
        draft.finish(options)
    }
}

struct DataFolders {
    /// With the parts that their names give.
    used: Vec<(PathBuf, Option<Split>)>,
    /// With the reasons.
    left_out: Vec<(PathBuf, &'static str)>,
}

impl DataFolders {
    fn of(root: &Path) -> Self {
        let has_labels = |folder: &Path| LABELS.iter().any(|name| folder.join(name).is_file());
        if is_data(root) && has_labels(root) {
            return Self { used: vec![(root.to_owned(), None)], left_out: Vec::new() };
        }
        let below = |root: &Path| -> Vec<PathBuf> {
            {
                let folders = entries(root).unwrap_or_default().into_iter().filter(|(_, is_folder)| *is_folder);
                folders.map(|(path, _)| path).filter(|path| is_data(path)).collect()
            }
        };
        let mut found = below(root);
        if found.is_empty() {
            found = child(root, &["data"]).map(|data| below(&data)).unwrap_or_default();
        }
        let has_parts = found.iter().any(|folder| has_labels(folder) && split(folder).is_some());
        let (mut used, mut left_out) = (Vec::new(), Vec::new());
        for folder in found {
            match split(&folder) {
                _ if !has_labels(&folder) => left_out.push((folder, "no utt2emo in this folder: left out")),
                None if has_parts => left_out.push((folder, "not called after train, dev or test: left out")),
                split => used.push((folder, split)),
            }
        }
        Self { used, left_out }
    }
}

fn is_data(folder: &Path) -> bool {
    folder.join("wav.scp").is_file()
}

/// The part that a folder is called after: `train_sp` is train, but `train_dev` is held out.
fn split(folder: &Path) -> Option<Split> {
    let name = folder.file_name()?.to_str()?;
    name.split(['_', '-', '.']).filter_map(|word| word.parse().ok()).next_back()
}

/// `NAME REST` by name; nothing where there is no such list.
fn pairs(list: &Path) -> Result<HashMap<String, String>, DatasetError> {
    if !list.is_file() {
        return Ok(HashMap::new());
    }
    let pair = |(_, line): &(u64, String)| {
        let (name, rest) = line.trim().split_once(char::is_whitespace)?;
        Some((name.to_owned(), rest.trim().to_owned()))
    };
    Ok(Lines::read(list)?.lines.iter().filter_map(pair).collect())
}

/// A file named as it is, seen from the root, from its data folder, or from the recipe above that.
fn direct(root: &Path, folder: &Path, file: &str) -> Option<PathBuf> {
    let mut from = std::iter::once(root).chain(folder.ancestors().take(3));
    let found = from.find_map(|from| Some(from.join(file)).filter(|path| path.is_file()))?;
    Some(found.strip_prefix(root).map_or_else(|_| found.clone(), Path::to_owned))
}

//! Kaldi's data folders: `wav.scp` with a recording a line, and beside it lists that begin with the same names.
//!
//! `utt2emo` (or `utt2label`, `labels`) has the classes, `utt2spk` the speakers, `text` the words, `utt2split` the parts; folders called
//! train, dev and test below the root are parts as well. Left out: `segments`, and commands in place of files, which would
//! have to be run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{Manifest, Problem, Split};

use crate::assemble::{Draft, Row};
use crate::table::Lines;
use crate::tree::{Finder, Lost, Tree, entries};
use crate::{DatasetError, Importer, Options};

const LABELS: [&str; 4] = ["utt2emo", "utt2label", "utt2emotion", "labels"];

/// A data folder, or one a part.
pub struct Kaldi;

impl Importer for Kaldi {
    fn name(&self) -> &'static str {
        "kaldi"
    }

    fn describe(&self) -> &'static str {
        "Kaldi's data folders: wav.scp and utt2emo with utt2spk, text and utt2split where known, or {train,dev,test}/wav.scp"
    }

    fn recognizes(&self, root: &Path) -> bool {
        !folders(root).is_empty()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let mut draft = Draft::new(self.name(), root, root, warn);
        let finder = Finder::new(Tree::walk(root, &mut |problem| draft.warn(problem))?);
        for (folder, split) in folders(root) {
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

/// Data folders with the parts that their names give.
fn folders(root: &Path) -> Vec<(PathBuf, Option<Split>)> {
    let is_data =
        |folder: &Path| folder.join("wav.scp").is_file() && LABELS.iter().any(|name| folder.join(name).is_file());
    if is_data(root) {
        return vec![(root.to_owned(), None)];
    }
    let split = |folder: &Path| folder.file_name()?.to_str()?.parse::<Split>().ok();
    let found = entries(root).unwrap_or_default().into_iter().map(|(path, _)| path).filter(|path| is_data(path));
    found.filter_map(|path| Some((split(&path)?, path))).map(|(split, path)| (path, Some(split))).collect()
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

/// A file named as it is, from the root or from its data folder.
fn direct(root: &Path, folder: &Path, file: &str) -> Option<PathBuf> {
    let found = [root, folder].into_iter().map(|from| from.join(file)).find(|path| path.is_file())?;
    Some(found.strip_prefix(root).map_or_else(|_| found.clone(), Path::to_owned))
}

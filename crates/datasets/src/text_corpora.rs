//! Corpora of texts alone: TweetEval's emotion task and GoEmotions.
//!
//! TweetEval: `train_text.txt`, `train_labels.txt` line by line, `mapping.txt` with `0⇥anger`. GoEmotions: `train.tsv`
//! with `text⇥0,3⇥id` and `labels.txt` (or `emotions.txt`) with one name a line.

use std::path::{Path, PathBuf};

use emotion::{Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::table::{Lines, decode};
use crate::tree::child;
use crate::{DatasetError, Importer, Options, opening};

/// Folder of a TweetEval task.
pub struct TweetEval;

impl Importer for TweetEval {
    fn name(&self) -> &'static str {
        "tweet-eval"
    }

    fn describe(&self) -> &'static str {
        "TweetEval: {train,val,test}_text.txt, {train,val,test}_labels.txt, mapping.txt"
    }

    fn recognizes(&self, root: &Path) -> bool {
        ["mapping.txt", "train_text.txt", "train_labels.txt"].iter().all(|name| child(root, &[name]).is_some())
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let mut draft = Draft::new(self.name(), root, root, warn);
        let names = mapping(&root.join("mapping.txt"))?;
        for split in ["train", "val", "test"] {
            let Some(list) = child(root, &[&format!("{split}_text.txt")]) else { continue };
            let labels = lines(&root.join(format!("{split}_labels.txt")))?;
            let texts = lines(&list)?;
            if texts.len() != labels.len() {
                let what = format!("as many lines in {split}_labels.txt ({}) as texts ({})", labels.len(), texts.len());
                return Err(DatasetError::Incomplete { what, path: root.to_owned() });
            }
            for (line, (text, label)) in (1..).zip(texts.iter().zip(&labels)) {
                let name = names.iter().find(|(number, _)| *number == label.trim());
                push(&mut draft, split, line, text, name.map(|(_, name)| name.as_str()));
            }
        }
        draft.keeps_words = true;
        draft.protocol = Some("TweetEval's official parts".to_owned());
        draft.finish(options)
    }
}

/// Folder of GoEmotions.
pub struct GoEmotions;

impl Importer for GoEmotions {
    fn name(&self) -> &'static str {
        "go-emotions"
    }

    fn describe(&self) -> &'static str {
        "GoEmotions: {train,dev,test}.tsv with TEXT, LABELS, ID and labels.txt or emotions.txt"
    }

    fn recognizes(&self, root: &Path) -> bool {
        let Some(list) = child(root, &["train.tsv"]) else { return false };
        let first = Lines::read(&list).ok().and_then(|lines| lines.lines.into_iter().next());
        classes(root).is_some()
            && first.is_some_and(|(_, line)| line.rsplit('\t').nth(1).is_some_and(|labels| indices(labels).is_some()))
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let mut draft = Draft::new(self.name(), root, root, warn);
        let classes = classes(root)
            .ok_or_else(|| DatasetError::Incomplete { what: "labels.txt".to_owned(), path: root.to_owned() })?;
        let names: Vec<String> = lines(&classes)?.iter().map(|name| name.trim().to_owned()).collect();
        for split in ["train", "dev", "test"] {
            let Some(list) = child(root, &[&format!("{split}.tsv")]) else { continue };
            for (line, text) in Lines::read(&list)?.lines {
                let mut fields = text.rsplitn(3, '\t');
                let (Some(_), Some(labels), Some(text)) = (fields.next(), fields.next(), fields.next()) else {
                    draft.skip(&list, format!("line {line} is not TEXT, LABELS, ID: left out"));
                    continue;
                };
                match indices(labels).as_deref() {
                    Some([label]) => push(&mut draft, split, line, text, names.get(*label).map(String::as_str)),
                    Some(_) => draft.leave_out(format!("{split}/{line}"), "several labels"),
                    None => draft.skip(&list, format!("line {line} has the labels {labels:?}: left out")),
                }
            }
        }
        draft.keeps_words = true;
        draft.protocol = Some("GoEmotions' official parts, texts with one label".to_owned());
        draft.finish(options)
    }
}

fn push(draft: &mut Draft<'_>, split: &str, line: u64, text: &str, label: Option<&str>) {
    let id = format!("{split}/{line}");
    let text = text.trim();
    match label {
        None => draft.skip(id, "a label without a name: left out"),
        Some(_) if text.is_empty() => draft.skip(id, "no text: left out"),
        Some(label) => draft.rows.push(Row {
            id: Some(id),
            label: label.to_owned(),
            split: Some(split.to_owned()),
            text: Some(text.to_owned()),
            ..Row::default()
        }),
    }
}

/// Lines where an empty one counts, for it stands for a line of another file; only line feeds end one.
fn lines(path: &Path) -> Result<Vec<String>, DatasetError> {
    let (text, _) = decode(&opening::read(path)?);
    // Empty lines at the end are left behind by editors.
    let text = text.trim_end_matches(['\n', '\r']);
    Ok(text.split('\n').map(|line| line.trim_end_matches('\r').to_owned()).collect())
}

/// `0⇥anger` by number.
fn mapping(path: &Path) -> Result<Vec<(String, String)>, DatasetError> {
    let pair =
        |line: &String| line.split_once('\t').map(|(number, name)| (number.trim().to_owned(), name.trim().to_owned()));
    Ok(lines(path)?.iter().filter_map(pair).collect())
}

fn classes(root: &Path) -> Option<PathBuf> {
    child(root, &["labels.txt", "emotions.txt"])
}

/// `0,3`; `None` where it is something else.
fn indices(labels: &str) -> Option<Vec<usize>> {
    labels.split(',').map(|label| label.trim().parse().ok()).collect()
}

//! Datasets whose folders are the labels: `ROOT/happiness/*.mp4`, or `ROOT/train/happiness/*.mp4`.

use std::collections::BTreeMap;
use std::path::Path;

use emotion::{Manifest, Problem, Split, canonical_emotion};

use crate::assemble::{Draft, Row};
use crate::tree::{Tree, entries, extension, is_media};
use crate::{DatasetError, Importer, Options};

/// One folder per class, at the top or below one folder per split; deeper folders are free.
pub struct Folders;

impl Importer for Folders {
    fn name(&self) -> &'static str {
        "folders"
    }

    fn describe(&self) -> &'static str {
        "one folder of clips per class: ROOT/LABEL/*.mp4, or ROOT/{train,val,test}/LABEL/*.mp4"
    }

    fn recognizes(&self, root: &Path) -> bool {
        let Ok(found) = entries(root) else { return false };
        found.iter().any(|(path, is_folder)| *is_folder && holds_media(path, 4))
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        if !root.is_dir() {
            return Err(DatasetError::NotAFolder(root.to_owned()));
        }
        let files = Tree::walk(root, warn)?.files;
        if files.is_empty() {
            return Err(DatasetError::Empty(root.to_owned()));
        }
        let media: Vec<&Path> = files.iter().map(|file| file.as_path()).filter(|file| is_media(file)).collect();
        if media.is_empty() {
            return Err(DatasetError::NoMedia { found: extensions(&files), path: root.to_owned() });
        }
        let parts = |file: &Path| -> Vec<String> {
            let folders = file.parent().map(Path::components);
            folders.into_iter().flatten().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
        };
        // `train` beside `happiness` is a class; splits are splits only if every top folder is one.
        let mut tops = media.iter().map(|file| parts(file)).filter(|parts| !parts.is_empty()).peekable();
        let by_split = tops.peek().is_some() && tops.all(|parts| parts.len() >= 2 && parts[0].parse::<Split>().is_ok());
        let mut rows = Vec::new();
        for file in &media {
            let parts = parts(file);
            let (split, label) = match parts.as_slice() {
                [split, label, ..] if by_split => (Some(split.clone()), label),
                [label, ..] if !by_split => (None, label),
                _ => {
                    let reason = "outside the class folders: left out".to_owned();
                    warn(Problem { path: file.to_path_buf(), reason });
                    continue;
                }
            };
            rows.push(Row { path: file.to_path_buf(), label: label.trim().to_owned(), split, ..Row::default() });
        }
        // Without class folders below them, splits are all that such folders say.
        let only_splits = rows.iter().all(|row| row.split.is_none() && row.label.parse::<Split>().is_ok());
        if only_splits {
            return Err(DatasetError::NoLabels { n_files: media.len(), path: root.to_owned() });
        }
        let mut draft = Draft::new(self.name(), root, root, warn);
        draft.rows = rows;
        draft.finish(options)
    }
}

/// Whether a folder is called like an emotion or a split.
pub(crate) fn names_class_or_split(folder: &Path) -> bool {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    canonical_emotion(&name).is_some() || name.parse::<Split>().is_ok()
}

fn holds_media(folder: &Path, depth: usize) -> bool {
    let Ok(found) = entries(folder) else { return false };
    found.iter().any(|(path, is_folder)| !is_folder && is_media(path))
        || depth > 0 && found.iter().any(|(path, is_folder)| *is_folder && holds_media(path, depth - 1))
}

/// "3 .txt and 1 .pdf files".
fn extensions(files: &[std::path::PathBuf]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let kind = extension(file).map_or_else(|| "nameless".to_owned(), |extension| format!(".{extension}"));
        *counts.entry(kind).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let n_kinds = counts.len();
    let mut words: Vec<String> = counts.into_iter().take(3).map(|(kind, n)| format!("{n} {kind}")).collect();
    if n_kinds > 3 {
        words.push("others".to_owned());
    }
    let last = words.pop().unwrap_or_default();
    let list = if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) };
    format!("{list} files")
}

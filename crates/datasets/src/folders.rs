//! Datasets whose folders are the labels: `ROOT/happiness/*.mp4`, or `ROOT/train/happiness/*.mp4`.
//!
//! Any folder can be called anything, so folders are classes without being asked for only where most are called like
//! emotions or numbers. Deeper folders are free; one that holds nothing but numbered pictures is a clip, a picture a
//! frame.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use emotion::{Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::naming::{are_class_names, part_of};
use crate::tree::{Kind, Tree, entries, extension, is_media, kind, stem};
use crate::{DatasetError, Importer, Options, unlabelled};

/// One folder per class, at the top or below one folder per split.
pub struct Folders;

impl Importer for Folders {
    fn name(&self) -> &'static str {
        "folders"
    }

    fn describe(&self) -> &'static str {
        "one folder of clips per class: ROOT/LABEL/*.mp4, or ROOT/{train,val,test}/LABEL/*.mp4"
    }

    fn recognizes(&self, root: &Path) -> bool {
        let tops = folders_of_media(root);
        let by_split = tops.iter().all(|folder| part_of(name(folder)).is_some());
        let classes = if by_split { tops.iter().flat_map(|part| folders_of_media(part)).collect() } else { tops };
        are_class_names(classes.iter().map(|folder| name(folder)))
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let files = Tree::walk(root, warn)?.files;
        if files.is_empty() {
            return Err(DatasetError::Empty(root.to_owned()));
        }
        let (media, others): (Vec<&Path>, Vec<&Path>) =
            files.iter().map(PathBuf::as_path).partition(|file| is_media(file));
        if media.is_empty() {
            return Err(DatasetError::NoMedia { found: extensions(&others), path: root.to_owned() });
        }
        // `train` beside `happiness` is a class; splits are splits only if every top folder is one.
        let mut tops = media.iter().map(|file| above(file)).filter(|parts| !parts.is_empty()).peekable();
        let by_split = tops.peek().is_some() && tops.all(|parts| parts.len() >= 2 && part_of(parts[0]).is_some());
        let n_above = usize::from(by_split);
        let mut draft = Draft::new(self.name(), root, root, warn);
        let frames = folders_of_frames(&files, n_above + 1);
        let mut clips = BTreeSet::new();
        for &file in &media {
            let clip = file.parent().filter(|folder| frames.contains(folder)).unwrap_or(file);
            if !clips.insert(clip) {
                continue;
            }
            let parts = above(file);
            let Some(label) = parts.get(n_above) else {
                draft.skip(file, "outside the class folders: left out");
                continue;
            };
            let split = parts.first().filter(|_| by_split).and_then(|part| part_of(part));
            draft.rows.push(Row {
                path: clip.to_owned(),
                label: label.trim().to_owned(),
                split: split.map(|split| split.name().to_owned()),
                ..Row::default()
            });
        }
        // Without class folders below them, splits are all that such folders say.
        if draft.rows.iter().all(|row| row.split.is_none() && part_of(&row.label).is_some()) {
            return Err(DatasetError::NoLabels { n_files: media.len(), path: root.to_owned() });
        }
        let classes: BTreeSet<&str> = draft.rows.iter().map(|row| row.label.as_str()).collect();
        if options.importer.is_none() && !are_class_names(classes.iter().copied()) {
            return Err(DatasetError::NoClasses {
                found: some(&classes),
                wanted: unlabelled::missing(root)
                    .unwrap_or_else(|| "put labels.csv with the columns path and label beside them".to_owned()),
                path: root.to_owned(),
            });
        }
        if !frames.is_empty() {
            draft.note(root, format!("folders of numbered pictures, each of which is one clip: {}", frames.len()));
        }
        report_unused(root, by_split, &others, &mut draft);
        draft.finish(options)
    }
}

/// Names of the folders above a file.
fn above(file: &Path) -> Vec<&str> {
    let folders = file.parent().map(Path::components);
    folders.into_iter().flatten().filter_map(|part| part.as_os_str().to_str()).collect()
}

fn name(folder: &Path) -> &str {
    folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Whether a folder is called like a class or a split.
pub(crate) fn names_class_or_split(folder: &Path) -> bool {
    are_class_names([name(folder)]) || part_of(name(folder)).is_some()
}

/// "Session1, Session2, Session3 and 2 more".
fn some(names: &BTreeSet<&str>) -> String {
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 3 { format!("{shown} and {} more", names.len() - 3) } else { shown }
}

/// Folders that are clips: below the class folders, which have `n_above` folders down to them, nothing but numbered
/// pictures in them, of which there are several.
fn folders_of_frames(files: &[PathBuf], n_above: usize) -> HashSet<&Path> {
    let mut by_folder: HashMap<&Path, Vec<&Path>> = HashMap::new();
    for file in files {
        by_folder.entry(file.parent().unwrap_or(file)).or_default().push(file);
    }
    let is_frame =
        |file: &&Path| kind(file) == Some(Kind::Picture) && stem(file).ends_with(|c: char| c.is_ascii_digit());
    let outer: HashSet<&Path> = by_folder.keys().flat_map(|folder| folder.ancestors().skip(1)).collect();
    let is_clip = |(folder, files): &(&Path, Vec<&Path>)| {
        files.len() >= 2
            && folder.components().count() > n_above
            && !outer.contains(folder)
            && files.iter().all(is_frame)
    };
    by_folder.into_iter().filter(is_clip).map(|(folder, _)| folder).collect()
}

/// Notes class folders without a clip, and how many files of class folders are no media.
fn report_unused(root: &Path, by_split: bool, others: &[&Path], draft: &mut Draft<'_>) {
    let parts = if by_split { subfolders(root) } else { vec![root.to_owned()] };
    let clips: HashSet<PathBuf> = draft.rows.iter().map(|row| row.path.with_extension("")).collect();
    // `a.txt`, `a.srt` and `a.en.srt` belong to `a.mp4`.
    let is_caption = |file: &Path| {
        let name = file.with_extension("");
        matches!(extension(file).as_deref(), Some("srt" | "txt" | "vtt"))
            && (clips.contains(&name.with_extension("")) || clips.contains(&name))
    };
    let others: Vec<&Path> = others.iter().copied().filter(|file| !is_caption(file)).collect();
    for folder in parts.iter().flat_map(|part| subfolders(part)) {
        let folder = folder.strip_prefix(root).unwrap_or(&folder);
        let unknown: Vec<&Path> = others.iter().copied().filter(|file| file.starts_with(folder)).collect();
        let has_clip = draft.rows.iter().any(|row| row.path.starts_with(folder));
        let reason = match (has_clip, unknown.is_empty()) {
            (true, true) => continue,
            (true, false) => format!("{}, which are no video, sound or picture: left out", extensions(&unknown)),
            (false, true) => "no clip in this folder".to_owned(),
            (false, false) => format!("no clip in this folder, only {}", extensions(&unknown)),
        };
        draft.note(folder, reason);
    }
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let found = entries(folder).unwrap_or_default().into_iter();
    found.filter(|(_, is_folder)| *is_folder).map(|(path, _)| path).collect()
}

fn folders_of_media(root: &Path) -> Vec<PathBuf> {
    subfolders(root).into_iter().filter(|folder| holds_media(folder, 4)).collect()
}

fn holds_media(folder: &Path, depth: usize) -> bool {
    let Ok(found) = entries(folder) else { return false };
    found.iter().any(|(path, is_folder)| !is_folder && is_media(path))
        || depth > 0 && found.iter().any(|(path, is_folder)| *is_folder && holds_media(path, depth - 1))
}

/// "3 .txt and 1 .pdf files".
fn extensions(files: &[&Path]) -> String {
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

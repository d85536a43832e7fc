//! The files of a dataset folder, and how a name in a list finds its file.
//! Left out: hidden files and folders, the `__MACOSX` twins that archives bring along, and what Excel and Windows note
//! beside the files of people.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{PICTURE_EXTENSIONS, Problem};
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::DatasetError;

const VIDEOS: [&str; 11] = ["mp4", "mov", "mkv", "avi", "webm", "flv", "m4v", "mpg", "mpeg", "wmv", "3gp"];
const SOUNDS: [&str; 7] = ["wav", "flac", "mp3", "m4a", "aac", "ogg", "opus"];

/// What systems leave in folders that somebody looked at.
const JUNK: [&str; 3] = ["__MACOSX", "Thumbs.db", "desktop.ini"];

/// Whether the file's extension is that of a video, a sound or a picture.
pub fn is_media(path: &Path) -> bool {
    kind(path).is_some()
}

/// What a file is by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Video,
    Sound,
    Picture,
}

/// What `path` is by its extension; `None`: no media.
pub(crate) fn kind(path: &Path) -> Option<Kind> {
    let extension = extension(path)?;
    let is_in = |list: &[&str]| list.contains(&extension.as_str());
    match () {
        () if is_in(&VIDEOS) => Some(Kind::Video),
        () if is_in(&SOUNDS) => Some(Kind::Sound),
        () if is_in(&PICTURE_EXTENSIONS) => Some(Kind::Picture),
        () => None,
    }
}

/// The name of a file without folder and extension.
pub(crate) fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

/// The first of `names` that is in `folder` in any case, as it is written there.
pub(crate) fn child(folder: &Path, names: &[&str]) -> Option<PathBuf> {
    // Of names that differ in case alone the first in order, and a folder of many clips is not sorted for it.
    let mut found: Vec<Option<PathBuf>> = vec![None; names.len()];
    for (path, _) in listed(folder).ok()? {
        let is_it = |name: &str| path.file_name().is_some_and(|own| own.eq_ignore_ascii_case(name));
        let Some(at) = names.iter().position(|name| is_it(name)) else { continue };
        if found[at].as_ref().is_none_or(|known| path < *known) {
            found[at] = Some(path);
        }
    }
    found.into_iter().flatten().next()
}

/// Lower-case extension.
pub(crate) fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_lowercase())
}

/// Visible entries of a folder in order of name, each with whether it is a folder.
pub(crate) fn entries(folder: &Path) -> std::io::Result<Vec<(PathBuf, bool)>> {
    let mut found = listed(folder)?;
    // They differ in their names alone, which need not be taken apart.
    found.sort_unstable_by(|(a, _), (b, _)| a.as_os_str().cmp(b.as_os_str()));
    Ok(found)
}

/// The same, in no order.
fn listed(folder: &Path) -> std::io::Result<Vec<(PathBuf, bool)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        let is_junk = JUNK.iter().any(|junk| shown.eq_ignore_ascii_case(junk));
        if shown.starts_with('.') || shown.starts_with("~$") || is_junk {
            continue;
        }
        let kind = entry.file_type()?;
        let is_folder = if kind.is_symlink() { entry.path().is_dir() } else { kind.is_dir() };
        found.push((entry.path(), is_folder));
    }
    Ok(found)
}

/// All visible files under a folder.
pub(crate) struct Tree {
    /// Relative to the folder, sorted.
    pub files: Vec<PathBuf>,
    /// Folders of numbered pictures, where they were asked for: relative, sorted, their files not among `files`.
    pub frames: Vec<PathBuf>,
}

impl Tree {
    /// Lists `root`; folders that cannot be read go to `warn`, `root` itself must be readable.
    pub fn walk(root: &Path, warn: &mut dyn FnMut(Problem)) -> Result<Self, DatasetError> {
        Self::walk_to(root, &|_| false, warn)
    }

    /// The same, but a folder with a number of three or more digits for a name is a clip, one picture a frame: a corpus
    /// of 16,000 clips has a million of them.
    pub fn walk_to_frames(root: &Path, warn: &mut dyn FnMut(Problem)) -> Result<Self, DatasetError> {
        let is_clip = |folder: &Path| {
            let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.len() >= 3 && name.bytes().all(|byte| byte.is_ascii_digit())
        };
        Self::walk_to(root, &is_clip, warn)
    }

    /// The same, but a folder is a clip where `is_clip` says so of its relative path.
    pub fn walk_to(
        root: &Path,
        is_clip: &dyn Fn(&Path) -> bool,
        warn: &mut dyn FnMut(Problem),
    ) -> Result<Self, DatasetError> {
        let read = |source| DatasetError::Read { path: root.to_owned(), source };
        let mut files = Vec::new();
        let mut frames = Vec::new();
        let mut waiting = entries(root).map_err(read)?;
        while let Some((path, is_folder)) = waiting.pop() {
            let relative = path.strip_prefix(root).expect("entries are listed below the root").to_owned();
            // A manifest is JSON, which has no place for other names.
            let Some(name) = relative.to_str() else {
                let reason = "the name is not UTF-8: left out".to_owned();
                warn(Problem { path: relative.to_string_lossy().into_owned().into(), reason });
                continue;
            };
            if !is_folder {
                files.push(relative);
            } else if is_clip(&relative) {
                frames.push(relative);
            } else if leads_back(root, &path) {
                warn(Problem { path: name.into(), reason: "a link to a folder that it lies in: left out".to_owned() });
            } else {
                match entries(&path) {
                    Ok(inner) => waiting.extend(inner),
                    Err(error) => {
                        warn(Problem { path: relative, reason: format!("folder cannot be read ({error}): left out") });
                    }
                }
            }
        }
        files.sort();
        frames.sort();
        Ok(Self { files, frames })
    }
}

/// Whether `folder` is a link to one of the folders from `root` down to it.
fn leads_back(root: &Path, folder: &Path) -> bool {
    let Some(target) = folder.is_symlink().then(|| folder.canonicalize().ok()).flatten() else { return false };
    let above = folder.ancestors().skip(1).take_while(|above| above.starts_with(root));
    above.filter_map(|above| above.canonicalize().ok()).any(|above| above == target)
}

/// The recordings of a corpus by the stem of their names.
pub(crate) struct Recordings {
    by_stem: HashMap<(String, Kind), PathBuf>,
}

impl Recordings {
    /// Of files with one stem and kind the first counts.
    pub fn new(files: &[PathBuf]) -> Self {
        let mut by_stem = HashMap::new();
        for file in files {
            if let Some(kind) = kind(file) {
                by_stem.entry((stem(file).to_lowercase(), kind)).or_insert_with(|| file.clone());
            }
        }
        Self { by_stem }
    }

    pub fn get(&self, stem: &str, kind: Kind) -> Option<&PathBuf> {
        self.by_stem.get(&(stem.to_lowercase(), kind))
    }

    /// Picture and sound of `stem`: a video with the sound beside it, or the sound alone.
    pub fn find(&self, stem: &str) -> Option<(PathBuf, Option<PathBuf>)> {
        let sound = self.get(stem, Kind::Sound).cloned();
        match self.get(stem, Kind::Video) {
            Some(video) => Some((video.clone(), sound)),
            None => Some((sound?, None)),
        }
    }
}

/// Finds files by what lists call them.
pub(crate) struct Finder {
    files: Vec<PathBuf>,
    /// Lower-case composed paths from their last part to their first, with and without extension; sorted, so that those
    /// that end alike lie together.
    by_end: Vec<(String, usize)>,
}

/// Why a name finds no file.
pub(crate) enum Lost {
    Missing,
    /// Several files, of which some are named.
    Ambiguous(usize, String),
}

impl Finder {
    pub fn new(tree: Tree) -> Self {
        let mut files = tree.files;
        files.retain(|file| is_media(file));
        files.extend(tree.frames);
        let mut by_end = Vec::with_capacity(2 * files.len());
        for (file_idx, file) in files.iter().enumerate() {
            let relative = key(&file.to_string_lossy());
            by_end.push((backwards(&without_extension(&relative)), file_idx));
            by_end.push((backwards(&relative), file_idx));
        }
        by_end.sort_unstable();
        // The name of a folder has no extension to lose.
        by_end.dedup();
        Self { files, by_end }
    }

    /// The one media file that `name` can mean: a path in another case, without extension or
    /// with its accents apart, or a name in any folder.
    pub fn find(&self, name: &str) -> Result<&Path, Lost> {
        self.find_by(name, 1)
    }

    /// The same, but the last `n_parts` parts of `name`, at least one, must fit.
    pub fn find_by(&self, name: &str, n_parts: usize) -> Result<&Path, Lost> {
        let name = backwards(&key(name));
        let ends: Vec<usize> = name.match_indices('/').map(|(at, _)| at + 1).collect();
        // Lists made elsewhere keep the folders of their machine, so leading folders may go, as few as can be.
        for n in (n_parts..=ends.len()).rev() {
            let end = &name[..ends[n - 1]];
            let first = self.by_end.partition_point(|(own, _)| own.as_str() < end);
            let fitting = &self.by_end[first..];
            let fitting = &fitting[..fitting.partition_point(|(own, _)| own.starts_with(end))];
            // A path from the root comes before the same further down; a bare name that is left of a path may be
            // either.
            let n_whole = fitting.partition_point(|(own, _)| own == end);
            let is_path = n > 1 || n == ends.len();
            match if n_whole > 0 && is_path { &fitting[..n_whole] } else { fitting } {
                [] => {}
                [(_, file_idx)] => return Ok(&self.files[*file_idx]),
                several => {
                    let name = |(_, file_idx): &(String, usize)| self.files[*file_idx].display().to_string();
                    let some: Vec<_> = several.iter().take(3).map(name).collect();
                    return Err(Lost::Ambiguous(several.len(), some.join(", ")));
                }
            }
        }
        Err(Lost::Missing)
    }
}

/// `c/b/a/` of `a/b/c`.
fn backwards(path: &str) -> String {
    path.rsplit('/').flat_map(|part| [part, "/"]).collect()
}

fn key(name: &str) -> String {
    let name = name.replace('\\', "/").to_lowercase();
    // macOS takes letters and their accents apart in names of files; lists have them as one.
    ComposingNormalizerBorrowed::new_nfc().normalize(name.trim_start_matches("./")).into_owned()
}

fn without_extension(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, _)) if is_media(Path::new(name)) => stem.to_owned(),
        _ => name.to_owned(),
    }
}

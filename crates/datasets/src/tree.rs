//! The files of a dataset folder, and how a name in a list finds its file.
//! Left out: hidden files and folders, and the `__MACOSX` twins that archives bring along.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::Problem;

use crate::DatasetError;

const MEDIA_EXTENSIONS: [&str; 22] = [
    "mp4", "mov", "mkv", "avi", "webm", "flv", "m4v", "mpg", "mpeg", "wmv", "3gp", "wav", "flac", "mp3", "m4a", "aac",
    "ogg", "opus", "jpg", "jpeg", "png", "bmp",
];

/// Deeper folders are more likely a loop of links than a dataset.
const MAX_DEPTH: usize = 16;

/// Whether the file's extension is that of a video, a sound or a picture.
pub fn is_media(path: &Path) -> bool {
    extension(path).is_some_and(|extension| MEDIA_EXTENSIONS.contains(&extension.as_str()))
}

/// Lower-case extension.
pub(crate) fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_lowercase())
}

/// Visible entries of a folder in order of name, each with whether it is a folder.
pub(crate) fn entries(folder: &Path) -> std::io::Result<Vec<(PathBuf, bool)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') || name == "__MACOSX" {
            continue;
        }
        let kind = entry.file_type()?;
        let is_folder = if kind.is_symlink() { entry.path().is_dir() } else { kind.is_dir() };
        found.push((entry.path(), is_folder));
    }
    found.sort();
    Ok(found)
}

/// All visible files under a folder.
pub(crate) struct Tree {
    /// Relative to the folder, sorted.
    pub files: Vec<PathBuf>,
}

impl Tree {
    /// Lists `root`; folders that cannot be read go to `warn`, `root` itself must be readable.
    pub fn walk(root: &Path, warn: &mut dyn FnMut(Problem)) -> Result<Self, DatasetError> {
        let read = |source| DatasetError::Read { path: root.to_owned(), source };
        let mut files = Vec::new();
        let mut waiting: Vec<(PathBuf, bool, usize)> =
            entries(root).map_err(read)?.into_iter().map(|(path, is_folder)| (path, is_folder, 1)).collect();
        while let Some((path, is_folder, depth)) = waiting.pop() {
            let relative = path.strip_prefix(root).expect("entries are listed below the root").to_owned();
            if !is_folder {
                files.push(relative);
            } else if depth < MAX_DEPTH {
                match entries(&path) {
                    Ok(inner) => {
                        waiting.extend(inner.into_iter().map(|(path, is_folder)| (path, is_folder, depth + 1)));
                    }
                    Err(error) => {
                        warn(Problem { path: relative, reason: format!("folder cannot be read ({error}): left out") });
                    }
                }
            }
        }
        files.sort();
        Ok(Self { files })
    }
}

/// Finds files by what lists call them.
pub(crate) struct Finder {
    files: Vec<PathBuf>,
    /// Lower-case keys: relative path, the same without extension, file name, stem.
    by_key: HashMap<String, Vec<usize>>,
}

/// Why a name finds no file.
pub(crate) enum Lost {
    Missing,
    /// Several files, of which some are named.
    Ambiguous(usize, String),
}

impl Finder {
    pub fn new(tree: Tree) -> Self {
        let mut by_key: HashMap<String, Vec<usize>> = HashMap::new();
        for (file_idx, file) in tree.files.iter().enumerate().filter(|(_, file)| is_media(file)) {
            let relative = key(&file.to_string_lossy());
            let name = relative.rsplit('/').next().unwrap_or(&relative).to_owned();
            let mut keys = vec![without_extension(&relative), without_extension(&name), name, relative];
            keys.sort();
            keys.dedup();
            for key in keys {
                by_key.entry(key).or_default().push(file_idx);
            }
        }
        Self { files: tree.files, by_key }
    }

    /// The one media file that `name` can mean: a path in another case or without extension, or a name in any folder.
    pub fn find(&self, name: &str) -> Result<&Path, Lost> {
        let name = key(name);
        // Lists made elsewhere keep the folders of their machine, so leading folders may go, but only one file may fit.
        let mut tail = name.as_str();
        loop {
            if let Some(fitting) = self.by_key.get(tail) {
                return match fitting.as_slice() {
                    [file_idx] => Ok(&self.files[*file_idx]),
                    several => {
                        let some: Vec<_> = several
                            .iter()
                            .take(3)
                            .map(|&file_idx| self.files[file_idx].display().to_string())
                            .collect();
                        Err(Lost::Ambiguous(several.len(), some.join(", ")))
                    }
                };
            }
            let Some((_, rest)) = tail.split_once('/') else { return Err(Lost::Missing) };
            tail = rest;
        }
    }
}

fn key(name: &str) -> String {
    let name = name.replace('\\', "/").to_lowercase();
    name.trim_start_matches("./").to_owned()
}

fn without_extension(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if MEDIA_EXTENSIONS.contains(&extension) => stem.to_owned(),
        _ => name.to_owned(),
    }
}

//! Manifests on disk: JSON, written whole or not at all, and still right when its project folder is moved.

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use emotion::{Clip, Manifest, ManifestError};

use crate::{DatasetError, opening};

/// The file that marks a project folder.
const PROJECT_FILE: &str = "limbic.toml";
/// Levels above the manifest in which a project folder is looked for.
const PROJECT_LEVELS: usize = 4;

/// Writes `manifest` to `path`, making its folder. The root is stored relative to that folder if both move together:
/// one holds the other, they lie side by side, or in one project.
pub fn save(manifest: &Manifest, path: &Path) -> Result<(), DatasetError> {
    let failed = |source| DatasetError::Write { path: path.to_owned(), source };
    let path = &std::path::absolute(path).map_err(failed)?;
    let folder = path.parent().ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
    std::fs::create_dir_all(folder).map_err(failed)?;
    let root = std::path::absolute(&manifest.root).map_err(failed)?;
    let stored = Manifest { root: stored_root(&plain(&root), &plain(folder)), ..manifest.clone() };
    let mut json = serde_json::to_vec_pretty(&stored).map_err(|error| failed(error.into()))?;
    json.push(b'\n');
    let write = || -> std::io::Result<()> {
        let mut file = AtomicWriteFile::open(path)?;
        file.write_all(&json)?;
        file.commit()
    };
    write().map_err(failed)?;
    // The rename itself is on disk only once the folder is. Systems without folder handles need and allow none.
    if let Ok(folder) = std::fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Whether the clips of `manifest` are not where they were: its folder is gone, and with it the first file that it
/// names.
pub fn is_away(manifest: &Manifest) -> bool {
    let file_of = |clip: &Clip| match clip.has_media() {
        true => Some(manifest.clip_path(clip)),
        false => clip.features.first().map(|feature| manifest.root.join(&feature.path)),
    };
    let first = manifest.clips.iter().find_map(file_of);
    first.is_some_and(|first| !manifest.root.exists() && !first.exists())
}

/// Reads a manifest and makes its root absolute.
pub fn load(path: &Path) -> Result<Manifest, DatasetError> {
    let bytes = opening::read(path)?;
    let damaged =
        |error: serde_json::Error| DatasetError::NotAManifest { reason: error.to_string(), path: path.to_owned() };
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
    let mut manifest: Manifest = match serde_json::from_slice(&bytes) {
        Ok(manifest) => manifest,
        // A newer format may well not parse; that it is newer is what people need to know.
        Err(_) if format > Manifest::new("", "", Path::new(""), emotion::LabelSet::basic(2)).format => {
            return Err(ManifestError::Newer { found: format }.into());
        }
        Err(error) => return Err(damaged(error)),
    };
    manifest.check()?;
    let path = std::path::absolute(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    manifest.root = plain(&path.parent().unwrap_or(&path).join(&manifest.root));
    Ok(manifest)
}
/// Without `.` and `..`, by name only.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

fn stored_root(root: &Path, folder: &Path) -> PathBuf {
    let moves_with = |ancestor: &Path| root.starts_with(ancestor) && ancestor.parent().is_some();
    let beside = folder.parent().is_some_and(|parent| root.parent() == Some(parent) && moves_with(parent));
    let in_project = folder
        .ancestors()
        .take(PROJECT_LEVELS)
        .any(|ancestor| root.starts_with(ancestor) && ancestor.join(PROJECT_FILE).is_file());
    if root.starts_with(folder) || folder.starts_with(root) && moves_with(root) || beside || in_project {
        relative(root, folder)
    } else {
        root.to_owned()
    }
}

/// `to` as seen from `from`; both absolute and plain.
fn relative(to: &Path, from: &Path) -> PathBuf {
    let n_shared = to.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(n_shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(to.components().skip(n_shared)).collect();
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
}

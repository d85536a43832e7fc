//! Annotations in, manifests out: which clips a dataset has, their labels, speakers, texts and splits.
//!
//! Files are listed, never decoded: whether a clip can be played, and what it holds, is found out later.
//! What cannot be used is skipped and listed in the manifest's problems with the reason.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod assemble;
mod columns;
mod csv_list;
mod error;
mod folders;
mod split;
mod store;
mod tree;

use std::path::{Path, PathBuf};

use emotion::{FaceSource, Manifest, Problem};

pub use columns::ColumnMap;
pub use csv_list::CsvList;
pub use error::DatasetError;
pub use folders::Folders;
pub use store::{load, save};
pub use tree::is_media;

/// What the user decides about an import; the defaults recognize everything by themselves.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// Where faces come from.
    pub faces: FaceSource,
    /// Header names by role, where they are not to be recognized.
    pub columns: ColumnMap,
    /// Name of the importer; `None` recognizes the layout.
    pub importer: Option<String>,
    /// Seed of the splits, where the dataset brings none.
    pub seed: u64,
}

/// A layout of datasets that can be read.
pub trait Importer: Sync {
    /// Short name, as on the command line and in manifests.
    fn name(&self) -> &'static str;

    /// The layout in one line, as people would draw it.
    fn describe(&self) -> &'static str;

    /// Whether `root` looks like this layout; cheap, and never wrong about a missing or empty folder.
    fn recognizes(&self, root: &Path) -> bool;

    /// Reads the annotations under `root`; what is skipped or doubtful goes to `warn`.
    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError>;
}

/// All layouts, the more specific first.
pub const IMPORTERS: &[&dyn Importer] = &[&CsvList, &Folders];

/// Reads the dataset at `root`, a folder or a list file, with the importer that recognizes it or the one asked for.
pub fn import(root: &Path, options: &Options) -> Result<Manifest, DatasetError> {
    let given = std::path::absolute(root).map_err(|source| DatasetError::Read { path: root.to_owned(), source })?;
    match std::fs::metadata(&given) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Err(DatasetError::NotFound(given)),
        Err(source) => return Err(DatasetError::Read { path: given, source }),
        Ok(found) if found.is_file() && !csv_list::is_list(&given) => return Err(DatasetError::NotAFolder(given)),
        Ok(_) => {}
    }
    let root = without_wrapper(given);
    let importer = match &options.importer {
        Some(name) => *IMPORTERS.iter().find(|importer| importer.name() == name).ok_or_else(|| {
            let known = IMPORTERS.iter().map(|importer| importer.name()).collect::<Vec<_>>().join(", ");
            DatasetError::UnknownImporter { name: name.clone(), known }
        })?,
        // Whoever names columns means a list.
        None if options.columns != ColumnMap::default() && csv_list::has_list(&root) => IMPORTERS[0],
        // Nobody knows the layout: the importer that comes closest says best what is missing.
        None => *IMPORTERS
            .iter()
            .find(|importer| importer.recognizes(&root))
            .unwrap_or_else(|| if csv_list::has_list(&root) { &IMPORTERS[0] } else { &IMPORTERS[1] }),
    };
    let mut problems = Vec::new();
    let mut manifest = importer.import(&root, options, &mut |problem| problems.push(problem))?;
    manifest.problems = problems;
    manifest.check()?;
    Ok(manifest)
}

/// Archives often unpack to one folder in a folder; the inner one is meant where it is plainly a dataset.
fn without_wrapper(root: PathBuf) -> PathBuf {
    let Ok(entries) = tree::entries(&root) else { return root };
    let [(inner, true)] = entries.as_slice() else { return root };
    let is_dataset = csv_list::has_list(inner)
        || tree::entries(inner).is_ok_and(|entries| {
            let mut folders = entries.iter().filter(|(_, is_folder)| *is_folder).peekable();
            folders.peek().is_some() && folders.all(|(folder, _)| folders::names_class_or_split(folder))
        });
    // A class folder with folders in it stays what it is.
    if is_dataset && !folders::names_class_or_split(inner) { inner.clone() } else { root }
}

#[cfg(test)]
mod tests;

//! Annotations in, manifests out: which clips a dataset has, their labels, speakers, texts and splits.
//!
//! Files are listed, never decoded: whether a clip can be played, and what it holds, is found out later.
//! What cannot be used is skipped and listed in the manifest's problems with the reason.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod affectnet;
mod assemble;
mod columns;
mod crema_d;
mod csd;
mod csv_list;
mod dfew;
mod doubles;
mod error;
mod fer2013;
mod fer_plus;
mod ferv39k;
mod fold;
mod folders;
mod frame_lists;
mod iemocap;
mod kaldi;
mod mafw;
mod meld;
mod mmsa;
mod mosi;
mod msp_improv;
mod named;
mod naming;
mod opening;
mod path_lists;
mod ravdess;
mod sequences;
mod split;
mod spreadsheet;
mod store;
mod table;
mod text_corpora;
mod tree;
mod unlabelled;
mod vavl;

use std::path::{Path, PathBuf};

use emotion::{FaceChoice, FaceSource, LabelMap, Manifest, Problem, Scale};
use serde::{Deserialize, Serialize};

pub use affectnet::AffectNet;
pub use columns::ColumnMap;
pub use crema_d::CremaD;
pub use csd::Csd;
pub use csv_list::CsvList;
pub use dfew::Dfew;
pub use doubles::keep_known;
pub use error::DatasetError;
pub use fer_plus::FerPlus;
pub use fer2013::Fer2013;
pub use ferv39k::Ferv39k;
pub use fold::fold;
pub use folders::Folders;
pub use frame_lists::{FrameLists, LABEL_ORDERS, label_order};
pub use iemocap::Iemocap;
pub use kaldi::Kaldi;
pub use mafw::Mafw;
pub use meld::Meld;
pub use mmsa::Mmsa;
pub use mosi::Mosi;
pub use msp_improv::MspImprov;
pub use named::{EMO_DB, ENTERFACE, Named, SAVEE};
pub use path_lists::PathLists;
pub use ravdess::Ravdess;
pub use sequences::Sequences;
pub use store::{is_away, load, save};
pub use table::is_list;
pub use text_corpora::{GoEmotions, TweetEval};
pub use tree::is_media;

/// What the user decides about an import; the defaults recognize everything by themselves.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Where faces come from.
    pub faces: FaceSource,
    /// Whose face, where a clip shows several people.
    pub person: FaceChoice,
    /// Header names by role, where they are not to be recognized.
    pub columns: ColumnMap,
    /// Name of the importer; `None` recognizes the layout.
    pub importer: Option<String>,
    /// Which of the dataset's annotations or protocols, by its name in [`Importer::variants`]; `None`: the first.
    pub variant: Option<String>,
    /// Which fold is scored, from 1; `None`: the first of a dataset's official folds, the last of a fold column.
    pub fold: Option<usize>,
    /// How classes are renamed, merged and left out, as [`LabelMap::parse`] reads it; `None` keeps them.
    pub labels: Option<String>,
    /// The scale of a list's columns of ratings, which are not used without.
    pub scale: Option<Scale>,
    /// Seed of the splits, where the dataset brings none.
    pub seed: u64,
    /// Folder for pictures that a dataset keeps inside of a list; it belongs beside the manifest. Without, nothing is
    /// written, and the clips are only there to be looked at.
    #[serde(skip)]
    pub pictures: Option<PathBuf>,
}

/// One of several annotations or protocols of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Short name, as on the command line.
    pub name: &'static str,
    /// What it means, in a few words.
    pub describe: &'static str,
}

/// A layout of datasets that can be read.
pub trait Importer: Sync {
    /// Short name, as on the command line and in manifests.
    fn name(&self) -> &'static str;

    /// The layout in one line, as people would draw it.
    fn describe(&self) -> &'static str;

    /// What the dataset can be read as, the usual first; empty where there is only one way.
    fn variants(&self) -> &'static [Variant] {
        &[]
    }

    /// Whether `root` looks like this layout; cheap, and never wrong about a missing or empty folder.
    fn recognizes(&self, root: &Path) -> bool;

    /// Reads the annotations under `root`; what is skipped or doubtful goes to `warn`.
    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError>;
}

/// Folders around a dataset that are seen through.
const MAX_WRAPPERS: usize = 3;

/// Importers that read a file; the others read a folder.
const OF_FILES: [&str; 6] = ["ferv39k", "frame-lists", "path-lists", "sequences", "fer2013", "csv"];

/// All layouts, the more specific first.
pub const IMPORTERS: &[&dyn Importer] = &[
    &Dfew,
    &Ferv39k,
    &Mafw,
    &FrameLists,
    &PathLists,
    &CremaD,
    &MspImprov,
    &Iemocap,
    &Ravdess,
    &Mosi,
    &Sequences,
    &Mmsa,
    &Csd,
    &AffectNet,
    &Fer2013,
    &FerPlus,
    &Meld,
    &TweetEval,
    &GoEmotions,
    &EMO_DB,
    &SAVEE,
    &ENTERFACE,
    &Kaldi,
    &CsvList,
    &Folders,
];

/// What can be told about a folder before it is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Name of the importer that reads it unless another is asked for; `None` where nobody knows the layout.
    pub recognized: Option<&'static str>,
    /// Column names of its list; empty where it has none.
    pub header: Vec<String>,
}

/// Looks at the folder or list file `root` without reading its annotations.
pub fn survey(root: &Path) -> Survey {
    let (root, recognized) = without_wrapper(root.to_owned(), None);
    Survey { recognized: recognized.map(Importer::name), header: csv_list::header(&root) }
}

/// The importer that reads `root` unless another is asked for; `None` where nobody knows the layout.
pub fn recognize(root: &Path) -> Option<&'static dyn Importer> {
    IMPORTERS.iter().copied().find(|importer| importer.recognizes(root))
}

/// Reads the dataset at `root`, a folder or a list file, with the importer that recognizes it or the one asked for.
pub fn import(root: &Path, options: &Options) -> Result<Manifest, DatasetError> {
    let given = std::path::absolute(root).map_err(|source| DatasetError::Read { path: root.to_owned(), source })?;
    let is_file = match std::fs::metadata(&given) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Err(DatasetError::NotFound(given)),
        Err(source) => return Err(DatasetError::Read { path: given, source }),
        Ok(found) if !found.is_file() && !found.is_dir() => return Err(DatasetError::NotAFile(given)),
        Ok(found) => found.is_file(),
    };
    let asked = options.importer.as_deref().map(named).transpose()?;
    if let Some(asked) = asked.filter(|asked| is_file && !OF_FILES.contains(&asked.name())) {
        return Err(DatasetError::FolderWanted { importer: asked.name(), path: given });
    }
    let (root, recognized) = without_wrapper(given, asked);
    let importer = match asked {
        Some(importer) => importer,
        // Whoever names columns means a list.
        None if options.columns != ColumnMap::default() && csv_list::has_list(&root) => &CsvList,
        // Nobody knows the layout: the importer that comes closest says best what is missing.
        None => match recognized {
            Some(importer) => importer,
            None if is_file && !is_list(&root) => return Err(DatasetError::NotAFolder(root)),
            None if csv_list::has_list(&root) => &CsvList,
            None => match csv_list::json_lines(&root) {
                Some(list) => return Err(DatasetError::JsonLines(list)),
                None => &Folders,
            },
        },
    };
    // An importer without variants would not notice that one was asked for.
    variant(importer, options)?;
    let mut problems = Vec::new();
    let mut manifest = importer.import(&root, options, &mut |problem| problems.push(problem))?;
    if let Some(path) = csv_list::labels_at(&root).filter(|_| asked.is_none() && importer.name() != CsvList.name()) {
        let reason =
            format!("not read, since the folder is recognized as {}; the layout csv reads it", importer.name());
        problems.push(Problem { path, reason });
    }
    manifest.problems = problems;
    manifest.person = options.person;
    if let Some(spec) = &options.labels {
        let map = LabelMap::parse(&manifest.labels, spec)?;
        manifest.relabel(&map)?;
    }
    manifest.check()?;
    Ok(manifest)
}

fn named(name: &str) -> Result<&'static dyn Importer, DatasetError> {
    IMPORTERS.iter().copied().find(|importer| importer.name() == name).ok_or_else(|| {
        let known = IMPORTERS.iter().map(|importer| importer.name()).collect::<Vec<_>>().join(", ");
        DatasetError::UnknownImporter { name: name.to_owned(), known }
    })
}

/// The variant that was asked for, or the first.
fn variant(importer: &dyn Importer, options: &Options) -> Result<&'static str, DatasetError> {
    let variants = importer.variants();
    let Some(asked) = &options.variant else { return Ok(variants.first().map_or("", |variant| variant.name)) };
    variants.iter().find(|variant| variant.name == asked).map(|variant| variant.name).ok_or_else(|| {
        let names: Vec<&str> = variants.iter().map(|variant| variant.name).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        DatasetError::NoVariant { importer: importer.name(), asked: asked.clone(), there }
    })
}

/// The dataset that `root` holds, as archives unpack to a folder in a folder, and notes and archives lie beside it; and
/// the importer that recognizes it, the one asked for where there is one.
fn without_wrapper(root: PathBuf, asked: Option<&'static dyn Importer>) -> (PathBuf, Option<&'static dyn Importer>) {
    let is_general = |importer: &dyn Importer| matches!(importer.name(), "csv" | "folders");
    let is_corpus = |at: &Path| match asked {
        Some(asked) => !is_general(asked) && asked.recognizes(at),
        None => IMPORTERS.iter().copied().filter(|own| !is_general(*own)).any(|own| own.recognizes(at)),
    };
    let known = |at: &Path| match asked {
        Some(asked) => asked.recognizes(at).then_some(asked),
        None => recognize(at),
    };
    let mut at = root.clone();
    for _ in 0..=MAX_WRAPPERS {
        if let Some(importer) = known(&at) {
            return (at, Some(importer));
        }
        let Ok(entries) = tree::entries(&at) else { break };
        // A class folder with folders in it stays what it is.
        let is_inner = |(path, is_folder): &(PathBuf, bool)| *is_folder && !folders::names_class_or_split(path);
        let inner: Vec<PathBuf> = entries.into_iter().filter(is_inner).map(|(path, _)| path).collect();
        let mut corpora = inner.iter().filter(|folder| is_corpus(folder));
        if let (Some(corpus), None) = (corpora.next(), corpora.next()) {
            return (corpus.clone(), known(corpus));
        }
        // Its importer says best what is wrong with it.
        if asked.is_none() && (csv_list::has_list(&at) || unlabelled::missing(&at).is_some()) {
            return (at, None);
        }
        let [only] = inner.as_slice() else { break };
        at = only.clone();
    }
    (root, None)
}

#[cfg(test)]
mod tests;

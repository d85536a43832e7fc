//! Why a dataset cannot be read at all. What concerns single clips is a `Problem` of the manifest instead.

use std::path::PathBuf;

use emotion::{LabelError, ManifestError};

/// What went wrong with a dataset or its manifest, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// Nothing is there.
    #[error("there is no such folder or file: {path}", path = .0.display())]
    NotFound(PathBuf),
    /// A file that is no list of clips.
    #[error("a dataset is a folder, or a .csv, .tsv or .xlsx list of clips, but this is another file: {path}", path = .0.display())]
    NotAFolder(PathBuf),
    /// A file where the importer that was asked for reads a folder.
    #[error(
        "the importer {importer} reads a folder, but this is a file: give the folder that it lies in: {path}",
        path = .path.display()
    )]
    FolderWanted {
        /// The importer.
        importer: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A pipe or a device, or a folder where a file is read.
    #[error("this is not a file but a folder, a pipe or a device: {path}", path = .0.display())]
    NotAFile(PathBuf),
    /// A folder without a visible file.
    #[error("the folder is empty; it should hold one folder of clips per class, or labels.csv: {path}", path = .0.display())]
    Empty(PathBuf),
    /// Files, but none that could be a clip.
    #[error(
        "no video, sound or picture in the folder, only {found}; \
         it should hold one folder of clips per class, or labels.csv with the columns path and label: {path}",
        path = .path.display()
    )]
    NoMedia {
        /// What there is instead, in words.
        found: String,
        /// The folder.
        path: PathBuf,
    },
    /// Clips without anything that labels them.
    #[error(
        "{n_files} clips, but nothing that labels them: put them into one folder per class, \
         or add labels.csv with the columns path and label: {path}",
        path = .path.display()
    )]
    NoLabels {
        /// Number of clips.
        n_files: usize,
        /// The folder.
        path: PathBuf,
    },
    /// Folders that are more likely anything else than classes.
    #[error(
        "the folders ({found}) are not called like emotions: {wanted}; \
         where their names are the classes all the same, ask for the importer folders (--importer folders): {path}",
        path = .path.display()
    )]
    NoClasses {
        /// Some of them.
        found: String,
        /// What to do, or what is missing.
        wanted: String,
        /// The folder.
        path: PathBuf,
    },
    /// A list without rows.
    #[error("the list has no rows below its header: {path}", path = .0.display())]
    EmptyList(PathBuf),
    /// A list in JSON.
    #[error(
        "lists in JSON are not read: save it as metadata.csv with the columns file_name and label: {path}",
        path = .0.display()
    )]
    JsonLines(PathBuf),
    /// A list that begins with its first clip.
    #[error(
        "the list has no header: write the names of its columns, such as path and label, above its first row: {path}",
        path = .0.display()
    )]
    NoHeader(PathBuf),
    /// A list in which a role that every clip needs has no column.
    #[error(
        "no {role} column in the list; its columns are {found}: \
         rename one of them to {role:?}, or say which one it is: {path}",
        path = .path.display()
    )]
    NoColumn {
        /// `path` or `label`.
        role: &'static str,
        /// The header, in words.
        found: String,
        /// The list.
        path: PathBuf,
    },
    /// A column that was asked for is not there.
    #[error("the {role} column should be {name:?}, but the columns are {found}: {path}", path = .path.display())]
    UnknownColumn {
        /// What the column was to be.
        role: &'static str,
        /// The name asked for.
        name: String,
        /// The header, in words.
        found: String,
        /// The list.
        path: PathBuf,
    },
    /// More than one list, and no way to tell which one counts.
    #[error("several lists ({found}): import the one that counts by itself, or name it labels.csv: {path}", path = .path.display())]
    SeveralLists {
        /// Their names.
        found: String,
        /// The folder.
        path: PathBuf,
    },
    /// More than one file of features, and no way to tell which one counts.
    #[error("several pickles ({found}): choose one of them as the path: {path}", path = .path.display())]
    SeveralPickles {
        /// Their names.
        found: String,
        /// The folder.
        path: PathBuf,
    },
    /// A list that its reader gives up on.
    #[error("the list cannot be read: {reason}: {path}", path = .path.display())]
    Unreadable {
        /// What the reader says.
        reason: String,
        /// The list.
        path: PathBuf,
    },
    /// Every row had a problem.
    #[error("none of {n_rows} clips can be used; the first: {first}: {path}", path = .path.display())]
    NothingUsable {
        /// Rows or files looked at.
        n_rows: usize,
        /// Its first problem.
        first: String,
        /// List or folder.
        path: PathBuf,
    },
    /// Nothing to tell apart.
    #[error("all clips have the label {label:?}; at least two classes are needed{others}: {path}", path = .path.display())]
    OneClass {
        /// The only label.
        label: String,
        /// How many rows cannot be used, and why the first; empty where all can.
        others: String,
        /// List or folder.
        path: PathBuf,
    },
    /// Labels that are measurements.
    #[error(
        "the labels are measurements such as {example}, not classes; \
         give a column of class names as the label column: {path}",
        path = .path.display()
    )]
    ContinuousLabels {
        /// One of them.
        example: String,
        /// The list.
        path: PathBuf,
    },
    /// Boxes were asked for and there are none.
    #[error("no face boxes: the list needs the columns face_x, face_y, face_width and face_height (pixels): {path}", path = .0.display())]
    NoBoxes(PathBuf),
    /// An importer that does not exist.
    #[error("no importer is called {name:?}; there are {known}")]
    UnknownImporter {
        /// The name asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A fold that the dataset does not have.
    #[error("there is no fold {asked}; the folds are {there}: {path}", path = .path.display())]
    NoFold {
        /// The fold asked for.
        asked: usize,
        /// The folds, in words.
        there: String,
        /// List or folder.
        path: PathBuf,
    },
    /// A fold was asked for and there are none.
    #[error("this dataset has no folds: import it without asking for one: {path}", path = .0.display())]
    NoFolds(PathBuf),
    /// A fold was asked for, and there is but one.
    #[error("only fold {only} is here, and scoring it leaves nothing to train on: import it without asking for a fold: {path}", path = .path.display())]
    OneFold {
        /// That fold.
        only: i64,
        /// List or folder.
        path: PathBuf,
    },
    /// An annotation that the dataset does not have.
    #[error("the importer {importer} has no variant {asked:?}; there are {there}")]
    NoVariant {
        /// The importer.
        importer: &'static str,
        /// The name asked for.
        asked: String,
        /// All names.
        there: String,
    },
    /// A file of the layout that must be there.
    #[error("{what} is missing: {path}", path = .path.display())]
    Incomplete {
        /// What it should hold.
        what: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// Precomputed features that cannot be read.
    #[error(transparent)]
    Features(#[from] features::FeatureError),
    /// Labels that cannot be mapped as asked.
    #[error(transparent)]
    Mapping(#[from] emotion::LabelMapError),
    /// Labels that cannot be a label set.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// A manifest that contradicts itself.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A manifest file that is something else.
    #[error("not a manifest, or a damaged one ({reason}): import the dataset again: {path}", path = .path.display())]
    NotAManifest {
        /// What the reader says.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// The system refuses to read.
    #[error("cannot read: {source}: {path}", path = .path.display())]
    Read {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system refuses to write.
    #[error("cannot write: {source}: {path}", path = .path.display())]
    Write {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

//! Datasets that come with a list: `labels.csv` or `labels.tsv`, one row a clip.
//!
//! Any single list in the folder will do, or the list itself, or one list per split (`train.csv`, `test.csv`).
//! Delimiter, encoding and column names are recognized. Left out: several clips cut from one file by start and end.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use emotion::{FaceBox, Manifest, Problem, Split};

use crate::assemble::{Row, assemble};
use crate::columns::Columns;
use crate::tree::{Finder, Lost, Tree, entries, extension};
use crate::{DatasetError, Importer, Options};

/// `path,label,split,speaker,text` and, where known, the face box.
pub struct CsvList;

impl Importer for CsvList {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn describe(&self) -> &'static str {
        "labels.csv or labels.tsv with the columns path, label and, where known, split, speaker, text, face_x …"
    }

    fn recognizes(&self, root: &Path) -> bool {
        match lists(root) {
            Ok(Some(lists)) => {
                root.is_file()
                    || lists.iter().all(|list| {
                        is_named_labels(&list.path)
                            || Table::read(&list.path).is_ok_and(|table| {
                                Columns::locate(&table.header, &Default::default(), &list.path).is_ok()
                            })
                    })
            }
            Ok(None) => false,
            // Several lists: `import` says so.
            Err(_) => !has_class_folders(root),
        }
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let lists = lists(root)?.ok_or_else(|| DatasetError::Empty(root.to_owned()))?;
        let folder = if root.is_file() { root.parent().unwrap_or(root) } else { root };
        let mut first_reason = None;
        let mut note = |problem: Problem| {
            first_reason.get_or_insert_with(|| problem.reason.clone());
            warn(problem);
        };
        let mut files = Files { folder, finder: None };
        let mut rows = Vec::new();
        let mut n_rows = 0;
        for list in &lists {
            n_rows += read_list(list, options, &mut files, &mut rows, &mut note)?;
        }
        let shown = if let [list] = lists.as_slice() { list.path.as_path() } else { folder };
        if n_rows == 0 {
            return Err(DatasetError::EmptyList(shown.to_owned()));
        }
        if rows.is_empty() {
            let first = first_reason.unwrap_or_default();
            return Err(DatasetError::NothingUsable { n_rows, first, path: shown.to_owned() });
        }
        assemble(self.name(), folder, shown, rows, options, warn)
    }
}

/// A list file and the split that its name gives to all its rows.
struct List {
    path: PathBuf,
    split: Option<Split>,
}

/// Whether `path` is called like a list.
pub(crate) fn is_list(path: &Path) -> bool {
    matches!(extension(path).as_deref(), Some("csv" | "tsv"))
}

/// Whether `root` is a list or has one at its top.
pub(crate) fn has_list(root: &Path) -> bool {
    !matches!(lists(root), Ok(None))
}

fn is_named_labels(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("labels"))
}

fn has_class_folders(root: &Path) -> bool {
    crate::folders::Folders.recognizes(root)
}

/// The lists that count: `labels.*`, or one per split, or the only one. `None`: there is none.
fn lists(root: &Path) -> Result<Option<Vec<List>>, DatasetError> {
    if root.is_file() {
        return Ok(Some(vec![List { path: root.to_owned(), split: None }]));
    }
    let found = entries(root).map_err(|source| DatasetError::Read { path: root.to_owned(), source })?;
    let mut paths: Vec<PathBuf> =
        found.into_iter().filter(|(path, is_folder)| !is_folder && is_list(path)).map(|(path, _)| path).collect();
    if let Some(labels) = paths.iter().find(|path| is_named_labels(path)) {
        return Ok(Some(vec![List { path: labels.clone(), split: None }]));
    }
    if paths.len() <= 1 {
        return Ok(paths.pop().map(|path| vec![List { path, split: None }]));
    }
    let split_of = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<Split>().ok();
    if paths.iter().all(|path| split_of(path).is_some()) {
        return Ok(Some(paths.into_iter().map(|path| List { split: split_of(&path), path }).collect()));
    }
    let names: Vec<_> = paths.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy()).collect();
    Err(DatasetError::SeveralLists { found: names.join(", "), path: root.to_owned() })
}

/// Appends the usable rows of `list`; returns how many rows there were.
fn read_list(
    list: &List,
    options: &Options,
    files: &mut Files<'_>,
    rows: &mut Vec<Row>,
    warn: &mut dyn FnMut(Problem),
) -> Result<usize, DatasetError> {
    let table = Table::read(&list.path)?;
    let columns = Columns::locate(&table.header, &options.columns, &list.path)?;
    for reason in table.doubts(&columns) {
        warn(Problem { path: list.path.clone(), reason });
    }
    for record in &table.records {
        let line = record.line;
        let field = |column_idx: usize| record.fields.get(column_idx).map(|field| field.trim()).unwrap_or_default();
        let name = field(columns.path);
        if name.is_empty() {
            warn(Problem { path: list.path.clone(), reason: format!("line {line} names no file: left out") });
            continue;
        }
        let label = field(columns.label);
        if label.is_empty() {
            warn(Problem { path: name.into(), reason: format!("no label in line {line}: left out") });
            continue;
        }
        let path = match files.find(name, warn)? {
            Ok(path) => path,
            Err(Lost::Missing) => {
                warn(Problem { path: name.into(), reason: format!("file of line {line} is missing: left out") });
                continue;
            }
            Err(Lost::Ambiguous(n, some)) => {
                let reason = format!("line {line} can mean {n} files ({some}): left out; write the folder, too");
                warn(Problem { path: name.into(), reason });
                continue;
            }
        };
        let face = columns.face.and_then(|sides| face_box(sides.map(field)));
        if columns.face.is_some() && face.is_none() {
            warn(Problem { path: path.clone(), reason: format!("no usable face box in line {line}") });
        }
        let some = |column: Option<usize>| column.map(field).filter(|value| !value.is_empty()).map(str::to_owned);
        let text = some(columns.text).or_else(|| match columns.text {
            Some(_) => None,
            None => crate::folders::caption(&files.folder.join(&path)),
        });
        rows.push(Row {
            path,
            label: label.to_owned(),
            split: list.split.map(|split| split.name().to_owned()).or_else(|| some(columns.split)),
            speaker: some(columns.speaker),
            text,
            face,
        });
    }
    Ok(table.records.len())
}

fn face_box(sides: [&str; 4]) -> Option<FaceBox> {
    let [x, y, width, height] = sides.map(|side| side.replace(',', ".").parse::<f32>().ok().filter(|v| v.is_finite()));
    let face = FaceBox { x_px: x?, y_px: y?, width_px: width?, height_px: height? };
    (face.width_px >= 1.0 && face.height_px >= 1.0).then_some(face)
}

/// The files that rows name. The folder is searched only once a row needs it.
struct Files<'a> {
    folder: &'a Path,
    finder: Option<Finder>,
}

impl Files<'_> {
    /// The file that a row calls `name`, relative to the folder where it lies in it.
    fn find(&mut self, name: &str, warn: &mut dyn FnMut(Problem)) -> Result<Result<PathBuf, Lost>, DatasetError> {
        let direct = Path::new(name);
        if self.folder.join(direct).is_file() {
            let inner = direct.strip_prefix(self.folder).unwrap_or(direct);
            // `./a` and `a` are one clip.
            return Ok(Ok(inner.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()));
        }
        let finder = match &mut self.finder {
            Some(finder) => finder,
            absent => absent.insert(Finder::new(Tree::walk(self.folder, warn)?)),
        };
        Ok(finder.find(name).map(Path::to_owned))
    }
}

/// A list as text.
struct Table {
    header: Vec<String>,
    records: Vec<Record>,
    delimiter: u8,
    /// Lines that were not UTF-8.
    n_foreign: usize,
}

struct Record {
    /// Line in the file, from 1.
    line: u64,
    fields: Vec<String>,
}

impl Table {
    fn read(path: &Path) -> Result<Self, DatasetError> {
        let bytes = std::fs::read(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
        let (text, n_foreign) = decode(&bytes);
        let delimiter = sniff(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default());
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut records = Vec::new();
        for record in reader.records() {
            let record =
                record.map_err(|error| DatasetError::Csv { reason: error.to_string(), path: path.to_owned() })?;
            // Spreadsheets leave rows of delimiters behind.
            if record.iter().any(|field| !field.trim().is_empty()) {
                let line = record.position().map(csv::Position::line).unwrap_or_default();
                records.push(Record { line, fields: record.iter().map(str::to_owned).collect() });
            }
        }
        if records.is_empty() {
            return Err(DatasetError::EmptyList(path.to_owned()));
        }
        let header = records.remove(0).fields.into_iter().map(|name| name.trim().to_owned()).collect();
        Ok(Self { header, records, delimiter, n_foreign })
    }

    /// What looks wrong with the file as a whole.
    fn doubts(&self, columns: &Columns) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.n_foreign > 0 {
            doubts.push(format!("lines that are not UTF-8, read as Latin-1: {}", self.n_foreign));
        }
        let delimiter = char::from(self.delimiter);
        for record in &self.records {
            let swallowed = record.fields.iter().flat_map(|field| field.lines().skip(1));
            let n_rows = swallowed.filter(|line| line.matches(delimiter).count() + 1 >= self.header.len()).count();
            if n_rows > 0 {
                let line = record.line;
                doubts.push(format!("a quotation mark opened in line {line} is not closed; rows lost in it: {n_rows}"));
            }
        }
        let rivals = columns.rivals(&self.header);
        if !rivals.is_empty() {
            let label = &self.header[columns.label];
            doubts.push(format!("column {label:?} is taken as the label, not {}", rivals.join(", ")));
        }
        doubts
    }
}

/// Text of a list in UTF-8 or UTF-16 with a byte order mark, or with single lines in Latin-1; and how many those were.
fn decode(bytes: &[u8]) -> (String, usize) {
    let wide = |from: fn([u8; 2]) -> u16| -> String {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| from([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xFF, 0xFE, ..] => return (wide(u16::from_le_bytes), 0),
        [0xFE, 0xFF, ..] => return (wide(u16::from_be_bytes), 0),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (text.to_owned(), 0);
    }
    let mut n_foreign = 0;
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').map(|line| match std::str::from_utf8(line) {
        Ok(line) => Cow::Borrowed(line),
        Err(_) => {
            n_foreign += 1;
            Cow::Owned(line.iter().map(|&byte| char::from(byte)).collect::<String>())
        }
    });
    (lines.collect(), n_foreign)
}

/// The delimiter that the header has most of.
fn sniff(header: &str) -> u8 {
    let mut best = (b',', 0);
    for delimiter in [b',', b'\t', b';'] {
        let mut quoted = false;
        let mut n = 0;
        for byte in header.bytes() {
            quoted ^= byte == b'"';
            n += usize::from(byte == delimiter && !quoted);
        }
        if n > best.1 {
            best = (delimiter, n);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_the_most_frequent_outside_quotes() {
        for (header, delimiter) in
            [("path,label", b','), ("path\tlabel", b'\t'), ("path;label", b';'), ("\"a,b,c\";d", b';'), ("path", b',')]
        {
            assert_eq!(sniff(header), delimiter, "{header}");
        }
    }

    #[test]
    fn any_usual_encoding_is_read() {
        assert_eq!(decode(b"\xEF\xBB\xBFa,\xC3\xBC\n"), ("a,ü\n".into(), 0));
        assert_eq!(decode(b"\xFFa\n\xC3\xBC\n\xFC"), ("ÿa\nü\nü".into(), 2));
        assert_eq!(decode(b"\xFF\xFEa\x00,\x00"), ("a,".into(), 0));
    }
}

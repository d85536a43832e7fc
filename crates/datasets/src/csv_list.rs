//! Datasets that come with a list: `labels.csv`, `labels.tsv` or `labels.xlsx`, one row a clip.
//!
//! Any single list in the folder will do, or the list itself, or one list per split (`train.csv`, `test.csv`, or
//! Hugging Face's `train/metadata.csv`, where names are relative to `train`).
//! Delimiter, encoding and column names are recognized. Columns such as `voice_features` name files of precomputed
//! features, one array a clip, as `file.npz#array` where there are several; clips that have some need no media. Where
//! an array holds many clips, the column `row`, or `voice_row` and its like, says which of its rows is the clip's, from
//! 0; steps of zeros around it are padding. Left out: several clips cut from one file by start and end.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use emotion::{Affect, FaceBox, FeatureRef, Manifest, Modality, Problem, Scale, Split, Stream};
use features::Store;

use crate::assemble::{Draft, Row};
use crate::columns::{ColumnMap, Columns, FEATURED};
use crate::naming::part_of;
use crate::sequences::{MAX_SEARCHED, data_steps};
use crate::table::{Origin, Record, Table, is_list, is_spreadsheet};
use crate::tree::{Finder, Kind, Lost, Tree, child, entries, is_media, kind};
use crate::{DatasetError, Importer, Options};

/// `path,label,split,speaker,text` and, where known, the face box and files of features.
pub struct CsvList;

impl Importer for CsvList {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn describe(&self) -> &'static str {
        "labels.csv, labels.tsv or labels.xlsx with the columns path, label and, where known, split, speaker, text, face_x …, voice_features …, row"
    }

    fn recognizes(&self, root: &Path) -> bool {
        match lists(root) {
            Ok(Some(_)) if root.is_file() => is_list(root),
            Ok(Some(lists)) => lists.iter().all(|list| {
                is_named_labels(&list.path)
                    || Table::head(&list.path)
                        .is_ok_and(|table| Columns::locate(&table, &Default::default(), &list.path).is_ok())
            }),
            Ok(None) => false,
            // Several lists: `import` says so.
            Err(_) => !has_class_folders(root),
        }
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let lists = lists(root)?.ok_or_else(|| DatasetError::Empty(root.to_owned()))?;
        let folder = if root.is_file() { root.parent().unwrap_or(root) } else { root };
        let shown = if let [list] = lists.as_slice() { list.path.as_path() } else { folder };
        let mut draft = Draft::new(self.name(), folder, shown, warn);
        let mut files = Files { folder, finder: None, open: HashMap::new() };
        for list in &lists {
            read_list(list, options, &mut files, &mut draft)?;
        }
        draft.finish(options)
    }
}

/// A list file.
struct List {
    path: PathBuf,
    /// Of all its rows, where its name or its folder's gives it.
    split: Option<Split>,
    /// Folder below the root that its names are relative to; mostly the root itself.
    folder: PathBuf,
}

impl List {
    fn new(path: PathBuf, split: Option<Split>) -> Self {
        Self { path, split, folder: PathBuf::new() }
    }

    /// What a cell of it calls a file, seen from the root.
    fn seen_from_root(&self, cell: &str) -> String {
        if cell.is_empty() { String::new() } else { self.folder.join(cell).to_string_lossy().into_owned() }
    }
}

/// Whether `root` is a list or has one at its top.
pub(crate) fn has_list(root: &Path) -> bool {
    !matches!(lists(root), Ok(None))
}

/// The list `labels.*` at the top of `root`, if it has the columns of one.
pub(crate) fn labels_at(root: &Path) -> Option<PathBuf> {
    let own = lists(root).ok()??.into_iter().map(|list| list.path).find(|path| is_named_labels(path))?;
    let table = Table::head(&own).ok()?;
    Columns::locate(&table, &ColumnMap::default(), &own).ok()?.path?;
    Some(own)
}

/// Column names of the list at `root`, or of the first one in that folder; empty where there is none.
pub(crate) fn header(root: &Path) -> Vec<String> {
    let Ok(Some(lists)) = lists(root) else { return Vec::new() };
    let table = lists.first().filter(|list| is_list(&list.path)).and_then(|list| Table::head(&list.path).ok());
    table.map(|table| table.header).unwrap_or_default()
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
        return Ok(Some(vec![List::new(root.to_owned(), None)]));
    }
    let found = entries(root).map_err(|source| DatasetError::Read { path: root.to_owned(), source })?;
    let mut paths: Vec<PathBuf> =
        found.into_iter().filter(|(path, is_folder)| !is_folder && is_list(path)).map(|(path, _)| path).collect();
    if let Some(labels) = paths.iter().find(|path| is_named_labels(path)) {
        return Ok(Some(vec![List::new(labels.clone(), None)]));
    }
    // People keep the spreadsheet that a list was exported from beside it.
    if paths.iter().any(|path| !is_spreadsheet(path)) {
        paths.retain(|path| !is_spreadsheet(path));
    }
    if paths.len() <= 1 {
        let lists = paths.pop().map_or_else(|| in_parts(root, "metadata.csv"), |path| vec![List::new(path, None)]);
        return Ok((!lists.is_empty()).then_some(lists));
    }
    let split_of = |path: &PathBuf| part_of(path.file_stem()?.to_str()?);
    if paths.iter().all(|path| split_of(path).is_some()) {
        return Ok(Some(
            paths.into_iter().map(|path| List { split: split_of(&path), path, folder: PathBuf::new() }).collect(),
        ));
    }
    let names: Vec<_> = paths.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy()).collect();
    Err(DatasetError::SeveralLists { found: names.join(", "), path: root.to_owned() })
}

/// The lists called `name` in folders that are called after splits, at `root` or in its `data`.
fn in_parts(root: &Path, name: &str) -> Vec<List> {
    let list = |(folder, _): (PathBuf, bool)| {
        let split = part_of(folder.file_name()?.to_str()?)?;
        let path = child(&folder, &[name])?;
        Some(List { path, split: Some(split), folder: folder.strip_prefix(root).ok()?.to_owned() })
    };
    let of = |folder: &Path| entries(folder).unwrap_or_default().into_iter().filter_map(list).collect::<Vec<_>>();
    let lists = of(root);
    if lists.is_empty() { child(root, &["data"]).map(|data| of(&data)).unwrap_or_default() } else { lists }
}

/// The list in JSON that Hugging Face's folders have in place of one in CSV.
pub(crate) fn json_lines(root: &Path) -> Option<PathBuf> {
    const NAME: &str = "metadata.jsonl";
    child(root, &[NAME]).or_else(|| in_parts(root, NAME).into_iter().next().map(|list| list.path))
}

/// Appends the usable rows of `list`.
fn read_list(list: &List, options: &Options, files: &mut Files<'_>, draft: &mut Draft<'_>) -> Result<(), DatasetError> {
    let table = Table::read(&list.path)?;
    let columns = Columns::locate(&table, &options.columns, &list.path)?;
    for reason in doubts(&table, &columns) {
        draft.note(&list.path, reason);
    }
    if columns.ratings.iter().any(Option::is_some) {
        match options.scale {
            Some(_) => draft.scale = options.scale,
            None => {
                draft.note(&list.path, "the columns of ratings are not used: say which scale they are on, as in 1..5");
            }
        }
    }
    let shared = shared_arrays(&table, &columns);
    for record in &table.records {
        let line = record.line;
        let field = |column: usize| record.field(column);
        let name = &list.seen_from_root(columns.path.map_or("", field));
        let (features, lost) = read_features(list, record, &columns, &shared, files, draft);
        if name.is_empty() && features.is_empty() {
            let names_none = || Problem { path: list.path.clone(), reason: format!("line {line} names no file") };
            let Problem { path, reason } = lost.into_iter().next().unwrap_or_else(names_none);
            draft.skip(path, format!("{reason}: left out"));
            continue;
        }
        let label = field(columns.label);
        if label.is_empty() {
            draft.skip(name, format!("no label in line {line}: left out"));
            continue;
        }
        // What has features may be called as one likes.
        let is_named = name.is_empty() || !is_media(Path::new(name));
        // What lies in another part is another clip.
        let n_parts = if list.folder.as_os_str().is_empty() { 1 } else { name.split(['/', '\\']).count() };
        let path = match files.find(name, n_parts, draft)? {
            Ok(path) if features.is_empty() || is_media(&path) || files.folder.join(&path).is_dir() => path,
            Ok(_) | Err(_) if !features.is_empty() && is_named => PathBuf::new(),
            Err(Lost::Missing) if !features.is_empty() => {
                draft.note(name, format!("file of line {line} is missing: only its features are used"));
                PathBuf::new()
            }
            Ok(path) => path,
            // A clip that was to have features alone is missed for them.
            Err(Lost::Missing) if is_named && !lost.is_empty() => {
                draft.skip(name, format!("{}: left out", lost[0].reason));
                continue;
            }
            Err(Lost::Missing) if is_named && columns.features.iter().any(Option::is_some) => {
                draft.skip(name, format!("line {line} names neither features nor a file that is there: left out"));
                continue;
            }
            Err(Lost::Missing) => {
                draft.skip(name, format!("file of line {line} is missing: left out"));
                continue;
            }
            Err(Lost::Ambiguous(n, some)) => {
                let reason = format!("line {line} can mean {n} files ({some}): left out; write the folder, too");
                draft.skip(name, reason);
                continue;
            }
        };
        for problem in lost {
            draft.warn(problem);
        }
        let face = columns.face.and_then(|sides| face_box(sides.map(field)));
        if columns.face.is_some() && face.is_none() {
            draft.note(&path, format!("no usable face box in line {line}"));
        }
        let ratings = columns.ratings.map(|column| column.map(field).filter(|rating| !rating.is_empty()));
        let (affect, off_scale) = options.scale.map(|scale| affect(ratings, scale)).unwrap_or_default();
        for rating in off_scale {
            draft.note(&path, format!("the rating {rating:?} in line {line} is not on the scale and is not used"));
        }
        let some = |column: Option<usize>| column.map(field).filter(|value| !value.is_empty()).map(str::to_owned);
        let id = if !name.is_empty() { name.to_owned() } else { called(&features) };
        draft.rows.push(Row {
            id: path.as_os_str().is_empty().then_some(id),
            path,
            label: label.to_owned(),
            split: list.split.map(|split| split.name().to_owned()).or_else(|| some(columns.split)),
            speaker: some(columns.speaker),
            text: some(columns.text),
            face,
            affect,
            features,
            ..Row::default()
        });
    }
    Ok(())
}

/// The name of a clip of features alone.
fn called(features: &[FeatureRef]) -> String {
    features.first().map_or_else(String::new, |feature| {
        let array = feature.array.as_ref().map_or_else(String::new, |array| format!("#{array}"));
        let row = feature.row.map_or_else(String::new, |row| format!("[{row}]"));
        format!("{}{array}{row}", feature.path.display())
    })
}

/// Cells of features, by the place of their modality, of which some line says which row is the clip's.
fn shared_arrays(table: &Table, columns: &Columns) -> HashSet<(usize, String)> {
    let mut shared = HashSet::new();
    for (place, (features, row)) in columns.features.iter().zip(&columns.rows).enumerate() {
        let (Some(features), Some(row)) = (features, row) else { continue };
        let records = table.records.iter().filter(|record| !record.field(*row).is_empty());
        shared.extend(records.map(|record| (place, record.field(*features).to_owned())));
    }
    shared
}

/// The features that a row names, and what is wrong with those that cannot be used.
fn read_features(
    list: &List,
    record: &Record,
    columns: &Columns,
    shared: &HashSet<(usize, String)>,
    files: &mut Files<'_>,
    draft: &mut Draft<'_>,
) -> (Vec<FeatureRef>, Vec<Problem>) {
    let (mut found, mut lost) = (Vec::new(), Vec::new());
    for (place, modality) in FEATURED.into_iter().enumerate() {
        let field = |column: Option<usize>| column.map_or("", |column| record.field(column));
        let cell = field(columns.features[place]);
        let name = &list.seen_from_root(cell);
        if name.is_empty() {
            continue;
        }
        let is_shared = || shared.contains(&(place, cell.to_owned()));
        let feature = match row_number(field(columns.rows[place])) {
            Ok(None) if is_shared() => Err("it says no row, as other lines do for the same array".to_owned()),
            Ok(row) => files.feature(name, row, modality, &mut draft.streams),
            Err(reason) => Err(reason),
        };
        match feature {
            Ok(feature) => found.push(feature),
            Err(reason) => {
                let reason = format!("features of line {} are not used: {reason}", record.line);
                lost.push(Problem { path: PathBuf::from(name), reason });
            }
        }
    }
    (found, lost)
}

/// The number in a cell; `None` where it is empty. Spreadsheets make `3.0` of a 3.
fn row_number(cell: &str) -> Result<Option<usize>, String> {
    let whole = cell.strip_suffix(".0").unwrap_or(cell);
    let number = (!whole.is_empty()).then(|| whole.parse());
    number.transpose().map_err(|_| format!("the row {cell:?} is no number from 0"))
}

fn face_box(sides: [&str; 4]) -> Option<FaceBox> {
    let [x, y, width, height] = sides.map(|side| side.replace(',', ".").parse::<f32>().ok().filter(|v| v.is_finite()));
    let face = FaceBox { x_px: x?, y_px: y?, width_px: width?, height_px: height? };
    (face.width_px >= 1.0 && face.height_px >= 1.0).then_some(face)
}

/// Valence, arousal and dominance in −1..=1, and those that are not on `scale`.
fn affect(ratings: [Option<&str>; 3], scale: Scale) -> (Affect, Vec<String>) {
    let unit = |rating: &str| scale.to_unit(rating.replace(',', ".").parse().ok()?);
    let [valence, arousal, dominance] = ratings.map(|rating| rating.and_then(unit));
    let off_scale = ratings.into_iter().flatten().filter(|rating| unit(rating).is_none()).map(str::to_owned);
    (Affect { valence, arousal, dominance }, off_scale.collect())
}

/// Files of features kept open; a list may name one for each clip.
const MAX_OPEN: usize = 64;

/// The files that rows name. The folder is searched only once a row needs it.
struct Files<'a> {
    folder: &'a Path,
    finder: Option<Finder>,
    open: HashMap<String, Store>,
}

impl Files<'_> {
    /// The file that a row calls `name`, whose last `n_parts` parts must fit, relative to the folder where it lies in
    /// it.
    fn find(
        &mut self,
        name: &str,
        n_parts: usize,
        draft: &mut Draft<'_>,
    ) -> Result<Result<PathBuf, Lost>, DatasetError> {
        let direct = Path::new(name);
        let whole = self.folder.join(direct);
        if whole.is_file() || !name.is_empty() && has_pictures(&whole) {
            let inner = direct.strip_prefix(self.folder).unwrap_or(direct);
            // `./a` and `a` are one clip.
            return Ok(Ok(inner.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()));
        }
        let finder = match &mut self.finder {
            Some(finder) => finder,
            absent => absent.insert(Finder::new(Tree::walk(self.folder, &mut |problem| draft.warn(problem))?)),
        };
        Ok(finder.find_by(name, n_parts).map(Path::to_owned))
    }

    /// What the cell `name` means, and of arrays of many clips `row`; the error says why it cannot be used.
    fn feature(
        &mut self,
        name: &str,
        row: Option<usize>,
        modality: Modality,
        streams: &mut Vec<Stream>,
    ) -> Result<FeatureRef, String> {
        let folder = self.folder;
        let (file, asked) = match name.rsplit_once('#').filter(|_| !folder.join(name).is_file()) {
            Some((file, array)) => (file, Some(array)),
            None => (name, None),
        };
        let file = file.replace('\\', "/");
        let store = self.open(&file)?;
        let arrays: Vec<(&str, &[usize])> =
            store.arrays().filter(|(own, _)| asked.is_none_or(|asked| asked == *own)).collect();
        let &[(array, shape)] = arrays.as_slice() else {
            let known = store.arrays().map(|(own, _)| own).collect::<Vec<_>>().join(", ");
            return Err(format!("write which array, as in {file}#array, of {known}"));
        };
        let (array, shape) = (array.to_owned(), shape.to_vec());
        let own = match row {
            None => shape.as_slice(),
            Some(row) => match shape.split_first() {
                Some((&n_rows, own)) if row < n_rows => own,
                _ => return Err(format!("there is no row {row}, counted from 0, in an array of shape {shape:?}")),
            },
        };
        let (n_steps, n_dims) = features::sequence_shape(own).ok_or_else(|| match row {
            None => format!(
                "an array of shape {shape:?} is no sequence of vectors; \
                 where each row is a clip, say which in a column row or {}_row",
                modality.name()
            ),
            Some(_) => format!("a row of an array of shape {shape:?} is no sequence of vectors"),
        })?;
        if n_steps == 0 || n_dims == 0 {
            return Err(format!("an array of shape {shape:?} is empty"));
        }
        // Only where clips share an array are they padded to one length.
        let (first_step, end) = match row {
            Some(_) if shape.iter().product::<usize>() <= MAX_SEARCHED => {
                let values = store.read(&array, row).map_err(|error| error.to_string())?.values;
                data_steps(&values, n_dims).ok_or("they are all zeros, as if they were missing")?
            }
            _ => (0, n_steps),
        };
        let stream_name = format!("{}_features", modality.name());
        let stream = match streams.iter().position(|stream| stream.name == stream_name) {
            Some(known) if streams[known].n_dims != n_dims => {
                return Err(format!("{n_dims} values a step instead of {}", streams[known].n_dims));
            }
            Some(known) => known,
            None => {
                streams.push(Stream { name: stream_name, modality, n_dims, aligned: false, extracted: false });
                streams.len() - 1
            }
        };
        let path = Path::new(&file);
        Ok(FeatureRef {
            stream,
            path: path.strip_prefix(folder).unwrap_or(path).to_owned(),
            array: (!array.is_empty()).then_some(array),
            row,
            first_dim: 0,
            first_step,
            n_steps: end - first_step,
        })
    }

    fn open(&mut self, file: &str) -> Result<&mut Store, String> {
        if !self.open.contains_key(file) {
            if self.open.len() >= MAX_OPEN {
                self.open.clear();
            }
            let store = Store::open(&self.folder.join(file)).map_err(|error| error.to_string())?;
            self.open.insert(file.to_owned(), store);
        }
        Ok(self.open.get_mut(file).expect("it was just opened"))
    }
}

/// Whether a clip may be meant: a folder with a picture for each frame.
fn has_pictures(folder: &Path) -> bool {
    let found = entries(folder).unwrap_or_default();
    found.iter().any(|(path, is_folder)| !is_folder && kind(path) == Some(Kind::Picture))
}

/// What looks wrong with a list as a whole.
fn doubts(table: &Table, columns: &Columns) -> Vec<String> {
    let mut doubts = Vec::new();
    match &table.origin {
        Origin::Text { delimiter, n_foreign } => {
            if *n_foreign > 0 {
                doubts.push(format!("lines that are not UTF-8, read as GBK or Windows-1252: {n_foreign}"));
            }
            doubts.extend(unclosed(table, char::from(*delimiter)));
        }
        Origin::Spreadsheet { sheet, others } if !others.is_empty() => {
            doubts.push(format!("only the sheet {sheet:?} is read; there are rows on {}, too", others.join(", ")));
        }
        Origin::Spreadsheet { .. } => {}
    }
    let wide: Vec<&Record> = table.records.iter().filter(|record| is_wider(record, table.header.len())).collect();
    if let Some(first) = wide.first() {
        let (line, n_cells, n_columns) = (first.line, first.fields.len(), table.header.len());
        doubts.push(format!(
            "lines with more cells than columns, {}, the first: line {line} has {n_cells}, the header {n_columns}; \
             the rest is not used, and where a comma stands in a text, the text needs quotation marks",
            wide.len()
        ));
    }
    let rivals = columns.rivals(&table.header);
    if !rivals.is_empty() {
        let label = &table.header[columns.label];
        doubts.push(format!("column {label:?} is taken as the label, not {}", rivals.join(", ")));
    }
    doubts
}

/// Whether something stands in cells beyond the last column.
fn is_wider(record: &Record, n_columns: usize) -> bool {
    record.fields.iter().skip(n_columns).any(|cell| !cell.trim().is_empty())
}

/// Quotation marks that swallow the rows after them.
fn unclosed(table: &Table, delimiter: char) -> Vec<String> {
    let doubt = |record: &Record| {
        let swallowed = record.fields.iter().flat_map(|field| field.lines().skip(1));
        let n_rows = swallowed.filter(|line| line.matches(delimiter).count() + 1 >= table.header.len()).count();
        let line = record.line;
        (n_rows > 0).then(|| format!("a quotation mark opened in line {line} is not closed; rows lost in it: {n_rows}"))
    };
    table.records.iter().filter_map(doubt).collect()
}

//! MAFW (Liu et al. 2022): 10,045 film clips with sound and bilingual captions, eleven emotions, five official folds.
//!
//! `Train & Test Set/{single,compound}/{no_caption,with_caption}/set_1/{train,test}.txt`: `00025.mp4 anger`, or with
//! captions `clip.mp4⇥label⇥Chinese⇥English`. The captioned lists mix Windows-1252 and GBK, and some lists end without
//! a line feed. The English caption is the text, the Chinese one where there is no other. Clips are films in
//! `data/clips`, folders of pictures in `data/frames`, or faces cut out of them in `data/faces`, with the sound of the
//! film or of a file beside where there is one.
//!
//! The spreadsheets in `Labels` are read where they are there: `single-set.xlsx` in place of lists of folds,
//! `descriptive_text.xlsx` for captions, `annotation.xlsx` for what each rater voted. Left out: `multi-set.xlsx`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{FaceSource, LabelSet, Manifest, Problem};

use crate::assemble::{Draft, Row};
use crate::naming::class_of;
use crate::table::{Lines, Record, Table};
use crate::tree::{Kind, Recordings, Tree, child, stem};
use crate::{DatasetError, Importer, Options, Variant, variant};

const N_FOLDS: usize = 5;

/// Official folder of MAFW.
pub struct Mafw;

impl Importer for Mafw {
    fn name(&self) -> &'static str {
        "mafw"
    }

    fn describe(&self) -> &'static str {
        "MAFW: Train & Test Set/single/with_caption/set_K/{train,test}.txt or Labels/single-set.xlsx with data/{clips,frames,faces}"
    }

    fn variants(&self) -> &'static [Variant] {
        &[
            Variant { name: "single", describe: "one of eleven emotions a clip" },
            Variant { name: "compound", describe: "combinations of emotions as classes of their own" },
        ]
    }

    fn recognizes(&self, root: &Path) -> bool {
        lists(root, "single").or_else(|| lists(root, "compound")).or_else(|| labels(root, "single-set.xlsx")).is_some()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let variant = variant(self, options)?;
        let mut draft = Draft::new(self.name(), root, root, warn);
        let clips = Clips::of(Tree::walk_to_frames(root, &mut |problem| draft.warn(problem))?);
        let sheet = if variant == "single" { labels(root, "single-set.xlsx") } else { None };
        let (rows, protocol) = match (lists(root, variant), sheet) {
            (None, Some(sheet)) if options.fold.is_none() => {
                (rows_of_sheet(&sheet)?, "MAFW, single labels, without its folds".to_owned())
            }
            (lists, _) => {
                let what = format!("Train & Test Set/{variant}");
                let lists = lists.ok_or_else(|| DatasetError::Incomplete { what, path: root.to_owned() })?;
                let is_there = |fold: &usize| child(&lists, &[&format!("set_{fold}")]).is_some();
                let fold = options.fold.or_else(|| (1..=N_FOLDS).find(is_there)).unwrap_or(1);
                let rows = rows_of_fold(&lists, fold, &mut draft)?;
                (rows, format!("MAFW's official fold {fold} of {N_FOLDS}, {variant} labels"))
            }
        };
        let captions =
            labels(root, "descriptive_text.xlsx").map(|path| captions(&path)).transpose()?.unwrap_or_default();
        let votes = match labels(root, "annotation.xlsx").filter(|_| variant == "single") {
            Some(path) => votes(&path, &mut draft)?,
            None => HashMap::new(),
        };
        let faces = clips.faces(&rows, options.faces);
        for ListRow { name, word, place, split, caption } in rows {
            let label = match variant {
                "single" => class_of(&word, &LabelSet::ELEVEN).map(str::to_owned),
                _ => Some(word.to_lowercase()).filter(|word| !word.is_empty()),
            };
            let Some(label) = label else {
                draft.skip(name, format!("{place} has the unknown class {word:?}: left out"));
                continue;
            };
            let number = number(&name);
            let (path, audio) = match clips.find(&number, faces) {
                Ok(found) => found,
                Err(wanted) => {
                    draft.skip(name, format!("clip of {place} is missing, {wanted}: left out"));
                    continue;
                }
            };
            let text = caption.or_else(|| captions.get(&number).cloned());
            let votes = votes.get(&number).cloned().unwrap_or_default();
            draft.rows.push(Row { path, audio, label, split, text, votes, ..Row::default() });
        }
        if variant == "single" {
            draft.labels = LabelSet::ELEVEN.to_vec();
        }
        draft.protocol = Some(protocol);
        draft.faces = faces;
        draft.finish(options)
    }
}

/// What a list says about a clip.
struct ListRow {
    name: String,
    word: String,
    /// Where that stands.
    place: String,
    split: Option<String>,
    caption: Option<String>,
}

fn rows_of_fold(lists: &Path, fold: usize, draft: &mut Draft<'_>) -> Result<Vec<ListRow>, DatasetError> {
    let no_fold = || DatasetError::NoFold { asked: fold, there: format!("1 to {N_FOLDS}"), path: lists.to_owned() };
    let set = child(lists, &[&format!("set_{fold}")]).ok_or_else(no_fold)?;
    let mut rows = Vec::new();
    for split in ["train", "test"] {
        let missing = || DatasetError::Incomplete { what: format!("{split}.txt"), path: set.clone() };
        let list = child(&set, &[&format!("{split}.txt")]).ok_or_else(missing)?;
        let Lines { lines, n_foreign } = Lines::read(&list)?;
        if n_foreign > 0 {
            draft.note(&list, format!("lines that are not UTF-8, read as GBK or Windows-1252: {n_foreign}"));
        }
        for (line, text) in lines {
            let delimiter = if text.contains('\t') { '\t' } else { ' ' };
            let mut fields = text.splitn(4, delimiter).map(str::trim);
            rows.push(ListRow {
                name: fields.next().unwrap_or_default().to_owned(),
                word: fields.next().unwrap_or_default().to_owned(),
                place: format!("line {line} of {split}"),
                split: Some(split.to_owned()),
                caption: caption(fields.next(), fields.next()),
            });
        }
    }
    Ok(rows)
}

/// `single-set.xlsx`: the clip, and `single_label` from 1 in the order of the eleven emotions.
fn rows_of_sheet(path: &Path) -> Result<Vec<ListRow>, DatasetError> {
    let table = Table::read(path)?;
    let [label] = table.columns(["single_label"], path)?;
    let named = |word: &str| {
        let number = word.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        number.and_then(|at| LabelSet::ELEVEN.get(at)).map_or_else(|| word.to_owned(), ToString::to_string)
    };
    let row = |record: &Record| ListRow {
        name: record.field(0).to_owned(),
        word: named(record.field(label)),
        place: format!("row {} of {}", record.line, stem(path)),
        split: None,
        caption: None,
    };
    Ok(table.records.iter().map(row).collect())
}

/// Captions by the number of the clip; the sheet has the columns clip, Chinese and English and no header.
fn captions(path: &Path) -> Result<HashMap<String, String>, DatasetError> {
    let records = Table::read(path)?.headless();
    let text =
        |record: &Record| Some((number(record.field(0)), caption(Some(record.field(1)), Some(record.field(2)))?));
    Ok(records.iter().filter_map(text).collect())
}

/// Shares of the raters by the number of the clip: `annotation.xlsx` has a column for each emotion.
fn votes(path: &Path, draft: &mut Draft<'_>) -> Result<HashMap<String, Vec<f32>>, DatasetError> {
    let table = Table::read(path)?;
    let place = |class: &&'static str| table.header.iter().position(|name| class_of(name, &[class]).is_some());
    let columns: Option<Vec<usize>> = LabelSet::ELEVEN.iter().map(place).collect();
    let Some(columns) = columns else {
        draft.note(path, format!("not a column for each of the eleven emotions, but {}: not used", table.listed()));
        return Ok(HashMap::new());
    };
    let shares = |record: &Record| {
        let counts: Vec<f32> = columns.iter().map(|&column| record.field(column).parse().unwrap_or(0.0)).collect();
        let total: f32 = counts.iter().sum();
        (total > 0.0).then(|| (number(record.field(0)), counts.iter().map(|count| count / total).collect()))
    };
    Ok(table.records.iter().filter_map(shares).collect())
}

/// The English caption, the Chinese one where there is no other.
fn caption(chinese: Option<&str>, english: Option<&str>) -> Option<String> {
    english.into_iter().chain(chinese).find(|caption| !caption.is_empty()).map(str::to_owned)
}

/// `00025` of `00025.mp4`, or of 25 as spreadsheets keep it.
fn number(name: &str) -> String {
    let stem = stem(Path::new(name));
    stem.parse::<u32>().map_or_else(|_| stem.to_owned(), |number| format!("{number:05}"))
}

fn labels(root: &Path, file: &str) -> Option<PathBuf> {
    child(&child(root, &["Labels"])?, &[file])
}

/// The folder of the folds, with captions where those are there.
fn lists(root: &Path, variant: &str) -> Option<PathBuf> {
    let sets = child(root, &["Train & Test Set", "Train&Test Set", "Train_Test_Set"])?;
    child(&child(&sets, &[variant])?, &["with_caption", "no_caption"])
}

/// What there is of each clip, as the tree has it.
struct Clips {
    films: Recordings,
    /// Folders of cut-out faces by number.
    cut_out: HashMap<String, PathBuf>,
    /// Folders of whole pictures by number.
    frames: HashMap<String, PathBuf>,
}

impl Clips {
    fn of(tree: Tree) -> Self {
        let is_face = |path: &PathBuf| path.iter().any(|part| part.to_string_lossy().to_lowercase().contains("face"));
        let (cut_out, frames): (Vec<_>, Vec<_>) = tree.frames.into_iter().partition(is_face);
        let by_number =
            |folders: Vec<PathBuf>| folders.into_iter().map(|path| (stem(&path).to_owned(), path)).collect();
        Self { films: Recordings::new(&tree.files), cut_out: by_number(cut_out), frames: by_number(frames) }
    }

    /// Where the faces of `rows` come from: cut out where that is asked for, or where more clips have such than have
    /// films.
    fn faces(&self, rows: &[ListRow], asked: FaceSource) -> FaceSource {
        let n = |is_there: &dyn Fn(&String) -> bool| rows.iter().map(|row| number(&row.name)).filter(is_there).count();
        let is_film = |name: &String| self.films.get(name, Kind::Video).is_some();
        let (n_films, n_cut_out) = (n(&is_film), n(&|name| self.cut_out.contains_key(name)));
        let n_whole = n(&|name| is_film(name) || self.frames.contains_key(name));
        match asked {
            FaceSource::Cropped => FaceSource::Cropped,
            FaceSource::Auto if n_cut_out > n_films && n_cut_out >= n_whole => FaceSource::Cropped,
            _ if n_whole > n_films => FaceSource::Detect,
            _ => FaceSource::Auto,
        }
    }

    /// File or folder of a clip, and where its sound is if not in there; the error says what was looked for.
    fn find(&self, name: &str, faces: FaceSource) -> Result<(PathBuf, Option<PathBuf>), String> {
        let film = self.films.get(name, Kind::Video).cloned();
        let (folders, wanted) = match (faces, film) {
            (FaceSource::Cropped, _) => (&self.cut_out, format!("no folder {name} of faces, as in data/faces")),
            (_, Some(film)) => return Ok((film, None)),
            (_, None) => (&self.frames, format!("neither {name}.mp4 nor a folder {name} of frames, as in data/frames")),
        };
        let sound = self.films.get(name, Kind::Sound).or_else(|| self.films.get(name, Kind::Video)).cloned();
        Ok((folders.get(name).ok_or(wanted)?.clone(), sound))
    }
}

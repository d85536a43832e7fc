//! AffectNet (Mollahosseini et al. 2019): faces in eight classes, with valence and arousal.
//!
//! The later release has 291,650 faces of 224 × 224 pixels, `train_set/images/N.jpg` with
//! `train_set/annotations/N_exp.npy`, `N_val.npy` and `N_aro.npy`, one number or its text each; `val_set` likewise. The
//! first release has whole pictures in `Manually_Annotated_Images`, and boxes, expressions and ratings in
//! `Manually_Annotated_file_lists/{training,validation}.csv`. Left out: landmarks, and pictures that were annotated
//! automatically.

use std::path::{Path, PathBuf};

use emotion::{Affect, FaceBox, FaceSource, Manifest, Problem, Scale};

use crate::assemble::{Draft, Row};
use crate::naming::part_of;
use crate::table::Table;
use crate::tree::{Kind, Tree, child, entries, kind, stem};
use crate::{DatasetError, Importer, Options, opening};

/// Expression 0 is the first.
const LABELS: [&str; 8] = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"];
/// Expressions after them.
const OTHERS: [&str; 3] = ["none of the eight expressions", "the annotator was uncertain", "no face"];
/// Lists of the first release, and their parts.
const LISTS: [(&str, &str); 2] = [("training.csv", "train"), ("validation.csv", "val")];
const LISTS_FOLDER: &str = "Manually_Annotated_file_lists";
/// Folders of a part, of which there are hundreds of thousands of files, so few are looked at to tell it.
const N_LOOKED_AT: usize = 32;

/// Folder of AffectNet.
pub struct AffectNet;

impl Importer for AffectNet {
    fn name(&self) -> &'static str {
        "affectnet"
    }

    fn describe(&self) -> &'static str {
        "AffectNet: {train,val}_set/{images/N.jpg,annotations/N_exp.npy}, or Manually_Annotated_file_lists/{training,validation}.csv with Manually_Annotated_Images"
    }

    fn recognizes(&self, root: &Path) -> bool {
        let has_annotations = ["train_set", "val_set"].into_iter().any(|part| {
            let files = child(root, &[part]).and_then(|part| std::fs::read_dir(part.join("annotations")).ok());
            let mut names = files.into_iter().flatten().flatten().take(N_LOOKED_AT).map(|entry| entry.file_name());
            names.any(|name| name.to_string_lossy().ends_with("_exp.npy"))
        });
        has_annotations || !lists(folder_of(root)).is_empty()
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let root = folder_of(root);
        let mut draft = Draft::new(self.name(), root, root, warn);
        let lists = lists(root);
        if lists.is_empty() {
            read_annotations(root, &mut draft)?;
            draft.faces = FaceSource::Cropped;
        }
        for (list, split) in lists {
            read_list(&list, split, root, &mut draft)?;
        }
        draft.labels = LABELS.to_vec();
        if draft.rows.iter().any(|row| !row.affect.is_empty()) {
            draft.scale = Some(Scale::UNIT);
        }
        draft.protocol = Some("AffectNet's official parts".to_owned());
        draft.finish(options)
    }
}

/// Adds the pictures that lie with a file an annotation.
fn read_annotations(root: &Path, draft: &mut Draft<'_>) -> Result<(), DatasetError> {
    for (part, _) in entries(root).map_err(|source| DatasetError::Read { path: root.to_owned(), source })? {
        let Some(split) = part.file_name().and_then(|name| part_of(name.to_str()?)) else { continue };
        let (pictures, annotations) = (part.join("images"), part.join("annotations"));
        let Some(folder) = pictures.strip_prefix(root).ok().filter(|_| pictures.is_dir()) else { continue };
        for file in Tree::walk(&pictures, &mut |problem| draft.warn(problem))?.files {
            if kind(&file) != Some(Kind::Picture) {
                continue;
            }
            let number = |end: &str| number(&annotations.join(format!("{}_{end}.npy", stem(&file))));
            let path: PathBuf = folder.join(&file);
            let expression = match number("exp") {
                Some(expression) if expression.fract() == 0.0 && expression >= 0.0 => expression as usize,
                _ => {
                    draft.skip(path, format!("no expression in annotations/{}_exp.npy: left out", stem(&file)));
                    continue;
                }
            };
            let row = Row { affect: affect(number("val"), number("aro")), path, ..Row::default() };
            push(expression, split.name(), row, draft);
        }
    }
    Ok(())
}

/// Adds the pictures of a list.
fn read_list(list: &Path, split: &str, root: &Path, draft: &mut Draft<'_>) -> Result<(), DatasetError> {
    let table = Table::read(list)?;
    let [name, expression] = table.columns(["subDirectory_filePath", "expression"], list)?;
    let sides = ["face_x", "face_y", "face_width", "face_height"].map(|side| table.column(side));
    let ratings = ["valence", "arousal"].map(|rating| table.column(rating));
    let pictures = pictures(root);
    let folder = pictures.strip_prefix(root).unwrap_or(&pictures);
    for record in &table.records {
        let number = |column: Option<usize>| record.field(column?).parse::<f32>().ok().filter(|side| side.is_finite());
        let path = folder.join(record.field(name));
        let Ok(expression) = record.field(expression).parse() else {
            draft.skip(path, format!("line {} of {} has no expression: left out", record.line, stem(list)));
            continue;
        };
        if expression < LABELS.len() && !root.join(&path).is_file() {
            draft.skip(path, format!("picture of line {} of {} is missing: left out", record.line, stem(list)));
            continue;
        }
        let face = match sides.map(number) {
            [Some(x_px), Some(y_px), Some(width_px), Some(height_px)] if width_px >= 1.0 && height_px >= 1.0 => {
                Some(FaceBox { x_px, y_px, width_px, height_px })
            }
            _ => None,
        };
        let [valence, arousal] = ratings.map(number);
        push(expression, split, Row { affect: affect(valence, arousal), path, face, ..Row::default() }, draft);
    }
    Ok(())
}

/// Adds `row` with the class that `expression` is, or leaves it out.
fn push(expression: usize, split: &str, row: Row, draft: &mut Draft<'_>) {
    match LABELS.get(expression) {
        Some(label) => draft.rows.push(Row { label: (*label).to_owned(), split: Some(split.to_owned()), ..row }),
        None => {
            let reason = OTHERS.get(expression - LABELS.len()).copied().unwrap_or("an unknown expression");
            draft.leave_out(row.path, reason);
        }
    }
}

/// What was not rated is −2.
fn affect(valence: Option<f32>, arousal: Option<f32>) -> Affect {
    let unit = |rating: Option<f32>| Scale::UNIT.to_unit(rating?);
    Affect { valence: unit(valence), arousal: unit(arousal), ..Affect::default() }
}

/// The folder that holds lists and pictures, where `root` is one of the lists or their folder.
fn folder_of(root: &Path) -> &Path {
    let is_list = LISTS.iter().any(|(name, _)| root.ends_with(name)) && root.is_file();
    let folder = root.parent().filter(|_| is_list).unwrap_or(root);
    folder.parent().filter(|_| folder.ends_with(LISTS_FOLDER)).unwrap_or(folder)
}

/// The lists of the first release, in their folder or at the top.
fn lists(root: &Path) -> Vec<(PathBuf, &'static str)> {
    let folder = Some(root.join(LISTS_FOLDER)).filter(|folder| folder.is_dir()).unwrap_or_else(|| root.to_owned());
    let is_list = |path: &Path| {
        let table = Table::head(path).ok();
        table.is_some_and(|table| table.columns(["subDirectory_filePath", "facial_landmarks"], path).is_ok())
    };
    LISTS.map(|(name, split)| (folder.join(name), split)).into_iter().filter(|(path, _)| is_list(path)).collect()
}

/// The folder from which the lists of the first release see the pictures.
fn pictures(root: &Path) -> PathBuf {
    let known = ["Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images"];
    known.iter().map(|name| root.join(name)).find(|folder| folder.is_dir()).unwrap_or_else(|| root.to_owned())
}

/// The one number in an `.npy` file: a number, or text as numpy keeps it, four bytes a character.
fn number(path: &Path) -> Option<f32> {
    if let Ok(mut store) = features::Store::open(path) {
        let array = store.read("", None).ok()?;
        return if let [number] = array.values[..] { Some(number) } else { None };
    }
    let bytes = opening::read(path).ok()?;
    let header_len = usize::from(u16::from_le_bytes(*bytes.get(8..)?.first_chunk()?));
    let (header, text) = bytes.get(10..)?.split_at_checked(header_len)?;
    let is_text = bytes.starts_with(b"\x93NUMPY\x01") && header.windows(2).any(|pair| pair == b"<U");
    let letter = |four: &[u8]| char::from_u32(u32::from_le_bytes(*four.first_chunk()?)).filter(|&c| c != '\0');
    let text: String = text.chunks_exact(4).map_while(letter).collect();
    text.trim().parse().ok().filter(|_| is_text)
}

//! AffectNet (Mollahosseini et al. 2019): 291,650 faces of 224 × 224 pixels in eight classes, with valence and arousal.
//!
//! `train_set/images/N.jpg` with `train_set/annotations/N_exp.npy`, `N_val.npy` and `N_aro.npy`, one number or its text each; `val_set`
//! likewise. Left out: landmarks, and the lists of the first release, which are read as any list.

use std::path::{Path, PathBuf};

use emotion::{Affect, FaceSource, Manifest, Problem, Scale};

use crate::assemble::{Draft, Row};
use crate::naming::part_of;
use crate::tree::{Kind, Tree, child, entries, kind, stem};
use crate::{DatasetError, Importer, Options, opening};

/// Expression 0 is the first.
const LABELS: [&str; 8] = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"];
/// Expressions after them.
const OTHERS: [&str; 3] = ["none of the eight expressions", "the annotator was uncertain", "no face"];
/// Folders of a part, of which there are hundreds of thousands of files, so few are looked at to tell it.
const N_LOOKED_AT: usize = 32;

/// Folder of AffectNet.
pub struct AffectNet;

impl Importer for AffectNet {
    fn name(&self) -> &'static str {
        "affectnet"
    }

    fn describe(&self) -> &'static str {
        "AffectNet: {train,val}_set/images/N.jpg with {train,val}_set/annotations/N_exp.npy, N_val.npy and N_aro.npy"
    }

    fn recognizes(&self, root: &Path) -> bool {
        ["train_set", "val_set"].into_iter().any(|part| {
            let files = child(root, &[part]).and_then(|part| std::fs::read_dir(part.join("annotations")).ok());
            let mut names = files.into_iter().flatten().flatten().take(N_LOOKED_AT).map(|entry| entry.file_name());
            names.any(|name| name.to_string_lossy().ends_with("_exp.npy"))
        })
    }

    fn import(&self, root: &Path, options: &Options, warn: &mut dyn FnMut(Problem)) -> Result<Manifest, DatasetError> {
        let mut draft = Draft::new(self.name(), root, root, warn);
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
                let Some(label) = LABELS.get(expression) else {
                    let reason = OTHERS.get(expression - LABELS.len()).copied().unwrap_or("an unknown expression");
                    draft.leave_out(path, reason);
                    continue;
                };
                // What was not rated is −2.
                let rating = |end: &str| number(end).and_then(|rating| Scale::UNIT.to_unit(rating));
                draft.rows.push(Row {
                    affect: Affect { valence: rating("val"), arousal: rating("aro"), ..Affect::default() },
                    label: (*label).to_owned(),
                    split: Some(split.name().to_owned()),
                    path,
                    ..Row::default()
                });
            }
        }
        draft.labels = LABELS.to_vec();
        if draft.rows.iter().any(|row| !row.affect.is_empty()) {
            draft.scale = Some(Scale::UNIT);
        }
        draft.faces = FaceSource::Cropped;
        draft.protocol = Some("AffectNet's official parts".to_owned());
        draft.finish(options)
    }
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

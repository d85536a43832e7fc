//! Features of faces as VAVL keeps them for CREMA-D and MSP-IMPROV: `Face_features/1001_DFA_ANG_XX.npy`, `[steps,
//! values]` a recording.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{FeatureRef, Modality, Stream};
use features::Store;

use crate::assemble::Draft;
use crate::tree::{extension, stem};

const FOLDER: &str = "Face_features";

/// Gives the clips of `draft` the features among `files` that are called like them; clips without are noted, where
/// there are any.
pub(crate) fn add_face_features(root: &Path, files: &[PathBuf], draft: &mut Draft<'_>) {
    let is_feature = |file: &&PathBuf| {
        let folder = file.parent().and_then(Path::file_name);
        folder.is_some_and(|name| name.eq_ignore_ascii_case(FOLDER)) && extension(file).is_some_and(|end| end == "npy")
    };
    let by_stem: HashMap<&str, &PathBuf> = files.iter().filter(is_feature).map(|file| (stem(file), file)).collect();
    if by_stem.is_empty() {
        return;
    }
    let mut rows = std::mem::take(&mut draft.rows);
    let mut n_dims = None;
    for row in &mut rows {
        let Some(&path) = by_stem.get(stem(&row.path)) else {
            draft.note(&row.path, format!("no features of the face in {FOLDER}"));
            continue;
        };
        match steps(&root.join(path)) {
            Ok((_, own)) if *n_dims.get_or_insert(own) != own => {
                draft.note(path, format!("{own} values a step instead of {}: not used", n_dims.unwrap_or(own)));
            }
            Ok((n_steps, _)) => row.features.push(FeatureRef {
                stream: draft.streams.len(),
                path: path.clone(),
                array: None,
                row: None,
                first_dim: 0,
                first_step: 0,
                n_steps,
            }),
            Err(reason) => draft.note(path, format!("{reason}: not used")),
        }
    }
    draft.rows = rows;
    if let Some(n_dims) = n_dims {
        let name = FOLDER.to_lowercase();
        draft.streams.push(Stream { name, modality: Modality::Face, n_dims, aligned: false, extracted: false });
    }
}

/// Steps and values a step of the array in a file; the error says why there are none.
fn steps(path: &Path) -> Result<(usize, usize), String> {
    let store = Store::open(path).map_err(|error| error.to_string())?;
    let shape = store.shape("").unwrap_or_default();
    let sequence =
        features::sequence_shape(shape).filter(|(n_steps, n_dims)| !shape.is_empty() && n_steps * n_dims > 0);
    sequence.ok_or_else(|| format!("an array of shape {shape:?} is no sequence of vectors"))
}

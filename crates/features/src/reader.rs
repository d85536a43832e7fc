//! From the references of a manifest to sequences, each file opened once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use emotion::{FeatureRef, Sequence, Stream};

use crate::{FeatureError, Store};

/// Files kept open; corpora with a file a clip would run out of handles.
const MAX_OPEN: usize = 64;

/// Reads the features of clips below one folder.
#[derive(Debug)]
pub struct Reader {
    root: PathBuf,
    open: HashMap<PathBuf, Store>,
}

impl Reader {
    /// For a manifest whose root is `root`; nothing is opened yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), open: HashMap::new() }
    }

    /// The features that `feature` names, of one of the manifest's `streams`; and how many numbers were not finite and
    /// are zero now (MulT does the same with the −∞ of MOSI's COVAREP).
    pub fn read(&mut self, streams: &[Stream], feature: &FeatureRef) -> Result<(Sequence, usize), FeatureError> {
        let path = self.root.join(&feature.path);
        let out_of_range = |what: String, shape: &[usize]| FeatureError::OutOfRange {
            what,
            shape: shape.to_vec(),
            path: path.clone(),
        };
        let stream = streams
            .get(feature.stream)
            .ok_or_else(|| out_of_range(format!("there is no stream {}", feature.stream), &[]))?;
        if !self.open.contains_key(&path) {
            if self.open.len() >= MAX_OPEN {
                self.open.clear();
            }
            self.open.insert(path.clone(), Store::open(&path)?);
        }
        let store = self.open.get_mut(&path).expect("it was just opened");
        let array = store.read(feature.array.as_deref().unwrap_or_default(), feature.row)?;
        let (n_steps, width) = sequence_shape(&array.shape)
            .ok_or_else(|| out_of_range("a sequence of vectors is asked for".to_owned(), &array.shape))?;
        let end = |first: usize, n: usize| first.checked_add(n);
        let fits = end(feature.first_step, feature.n_steps).is_some_and(|end| end <= n_steps)
            && end(feature.first_dim, stream.n_dims).is_some_and(|end| end <= width);
        if !fits {
            let what = format!(
                "steps {}+{} of values {}+{} are asked for",
                feature.first_step, feature.n_steps, feature.first_dim, stream.n_dims
            );
            return Err(out_of_range(what, &array.shape));
        }
        let steps = array.values.chunks_exact(width.max(1)).skip(feature.first_step).take(feature.n_steps);
        let mut values: Vec<f32> =
            steps.flat_map(|step| &step[feature.first_dim..feature.first_dim + stream.n_dims]).copied().collect();
        let n_cleaned = clean(&mut values);
        let (name, modality) = (stream.name.clone(), stream.modality);
        Ok((Sequence { stream: name, modality, n_dims: stream.n_dims, values, n_after: 0, speaker: None }, n_cleaned))
    }
}

/// Steps and values a step of an array as a sequence of vectors: `[values]` is one step, `[steps, values]` a sequence,
/// and `[1, steps, values]` too; `None` for an array of several.
pub fn sequence_shape(shape: &[usize]) -> Option<(usize, usize)> {
    match *shape {
        [] => Some((1, 1)),
        [n_dims] => Some((1, n_dims)),
        [ref outer @ .., n_steps, n_dims] => outer.iter().all(|&side| side == 1).then_some((n_steps, n_dims)),
    }
}

/// Makes numbers that are not finite zero; returns how many there were.
fn clean(values: &mut [f32]) -> usize {
    let mut n = 0;
    for value in values.iter_mut().filter(|value| !value.is_finite()) {
        *value = 0.0;
        n += 1;
    }
    n
}

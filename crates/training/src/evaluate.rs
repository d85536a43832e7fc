//! How good a trained model is, with everything switched on and with every subset of modalities.

use std::collections::BTreeMap;
use std::path::Path;

use emotion::{Confusion, Manifest, Modalities, Prediction, Sample, Split};
use media::SampleCache;
use models::Predict;
use serde::{Deserialize, Serialize};

use crate::loader::Loader;
use crate::{Control, Event, PreparedClip, Report, TrainError, prepare, run};

/// Clips in a batch of an evaluation.
const BATCH: usize = 16;

/// What a model says about a clip of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipPrediction {
    /// The clip's name in its manifest.
    pub clip: String,
    /// Its label, in the model's order.
    pub truth: usize,
    /// Its split.
    pub split: Split,
    /// The prediction.
    pub prediction: Prediction,
}

/// Scores `model` on a split of `manifest`.
///
/// Clips without any usable modality are left out and reported; a stop ends with [`TrainError::Stopped`].
pub fn evaluate(
    model: &dyn Predict,
    manifest: &Manifest,
    split: Split,
    on: Modalities,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<(Report, Vec<ClipPrediction>), TrainError> {
    let truths = truth_map(model, manifest)?;
    let clips = prepare(manifest, manifest.split(split), model.inputs(), cache, control, on_event)?;
    if clips.is_empty() {
        return Err(TrainError::NoClips {
            split: split.name(),
            dataset: manifest.name.clone(),
            hint: "choose another split, or import the dataset with splits".into(),
        });
    }
    let loader = Loader::new(cache, clips)?;
    let usable = model.inputs().modalities();
    let mut predictions = Vec::with_capacity(loader.clips().len());
    let mut pairs: BTreeMap<Modalities, Vec<(usize, usize)>> = BTreeMap::new();
    let indices: Vec<usize> = (0..loader.clips().len()).collect();
    for chunk in indices.chunks(BATCH) {
        control.wait_while_paused();
        if control.is_stopping() {
            return Err(TrainError::Stopped);
        }
        let samples = loader.samples(chunk)?;
        let clip = |index: usize| &loader.clips()[chunk[index]];
        for (index, prediction) in predict_some(model, &samples, on)? {
            let PreparedClip { clip, .. } = clip(index);
            let truth = truths[clip.label];
            predictions.push(ClipPrediction { clip: clip.id.clone(), truth, split, prediction });
        }
        for subset in Modalities::subsets().into_iter().filter(|subset| subset.intersection(usable) == *subset) {
            for (index, prediction) in predict_some(model, &samples, subset)? {
                let pair = (truths[clip(index).clip.label], prediction.top());
                pairs.entry(subset).or_default().push(pair);
            }
        }
    }
    let labels = model.labels().clone();
    let scored = predictions.iter().map(|clip| (clip.truth, clip.prediction.top()));
    let confusion = Confusion::from_pairs(labels.clone(), scored);
    let per_subset = pairs
        .into_iter()
        .map(|(subset, pairs)| (subset, Confusion::from_pairs(labels.clone(), pairs).scores()))
        .collect();
    let report = Report {
        split,
        modalities: on,
        n_clips: predictions.len(),
        scores: confusion.scores(),
        labels,
        confusion: confusion.counts,
        per_subset,
    };
    Ok((report, predictions))
}

/// Predicts those samples that have something of what is on, with their positions.
fn predict_some(
    model: &dyn Predict,
    samples: &[std::sync::Arc<Sample>],
    on: Modalities,
) -> Result<Vec<(usize, Prediction)>, TrainError> {
    let usable = on.intersection(model.inputs().modalities());
    let some: Vec<usize> =
        (0..samples.len()).filter(|&index| !samples[index].present().intersection(usable).is_empty()).collect();
    if some.is_empty() {
        return Ok(Vec::new());
    }
    let chosen: Vec<&Sample> = some.iter().map(|&index| &*samples[index]).collect();
    Ok(some.into_iter().zip(model.predict(&chosen, on)?).collect())
}

/// The model's class for each label of the manifest; both sets must have the same names, in whatever order.
fn truth_map(model: &dyn Predict, manifest: &Manifest) -> Result<Vec<usize>, TrainError> {
    let (own, theirs) = (model.labels(), &manifest.labels);
    let map: Option<Vec<usize>> = theirs.names().iter().map(|name| own.index_of(name)).collect();
    map.ok_or_else(|| TrainError::Labels { dataset: theirs.names().join(", "), model: own.names().join(", ") })
}

/// Writes `clip,label,truth,split` and one probability per class for each clip.
pub fn write_predictions(predictions: &[ClipPrediction], path: &Path) -> Result<(), TrainError> {
    let damaged = |reason: String| TrainError::Damaged { reason, path: path.to_owned() };
    let mut writer = csv::Writer::from_writer(Vec::new());
    if let Some(first) = predictions.first() {
        let fixed = ["clip", "label", "truth", "split"].into_iter();
        let header = fixed.chain(first.prediction.labels.names().iter().map(String::as_str));
        writer.write_record(header).map_err(|error| damaged(error.to_string()))?;
    }
    for ClipPrediction { clip, truth, split, prediction } in predictions {
        let fixed = [clip.as_str(), prediction.top_label(), prediction.labels.name(*truth), split.name()];
        let probabilities = prediction.probabilities.iter().map(|probability| format!("{probability:.6}"));
        let record = fixed.into_iter().map(str::to_owned).chain(probabilities);
        writer.write_record(record).map_err(|error| damaged(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| damaged(error.to_string()))?;
    run::write_atomically(path, &bytes)
}

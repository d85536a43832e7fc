//! How good a trained model is, with everything switched on and with every subset of modalities.

use std::collections::BTreeMap;
use std::path::Path;

use emotion::{Attribute, Clip, Confusion, Manifest, Modalities, Prediction, Sample, Scale, Split};
use media::SampleCache;
use models::Predict;
use serde::{Deserialize, Serialize};

use crate::loader::Loader;
use crate::prepare::prepare_rated;
use crate::truth::Truths;
use crate::{AttributeScores, Control, Event, PreparedClip, Report, TrainError, run};

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
    /// For a model of attributes, what was predicted and what annotators said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<RatedValue>,
}

/// A predicted attribute beside the annotated one, in the units of the dataset's scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RatedValue {
    /// Which.
    pub attribute: Attribute,
    /// What the model says.
    pub predicted: f32,
    /// What annotators said.
    pub truth: f32,
}

/// Scores `model` on a split of `manifest`.
///
/// Clips without any usable modality, or without the ratings that the model predicts, are left out and reported; a stop
/// ends with [`TrainError::Stopped`].
pub fn evaluate(
    model: &dyn Predict,
    manifest: &Manifest,
    split: Split,
    on: Modalities,
    cache: &SampleCache,
    control: &Control,
    on_event: &mut dyn FnMut(Event),
) -> Result<(Report, Vec<ClipPrediction>), TrainError> {
    let truths = Truths::new(model.labels(), model.attributes());
    let class_of = class_map(model, manifest)?;
    let usable = model.inputs().modalities();
    let scored = on.intersection(usable);
    if scored.is_empty() {
        return Err(TrainError::NothingOn { on, usable });
    }
    let clips = prepare_rated(manifest, split, model.inputs(), &truths, cache, control, on_event)?;
    if clips.is_empty() {
        return Err(TrainError::NoClips {
            split: split.name(),
            dataset: manifest.name.clone(),
            hint: match truths.attributes() {
                [] => "choose another split, or import the dataset with splits".into(),
                rated => {
                    let names: Vec<&str> = rated.iter().map(|attribute| attribute.name()).collect();
                    format!("the model predicts {}, so it needs a dataset that rates it", names.join(", "))
                }
            },
        });
    }
    let loader = Loader::new(cache, manifest, clips)?;
    let truth_of = |clip: &Clip| if truths.attributes().is_empty() { class_of[clip.label] } else { truths.class(clip) };
    let mut predictions = Vec::with_capacity(loader.clips().len());
    let mut pairs: BTreeMap<Modalities, Vec<(usize, usize)>> = BTreeMap::new();
    let indices: Vec<usize> = (0..loader.clips().len()).collect();
    for chunk in indices.chunks(BATCH) {
        control.wait_while_paused();
        if control.is_stopping() {
            return Err(TrainError::Stopped);
        }
        let samples = loader.samples(chunk)?;
        for subset in Modalities::subsets().into_iter().filter(|subset| subset.intersection(usable) == *subset) {
            for (index, prediction) in predict_some(model, &samples, subset)? {
                let PreparedClip { clip, .. } = &loader.clips()[chunk[index]];
                let truth = truth_of(clip);
                pairs.entry(subset).or_default().push((truth, prediction.top()));
                if subset == scored {
                    let values = rated_values(&truths, manifest, clip, &prediction);
                    predictions.push(ClipPrediction { clip: clip.id.clone(), truth, split, prediction, values });
                }
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
        attributes: attribute_scores(&truths, manifest, &predictions),
    };
    Ok((report, predictions))
}

/// The scale that ratings are reported on.
fn scale_of(manifest: &Manifest) -> Scale {
    manifest.scale.unwrap_or(Scale::UNIT)
}

fn rated_values(truths: &Truths, manifest: &Manifest, clip: &Clip, prediction: &Prediction) -> Vec<RatedValue> {
    let scale = scale_of(manifest);
    let pairs = truths.attributes().iter().zip(&prediction.values);
    pairs
        .filter_map(|(&attribute, &predicted)| {
            let truth = scale.value_of(clip.affect.get(attribute)?);
            Some(RatedValue { attribute, predicted: scale.value_of(predicted), truth })
        })
        .collect()
}

fn attribute_scores(truths: &Truths, manifest: &Manifest, predictions: &[ClipPrediction]) -> Vec<AttributeScores> {
    let of = |attribute: Attribute| {
        let values = || predictions.iter().flat_map(|clip| &clip.values).filter(|value| value.attribute == attribute);
        let predicted: Vec<f64> = values().map(|value| f64::from(value.predicted)).collect();
        let truth: Vec<f64> = values().map(|value| f64::from(value.truth)).collect();
        (!truth.is_empty()).then(|| AttributeScores::of(attribute, &predicted, &truth, scale_of(manifest)))
    };
    truths.attributes().iter().filter_map(|&attribute| of(attribute)).collect()
}

/// Predicts those samples that have something of what is on, with their positions.
fn predict_some(
    model: &dyn Predict,
    samples: &[std::sync::Arc<Sample>],
    on: Modalities,
) -> Result<Vec<(usize, Prediction)>, TrainError> {
    let some: Vec<usize> = (0..samples.len())
        .filter(|&index| !model.inputs().present(&samples[index]).intersection(on).is_empty())
        .collect();
    if some.is_empty() {
        return Ok(Vec::new());
    }
    let chosen: Vec<&Sample> = some.iter().map(|&index| &*samples[index]).collect();
    Ok(some.into_iter().zip(model.predict(&chosen, on)?).collect())
}

/// The model's class for each label of the manifest, all of which it must know, in whatever order. A model of
/// attributes knows none of them.
fn class_map(model: &dyn Predict, manifest: &Manifest) -> Result<Vec<usize>, TrainError> {
    if !model.attributes().is_empty() {
        return Ok(Vec::new());
    }
    let (own, theirs) = (model.labels(), &manifest.labels);
    let map: Option<Vec<usize>> = theirs.names().iter().map(|name| own.index_of(name)).collect();
    map.ok_or_else(|| TrainError::Labels { dataset: theirs.names().join(", "), model: own.names().join(", ") })
}

/// Writes `clip,label,truth,split` and one probability per class for each clip; or, for a model of attributes, the
/// predicted and the annotated value of each.
pub fn write_predictions(predictions: &[ClipPrediction], path: &Path) -> Result<(), TrainError> {
    let damaged = |error: csv::Error| TrainError::Damaged { reason: error.to_string(), path: path.to_owned() };
    let mut writer = csv::Writer::from_writer(Vec::new());
    if let Some(first) = predictions.first() {
        let mut header = ["clip", "label", "truth", "split"].map(str::to_owned).to_vec();
        for RatedValue { attribute, .. } in &first.values {
            header.extend([attribute.name().to_owned(), format!("true_{}", attribute.name())]);
        }
        header.extend(first.prediction.labels.names().iter().filter(|_| first.values.is_empty()).cloned());
        writer.write_record(header).map_err(damaged)?;
    }
    for ClipPrediction { clip, truth, split, prediction, values } in predictions {
        let fixed = [clip.as_str(), prediction.top_label(), prediction.labels.name(*truth), split.name()];
        let mut record = fixed.map(str::to_owned).to_vec();
        let values = values.iter().flat_map(|value| [value.predicted, value.truth]);
        record.extend(values.chain(prediction.probabilities.iter().copied()).map(|number| format!("{number:.6}")));
        writer.write_record(record).map_err(damaged)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| TrainError::Damaged { reason: error.to_string(), path: path.to_owned() })?;
    run::write_atomically(path, &bytes)
}

//! What a model should say about clips: their classes, or the ratings that they got.

use burn::tensor::{Device, Tensor, TensorData};
use emotion::{Attribute, Clip, LabelSet};
use models::Target;

/// The truth about clips as a model is taught and scored by it.
#[derive(Debug, Clone)]
pub struct Truths {
    labels: LabelSet,
    attributes: Vec<Attribute>,
}

impl Truths {
    /// Classes of `labels`; or `attributes`, with the halves of the first one's scale as classes.
    pub fn new(labels: &LabelSet, attributes: &[Attribute]) -> Self {
        let labels = attributes.first().map_or_else(|| labels.clone(), |attribute| attribute.halves());
        Self { labels, attributes: attributes.to_vec() }
    }

    /// The classes that predictions are counted by.
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// The attributes that are predicted; empty where classes are.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Number of outputs of a model.
    pub fn n_outputs(&self) -> usize {
        if self.attributes.is_empty() { self.labels.len() } else { self.attributes.len() }
    }

    /// Whether everything is known about `clip`.
    pub fn knows(&self, clip: &Clip) -> bool {
        self.attributes.iter().all(|&attribute| clip.affect.get(attribute).is_some())
    }

    /// The class of `clip`, of which everything is known.
    pub fn class(&self, clip: &Clip) -> usize {
        let Some(&first) = self.attributes.first() else { return clip.label };
        Attribute::half_of(clip.affect.get(first).unwrap_or_default())
    }

    /// The class that a model's outputs for a clip mean.
    pub fn predicted(&self, outputs: &[f64]) -> usize {
        if self.attributes.is_empty() {
            (1..outputs.len()).fold(0, |best, idx| if outputs[idx] > outputs[best] { idx } else { best })
        } else {
            Attribute::half_of(outputs[0] as f32)
        }
    }

    /// What a model should put out for `clips`, of which everything is known.
    pub fn target(&self, clips: &[&Clip], device: &Device) -> Target {
        let n = clips.len();
        if self.attributes.is_empty() {
            let classes: Vec<i64> = clips.iter().map(|clip| clip.label as i64).collect();
            return Target::Classes(Tensor::from_data(TensorData::new(classes, [n]), device));
        }
        let ratings = |clip: &&Clip| {
            let affect = clip.affect;
            self.attributes.iter().map(move |&attribute| affect.get(attribute).unwrap_or_default())
        };
        let values: Vec<f32> = clips.iter().flat_map(ratings).collect();
        Target::Attributes(Tensor::from_data(TensorData::new(values, [n, self.attributes.len()]), device))
    }
}

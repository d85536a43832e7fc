//! What a model says about a clip.

use serde::{Deserialize, Serialize};

use crate::{Attribute, LabelSet, Modalities};

/// Probabilities over a label set, or values of attributes, and what they were computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The classes, in the order of `probabilities`.
    pub labels: LabelSet,
    /// One per class, summing to one; empty for a model of attributes, whose classes are the halves of the first one's
    /// scale.
    pub probabilities: Vec<f32>,
    /// Attributes on the scale −1..=1, in the model's order; empty for a model of classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f32>,
    /// The modalities that were there and switched on.
    pub used: Modalities,
    /// Joint feature before the classifier, unit length; empty for a model that has none.
    pub features: Vec<f32>,
    /// Concatenated modality features before fusion, absent ones zero; empty for a model that has none.
    pub unfused: Vec<f32>,
    /// The prompts that were chosen, best first; empty for a model without a prompt pool.
    pub prompts: Vec<PromptUse>,
}

/// A prompt of the pool that a sample activated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PromptUse {
    /// Row of the pool.
    pub prompt_idx: usize,
    /// Cosine similarity between the sample and the prompt's key.
    pub similarity: f32,
}

impl Prediction {
    /// Index of the most probable class, the first of equals; or the half of the scale that the first attribute is in.
    pub fn top(&self) -> usize {
        if let Some(&value) = self.values.first() {
            return Attribute::half_of(value);
        }
        let mut best = 0;
        for (label_idx, &probability) in self.probabilities.iter().enumerate() {
            if probability > self.probabilities[best] {
                best = label_idx;
            }
        }
        best
    }

    /// Name of the most probable class.
    pub fn top_label(&self) -> &str {
        self.labels.name(self.top())
    }
}

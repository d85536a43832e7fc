//! Scales of attributes as the released code has them.

use serde::{Deserialize, Serialize};

/// The scale on which annotators score attributes, and its way to 0..1 (MSP-IMPROV: 1 to 5, arousal the other way round).
///
/// Numbers go in and come out; nothing is changed in place, so that scaling twice is scaling the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeScale {
    /// Lowest score.
    pub min: f32,
    /// Highest score.
    pub max: f32,
    /// Which attributes are scored the other way round.
    pub flipped: Vec<bool>,
}

impl AttributeScale {
    /// A row of scores, one for each attribute, to 0..1.
    pub fn to_unit(&self, scores: &[f32]) -> Vec<f32> {
        self.each(scores, |score, flipped| {
            let score = if flipped { self.max + self.min - score } else { score };
            (score - self.min) / (self.max - self.min)
        })
    }

    /// A row of predictions in 0..1 to scores.
    pub fn from_unit(&self, values: &[f32]) -> Vec<f32> {
        self.each(values, |value, flipped| {
            let score = value * (self.max - self.min) + self.min;
            if flipped { self.max + self.min - score } else { score }
        })
    }

    fn each(&self, values: &[f32], change: impl Fn(f32, bool) -> f32) -> Vec<f32> {
        assert_eq!(values.len(), self.flipped.len(), "a row has a value for each attribute");
        values.iter().zip(&self.flipped).map(|(&value, &flipped)| change(value, flipped)).collect()
    }
}

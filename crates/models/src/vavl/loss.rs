//! What is predicted and how far off a prediction is: classes by cross-entropy, attributes by concordance.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

/// What a network predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of several classes.
    Classification,
    /// Attributes such as arousal, dominance and valence, each in 0..1.
    Regression,
}

/// What a batch should be predicted as.
#[derive(Debug, Clone)]
pub enum Target {
    /// Class of each sample, `[batch]`.
    Classes(Tensor<1, Int>),
    /// Attributes of each sample, `[batch, attributes]`.
    Attributes(Tensor<2>),
}

impl Target {
    /// The task loss of `prediction` `[batch, outputs]`: mean cross-entropy, or the sum over attributes of 1 - CCC.
    pub fn loss(&self, prediction: Tensor<2>) -> Tensor<1> {
        match self {
            Self::Classes(classes) => {
                let [n] = classes.dims();
                log_softmax(prediction, 1).gather(1, classes.clone().reshape([n, 1])).mean().neg()
            }
            Self::Attributes(attributes) => ccc(prediction, attributes.clone()).neg().add_scalar(1.0).sum(),
        }
    }
}

/// Concordance correlation coefficient (Lin 1989) of each column.
///
/// - `prediction`, `label` `[samples, columns]`
/// - output `[columns]`; moments are biased; a column that is constant in both is 0
pub fn ccc(prediction: Tensor<2>, label: Tensor<2>) -> Tensor<1> {
    let (mean_p, mean_l) = (prediction.clone().mean_dim(0), label.clone().mean_dim(0));
    let apart = (mean_p.clone() - mean_l.clone()).square();
    let (prediction, label) = (prediction - mean_p, label - mean_l);
    let covariance = (prediction.clone() * label.clone()).mean_dim(0);
    let spread = prediction.square().mean_dim(0) + label.square().mean_dim(0) + apart;
    // Far below any spread that 32 bits can tell from none.
    (covariance.mul_scalar(2.0) / spread.clamp_min(1e-20)).squeeze_dim::<1>(0)
}

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

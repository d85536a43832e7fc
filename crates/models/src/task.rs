//! What a model predicts and how far off a prediction is: classes by cross-entropy, attributes by distance or by
//! concordance.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use emotion::{Attribute, Manifest};
use serde::{Deserialize, Serialize};

use crate::ModelError;

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of several classes.
    #[default]
    Classification,
    /// Attributes such as valence and arousal, or the sentiment of a sentence.
    Regression,
}

impl Task {
    /// The attributes that a model of this task learns from a dataset: all that are rated there; none for classes.
    ///
    /// Errors when there is nothing to learn.
    pub(crate) fn attributes(self, manifest: &Manifest) -> Result<Vec<Attribute>, ModelError> {
        if self == Self::Classification {
            return Ok(Vec::new());
        }
        let is_rated = |attribute: &Attribute| manifest.clips.iter().any(|clip| clip.affect.get(*attribute).is_some());
        let rated: Vec<Attribute> = Attribute::ALL.into_iter().filter(is_rated).collect();
        if rated.is_empty() {
            return Err(ModelError::Config(format!(
                "dataset {:?} rates neither valence nor arousal nor dominance: train classes (task=classification), or import \
                 it with ratings",
                manifest.name
            )));
        }
        Ok(rated)
    }
}

/// What a batch should be predicted as.
#[derive(Debug, Clone)]
pub enum Target {
    /// Class of each sample, `[batch]`.
    Classes(Tensor<1, Int>),
    /// Attributes of each sample, `[batch, attributes]`.
    Attributes(Tensor<2>),
}

/// How far predicted attributes are from annotated ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeLoss {
    /// Mean absolute error (L1), as MulT and MCR are trained.
    Absolute,
    /// Sum over attributes of 1 - CCC, as VAVL is trained.
    Concordance,
}

impl Target {
    /// The task loss of `prediction` `[batch, outputs]`: mean cross-entropy of classes, or that of attributes.
    pub fn loss(&self, prediction: Tensor<2>, attributes: AttributeLoss) -> Tensor<1> {
        match (self, attributes) {
            (Self::Classes(classes), _) => {
                let [n] = classes.dims();
                log_softmax(prediction, 1).gather(1, classes.clone().reshape([n, 1])).mean().neg()
            }
            (Self::Attributes(truth), AttributeLoss::Absolute) => l1_loss(prediction, truth.clone()),
            (Self::Attributes(truth), AttributeLoss::Concordance) => {
                ccc(prediction, truth.clone()).neg().add_scalar(1.0).sum()
            }
        }
    }

    /// The same, with a share `smoothing` of each class's label spread over all classes (Szegedy et al. 2016);
    /// attributes are as they are.
    pub fn smoothed_loss(&self, prediction: Tensor<2>, attributes: AttributeLoss, smoothing: f64) -> Tensor<1> {
        let loss = self.loss(prediction.clone(), attributes);
        match self {
            Self::Classes(_) if smoothing > 0.0 => {
                let spread = log_softmax(prediction, 1).mean().neg();
                loss.mul_scalar(1.0 - smoothing) + spread.mul_scalar(smoothing)
            }
            _ => loss,
        }
    }

    /// What the loss is called in a log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Classes(_) => "cross-entropy",
            Self::Attributes(_) => "attributes",
        }
    }

    /// The classes.
    ///
    /// # Panics
    /// For attributes, which a model that knows classes alone never gets.
    pub(crate) fn into_classes(self) -> Tensor<1, Int> {
        match self {
            Self::Classes(classes) => classes,
            Self::Attributes(_) => panic!("this model knows classes alone"),
        }
    }
}

impl From<Tensor<1, Int>> for Target {
    fn from(classes: Tensor<1, Int>) -> Self {
        Self::Classes(classes)
    }
}

/// Mean absolute error of predictions and truths, `[batch, outputs]` each.
pub fn l1_loss(prediction: Tensor<2>, truth: Tensor<2>) -> Tensor<1> {
    (prediction - truth).abs().mean()
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn a_smoothed_label_asks_a_little_of_every_class() {
        let device = Device::flex();
        let prediction = Tensor::<2>::from_floats([[2.0, 0.5, -1.0]], &device);
        let loss = |target: &Target, smoothing: f64| {
            target.smoothed_loss(prediction.clone(), AttributeLoss::Absolute, smoothing).into_scalar::<f32>()
        };
        let whole: f32 = [2.0_f32, 0.5, -1.0].iter().map(|logit| logit.exp()).sum();
        let log = |logit: f32| logit - whole.ln();
        let classes = Target::Classes(Tensor::from_ints([0], &device));
        let want = -(0.8 * log(2.0) + 0.1 * log(0.5) + 0.1 * log(-1.0));
        assert!((loss(&classes, 0.3) - want).abs() < 1e-6);
        assert!((loss(&classes, 0.0) + log(2.0)).abs() < 1e-6);
        let attributes = Target::Attributes(prediction.clone().add_scalar(1.0));
        assert!((loss(&attributes, 0.3) - 1.0).abs() < 1e-6);
    }
}

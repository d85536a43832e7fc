//! How well predicted numbers agree with annotated ones: emotional attributes, and sentiment from -3 to 3.

use serde::{Deserialize, Serialize};

use crate::{Confusion, LabelSet};

/// Agreement of two series of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Mean absolute error.
    pub mae: f64,
    /// Mean squared error.
    pub mse: f64,
    /// Pearson's correlation; `None` where either series is constant.
    pub pearson: Option<f64>,
    /// Concordance correlation (Lin 1989), with moments over N; `None` where both series are the same constant.
    pub ccc: Option<f64>,
}

impl Agreement {
    /// Compares predictions with truths, as many and at least one.
    pub fn of(predictions: &[f64], truths: &[f64]) -> Self {
        assert_eq!(predictions.len(), truths.len(), "each prediction has its truth");
        let pairs = || predictions.iter().zip(truths);
        let mean_over = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / truths.len() as f64;
        let (mean_p, mean_t) = (mean_over(&mut predictions.iter().copied()), mean_over(&mut truths.iter().copied()));
        let variance_p = mean_over(&mut predictions.iter().map(|p| (p - mean_p).powi(2)));
        let variance_t = mean_over(&mut truths.iter().map(|t| (t - mean_t).powi(2)));
        let covariance = mean_over(&mut pairs().map(|(p, t)| (p - mean_p) * (t - mean_t)));
        let spread = variance_p + variance_t + (mean_p - mean_t).powi(2);
        Self {
            mae: mean_over(&mut pairs().map(|(p, t)| (p - t).abs())),
            mse: mean_over(&mut pairs().map(|(p, t)| (p - t).powi(2))),
            pearson: (variance_p > 0.0 && variance_t > 0.0)
                .then(|| covariance / (variance_p.sqrt() * variance_t.sqrt())),
            ccc: (spread > 0.0).then(|| 2.0 * covariance / spread),
        }
    }
}

/// Negative against positive, from numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Polarity {
    /// Share that is right.
    pub accuracy: f64,
    /// F1 weighted by the truth.
    pub f1: f64,
    /// F1 weighted by the predictions, as published for MulT and what builds on it.
    pub f1_swapped: f64,
}

impl Polarity {
    fn of(pairs: impl Iterator<Item = (bool, bool)>) -> Option<Self> {
        let labels = LabelSet::new(["negative", "positive"]).expect("two names");
        let pairs = pairs.map(|(truth, predicted)| (usize::from(truth), usize::from(predicted)));
        let confusion = Confusion::from_pairs(labels, pairs);
        Some(Self {
            accuracy: confusion.scores().war,
            f1: confusion.weighted_f1()?,
            f1_swapped: confusion.weighted_f1_swapped()?,
        })
    }
}

/// The numbers of the tables on CMU-MOSI and CMU-MOSEI, besides [`Agreement`]. Papers mean different things by accuracy
/// of two classes, so all are here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SentimentScores {
    /// Share that is right among the seven classes of -3..=3.
    pub acc7: f64,
    /// The same among the five classes of -2..=2.
    pub acc5: f64,
    /// Not negative (from 0 on) against negative, over all.
    pub has0: Polarity,
    /// Positive against negative, over those whose truth is not 0; `None` where there is none.
    pub non0: Option<Polarity>,
    /// Positive against the rest, over all: the default of MulT's script.
    pub above0: Polarity,
}

impl SentimentScores {
    /// Compares predictions with truths, as many and at least one.
    pub fn of(predictions: &[f64], truths: &[f64]) -> Self {
        assert_eq!(predictions.len(), truths.len(), "each prediction has its truth");
        assert!(!truths.is_empty(), "there is something to score");
        let pairs = || truths.iter().zip(predictions);
        // NumPy rounds halves to even.
        let class = |value: f64, limit: f64| value.clamp(-limit, limit).round_ties_even();
        let accuracy = |limit: f64| {
            pairs().filter(|&(&t, &p)| class(t, limit) == class(p, limit)).count() as f64 / truths.len() as f64
        };
        let some = "there is something to score";
        Self {
            acc7: accuracy(3.0),
            acc5: accuracy(2.0),
            has0: Polarity::of(pairs().map(|(&t, &p)| (t >= 0.0, p >= 0.0))).expect(some),
            non0: Polarity::of(pairs().filter(|(t, _)| **t != 0.0).map(|(&t, &p)| (t > 0.0, p > 0.0))),
            above0: Polarity::of(pairs().map(|(&t, &p)| (t > 0.0, p > 0.0))).expect(some),
        }
    }
}

/// A score over several folds or seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation over N.
    pub deviation: f64,
    /// Standard deviation over N - 1; `None` for one fold.
    pub sample_deviation: Option<f64>,
}

impl Spread {
    /// Mean and deviation of at least one value.
    pub fn of(values: &[f64]) -> Self {
        assert!(!values.is_empty(), "there is at least one fold");
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Self {
            mean,
            deviation: (squares / n).sqrt(),
            sample_deviation: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_series_agree_and_constants_do_not_correlate() {
        let same = Agreement::of(&[1.0, 2.0, 4.0], &[1.0, 2.0, 4.0]);
        assert_eq!((same.mae, same.ccc, same.pearson), (0.0, Some(1.0), Some(1.0)));
        let constant = Agreement::of(&[2.0, 2.0], &[1.0, 3.0]);
        assert_eq!((constant.ccc, constant.pearson), (Some(0.0), None));
        assert_eq!(Agreement::of(&[2.0, 2.0], &[2.0, 2.0]).ccc, None);
    }

    #[test]
    fn halves_round_to_even_and_neutral_counts_where_it_should() {
        let scores = SentimentScores::of(&[0.5, -0.5, 4.0], &[0.0, 0.0, 3.0]);
        assert_eq!(scores.acc7, 1.0);
        assert_eq!(scores.has0.accuracy, 2.0 / 3.0);
        assert_eq!(scores.non0.map(|polarity| polarity.accuracy), Some(1.0));
        assert_eq!(SentimentScores::of(&[1.0], &[0.0]).non0, None);
    }
}

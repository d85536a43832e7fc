//! How good predictions are.

use serde::{Deserialize, Serialize};

use crate::LabelSet;

/// Counts of true class (rows) against predicted class (columns).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// The classes, in row and column order.
    pub labels: LabelSet,
    /// `[true, predicted]`.
    pub counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// All zero.
    pub fn new(labels: LabelSet) -> Self {
        let n = labels.len();
        Self { labels, counts: vec![vec![0; n]; n] }
    }

    /// Counts pairs of true and predicted class.
    pub fn from_pairs(labels: LabelSet, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut confusion = Self::new(labels);
        for (truth, predicted) in pairs {
            confusion.counts[truth][predicted] += 1;
        }
        confusion
    }

    /// Number of clips.
    pub fn total(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    /// Recall of each class; `None` for a class without clips.
    pub fn recalls(&self) -> Vec<Option<f64>> {
        (0..self.counts.len()).map(|class| ratio(self.counts[class][class], self.support(class))).collect()
    }

    /// Precision of each class; `None` for a class that was never predicted.
    pub fn precisions(&self) -> Vec<Option<f64>> {
        (0..self.counts.len()).map(|class| ratio(self.counts[class][class], self.predicted(class))).collect()
    }

    /// Harmonic mean of recall and precision of each class; `None` for a class that is neither present nor predicted.
    pub fn f1s(&self) -> Vec<Option<f64>> {
        (0..self.counts.len())
            .map(|class| ratio(2 * self.counts[class][class], self.support(class) + self.predicted(class)))
            .collect()
    }

    /// F1 weighted by the number of clips of each class; `None` without clips.
    pub fn weighted_f1(&self) -> Option<f64> {
        let weighted = self
            .f1s()
            .iter()
            .enumerate()
            .map(|(class, f1)| f1.unwrap_or(0.0) * self.support(class) as f64)
            .sum::<f64>();
        (self.total() > 0).then(|| weighted / self.total() as f64)
    }

    /// The same weighted by how often each class is predicted: what comes of swapping truth and prediction, as the
    /// published script of MulT does.
    pub fn weighted_f1_swapped(&self) -> Option<f64> {
        let classes = 0..self.counts.len();
        let transposed = classes.clone().map(|truth| classes.clone().map(|class| self.counts[class][truth]).collect());
        Self { labels: self.labels.clone(), counts: transposed.collect() }.weighted_f1()
    }

    /// Unweighted mean of F1 over all classes, zero for one that is neither present nor predicted.
    pub fn macro_f1_of_all(&self) -> f64 {
        mean(&self.f1s().into_iter().map(|f1| f1.unwrap_or(0.0)).collect::<Vec<_>>())
    }

    /// The three numbers of the papers' tables; zero where there is no clip.
    pub fn scores(&self) -> Scores {
        let n_correct: usize = (0..self.counts.len()).map(|class| self.counts[class][class]).sum();
        Scores {
            war: ratio(n_correct, self.total()).unwrap_or(0.0),
            uar: mean(&self.recalls().into_iter().flatten().collect::<Vec<_>>()),
            macro_f1: mean(&self.f1s().into_iter().flatten().collect::<Vec<_>>()),
        }
    }

    /// Clips of a class.
    fn support(&self, class: usize) -> usize {
        self.counts[class].iter().sum()
    }

    /// How often a class is predicted.
    fn predicted(&self, class: usize) -> usize {
        self.counts.iter().map(|row| row[class]).sum()
    }
}

/// Scores of a classifier, each in 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Weighted average recall: the share of clips that are right (accuracy).
    pub war: f64,
    /// Unweighted average recall: the mean of the recalls of the classes that occur.
    pub uar: f64,
    /// Unweighted mean of F1 over the classes that are present or predicted.
    pub macro_f1: f64,
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(counts: [[usize; 3]; 3], war: f64, uar: f64, macro_f1: f64) {
        let labels = LabelSet::new(["a", "b", "c"]).expect("three names");
        let scores = Confusion { labels, counts: counts.map(|row| row.to_vec()).to_vec() }.scores();
        for (got, want) in [(scores.war, war), (scores.uar, uar), (scores.macro_f1, macro_f1)] {
            assert!((got - want).abs() < 1e-9, "{scores:?} should be {war} {uar} {macro_f1}");
        }
    }

    #[test]
    fn perfect_is_one() {
        check([[3, 0, 0], [0, 2, 0], [0, 0, 1]], 1.0, 1.0, 1.0);
    }

    #[test]
    fn unweighted_recall_ignores_class_size() {
        check([[90, 0, 0], [10, 0, 0], [0, 0, 0]], 0.9, 0.5, (2.0 * 0.9 / 1.9) / 2.0);
    }

    #[test]
    fn nothing_is_zero_not_nan() {
        check([[0; 3]; 3], 0.0, 0.0, 0.0);
    }
}

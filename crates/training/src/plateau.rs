//! When the learning rate falls and when a stage stops (UMBEnet §4.1, with PyTorch's `ReduceLROnPlateau` for the
//! details).

use serde::{Deserialize, Serialize};

use crate::{Recipe, StopReason};

/// PyTorch changes the rate only if it changes by more than this.
const SMALLEST_CHANGE: f64 = 1e-8;

/// Lowers the learning rate when the validation loss stays flat.
///
/// With patience 3 the rate falls after the fourth flat epoch in a row, as in PyTorch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// The rate of the next epoch.
    pub learning_rate: f64,
    factor: f64,
    patience: usize,
    threshold: f64,
    /// `None` before the first epoch: JSON has no infinity.
    best: Option<f64>,
    n_bad: usize,
}

impl Plateau {
    /// Starts at `learning_rate`.
    pub fn new(learning_rate: f64, factor: f64, patience: usize, threshold: f64) -> Self {
        Self { learning_rate, factor, patience, threshold, best: None, n_bad: 0 }
    }

    /// Takes in the validation loss of an epoch; NaN counts as flat.
    pub fn step(&mut self, loss: f64) {
        let limit = self.best.map_or(f64::INFINITY, |best| best * (1.0 - self.threshold));
        if loss < limit {
            self.best = Some(loss);
            self.n_bad = 0;
        } else {
            self.n_bad += 1;
        }
        if self.n_bad > self.patience {
            let lower = self.learning_rate * self.factor;
            if self.learning_rate - lower > SMALLEST_CHANGE {
                self.learning_rate = lower;
            }
            self.n_bad = 0;
        }
    }
}

/// The paper's two rules for stopping early.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StopRules {
    /// Stop above this training accuracy.
    pub train_accuracy: f64,
    /// Stop below this learning rate.
    pub learning_rate: f64,
}

impl StopRules {
    /// The rules of a recipe.
    pub fn of(recipe: &Recipe) -> Self {
        Self { train_accuracy: recipe.stop_train_accuracy, learning_rate: recipe.stop_learning_rate }
    }

    /// Whether to stop after an epoch with this accuracy, `learning_rate` being the next epoch's.
    pub fn reason(&self, train_accuracy: f64, learning_rate: f64) -> Option<StopReason> {
        if train_accuracy > self.train_accuracy {
            Some(StopReason::TrainAccuracy)
        } else if learning_rate < self.learning_rate {
            Some(StopReason::LearningRate)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_falls_after_one_more_flat_epoch_than_patience() {
        let mut plateau = Plateau::new(1.0, 0.5, 3, 1e-4);
        for loss in [1.0, 1.0, f64::NAN, 0.99999] {
            plateau.step(loss);
            assert_eq!(plateau.learning_rate, 1.0);
        }
        plateau.step(1.0);
        assert_eq!(plateau.learning_rate, 0.5);
    }

    #[test]
    fn a_tiny_rate_is_left_alone() {
        let mut plateau = Plateau::new(1e-8, 0.5, 0, 0.0);
        plateau.step(1.0);
        plateau.step(1.0);
        assert_eq!(plateau.learning_rate, 1e-8);
    }
}

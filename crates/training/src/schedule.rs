//! The learning rate of every epoch of a stage, as its plan says.

use models::{Schedule, StagePlan};
use serde::{Deserialize, Serialize};

use crate::{Plateau, Recipe};

/// Where a stage is on the way of its learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LearningRate {
    /// Falls when the validation loss stays flat.
    Plateau(Plateau),
    /// Falls along a half cosine, `initial · (1 + cos(π · epoch / n_epochs)) / 2`.
    Cosine {
        /// Rate of the first epoch.
        initial: f64,
        /// Epochs until it is zero.
        n_epochs: usize,
        /// Epochs done.
        epoch: usize,
    },
    /// Stays.
    Constant {
        /// Rate of every epoch.
        rate: f64,
    },
}

impl LearningRate {
    /// The beginning of a stage.
    pub fn new(plan: &StagePlan, recipe: &Recipe) -> Self {
        let initial = plan.learning_rate;
        match plan.optimization.schedule {
            Schedule::Plateau => {
                let Recipe { plateau_factor, plateau_patience, plateau_threshold, .. } = *recipe;
                Self::Plateau(Plateau::new(initial, plateau_factor, plateau_patience, plateau_threshold))
            }
            Schedule::Cosine => Self::Cosine { initial, n_epochs: plan.n_epochs, epoch: 0 },
            Schedule::Constant => Self::Constant { rate: initial },
        }
    }

    /// The rate of the next epoch.
    pub fn rate(&self) -> f64 {
        match *self {
            Self::Plateau(ref plateau) => plateau.learning_rate,
            Self::Cosine { initial, n_epochs, epoch } => {
                initial * (1.0 + (std::f64::consts::PI * epoch as f64 / n_epochs as f64).cos()) / 2.0
            }
            Self::Constant { rate } => rate,
        }
    }

    /// Takes in the validation loss of an epoch.
    pub fn step(&mut self, loss: f64) {
        match self {
            Self::Plateau(plateau) => plateau.step(loss),
            Self::Cosine { epoch, .. } => *epoch += 1,
            Self::Constant { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use models::{Optimization, StageInput};

    use super::*;

    #[test]
    fn a_cosine_starts_at_the_rate_and_ends_at_zero() {
        let plan = StagePlan {
            name: "joint".into(),
            number: 1,
            input: StageInput::All,
            n_epochs: 4,
            learning_rate: 0.2,
            optimization: Optimization { schedule: Schedule::Cosine, ..Optimization::default() },
            trains: String::new(),
            starts_from: String::new(),
        };
        let mut rate = LearningRate::new(&plan, &Recipe::default());
        // cos(π/4) = 0.7071
        for want in [0.2, 0.170_710_678, 0.1, 0.029_289_322, 0.0] {
            assert!((rate.rate() - want).abs() < 1e-9, "{} should be {want}", rate.rate());
            rate.step(f64::NAN);
        }
    }
}

//! Probabilities that do not jump: an exponential moving average over predictions.

/// The average so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Smoother {
    average: Vec<f32>,
}

/// At most this much of the past is kept, or nothing new would ever show.
const MAX_STRENGTH: f32 = 0.98;

impl Smoother {
    /// The average after `probabilities`; `strength` 0 is no smoothing, towards 1 the past weighs more.
    pub fn add(&mut self, probabilities: &[f32], strength: f32) -> Vec<f32> {
        let strength = if strength.is_finite() { strength.clamp(0.0, MAX_STRENGTH) } else { 0.0 };
        if self.average.len() == probabilities.len() {
            for (average, &new) in self.average.iter_mut().zip(probabilities) {
                *average = strength * *average + (1.0 - strength) * new;
            }
        } else {
            self.average = probabilities.to_vec();
        }
        self.average.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_fades_and_the_sum_stays_one() {
        let mut smoother = Smoother::default();
        assert_eq!(smoother.add(&[1.0, 0.0], 0.5), [1.0, 0.0], "the first one is taken as it is");
        assert_eq!(smoother.add(&[0.0, 1.0], 0.5), [0.5, 0.5]);
        assert_eq!(smoother.add(&[0.0, 1.0], 0.5), [0.25, 0.75]);
        assert_eq!(smoother.add(&[1.0, 0.0], 0.0), [1.0, 0.0], "strength zero is off");
        assert!(smoother.add(&[0.0, 1.0], 7.0)[1] > 0.01, "never deaf to the present");
    }
}

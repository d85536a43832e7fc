//! Precomputed features as if other people had been recorded.
//!
//! How a person looks and sounds whatever is felt moves all of their features together. With few speakers a network
//! learns these places by heart; so the mean of a clip's speaker is taken off and that of a point between two other
//! speakers of the training split is put on. Means are of all clips of a speaker: where speakers were recorded in
//! different emotions, some of the emotion goes with them, which is why it is off unless asked for. Features normalized
//! by their speaker have no such place.

use std::collections::BTreeMap;

use emotion::Sample;
use rand::{Rng, RngExt as _};

use crate::TrainError;
use crate::loader::Loader;

/// The mean features of each speaker of a split, in all streams that the speaker has.
#[derive(Debug, Default)]
pub struct SpeakerMeans {
    /// Of each stream by name, the mean of a step.
    means: Vec<BTreeMap<String, Vec<f32>>>,
    /// Of each clip, who it is, where that is known.
    speaker_of: Vec<Option<usize>>,
}

impl SpeakerMeans {
    /// Those of the clips of a loader.
    pub(crate) fn of(loader: &Loader<'_>) -> Result<Self, TrainError> {
        let mut means = SpeakersSoFar::default();
        for (index, clip) in loader.clips().iter().enumerate() {
            means.add(clip.clip.speaker.as_deref(), &loader.samples(&[index])?[0]);
        }
        Ok(means.finish())
    }

    /// Moves all features of `sample`, the clip at `index`, from its speaker's mean to a point between those of two
    /// others.
    ///
    /// Features stay as they are where the speaker is not known, where nobody else has all of them, and where they are
    /// normalized by their speaker.
    pub fn swap(&self, sample: &mut Sample, index: usize, rng: &mut impl Rng) {
        let Some(own) = self.speaker_of[index] else { return };
        let has_all = |means: &BTreeMap<String, Vec<f32>>| {
            sample.features.iter().all(|sequence| means.contains_key(&sequence.stream))
        };
        let others: Vec<&BTreeMap<String, Vec<f32>>> = self
            .means
            .iter()
            .enumerate()
            .filter(|&(who, means)| who != own && has_all(means))
            .map(|(_, means)| means)
            .collect();
        if others.is_empty() {
            return;
        }
        let mut other = || others[rng.random_range(0..others.len())];
        let (a, b) = (other(), other());
        let share: f32 = rng.random();
        for sequence in sample.features.iter_mut().filter(|sequence| sequence.speaker.is_none()) {
            let of = |means: &BTreeMap<String, Vec<f32>>, dim: usize| means[&sequence.stream][dim];
            let moves: Vec<f32> = (0..sequence.n_dims)
                .map(|dim| share * of(a, dim) + (1.0 - share) * of(b, dim) - of(&self.means[own], dim))
                .collect();
            for step in sequence.values.chunks_mut(sequence.n_dims.max(1)) {
                step.iter_mut().zip(&moves).for_each(|(value, by)| *value += by);
            }
        }
    }
}

/// Sums while clips are gone through.
#[derive(Default)]
struct SpeakersSoFar {
    names: BTreeMap<String, usize>,
    /// Of each stream the sum of all steps and their number.
    sums: Vec<BTreeMap<String, (Vec<f64>, usize)>>,
    speaker_of: Vec<Option<usize>>,
}

impl SpeakersSoFar {
    fn add(&mut self, speaker: Option<&str>, sample: &Sample) {
        let who = speaker.map(|name| {
            let next = self.names.len();
            *self.names.entry(name.to_owned()).or_insert(next)
        });
        self.speaker_of.push(who);
        let Some(who) = who else { return };
        self.sums.resize_with(self.names.len(), BTreeMap::new);
        for sequence in &sample.features {
            let (sum, n_steps) =
                self.sums[who].entry(sequence.stream.clone()).or_insert_with(|| (vec![0.0; sequence.n_dims], 0));
            for step in sequence.values.chunks(sequence.n_dims.max(1)) {
                sum.iter_mut().zip(step).for_each(|(sum, &value)| *sum += f64::from(value));
                *n_steps += 1;
            }
        }
    }

    fn finish(self) -> SpeakerMeans {
        let mean =
            |(sum, n_steps): (Vec<f64>, usize)| sum.iter().map(|sum| (sum / n_steps.max(1) as f64) as f32).collect();
        let of_all = |sums: BTreeMap<String, (Vec<f64>, usize)>| {
            sums.into_iter().map(|(stream, sums)| (stream, mean(sums))).collect()
        };
        SpeakerMeans { means: self.sums.into_iter().map(of_all).collect(), speaker_of: self.speaker_of }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use emotion::{Modality, Sequence, SpeakerScale};
    use rand::SeedableRng as _;
    use rand_pcg::Pcg64Mcg;

    use super::*;

    fn sample(values: &[f32]) -> Sample {
        let (stream, modality, values) = ("s".to_owned(), Modality::Voice, values.to_vec());
        Sample {
            features: vec![Sequence { stream, modality, n_dims: 2, values, n_after: 0, speaker: None }],
            ..Sample::default()
        }
    }

    #[test]
    fn a_clip_moves_between_the_others_and_keeps_its_shape() {
        let mut so_far = SpeakersSoFar::default();
        // Three speakers at 0, 10 and 20, and somebody who is not known.
        for (speaker, at) in [("a", 0.0), ("a", 2.0), ("b", 10.0), ("c", 20.0)] {
            so_far.add(Some(speaker), &sample(&[at, -at, at, -at]));
        }
        so_far.add(None, &sample(&[500.0, 500.0]));
        let means = so_far.finish();
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let mut places = Vec::new();
        for _ in 0..40 {
            let mut moved = sample(&[5.0, -5.0, 7.0, -4.0]);
            means.swap(&mut moved, 0, &mut rng);
            let values = &moved.features[0].values;
            assert!((values[2] - values[0] - 2.0).abs() < 1e-4 && (values[3] - values[1] - 1.0).abs() < 1e-4);
            // The own mean is 1, and the others' are 10 and 20.
            let place = values[0] - 5.0 + 1.0;
            assert!((9.99..20.01).contains(&place) && (values[1] + 5.0 - 1.0 + place).abs() < 1e-4, "{values:?}");
            places.push(place);
        }
        assert!(places.iter().any(|place| *place > 17.0) && places.iter().any(|place| *place < 13.0), "{places:?}");

        let mut unknown = sample(&[1.0, 2.0]);
        means.swap(&mut unknown, 4, &mut rng);
        assert_eq!(unknown, sample(&[1.0, 2.0]));
        let scale = SpeakerScale { mean: vec![0.0; 2], divisor: vec![1.0; 2] };
        let mut normalized = sample(&[1.0, 2.0]);
        normalized.features[0].speaker = Some(Arc::new(scale));
        means.swap(&mut normalized, 0, &mut rng);
        assert_eq!(normalized.features[0].values, [1.0, 2.0]);
    }
}

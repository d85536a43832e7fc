//! Samples of prepared clips, in memory where they fit, from the cache where they do not.

use std::sync::Arc;

use emotion::{Manifest, Sample};
use media::SampleCache;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_pcg::Pcg64Mcg;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::sequences::SequenceReader;
use crate::{PreparedClip, TrainError};

/// Samples kept in memory at most, in bytes; larger sets are read again in every epoch.
const MEMORY: usize = 256 << 20;

/// The samples of a split.
pub struct Loader<'a> {
    cache: &'a SampleCache,
    sequences: SequenceReader,
    clips: Vec<PreparedClip>,
    kept: Option<Vec<Arc<Sample>>>,
}

impl<'a> Loader<'a> {
    /// Samples of `clips` of `manifest`, kept in memory if all of them fit.
    pub fn new(cache: &'a SampleCache, manifest: &Manifest, clips: Vec<PreparedClip>) -> Result<Self, TrainError> {
        let mut loader = Self { cache, sequences: SequenceReader::new(manifest), clips, kept: None };
        let Some(first) = loader.clips.first() else { return Ok(loader) };
        if size_bytes(&loader.read(first)?) * loader.clips.len() <= MEMORY {
            let all: Vec<usize> = (0..loader.clips.len()).collect();
            loader.kept = Some(loader.samples(&all)?);
        }
        Ok(loader)
    }

    /// The clips, in order.
    pub fn clips(&self) -> &[PreparedClip] {
        &self.clips
    }

    /// The samples at `indices`.
    pub fn samples(&self, indices: &[usize]) -> Result<Vec<Arc<Sample>>, TrainError> {
        if let Some(kept) = &self.kept {
            return Ok(indices.iter().map(|&index| kept[index].clone()).collect());
        }
        indices.par_iter().map(|&index| self.read(&self.clips[index]).map(Arc::new)).collect()
    }

    fn read(&self, clip: &PreparedClip) -> Result<Sample, TrainError> {
        let damaged = || TrainError::Damaged {
            reason: "the prepared sample vanished from the cache; start again to prepare it anew".into(),
            path: clip.path.clone(),
        };
        let mut sample = match &clip.key {
            Some(key) => self.cache.load(key)?.ok_or_else(damaged)?,
            None => Sample::default(),
        };
        sample.text.clone_from(&clip.text);
        for wanted in &clip.sequences {
            sample.features.push(self.sequences.read(wanted)?.0);
        }
        Ok(sample)
    }
}

fn size_bytes(sample: &Sample) -> usize {
    let face = sample.face.as_ref().map_or(0, |face| face.rgb.len());
    let voice = sample.voice.as_ref().map_or(0, |voice| match voice {
        emotion::Voice::Waveform(samples) => samples.len() * 4,
        emotion::Voice::LogMel(mel) => mel.values.len() * 4,
    });
    let features: usize = sample.features.iter().map(|sequence| sequence.values.len() * 4).sum();
    face + voice + features
}

/// Random numbers that follow from the seed and the place in training alone, so that no state needs saving.
pub fn rng_at(seed: u64, stage: usize, epoch: usize, index: usize) -> Pcg64Mcg {
    // SplitMix64's finalizer over the four numbers in turn.
    let mixed = [stage as u64, epoch as u64, index as u64].into_iter().fold(seed, |state, part| {
        let z = state.wrapping_add(part.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    });
    Pcg64Mcg::seed_from_u64(mixed)
}

/// The order of `n` clips in an epoch.
pub fn shuffled(n: usize, seed: u64, stage: usize, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut rng_at(seed, stage, epoch, usize::MAX));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_an_order_of_its_own_that_the_seed_repeats() {
        let order = shuffled(50, 7, 1, 2);
        assert_eq!(order, shuffled(50, 7, 1, 2));
        for other in [shuffled(50, 8, 1, 2), shuffled(50, 7, 2, 2), shuffled(50, 7, 1, 3)] {
            assert_ne!(order, other);
        }
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }
}

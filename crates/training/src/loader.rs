//! Samples of prepared clips, in memory where they fit, from the cache where they do not.

use std::sync::Arc;

use emotion::{Manifest, Sample};
use media::SampleCache;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_pcg::Pcg64Mcg;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::frozen::FeatureCache;
use crate::sequences::SequenceReader;
use crate::{PreparedClip, TrainError};

/// Samples kept in memory at most, in bytes; larger sets are read again in every epoch.
const MEMORY: usize = 256 << 20;
/// Clips read between two looks at how much that is.
const CHUNK: usize = 32;

/// The samples of a split.
pub struct Loader<'a> {
    cache: &'a SampleCache,
    sequences: SequenceReader,
    clips: Vec<PreparedClip>,
    kept: Option<Vec<Arc<Sample>>>,
    features: FeatureCache,
}

impl<'a> Loader<'a> {
    /// Samples of `clips` of `manifest`, kept in memory if all of them fit.
    pub fn new(cache: &'a SampleCache, manifest: &Manifest, clips: Vec<PreparedClip>) -> Result<Self, TrainError> {
        Self::within(MEMORY, cache, manifest, clips)
    }

    /// The same within `n_bytes` of memory; clips differ, so no one of them says how much all need.
    fn within(
        n_bytes: usize,
        cache: &'a SampleCache,
        manifest: &Manifest,
        clips: Vec<PreparedClip>,
    ) -> Result<Self, TrainError> {
        let sequences = SequenceReader::new(manifest);
        let mut loader = Self { cache, sequences, clips, kept: None, features: FeatureCache::default() };
        let all: Vec<usize> = (0..loader.clips.len()).collect();
        let (mut kept, mut n_kept_bytes) = (Vec::new(), 0);
        for chunk in all.chunks(CHUNK) {
            let samples = loader.samples(chunk)?;
            n_kept_bytes += samples.iter().map(|sample| size_bytes(sample)).sum::<usize>();
            if n_kept_bytes > n_bytes {
                return Ok(loader);
            }
            kept.extend(samples);
        }
        loader.kept = Some(kept);
        Ok(loader)
    }

    /// What frozen encoders made of the clips.
    pub fn features(&self) -> &FeatureCache {
        &self.features
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
    use emotion::{Clip, FeatureInput, FeatureRef, Inputs, LabelSet, Modality, Normalization, Stream};

    use super::*;
    use crate::Control;

    #[test]
    fn what_is_kept_in_memory_does_not_depend_on_the_first_clip() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::new("m", "csv", dir.path(), LabelSet::basic(2));
        let (name, modality) = ("s".to_owned(), Modality::Voice);
        manifest.streams = vec![Stream { name, modality, n_dims: 1, aligned: false, extracted: false }];
        // 4 and 400 bytes.
        for n_steps in [1, 100] {
            let path = format!("{n_steps}.npy").into();
            features::write_npy(&dir.path().join(&path), &[n_steps, 1], &vec![0.5; n_steps]).unwrap();
            let feature = FeatureRef { stream: 0, path, array: None, row: None, first_dim: 0, first_step: 0, n_steps };
            manifest.clips.push(Clip { id: n_steps.to_string(), features: vec![feature], ..Clip::default() });
        }
        let cache = SampleCache::open(&dir.path().join("cache")).unwrap();
        let input = FeatureInput {
            stream: "s".into(),
            modality,
            n_dims: 1,
            n_steps: 200,
            n_after: 0,
            context: 0,
            root: false,
            normalize: Normalization::None,
        };
        let inputs = Inputs { face: None, voice: None, text: None, features: vec![input] };
        let clips = crate::prepare(&manifest, &manifest.clips, &inputs, &cache, &Control::default(), &mut |_| {});
        let clips = clips.unwrap();
        assert_eq!(clips.len(), 2);
        for (n_bytes, is_kept) in [(403, false), (404, true)] {
            let loader = Loader::within(n_bytes, &cache, &manifest, clips.clone()).unwrap();
            assert_eq!(loader.kept.is_some(), is_kept);
            assert_eq!(loader.samples(&[1]).unwrap()[0].features[0].values.len(), 100);
        }
    }

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

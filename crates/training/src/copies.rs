//! Precomputed features of changed copies of clips, such as the voice faster and slower (Ko et al. 2015, "Audio
//! augmentation for speech recognition").
//!
//! Augmentation comes before features are computed, so copies are made with them: the stream `NAME@…` has the features
//! of the same clips as the stream `NAME`, changed. Each copy is a speaker of its own where features are normalized by
//! speaker. Copies that are longer than the model's sequence lose their beginning, as clips do.

use std::collections::BTreeMap;

use emotion::{Clip, FeatureInput, Manifest, Sample, Stream};
use models::ModelError;
use rand::{Rng, RngExt as _};

use crate::sequences::{ClipSequence, SequenceReader, find_one, streams_of};
use crate::{Event, PreparedClip, TrainError};

/// The copies of the features of a split's clips.
pub(crate) struct Copies {
    reader: SequenceReader,
    /// Of each clip, called like what they are copies of.
    of: Vec<Vec<ClipSequence>>,
}

impl Copies {
    /// Errors when `manifest` has no copy of what `inputs` ask for.
    pub(crate) fn check(manifest: &Manifest, inputs: &[FeatureInput]) -> Result<(), TrainError> {
        for input in inputs {
            if !changed(&manifest.streams, &streams_of(manifest, input)?).is_empty() {
                return Ok(());
            }
        }
        let names: Vec<&str> = inputs.iter().map(|input| input.stream.as_str()).collect();
        let reason = match names.is_empty() {
            true => "copies is set, and the model reads no precomputed features: set it to 0".to_owned(),
            false => format!(
                "copies is set, and dataset {:?} has none of {}: make copies of the voice at other speeds with limbic features \
                 --speeds, or in the window with Extract features…",
                manifest.name,
                names.join(", ")
            ),
        };
        Err(ModelError::Config(reason).into())
    }

    /// Those of `clips` among the streams that `inputs` ask for; a copy that cannot be read is reported and not used.
    pub(crate) fn of(
        manifest: &Manifest,
        clips: &[PreparedClip],
        inputs: &[FeatureInput],
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        let reader = SequenceReader::new(manifest);
        let originals = clips;
        let clips: Vec<&Clip> = originals.iter().map(|prepared| &prepared.clip).collect();
        let mut of = vec![Vec::new(); clips.len()];
        for input in inputs {
            let own = streams_of(manifest, input)?;
            for (change, streams) in changed(&manifest.streams, &own) {
                let copy = FeatureInput { stream: format!("{}@{change}", input.stream), ..input.clone() };
                let found = find_one(manifest, &clips, &copy, &streams, &reader, on_event);
                for ((of, found), original) in of.iter_mut().zip(found).zip(originals) {
                    // One without the scale of its speaker, where the original has it, would be somewhere else.
                    let has_scale =
                        |stream: &str| original.sequences.iter().any(|own| own.stream == stream && own.has_scale());
                    let fits = |found: &ClipSequence| found.has_scale() == has_scale(&input.stream);
                    of.extend(found.filter(fits).map(|mut found| {
                        found.stream.clone_from(&input.stream);
                        found
                    }));
                }
            }
        }
        Ok(Self { reader, of })
    }

    /// Puts one of the copies of the clip at `index` in the place of each of its features that has some.
    pub(crate) fn exchange(&self, sample: &mut Sample, index: usize, rng: &mut impl Rng) -> Result<(), TrainError> {
        for sequence in &mut sample.features {
            let copies: Vec<&ClipSequence> =
                self.of[index].iter().filter(|copy| copy.stream == sequence.stream).collect();
            if !copies.is_empty() {
                *sequence = self.reader.read(copies[rng.random_range(0..copies.len())])?.0;
            }
        }
        Ok(())
    }
}

/// The changes that there are copies with, each with the streams that stand in for `own`; of a stream without such a
/// copy, itself.
fn changed<'a>(streams: &'a [Stream], own: &[usize]) -> BTreeMap<&'a str, Vec<usize>> {
    let mut changed = BTreeMap::new();
    for (part, &place) in own.iter().enumerate() {
        let original = &streams[place];
        for (copy, stream) in streams.iter().enumerate() {
            if let Some(change) = stream.change_of(original) {
                changed.entry(change).or_insert_with(|| own.to_vec())[part] = copy;
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use emotion::{FeatureRef, LabelSet, Modalities, Modality, Normalization};
    use rand::SeedableRng as _;
    use rand_pcg::Pcg64Mcg;

    use super::*;
    use crate::sequences::find;

    /// Four clips of one speaker with the features `s` and `t`, of which the second has copies at two speeds, wrong
    /// ones in width and in modality beside them.
    fn dataset(dir: &Path) -> Manifest {
        let mut manifest = Manifest::new("m", "csv", dir, LabelSet::basic(2));
        let widths = [("s", 1), ("t", 1), ("t@0.9", 1), ("t@1.1", 1), ("t@wide", 2), ("t@seen", 1)];
        for (name, n_dims) in widths {
            let modality = if name == "t@seen" { Modality::Face } else { Modality::Voice };
            let (aligned, extracted) = (false, true);
            manifest.streams.push(Stream { name: name.into(), modality, n_dims, aligned, extracted });
        }
        for place in 0..4 {
            let of = |(stream, (name, n_dims)): (usize, &(&str, usize))| {
                let path = dir.join(format!("{name}-{place}.npy"));
                let value = 100.0 * stream as f32 + place as f32;
                features::write_npy(&path, &[1, *n_dims], &vec![value; *n_dims]).unwrap();
                FeatureRef { stream, path, array: None, row: None, first_dim: 0, first_step: 0, n_steps: 1 }
            };
            let features = widths.iter().enumerate().map(of).collect();
            manifest.clips.push(Clip { id: place.to_string(), speaker: Some("a".into()), features, ..Clip::default() });
        }
        manifest
    }

    fn prepared(manifest: &Manifest, inputs: &[FeatureInput]) -> Vec<PreparedClip> {
        let (reader, clips) = (SequenceReader::new(manifest), manifest.clips.iter().collect::<Vec<_>>());
        let sequences = find(manifest, &clips, inputs, &reader, &mut |_| ()).unwrap();
        let of = |(clip, sequences): (&&Clip, _)| PreparedClip {
            clip: Clip::clone(clip),
            path: clip.path.clone(),
            key: None,
            text: None,
            sequences,
            present: Modalities::NONE,
        };
        clips.iter().zip(sequences).map(of).collect()
    }

    fn input(stream: &str, n_dims: usize) -> FeatureInput {
        FeatureInput {
            stream: stream.into(),
            modality: Modality::Voice,
            n_dims,
            n_steps: 1,
            n_after: 0,
            context: 0,
            root: false,
            normalize: Normalization::Speaker,
        }
    }

    #[test]
    fn samples_get_copies_of_their_own_clip_with_the_scale_of_the_copies() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dataset(dir.path());
        let inputs = [input("s+t", 2)];
        let copies = Copies::of(&manifest, &prepared(&manifest, &inputs), &inputs, &mut |event| {
            panic!("nothing to report: {event:?}");
        })
        .unwrap();
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let original = copies.reader.read(&copies.of[2][0]).unwrap().0;
        let mut seen = Vec::new();
        for _ in 0..30 {
            let mut sample = Sample { features: vec![original.clone()], ..Sample::default() };
            copies.exchange(&mut sample, 2, &mut rng).unwrap();
            let sequence = &sample.features[0];
            assert_eq!((sequence.stream.as_str(), sequence.n_dims), ("s+t", 2));
            assert_eq!(sequence.values[0], 2.0, "what has no copy stays");
            assert_eq!(sequence.speaker.as_ref().unwrap().mean[1], sequence.values[1] - 0.5);
            seen.push(sequence.values[1]);
        }
        seen.sort_by(f32::total_cmp);
        seen.dedup();
        assert_eq!(seen, [202.0, 302.0]);
    }

    #[test]
    fn features_without_copies_are_refused_and_those_of_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dataset(dir.path());
        let check = |inputs: &[FeatureInput]| Copies::check(&manifest, inputs).map_err(|error| error.to_string());
        assert!(check(&[input("s", 1)]).unwrap_err().contains("none of s: make copies"));
        assert!(check(&[]).unwrap_err().contains("reads no precomputed features"));
        let inputs = [input("s", 1), input("t", 1)];
        assert_eq!(check(&inputs), Ok(()));

        let copies = Copies::of(&manifest, &prepared(&manifest, &inputs), &inputs, &mut |_| ()).unwrap();
        let read = |stream| {
            let found =
                find_one(&manifest, &[&manifest.clips[0]], &input("s", 1), &[stream], &copies.reader, &mut |_| ());
            copies.reader.read(found[0].as_ref().unwrap()).unwrap().0
        };
        let mut sample = Sample { features: vec![read(0)], ..Sample::default() };
        copies.exchange(&mut sample, 0, &mut Pcg64Mcg::seed_from_u64(1)).unwrap();
        assert_eq!(sample.features, [read(0)]);
    }

    #[test]
    fn copies_without_a_scale_that_the_original_has_are_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = dataset(dir.path());
        // Three copies at 1.1 are too few for a scale.
        manifest.clips[3].features.retain(|feature| feature.stream != 3);
        let inputs = [input("t", 1)];
        let copies = Copies::of(&manifest, &prepared(&manifest, &inputs), &inputs, &mut |_| ()).unwrap();
        assert_eq!(copies.of.iter().map(Vec::len).collect::<Vec<_>>(), [1; 4]);
    }
}

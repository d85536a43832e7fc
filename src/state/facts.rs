//! What is counted in a dataset once, so that no page goes through its clips to be drawn.

use std::collections::{BTreeMap, BTreeSet};

use emotion::{Clip, Manifest, Split};

/// Sums over the clips of a dataset.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// All clips together, as far as lengths are known.
    pub total_secs: f32,
    /// Clips of each class in train, val and test.
    pub class_counts: [Vec<usize>; 3],
    /// Clips that say themselves whose face they are about.
    pub n_chosen_by_hand: usize,
    /// Clips with features of each stream, in the manifest's order.
    pub n_with_stream: Vec<usize>,
    /// The first clip with a picture or sound.
    pub first_media: Option<usize>,
    /// Who speaks in which split.
    pub speakers: Speakers,
}

/// How speakers spread over the splits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Speakers {
    /// All of them.
    pub n: usize,
    /// Those in train, val and test.
    pub per_split: [usize; 3],
    /// Those in more than one split: a model may know them by heart.
    pub shared: Vec<String>,
}

impl Facts {
    /// Counts.
    pub fn of(manifest: &Manifest) -> Self {
        let mut n_with_stream = vec![0; manifest.streams.len()];
        for feature in manifest.clips.iter().flat_map(|clip| &clip.features) {
            n_with_stream[feature.stream] += 1;
        }
        Self {
            total_secs: manifest.clips.iter().filter_map(|clip| clip.duration_secs).sum(),
            class_counts: Split::ALL.map(|split| manifest.class_counts(split)),
            n_chosen_by_hand: manifest.clips.iter().filter(|clip| clip.person.is_some()).count(),
            n_with_stream,
            first_media: manifest.clips.iter().position(Clip::has_media),
            speakers: Speakers::of(manifest),
        }
    }

    /// Clips in train, val and test.
    pub fn n_clips(&self) -> [usize; 3] {
        [0, 1, 2].map(|split| self.class_counts[split].iter().sum())
    }

    /// Clips of `manifest`, whose facts these are, with features of the stream called `name`.
    pub fn n_with_features(&self, manifest: &Manifest, name: &str) -> usize {
        let stream = manifest.streams.iter().position(|own| own.name == name);
        stream.map_or(0, |stream| self.n_with_stream[stream])
    }
}

impl Speakers {
    fn of(manifest: &Manifest) -> Self {
        let mut splits: BTreeMap<&str, BTreeSet<Split>> = BTreeMap::new();
        for clip in &manifest.clips {
            if let Some(speaker) = &clip.speaker {
                splits.entry(speaker).or_default().insert(clip.split);
            }
        }
        Self {
            n: splits.len(),
            per_split: Split::ALL.map(|split| splits.values().filter(|own| own.contains(&split)).count()),
            shared: splits.iter().filter(|(_, own)| own.len() > 1).map(|(&name, _)| name.to_owned()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use emotion::{FaceChoice, LabelSet};

    use super::*;

    #[test]
    fn facts_are_what_the_clips_say() {
        let mut manifest = Manifest::new("m", "csv", Path::new("/m"), LabelSet::basic(2));
        for (at, (label, split, speaker)) in
            [(0, Split::Train, "a"), (1, Split::Train, "b"), (1, Split::Test, "b")].into_iter().enumerate()
        {
            manifest.clips.push(Clip {
                id: at.to_string(),
                path: if at == 0 { "".into() } else { "x.mp4".into() },
                label,
                split,
                speaker: Some(speaker.into()),
                person: (at == 1).then_some(FaceChoice::Centre),
                duration_secs: Some(2.0),
                ..Clip::default()
            });
        }
        let facts = Facts::of(&manifest);
        assert_eq!(facts.class_counts, [vec![1, 1], vec![0, 0], vec![0, 1]]);
        assert_eq!((facts.n_clips(), facts.n_chosen_by_hand, facts.first_media), ([2, 0, 1], 1, Some(1)));
        assert_eq!(facts.total_secs, 6.0);
        assert_eq!(facts.speakers, Speakers { n: 2, per_split: [2, 0, 1], shared: vec!["b".into()] });
        assert_eq!(facts.n_with_features(&manifest, "mfcc"), 0);
    }
}

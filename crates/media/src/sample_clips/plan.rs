//! Who feels what in which clip, and which of face, voice and text say so. All counts are balanced by construction.

use std::collections::BTreeMap;

use emotion::{LabelSet, Modalities, Modality, Split};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use super::{Mood, SampleSet};

/// Share of clips in which all three, two, or only one of the modalities can be read.
///
/// Whoever reads one modality perfectly and guesses otherwise is right in 0.79 of seven-class clips, with two
/// in 0.96, with three in all.
const ALL_THREE: f64 = 0.4;
const TWO: f64 = 0.45;
const ONE: f64 = 0.15;

/// Share of validation and test clips.
const VAL: f64 = 0.1;
const TEST: f64 = 0.2;

/// One clip to be made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClipPlan {
    pub mood: Mood,
    pub split: Split,
    pub speaker_idx: usize,
    /// The modalities that can be read.
    pub informative: Modalities,
    /// For everything at random in this clip.
    pub seed: u64,
}

/// All clips in their order, and how many speakers there are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub clips: Vec<ClipPlan>,
    pub n_speakers: usize,
}

/// Plans `set`; the same set gives the same plan.
pub(super) fn plan(set: &SampleSet) -> Plan {
    let mut rng = Pcg64Mcg::seed_from_u64(set.seed);
    let labels = LabelSet::basic(set.n_classes);
    let moods: Vec<Mood> = Mood::ALL.into_iter().filter(|mood| labels.index_of(mood.name()).is_some()).collect();
    let mut of_split: BTreeMap<Split, Vec<(Mood, Modalities)>> = BTreeMap::new();
    for (split, counts) in counts(set.n_clips, moods.len()) {
        let mut patterns = Patterns::new(&mut rng);
        let clips = of_split.entry(split).or_default();
        for (&mood, n_clips) in moods.iter().zip(counts) {
            let mut part: Vec<_> = (0..n_clips).map(|_| (mood, patterns.next())).collect();
            shuffle(&mut part, &mut rng);
            clips.extend(part);
        }
    }
    let mut clips = Vec::with_capacity(set.n_clips);
    let mut n_speakers = 0;
    for (split, part) in of_split {
        let n_own = n_speakers_of(split, part.len(), set.n_clips);
        for (idx, (mood, informative)) in part.into_iter().enumerate() {
            let speaker_idx = n_speakers + idx % n_own.max(1);
            clips.push(ClipPlan { mood, split, speaker_idx, informative, seed: rng.random() });
        }
        n_speakers += n_own;
    }
    shuffle(&mut clips, &mut rng);
    Plan { clips, n_speakers }
}

/// Clips per class in each split: classes differ by one at most, and every split has every class if it can.
fn counts(n_clips: usize, n_classes: usize) -> [(Split, Vec<usize>); 3] {
    let of_class = |class_idx: usize| (n_clips + n_classes - 1 - class_idx) / n_classes;
    let (mut train, mut val, mut test) = (Vec::new(), Vec::new(), Vec::new());
    for class_idx in 0..n_classes {
        let n = of_class(class_idx);
        let (n_val, n_test) = match n {
            0 | 1 => (0, 0),
            // One clip to learn from, the other alternates.
            2 if class_idx % 2 == 0 => (0, 1),
            2 => (1, 0),
            _ => {
                let share = |share: f64| ((n as f64 * share).round() as usize).max(1);
                (share(VAL), share(TEST))
            }
        };
        train.push(n - n_val - n_test);
        val.push(n_val);
        test.push(n_test);
    }
    [(Split::Train, train), (Split::Val, val), (Split::Test, test)]
}

/// Each speaker has about 17 clips, but there are ten at least, and no more than there are clips.
fn n_speakers_of(split: Split, n_clips: usize, n_total: usize) -> usize {
    let all = (n_total / 17).clamp(10, 70);
    let own = match split {
        Split::Train => all - (all / 7).max(1) - (all / 5).max(2),
        Split::Val => (all / 7).max(1),
        Split::Test => (all / 5).max(2),
    };
    own.min(n_clips)
}

/// Deals the seven patterns so that after any number of clips each is as near to its share as it can be.
struct Patterns {
    owed: Vec<(Modalities, f64, f64)>,
}

impl Patterns {
    fn new(rng: &mut Pcg64Mcg) -> Self {
        let share = |pattern: Modalities| match pattern.len() {
            3 => ALL_THREE,
            2 => TWO / 3.0,
            _ => ONE / 3.0,
        };
        // The small head starts decide ties, by chance.
        let owed = Modalities::subsets().map(|pattern| (pattern, share(pattern), rng.random_range(0.0..0.1)));
        Self { owed: owed.to_vec() }
    }

    fn next(&mut self) -> Modalities {
        for (_, share, owed) in &mut self.owed {
            *owed += *share;
        }
        let most = self.owed.iter_mut().max_by(|a, b| a.2.total_cmp(&b.2)).expect("there are seven patterns");
        most.2 -= 1.0;
        most.0
    }
}

fn shuffle<T>(items: &mut [T], rng: &mut Pcg64Mcg) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.random_range(0..=last));
    }
}

impl ClipPlan {
    /// Whether `modality` can be read.
    pub fn tells(&self, modality: Modality) -> bool {
        self.informative.contains(modality)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn of(n_clips: usize, n_classes: usize, seed: u64) -> Plan {
        plan(&SampleSet { n_clips, n_classes, seed })
    }

    #[test]
    fn speakers_belong_to_one_split() {
        for (n_clips, n_classes) in [(350, 7), (14, 7), (21, 7), (60, 3), (9, 2)] {
            let mut splits: BTreeMap<usize, BTreeSet<Split>> = BTreeMap::new();
            let plan = of(n_clips, n_classes, 1);
            assert_eq!(plan.clips.len(), n_clips);
            for clip in &plan.clips {
                splits.entry(clip.speaker_idx).or_default().insert(clip.split);
            }
            assert!(splits.values().all(|splits| splits.len() == 1), "{n_clips} clips");
            assert_eq!(splits.len(), plan.n_speakers);
            let used: BTreeSet<Split> = plan.clips.iter().map(|clip| clip.split).collect();
            assert_eq!(used.len(), 3, "{n_clips} clips");
        }
        assert!(of(350, 7, 1).n_speakers >= 10);
    }

    #[test]
    fn splits_have_all_classes_in_the_planned_shares() {
        for split in Split::ALL {
            for mood in Mood::ALL {
                let n = of(350, 7, 3).clips.iter().filter(|clip| clip.split == split && clip.mood == mood).count();
                let expected = match split {
                    Split::Train => 35,
                    Split::Val => 5,
                    Split::Test => 10,
                };
                assert_eq!(n, expected, "{split:?} {mood:?}");
            }
        }
    }

    #[test]
    fn each_modality_tells_in_the_planned_share_of_every_split() {
        let clips = of(350, 7, 5).clips;
        for split in Split::ALL {
            let part: Vec<_> = clips.iter().filter(|clip| clip.split == split).collect();
            let n = part.len() as f64;
            let share = |wanted: &dyn Fn(&&&ClipPlan) -> bool| part.iter().filter(wanted).count() as f64 / n;
            for (n_informative, expected) in [(3, ALL_THREE), (2, TWO), (1, ONE)] {
                let found = share(&|clip| clip.informative.len() == n_informative);
                assert!((found - expected).abs() < 3.5 / n, "{split:?}: {n_informative} in {found}");
            }
            for modality in Modality::ALL {
                let found = share(&|clip| clip.tells(modality));
                let expected = ALL_THREE + TWO * 2.0 / 3.0 + ONE / 3.0;
                assert!((found - expected).abs() < 3.5 / n, "{split:?}: {modality:?} in {found}");
            }
        }
        for mood in Mood::ALL {
            for modality in Modality::ALL {
                let part: Vec<_> =
                    clips.iter().filter(|clip| clip.mood == mood && clip.split == Split::Train).collect();
                let n_telling = part.iter().filter(|clip| clip.tells(modality)).count();
                assert!((22..=30).contains(&n_telling), "{mood:?} {modality:?}: {n_telling} of {}", part.len());
            }
        }
    }

    #[test]
    fn seeds_differ_in_everything() {
        let (a, b) = (of(70, 7, 1), of(70, 7, 2));
        assert_eq!(a, of(70, 7, 1));
        let same =
            a.clips.iter().zip(&b.clips).filter(|(a, b)| (a.mood, a.informative) == (b.mood, b.informative)).count();
        assert!(same < 20, "{same} of 70");
    }
}

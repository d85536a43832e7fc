//! Folds for cross-validation of any dataset, whatever parts it came with.

use std::collections::BTreeMap;

use emotion::{Manifest, Split};

use crate::split::balanced;

/// Share of the clips outside the test fold that decides about stopping.
const VALIDATION: f64 = 0.1;

/// `manifest` with fold `fold` of `n_folds`, counted from 1, as test, and a tenth of the other clips as val.
///
/// Speakers, where they are known, else recordings, stay together; all parts are balanced by class. The same seed makes
/// the same folds, in whatever order the clips are listed.
///
/// # Panics
/// If there is no such fold.
pub fn fold(manifest: &Manifest, n_folds: usize, fold: usize, seed: u64) -> Manifest {
    assert!((1..=n_folds).contains(&fold), "fold {fold} of {n_folds}");
    let clips = &manifest.clips;
    let labels: Vec<usize> = clips.iter().map(|clip| clip.label).collect();
    let mut by_name: BTreeMap<(bool, &str), Vec<usize>> = BTreeMap::new();
    for (idx, clip) in clips.iter().enumerate() {
        let together = clip.speaker.as_ref().or(clip.recording.as_ref());
        by_name.entry((together.is_some(), together.unwrap_or(&clip.id))).or_default().push(idx);
    }
    let alone = by_name.keys().filter(|(together, _)| !together).count();
    let groups: Vec<Vec<usize>> = by_name.into_values().collect();
    let fold_of = balanced(&labels, &groups, &vec![1.0 / n_folds as f64; n_folds], seed);
    let (test, rest): (Vec<_>, Vec<_>) = groups.into_iter().zip(fold_of).partition(|(_, own)| own + 1 == fold);
    let rest: Vec<Vec<usize>> = rest.into_iter().map(|(group, _)| group).collect();
    let is_val = balanced(&labels, &rest, &[1.0 - VALIDATION, VALIDATION], seed);

    let mut own = manifest.clone();
    for idx in test.iter().flat_map(|(group, _)| group) {
        own.clips[*idx].split = Split::Test;
    }
    for (group, val) in rest.iter().zip(is_val) {
        group.iter().for_each(|&idx| own.clips[idx].split = if val == 1 { Split::Val } else { Split::Train });
    }
    let how = if alone < clips.len() { "speakers and recordings together" } else { "clips at random" };
    own.protocol =
        format!("{n_folds} folds made by Limbic (seed {seed}), {how}: fold {fold} is test, a tenth of the rest is val");
    own
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use emotion::{Clip, LabelSet};

    use super::*;

    #[test]
    fn every_clip_is_tested_once_and_nobody_is_in_two_parts() {
        let mut manifest = Manifest::new("m", "csv", Path::new("/"), LabelSet::basic(2));
        for idx in 0..60 {
            let speaker = Some(format!("s{}", idx % 12));
            manifest.clips.push(Clip { id: idx.to_string(), label: idx / 12 % 2, speaker, ..Clip::default() });
        }
        let mut tested = BTreeSet::new();
        for k in 1..=4 {
            let own = fold(&manifest, 4, k, 7);
            let speakers = |split| own.split(split).map(|clip| clip.speaker.clone()).collect::<BTreeSet<_>>();
            let [train, val, test] = Split::ALL.map(speakers);
            assert_eq!((train.len() + val.len(), test.len()), (9, 3));
            assert!(!val.is_empty() && train.is_disjoint(&test) && val.is_disjoint(&test) && train.is_disjoint(&val));
            let counts = own.class_counts(Split::Test);
            assert!(counts.iter().all(|&n| n >= 6), "{counts:?}");
            tested.extend(own.split(Split::Test).map(|clip| clip.id.clone()));
        }
        assert_eq!(tested.len(), 60);
    }
}

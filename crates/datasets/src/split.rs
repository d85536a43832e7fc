//! Train, val and test: as the dataset says, and made with care where it says nothing.
//!
//! No speaker is in two parts wherever speakers are known, because a model that knows a voice looks better than it is.
//! The same clips and seed give the same parts, in whatever order the clips are listed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use emotion::Split;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_pcg::Pcg64Mcg;

use crate::assemble::Row;

/// Shares of clips where the dataset gives no parts.
const SHARES: [(Split, f64); 3] = [(Split::Train, 0.7), (Split::Val, 0.1), (Split::Test, 0.2)];
/// Shares of the training clips where only the validation part is missing.
const HELD_OUT: [(Split, f64); 2] = [(Split::Train, 0.9), (Split::Val, 0.1)];

/// What matters of a clip here.
pub(crate) struct Entry<'a> {
    /// Unique; decides the order.
    pub key: &'a Path,
    pub label: usize,
    pub speaker: Option<&'a str>,
    /// The dataset's own word for the part.
    pub split: Option<&'a str>,
}

/// Parts in the order of the entries; `None`: the clip belongs to no part.
pub(crate) struct Divided {
    pub splits: Vec<Option<Split>>,
    /// How the parts came about, in words.
    pub protocol: String,
    /// What people should look at.
    pub doubts: Vec<String>,
}

/// Why the fold that was asked for cannot be scored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoFold {
    /// There are no folds.
    None,
    /// There is one, which leaves nothing to train on.
    Only(i64),
    /// There are others, which are named.
    Other(String),
}

/// The fold to score of a corpus of which only a part may be there: the one asked for, or `usual`, or the first. One
/// fold divides nothing, so unless a fold is asked for, its rows lose it and parts are made of them.
pub(crate) fn fold_of_part(rows: &mut [Row], asked: Option<usize>, usual: usize) -> Option<usize> {
    let folds: BTreeSet<usize> = rows.iter().filter_map(|row| row.split.as_deref()?.parse().ok()).collect();
    if folds.len() == 1 && asked.is_none() {
        rows.iter_mut().for_each(|row| row.split = None);
        return None;
    }
    asked.or_else(|| folds.get(&usual).or(folds.first()).copied())
}

/// Gives each entry its part; `given` says in words where parts come from that the entries have, `fold` which of
/// several folds is scored (default: the last).
pub(crate) fn divide(
    entries: &[Entry<'_>],
    given: Option<&str>,
    fold: Option<usize>,
    seed: u64,
) -> Result<Divided, NoFold> {
    let mut doubts = Vec::new();
    let numbers: Option<BTreeSet<i64>> = entries.iter().filter_map(|entry| entry.split).map(number).collect();
    let numbers = numbers.unwrap_or_default();
    let has_folds = !numbers.is_empty();
    // Importers that choose the lists of a fold themselves say so.
    let is_chosen = given.is_some_and(|given| given.contains("fold") || given.contains("partition"));
    if fold.is_some() && !is_chosen {
        match (numbers.len(), numbers.first()) {
            (0, _) => return Err(NoFold::None),
            (1, Some(&only)) => return Err(NoFold::Only(only)),
            _ => {}
        }
    }
    // What is said about the folds after the last semicolon means nothing where there is one fold or none is used.
    let is_parted = !has_folds && entries.iter().any(|entry| entry.split.is_some());
    let whose =
        given.map(|given| if is_parted { given } else { given.rsplit_once(';').map_or(given, |(whose, _)| whose) });
    let whose = whose.map(|whose| format!("{whose}; ")).unwrap_or_default();
    let (mut splits, given) =
        given_splits(entries, given.unwrap_or("as the dataset gives it"), fold, &mut doubts).map_err(NoFold::Other)?;
    let n_of = |splits: &[Option<Split>], split| splits.iter().filter(|own| **own == Some(split)).count();
    let present: Vec<Split> = Split::ALL.into_iter().filter(|&split| n_of(&splits, split) > 0).collect();
    let all: Vec<usize> = (0..entries.len()).collect();
    let protocol = match present.as_slice() {
        [] => {
            let how = part(entries, &all, &SHARES, seed, &mut splits);
            format!("{whose}parts made by Limbic (seed {seed}): {how}")
        }
        [Split::Train] => {
            let train: Vec<usize> = all.into_iter().filter(|&idx| splits[idx].is_some()).collect();
            let how = part(entries, &train, &SHARES, seed, &mut splits);
            format!(
                "{whose}the dataset calls everything train, so val and test were made by Limbic (seed {seed}): {how}"
            )
        }
        [Split::Test] => format!("{given}: everything is for testing"),
        [Split::Val] => format!("{given}: everything is for validation"),
        [Split::Train, Split::Test] => {
            let how = hold_out(entries, seed, &mut splits);
            format!("{given}; val, which it lacks, is held out of train (seed {seed}): {how}")
        }
        [Split::Train, Split::Val] => {
            splits.iter_mut().filter(|split| **split == Some(Split::Val)).for_each(|split| *split = Some(Split::Test));
            let how = hold_out(entries, seed, &mut splits);
            format!(
                "{given}; it has no test, so its val is scored as test, and val is held out of train (seed {seed}): {how}"
            )
        }
        _ => given,
    };
    if let Some(doubt) = shared_speakers(entries, &splits) {
        doubts.push(doubt);
    }
    Ok(Divided { splits, protocol, doubts })
}

/// The fold that `word` is.
fn number(word: &str) -> Option<i64> {
    word.parse::<f64>().ok().filter(|fold| fold.fract() == 0.0).map(|fold| fold as i64)
}

/// The dataset's own parts, and how they came about.
fn given_splits(
    entries: &[Entry<'_>],
    given: &str,
    fold: Option<usize>,
    doubts: &mut Vec<String>,
) -> Result<(Vec<Option<Split>>, String), String> {
    let words: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.split).collect();
    let folds: Option<BTreeSet<i64>> = words.iter().map(|word| number(word)).collect();
    if let Some(folds) = folds.filter(|folds| folds.len() >= 2) {
        let folds: Vec<i64> = folds.into_iter().collect();
        let n_folds = folds.len();
        let test_idx = match fold {
            None => n_folds - 1,
            Some(fold) => {
                folds.iter().position(|own| usize::try_from(*own) == Ok(fold)).ok_or_else(|| listed(&folds))?
            }
        };
        let test = folds[test_idx];
        let val = (n_folds >= 3).then(|| folds[(test_idx + n_folds - 1) % n_folds]);
        let split_of = |word: &str| {
            let fold = number(word);
            if fold == Some(test) {
                Split::Test
            } else if fold == val {
                Split::Val
            } else {
                Split::Train
            }
        };
        let val = val.map(|val| format!(", fold {val} is val")).unwrap_or_default();
        let how = if given == "as the dataset gives it" { "the dataset's" } else { given };
        let protocol = format!("{how} {n_folds} folds: fold {test} is test{val}, the others are train");
        return Ok((entries.iter().map(|entry| entry.split.map(split_of)).collect(), protocol));
    }
    let unknown: Vec<String> =
        words.iter().filter(|word| word.parse::<Split>().is_err()).map(|word| format!("{word:?}")).collect();
    if !unknown.is_empty() {
        let what = if unknown.len() == words.len() { "the column is ignored" } else { "those clips are left out" };
        let some: Vec<_> = unknown.iter().take(5).cloned().collect();
        doubts.push(format!("the split column says {}, which is neither train, val nor test: {what}", some.join(", ")));
    }
    let splits = entries.iter().map(|entry| entry.split.and_then(|word| word.parse().ok())).collect();
    Ok((splits, given.to_owned()))
}

/// "1, 2 and 3".
fn listed(folds: &[i64]) -> String {
    let words: Vec<String> = folds.iter().map(ToString::to_string).collect();
    let (last, rest) = words.split_last().expect("there are at least two folds");
    format!("{} and {last}", rest.join(", "))
}

fn hold_out(entries: &[Entry<'_>], seed: u64, splits: &mut [Option<Split>]) -> String {
    let train: Vec<usize> = (0..entries.len()).filter(|&idx| splits[idx] == Some(Split::Train)).collect();
    part(entries, &train, &HELD_OUT, seed, splits)
}

/// Divides `members` among the shares, by speaker where that can be; says how.
fn part(
    entries: &[Entry<'_>],
    members: &[usize],
    shares: &[(Split, f64)],
    seed: u64,
    splits: &mut [Option<Split>],
) -> String {
    let mut members = members.to_vec();
    members.sort_by_key(|&idx| entries[idx].key);
    let mut by_speaker: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut unknown = Vec::new();
    for &idx in &members {
        match entries[idx].speaker {
            Some(speaker) => by_speaker.entry(speaker).or_default().push(idx),
            None => unknown.push(idx),
        }
    }
    let percent = shares.iter().map(|(_, share)| format!("{:.0}", share * 100.0)).collect::<Vec<_>>().join("/");
    if by_speaker.len() >= shares.len() && unknown.len() * 2 <= members.len() {
        unknown.iter().for_each(|&idx| splits[idx] = Some(shares[0].0));
        let n_speakers = part_speakers(entries, &by_speaker.into_values().collect::<Vec<_>>(), shares, seed, splits);
        let speakers: Vec<String> =
            shares.iter().zip(n_speakers).map(|((split, _), n)| format!("{n} {}", split.name())).collect();
        let rest = match unknown.len() {
            0 => String::new(),
            n => format!(" ({n} clips without a speaker are in {})", shares[0].0.name()),
        };
        return format!(
            "speaker-independent, {percent}, classes as even as the speakers allow; {} speakers{rest}",
            speakers.join(", ")
        );
    }
    let why = match by_speaker.len() {
        0 => "no speakers are known".to_owned(),
        1 => "there is only 1 speaker".to_owned(),
        n if n < shares.len() => format!("there are only {n} speakers"),
        _ => format!("{} of {} clips name no speaker", unknown.len(), members.len()),
    };
    part_classes(entries, &members, shares, seed, splits);
    format!("{percent} of each class at random, because {why}: the same person may be in several parts")
}

/// Gives each group of entries to one part; returns the number of groups per part.
fn part_speakers(
    entries: &[Entry<'_>],
    groups: &[Vec<usize>],
    shares: &[(Split, f64)],
    seed: u64,
    splits: &mut [Option<Split>],
) -> Vec<usize> {
    let labels: Vec<usize> = entries.iter().map(|entry| entry.label).collect();
    let part_of = balanced(&labels, groups, &shares.iter().map(|(_, share)| *share).collect::<Vec<_>>(), seed);
    let mut n_groups = vec![0; shares.len()];
    for (group, &part) in groups.iter().zip(&part_of) {
        n_groups[part] += 1;
        group.iter().for_each(|&idx| splits[idx] = Some(shares[part].0));
    }
    n_groups
}

/// Greedy: groups from large to small, each to the part whose class counts it brings closest to the shares; none of the
/// parts is empty if there are enough groups. `labels` has the class of each member of a group.
pub(crate) fn balanced(labels: &[usize], groups: &[Vec<usize>], shares: &[f64], seed: u64) -> Vec<usize> {
    let n_classes = groups.iter().flatten().map(|&idx| labels[idx] + 1).max().unwrap_or(0);
    let mut totals = vec![0.0; n_classes];
    groups.iter().flatten().for_each(|&idx| totals[labels[idx]] += 1.0);
    let counts: Vec<Vec<f64>> = groups
        .iter()
        .map(|group| {
            let mut counts = vec![0.0; n_classes];
            group.iter().for_each(|&idx| counts[labels[idx]] += 1.0);
            counts
        })
        .collect();
    // Squared misses relative to what is aimed at, so that the small parts are as well balanced as the large one.
    let miss = |part: usize, have: &[f64]| -> f64 {
        let aims = totals.iter().map(|total| total * shares[part]);
        aims.zip(have).map(|(aim, have)| if aim > 0.0 { (have - aim).powi(2) / aim } else { 0.0 }).sum()
    };
    let plus = |have: &[f64], group: &[f64], sign: f64| -> Vec<f64> {
        have.iter().zip(group).map(|(have, n)| have + sign * n).collect()
    };
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
    order.sort_by_key(|&group_idx| std::cmp::Reverse(groups[group_idx].len()));
    let mut have = vec![vec![0.0; n_classes]; shares.len()];
    let mut part_of = vec![0; groups.len()];
    let gain = |have: &[Vec<f64>], part: usize, group: &[f64]| {
        miss(part, &plus(&have[part], group, 1.0)) - miss(part, &have[part])
    };
    for &group_idx in &order {
        let group = &counts[group_idx];
        let best = (0..shares.len())
            .min_by(|&a, &b| gain(&have, a, group).total_cmp(&gain(&have, b, group)))
            .expect("there is at least one share");
        have[best] = plus(&have[best], group, 1.0);
        part_of[group_idx] = best;
    }
    // What was decided early may be better elsewhere now that the rest is placed.
    for _ in 0..20 {
        let mut moved = false;
        for &group_idx in &order {
            let (from, group) = (part_of[group_idx], &counts[group_idx]);
            let relief = miss(from, &have[from]) - miss(from, &plus(&have[from], group, -1.0));
            let to = (0..shares.len())
                .filter(|&to| to != from && gain(&have, to, group) < relief - 1e-9)
                .min_by(|&a, &b| gain(&have, a, group).total_cmp(&gain(&have, b, group)));
            if let Some(to) = to {
                have[from] = plus(&have[from], group, -1.0);
                have[to] = plus(&have[to], group, 1.0);
                part_of[group_idx] = to;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let mut n_groups = vec![0; shares.len()];
    part_of.iter().for_each(|&part| n_groups[part] += 1);
    for part in 0..shares.len() {
        // A part without anybody cannot be scored: the smallest group of the fullest part moves in.
        if n_groups[part] == 0 {
            let from = (0..shares.len()).max_by_key(|&from| n_groups[from]).expect("there is at least one share");
            if let Some(&group_idx) = order.iter().rev().find(|&&group_idx| part_of[group_idx] == from) {
                part_of[group_idx] = part;
                n_groups[from] -= 1;
                n_groups[part] += 1;
            }
        }
    }
    part_of
}

/// The same shares of every class, at least one clip each where the class has enough.
fn part_classes(
    entries: &[Entry<'_>],
    members: &[usize],
    shares: &[(Split, f64)],
    seed: u64,
    splits: &mut [Option<Split>],
) {
    let mut by_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    members.iter().for_each(|&idx| by_class.entry(entries[idx].label).or_default().push(idx));
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    for class in by_class.values_mut() {
        class.shuffle(&mut rng);
        let n = class.len();
        let mut rest = class.as_slice();
        // The small parts first; the first share takes what is left, at least one clip.
        for (split, share) in shares.iter().skip(1).rev() {
            let n_part = ((n as f64 * share).round() as usize).max(1).min(rest.len().saturating_sub(1));
            let (part, others) = rest.split_at(n_part);
            part.iter().for_each(|&idx| splits[idx] = Some(*split));
            rest = others;
        }
        rest.iter().for_each(|&idx| splits[idx] = Some(shares[0].0));
    }
}

/// A warning if somebody is in test and elsewhere.
fn shared_speakers(entries: &[Entry<'_>], splits: &[Option<Split>]) -> Option<String> {
    let speakers = |test: bool| -> BTreeSet<&str> {
        let chosen =
            entries.iter().zip(splits).filter(|(_, split)| split.is_some_and(|split| (split == Split::Test) == test));
        chosen.filter_map(|(entry, _)| entry.speaker).collect()
    };
    let shared: Vec<&str> = speakers(true).intersection(&speakers(false)).copied().collect();
    let example = shared.first()?;
    let n = shared.len();
    Some(format!(
        "speakers both in test and in train or val: {n}, {example:?} for one; scores say little about new people"
    ))
}

//! Which clips are pieces of one recording, so that what was said before and after can be taken into account.

use std::collections::HashMap;

use crate::{Manifest, Split};

/// The neighbours of every clip of a manifest, within its recording and its split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recordings {
    /// Clips of each recording in their order, by their place in the manifest.
    pieces: Vec<Vec<usize>>,
    /// Recording of each clip, and place in it.
    place: Vec<(usize, usize)>,
}

impl Recordings {
    /// Those of `manifest`; a clip that names no recording is one of its own.
    pub fn of(manifest: &Manifest) -> Self {
        let mut known: HashMap<(&str, Split), usize> = HashMap::new();
        let mut pieces: Vec<Vec<usize>> = Vec::new();
        let mut place = Vec::with_capacity(manifest.clips.len());
        for (clip_idx, clip) in manifest.clips.iter().enumerate() {
            let recording = match &clip.recording {
                Some(name) => *known.entry((name, clip.split)).or_insert(pieces.len()),
                None => pieces.len(),
            };
            if recording == pieces.len() {
                pieces.push(Vec::new());
            }
            place.push((recording, pieces[recording].len()));
            pieces[recording].push(clip_idx);
        }
        Self { pieces, place }
    }

    /// At most `n` clips before and `n` after clip `clip_idx`, in their order.
    pub fn around(&self, clip_idx: usize, n: usize) -> (&[usize], &[usize]) {
        let (recording, at) = self.place[clip_idx];
        let all = &self.pieces[recording];
        (&all[at.saturating_sub(n)..at], &all[at + 1..all.len().min(at + 1 + n)])
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Clip, LabelSet};

    #[test]
    fn neighbours_are_of_the_same_recording_and_split() {
        let mut manifest = Manifest::new("m", "csv", Path::new("/"), LabelSet::basic(2));
        let pieces = ["a train", "b train", "a train", "a test", "a train", "- train", "- train"];
        manifest.clips = pieces
            .iter()
            .map(|piece| {
                let (recording, split) = piece.split_once(' ').expect("two words");
                let recording = (recording != "-").then(|| recording.to_owned());
                Clip { recording, split: split.parse().expect("a split"), ..Clip::default() }
            })
            .collect();
        let recordings = Recordings::of(&manifest);
        let none: &[usize] = &[];
        for (clip, n, before, after) in [
            (2, 5, &[0][..], &[4][..]),
            (4, 1, &[2], none),
            (4, 2, &[0, 2], none),
            (2, 0, none, none),
            (3, 5, none, none),
            (5, 5, none, none),
        ] {
            assert_eq!(recordings.around(clip, n), (before, after), "clip {clip}, {n}");
        }
    }
}

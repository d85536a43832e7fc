//! Which frames stand for a clip, and keeping those while all of them pass by.
//!
//! [`training_frames`] exists to be compared with the reference (`tests/parity`). Left out: training with it. A clip is
//! decoded once for all epochs, so every preset, MMA-DFER's among them, trains on the frames of [`spread_frames`].

use crate::Image;

/// Which of `n` frames stand for the clip, and whether each is its own: evenly spread, or all and the last repeated.
/// The rule of MMA-DFER's test loader.
pub fn spread_frames(n: usize, n_segments: usize) -> Vec<(usize, bool)> {
    if n > n_segments {
        let tick = n as f64 / n_segments as f64;
        (0..n_segments).map(|segment| ((tick / 2.0 + tick * segment as f64) as usize, true)).collect()
    } else {
        (0..n_segments).map(|segment| (segment.min(n.saturating_sub(1)), segment < n)).collect()
    }
}

/// The rule of MMA-DFER's training loader: of each of `n_segments` stretches of equal length one frame, which
/// `draw(length)` chooses; what is left over at the end is never used. Too few frames are all taken and the last
/// repeated.
pub fn training_frames(n: usize, n_segments: usize, mut draw: impl FnMut(usize) -> usize) -> Vec<(usize, bool)> {
    match n / n_segments {
        0 => spread_frames(n, n_segments),
        length => (0..n_segments).map(|segment| (segment * length + draw(length), true)).collect(),
    }
}

/// Keeps the frames that stand for a clip.
pub(crate) struct Picker {
    rule: Rule,
    slots: Vec<Option<Image>>,
}

enum Rule {
    /// Frame numbers in rising order, of `n_frames`.
    At { n_frames: usize, wanted: Vec<usize> },
    /// The frame closest to the middle of each of as many equal parts as there are slots.
    OverTime { duration_secs: f64, distances: Vec<f64> },
}

impl Picker {
    pub(crate) fn none() -> Self {
        Self { rule: Rule::At { n_frames: 0, wanted: Vec::new() }, slots: Vec::new() }
    }

    pub(crate) fn at(n_segments: usize, n_frames: usize) -> Self {
        let mut wanted: Vec<usize> =
            spread_frames(n_frames, n_segments).iter().map(|&(frame_idx, _)| frame_idx).collect();
        wanted.dedup();
        Self { slots: vec![None; wanted.len()], rule: Rule::At { n_frames, wanted } }
    }

    pub(crate) fn over_time(n_segments: usize, duration_secs: f64) -> Self {
        let distances = vec![f64::INFINITY; n_segments];
        Self { slots: vec![None; n_segments], rule: Rule::OverTime { duration_secs, distances } }
    }

    /// The numbers of the wanted frames, where they are known beforehand.
    pub(crate) fn numbers(&self) -> &[usize] {
        match &self.rule {
            Rule::At { wanted, .. } => wanted,
            Rule::OverTime { .. } => &[],
        }
    }

    /// The slot that frame `frame_idx` at `pts_secs` should take.
    pub(crate) fn wants(&mut self, frame_idx: usize, pts_secs: Option<f64>) -> Option<usize> {
        match &mut self.rule {
            Rule::At { wanted, .. } => wanted.binary_search(&frame_idx).ok(),
            Rule::OverTime { duration_secs, distances } => {
                let position = (pts_secs? / *duration_secs * distances.len() as f64).max(0.0);
                let slot = (position as usize).min(distances.len() - 1);
                let distance = (position - slot as f64 - 0.5).abs();
                let closer = distance < distances[slot];
                if closer {
                    distances[slot] = distance;
                }
                closer.then_some(slot)
            }
        }
    }

    pub(crate) fn put(&mut self, slot: usize, image: Image) {
        self.slots[slot] = Some(image);
    }

    /// Whether the right frames were picked, now that their number is known.
    pub(crate) fn is_right(&self, n_seen: usize) -> bool {
        match &self.rule {
            Rule::At { n_frames, wanted } => *n_frames == n_seen || n_seen == 0 || wanted.is_empty(),
            Rule::OverTime { .. } => self.slots.iter().all(Option::is_some),
        }
    }

    pub(crate) fn into_images(self) -> Vec<Image> {
        self.slots.into_iter().flatten().collect()
    }
}

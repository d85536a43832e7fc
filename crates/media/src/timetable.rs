//! Which frames of a film must be decoded, where only a few are looked at.

/// When each frame of a film is shown, and which of them are needed. The first and the last always are: where they come, the
/// file holds what its packets promise.
pub(crate) struct Timetable {
    /// Rising.
    ticks: Vec<i64>,
    /// Rising, each with whether it came.
    needed: Vec<(i64, bool)>,
}

impl Timetable {
    /// Of the times of all packets, in any order, in ticks of the track; `None` where one has no time of its own.
    pub(crate) fn new(ticks: Vec<Option<i64>>) -> Option<Self> {
        let mut ticks: Vec<i64> = ticks.into_iter().collect::<Option<_>>()?;
        ticks.sort_unstable();
        let is_rising = ticks.windows(2).all(|pair| pair[0] < pair[1]);
        (is_rising && !ticks.is_empty()).then_some(Self { ticks, needed: Vec::new() })
    }

    /// Frames of the film.
    pub(crate) fn n_frames(&self) -> usize {
        self.ticks.len()
    }

    /// Says which frames are needed, by their numbers.
    pub(crate) fn need(&mut self, numbers: &[usize]) {
        let ends = [0, self.ticks.len() - 1];
        let mut needed: Vec<_> = numbers.iter().chain(&ends).map(|&number| (self.ticks[number], false)).collect();
        needed.sort_unstable();
        needed.dedup();
        self.needed = needed;
    }

    /// Whether the packet of this time holds a needed frame.
    pub(crate) fn needs(&self, ticks: Option<i64>) -> bool {
        ticks.is_none_or(|ticks| self.place(ticks).is_ok())
    }

    /// The number of the frame that came, by its time.
    pub(crate) fn came(&mut self, ticks: Option<i64>) -> Option<usize> {
        let ticks = ticks?;
        if let Ok(place) = self.place(ticks) {
            self.needed[place].1 = true;
        }
        self.ticks.binary_search(&ticks).ok()
    }

    /// Whether all needed frames came.
    pub(crate) fn is_complete(&self) -> bool {
        self.needed.iter().all(|&(_, came)| came)
    }

    fn place(&self, ticks: i64) -> Result<usize, usize> {
        self.needed.binary_search_by_key(&ticks, |&(needed, _)| needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_numbered_as_they_are_shown() {
        let mut table = Timetable::new([0, 40, 10, 20, 30].map(Some).to_vec()).unwrap();
        table.need(&[1, 3]);
        let needs: Vec<bool> = [0, 10, 20, 30, 40].map(|ticks| table.needs(Some(ticks))).to_vec();
        assert_eq!(needs, [true, true, false, true, true]);
        assert!(table.needs(None), "nobody knows what it is");
        assert_eq!([0, 10, 20, 40].map(|ticks| table.came(Some(ticks))), [Some(0), Some(1), Some(2), Some(4)]);
        assert!(!table.is_complete(), "the frame at 30 is missing");
        assert_eq!((table.came(Some(15)), table.came(None), table.came(Some(30))), (None, None, Some(3)));
        assert!(table.is_complete());
    }

    #[test]
    fn times_that_tell_no_order_are_no_timetable() {
        assert!(Timetable::new(vec![Some(1), Some(1)]).is_none());
        assert!(Timetable::new(vec![Some(1), None]).is_none());
        assert!(Timetable::new(Vec::new()).is_none());
    }
}

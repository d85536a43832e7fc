//! Which frames of a film must be decoded, where only a few are looked at.

/// A packet of the picture track, as it lies in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// When its frame is shown, in ticks of the track.
    pub(crate) ticks: Option<i64>,
    /// Whether decoding can begin with it.
    pub(crate) is_key: bool,
    /// Whether its frame is seen at all; what an edit list cuts off is not, and may yet be needed for others.
    pub(crate) is_shown: bool,
}

/// What a packet is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It holds a needed frame, or nobody knows what it holds.
    Frame,
    /// A needed frame may be made from it.
    Reference,
    Nothing,
}

/// When each frame of a film is shown, and which of them are needed. The first and the last always are: where they
/// come, the file holds what its packets promise.
pub(crate) struct Timetable {
    /// Of the packets in the order of the file, with whether decoding can begin there.
    packets: Vec<(i64, bool)>,
    /// Of the frames that are shown, rising.
    ticks: Vec<i64>,
    /// Rising, each with whether it came.
    needed: Vec<(i64, bool)>,
    /// Packets that nothing needed is made from, rising.
    useless: Vec<i64>,
    /// Packets that decoding goes on with after useless ones, as if it began there, rising.
    starts: Vec<i64>,
}

impl Timetable {
    /// Of all packets in the order of the file; `None` where one has no time of its own.
    pub(crate) fn new(entries: &[Entry]) -> Option<Self> {
        let packets: Vec<(i64, bool)> =
            entries.iter().map(|entry| Some((entry.ticks?, entry.is_key))).collect::<Option<_>>()?;
        let mut ticks: Vec<i64> =
            entries.iter().filter(|entry| entry.is_shown).filter_map(|entry| entry.ticks).collect();
        ticks.sort_unstable();
        let is_rising = ticks.windows(2).all(|pair| pair[0] < pair[1]);
        let (needed, useless, starts) = (Vec::new(), Vec::new(), Vec::new());
        (is_rising && !ticks.is_empty()).then_some(Self { packets, ticks, needed, useless, starts })
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
        (self.useless, self.starts) = self.gaps();
        self.useless.sort_unstable();
        self.starts.sort_unstable();
    }

    /// The useless packets, and those that decoding goes on with. From one key packet to the next, what comes after the
    /// last needed frame is made for nobody. Frames that follow a key packet and are shown before it are made from both
    /// sides of it.
    fn gaps(&self) -> (Vec<i64>, Vec<i64>) {
        let (mut useless, mut starts) = (Vec::new(), Vec::new());
        // Of the group after the one that is looked at: whether it takes what is before it, and of those used the first
        // key packet.
        let (mut is_joined, mut next_key) = (false, None);
        for group in self.packets.chunk_by(|_, (_, is_key)| !is_key).rev() {
            let (key, can_begin) = group[0];
            let is_needed = |&(ticks, _): &(i64, bool)| self.place(ticks).is_ok();
            let n_used = match group.iter().rposition(is_needed) {
                _ if is_joined => group.len(),
                last => last.map_or(0, |last| last + 1),
            };
            let (used, rest) = group.split_at(n_used);
            if !rest.is_empty() {
                useless.extend(rest.iter().map(|&(ticks, _)| ticks));
                starts.extend(next_key);
            }
            if used.is_empty() {
                continue;
            }
            let early = used.iter().filter(|(ticks, _)| *ticks < key);
            is_joined = !can_begin || early.clone().any(is_needed);
            next_key = Some(key);
            if !is_joined {
                useless.extend(early.map(|&(ticks, _)| ticks));
            }
        }
        (useless, starts)
    }

    /// Whether decoding begins anew with the packet of this time, because those before it are left out.
    pub(crate) fn starts_at(&self, ticks: Option<i64>) -> bool {
        ticks.is_some_and(|ticks| self.starts.binary_search(&ticks).is_ok())
    }

    /// What the packet of this time is good for.
    pub(crate) fn use_of(&self, ticks: Option<i64>) -> Use {
        let Some(ticks) = ticks else { return Use::Frame };
        match self.place(ticks) {
            Ok(_) => Use::Frame,
            Err(_) if self.useless.binary_search(&ticks).is_ok() => Use::Nothing,
            Err(_) => Use::Reference,
        }
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

    /// Packets in the order of the file, those at `keys` being key packets.
    fn film(ticks: &[i64], keys: &[i64]) -> Timetable {
        let entry = |&ticks: &i64| Entry { ticks: Some(ticks), is_key: keys.contains(&ticks), is_shown: ticks >= 0 };
        Timetable::new(&ticks.iter().map(entry).collect::<Vec<_>>()).unwrap()
    }

    fn uses(table: &Timetable) -> Vec<Use> {
        table.packets.iter().map(|&(ticks, _)| table.use_of(Some(ticks))).collect()
    }

    #[test]
    fn frames_are_numbered_as_they_are_shown() {
        let mut table = film(&[0, 40, 10, 20, 30], &[0]);
        table.need(&[1, 3]);
        assert_eq!(uses(&table), [Use::Frame, Use::Frame, Use::Frame, Use::Reference, Use::Frame]);
        assert_eq!(table.use_of(None), Use::Frame, "nobody knows what it is");
        assert_eq!([0, 10, 20, 40].map(|ticks| table.came(Some(ticks))), [Some(0), Some(1), Some(2), Some(4)]);
        assert!(!table.is_complete(), "the frame at 30 is missing");
        assert_eq!((table.came(Some(15)), table.came(None), table.came(Some(30))), (None, None, Some(3)));
        assert!(table.is_complete());
    }

    #[test]
    fn what_no_needed_frame_is_made_from_is_useless() {
        use Use::{Frame, Nothing, Reference};
        // Three groups of three; the first is half cut off by an edit list.
        let mut table = film(&[-20, -10, 0, 10, 20, 30, 40, 50, 60], &[-20, 10, 40]);
        table.need(&[]);
        assert_eq!(uses(&table), [Reference, Reference, Frame, Nothing, Nothing, Nothing, Reference, Reference, Frame]);
        table.need(&[2]);
        assert_eq!(uses(&table)[3..6], [Reference, Frame, Nothing]);
    }

    #[test]
    fn a_frame_between_two_groups_is_made_from_both() {
        use Use::{Frame, Nothing, Reference};
        // The frames at 40 and 50 come after the key frame at 60, and are shown before it.
        let order = [0, 20, 10, 30, 60, 40, 50, 80, 70];
        let mut table = film(&order, &[0, 60]);
        table.need(&[]);
        assert_eq!(uses(&table), [Frame, Nothing, Nothing, Nothing, Reference, Nothing, Nothing, Frame, Nothing]);
        table.need(&[5]);
        let needed = [Frame, Reference, Reference, Reference, Reference, Reference, Frame, Frame, Nothing];
        assert_eq!(uses(&table), needed);
        // Where nothing says that decoding can begin, it does not.
        let mut table = film(&[0, 10, 20, 30], &[20]);
        table.need(&[]);
        assert_eq!(uses(&table), [Frame, Nothing, Reference, Frame]);
    }

    #[test]
    fn times_that_tell_no_order_are_no_timetable() {
        let table = |ticks: &[Option<i64>]| {
            let entry = |&ticks: &Option<i64>| Entry { ticks, is_key: true, is_shown: true };
            Timetable::new(&ticks.iter().map(entry).collect::<Vec<_>>())
        };
        assert!(table(&[Some(1), Some(1)]).is_none());
        assert!(table(&[Some(1), None]).is_none());
        assert!(table(&[]).is_none());
    }
}

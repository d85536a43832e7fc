//! Work on many items at once, whose results come in the order of the items.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};

/// Items a thread that may be begun ahead of the one that is awaited: one that is slow holds the others up only after
/// that many, and results do not pile up behind it.
const AHEAD_PER_THREAD: usize = 8;

/// How far the caller is.
struct Progress {
    /// Items taken; `None` where no more are wanted.
    taken: Mutex<Option<usize>>,
    moved: Condvar,
}

impl Progress {
    fn taken(&self) -> MutexGuard<'_, Option<usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, taken: Option<usize>) {
        *self.taken() = taken;
        self.moved.notify_all();
    }

    /// Waits until fewer than `n_ahead` items are begun before `item_idx` and not taken; `false` where it is not wanted
    /// any more.
    fn may_begin(&self, item_idx: usize, n_ahead: usize) -> bool {
        let is_early = |taken: &mut Option<usize>| taken.is_some_and(|taken| item_idx >= taken + n_ahead);
        self.moved.wait_while(self.taken(), is_early).unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// Ends it when the caller goes, by an error too, or when a thread panics, whose item would be waited for.
struct End<'a> {
    progress: &'a Progress,
    is_callers: bool,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        if self.is_callers || std::thread::panicking() {
            self.progress.set(None);
        }
    }
}

/// Does `work` for each item on `n_threads` threads that end with this call, and hands the results to `take` on the
/// caller's thread, in the order of the items. The first error of `take` ends it; items that are being worked on are
/// finished first.
///
/// Threads of their own, because one of a pool that waits for another pool (as that of a detector's network is) takes
/// the next item meanwhile, and then everything is in memory at once.
pub(crate) fn in_order<T: Sync, R: Send, E>(
    items: &[T],
    n_threads: usize,
    work: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(&T, R) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let progress = Progress { taken: Mutex::new(Some(0)), moved: Condvar::new() };
    let (give, results) = mpsc::channel();
    std::thread::scope(|scope| {
        let _end = End { progress: &progress, is_callers: true };
        for _ in 0..n_threads.min(items.len()) {
            let give = give.clone();
            scope.spawn(|| {
                let give = give;
                let _end = End { progress: &progress, is_callers: false };
                loop {
                    let item_idx = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(item_idx) else { break };
                    let may_begin = progress.may_begin(item_idx, n_threads * AHEAD_PER_THREAD);
                    if !may_begin || give.send((item_idx, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(give);
        let mut early = BTreeMap::new();
        let mut items = items.iter().enumerate();
        let mut awaited = items.next();
        for (item_idx, result) in &results {
            early.insert(item_idx, result);
            while let Some((item_idx, item)) = awaited
                && let Some(result) = early.remove(&item_idx)
            {
                take(item, result)?;
                progress.set(Some(item_idx + 1));
                awaited = items.next();
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn results_come_in_order_whoever_is_quicker() {
        // Always two at once, which end at the same time.
        let barrier = Barrier::new(2);
        let mut taken = Vec::new();
        let done: Result<(), ()> = in_order(
            &[0, 1, 2, 3],
            2,
            |&item| {
                barrier.wait();
                if item % 2 == 0 { item } else { item * 10 }
            },
            |&item, result| {
                taken.push((item, result));
                Ok(())
            },
        );
        assert_eq!((done, taken), (Ok(()), vec![(0, 0), (1, 10), (2, 2), (3, 30)]));
    }

    #[test]
    fn an_error_ends_it_and_nothing_begins_afterwards() {
        let n_begun = AtomicUsize::new(0);
        let items: Vec<usize> = (0..1000).collect();
        let result = in_order(
            &items,
            2,
            |_| n_begun.fetch_add(1, Ordering::Relaxed),
            |&item, _| {
                if item < 3 { Ok(()) } else { Err("full") }
            },
        );
        assert_eq!(result, Err("full"));
        let n_begun = n_begun.into_inner();
        assert!((4..=3 + 2 * AHEAD_PER_THREAD).contains(&n_begun), "{n_begun}: all but those on their way are left");
        assert_eq!(in_order(&[(); 0], 2, |()| (), |(), ()| Err("nothing to take")), Ok(()));
    }

    #[test]
    fn one_that_is_slow_holds_the_others_up_after_a_few() {
        let n_begun = AtomicUsize::new(0);
        // The first item is done when as many others are begun as may be, and no more come meanwhile.
        let (items, n_most) = ((0..1000).collect::<Vec<usize>>(), 2 * AHEAD_PER_THREAD);
        let mut n_begun_before = None;
        let done: Result<(), ()> = in_order(
            &items,
            2,
            |&item| {
                let n = n_begun.fetch_add(1, Ordering::Relaxed) + 1;
                while item == 0 && n_begun.load(Ordering::Relaxed) < n_most {
                    std::thread::yield_now();
                }
                n
            },
            |&item, _| {
                n_begun_before.get_or_insert(n_begun.load(Ordering::Relaxed));
                assert!(n_begun.load(Ordering::Relaxed) <= item + n_most);
                Ok(())
            },
        );
        assert_eq!((done, n_begun_before), (Ok(()), Some(n_most)));
        assert_eq!(n_begun.into_inner(), items.len());
    }

    #[test]
    #[should_panic = "a scoped thread panicked"]
    fn a_panic_is_passed_on_and_waited_for_by_nobody() {
        let items: Vec<usize> = (0..1000).collect();
        let _: Result<(), ()> = in_order(&items, 2, |&item| assert!(item > 0, "broken"), |_, ()| Ok(()));
    }
}

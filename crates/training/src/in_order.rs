//! Work on many items at once, whose results come in the order of the items.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Does `work` for each item on `n_threads` threads that end with this call, and hands the results to `take` on the caller's
/// thread, in the order of the items. The first error of `take` ends it; items that are being worked on are finished first.
///
/// Threads of their own, because one of a pool that waits for another pool (as that of a detector's network is) takes the next
/// item meanwhile, and then everything is in memory at once.
pub(crate) fn in_order<T: Sync, R: Send, E>(
    items: &[T],
    n_threads: usize,
    work: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(&T, R) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    // Whoever has a result waits while the caller does not take any.
    let (give, results) = mpsc::sync_channel(n_threads);
    std::thread::scope(|scope| {
        // Gone with this closure, so that nobody waits for an item that nobody wants.
        let results = results;
        for _ in 0..n_threads.min(items.len()) {
            let give = give.clone();
            scope.spawn(|| {
                let give = give;
                loop {
                    let item_idx = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(item_idx) else { break };
                    if give.send((item_idx, work(item))).is_err() {
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
        assert!(n_begun.into_inner() < 20, "all but those on their way are left");
        assert_eq!(in_order(&[(); 0], 2, |()| (), |(), ()| Err("nothing to take")), Ok(()));
    }
}

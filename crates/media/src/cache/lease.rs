//! Who still needs which samples of a cache: a locked file for each job, whose lock the system lifts even when the
//! process is killed. Where the file system has no locks, a lease counts for a day.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::{SampleCache, UNFINISHED, remove, unfinished};

/// Names of leases begin with it.
pub(super) const LEASE: &str = ".in-use-";
/// How long a lease counts where it cannot be locked (choice): most trainings take less, and who was killed is not
/// missed long.
const LOCKLESS: Duration = Duration::from_secs(24 * 3600);

/// Says that samples used after some time are still needed, for as long as it lives.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) path: PathBuf,
    /// What the folder is kept to when the lease ends.
    pub(super) limit_bytes: AtomicU64,
    /// Locked.
    _file: File,
}

impl Lease {
    pub(super) fn take(dir: &Path) -> io::Result<Self> {
        let file = unfinished(dir)?;
        file.as_file().set_modified(SystemTime::now())?;
        // Where the file system has no locks, others go by the lease's age.
        let _ = file.as_file().try_lock();
        let name = file.path().file_name().unwrap_or_default().to_string_lossy().replace(UNFINISHED, LEASE);
        let path = dir.join(name);
        let file = file.persist(&path).map_err(|error| error.error)?;
        Ok(Self { path, limit_bytes: AtomicU64::new(SampleCache::USUAL_LIMIT_BYTES), _file: file })
    }

    /// Since when samples are needed by whoever holds the lease at `path`; `None` where nobody does any more.
    pub(super) fn since(path: &Path) -> Option<SystemTime> {
        let file = File::open(path).ok()?;
        let since = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
        if is_held(&file.try_lock(), since) {
            return Some(since);
        }
        let _ = fs::remove_file(path);
        None
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Without its lock it is removed by whoever finds it next.
        let _ = fs::remove_file(&self.path);
        // What the job needed beyond the limit is not needed any more; what fails here is tried again by the next job.
        let dir = self.path.parent().unwrap_or(Path::new(""));
        let _ = remove(dir, self.limit_bytes.load(Ordering::Relaxed), &|lease| lease != self.path);
    }
}

/// Whether somebody holds the lease of `since`, by how locking it went.
fn is_held(locked: &Result<(), TryLockError>, since: SystemTime) -> bool {
    match locked {
        Err(TryLockError::WouldBlock) => true,
        // Its process was killed.
        Ok(()) => false,
        // There are no locks.
        Err(TryLockError::Error(_)) => since.elapsed().unwrap_or_default() < LOCKLESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_locks_a_lease_counts_for_a_day() {
        let (day, minute) = (Duration::from_secs(24 * 3600), Duration::from_secs(60));
        let lockless = || Err(TryLockError::Error(io::ErrorKind::Unsupported.into()));
        for (locked, age, expected) in [
            (Ok(()), minute, false),
            (Err(TryLockError::WouldBlock), 10 * day, true),
            (lockless(), day - minute, true),
            (lockless(), day + minute, false),
        ] {
            assert_eq!(is_held(&locked, SystemTime::now() - age), expected, "{locked:?} after {age:?}");
        }
        assert!(is_held(&lockless(), SystemTime::now() + minute), "another machine's clock may be ahead");
    }
}

//! The right to commit. Every message belongs to the epoch in which it was read. A rebalance ends the epoch; its
//! messages can no longer be committed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How long a rebalance waits for a commit in progress. The log fences a commit that takes longer.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The current epoch, shared by the intake and the writer.
#[derive(Debug, Default)]
pub(super) struct Ownership {
    epoch: std::sync::atomic::AtomicU64,
    committing: Mutex<()>,
    resync: AtomicBool,
}

impl Ownership {
    /// The current epoch.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The right to commit messages of `epoch`, until the guard is dropped; `None` if the epoch has ended.
    pub(super) fn permit(&self, epoch: u64) -> Option<MutexGuard<'_, ()>> {
        let guard = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        (self.epoch() == epoch).then_some(guard)
    }

    /// Ends the epoch and waits for a commit in progress. Returns the new epoch.
    pub(super) fn end_epoch(&self) -> u64 {
        let next = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        let deadline = Instant::now() + COMMIT_TIMEOUT;
        loop {
            match self.committing.try_lock() {
                Ok(_) | Err(TryLockError::Poisoned(_)) => return next,
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    tracing::warn!(
                        "a commit is still in progress; the log rejects it if another archiver commits first"
                    );
                    return next;
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Requests that the intake reads again from the offsets in the log.
    pub(super) fn request_resync(&self) {
        self.resync.store(true, Ordering::Release);
    }

    /// Whether a resync was requested.
    pub(super) fn is_resync_requested(&self) -> bool {
        self.resync.load(Ordering::Acquire)
    }

    /// Whether a resync was requested. Clears the request.
    pub(super) fn take_resync(&self) -> bool {
        self.resync.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn an_ended_epoch_gives_no_permit() {
        let ownership = Ownership::default();
        let epoch = ownership.epoch();
        assert!(ownership.permit(epoch).is_some());
        let next = ownership.end_epoch();
        assert!(ownership.permit(epoch).is_none());
        assert!(ownership.permit(next).is_some());
    }

    #[test]
    fn the_end_of_an_epoch_waits_for_the_commit_in_progress() {
        let ownership = Arc::new(Ownership::default());
        let permit = ownership.permit(0).unwrap();
        let other = Arc::clone(&ownership);
        let ending = std::thread::spawn(move || other.end_epoch());
        while ownership.epoch() == 0 {
            std::thread::yield_now();
        }
        assert!(!ending.is_finished());
        drop(permit);
        assert_eq!(ending.join().unwrap(), 1);
    }

    #[test]
    fn a_requested_resync_is_taken_once() {
        let ownership = Ownership::default();
        ownership.request_resync();
        assert!(ownership.is_resync_requested());
        assert!(ownership.take_resync());
        assert!(!ownership.is_resync_requested() && !ownership.take_resync());
    }
}

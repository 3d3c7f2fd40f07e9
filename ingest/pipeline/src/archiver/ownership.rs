//! Who may commit. Whatever was read belongs to an epoch; a rebalance ends the epoch, and with it the right to commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How long a rebalance waits for a commit that is under way. Longer ones are fenced by the log.
const PATIENCE: Duration = Duration::from_secs(10);

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

    /// The right to commit what belongs to `epoch`, for as long as the guard lives; `None` when the epoch is over.
    pub(super) fn permit(&self, epoch: u64) -> Option<MutexGuard<'_, ()>> {
        let guard = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        (self.epoch() == epoch).then_some(guard)
    }

    /// Ends the epoch, waiting for a commit that is under way. Returns the new one.
    pub(super) fn end_epoch(&self) -> u64 {
        let next = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.committing.try_lock() {
                Ok(_) | Err(TryLockError::Poisoned(_)) => return next,
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    tracing::warn!("a commit is still under way; the log will refuse it if somebody else is first");
                    return next;
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Asks the intake to read on from where the log says.
    pub(super) fn ask_resync(&self) {
        self.resync.store(true, Ordering::Release);
    }

    /// Whether the intake was asked, once.
    pub(super) fn take_resync(&self) -> bool {
        self.resync.swap(false, Ordering::AcqRel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn an_epoch_that_ended_commits_nothing() {
        let ownership = Ownership::default();
        let epoch = ownership.epoch();
        assert!(ownership.permit(epoch).is_some());
        let next = ownership.end_epoch();
        assert!(ownership.permit(epoch).is_none());
        assert!(ownership.permit(next).is_some());
    }

    #[test]
    fn the_end_of_an_epoch_waits_for_the_commit_under_way() {
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
    fn a_resync_is_asked_for_once() {
        let ownership = Ownership::default();
        ownership.ask_resync();
        assert!(ownership.take_resync());
        assert!(!ownership.take_resync());
    }
}

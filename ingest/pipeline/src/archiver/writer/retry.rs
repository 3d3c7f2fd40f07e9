//! Retries: a step that the store fails is run again, after growing pauses, until it succeeds.
//!
//! Retries end a while after the stop was requested. What was read then stays in Kafka, and the next process reads it
//! again.

use crate::archiver::error::ArchiverError;
use crate::archiver::metrics::ArchiverMetrics;
use holdfast_archive::ArchiveError;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How long retries continue after the stop.
const MAX_RETRY_AFTER_STOP: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Runs steps on the archive, and retries those that fail.
#[derive(Clone)]
pub(super) struct Retry {
    runtime: Handle,
    stop: CancellationToken,
    metrics: ArchiverMetrics,
}

impl Retry {
    /// Steps run on the current runtime.
    pub(super) fn new(stop: CancellationToken, metrics: ArchiverMetrics) -> Self {
        Self { runtime: Handle::current(), stop, metrics }
    }

    /// Runs a step once, on the calling thread.
    pub(super) fn block_on<F: Future>(&self, step: F) -> F::Output {
        self.runtime.block_on(step)
    }

    /// Runs a step until it succeeds. An error that a retry does not fix is returned at once.
    pub(super) fn until_done<T, F>(&self, doing: &'static str, mut step: impl FnMut() -> F) -> Result<T, ArchiverError>
    where
        F: Future<Output = Result<T, ArchiveError>>,
    {
        let mut backoff = self.backoff();
        loop {
            match self.block_on(step()) {
                Ok(done) => return Ok(done),
                Err(error) => self.pause(&mut backoff, doing, error)?,
            }
        }
    }

    /// The pauses of a step that is retried by its caller.
    pub(super) fn backoff(&self) -> Backoff<'_> {
        Backoff::new(&self.stop)
    }

    /// Waits before the next attempt. Returns `error` if there is to be none.
    pub(super) fn pause(
        &self,
        backoff: &mut Backoff<'_>,
        doing: &'static str,
        error: ArchiveError,
    ) -> Result<(), ArchiverError> {
        if !is_transient(&error) {
            return Err(error.into());
        }
        let Some(pause) = backoff.next() else { return Err(error.into()) };
        tracing::warn!(%error, doing, "an operation on the archive failed; retrying");
        self.metrics.retries.inc();
        std::thread::sleep(pause);
        Ok(())
    }
}

/// Whether a retry may succeed. A full disk is freed and a bucket becomes reachable again; a missing holder stays
/// missing.
fn is_transient(error: &ArchiveError) -> bool {
    matches!(error, ArchiveError::Store { .. } | ArchiveError::Log { .. })
}

/// The pauses between attempts. They double up to a limit, and end a while after the stop.
pub(super) struct Backoff<'s> {
    stop: &'s CancellationToken,
    pause: Duration,
    stopped: Option<Instant>,
}

impl<'s> Backoff<'s> {
    fn new(stop: &'s CancellationToken) -> Self {
        Self { stop, pause: FIRST_PAUSE, stopped: None }
    }

    fn next(&mut self) -> Option<Duration> {
        let pause = self.pause;
        self.pause = (pause * 2).min(MAX_PAUSE);
        if !self.stop.is_cancelled() {
            return Some(pause);
        }
        let stopped = *self.stopped.get_or_insert_with(Instant::now);
        (stopped.elapsed() < MAX_RETRY_AFTER_STOP).then_some(pause.min(Duration::from_secs(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_end_only_after_the_stop() {
        let stop = CancellationToken::new();
        let mut backoff = Backoff::new(&stop);
        let pauses: Vec<_> = (0..10).filter_map(|_| backoff.next()).collect();
        assert_eq!((pauses.len(), pauses[0], pauses[9]), (10, FIRST_PAUSE, MAX_PAUSE));
        stop.cancel();
        assert!(backoff.next().is_some());
        backoff.stopped = Instant::now().checked_sub(MAX_RETRY_AFTER_STOP);
        assert!(backoff.next().is_none());
    }
}

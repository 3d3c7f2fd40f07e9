//! A CRM that is down is not asked again at once: the first statement that finds it down waits for the time limit, those
//! that come in the next moments fail immediately, and then one of them tries again.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What time it is, so that a test can say so.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now.
    fn now(&self) -> Instant;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// How long a CRM that was found down is left alone.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Breaker {
    open: Mutex<Option<Outage>>,
}

#[derive(Debug)]
struct Outage {
    until: Instant,
    reason: String,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self { open: Mutex::new(None) }
    }

    /// Whether the CRM may be asked, or what happened before. After a pause one caller may try; for the others the pause
    /// begins anew.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.as_mut() {
            None => Ok(()),
            Some(outage) if now < outage.until => Err(outage.reason.clone()),
            Some(outage) => {
                outage.until = now + PAUSE;
                Ok(())
            }
        }
    }

    /// The CRM was found down.
    pub(crate) fn trip(&self, now: Instant, reason: String) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(Outage { until: now + PAUSE, reason });
    }

    /// The CRM answered.
    pub(crate) fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_one_caller_a_pause_is_admitted_until_one_succeeds() {
        let breaker = Breaker::new();
        let start = Instant::now();
        assert_eq!(breaker.admit(start), Ok(()));
        breaker.trip(start, "closed port".to_owned());
        assert_eq!(breaker.admit(start), Err("closed port".to_owned()));
        assert!(breaker.admit(start + PAUSE - Duration::from_millis(1)).is_err());
        let later = start + PAUSE;
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(breaker.admit(later).is_err());
        breaker.close();
        assert_eq!(breaker.admit(later), Ok(()));
    }
}

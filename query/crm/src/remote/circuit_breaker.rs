//! A circuit breaker: a CRM that is down is not queried again at once. The first statement that fails opens the breaker.
//! Statements in the next moments fail immediately. Then one of them tries again.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A clock, which tests replace.
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

/// How long the breaker stays open after a failure.
pub(crate) const OPEN_TIME: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct CircuitBreaker {
    outage: Mutex<Option<Outage>>,
}

#[derive(Debug)]
struct Outage {
    until: Instant,
    reason: String,
}

impl CircuitBreaker {
    pub(crate) fn new() -> Self {
        Self { outage: Mutex::new(None) }
    }

    /// Whether the CRM may be queried; if not, the reason of the outage. After [`OPEN_TIME`] one caller may try, and the time
    /// starts again for the others.
    pub(crate) fn check(&self, now: Instant) -> Result<(), String> {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match outage.as_mut() {
            None => Ok(()),
            Some(outage) if now < outage.until => Err(outage.reason.clone()),
            Some(outage) => {
                outage.until = now + OPEN_TIME;
                Ok(())
            }
        }
    }

    /// The CRM is down.
    pub(crate) fn open(&self, now: Instant, reason: String) {
        *self.outage.lock().unwrap_or_else(PoisonError::into_inner) = Some(Outage { until: now + OPEN_TIME, reason });
    }

    /// The CRM has answered.
    pub(crate) fn close(&self) {
        *self.outage.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_the_breaker_is_open_one_caller_may_try_after_each_pause() {
        let breaker = CircuitBreaker::new();
        let start = Instant::now();
        assert_eq!(breaker.check(start), Ok(()));
        breaker.open(start, "closed port".to_owned());
        assert_eq!(breaker.check(start), Err("closed port".to_owned()));
        assert!(breaker.check(start + OPEN_TIME - Duration::from_millis(1)).is_err());
        let later = start + OPEN_TIME;
        assert_eq!(breaker.check(later), Ok(()));
        assert!(breaker.check(later).is_err());
        breaker.close();
        assert_eq!(breaker.check(later), Ok(()));
    }
}

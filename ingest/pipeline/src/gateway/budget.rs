//! Admission control: bounds the bytes and events of all requests. A request beyond the budget is rejected, never
//! queued.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::metrics::gauge::Gauge;

/// Which quota is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exhausted {
    Bytes,
    Events,
}

impl Exhausted {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Bytes => "in_flight_bytes",
            Self::Events => "in_flight_events",
        }
    }
}

/// A bounded number of bytes or events.
pub(super) struct Quota {
    used: AtomicUsize,
    limit: usize,
    gauge: Gauge,
}

impl Quota {
    pub(super) fn new(limit: usize, gauge: Gauge) -> Self {
        Self { used: AtomicUsize::new(0), limit, gauge }
    }

    fn acquire(&self, count: usize) -> bool {
        let acquired = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            used.checked_add(count).filter(|used| *used <= self.limit)
        });
        if acquired.is_ok() {
            self.gauge.inc_by(count as i64);
        }
        acquired.is_ok()
    }

    fn release(&self, count: usize) {
        self.used.fetch_sub(count, Ordering::AcqRel);
        self.gauge.dec_by(count as i64);
    }
}

/// The budget of all requests.
pub(super) struct Budget {
    pub(super) bytes: Quota,
    pub(super) events: Quota,
}

/// What one request has reserved. Released when dropped.
pub(super) struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
    events: usize,
}

impl Budget {
    /// Admits a request. It reserves one event until its events are counted, which bounds the number of requests too.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Reservation, Exhausted> {
        if !self.events.acquire(1) {
            return Err(Exhausted::Events);
        }
        Ok(Reservation { budget: Arc::clone(self), bytes: 0, events: 1 })
    }
}

impl Reservation {
    /// Reserves `count` more bytes.
    pub(super) fn add_bytes(&mut self, count: usize) -> Result<(), Exhausted> {
        if !self.budget.bytes.acquire(count) {
            return Err(Exhausted::Bytes);
        }
        self.bytes += count;
        Ok(())
    }

    /// Releases `count` bytes.
    pub(super) fn release_bytes(&mut self, count: usize) {
        let count = count.min(self.bytes);
        self.bytes -= count;
        self.budget.bytes.release(count);
    }

    /// Raises the reservation to `count` events.
    pub(super) fn set_events(&mut self, count: usize) -> Result<(), Exhausted> {
        let more = count.saturating_sub(self.events);
        if !self.budget.events.acquire(more) {
            return Err(Exhausted::Events);
        }
        self.events += more;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.bytes.release(self.bytes);
        self.budget.events.release(self.events);
    }
}

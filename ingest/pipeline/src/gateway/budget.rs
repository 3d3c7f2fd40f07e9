//! What the gateway may hold at once, in bytes and in events. What does not fit is refused, never queued.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::metrics::gauge::Gauge;

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Bytes,
    Events,
}

impl Full {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Bytes => "in_flight_bytes",
            Self::Events => "in_flight_events",
        }
    }
}

/// One of the two amounts.
pub(super) struct Amount {
    used: AtomicUsize,
    limit: usize,
    gauge: Gauge,
}

impl Amount {
    pub(super) fn new(limit: usize, gauge: Gauge) -> Self {
        Self { used: AtomicUsize::new(0), limit, gauge }
    }

    fn take(&self, count: usize) -> bool {
        let taken = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            used.checked_add(count).filter(|used| *used <= self.limit)
        });
        if taken.is_ok() {
            self.gauge.inc_by(count as i64);
        }
        taken.is_ok()
    }

    fn give_back(&self, count: usize) {
        self.used.fetch_sub(count, Ordering::AcqRel);
        self.gauge.dec_by(count as i64);
    }
}

/// Shared by all requests.
pub(super) struct Budget {
    pub(super) bytes: Amount,
    pub(super) events: Amount,
}

/// What one request holds; given back when it is dropped.
pub(super) struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
    events: usize,
}

impl Budget {
    /// Lets a request in. Until its events are counted it holds one, so requests are bounded too.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Reservation, Full> {
        if !self.events.take(1) {
            return Err(Full::Events);
        }
        Ok(Reservation { budget: Arc::clone(self), bytes: 0, events: 1 })
    }
}

impl Reservation {
    /// Holds so many bytes more.
    pub(super) fn add_bytes(&mut self, count: usize) -> Result<(), Full> {
        if !self.budget.bytes.take(count) {
            return Err(Full::Bytes);
        }
        self.bytes += count;
        Ok(())
    }

    /// Gives some of the bytes back.
    pub(super) fn release_bytes(&mut self, count: usize) {
        let count = count.min(self.bytes);
        self.bytes -= count;
        self.budget.bytes.give_back(count);
    }

    /// Holds so many events altogether.
    pub(super) fn hold_events(&mut self, count: usize) -> Result<(), Full> {
        let more = count.saturating_sub(self.events);
        if !self.budget.events.take(more) {
            return Err(Full::Events);
        }
        self.events += more;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.bytes.give_back(self.bytes);
        self.budget.events.give_back(self.events);
    }
}

//! A memory pool that shares memory between consumers that can spill and consumers that cannot.
//!
//! ```text
//! 0 ──────────── half ──────────────────── 7/8 ────────────── all
//! │ every consumer │ spillable: a share each │ unspillable only
//! ```
//!
//! Sorts and groups can spill, and do so when the pool refuses a request. But each must be able to hold a batch of
//! rows, or it fails. A merge of their output, and the smaller side of a join, cannot spill: they fail when no memory
//! is left. So once half is taken, a spillable consumer gets a share at most, and the last eighth is reserved for
//! unspillable ones.

use datafusion::common::{Result, resources_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A pool of `size` bytes.
#[derive(Debug)]
pub(super) struct Memory {
    size: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Registered consumers that can spill, whether or not they hold memory.
    spillers: usize,
    bytes: usize,
}

impl Memory {
    pub(super) fn new(size: usize) -> Self {
        Self { size, taken: Mutex::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Each of the two numbers changes in one step, so a panic cannot leave them inconsistent.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a consumer that holds `held` bytes is granted `additional` bytes.
    fn allows(&self, taken: &Taken, can_spill: bool, held: usize, additional: usize) -> bool {
        let after = taken.bytes.saturating_add(additional);
        if !can_spill || after <= self.size / 2 {
            return after <= self.size;
        }
        let share = (self.size / taken.spillers.max(1)).max(self.size / 16);
        after <= self.size / 8 * 7 && held.saturating_add(additional) <= share
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} MiB)", self.name(), self.size >> 20)
    }
}

impl MemoryPool for Memory {
    fn name(&self) -> &'static str {
        "shares"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.taken().spillers += usize::from(consumer.can_spill());
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut taken = self.taken();
        taken.spillers = taken.spillers.saturating_sub(usize::from(consumer.can_spill()));
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        let mut taken = self.taken();
        taken.bytes = taken.bytes.saturating_add(additional);
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        let mut taken = self.taken();
        taken.bytes = taken.bytes.saturating_sub(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut taken = self.taken();
        let consumer = reservation.consumer();
        if !self.allows(&taken, consumer.can_spill(), reservation.size(), additional) {
            return resources_err!(
                "{} requested {additional} bytes beside {}, and {} of {} are taken",
                consumer.name(),
                reservation.size(),
                taken.bytes,
                self.size
            );
        }
        taken.bytes += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.taken().bytes
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn consumer(pool: &Arc<dyn MemoryPool>, can_spill: bool) -> MemoryReservation {
        MemoryConsumer::new("some").with_can_spill(can_spill).register(pool)
    }

    #[test]
    fn one_consumer_gets_half_others_a_share_and_unspillable_ones_the_last_eighth() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Memory::new(1600));
        let (hog, other, third) = (consumer(&pool, true), consumer(&pool, true), consumer(&pool, true));
        hog.try_grow(800).unwrap();
        hog.try_grow(1).unwrap_err();
        other.try_grow(533).unwrap();
        other.try_grow(1).unwrap_err();
        third.try_grow(67).unwrap();
        third.try_grow(1).unwrap_err();
        let merge = consumer(&pool, false);
        merge.try_grow(200).unwrap();
        merge.try_grow(1).unwrap_err();
        assert_eq!(pool.reserved(), 1600);
        drop((hog, other, third, merge));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn a_share_is_never_less_than_a_sixteenth() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Memory::new(1600));
        let many: Vec<_> = (0..100).map(|_| consumer(&pool, true)).collect();
        many[0].try_grow(800).unwrap();
        many[1].try_grow(100).unwrap();
        many[1].try_grow(1).unwrap_err();
    }
}

//! The memory that each running statement holds, so that the largest can be cancelled when the process runs out of it.
//!
//! ```text
//! statement ─▶ Running ─▶ StatementPool: counts, and asks the pool of all statements
//!                 ▲ cancelled ◀── Statements::cancel_largest ◀── who watches the memory of the process
//! ```
//!
//! What the statements of one user hold together is at most three quarters of all memory: who asks for much, or keeps
//! cursors open, leaves the rest to others. Statements without a user may hold all of it.
//!
//! A statement is known until the last of its memory is returned, which may be some time after it was cancelled.
//!
//! Counted is what operators reserve, and what functions make. The process holds more than that, but what it holds beside
//! mostly follows it. If no statement holds much, the one that has executed the longest has to end.

use super::given_up::GivenUp;
use crate::error::QueryError;
use datafusion::common::{Result, resources_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Bytes that a statement holds, at least, so that the largest is cancelled and not the oldest.
const MIN_BYTES: usize = 1 << 20;

/// The statements that execute, or still hold memory, of all sessions of an engine.
#[derive(Debug, Default)]
pub(super) struct Statements(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// The number of the next statement.
    next: u64,
    /// By number, so the one that started last is last.
    running: BTreeMap<u64, Entry>,
    /// The users of these.
    users: HashMap<Arc<str>, OfUser>,
}

/// The statements of one user.
#[derive(Debug, Default)]
struct OfUser {
    /// How many there are.
    statements: usize,
    held: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Entry {
    held: Arc<AtomicUsize>,
    /// Takes the bytes that it held. `None` if it was cancelled.
    cancel: Option<oneshot::Sender<usize>>,
    given_up: GivenUp,
}

impl Entry {
    /// Whether it can be cancelled.
    fn executes(&self) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| !cancel.is_closed())
    }
}

/// Keeps a statement among those that hold memory, until this is dropped.
#[derive(Debug)]
struct Registered {
    statements: Arc<Statements>,
    number: u64,
    held: Arc<AtomicUsize>,
    user: Arc<str>,
    held_by_user: Arc<AtomicUsize>,
}

/// A statement that executes, until this is dropped.
pub(super) struct Running {
    registered: Arc<Registered>,
    cancelled: oneshot::Receiver<usize>,
}

impl Statements {
    /// Registers a statement of `user` that executes from now on, and is given up when it is cancelled.
    pub(super) fn start(self: &Arc<Self>, user: &Arc<str>, given_up: GivenUp) -> Running {
        let (cancel, cancelled) = oneshot::channel();
        let held = Arc::new(AtomicUsize::new(0));
        let mut entries = self.lock();
        let number = entries.next;
        entries.next += 1;
        entries.running.insert(number, Entry { held: Arc::clone(&held), cancel: Some(cancel), given_up });
        let of_user = entries.users.entry(Arc::clone(user)).or_default();
        of_user.statements += 1;
        let (user, held_by_user) = (Arc::clone(user), Arc::clone(&of_user.held));
        let registered = Registered { statements: Arc::clone(self), number, held, user, held_by_user };
        Running { registered: Arc::new(registered), cancelled }
    }

    /// Cancels the statement that holds the most, among equals the one that started last. If none holds as much as
    /// [`MIN_BYTES`], cancels the one that started first: what it holds uncounted has had the most time to grow. Returns
    /// the bytes that were counted for it. `None` if none executes: a statement that has ended, and whose memory its
    /// reader still holds, cannot be cancelled again.
    pub(super) fn cancel_largest(&self) -> Option<usize> {
        let mut entries = self.lock();
        let executing = entries.running.iter().filter(|(_, entry)| entry.executes());
        let mut executing = executing.map(|(number, entry)| (*number, entry.held.load(Ordering::Relaxed))).peekable();
        let oldest = *executing.peek()?;
        // Of equal ones the last is taken.
        let largest = executing.max_by_key(|(_, held)| *held)?;
        let (number, held) = if largest.1 >= MIN_BYTES { largest } else { oldest };
        let entry = entries.running.get_mut(&number)?;
        let cancelled = entry.cancel.take()?.send(held).ok().map(|()| held);
        entry.given_up.set();
        cancelled
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// `all`, with the statement's reservations counted.
    pub(super) fn environment(&self, all: &RuntimeEnv) -> Arc<RuntimeEnv> {
        let of_user = match all.memory_pool.memory_limit() {
            MemoryLimit::Finite(bytes) if !self.registered.user.is_empty() => bytes / 4 * 3,
            _ => usize::MAX,
        };
        let pool =
            StatementPool { statement: Arc::clone(&self.registered), of_user, all: Arc::clone(&all.memory_pool) };
        Arc::new(RuntimeEnv { memory_pool: Arc::new(pool), ..all.clone() })
    }

    /// Waits until the statement is cancelled. Returns the error that it ends with.
    pub(super) async fn cancelled(&mut self) -> QueryError {
        match (&mut self.cancelled).await {
            Ok(held) => QueryError::OutOfMemory { held_mib: held >> 20 },
            // The sender lives as long as the entry, and that at least as long as this, unless it is used.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut entries = self.statements.lock();
        entries.running.remove(&self.number);
        if let Some(of_user) = entries.users.get_mut(&self.user) {
            of_user.statements -= 1;
            if of_user.statements == 0 {
                entries.users.remove(&self.user);
            }
        }
    }
}

/// The pool of all statements, with a count of what one of them holds. Its reservations keep it.
#[derive(Debug)]
struct StatementPool {
    statement: Arc<Registered>,
    /// What the statements of its user may hold together.
    of_user: usize,
    all: Arc<dyn MemoryPool>,
}

impl fmt::Display for StatementPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.all, f)
    }
}

impl MemoryPool for StatementPool {
    fn name(&self) -> &str {
        self.all.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.all.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.all.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.all.grow(reservation, additional);
        self.statement.held.fetch_add(additional, Ordering::Relaxed);
        self.statement.held_by_user.fetch_add(additional, Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.all.shrink(reservation, shrink);
        self.statement.held.fetch_sub(shrink, Ordering::Relaxed);
        self.statement.held_by_user.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let by_user = &self.statement.held_by_user;
        let within = |held: usize| held.checked_add(additional).filter(|held| *held <= self.of_user);
        if let Err(held) = by_user.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within) {
            let name = reservation.consumer().name();
            return resources_err!(
                "{name} requested {additional} bytes, and the statements of the user hold {held} of {}",
                self.of_user
            );
        }
        if let Err(refused) = self.all.try_grow(reservation, additional) {
            by_user.fetch_sub(additional, Ordering::Relaxed);
            return Err(refused);
        }
        self.statement.held.fetch_add(additional, Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.all.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.all.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use futures::FutureExt;

    fn environment() -> RuntimeEnv {
        RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(10 << 20))).build().unwrap()
    }

    fn start(statements: &Arc<Statements>) -> Running {
        statements.start(&Arc::from(""), GivenUp::default())
    }

    fn reservation(environment: &RuntimeEnv) -> MemoryReservation {
        MemoryConsumer::new("some").register(&environment.memory_pool)
    }

    #[test]
    fn a_statement_counts_its_own_reservations_and_all_share_one_pool() {
        let (statements, all) = (Arc::new(Statements::default()), environment());
        let (one, other) = (start(&statements), start(&statements));
        let (of_one, of_other) = (one.environment(&all), other.environment(&all));
        let held = || [&one, &other].map(|running| running.registered.held.load(Ordering::Relaxed));
        let (first, second) = (reservation(&of_one), reservation(&of_one));
        let third = reservation(&of_other);
        first.try_grow(3 << 20).unwrap();
        second.grow(1 << 20);
        third.try_grow(5 << 20).unwrap();
        assert_eq!(held(), [4 << 20, 5 << 20]);
        assert_eq!((all.memory_pool.reserved(), of_one.memory_pool.reserved()), (9 << 20, 9 << 20));
        third.try_grow(2 << 20).unwrap_err();
        first.shrink(1 << 20);
        drop(second);
        assert_eq!(held(), [2 << 20, 5 << 20], "what was refused is not counted");
        drop((first, third));
        assert_eq!((held(), all.memory_pool.reserved()), ([0, 0], 0));
    }

    /// What a statement reserves. Its last reservation keeps it among those that hold memory.
    fn holding(running: &Running, all: &RuntimeEnv, bytes: usize) -> MemoryReservation {
        let reservation = reservation(&running.environment(all));
        reservation.try_grow(bytes).unwrap();
        reservation
    }

    #[test]
    fn the_largest_is_cancelled_and_then_the_next() {
        let (statements, all) = (Arc::new(Statements::default()), environment());
        assert_eq!(statements.cancel_largest(), None);
        let (mut small, mut large, mut none) = (start(&statements), start(&statements), start(&statements));
        let of_small = holding(&small, &all, 1 << 20);
        let of_large = holding(&large, &all, 3 << 20);
        assert_eq!(statements.cancel_largest(), Some(3 << 20));
        let told = large.cancelled().now_or_never();
        assert!(matches!(told, Some(QueryError::OutOfMemory { held_mib: 3 })), "{told:?}");
        assert!(small.cancelled().now_or_never().is_none());
        // Its reader may hold its memory as long as it likes.
        drop(large);
        assert_eq!(statements.cancel_largest(), Some(1 << 20));
        assert!(small.cancelled().now_or_never().is_some());
        // What it holds is not counted.
        assert!(none.cancelled().now_or_never().is_none());
        assert_eq!(statements.cancel_largest(), Some(0));
        assert!(none.cancelled().now_or_never().is_some());
        assert_eq!(statements.cancel_largest(), None);
        drop((small, none));
        assert_eq!(statements.lock().running.len(), 2);
        drop((of_small, of_large));
        assert_eq!(statements.lock().running.len(), 0);
    }

    #[test]
    fn one_that_ended_by_itself_is_not_waited_for() {
        let (statements, all) = (Arc::new(Statements::default()), environment());
        let (ended, other) = (start(&statements), start(&statements));
        let (of_ended, of_other) = (holding(&ended, &all, 3 << 20), holding(&other, &all, 2 << 20));
        drop(ended);
        assert_eq!(statements.cancel_largest(), Some(2 << 20));
        drop((of_ended, other, of_other));
        assert_eq!(statements.lock().running.len(), 0);
    }

    #[test]
    fn of_equal_ones_the_newest_is_cancelled_and_of_small_ones_the_oldest() {
        let all = environment();
        for (bytes, oldest_ends) in [(MIN_BYTES, false), (MIN_BYTES - 1, true)] {
            let statements = Arc::new(Statements::default());
            let (mut old, mut new) = (start(&statements), start(&statements));
            let _held = [&old, &new].map(|running| holding(running, &all, bytes));
            assert_eq!(statements.cancel_largest(), Some(bytes));
            assert_eq!(old.cancelled().now_or_never().is_some(), oldest_ends);
            assert_eq!(new.cancelled().now_or_never().is_some(), !oldest_ends);
        }
    }

    #[test]
    fn one_user_leaves_memory_to_others() {
        let (statements, all) = (Arc::new(Statements::default()), environment());
        let of = |user: &str| statements.start(&Arc::from(user), GivenUp::default());
        let [first, second, other, nameless] = ["ann", "ann", "bob", ""].map(of);
        let held = [holding(&first, &all, 4 << 20), holding(&second, &all, 3 << 20)];
        let third = reservation(&second.environment(&all));
        let refused = third.try_grow(1 << 20).unwrap_err().to_string();
        assert!(refused.contains("the statements of the user hold 7340032 of 7864320"), "{refused}");
        let of_others = [holding(&other, &all, 2 << 20), holding(&nameless, &all, 1 << 20)];
        drop((held, of_others));
        third.try_grow(7 << 20).unwrap();
        drop((first, second, other, nameless, third));
        assert!(statements.lock().users.is_empty());
        holding(&of(""), &all, 10 << 20);
    }
}

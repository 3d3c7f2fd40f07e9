//! Which call meets which fault: the rules, and the record of the injected faults.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use object_store::path::Path;
use tokio::sync::watch;

/// An operation of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// One object in one request, conditional or not.
    Put,
    /// The start of an upload in parts.
    MultipartStart,
    /// One part.
    MultipartPart,
    /// The end of an upload in parts, which creates the object.
    MultipartComplete,
    /// Reading an object, ranges of it or its metadata.
    Get,
    /// Listing; the path is the prefix.
    List,
    /// Removing an object.
    Delete,
    /// Copying; the path is the source.
    Copy,
    /// Renaming; the path is the source.
    Rename,
}

impl Operation {
    /// The operations that need space on the disk.
    pub const WRITES: &'static [Self] =
        &[Self::Put, Self::MultipartStart, Self::MultipartPart, Self::MultipartComplete, Self::Copy, Self::Rename];
    /// The operations that create or remove an object: the places where a crash makes a difference.
    pub const EFFECTS: &'static [Self] = &[Self::Put, Self::MultipartComplete, Self::Delete, Self::Copy, Self::Rename];
}

/// The error of a failing call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// An overloaded server or a broken connection: a retry may succeed.
    Transient,
    /// A full disk: an [`std::io::Error`] of kind `StorageFull` is in the chain of sources.
    NoSpace,
    /// The server refuses an authenticated caller.
    PermissionDenied,
    /// The error of every call after a crash.
    Crashed,
}

impl Failure {
    pub(super) fn error(self, operation: Operation, path: &Path) -> object_store::Error {
        let message = format!("injected: {self:?} at {operation:?} of {path}");
        let source: Box<dyn std::error::Error + Send + Sync> = match self {
            Self::NoSpace => Box::new(std::io::Error::from(std::io::ErrorKind::StorageFull)),
            Self::Transient | Self::PermissionDenied | Self::Crashed => message.into(),
        };
        match self {
            Self::PermissionDenied => object_store::Error::PermissionDenied { path: path.to_string(), source },
            Self::Transient | Self::NoSpace | Self::Crashed => {
                object_store::Error::Generic { store: "FaultyStore", source }
            }
        }
    }
}

/// What happens to a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call is not executed and returns an error.
    FailBefore(Failure),
    /// The call is executed and returns an error: its response was lost. A read or a listing breaks off half-way.
    FailAfter(Failure),
    /// The call is executed after a delay.
    Delay(Duration),
    /// The call is executed when the test opens the gate.
    Hold(Gate),
    /// The call is not executed, and the thread that makes it panics.
    Panic,
    /// The call is not executed, nor is any later one, as if the process had crashed just before. See [`Faults::revive`].
    CrashBefore,
    /// The call is executed but returns an error, and no later call is executed, as if the process had crashed just after.
    CrashAfter,
}

/// A gate at which calls wait until the test opens it: a slow call without a clock.
#[derive(Clone)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
    waiting: Arc<watch::Sender<usize>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: Arc::new(watch::Sender::new(false)), waiting: Arc::new(watch::Sender::new(0)) }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Gate({})", if *self.open.borrow() { "open" } else { "closed" })
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets all calls through from now on.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until this many calls have arrived at the gate since it was created.
    pub async fn arrived(&self, calls: usize) {
        // `self` owns the sender, so this cannot fail.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting >= calls).await;
    }

    pub(super) async fn pass(&self) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }
}

/// Which of the calls that a rule matches meet its fault; calls are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// All of them.
    Always,
    /// Only this one.
    Nth(u64),
    /// The first ones, this many.
    First(u64),
    /// This one and all after it.
    From(u64),
    /// Every n-th one.
    Every(u64),
    /// A percentage of them, the same ones for the same seed.
    Percent {
        /// From 0 to 100.
        percent: u64,
        /// Any number.
        seed: u64,
    },
}

impl When {
    fn fires(self, call: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Nth(nth) => call == nth,
            Self::First(count) => call <= count,
            Self::From(first) => call >= first,
            Self::Every(step) => step > 0 && call.is_multiple_of(step),
            Self::Percent { percent, seed } => scramble(seed ^ scramble(call)) % 100 < percent,
        }
    }
}

/// The output function of SplitMix64, which distributes small numbers evenly.
fn scramble(number: u64) -> u64 {
    let mut number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

type PathPredicate = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A fault, and the calls that meet it.
#[derive(Clone)]
pub struct Rule {
    fault: Fault,
    operations: Option<Vec<Operation>>,
    path: Option<PathPredicate>,
    when: When,
}

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rule")
            .field("fault", &self.fault)
            .field("operations", &self.operations)
            .field("path", &self.path.as_ref().map(|_| "..."))
            .field("when", &self.when)
            .finish()
    }
}

impl Rule {
    /// A fault for every call. The other methods restrict the calls.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { fault, operations: None, path: None, when: When::Always }
    }

    /// Only these operations.
    #[must_use]
    pub fn on(mut self, operations: &[Operation]) -> Self {
        self.operations = Some(operations.to_vec());
        self
    }

    /// Only paths for which `matches` is true. A path is relative to the root of the wrapped store, without a leading `/`.
    #[must_use]
    pub fn path(mut self, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.path = Some(Arc::new(matches));
        self
    }

    /// Only paths that contain `part`, such as `_delta_log/`.
    #[must_use]
    pub fn path_contains(self, part: impl Into<String>) -> Self {
        let part = part.into();
        self.path(move |path| path.contains(&part))
    }

    /// Only some of the matching calls.
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    fn matches(&self, operation: Operation, path: &Path) -> bool {
        self.operations.as_ref().is_none_or(|operations| operations.contains(&operation))
            && self.path.as_ref().is_none_or(|matches| matches(path.as_ref()))
    }
}

/// Identifies an injected rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u64);

/// A call that reached the decorator, whether it met a fault or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The operation.
    pub operation: Operation,
    /// The object or prefix.
    pub path: String,
}

/// A fault that a call met.
#[derive(Debug, Clone)]
pub struct Injection {
    /// The call.
    pub call: Call,
    /// The fault.
    pub fault: Fault,
    /// The rule that fired; `None` for a full disk and after a crash.
    pub rule: Option<RuleId>,
}

#[derive(Default)]
struct State {
    rules: BTreeMap<RuleId, ActiveRule>,
    next_rule: u64,
    full: bool,
    crashed: bool,
    calls: Vec<Call>,
    injections: Vec<Injection>,
}

struct ActiveRule {
    rule: Rule,
    matched: u64,
    fired: u64,
}

/// The plan of a [`FaultyStore`](super::FaultyStore) and the record of what it did. Clones are handles to the same plan.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        formatter
            .debug_struct("Faults")
            .field("rules", &state.rules.len())
            .field("full", &state.full)
            .field("crashed", &state.crashed)
            .field("injected", &state.injections.len())
            .finish()
    }
}

impl Faults {
    /// Adds a rule. If several fire at one call, the call meets the fault of the oldest one.
    pub fn inject(&self, rule: Rule) -> RuleId {
        let mut state = self.state();
        let id = RuleId(state.next_rule);
        state.next_rule += 1;
        state.rules.insert(id, ActiveRule { rule, matched: 0, fired: 0 });
        id
    }

    /// Removes a rule.
    pub fn remove(&self, id: RuleId) {
        self.state().rules.remove(&id);
    }

    /// Removes all rules, frees the disk and revives the store. The record stays.
    pub fn clear(&self) {
        let mut state = self.state();
        state.rules.clear();
        state.full = false;
        state.crashed = false;
    }

    /// Every write now fails with a full disk, until [`free_disk`](Self::free_disk). Deletes and reads still succeed.
    pub fn fill_disk(&self) {
        self.state().full = true;
    }

    /// There is space again.
    pub fn free_disk(&self) {
        self.state().full = false;
    }

    /// Crashes the store between two calls.
    pub fn crash(&self) {
        self.state().crashed = true;
    }

    /// Whether a crash has happened since the last [`revive`](Self::revive).
    #[must_use]
    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    /// Executes calls again, for the process after the one that crashed.
    pub fn revive(&self) {
        self.state().crashed = false;
    }

    /// How often a rule has fired; 0 for a removed one.
    #[must_use]
    pub fn fired(&self, id: RuleId) -> u64 {
        self.state().rules.get(&id).map_or(0, |active| active.fired)
    }

    /// Every fault that a call met, in order.
    #[must_use]
    pub fn injected(&self) -> Vec<Injection> {
        self.state().injections.clone()
    }

    /// How many calls of an operation met a fault.
    #[must_use]
    pub fn injected_on(&self, operation: Operation) -> usize {
        self.state().injections.iter().filter(|injection| injection.call.operation == operation).count()
    }

    /// Every call, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The number of calls of these operations. A test runs once without faults to count the places where a crash can be
    /// injected, then once for each of them with [`When::Nth`].
    #[must_use]
    pub fn count(&self, operations: &[Operation]) -> u64 {
        self.state().calls.iter().fold(0, |count, call| count + u64::from(operations.contains(&call.operation)))
    }

    /// Clears the record of calls and injections. Rules keep their counts.
    pub fn forget(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.injections.clear();
    }

    /// The fault for this call.
    pub(super) fn decide(&self, operation: Operation, path: &Path) -> Option<Fault> {
        let mut state = self.state();
        let call = Call { operation, path: path.to_string() };
        state.calls.push(call.clone());

        let mut chosen = None;
        if state.crashed {
            chosen = Some((Fault::FailBefore(Failure::Crashed), None));
        } else {
            for (id, active) in &mut state.rules {
                if !active.rule.matches(operation, path) {
                    continue;
                }
                active.matched += 1;
                if chosen.is_none() && active.rule.when.fires(active.matched) {
                    active.fired += 1;
                    chosen = Some((active.rule.fault.clone(), Some(*id)));
                }
            }
            if state.full && Operation::WRITES.contains(&operation) {
                chosen = Some((Fault::FailBefore(Failure::NoSpace), None));
            }
        }
        let (fault, rule) = chosen?;
        // At once, not after the call: concurrent calls must fail too.
        state.crashed |= matches!(fault, Fault::CrashBefore | Fault::CrashAfter);
        state.injections.push(Injection { call, fault: fault.clone(), rule });
        Some(fault)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent even if a test panicked while it held the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Which call meets which fault: plain decisions over a list of rules, and the record of what was decided.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use object_store::path::Path;
use tokio::sync::watch;

/// What is asked of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// One object in one request, conditional or not.
    Put,
    /// The start of an upload in parts.
    MultipartStart,
    /// One part.
    MultipartPart,
    /// The end of an upload in parts, which makes the object appear.
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
    /// Everything that needs room on a disk.
    pub const WRITES: &'static [Self] =
        &[Self::Put, Self::MultipartStart, Self::MultipartPart, Self::MultipartComplete, Self::Copy, Self::Rename];
    /// Everything that makes an object appear or disappear: the places where a crash makes a difference.
    pub const EFFECTS: &'static [Self] = &[Self::Put, Self::MultipartComplete, Self::Delete, Self::Copy, Self::Rename];
}

/// How a failing call answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// As a server that is overloaded or a connection that broke: trying again may help.
    Transient,
    /// As a full disk: an [`std::io::Error`] of kind `StorageFull` is in the chain of sources.
    NoSpace,
    /// As a server that knows the caller and refuses.
    PermissionDenied,
    /// As everything answers after a crash.
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
    /// Nothing is done and an error is answered.
    FailBefore(Failure),
    /// It is done, and an error is answered: the answer was lost. A read or a listing breaks off half-way.
    FailAfter(Failure),
    /// It is done, but later.
    Delay(Duration),
    /// It is done when the test opens the gate.
    Hold(Gate),
    /// It is not done, and nothing is from here on, as if the process had died just before. See [`Faults::revive`].
    CrashBefore,
    /// It is done, but its caller learns nothing of it, and nothing is done from here on: a death just after.
    CrashAfter,
}

/// A gate at which calls wait, closed until it is opened: a slow call without a clock.
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

    /// Lets everybody through, from now on.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until so many calls have come to the gate, counted from its making.
    pub async fn arrived(&self, calls: usize) {
        // The sender lives in self, so that this cannot fail.
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
    /// The first so many.
    First(u64),
    /// This one and all after it.
    From(u64),
    /// Every so many-th.
    Every(u64),
    /// So many of a hundred, the same ones for the same seed.
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

/// SplitMix64's output function: enough to spread small numbers evenly.
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
    /// A fault for every call; what follows narrows it down.
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

    /// Only some of the calls that match otherwise.
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

/// Names a rule that was injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u64);

/// A call that reached the decorator, whether it met a fault or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub operation: Operation,
    /// Of which object or prefix.
    pub path: String,
}

/// A fault that a call met.
#[derive(Debug, Clone)]
pub struct Injection {
    /// The call.
    pub call: Call,
    /// What happened to it.
    pub fault: Fault,
    /// The rule that said so; none for a full disk and after a crash.
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
    /// Adds a rule. Of several that fire at one call, the oldest one's fault is met.
    pub fn inject(&self, rule: Rule) -> RuleId {
        let mut state = self.state();
        let id = RuleId(state.next_rule);
        state.next_rule += 1;
        state.rules.insert(id, ActiveRule { rule, matched: 0, fired: 0 });
        id
    }

    /// Takes a rule away.
    pub fn remove(&self, id: RuleId) {
        self.state().rules.remove(&id);
    }

    /// Takes all rules away, frees the disk and revives the store. The record stays.
    pub fn clear(&self) {
        let mut state = self.state();
        state.rules.clear();
        state.full = false;
        state.crashed = false;
    }

    /// From now on every write fails for want of space, until [`free_disk`](Self::free_disk). Deleting and reading go on.
    pub fn fill_disk(&self) {
        self.state().full = true;
    }

    /// There is space again.
    pub fn free_disk(&self) {
        self.state().full = false;
    }

    /// Ends everything at once, as a crash between two calls.
    pub fn crash(&self) {
        self.state().crashed = true;
    }

    /// Whether a crash has happened since the last [`revive`](Self::revive).
    #[must_use]
    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    /// Lets calls through again, for the process that comes after the one that crashed.
    pub fn revive(&self) {
        self.state().crashed = false;
    }

    /// How often a rule has fired; 0 for one that was taken away.
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

    /// How many calls there were of these operations: run once without faults to learn at how many places a crash can be
    /// injected, then once for each of them with [`When::Nth`].
    #[must_use]
    pub fn count(&self, operations: &[Operation]) -> u64 {
        self.state().calls.iter().fold(0, |count, call| count + u64::from(operations.contains(&call.operation)))
    }

    /// Forgets the calls and injections so far. Rules go on counting.
    pub fn forget(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.injections.clear();
    }

    /// What happens to this call.
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
        // At once, not when the call is done: what runs beside it has died too.
        state.crashed |= matches!(fault, Fault::CrashBefore | Fault::CrashAfter);
        state.injections.push(Injection { call, fault: fault.clone(), rule });
        Some(fault)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock left whole values behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Which connection's statement a cancel request means.
//!
//! A client proves with the secret of its session that it may end the session's statement. The request comes over a
//! connection of its own, which nobody has logged in to, so it is answered with nothing.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

/// The sessions that can be cancelled.
#[derive(Debug, Default)]
pub(crate) struct Cancellations {
    sessions: Mutex<HashMap<i32, Session>>,
}

#[derive(Debug)]
struct Session {
    secret: [u8; 4],
    /// The statement that runs now.
    running: CancellationToken,
}

/// A session's entry; it is taken out when this is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    all: Arc<Cancellations>,
    process: i32,
    secret: i32,
}

impl Cancellations {
    /// Enters a session under a number and a secret of its own.
    pub(crate) fn enter(self: &Arc<Self>) -> Entry {
        let mut sessions = self.lock();
        let secret: i32 = rand::random();
        let process = loop {
            let process = rand::random_range(1..i32::MAX);
            if !sessions.contains_key(&process) {
                break process;
            }
        };
        sessions.insert(process, Session { secret: secret.to_be_bytes(), running: CancellationToken::new() });
        Entry { all: Arc::clone(self), process, secret }
    }

    /// Ends the statement of a session, if the secret is right.
    pub(crate) fn cancel(&self, process: i32, secret: &Bytes) {
        let sessions = self.lock();
        if let Some(session) = sessions.get(&process)
            && bool::from(session.secret.as_slice().ct_eq(secret))
        {
            session.running.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The number of the session.
    pub(crate) fn process(&self) -> i32 {
        self.process
    }

    /// Its secret.
    pub(crate) fn secret(&self) -> i32 {
        self.secret
    }

    /// A statement begins: what cancels it. A request that came for an earlier one does not.
    pub(crate) fn begin(&self) -> CancellationToken {
        let token = CancellationToken::new();
        if let Some(session) = self.all.lock().get_mut(&self.process) {
            session.running = token.clone();
        }
        token
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.all.lock().remove(&self.process);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(number: i32) -> Bytes {
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    #[test]
    fn only_the_secret_cancels_and_only_what_runs() {
        let all = Arc::new(Cancellations::default());
        let (one, other) = (all.enter(), all.enter());
        let (first, others) = (one.begin(), other.begin());
        all.cancel(one.process(), &secret(one.secret().wrapping_add(1)));
        all.cancel(one.process(), &Bytes::new());
        all.cancel(other.process(), &secret(one.secret()));
        assert!(!first.is_cancelled());
        all.cancel(one.process(), &secret(one.secret()));
        assert!(first.is_cancelled() && !others.is_cancelled());
        assert!(!one.begin().is_cancelled());
        drop(one);
        assert_eq!(all.lock().len(), 1);
    }
}

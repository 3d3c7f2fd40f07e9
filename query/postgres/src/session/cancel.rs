//! The cancel keys of sessions (BackendKeyData), and cancel requests.
//!
//! The secret of a session authorizes a client to cancel the session's statement. The request arrives on a connection of its
//! own that is not authenticated, so it gets no response.

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

/// The cancel keys of all sessions.
#[derive(Debug, Default)]
pub(crate) struct CancelKeys {
    keys: Mutex<HashMap<i32, Target>>,
}

#[derive(Debug)]
struct Target {
    secret: [u8; 4],
    /// Cancels the running statement.
    running: CancellationToken,
}

/// The cancel key of one session. Dropping it removes the key.
#[derive(Debug)]
pub(crate) struct CancelKey {
    all: Arc<CancelKeys>,
    process: i32,
    secret: i32,
}

impl CancelKeys {
    /// Registers a new key with an unused process id and a random secret.
    pub(crate) fn register(self: &Arc<Self>) -> CancelKey {
        let mut keys = self.lock();
        let secret: i32 = rand::random();
        let process = loop {
            let process = rand::random_range(1..i32::MAX);
            if !keys.contains_key(&process) {
                break process;
            }
        };
        keys.insert(process, Target { secret: secret.to_be_bytes(), running: CancellationToken::new() });
        CancelKey { all: Arc::clone(self), process, secret }
    }

    /// Cancels the statement of a session if the secret is right.
    pub(crate) fn cancel(&self, process: i32, secret: &Bytes) {
        let keys = self.lock();
        if let Some(target) = keys.get(&process)
            && bool::from(target.secret.as_slice().ct_eq(secret))
        {
            target.running.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Target>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CancelKey {
    /// The process id of the session.
    pub(crate) fn process(&self) -> i32 {
        self.process
    }

    /// The secret of the session.
    pub(crate) fn secret(&self) -> i32 {
        self.secret
    }

    /// The token that cancels the statement that begins now. A request for an earlier statement does not cancel it.
    pub(crate) fn begin_statement(&self) -> CancellationToken {
        let token = CancellationToken::new();
        if let Some(target) = self.all.lock().get_mut(&self.process) {
            target.running = token.clone();
        }
        token
    }
}

impl Drop for CancelKey {
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
    fn only_the_right_secret_cancels_and_only_the_running_statement() {
        let all = Arc::new(CancelKeys::default());
        let (one, other) = (all.register(), all.register());
        let (first, others) = (one.begin_statement(), other.begin_statement());
        all.cancel(one.process(), &secret(one.secret().wrapping_add(1)));
        all.cancel(one.process(), &Bytes::new());
        all.cancel(other.process(), &secret(one.secret()));
        assert!(!first.is_cancelled());
        all.cancel(one.process(), &secret(one.secret()));
        assert!(first.is_cancelled() && !others.is_cancelled());
        assert!(!one.begin_statement().is_cancelled());
        drop(one);
        assert_eq!(all.lock().len(), 1);
    }
}

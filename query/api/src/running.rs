//! The registry of running statements: limited per user and in total. Users list and cancel their own statements.
//!
//! Users are known by name: no user of the OpenID provider has the name of a local one.
//!
//! Invariants:
//! - The registry contains a statement exactly as long as its [`Registration`] lives.
//! - A watched statement is cancelled within half a second after the account of its user changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_query::Reader;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

/// The characters of a statement that the list shows.
const MAX_SHOWN_CHARACTERS: usize = 1_000;

/// How often a running statement asks whether the account of its user changed.
const ACCOUNT_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The limit that a statement would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitReached {
    /// The limit of the user's statements.
    User,
    /// The limit of all statements.
    Total,
}

/// All running statements.
pub(crate) struct Registry {
    statements: Mutex<BTreeMap<Uuid, Statement>>,
    per_user: usize,
    total: usize,
}

struct Statement {
    user: String,
    text: String,
    started: Instant,
    cancelled: CancellationToken,
}

/// A running statement, as the list shows it.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct RunningStatement {
    /// The id for `DELETE /v1/statements/{id}`.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) id: Uuid,
    /// The statement, or its first 1,000 characters.
    pub(crate) statement: String,
    /// The seconds since it started.
    pub(crate) seconds: f64,
}

/// The caller's running statements, as they are sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunningStatements {
    /// The oldest first.
    pub(crate) statements: Vec<RunningStatement>,
}

/// The registration of one statement. Dropping it removes the statement.
pub(crate) struct Registration {
    registry: Arc<Registry>,
    id: Uuid,
    cancelled: CancellationToken,
    /// Cancelled when the registration is dropped.
    ended: CancellationToken,
}

impl Registry {
    /// An empty registry with these limits.
    pub(crate) fn new(per_user: usize, total: usize) -> Self {
        Self { statements: Mutex::default(), per_user, total }
    }

    /// Registers a statement of `user`.
    pub(crate) fn register(self: &Arc<Self>, user: &str, text: &str) -> Result<Registration, LimitReached> {
        let mut statements = self.lock();
        if statements.values().filter(|statement| statement.user == user).count() >= self.per_user {
            return Err(LimitReached::User);
        }
        if statements.len() >= self.total {
            return Err(LimitReached::Total);
        }
        let (id, cancelled) = (Uuid::now_v7(), CancellationToken::new());
        let text = text.chars().take(MAX_SHOWN_CHARACTERS).collect();
        let statement =
            Statement { user: user.to_owned(), text, started: Instant::now(), cancelled: cancelled.clone() };
        statements.insert(id, statement);
        Ok(Registration { registry: Arc::clone(self), id, cancelled, ended: CancellationToken::new() })
    }

    /// The statements of `user`, the oldest first.
    pub(crate) fn of(&self, user: &str) -> Vec<RunningStatement> {
        let statements = self.lock();
        let own = statements.iter().filter(|(_, statement)| statement.user == user);
        own.map(|(id, statement)| RunningStatement {
            id: *id,
            statement: statement.text.clone(),
            seconds: statement.started.elapsed().as_secs_f64(),
        })
        .collect()
    }

    /// Cancels a statement of `user`. `false` if the user has no statement with this id.
    pub(crate) fn cancel(&self, user: &str, id: Uuid) -> bool {
        match self.lock().get(&id) {
            Some(statement) if statement.user == user => {
                statement.cancelled.cancel();
                true
            }
            _ => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Cancels the statement when the account of its user is not as it was when the user was authenticated, and records
    /// that.
    pub(crate) fn watch_account(&self, reader: Reader) {
        let (cancelled, ended) = (self.cancelled.clone(), self.ended.clone());
        tokio::spawn(async move {
            let changed = loop {
                if let Err(changed) = reader.check_account() {
                    break changed;
                }
                tokio::select! {
                    biased;
                    () = ended.cancelled() => return,
                    () = tokio::time::sleep(ACCOUNT_CHECK_INTERVAL) => {}
                }
            };
            cancelled.cancel();
            if let Err(error) = reader.denied(&changed.reason).await {
                tracing::warn!("a refusal was not recorded: {error}");
            }
        });
    }

    /// Waits until the statement is cancelled.
    pub(crate) async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.ended.cancel();
        self.registry.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn statements_are_limited_per_user_and_in_total() {
        let registry = Arc::new(Registry::new(2, 3));
        let first = registry.register("ann", "SELECT 1").unwrap();
        let second = registry.register("ann", "SELECT 2").unwrap();
        assert_eq!(registry.register("ann", "SELECT 3").err(), Some(LimitReached::User));
        let third = registry.register("bob", "SELECT 4").unwrap();
        assert_eq!(registry.register("eve", "SELECT 5").err(), Some(LimitReached::Total));
        drop(third);
        drop(first);
        assert_eq!(registry.of("ann").len(), 1);
        assert_eq!(registry.of("ann")[0].id, second.id());
        assert!(registry.register("eve", "SELECT 6").is_ok());
    }

    #[tokio::test]
    async fn a_user_can_list_and_cancel_only_their_own_statements() {
        let registry = Arc::new(Registry::new(1, 10));
        let registration = registry.register("ann", &"x".repeat(5_000)).unwrap();
        assert!(registry.of("bob").is_empty());
        assert!(!registry.cancel("bob", registration.id()));
        assert!(!registry.cancel("ann", Uuid::nil()));
        assert_eq!(registry.of("ann")[0].statement.len(), MAX_SHOWN_CHARACTERS);
        assert!(registry.cancel("ann", registration.id()));
        registration.cancelled().await;
    }
}

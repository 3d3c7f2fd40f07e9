//! The statements that run now: bounded for each user and altogether, listed and cancelled by who sent them.
//!
//! Invariant: a statement stands in the list exactly as long as its [`Entry`] lives.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

/// Characters of a statement that the list shows.
const SHOWN: usize = 1_000;

/// Why no more statements are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    User,
    All,
}

/// All statements that run.
pub(crate) struct Running {
    statements: Mutex<BTreeMap<Uuid, Statement>>,
    per_user: usize,
    all: usize,
}

struct Statement {
    user: String,
    text: String,
    begun: Instant,
    cancelled: CancellationToken,
}

/// One that runs, as its sender sees it.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct RunningStatement {
    /// What `DELETE /v1/statements/{id}` takes.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) id: Uuid,
    /// The statement, or its first 1,000 characters.
    pub(crate) statement: String,
    /// How long it has been running.
    pub(crate) seconds: f64,
}

/// The place of one statement, until it is dropped.
pub(crate) struct Entry {
    running: Arc<Running>,
    id: Uuid,
    cancelled: CancellationToken,
}

impl Running {
    /// Nothing runs, and so many may.
    pub(crate) fn new(per_user: usize, all: usize) -> Self {
        Self { statements: Mutex::default(), per_user, all }
    }

    /// Lets a statement of `user` run.
    pub(crate) fn enter(self: &Arc<Self>, user: &str, text: &str) -> Result<Entry, Full> {
        let mut statements = self.lock();
        if statements.values().filter(|statement| statement.user == user).count() >= self.per_user {
            return Err(Full::User);
        }
        if statements.len() >= self.all {
            return Err(Full::All);
        }
        let (id, cancelled) = (Uuid::now_v7(), CancellationToken::new());
        let text = text.chars().take(SHOWN).collect();
        let statement = Statement { user: user.to_owned(), text, begun: Instant::now(), cancelled: cancelled.clone() };
        statements.insert(id, statement);
        Ok(Entry { running: Arc::clone(self), id, cancelled })
    }

    /// Those of `user`, the oldest first.
    pub(crate) fn of(&self, user: &str) -> Vec<RunningStatement> {
        let statements = self.lock();
        let own = statements.iter().filter(|(_, statement)| statement.user == user);
        own.map(|(id, statement)| RunningStatement {
            id: *id,
            statement: statement.text.clone(),
            seconds: statement.begun.elapsed().as_secs_f64(),
        })
        .collect()
    }

    /// Cancels a statement of `user`. `false` when there is none of this name.
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

impl Entry {
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Waits until somebody cancels it.
    pub(crate) async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_bounded_and_given_back() {
        let running = Arc::new(Running::new(2, 3));
        let first = running.enter("ann", "SELECT 1").unwrap();
        let second = running.enter("ann", "SELECT 2").unwrap();
        assert_eq!(running.enter("ann", "SELECT 3").err(), Some(Full::User));
        let third = running.enter("bob", "SELECT 4").unwrap();
        assert_eq!(running.enter("eve", "SELECT 5").err(), Some(Full::All));
        drop(third);
        drop(first);
        assert_eq!(running.of("ann").len(), 1);
        assert_eq!(running.of("ann")[0].id, second.id());
        assert!(running.enter("eve", "SELECT 6").is_ok());
    }

    #[tokio::test]
    async fn only_who_sent_it_can_see_and_cancel_it() {
        let running = Arc::new(Running::new(1, 10));
        let entry = running.enter("ann", &"x".repeat(5_000)).unwrap();
        assert!(running.of("bob").is_empty());
        assert!(!running.cancel("bob", entry.id()));
        assert!(!running.cancel("ann", Uuid::nil()));
        assert_eq!(running.of("ann")[0].statement.len(), SHOWN);
        assert!(running.cancel("ann", entry.id()));
        entry.cancelled().await;
    }
}

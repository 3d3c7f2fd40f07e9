//! The permits for statements in a CRM, of which one user holds at most half: who keeps many statements open leaves some to
//! others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The user whose statement is executed.
#[derive(Debug)]
pub(crate) struct StatementUser(pub(crate) String);

/// The permits, and those of them that each user may hold.
///
/// The semaphores are never closed, so acquiring a permit never fails.
#[derive(Debug)]
pub(crate) struct Permits {
    all: Arc<Semaphore>,
    per_user: usize,
    users: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// The permit of one statement. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Permit {
    _of_all: Option<OwnedSemaphorePermit>,
    _of_user: Option<OwnedSemaphorePermit>,
}

impl Permits {
    pub(crate) fn new(permits: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(permits)), per_user: permits.div_ceil(2), users: Mutex::default() }
    }

    /// Waits for a permit. What is not done for a user waits for those of all only.
    pub(crate) async fn acquire(&self, user: Option<&StatementUser>) -> Permit {
        let of_user = match user.filter(|user| !user.0.is_empty()) {
            Some(user) => self.of_user(&user.0).acquire_owned().await.ok(),
            None => None,
        };
        Permit { _of_all: Arc::clone(&self.all).acquire_owned().await.ok(), _of_user: of_user }
    }

    fn of_user(&self, user: &str) -> Arc<Semaphore> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = users.get(user).and_then(Weak::upgrade) {
            return own;
        }
        // Whose semaphore is gone holds no permit, and waits for none.
        users.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(self.per_user));
        users.insert(user.to_owned(), Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn one_user_leaves_half_of_the_permits_to_others() {
        let permits = Permits::new(3);
        let try_acquire = |user: &str| permits.acquire(Some(&StatementUser(user.to_owned()))).now_or_never();
        let own = [try_acquire("ann").unwrap(), try_acquire("ann").unwrap()];
        assert!(try_acquire("ann").is_none());
        let other = try_acquire("bob").unwrap();
        assert!(try_acquire("bob").is_none() && permits.acquire(None).now_or_never().is_none());
        drop(own);
        let again = [try_acquire("bob").unwrap(), try_acquire("ann").unwrap()];
        drop((other, again));
        assert!(try_acquire("eve").is_some());
        assert_eq!(permits.users.lock().unwrap().len(), 1, "those who hold nothing are forgotten");
        let all: Vec<_> = (0..3).map(|_| permits.acquire(None).now_or_never().unwrap()).collect();
        assert!(permits.acquire(None).now_or_never().is_none());
        drop(all);
    }
}

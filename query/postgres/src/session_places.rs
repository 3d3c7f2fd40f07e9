//! The places of sessions, of which one user gets at most half: who takes many leaves some to others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places, and how many each user has.
#[derive(Debug)]
pub(crate) struct SessionPlaces {
    total: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// The place of one session. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct SessionPlace {
    places: Arc<SessionPlaces>,
    user: String,
}

/// There is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Of so many, all are taken.
    All(usize),
    /// The user has the most that one user may have.
    OfUser(usize),
}

impl SessionPlaces {
    pub(crate) fn new(total: usize) -> Arc<Self> {
        Arc::new(Self { total, taken: Mutex::default() })
    }

    /// A place for a session of `user`.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub(crate) fn take(self: &Arc<Self>, user: &str) -> Result<SessionPlace, NoPlace> {
        let per_user = self.total.div_ceil(2);
        let mut taken = self.lock();
        if taken.values().sum::<usize>() >= self.total {
            return Err(NoPlace::All(self.total));
        }
        if taken.get(user).is_some_and(|own| *own >= per_user) {
            return Err(NoPlace::OfUser(per_user));
        }
        *taken.entry(user.to_owned()).or_default() += 1;
        Ok(SessionPlace { places: Arc::clone(self), user: user.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(own) = taken.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_with_half_of_the_places_leaves_the_others_to_others() {
        let places = SessionPlaces::new(3);
        let own = [places.take("ann").unwrap(), places.take("ann").unwrap()];
        assert_eq!(places.take("ann").unwrap_err(), NoPlace::OfUser(2));
        let other = places.take("bob").unwrap();
        assert_eq!(places.take("eve").unwrap_err(), NoPlace::All(3));
        drop(own);
        let again = [places.take("eve"), places.take("bob")];
        assert!(again.iter().all(Result::is_ok));
        drop((other, again));
        assert!(places.lock().is_empty());
        assert!(SessionPlaces::new(1).take("ann").is_ok());
    }
}

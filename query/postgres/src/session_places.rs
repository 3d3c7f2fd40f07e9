//! The places of sessions, and the memory for what they keep. One user gets at most half of both: who takes much leaves
//! some to others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most bytes of prepared statements and portals of all sessions, rows aside.
const KEPT_BYTES: usize = 128 << 20;

/// The places, and what each user has of them.
#[derive(Debug)]
pub(crate) struct SessionPlaces {
    total: usize,
    taken: Mutex<HashMap<String, Taken>>,
}

/// What a user has.
#[derive(Debug, Default)]
struct Taken {
    sessions: usize,
    /// What these keep.
    bytes: usize,
}

/// The place of one session. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct SessionPlace {
    places: Arc<SessionPlaces>,
    user: String,
    /// What the session keeps.
    bytes: usize,
}

/// There is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// Of so many, all are taken.
    All(usize),
    /// The user has the most that one user may have.
    OfUser(usize),
}

/// A session may not keep more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoMemory {
    /// All sessions together keep at most so many bytes.
    All(usize),
    /// Those of one user do.
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
        if taken.values().map(|of_user| of_user.sessions).sum::<usize>() >= self.total {
            return Err(NoPlace::All(self.total));
        }
        if taken.get(user).is_some_and(|own| own.sessions >= per_user) {
            return Err(NoPlace::OfUser(per_user));
        }
        taken.entry(user.to_owned()).or_default().sessions += 1;
        Ok(SessionPlace { places: Arc::clone(self), user: user.to_owned(), bytes: 0 })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionPlace {
    /// From now on the session keeps `bytes`.
    ///
    /// # Errors
    /// It is more than before, and the sessions of the user, or all, would keep too much. Nothing changes then.
    pub(crate) fn keep(&mut self, bytes: usize) -> Result<(), NoMemory> {
        let mut taken = self.places.lock();
        let all = taken.values().map(|of_user| of_user.bytes).sum::<usize>() - self.bytes + bytes;
        let Some(own) = taken.get_mut(&self.user) else { return Ok(()) };
        let of_user = own.bytes - self.bytes + bytes;
        if bytes > self.bytes {
            if all > KEPT_BYTES {
                return Err(NoMemory::All(KEPT_BYTES));
            }
            if of_user > KEPT_BYTES / 2 {
                return Err(NoMemory::OfUser(KEPT_BYTES / 2));
            }
        }
        own.bytes = of_user;
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(own) = taken.get_mut(&self.user) {
            own.sessions -= 1;
            own.bytes -= self.bytes;
            if own.sessions == 0 {
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

    #[test]
    fn what_sessions_keep_is_bounded_for_a_user_and_in_all() {
        let places = SessionPlaces::new(8);
        let half = KEPT_BYTES / 2;
        let [mut first, mut second] = [places.take("ann").unwrap(), places.take("ann").unwrap()];
        first.keep(half - 10).unwrap();
        assert_eq!(second.keep(11), Err(NoMemory::OfUser(half)));
        second.keep(10).unwrap();
        let [mut other, mut third] = [places.take("bob").unwrap(), places.take("eve").unwrap()];
        other.keep(half).unwrap();
        assert_eq!(third.keep(1), Err(NoMemory::All(KEPT_BYTES)));
        first.keep(half - 11).unwrap();
        third.keep(1).unwrap();
        drop(second);
        third.keep(11).unwrap();
        drop((first, other, third));
        assert!(places.lock().is_empty());
    }
}

//! The places of clients that have not logged in: limited in total and for each address.
//!
//! They are no places of sessions. So clients that are silent, or do not know a password, take no session's place, and those
//! of one address leave places to others. When all places are taken, a new client gets the oldest one of the address that has
//! the most: so clients that hold their places do not keep others out.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// The places, and who has them.
#[derive(Debug)]
pub(crate) struct LoginQuota {
    total: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// The number of the next place.
    next: u64,
    /// By number, so the oldest is first.
    places: BTreeMap<u64, Place>,
}

#[derive(Debug)]
struct Place {
    /// The address of its client, or its /64 network of IPv6, in which one host may have every address.
    network: IpAddr,
    lost: CancellationToken,
}

/// The place of one client. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct LoginPlace {
    quota: Arc<LoginQuota>,
    number: u64,
    lost: CancellationToken,
}

impl LoginQuota {
    pub(crate) fn new(total: usize, per_address: usize) -> Self {
        Self { total, per_address, taken: Mutex::default() }
    }

    /// A place for a client of this address; `None` if none is left for its address.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<LoginPlace> {
        let network = network(address);
        let mut taken = self.lock();
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for place in taken.places.values() {
            *counts.entry(place.network).or_default() += 1;
        }
        if counts.get(&network).copied().unwrap_or(0) >= self.per_address {
            return None;
        }
        if taken.places.len() >= self.total {
            let most = counts.values().max()?;
            let mut places = taken.places.iter();
            let oldest =
                places.find(|(_, place)| counts.get(&place.network) == Some(most)).map(|(number, _)| *number)?;
            taken.places.remove(&oldest)?.lost.cancel();
        }
        let (number, lost) = (taken.next, CancellationToken::new());
        taken.next += 1;
        taken.places.insert(number, Place { network, lost: lost.clone() });
        Some(LoginPlace { quota: Arc::clone(self), number, lost })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoginPlace {
    /// Waits until another client gets this place.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Drop for LoginPlace {
    fn drop(&mut self) {
        self.quota.lock().places.remove(&self.number);
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(quota: &Arc<LoginQuota>, address: &str) -> Option<LoginPlace> {
        quota.enter(address.parse().unwrap())
    }

    #[test]
    fn places_are_limited_by_address_and_are_given_back() {
        let quota = Arc::new(LoginQuota::new(8, 2));
        let first = enter(&quota, "192.0.2.1");
        let second = enter(&quota, "::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(enter(&quota, "192.0.2.1").is_none());
        let networks = [enter(&quota, "2001:db8::1"), enter(&quota, "2001:db8::2")];
        assert!(networks.iter().all(Option::is_some));
        assert!(enter(&quota, "2001:db8::3").is_none());
        drop(first);
        let third = enter(&quota, "192.0.2.1");
        assert!(third.is_some());
        drop((second, third, networks));
        assert!(quota.lock().places.is_empty());
    }

    #[test]
    fn a_new_client_gets_the_oldest_place_of_the_address_that_has_the_most() {
        let quota = Arc::new(LoginQuota::new(4, 3));
        let other = enter(&quota, "192.0.2.9").unwrap();
        let silent = [1, 2, 3].map(|_| enter(&quota, "192.0.2.1").unwrap());
        // An address with all its places gets no place of others.
        assert!(enter(&quota, "192.0.2.1").is_none());
        let new = enter(&quota, "192.0.2.2").unwrap();
        let lost = || silent.each_ref().map(|place| place.lost.is_cancelled());
        assert_eq!(lost(), [true, false, false]);
        let newer = enter(&quota, "192.0.2.3").unwrap();
        assert_eq!(lost(), [true, true, false]);
        assert!([&other, &new, &newer].iter().all(|place| !place.lost.is_cancelled()));
        // All have one place: the oldest of all is lost.
        let newest = enter(&quota, "192.0.2.4").unwrap();
        assert!(other.lost.is_cancelled() && !newest.lost.is_cancelled());
        assert_eq!(quota.lock().places.len(), 4);
        drop((other, silent, new, newer, newest));
        assert!(quota.lock().places.is_empty());
        assert!(enter(&Arc::new(LoginQuota::new(0, 1)), "192.0.2.1").is_none());
    }
}

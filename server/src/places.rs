//! The places of connections: limited in total and for each address.
//!
//! A place is unsettled until its client has done what it came for: logged in, or sent a request. When all places are
//! taken, a new client gets the oldest unsettled one of the address that has the most of these. So clients that are
//! silent do not keep others out, and those of one address leave places to others.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The places, and who has them.
#[derive(Debug)]
pub struct Places {
    total: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// The number of the next place.
    next: u64,
    /// By number, so the oldest is first.
    places: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// The address of its client, or its /64 network of IPv6, in which one host may have every address.
    network: IpAddr,
    is_settled: bool,
    lost: CancellationToken,
}

/// The place of one client. Dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
    lost: CancellationToken,
}

impl Places {
    /// `total` places, of which one address (of IPv6, one /64) gets at most `per_address`.
    pub fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { total, per_address, taken: Mutex::default() })
    }

    /// A place for a client of this address. `None` if its address has all that it may have, or if all places are taken
    /// and settled.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut taken = self.lock();
        if taken.places.values().filter(|entry| entry.network == network).count() >= self.per_address {
            return None;
        }
        if taken.places.len() >= self.total {
            let oldest = taken.to_lose()?;
            taken.places.remove(&oldest)?.lost.cancel();
        }
        let (number, lost) = (taken.next, CancellationToken::new());
        taken.next += 1;
        taken.places.insert(number, Entry { network, is_settled: false, lost: lost.clone() });
        Some(Place { places: Arc::clone(self), number, lost })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The oldest unsettled place of the address that has the most unsettled ones.
    fn to_lose(&self) -> Option<u64> {
        let unsettled = || self.places.iter().filter(|(_, entry)| !entry.is_settled);
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for (_, entry) in unsettled() {
            *counts.entry(entry.network).or_default() += 1;
        }
        let most = counts.values().max()?;
        unsettled().find(|(_, entry)| counts.get(&entry.network) == Some(most)).map(|(number, _)| *number)
    }
}

impl Place {
    /// Waits until another client gets this place. A settled one is never lost.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Keeps the place until it is dropped.
    pub fn settle(&self) {
        if let Some(entry) = self.places.lock().places.get_mut(&self.number) {
            entry.is_settled = true;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().places.remove(&self.number);
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

    fn take(places: &Arc<Places>, address: &str) -> Option<Place> {
        places.take(address.parse().unwrap())
    }

    #[test]
    fn places_are_limited_by_address_and_are_given_back() {
        let places = Places::new(8, 2);
        let first = take(&places, "192.0.2.1");
        let second = take(&places, "::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(take(&places, "192.0.2.1").is_none());
        let networks = [take(&places, "2001:db8::1"), take(&places, "2001:db8::2")];
        assert!(networks.iter().all(Option::is_some));
        assert!(take(&places, "2001:db8::3").is_none());
        assert!(take(&places, "2001:db8:0:1::3").is_some(), "another network");
        drop(first);
        let third = take(&places, "192.0.2.1");
        assert!(third.is_some());
        drop((second, third, networks));
        assert!(places.lock().places.is_empty());
    }

    #[test]
    fn a_new_client_gets_the_oldest_place_of_the_address_that_has_the_most() {
        let places = Places::new(4, 3);
        let other = take(&places, "192.0.2.9").unwrap();
        let silent = [1, 2, 3].map(|_| take(&places, "192.0.2.1").unwrap());
        // An address with all its places gets no place of others.
        assert!(take(&places, "192.0.2.1").is_none());
        let new = take(&places, "192.0.2.2").unwrap();
        let lost = || silent.each_ref().map(|place| place.lost.is_cancelled());
        assert_eq!(lost(), [true, false, false]);
        let newer = take(&places, "192.0.2.3").unwrap();
        assert_eq!(lost(), [true, true, false]);
        assert!([&other, &new, &newer].iter().all(|place| !place.lost.is_cancelled()));
        // All have one place: the oldest of all is lost.
        let newest = take(&places, "192.0.2.4").unwrap();
        assert!(other.lost.is_cancelled() && !newest.lost.is_cancelled());
        assert_eq!(places.lock().places.len(), 4);
        drop((other, silent, new, newer, newest));
        assert!(places.lock().places.is_empty());
        assert!(take(&Places::new(0, 1), "192.0.2.1").is_none());
        assert!(take(&Places::new(1, 0), "192.0.2.1").is_none());
    }

    #[test]
    fn a_settled_place_is_not_lost() {
        let places = Places::new(3, 3);
        let settled = [1, 2].map(|_| take(&places, "192.0.2.1").unwrap());
        settled.iter().for_each(Place::settle);
        let silent = take(&places, "192.0.2.2").unwrap();
        let new = take(&places, "192.0.2.3").unwrap();
        assert!(silent.lost.is_cancelled() && settled.iter().all(|place| !place.lost.is_cancelled()));
        // Settling a lost place does not bring it back.
        silent.settle();
        new.settle();
        assert!(take(&places, "192.0.2.4").is_none(), "all are settled");
        assert!(!new.lost.is_cancelled());
    }
}

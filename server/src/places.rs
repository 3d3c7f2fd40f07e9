//! The places of connections: limited in total and for each address.
//!
//! A place is held while its client does what it came for: while a request of it is in progress. When all places are
//! taken, a new client gets the oldest one that was never held, of the address that has the most of these; if there is
//! none, of those that are held no longer; else of those whose client does not take its answer. So clients that are
//! silent or do not read keep nobody out, neither before their first request nor between requests nor after them, and
//! those of one address leave places to others.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Who takes nothing of an answer for so long may lose its place.
const STALLED: Duration = Duration::from_secs(5);

/// The places, and who has them.
#[derive(Debug)]
pub struct Places {
    total: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// The number of the next place or hold.
    next: u64,
    /// By number, so the oldest is first.
    places: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// The address of its client, or its /64 network of IPv6, in which one host may have every address.
    network: IpAddr,
    was_held: bool,
    /// How many [`Hold`]s do not wait for the client.
    busy: usize,
    /// Since when the other ones wait for it, by number.
    waiting: BTreeMap<u64, Instant>,
    lost: CancellationToken,
}

/// How a place is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was never held.
    New,
    Held,
    /// It is held only by answers that the client does not take.
    Stalled,
    /// It was held before.
    Idle,
}

/// The place of one client. Dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
    lost: CancellationToken,
}

/// Keeps a place for its client until this is dropped.
#[derive(Debug)]
pub struct Hold {
    place: Arc<Place>,
    number: u64,
    is_waiting: bool,
}

impl Places {
    /// `total` places, of which one address (of IPv6, one /64) gets at most `per_address`.
    pub fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { total, per_address, taken: Mutex::default() })
    }

    /// A place for a client of this address. `None` if its address has all that it may have, or if all places are taken
    /// and held by clients that take their answers.
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
        let (waiting, entry_lost) = (BTreeMap::new(), lost.clone());
        taken.places.insert(number, Entry { network, was_held: false, busy: 0, waiting, lost: entry_lost });
        Some(Place { places: Arc::clone(self), number, lost })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The place that a new client gets.
    fn to_lose(&self) -> Option<u64> {
        let now = Instant::now();
        [State::New, State::Idle, State::Stalled].into_iter().find_map(|state| self.oldest(state, now))
    }

    /// The oldest place in this state of the address that has the most of these.
    fn oldest(&self, state: State, now: Instant) -> Option<u64> {
        let such = || self.places.iter().filter(|(_, entry)| entry.state(now) == state);
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for (_, entry) in such() {
            *counts.entry(entry.network).or_default() += 1;
        }
        let most = counts.values().max()?;
        such().find(|(_, entry)| counts.get(&entry.network) == Some(most)).map(|(number, _)| *number)
    }
}

impl Entry {
    fn state(&self, now: Instant) -> State {
        // A further request does not give the answers more time that the client does not take.
        match self.waiting.values().min() {
            _ if !self.was_held => State::New,
            None if self.busy == 0 => State::Idle,
            Some(since) if self.busy == 0 && *since + STALLED <= now => State::Stalled,
            _ => State::Held,
        }
    }
}

impl Place {
    /// Waits until another client gets this place, which it never does while the place is held by what does not wait for
    /// its client.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Keeps the place until what this returns is dropped. A place that is lost stays lost.
    pub fn hold(self: &Arc<Self>) -> Hold {
        let mut taken = self.places.lock();
        let number = taken.next;
        taken.next += 1;
        if let Some(entry) = taken.places.get_mut(&self.number) {
            entry.was_held = true;
            entry.busy += 1;
        }
        Hold { place: Arc::clone(self), number, is_waiting: false }
    }
}

impl Hold {
    /// Says whether the client must now take a part of its answer. Each call begins its time for that anew.
    pub fn set_waiting(&mut self, is_waiting: bool) {
        let (number, was_waiting) = (self.number, self.is_waiting);
        if !is_waiting && !was_waiting {
            return;
        }
        self.is_waiting = is_waiting;
        self.change(|entry| {
            if is_waiting {
                entry.busy -= usize::from(!was_waiting);
                entry.waiting.insert(number, Instant::now());
            } else {
                entry.waiting.remove(&number);
                entry.busy += 1;
            }
        });
    }

    /// Does nothing if the place is lost.
    fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.place.places.lock().places.get_mut(&self.place.number) {
            change(entry);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let (number, is_waiting) = (self.number, self.is_waiting);
        self.change(|entry| {
            if is_waiting {
                entry.waiting.remove(&number);
            } else {
                entry.busy -= 1;
            }
        });
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
    fn a_place_is_not_lost_while_it_is_held() {
        let places = Places::new(3, 3);
        let busy = [1, 2].map(|_| Arc::new(take(&places, "192.0.2.1").unwrap()));
        let held = busy.each_ref().map(Place::hold);
        let silent = Arc::new(take(&places, "192.0.2.2").unwrap());
        let new = Arc::new(take(&places, "192.0.2.3").unwrap());
        assert!(silent.lost.is_cancelled() && busy.iter().all(|place| !place.lost.is_cancelled()));
        // Holding a lost place does not bring it back.
        let _late = silent.hold();
        let _held_as_well = new.hold();
        assert!(take(&places, "192.0.2.4").is_none(), "all are held");
        assert!(!new.lost.is_cancelled());
        let again = busy[0].hold();
        drop(held);
        let next = take(&places, "192.0.2.4").unwrap();
        assert!(busy[1].lost.is_cancelled() && !busy[0].lost.is_cancelled(), "it is still held once");
        // One that was never held is lost first, though it is newer.
        drop(again);
        let last = take(&places, "192.0.2.5").unwrap();
        assert!(next.lost.is_cancelled() && !busy[0].lost.is_cancelled());
        drop((busy, silent, new, next, last));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_take_its_answers_loses_its_place_last_of_all() {
        let places = Places::new(2, 2);
        let stalled = Arc::new(take(&places, "192.0.2.1").unwrap());
        let mut answer = stalled.hold();
        let other = Arc::new(take(&places, "192.0.2.2").unwrap());
        let request = other.hold();
        answer.set_waiting(true);
        let almost = STALLED - Duration::from_millis(1);
        tokio::time::advance(almost).await;
        assert!(take(&places, "192.0.2.3").is_none(), "it has time to take the answer");
        answer.set_waiting(true);
        tokio::time::advance(almost).await;
        assert!(take(&places, "192.0.2.3").is_none(), "it has taken a part");
        // What the server works on is not the client's fault.
        answer.set_waiting(false);
        tokio::time::advance(STALLED * 9).await;
        assert!(take(&places, "192.0.2.3").is_none(), "the next part is not there yet");
        answer.set_waiting(true);
        tokio::time::advance(STALLED).await;
        let mut further = stalled.hold();
        assert!(take(&places, "192.0.2.3").is_none(), "a request is in progress");
        further.set_waiting(true);
        let new = Arc::new(take(&places, "192.0.2.3").expect("a further answer makes no time"));
        assert!(stalled.lost.is_cancelled() && !other.lost.is_cancelled());
        // A place that is lost counts nothing.
        answer.set_waiting(false);
        drop((answer, further));
        // One that is idle is lost before one that is stalled.
        let mut untaken = new.hold();
        untaken.set_waiting(true);
        drop(request);
        tokio::time::advance(STALLED).await;
        let newest = take(&places, "192.0.2.4").unwrap();
        assert!(other.lost.is_cancelled() && !new.lost.is_cancelled());
        drop((stalled, other, untaken, new, newest));
        assert!(places.lock().places.is_empty());
    }
}

//! How often somebody may be wrong: a sliding window of tries for each user name and each remote address.
//!
//! ```text
//! attempt ──▶ Wait(how long)              nothing is checked, and the try does not count
//!    └──────▶ Go ──▶ check ──▶ right ──▶ succeeded: the user starts anew, the address is given its try back
//!                        └───▶ wrong: the try stays in the windows until they have moved on
//! ```
//!
//! A try counts from its begin, so that many at once are not all let through. What a user name is wrong about is counted whether
//! or not the user exists. Pure: the caller brings the time, and puts it behind a lock.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

/// How many tries there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// How long a try counts.
    pub window: TimeDelta,
    /// Tries for one user in that time.
    pub per_user: usize,
    /// Tries from one address in that time. More than for one user: behind an address there may be an office.
    pub per_address: usize,
    /// Users and addresses that are counted, each. More push out those that were quiet for the longest.
    pub counted: usize,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self { window: TimeDelta::minutes(5), per_user: 10, per_address: 50, counted: 10_000 }
    }
}

/// Whether a try may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may, and counts.
    Go,
    /// Not before this time has passed.
    Wait(std::time::Duration),
}

/// Counts tries.
#[derive(Debug)]
pub struct Throttle {
    limits: ThrottleLimits,
    users: Windows<String>,
    addresses: Windows<IpAddr>,
}

impl Throttle {
    /// Counts nothing yet.
    pub fn new(limits: ThrottleLimits) -> Self {
        Self { limits, users: Windows::new(), addresses: Windows::new() }
    }

    /// Asks for a try. `user` is a user's name, or the id of a token.
    pub fn attempt(&mut self, user: &str, address: Option<IpAddr>, now: DateTime<Utc>) -> Verdict {
        // Names that are too long to exist are one: they must not fill the memory.
        let user = if user.len() <= crate::directory::MAX_NAME_BYTES { user } else { "" };
        let address = address.map(network);
        let ThrottleLimits { window, per_user, per_address, counted } = self.limits;
        let of_user = self.users.wait(user, per_user, window, now);
        let of_address =
            address.map_or(TimeDelta::zero(), |address| self.addresses.wait(&address, per_address, window, now));
        let wait = of_user.max(of_address);
        if wait > TimeDelta::zero() {
            return Verdict::Wait(wait.to_std().unwrap_or_default());
        }
        self.users.count(user.to_owned(), counted, now);
        if let Some(address) = address {
            self.addresses.count(address, counted, now);
        }
        Verdict::Go
    }

    /// The try was right. The user starts anew; other tries from the address go on counting, or whoever knows one password
    /// could guess others without end.
    pub fn succeeded(&mut self, user: &str, address: Option<IpAddr>) {
        self.users.tries.remove(user);
        if let Some(tries) = address.map(network).and_then(|address| self.addresses.tries.get_mut(&address)) {
            tries.pop_back();
        }
    }
}

/// What is counted as one address: an IPv6 host may choose among those of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Times of tries, each list in order.
#[derive(Debug)]
struct Windows<K> {
    tries: HashMap<K, VecDeque<DateTime<Utc>>>,
}

impl<K: Hash + Eq + Clone> Windows<K> {
    fn new() -> Self {
        Self { tries: HashMap::new() }
    }

    /// How long until one more try is inside the limit.
    fn wait<Q>(&mut self, key: &Q, limit: usize, window: TimeDelta, now: DateTime<Utc>) -> TimeDelta
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(tries) = self.tries.get_mut(key) else { return TimeDelta::zero() };
        tries.retain(|tried| now - *tried < window);
        if tries.is_empty() {
            self.tries.remove(key);
            return TimeDelta::zero();
        }
        // The try that must leave the window first.
        match tries.len().checked_sub(limit).and_then(|at| tries.get(at)) {
            Some(tried) => (window - (now - *tried)).clamp(TimeDelta::zero(), window),
            None => TimeDelta::zero(),
        }
    }

    fn count(&mut self, key: K, most: usize, now: DateTime<Utc>) {
        if self.tries.len() >= most && !self.tries.contains_key(&key) {
            let quietest = self.tries.iter().min_by_key(|(_, tries)| tries.back().copied()).map(|(key, _)| key.clone());
            if let Some(quietest) = quietest {
                self.tries.remove(&quietest);
            }
        }
        self.tries.entry(key).or_default().push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: ThrottleLimits =
        ThrottleLimits { window: TimeDelta::seconds(60), per_user: 3, per_address: 5, counted: 4 };

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + second, 0).unwrap()
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_user_waits_until_the_oldest_failure_has_left_the_window() {
        let mut throttle = Throttle::new(LIMITS);
        for second in [0, 10, 20] {
            assert_eq!(throttle.attempt("kim", address(second as u8), at(second)), Verdict::Go);
        }
        assert_eq!(throttle.attempt("kim", address(9), at(30)), Verdict::Wait(Duration::from_secs(30)));
        // Asking does not make the wait longer, and nobody else waits.
        assert_eq!(throttle.attempt("kim", None, at(59)), Verdict::Wait(Duration::from_secs(1)));
        assert_eq!(throttle.attempt("lee", address(9), at(59)), Verdict::Go);
        assert_eq!(throttle.attempt("kim", None, at(60)), Verdict::Go);
        assert_eq!(throttle.attempt("kim", None, at(60)), Verdict::Wait(Duration::from_secs(10)));
    }

    #[test]
    fn an_address_waits_whatever_names_it_tries() {
        let mut throttle = Throttle::new(LIMITS);
        for user in ["a", "b", "c", "d", "e"] {
            assert_eq!(throttle.attempt(user, address(1), at(0)), Verdict::Go);
        }
        assert_eq!(throttle.attempt("f", address(1), at(1)), Verdict::Wait(Duration::from_secs(59)));
        assert_eq!(throttle.attempt("f", address(2), at(1)), Verdict::Go);
    }

    #[test]
    fn who_is_right_starts_anew_but_does_not_clear_the_address() {
        let mut throttle = Throttle::new(LIMITS);
        for _ in 0..2 {
            assert_eq!(throttle.attempt("kim", address(1), at(0)), Verdict::Go);
        }
        // Own successes do not count, however many there are.
        for second in 0..50 {
            assert_eq!(throttle.attempt("own", address(1), at(second)), Verdict::Go);
            throttle.succeeded("own", address(1));
        }
        assert_eq!(throttle.attempt("kim", address(1), at(50)), Verdict::Go);
        throttle.succeeded("kim", address(1));
        for _ in 0..3 {
            assert_eq!(throttle.attempt("kim", address(1), at(51)), Verdict::Go);
        }
        assert_eq!(throttle.attempt("lee", address(1), at(52)), Verdict::Wait(Duration::from_secs(8)));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one() {
        let mut throttle = Throttle::new(LIMITS);
        for (number, user) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            let address = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, number as u16]);
            assert_eq!(throttle.attempt(user, Some(address), at(0)), Verdict::Go);
        }
        let same = IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9]);
        assert!(matches!(throttle.attempt("f", Some(same), at(0)), Verdict::Wait(_)));
        let other = IpAddr::from([0x2001, 0xdb8, 0, 2, 9, 9, 9, 9]);
        assert_eq!(throttle.attempt("f", Some(other), at(0)), Verdict::Go);
        // An IPv4 address inside IPv6 is that IPv4 address.
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), IpAddr::from([192, 0, 2, 1]));
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out_for_longer_than_the_window() {
        let mut throttle = Throttle::new(LIMITS);
        for _ in 0..3 {
            throttle.attempt("kim", None, at(100_000));
        }
        assert_eq!(throttle.attempt("kim", None, at(0)), Verdict::Wait(Duration::from_secs(60)));
    }

    #[test]
    fn memory_is_bounded_and_the_quietest_is_forgotten() {
        let mut throttle = Throttle::new(LIMITS);
        for second in 0..100 {
            throttle.attempt(&format!("user-{second}"), address(second as u8), at(second));
            throttle.attempt(&"x".repeat(1000 + second as usize), None, at(second));
        }
        assert!(throttle.users.tries.len() <= 4 && throttle.addresses.tries.len() <= 4);
        assert!(throttle.users.tries.contains_key("user-99"));
    }
}

//! Rate limit for failed logins: a sliding window of attempts for each user name and each remote address.
//!
//! ```text
//! attempt ──▶ RetryAfter(time)            nothing is checked, and the attempt does not count
//!    └──────▶ Allowed ──▶ check ──▶ success ──▶ succeeded: clears the user, gives the address one attempt back
//!                           └─────▶ failure: the attempt stays in the windows until it is older than they are
//! ```
//!
//! An attempt counts from its start, so concurrent attempts are limited too. Attempts for a user name count whether or not the
//! user exists. Pure: the caller passes the time and holds the lock.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

/// How many attempts are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// How long an attempt counts.
    pub window: TimeDelta,
    /// Attempts for one user in that time.
    pub per_user: usize,
    /// Attempts from one address in that time. More than for one user: several users may share an address.
    pub per_address: usize,
    /// The greatest number of users, and of addresses, that are counted. Beyond it, those with the oldest last attempt are evicted.
    pub max_entries: usize,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self { window: TimeDelta::minutes(5), per_user: 10, per_address: 50, max_entries: 10_000 }
    }
}

/// Whether an attempt is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It is allowed, and counts.
    Allowed,
    /// It is not allowed before this time has passed.
    RetryAfter(std::time::Duration),
}

/// Counts attempts.
#[derive(Debug)]
pub struct Throttle {
    limits: ThrottleLimits,
    users: Windows<String>,
    addresses: Windows<IpAddr>,
}

impl Throttle {
    /// A throttle without attempts.
    pub fn new(limits: ThrottleLimits) -> Self {
        Self { limits, users: Windows::new(), addresses: Windows::new() }
    }

    /// Registers an attempt, if it is allowed. `user` is a user's name, or the id of a token.
    pub fn attempt(&mut self, user: &str, address: Option<IpAddr>, now: DateTime<Utc>) -> Attempt {
        // Names that are too long to exist count as one name, so that they cannot fill the memory.
        let user = if user.len() <= crate::directory::MAX_NAME_BYTES { user } else { "" };
        let address = address.map(network);
        let ThrottleLimits { window, per_user, per_address, max_entries } = self.limits;
        let of_user = self.users.wait(user, per_user, window, now);
        let of_address =
            address.map_or(TimeDelta::zero(), |address| self.addresses.wait(&address, per_address, window, now));
        let wait = of_user.max(of_address);
        if wait > TimeDelta::zero() {
            return Attempt::RetryAfter(wait.to_std().unwrap_or_default());
        }
        self.users.count(user.to_owned(), max_entries, now);
        if let Some(address) = address {
            self.addresses.count(address, max_entries, now);
        }
        Attempt::Allowed
    }

    /// An attempt succeeded. The user's attempts are cleared. Other attempts from the address still count: otherwise a client with
    /// one password could guess others without limit.
    pub fn succeeded(&mut self, user: &str, address: Option<IpAddr>) {
        self.users.attempts.remove(user);
        if let Some(attempts) = address.map(network).and_then(|address| self.addresses.attempts.get_mut(&address)) {
            attempts.pop_back();
        }
    }
}

/// The address that is counted: for IPv6 the /64 network, because a host may choose any address in it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Times of attempts, each list in order.
#[derive(Debug)]
struct Windows<K> {
    attempts: HashMap<K, VecDeque<DateTime<Utc>>>,
}

impl<K: Hash + Eq + Clone> Windows<K> {
    fn new() -> Self {
        Self { attempts: HashMap::new() }
    }

    /// How long until one more attempt is within the limit.
    fn wait<Q>(&mut self, key: &Q, limit: usize, window: TimeDelta, now: DateTime<Utc>) -> TimeDelta
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(attempts) = self.attempts.get_mut(key) else { return TimeDelta::zero() };
        attempts.retain(|time| now - *time < window);
        if attempts.is_empty() {
            self.attempts.remove(key);
            return TimeDelta::zero();
        }
        // The attempt that must leave the window first.
        match attempts.len().checked_sub(limit).and_then(|at| attempts.get(at)) {
            Some(time) => (window - (now - *time)).clamp(TimeDelta::zero(), window),
            None => TimeDelta::zero(),
        }
    }

    fn count(&mut self, key: K, max_entries: usize, now: DateTime<Utc>) {
        if self.attempts.len() >= max_entries && !self.attempts.contains_key(&key) {
            let oldest =
                self.attempts.iter().min_by_key(|(_, attempts)| attempts.back().copied()).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.attempts.remove(&oldest);
            }
        }
        self.attempts.entry(key).or_default().push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: ThrottleLimits =
        ThrottleLimits { window: TimeDelta::seconds(60), per_user: 3, per_address: 5, max_entries: 4 };

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
            assert_eq!(throttle.attempt("kim", address(second as u8), at(second)), Attempt::Allowed);
        }
        assert_eq!(throttle.attempt("kim", address(9), at(30)), Attempt::RetryAfter(Duration::from_secs(30)));
        // A refused attempt does not make the wait longer, and other users do not wait.
        assert_eq!(throttle.attempt("kim", None, at(59)), Attempt::RetryAfter(Duration::from_secs(1)));
        assert_eq!(throttle.attempt("lee", address(9), at(59)), Attempt::Allowed);
        assert_eq!(throttle.attempt("kim", None, at(60)), Attempt::Allowed);
        assert_eq!(throttle.attempt("kim", None, at(60)), Attempt::RetryAfter(Duration::from_secs(10)));
    }

    #[test]
    fn an_address_waits_whatever_names_it_sends() {
        let mut throttle = Throttle::new(LIMITS);
        for user in ["a", "b", "c", "d", "e"] {
            assert_eq!(throttle.attempt(user, address(1), at(0)), Attempt::Allowed);
        }
        assert_eq!(throttle.attempt("f", address(1), at(1)), Attempt::RetryAfter(Duration::from_secs(59)));
        assert_eq!(throttle.attempt("f", address(2), at(1)), Attempt::Allowed);
    }

    #[test]
    fn a_success_clears_the_user_but_not_the_address() {
        let mut throttle = Throttle::new(LIMITS);
        for _ in 0..2 {
            assert_eq!(throttle.attempt("kim", address(1), at(0)), Attempt::Allowed);
        }
        // Successes do not count, however many there are.
        for second in 0..50 {
            assert_eq!(throttle.attempt("own", address(1), at(second)), Attempt::Allowed);
            throttle.succeeded("own", address(1));
        }
        assert_eq!(throttle.attempt("kim", address(1), at(50)), Attempt::Allowed);
        throttle.succeeded("kim", address(1));
        for _ in 0..3 {
            assert_eq!(throttle.attempt("kim", address(1), at(51)), Attempt::Allowed);
        }
        assert_eq!(throttle.attempt("lee", address(1), at(52)), Attempt::RetryAfter(Duration::from_secs(8)));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one() {
        let mut throttle = Throttle::new(LIMITS);
        for (number, user) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            let address = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, number as u16]);
            assert_eq!(throttle.attempt(user, Some(address), at(0)), Attempt::Allowed);
        }
        let same = IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9]);
        assert!(matches!(throttle.attempt("f", Some(same), at(0)), Attempt::RetryAfter(_)));
        let other = IpAddr::from([0x2001, 0xdb8, 0, 2, 9, 9, 9, 9]);
        assert_eq!(throttle.attempt("f", Some(other), at(0)), Attempt::Allowed);
        // An IPv4 address inside IPv6 is that IPv4 address.
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), IpAddr::from([192, 0, 2, 1]));
    }

    #[test]
    fn after_the_clock_is_set_back_a_user_waits_no_longer_than_the_window() {
        let mut throttle = Throttle::new(LIMITS);
        for _ in 0..3 {
            throttle.attempt("kim", None, at(100_000));
        }
        assert_eq!(throttle.attempt("kim", None, at(0)), Attempt::RetryAfter(Duration::from_secs(60)));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_entry_is_evicted() {
        let mut throttle = Throttle::new(LIMITS);
        for second in 0..100 {
            throttle.attempt(&format!("user-{second}"), address(second as u8), at(second));
            throttle.attempt(&"x".repeat(1000 + second as usize), None, at(second));
        }
        assert!(throttle.users.attempts.len() <= 4 && throttle.addresses.attempts.len() <= 4);
        assert!(throttle.users.attempts.contains_key("user-99"));
    }
}

//! Rate limit for logins that fail: sliding windows of attempts.
//!
//! ```text
//! attempt ─┬▶ RetryAfter(time): too many from this address, or for this user from this address;
//!          │                    nothing is checked, and the attempt does not count
//!          └▶ Allowed ─▶ check ─┬▶ success ─▶ succeeded: this attempt no longer counts, all others do
//!                               └▶ failure, or the client left: it counts until it is older than the window
//! delay ──▶ how long an allowed attempt waits before it is checked: not at all, unless the user is tried from many addresses
//! ```
//!
//! Nobody can lock a user out from another address: what others try only delays the user, by a bounded time. An attempt counts
//! from its start, so concurrent attempts are limited too. Attempts for a user name count whether or not the user exists. Pure:
//! the caller passes the time and holds the lock.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How many attempts are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// How long an attempt counts.
    pub window: TimeDelta,
    /// Attempts for one user from one address in that time.
    pub per_user_and_address: usize,
    /// Attempts from one address in that time. More than for one user: several users may share an address.
    pub per_address: usize,
    /// Attempts for one user from all addresses in that time before further ones are delayed. Not 0.
    pub per_user: usize,
    /// How much each further `per_user` attempts delay the next one. The delay is at most ten times this.
    pub delay: TimeDelta,
    /// The greatest number of users, of addresses, and of pairs of both, that are counted. Beyond it, those with the oldest last
    /// attempt are evicted.
    pub max_entries: usize,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self {
            window: TimeDelta::minutes(5),
            per_user_and_address: 10,
            per_address: 50,
            per_user: 100,
            delay: TimeDelta::seconds(1),
            max_entries: 10_000,
        }
    }
}

/// The longest delay, in times of [`ThrottleLimits::delay`].
const MAX_DELAYS: usize = 10;

/// Whether an attempt is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It is allowed.
    Allowed,
    /// It is not allowed before this time has passed.
    RetryAfter(Duration),
}

/// Counts attempts.
#[derive(Debug)]
pub struct Throttle {
    limits: ThrottleLimits,
    pairs: Windows<(String, Option<IpAddr>)>,
    addresses: Windows<IpAddr>,
    users: Windows<String>,
}

impl Throttle {
    /// A throttle without attempts.
    pub fn new(limits: ThrottleLimits) -> Self {
        Self { limits, pairs: Windows::new(), addresses: Windows::new(), users: Windows::new() }
    }

    /// Whether an attempt would be allowed now. It does not count. `user` is a user's name, or the id of a token.
    pub fn would_allow(&mut self, user: &str, address: Option<IpAddr>, now: DateTime<Utc>) -> Attempt {
        let ThrottleLimits { window, per_user_and_address, per_address, .. } = self.limits;
        let pair = pair(user, address);
        let of_pair = self.pairs.wait(&pair, per_user_and_address, window, now);
        let of_address =
            pair.1.map_or(TimeDelta::zero(), |address| self.addresses.wait(&address, per_address, window, now));
        let wait = of_pair.max(of_address);
        if wait > TimeDelta::zero() { Attempt::RetryAfter(wait.to_std().unwrap_or_default()) } else { Attempt::Allowed }
    }

    /// Counts an attempt, if it is allowed.
    pub fn attempt(&mut self, user: &str, address: Option<IpAddr>, now: DateTime<Utc>) -> Attempt {
        let verdict = self.would_allow(user, address, now);
        if verdict == Attempt::Allowed {
            let ThrottleLimits { window, per_user, max_entries, .. } = self.limits;
            let pair = pair(user, address);
            if let Some(address) = pair.1 {
                self.addresses.count(address, max_entries, now);
            }
            self.users.count(pair.0.clone(), max_entries, now);
            self.users.keep_last(&pair.0, per_user.saturating_mul(MAX_DELAYS), window, now);
            self.pairs.count(pair, max_entries, now);
        }
        verdict
    }

    /// How long an allowed attempt waits before it is checked.
    pub fn delay(&mut self, user: &str, now: DateTime<Utc>) -> Duration {
        let ThrottleLimits { window, per_user, delay, .. } = self.limits;
        let most = per_user.saturating_mul(MAX_DELAYS);
        let attempts = self.users.keep_last(counted_name(user), most, window, now);
        let times = (attempts / per_user.max(1)).min(MAX_DELAYS);
        (delay * times as i32).to_std().unwrap_or_default()
    }

    /// The attempt that was counted at `counted_at` succeeded, and no longer counts. All others still do: otherwise a client with
    /// one password could guess others without limit. Without such an attempt nothing changes.
    pub fn succeeded(&mut self, user: &str, address: Option<IpAddr>, counted_at: DateTime<Utc>) {
        let pair = pair(user, address);
        if self.pairs.take_back(&pair, counted_at) {
            self.users.take_back(&pair.0, counted_at);
            if let Some(address) = pair.1 {
                self.addresses.take_back(&address, counted_at);
            }
        }
    }
}

fn pair(user: &str, address: Option<IpAddr>) -> (String, Option<IpAddr>) {
    (counted_name(user).to_owned(), address.map(network))
}

/// Names that are too long to exist count as one name, so that they cannot fill the memory.
fn counted_name(user: &str) -> &str {
    if user.len() <= crate::directory::MAX_NAME_BYTES { user } else { "" }
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

    /// The attempts in the window, of which there is at least one.
    fn recent<Q>(&mut self, key: &Q, window: TimeDelta, now: DateTime<Utc>) -> Option<&mut VecDeque<DateTime<Utc>>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let attempts = self.attempts.get_mut(key)?;
        attempts.retain(|time| now - *time < window);
        if attempts.is_empty() {
            self.attempts.remove(key);
            return None;
        }
        self.attempts.get_mut(key)
    }

    /// How long until one more attempt is within the limit.
    fn wait<Q>(&mut self, key: &Q, limit: usize, window: TimeDelta, now: DateTime<Utc>) -> TimeDelta
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(attempts) = self.recent(key, window, now) else { return TimeDelta::zero() };
        // The attempt that must leave the window first.
        match attempts.len().checked_sub(limit).and_then(|at| attempts.get(at)) {
            Some(time) => (window - (now - *time)).clamp(TimeDelta::zero(), window),
            None => TimeDelta::zero(),
        }
    }

    /// Drops all but the last `most` attempts in the window, and returns how many there are.
    fn keep_last<Q>(&mut self, key: &Q, most: usize, window: TimeDelta, now: DateTime<Utc>) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(attempts) = self.recent(key, window, now) else { return 0 };
        let excess = attempts.len().saturating_sub(most);
        attempts.drain(..excess);
        attempts.len()
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

    /// Removes the attempt of this time. `false` if there is none.
    fn take_back<Q>(&mut self, key: &Q, counted_at: DateTime<Utc>) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let Some(attempts) = self.attempts.get_mut(key) else { return false };
        let Some(place) = attempts.iter().rposition(|time| *time == counted_at) else { return false };
        attempts.remove(place);
        if attempts.is_empty() {
            self.attempts.remove(key);
        }
        true
    }
}

#[cfg(test)]
mod tests;

//! Verified passwords, so that an HTTP client that sends its password with each request does not pay for Argon2 each
//! time.
//!
//! The cache stores an HMAC under a key that exists only in this process, and no password. The caller must still check
//! in the directory whether the user is enabled.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use holdfast_access::Principal;
use ring::hmac;
use ring::rand::SystemRandom;

/// How long a verified password is not verified again.
const TIME_TO_LIVE: Duration = Duration::from_secs(60);
const MAX_ENTRIES: usize = 1_000;

/// Principals of verified passwords, by [`PasswordCache::mac`].
pub(super) struct PasswordCache {
    key: hmac::Key,
    entries: Mutex<HashMap<Vec<u8>, Entry>>,
}

struct Entry {
    verified_at: Instant,
    /// When the verified password was set. A change of the password invalidates the entry.
    set_at: Option<DateTime<Utc>>,
    principal: Principal,
}

impl PasswordCache {
    pub(super) fn new() -> anyhow::Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let key = key.map_err(|_| anyhow::anyhow!("the system gave no random numbers"))?;
        Ok(Self { key, entries: Mutex::default() })
    }

    /// HMAC-SHA-256 of user and password, under the key of this process.
    pub(super) fn mac(&self, user: &str, password: &str) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(user.len() as u64).to_le_bytes());
        context.update(user.as_bytes());
        context.update(password.as_bytes());
        context.sign().as_ref().to_vec()
    }

    /// The principal, unless the entry is older than a minute or the password was changed. `set_at` is when the user's
    /// password was set.
    pub(super) fn get(&self, mac: &[u8], set_at: Option<DateTime<Utc>>, now: Instant) -> Option<Principal> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(mac)?;
        let is_valid = entry.set_at == set_at && now.duration_since(entry.verified_at) < TIME_TO_LIVE;
        is_valid.then(|| entry.principal.clone())
    }

    /// Adds a verified password, and removes expired entries. A full cache takes no more.
    pub(super) fn put(&self, mac: Vec<u8>, set_at: Option<DateTime<Utc>>, principal: Principal, now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| now.duration_since(entry.verified_at) < TIME_TO_LIVE);
        if entries.len() < MAX_ENTRIES {
            entries.insert(mac, Entry { verified_at: now, set_at, principal });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_valid_for_a_minute_and_not_after_a_change_of_the_password() {
        let cache = PasswordCache::new().unwrap();
        let (start, set_at) = (Instant::now(), DateTime::from_timestamp(1, 0));
        let principal = Principal::local("ada", Vec::new());
        cache.put(cache.mac("ada", "right"), set_at, principal.clone(), start);
        let is_cached = |user: &str, password: &str, set_at, after| {
            cache.get(&cache.mac(user, password), set_at, start + Duration::from_secs(after)).is_some()
        };
        assert!(is_cached("ada", "right", set_at, 59));
        assert!(!is_cached("ada", "right", set_at, 60));
        assert!(!is_cached("ada", "right", DateTime::from_timestamp(2, 0), 1));
        assert!(!is_cached("ada", "wrong", set_at, 1));
        assert!(!is_cached("adar", "ight", set_at, 1));
    }
}

//! Verified passwords, so that an HTTP client that sends its password with each request does not pay for Argon2 each
//! time.
//!
//! The cache stores an HMAC under a key that exists only in this process, and no password. The caller must still check
//! in the directory whether the user is enabled.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    /// The mark of the verified password. A change of the password invalidates the entry.
    mark: Option<[u8; 32]>,
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

    /// The principal, unless the entry is older than a minute or the password was changed. `mark` is the present
    /// [`holdfast_access::Directory::password_mark`] of the user.
    pub(super) fn get(&self, mac: &[u8], mark: Option<[u8; 32]>, now: Instant) -> Option<Principal> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(mac)?;
        let is_valid = entry.mark == mark && now.duration_since(entry.verified_at) < TIME_TO_LIVE;
        is_valid.then(|| entry.principal.clone())
    }

    /// Adds a verified password, and removes expired entries. A full cache takes no more. An entry that is there keeps its
    /// time.
    pub(super) fn put(&self, mac: Vec<u8>, mark: Option<[u8; 32]>, principal: Principal, now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|key, entry| {
            let is_another_password = *key == mac && entry.mark != mark;
            !is_another_password && now.duration_since(entry.verified_at) < TIME_TO_LIVE
        });
        if entries.len() < MAX_ENTRIES {
            entries.entry(mac).or_insert(Entry { verified_at: now, mark, principal });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_valid_for_a_minute_and_not_after_a_change_of_the_password() {
        let cache = PasswordCache::new().unwrap();
        let (start, mark) = (Instant::now(), Some([1; 32]));
        let principal = Principal::local("ada", Vec::new());
        cache.put(cache.mac("ada", "right"), mark, principal.clone(), start);
        let is_cached = |user: &str, password: &str, mark, after| {
            cache.get(&cache.mac(user, password), mark, start + Duration::from_secs(after)).is_some()
        };
        assert!(is_cached("ada", "right", mark, 59));
        assert!(!is_cached("ada", "right", mark, 60));
        assert!(!is_cached("ada", "right", Some([2; 32]), 1));
        assert!(!is_cached("ada", "wrong", mark, 1));
        assert!(!is_cached("adar", "ight", mark, 1));
        // Adding it again does not prolong it, and another password replaces it.
        cache.put(cache.mac("ada", "right"), mark, principal.clone(), start + Duration::from_secs(30));
        assert!(!is_cached("ada", "right", mark, 60));
        cache.put(cache.mac("ada", "right"), Some([2; 32]), principal, start + Duration::from_secs(30));
        assert!(is_cached("ada", "right", Some([2; 32]), 89) && !is_cached("ada", "right", mark, 31));
    }
}

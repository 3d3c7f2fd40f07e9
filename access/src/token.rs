//! API tokens: `hf_<id>_<secret>`. The id is public and identifies the record; the secret has 256 random bits.
//!
//! Checking an Argon2id hash for each request would cost more than many requests do. So a verified token is cached: as a hash
//! keyed with a secret of this process, only in memory, and a bounded number of them. What can change (revoked, expired,
//! disabled) is not cached but checked each time.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::randomness::{NoRandomness, ProcessKey, Randomness, draw};

/// The greatest number of bytes that is parsed. A token has 63.
pub(crate) const MAX_TOKEN_BYTES: usize = 128;
const PREFIX: &str = "hf_";
const ID_DIGITS: usize = 16;
const SECRET_BYTES: usize = 32;
/// The greatest number of cached tokens. If more are in use at once, their hashes are computed again.
const MAX_CACHED_TOKENS: usize = 1024;

/// A new token with its secret. The directory stores only a hash.
pub struct ApiToken {
    id: String,
    text: Zeroizing<String>,
}

impl ApiToken {
    pub(crate) fn generate(randomness: &mut dyn Randomness) -> Result<Self, NoRandomness> {
        let id = u64::from_be_bytes(*draw::<8>(randomness)?);
        let id = format!("{id:0width$x}", width = ID_DIGITS);
        let secret = draw::<SECRET_BYTES>(randomness)?;
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(*secret));
        let text = Zeroizing::new(format!("{PREFIX}{id}_{}", *secret));
        Ok(Self { id, text })
    }

    /// Its id, which is not secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole token, secret included.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    pub(crate) fn secret(&self) -> &str {
        &self.text[PREFIX.len() + ID_DIGITS + 1..]
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiToken").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The parts of a token's text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenParts<'a> {
    pub(crate) id: &'a str,
    pub(crate) secret: &'a str,
}

/// Whether a text is a token's id.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() == ID_DIGITS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Splits a token into its parts. `None` if the text does not have the form of a token.
pub(crate) fn parse(text: &str) -> Option<TokenParts<'_>> {
    // The secret may contain underscores, the id may not.
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let is_secret = URL_SAFE_NO_PAD.decode(secret).map(Zeroizing::new).is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
    (is_id(id) && is_secret).then_some(TokenParts { id, secret })
}

/// The verified tokens.
pub(crate) struct TokenCache {
    key: ProcessKey,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    hashes: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl TokenCache {
    pub(crate) fn new(key: ProcessKey) -> Self {
        Self { key, entries: Mutex::default() }
    }

    pub(crate) fn contains(&self, token: &str) -> bool {
        let hash = self.hash(token);
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).hashes.contains(&hash)
    }

    pub(crate) fn insert(&self, token: &str) {
        let hash = self.hash(token);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.hashes.insert(hash) {
            entries.order.push_back(hash);
            if entries.order.len() > MAX_CACHED_TOKENS
                && let Some(oldest) = entries.order.pop_front()
            {
                entries.hashes.remove(&oldest);
            }
        }
    }

    pub(crate) fn clear(&self) {
        *self.entries.lock().unwrap_or_else(PoisonError::into_inner) = Entries::default();
    }

    pub(crate) fn key(&self) -> &ProcessKey {
        &self.key
    }

    fn hash(&self, token: &str) -> [u8; 32] {
        self.key.hash("token", token)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SystemRandomness;

    #[test]
    fn a_token_survives_writing_and_reading_and_debug_hides_the_secret() {
        let token = ApiToken::generate(&mut SystemRandomness).unwrap();
        assert_eq!(token.reveal().len(), 63);
        let parts = parse(token.reveal()).unwrap();
        assert_eq!((parts.id, parts.secret), (token.id(), token.secret()));
        assert!(!format!("{token:?}").contains(token.secret()));
        assert_ne!(ApiToken::generate(&mut SystemRandomness).unwrap().reveal(), token.reveal());
    }

    #[test]
    fn the_cache_is_bounded_and_evicts_the_oldest_token() {
        let cache = TokenCache::new(ProcessKey::generate(&mut SystemRandomness).unwrap());
        for number in 0..=MAX_CACHED_TOKENS {
            cache.insert(&number.to_string());
            cache.insert(&number.to_string());
        }
        assert!(!cache.contains("0"));
        assert!(cache.contains("1") && cache.contains(&MAX_CACHED_TOKENS.to_string()));
        assert_eq!(cache.entries.lock().unwrap().hashes.len(), MAX_CACHED_TOKENS);
        cache.clear();
        assert!(!cache.contains("1"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn the_parts_of_a_parsed_token_are_the_text(text in "(hf_)?[0-9a-f]{15,17}_[A-Za-z0-9_-]{42,44}") {
            if let Some(TokenParts { id, secret }) = parse(&text) {
                prop_assert_eq!(format!("hf_{id}_{secret}"), text.as_str());
                prop_assert_eq!((id.len(), secret.len()), (16, 43));
            }
        }

        #[test]
        fn every_generated_token_is_parsed(seed in any::<[u8; 40]>()) {
            let mut bytes = seed.iter().copied().cycle();
            let mut randomness = |out: &mut [u8]| {
                out.iter_mut().zip(&mut bytes).for_each(|(out, byte)| *out = byte);
                Ok(())
            };
            let token = ApiToken::generate(&mut randomness).unwrap();
            let parts = parse(token.reveal()).expect("a generated token has the form of one");
            prop_assert_eq!(parts.id, token.id());
        }
    }
}

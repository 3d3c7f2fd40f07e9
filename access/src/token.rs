//! API tokens: `hf_<id>_<secret>`. The id is public and finds the record; the secret has 256 random bits.
//!
//! Checking an Argon2id hash for each request would cost more than many of the requests. So a token that was found right is
//! remembered: as a hash keyed with a secret of this process, in memory alone, a bounded number of them. What has to be looked up
//! each time (revoked, expired, disabled) is not remembered.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::randomness::{NoRandomness, ProcessKey, Randomness, draw};

/// Bytes of a text that is looked at at all; a token has 63.
pub(crate) const MAX_TOKEN_BYTES: usize = 128;
const PREFIX: &str = "hf_";
const ID_DIGITS: usize = 16;
const SECRET_BYTES: usize = 32;
/// Tokens that are remembered. More than this in use at once cost their hash again.
const REMEMBERED: usize = 1024;

/// A token that was just issued. It is shown this once; the directory keeps a hash.
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

    /// Its id, which is no secret.
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

/// Takes a token apart, if it has the form of one.
pub(crate) fn parse(text: &str) -> Option<TokenParts<'_>> {
    // The secret may contain underscores, the id may not.
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let is_secret = URL_SAFE_NO_PAD.decode(secret).map(Zeroizing::new).is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
    (is_id(id) && is_secret).then_some(TokenParts { id, secret })
}

/// The tokens that were found right.
pub(crate) struct TokenMemory {
    key: ProcessKey,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    hashes: HashSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl TokenMemory {
    pub(crate) fn new(key: ProcessKey) -> Self {
        Self { key, seen: Mutex::default() }
    }

    pub(crate) fn knows(&self, token: &str) -> bool {
        let hash = self.hash(token);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).hashes.contains(&hash)
    }

    pub(crate) fn remember(&self, token: &str) {
        let hash = self.hash(token);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.hashes.insert(hash) {
            seen.order.push_back(hash);
            if seen.order.len() > REMEMBERED
                && let Some(oldest) = seen.order.pop_front()
            {
                seen.hashes.remove(&oldest);
            }
        }
    }

    pub(crate) fn forget_all(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
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
    fn a_token_is_read_as_it_is_written_and_shown_once() {
        let token = ApiToken::generate(&mut SystemRandomness).unwrap();
        assert_eq!(token.reveal().len(), 63);
        let parts = parse(token.reveal()).unwrap();
        assert_eq!((parts.id, parts.secret), (token.id(), token.secret()));
        assert!(!format!("{token:?}").contains(token.secret()));
        assert_ne!(ApiToken::generate(&mut SystemRandomness).unwrap().reveal(), token.reveal());
    }

    #[test]
    fn only_so_many_tokens_are_remembered_and_the_oldest_goes_first() {
        let memory = TokenMemory::new(ProcessKey::generate(&mut SystemRandomness).unwrap());
        for number in 0..=REMEMBERED {
            memory.remember(&number.to_string());
            memory.remember(&number.to_string());
        }
        assert!(!memory.knows("0"));
        assert!(memory.knows("1") && memory.knows(&REMEMBERED.to_string()));
        assert_eq!(memory.seen.lock().unwrap().hashes.len(), REMEMBERED);
        memory.forget_all();
        assert!(!memory.knows("1"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_read_is_the_text_in_parts(text in "(hf_)?[0-9a-f]{15,17}_[A-Za-z0-9_-]{42,44}") {
            if let Some(TokenParts { id, secret }) = parse(&text) {
                prop_assert_eq!(format!("hf_{id}_{secret}"), text.as_str());
                prop_assert_eq!((id.len(), secret.len()), (16, 43));
            }
        }

        #[test]
        fn every_generated_token_is_read(seed in any::<[u8; 40]>()) {
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

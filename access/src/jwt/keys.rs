//! A provider's keys: a JWK Set (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::signature::{Algorithm, PublicKey};
use crate::{Denied, JwtError};

/// Bytes of a key set.
const MAX_JWKS_BYTES: usize = 256 << 10;
/// Keys of a set. Providers have a few.
const MAX_KEYS: usize = 100;
/// Bytes of an RSA modulus: 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Why a text is not a usable key set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// It is too long.
    #[error("the key set has {bytes} bytes; the limit is {MAX_JWKS_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It is not the JSON of a key set.
    #[error("this is not a JWK Set (RFC 7517): {0}")]
    Text(String),
    /// It has too many keys.
    #[error("the key set has {count} keys; the limit is {MAX_KEYS}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// None of its keys verifies signatures with an allowed algorithm.
    #[error("none of the {count} keys is an RSA (2048 bits or more), P-256, P-384 or Ed25519 key for signatures")]
    NoUsableKey {
        /// How many there are.
        count: usize,
    },
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The only algorithm that it may be used with, if the key names one (`alg`).
    algorithm: Option<Algorithm>,
    public: PublicKey,
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        self.public.fits(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

/// The usable keys of a set.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

impl Keys {
    pub(super) fn parse(text: &str) -> Result<Self, JwksError> {
        if text.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLong { bytes: text.len() });
        }
        let set: JwkSet = serde_json::from_str(text).map_err(|error| JwksError::Text(error.to_string()))?;
        let count = set.keys.len();
        if count > MAX_KEYS {
            return Err(JwksError::TooMany { count });
        }
        // RFC 7517, section 5: keys that are not understood are ignored.
        let keys: Vec<Key> = set.keys.into_iter().filter_map(key).collect();
        if keys.is_empty() { Err(JwksError::NoUsableKey { count }) } else { Ok(Self(keys)) }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key for a token with this key id and algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&PublicKey, Denied> {
        let Some(id) = id else {
            let mut fitting = self.0.iter().filter(|key| key.fits(algorithm));
            return match (fitting.next(), fitting.next()) {
                (Some(only), None) => Ok(&only.public),
                (Some(_), Some(_)) => Err(JwtError::NoKeyId.into()),
                (None, _) => Err(Denied::NeedsKeys),
            };
        };
        let mut named = self.0.iter().filter(|key| key.id.as_deref() == Some(id)).peekable();
        if named.peek().is_none() {
            return Err(Denied::NeedsKeys);
        }
        named
            .find(|key| key.fits(algorithm))
            .map(|key| &key.public)
            .ok_or_else(|| JwtError::AlgorithmOfAnotherKey.into())
    }
}

fn key(value: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let is_for_signatures = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
        && jwk.key_ops.as_ref().is_none_or(|uses| uses.iter().any(|operation| operation == "verify"));
    if !is_for_signatures {
        return None;
    }
    // A key that names a disallowed algorithm must not be used with another algorithm.
    let algorithm = match &jwk.alg {
        Some(name) => Some(Algorithm::of(name)?),
        None => None,
    };
    let public = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => rsa(jwk.n.as_deref()?, jwk.e.as_deref()?)?,
        ("EC", Some("P-256")) => PublicKey::P256(point(jwk.x.as_deref()?, jwk.y.as_deref()?, 32)?),
        ("EC", Some("P-384")) => PublicKey::P384(point(jwk.x.as_deref()?, jwk.y.as_deref()?, 48)?),
        ("OKP", Some("Ed25519")) => PublicKey::Ed25519(bytes(jwk.x.as_deref()?, 32)?),
        _ => return None,
    };
    Some(Key { id: jwk.kid, algorithm, public })
}

fn rsa(modulus: &str, exponent: &str) -> Option<PublicKey> {
    let number = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        // Some providers put a zero byte before a number whose first bit is set.
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(bytes[zeros..].to_vec())
    };
    let (modulus, exponent) = (number(modulus)?, number(exponent)?);
    (RSA_BYTES.contains(&modulus.len()) && (1..=8).contains(&exponent.len()))
        .then_some(PublicKey::Rsa { modulus, exponent })
}

fn point(x: &str, y: &str, length: usize) -> Option<Vec<u8>> {
    Some([vec![4], bytes(x, length)?, bytes(y, length)?].concat())
}

fn bytes(text: &str, length: usize) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == length)
}

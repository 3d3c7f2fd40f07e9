//! The source of random bytes, which tests can replace.

use std::fmt;

use ring::hmac;
use ring::rand::SecureRandom as _;
use zeroize::Zeroizing;

/// A source of random bytes that cannot be guessed.
pub trait Randomness {
    /// Fills `bytes`.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] if the source failed. `bytes` must not be used then.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The source of random bytes failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system returned no random numbers")]
pub struct NoRandomness;

/// The operating system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        ring::rand::SystemRandom::new().fill(bytes).map_err(|_| NoRandomness)
    }
}

impl<F: FnMut(&mut [u8]) -> Result<(), NoRandomness>> Randomness for F {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        self(bytes)
    }
}

/// `N` random bytes.
pub(crate) fn draw<const N: usize>(randomness: &mut dyn Randomness) -> Result<Zeroizing<[u8; N]>, NoRandomness> {
    let mut bytes = Zeroizing::new([0; N]);
    randomness.fill(&mut *bytes)?;
    Ok(bytes)
}

/// A secret of this process. It keys the cache of verified tokens and the mock SCRAM verifiers of unknown users. Keep it when the
/// directory is reloaded, so that these verifiers do not change.
#[derive(Clone)]
pub struct ProcessKey(hmac::Key);

impl ProcessKey {
    /// Draws a new one.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`].
    pub fn generate(randomness: &mut dyn Randomness) -> Result<Self, NoRandomness> {
        let bytes = draw::<32>(randomness)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &*bytes)))
    }

    /// A keyed hash of a text, with domain separation by `used_for`.
    pub(crate) fn hash(&self, used_for: &str, text: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(used_for.as_bytes());
        context.update(&[0]);
        context.update(text.as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }
}

impl fmt::Debug for ProcessKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ProcessKey")
    }
}

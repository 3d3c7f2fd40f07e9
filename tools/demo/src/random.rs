//! Random numbers that depend only on the seed and the number of the stream.
//!
//! Ranges are drawn with integer arithmetic, so the results do not depend on the machine or the version of a library.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// One independent stream of numbers.
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// Stream `stream` of `seed`. Each session has its own, so it does not depend on how many numbers another session drew.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        source.set_stream(stream);
        Self(source)
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 up to and without `end`; 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(end)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included; `low` when the range is empty.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as u64) as i64
    }

    /// Like `between`, small numbers more often than large ones.
    pub(crate) fn mostly_small(&mut self, low: i64, high: i64) -> i64 {
        let square = self.below(1000).pow(2) as i64;
        low + (high - low).max(0) * square / 1_000_000
    }

    /// True with a probability of `permille` in a thousand.
    pub(crate) fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// One of `things`, which must not be empty.
    pub(crate) fn pick<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len() as u64) as usize]
    }

    /// One of `words`, which must not be empty.
    pub(crate) fn word<'t>(&mut self, words: &[&'t str]) -> &'t str {
        words[self.below(words.len() as u64) as usize]
    }

    /// An index, with a probability in proportion to its weight.
    pub(crate) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().map(|weight| u64::from(*weight)).sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < u64::from(*weight) {
                return index;
            }
            left -= u64::from(*weight);
        }
        0
    }
}

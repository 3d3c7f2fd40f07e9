//! The users and their API tokens.
//!
//! ```text
//! TOML text ──parse──▶ Directory ──to_toml──▶ TOML text
//!                       │    ▲
//!     check_password,   │    │  add, remove, set_password, set_disabled,
//!     check_token,      ▼    │  issue_token, revoke_token
//!     scram        Principal or Denied
//! ```
//!
//! Invariants:
//! - parse(to_toml(directory)) is the directory.
//! - Every token belongs to a user who exists. Every user with the role agent has a list of agents that bounds their rows.
//! - Checking the password of a user who does not exist computes the same hash as for a user who does.

mod change;
mod check;
mod error;
mod file;
mod limits;
mod login;
mod record;
#[cfg(test)]
mod tests;
mod validate;

pub use change::NewUser;
pub(crate) use check::rows;
pub use error::DirectoryError;
pub(crate) use limits::MAX_NAME_BYTES;
pub use login::Login;
pub use record::{TokenRecord, User};

use std::collections::BTreeMap;

use crate::password::Cost;
use crate::randomness::{ProcessKey, SystemRandomness};
use crate::token::TokenCache;

/// What the hashes cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Costs {
    pub(crate) password: Cost,
    pub(crate) token: Cost,
}

impl Costs {
    const REAL: Self = Self { password: Cost::PASSWORD, token: Cost::TOKEN };
}

/// The users and their API tokens.
pub struct Directory {
    users: BTreeMap<String, User>,
    tokens: BTreeMap<String, TokenRecord>,
    cache: TokenCache,
    costs: Costs,
}

impl Directory {
    /// A directory without users.
    pub fn empty(key: ProcessKey) -> Self {
        Self { users: BTreeMap::new(), tokens: BTreeMap::new(), cache: TokenCache::new(key), costs: Costs::REAL }
    }

    /// Reads a directory, with a process key from the system's random numbers.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] names the line or the entry that is wrong.
    pub fn parse(text: &str) -> Result<Self, DirectoryError> {
        Self::parse_with(text, ProcessKey::generate(&mut SystemRandomness)?)
    }

    /// Reads a directory. A caller that reloads the file passes the same key each time.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] names the line or the entry that is wrong.
    pub fn parse_with(text: &str, key: ProcessKey) -> Result<Self, DirectoryError> {
        let mut directory = Self::empty(key);
        (directory.users, directory.tokens) = file::read(text)?;
        Ok(directory)
    }

    /// The text that [`parse`](Self::parse) reads back as this directory. Store it in a file that only its owner can read.
    pub fn to_toml(&self) -> zeroize::Zeroizing<String> {
        file::write(self.users.values(), self.tokens.values())
    }

    /// The users by name.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// One user.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// The tokens by id, including revoked ones.
    pub fn tokens(&self) -> impl Iterator<Item = &TokenRecord> {
        self.tokens.values()
    }

    #[cfg(test)]
    pub(crate) fn with_costs(mut self, costs: Costs) -> Self {
        self.costs = costs;
        self
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Directory")
            .field("users", &self.users.len())
            .field("tokens", &self.tokens.len())
            .finish_non_exhaustive()
    }
}

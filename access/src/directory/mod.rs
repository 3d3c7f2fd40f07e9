//! The users and their API tokens.
//!
//! ```text
//! TOML text ──parse──▶ Directory ──to_toml──▶ TOML text
//!                       │    ▲
//!     check_password,   │    │  add, remove, set_password, disable,
//!     check_token,      ▼    │  issue_token, revoke_token
//!     scram        Principal or Denied
//! ```
//!
//! Invariants:
//! - parse(to_toml(directory)) is the directory.
//! - Every token belongs to a user who exists; every agent has agents whose sessions they are bounded to.
//! - Checking the password of a user who does not exist computes the same hash as that of one who does.

mod change;
mod check;
pub(crate) use check::rows;
mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::moment::Moment;
use crate::password::{Cost, SecretHash};
use crate::randomness::{NoRandomness, ProcessKey, SystemRandomness};
use crate::scram::ScramVerifier;
use crate::token::TokenMemory;
use crate::{InvalidScope, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARACTERS, Role, Scope};

pub use change::NewUser;

/// Bytes of a user's name.
pub(crate) const MAX_NAME_BYTES: usize = 128;
/// Bytes of the name of a token.
const MAX_TOKEN_NAME_BYTES: usize = 128;
/// Users, and tokens, in one file.
const MAX_ENTRIES: usize = 20_000;
/// Bytes of the file.
const MAX_TEXT_BYTES: usize = 32 << 20;

/// Somebody who can be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) scope: Scope,
    pub(crate) is_disabled: bool,
    pub(crate) created_at: Moment,
    pub(crate) expires_at: Option<Moment>,
    pub(crate) password: Option<Password>,
}

/// What is kept of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Password {
    pub(crate) hash: SecretHash,
    pub(crate) scram: ScramVerifier,
    pub(crate) set_at: Moment,
}

impl User {
    /// The name they are let in by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What they are.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whose sessions they see.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether they are not let in for now.
    pub fn is_disabled(&self) -> bool {
        self.is_disabled
    }

    /// When they were added.
    pub fn created_at(&self) -> DateTime<Utc> {
        self.created_at.0
    }

    /// Until when they are let in.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at.map(|moment| moment.0)
    }

    /// When their password was set, if they have one.
    pub fn password_set_at(&self) -> Option<DateTime<Utc>> {
        self.password.as_ref().map(|password| password.set_at.0)
    }
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) name: String,
    pub(crate) hash: SecretHash,
    pub(crate) created_at: Moment,
    pub(crate) expires_at: Option<Moment>,
    pub(crate) revoked_at: Option<Moment>,
}

impl TokenRecord {
    /// Its id, the part behind `hf_`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What it is for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was issued.
    pub fn created_at(&self) -> DateTime<Utc> {
        self.created_at.0
    }

    /// Until when it is good.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at.map(|moment| moment.0)
    }

    /// When it was revoked, if it was.
    pub fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.revoked_at.map(|moment| moment.0)
    }
}

/// Why a directory cannot be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The text is not the TOML that is expected.
    #[error("line {line}: {message}")]
    Text {
        /// Where, from 1.
        line: usize,
        /// What is wrong. It does not repeat the line, which may be a secret.
        message: String,
    },
    /// The text is longer than a directory can be.
    #[error("there are {bytes} bytes; a directory has at most {MAX_TEXT_BYTES}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// There are too many users or tokens.
    #[error("there would be more than {MAX_ENTRIES} {what}; remove some that are not used any more")]
    TooMany {
        /// `users` or `tokens`.
        what: &'static str,
    },
    /// The name cannot be a user's.
    #[error(
        "{name:?} cannot be a user's name; give it 1 to {MAX_NAME_BYTES} ASCII letters, digits and . _ @ + -, with a letter or \
         a digit first"
    )]
    UserName {
        /// The name.
        name: String,
    },
    /// There is a user of this name.
    #[error("there is a user {name:?} already; choose another name, or remove that one first")]
    UserExists {
        /// The name.
        name: String,
    },
    /// There is no such user.
    #[error("there is no user {name:?}; `holdfast users list` lists them")]
    NoSuchUser {
        /// The name.
        name: String,
    },
    /// What bounds a user's rows is wrong.
    #[error("user {name:?}: {reason}")]
    Scope {
        /// The user.
        name: String,
        /// What is wrong.
        reason: InvalidScope,
    },
    /// An agent sees the own sessions, and must therefore have agents.
    #[error(
        "user {name:?} has the role agent and no agents; name those whose sessions they see, as the events name them"
    )]
    AgentWithoutAgents {
        /// The user.
        name: String,
    },
    /// Of password hash, verifier and time there are only some.
    #[error("user {name:?} has only some of password, scram and password_set_at; set the password again")]
    HalfAPassword {
        /// The user.
        name: String,
    },
    /// The password is too short, too long, or has control characters.
    #[error(
        "the password cannot be used; give it {MIN_PASSWORD_CHARACTERS} characters or more, at most {MAX_PASSWORD_BYTES} bytes, \
         and no control characters"
    )]
    Password,
    /// The id cannot be a token's.
    #[error("token {id:?}: an id has 16 hexadecimal digits; issue a new token")]
    TokenId {
        /// The id.
        id: String,
    },
    /// Two tokens have one id.
    #[error("token {id}: this id is there twice; remove one of them")]
    TokenExists {
        /// The id.
        id: String,
    },
    /// The token's name is none.
    #[error("{name:?} cannot be a token's name; give it 1 to {MAX_TOKEN_NAME_BYTES} bytes without control characters")]
    TokenName {
        /// The name.
        name: String,
    },
    /// The user of a token does not exist.
    #[error("token {id} belongs to user {user:?}, who does not exist; remove it, or add the user")]
    TokenOfNobody {
        /// The token's id.
        id: String,
        /// The user's name.
        user: String,
    },
    /// There is no such token.
    #[error("there is no token {id:?}; `holdfast users token list` lists them")]
    NoSuchToken {
        /// The id.
        id: String,
    },
    /// It would be expired from the begin.
    #[error("the expiry is not in the future; name a later one")]
    AlreadyExpired,
    /// A password could not be hashed.
    #[error("Argon2 refused to hash; report this")]
    Hash,
    /// There were no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// What hashes cost.
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
    memory: TokenMemory,
    costs: Costs,
}

impl Directory {
    /// Nobody.
    pub fn empty(key: ProcessKey) -> Self {
        Self { users: BTreeMap::new(), tokens: BTreeMap::new(), memory: TokenMemory::new(key), costs: Costs::REAL }
    }

    /// Reads a directory, with a process key from the system's random numbers.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] names the line or the entry that is wrong.
    pub fn parse(text: &str) -> Result<Self, DirectoryError> {
        Self::parse_with(text, ProcessKey::generate(&mut SystemRandomness)?)
    }

    /// Reads a directory. Whoever reads it again and again keeps the key.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] names the line or the entry that is wrong.
    pub fn parse_with(text: &str, key: ProcessKey) -> Result<Self, DirectoryError> {
        let mut directory = Self::empty(key);
        (directory.users, directory.tokens) = file::read(text)?;
        Ok(directory)
    }

    /// The text that is read back as this directory. It belongs into a file that only its owner reads.
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

    /// The tokens by id; revoked ones as well.
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

pub(crate) fn check_user_name(name: &str) -> Result<(), DirectoryError> {
    let is_name = name.len() <= MAX_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._@+-".contains(letter));
    if is_name { Ok(()) } else { Err(DirectoryError::UserName { name: name.chars().take(64).collect() }) }
}

pub(crate) fn check_token_name(name: &str) -> Result<(), DirectoryError> {
    let is_name = (1..=MAX_TOKEN_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
    if is_name { Ok(()) } else { Err(DirectoryError::TokenName { name: name.chars().take(64).collect() }) }
}

/// The bound on a user's rows, checked against the role.
pub(crate) fn check_scope(name: &str, role: Role, scope: Scope) -> Result<Scope, DirectoryError> {
    let scope = Scope::new(scope.portals, scope.agents)
        .map_err(|reason| DirectoryError::Scope { name: name.to_owned(), reason })?;
    if role == Role::Agent && scope.agents.is_none() {
        return Err(DirectoryError::AgentWithoutAgents { name: name.to_owned() });
    }
    Ok(scope)
}

//! Why a directory cannot be read or changed.

use super::limits::{MAX_ENTRIES, MAX_NAME_BYTES, MAX_TEXT_BYTES, MAX_TOKEN_NAME_BYTES};
use crate::randomness::NoRandomness;
use crate::{InvalidScope, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARACTERS};

/// Why a directory cannot be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The text is not the TOML that is expected.
    #[error("line {line}: {message}")]
    Text {
        /// The line, from 1.
        line: usize,
        /// What is wrong. It does not repeat the line, which may be a secret.
        message: String,
    },
    /// The text is longer than a directory can be.
    #[error("the file has {bytes} bytes; a directory has at most {MAX_TEXT_BYTES}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// There are too many users or tokens.
    #[error("there would be more than {MAX_ENTRIES} {what}; remove some that are no longer used")]
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
    /// A user of this name exists.
    #[error("user {name:?} already exists; choose another name, or remove that user first")]
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
    /// The scope of a user is invalid.
    #[error("user {name:?}: {reason}")]
    Scope {
        /// The user.
        name: String,
        /// What is wrong.
        reason: InvalidScope,
    },
    /// A user with the role agent reads only the sessions of listed agents, so the list is required.
    #[error(
        "user {name:?} has the role agent and no agents; list the agents whose sessions they may read, as the events name them"
    )]
    AgentWithoutAgents {
        /// The user.
        name: String,
    },
    /// Only some of password hash, SCRAM verifier and time are present.
    #[error("user {name:?} has only some of password, scram and password_set_at; set the password again")]
    IncompletePassword {
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
    #[error("token {id}: two tokens have this id; remove one of them")]
    TokenExists {
        /// The id.
        id: String,
    },
    /// The name cannot be a token's.
    #[error("{name:?} cannot be a token's name; give it 1 to {MAX_TOKEN_NAME_BYTES} bytes without control characters")]
    TokenName {
        /// The name.
        name: String,
    },
    /// The user of a token does not exist.
    #[error("token {id} belongs to user {user:?}, who does not exist; remove it, or add the user")]
    TokenWithoutUser {
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
    /// It would be expired from the start.
    #[error("the expiry is not in the future; give a later one")]
    AlreadyExpired,
    /// A password could not be hashed.
    #[error("Argon2 refused to hash; report this")]
    Hash,
    /// The source of random bytes failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

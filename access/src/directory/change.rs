//! Changes of the directory. Each checks everything first, so a refused change changes nothing.

use chrono::{DateTime, Utc};

use super::Directory;
use super::error::DirectoryError;
use super::limits::MAX_ENTRIES;
use super::record::{Password, TokenRecord, User};
use super::validate::{check_scope, check_token_name, check_user_name};
use crate::moment::Moment;
use crate::password::{Cost, HashFailed, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARACTERS, SecretHash, prepared};
use crate::randomness::{Randomness, draw};
use crate::scram::{SALT_BYTES, SCRAM_ITERATIONS, ScramVerifier};
use crate::token::ApiToken;
use crate::{Role, Scope};

/// A user to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name they authenticate with.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// The sessions that are visible to them.
    pub scope: Scope,
    /// When the account expires.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Directory {
    /// Adds a user, who has no password yet.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] if the name is taken, or the name, scope or expiry is invalid.
    pub fn add(&mut self, new: NewUser, now: DateTime<Utc>) -> Result<(), DirectoryError> {
        let NewUser { name, role, scope, expires_at } = new;
        check_user_name(&name)?;
        if self.users.contains_key(&name) {
            return Err(DirectoryError::UserExists { name });
        }
        if self.users.len() >= MAX_ENTRIES {
            return Err(DirectoryError::TooMany { what: "users" });
        }
        let scope = check_scope(&name, role, scope)?;
        let user = User {
            name: name.clone(),
            role,
            scope,
            is_disabled: false,
            created_at: Moment::of(now),
            expires_at: future(expires_at, now)?,
            password: None,
        };
        self.users.insert(name, user);
        Ok(())
    }

    /// Removes a user with their tokens, and returns the number of tokens.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::NoSuchUser`].
    pub fn remove(&mut self, name: &str) -> Result<usize, DirectoryError> {
        self.users.remove(name).ok_or_else(|| no_such_user(name))?;
        let before = self.tokens.len();
        self.tokens.retain(|_, token| token.user != name);
        self.cache.clear();
        Ok(before - self.tokens.len())
    }

    /// Disables a user and their tokens, or enables them again.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::NoSuchUser`].
    pub fn set_disabled(&mut self, name: &str, is_disabled: bool) -> Result<(), DirectoryError> {
        self.user_mut(name)?.is_disabled = is_disabled;
        Ok(())
    }

    /// Sets a user's password.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] if there is no such user, or the password is too short, too long, or has control characters.
    pub fn set_password(
        &mut self,
        name: &str,
        password: &str,
        now: DateTime<Utc>,
        randomness: &mut dyn Randomness,
    ) -> Result<(), DirectoryError> {
        let cost = self.costs.password;
        let user = self.user_mut(name)?;
        let is_valid = password.len() <= MAX_PASSWORD_BYTES
            && password.chars().count() >= MIN_PASSWORD_CHARACTERS
            && !password.chars().any(char::is_control);
        if !is_valid {
            return Err(DirectoryError::Password);
        }
        let password = prepared(password);
        let hash = hash(&password, cost, randomness)?;
        let salt = draw::<SALT_BYTES>(randomness)?.to_vec();
        let iterations = std::num::NonZeroU32::new(SCRAM_ITERATIONS).unwrap_or(std::num::NonZeroU32::MIN);
        let scram = ScramVerifier::derive(&password, salt, iterations);
        user.password = Some(Password { hash, scram, set_at: Moment::of(now) });
        Ok(())
    }

    /// Issues a token for a user. The secret is only in the returned value; the directory keeps a hash.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] if there is no such user, or the name or expiry is invalid.
    pub fn issue_token(
        &mut self,
        user: &str,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        randomness: &mut dyn Randomness,
    ) -> Result<ApiToken, DirectoryError> {
        self.user_mut(user)?;
        check_token_name(name)?;
        let expires_at = future(expires_at, now)?;
        if self.tokens.len() >= MAX_ENTRIES {
            return Err(DirectoryError::TooMany { what: "tokens" });
        }
        let token = ApiToken::generate(randomness)?;
        if self.tokens.contains_key(token.id()) {
            return Err(DirectoryError::TokenExists { id: token.id().to_owned() });
        }
        let record = TokenRecord {
            id: token.id().to_owned(),
            user: user.to_owned(),
            name: name.to_owned(),
            hash: hash(token.secret(), self.costs.token, randomness)?,
            created_at: Moment::of(now),
            expires_at,
            revoked_at: None,
        };
        self.tokens.insert(record.id.clone(), record);
        Ok(token)
    }

    /// Revokes a token permanently. Revoking it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::NoSuchToken`].
    pub fn revoke_token(&mut self, id: &str, now: DateTime<Utc>) -> Result<(), DirectoryError> {
        let token = self.tokens.get_mut(id).ok_or_else(|| DirectoryError::NoSuchToken { id: id.to_owned() })?;
        token.revoked_at.get_or_insert(Moment::of(now));
        self.cache.clear();
        Ok(())
    }

    fn user_mut(&mut self, name: &str) -> Result<&mut User, DirectoryError> {
        self.users.get_mut(name).ok_or_else(|| no_such_user(name))
    }
}

fn no_such_user(name: &str) -> DirectoryError {
    DirectoryError::NoSuchUser { name: name.chars().take(64).collect() }
}

fn future(expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Option<Moment>, DirectoryError> {
    match expires_at {
        Some(time) if time <= now => Err(DirectoryError::AlreadyExpired),
        time => Ok(time.map(Moment::of)),
    }
}

fn hash(secret: &str, cost: Cost, randomness: &mut dyn Randomness) -> Result<SecretHash, DirectoryError> {
    SecretHash::make(secret, cost, randomness).map_err(|failed| match failed {
        HashFailed::NoRandomness(none) => DirectoryError::NoRandomness(none),
        HashFailed::Refused => DirectoryError::Hash,
    })
}

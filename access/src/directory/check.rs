//! Authentication against the directory.
//!
//! The secret is checked before the state of the account. So only a caller with the right secret, and the audit trail, can
//! tell that a user is disabled or expired.

use chrono::{DateTime, Utc};

use super::Directory;
use super::limits::MAX_NAME_BYTES;
use super::record::User;
use crate::moment::Moment;
use crate::password::{MAX_PASSWORD_BYTES, prepared};
use crate::scram::ScramVerifier;
use crate::token::{MAX_TOKEN_BYTES, TokenParts, parse};
use crate::{AuthenticationMethod, Denied, Principal, Role, Rows, Scope};

impl Directory {
    /// Authenticates a user by password. Takes about as long for a user who does not exist as for one who does: one Argon2id
    /// hash. The caller therefore limits how many checks run at once.
    ///
    /// # Errors
    ///
    /// [`Denied`] has the reason. The client gets its public message.
    pub fn check_password(&self, user: &str, password: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        bounded("the user's name", user, MAX_NAME_BYTES)?;
        bounded("the password", password, MAX_PASSWORD_BYTES)?;
        let password = prepared(password);
        let found = self.users.get(user);
        let Some(stored) = found.and_then(|user| user.password.as_ref()) else {
            self.costs.password.spend(&password);
            return Err(if found.is_some() { Denied::NoPassword } else { Denied::Unknown });
        };
        if !stored.hash.matches(&password) {
            return Err(Denied::WrongSecret);
        }
        self.principal(user, AuthenticationMethod::Password, now)
    }

    /// Authenticates the user of an API token.
    ///
    /// # Errors
    ///
    /// [`Denied`] has the reason. The client gets its public message.
    pub fn check_token(&self, token: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        bounded("the token", token, MAX_TOKEN_BYTES)?;
        let TokenParts { id, secret } = parse(token).ok_or(Denied::MalformedToken)?;
        // An id is no secret, so an unknown one needs no hash of equal cost.
        let record = self.tokens.get(id).ok_or(Denied::UnknownToken)?;
        if !self.cache.contains(token) {
            if !record.hash.matches(secret) {
                return Err(Denied::WrongSecret);
            }
            self.cache.insert(token);
        }
        if record.revoked_at.is_some() {
            return Err(Denied::TokenRevoked);
        }
        not_expired(record.expires_at, now)?;
        self.principal(&record.user, AuthenticationMethod::Token { id: id.to_owned() }, now)
    }

    /// Whether a token was verified before, so that checking it again computes no hash.
    pub fn remembers_token(&self, token: &str) -> bool {
        token.len() <= MAX_TOKEN_BYTES && self.cache.contains(token)
    }

    /// The verifier for a SCRAM exchange with this user. A user who does not exist, or has no password, gets a mock verifier
    /// that no password satisfies and that is the same for as long as the process key is (mock authentication, as in
    /// PostgreSQL). `None` if the name is longer than a user's name can be.
    pub fn scram(&self, user: &str) -> Option<ScramVerifier> {
        if user.len() > MAX_NAME_BYTES {
            return None;
        }
        let stored = self.users.get(user).and_then(|user| user.password.as_ref());
        let key = self.cache.key();
        Some(stored.map_or_else(
            || {
                ScramVerifier::mock(
                    key.hash("scram salt", user),
                    key.hash("scram stored key", user),
                    key.hash("scram server key", user),
                )
            },
            |stored| stored.scram.clone(),
        ))
    }

    /// The principal of a user who completed a SCRAM exchange with the verifier from [`Directory::scram`]. The caller has
    /// checked the client's proof.
    ///
    /// # Errors
    ///
    /// [`Denied`] if the user is disabled or expired, or was removed meanwhile.
    pub fn authenticate_after_scram(&self, user: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        self.principal(user, AuthenticationMethod::Scram, now)
    }

    /// Authenticates a principal again whose secret was verified before: user and token may have changed meanwhile. Not for
    /// OpenID users and local commands, which are not in the directory.
    ///
    /// # Errors
    ///
    /// [`Denied`] if the user or the token is disabled, expired or revoked, or was removed meanwhile.
    pub fn reauthenticate(&self, principal: &Principal, now: DateTime<Utc>) -> Result<Principal, Denied> {
        if let AuthenticationMethod::Token { id } = &principal.method {
            let record = self.tokens.get(id).ok_or(Denied::UnknownToken)?;
            if record.revoked_at.is_some() {
                return Err(Denied::TokenRevoked);
            }
            not_expired(record.expires_at, now)?;
        }
        self.principal(&principal.user, principal.method.clone(), now)
    }

    fn principal(&self, user: &str, method: AuthenticationMethod, now: DateTime<Utc>) -> Result<Principal, Denied> {
        let user = self.users.get(user).ok_or(Denied::Unknown)?;
        if user.is_disabled {
            return Err(Denied::Disabled);
        }
        not_expired(user.expires_at, now)?;
        Ok(principal(user, method))
    }
}

fn principal(user: &User, method: AuthenticationMethod) -> Principal {
    Principal {
        user: user.name.clone(),
        role: user.role,
        tiers: user.role.tiers().to_vec(),
        rows: rows(user.role, user.scope.clone()),
        method,
    }
}

/// The rows that are visible to a role with a scope.
pub(crate) fn rows(role: Role, scope: Scope) -> Rows {
    if role.tiers().is_empty() {
        Rows::None
    } else if scope.is_unbounded() {
        Rows::All
    } else {
        Rows::Sessions(scope)
    }
}

fn not_expired(expires_at: Option<Moment>, now: DateTime<Utc>) -> Result<(), Denied> {
    if expires_at.is_some_and(|expires_at| expires_at.0 <= now) { Err(Denied::Expired) } else { Ok(()) }
}

fn bounded(what: &'static str, text: &str, limit: usize) -> Result<(), Denied> {
    if text.len() > limit { Err(Denied::TooLong { what, bytes: text.len(), limit }) } else { Ok(()) }
}

//! Who is let in.
//!
//! The secret is checked before the state: whether a user is disabled or expired is told to nobody but those who know the
//! password, and to the record.

use chrono::{DateTime, Utc};

use super::{Directory, MAX_NAME_BYTES, User};
use crate::moment::Moment;
use crate::password::{MAX_PASSWORD_BYTES, prepared};
use crate::scram::ScramVerifier;
use crate::token::{MAX_TOKEN_BYTES, TokenParts, parse};
use crate::{Denied, Principal, Proof, Role, Rows, Scope};

impl Directory {
    /// Lets in who knows the password. Takes about as long for users who do not exist as for those who do: one Argon2id hash,
    /// which is why the caller bounds how many of these run at once.
    ///
    /// # Errors
    ///
    /// [`Denied`] says why not; the client is told its public message.
    pub fn check_password(&self, user: &str, password: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        bounded("the user's name", user, MAX_NAME_BYTES)?;
        bounded("the password", password, MAX_PASSWORD_BYTES)?;
        let password = prepared(password);
        let found = self.users.get(user);
        let Some(kept) = found.and_then(|user| user.password.as_ref()) else {
            self.costs.password.spend(&password);
            return Err(if found.is_some() { Denied::NoPassword } else { Denied::Unknown });
        };
        if !kept.hash.matches(&password) {
            return Err(Denied::WrongSecret);
        }
        self.admit(user, Proof::Password, now)
    }

    /// Lets in who has an API token, in the name of its user.
    ///
    /// # Errors
    ///
    /// [`Denied`] says why not; the client is told its public message.
    pub fn check_token(&self, token: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        bounded("the token", token, MAX_TOKEN_BYTES)?;
        let TokenParts { id, secret } = parse(token).ok_or(Denied::MalformedToken)?;
        // An id is no secret, so that an unknown one may be answered at once.
        let record = self.tokens.get(id).ok_or(Denied::UnknownToken)?;
        if !self.memory.knows(token) {
            if !record.hash.matches(secret) {
                return Err(Denied::WrongSecret);
            }
            self.memory.remember(token);
        }
        if record.revoked_at.is_some() {
            return Err(Denied::TokenRevoked);
        }
        not_expired(record.expires_at, now)?;
        self.admit(&record.user, Proof::Token { id: id.to_owned() }, now)
    }

    /// What a SCRAM exchange with this user is made with. Users who do not exist, or have no password, have one as well, that
    /// stays the same as long as the process key does and that nobody can answer. `None` when the name is too long to be one.
    pub fn scram(&self, user: &str) -> Option<ScramVerifier> {
        if user.len() > MAX_NAME_BYTES {
            return None;
        }
        let kept = self.users.get(user).and_then(|user| user.password.as_ref());
        let key = self.memory.key();
        Some(kept.map_or_else(
            || {
                ScramVerifier::unanswerable(
                    key.hash("scram salt", user),
                    key.hash("scram stored key", user),
                    key.hash("scram server key", user),
                )
            },
            |kept| kept.scram.clone(),
        ))
    }

    /// Lets in who has completed a SCRAM exchange with the verifier from [`Directory::scram`]. The caller has checked the proof.
    ///
    /// # Errors
    ///
    /// [`Denied`] when the user is disabled, expired, or gone meanwhile.
    pub fn admit_after_scram(&self, user: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        self.admit(user, Proof::Scram, now)
    }

    /// Whoever was let in before, as the directory sees them now: for connections that last. Not for OpenID users and commands
    /// on the machine, who do not stand here.
    ///
    /// # Errors
    ///
    /// [`Denied`] when user or token are disabled, expired, revoked or gone meanwhile.
    pub fn admit_again(&self, principal: &Principal, now: DateTime<Utc>) -> Result<Principal, Denied> {
        if let Proof::Token { id } = &principal.proof {
            let record = self.tokens.get(id).ok_or(Denied::UnknownToken)?;
            if record.revoked_at.is_some() {
                return Err(Denied::TokenRevoked);
            }
            not_expired(record.expires_at, now)?;
        }
        self.admit(&principal.user, principal.proof.clone(), now)
    }

    fn admit(&self, user: &str, proof: Proof, now: DateTime<Utc>) -> Result<Principal, Denied> {
        let user = self.users.get(user).ok_or(Denied::Unknown)?;
        if user.is_disabled {
            return Err(Denied::Disabled);
        }
        not_expired(user.expires_at, now)?;
        Ok(principal(user, proof))
    }
}

fn principal(user: &User, proof: Proof) -> Principal {
    Principal {
        user: user.name.clone(),
        role: user.role,
        tiers: user.role.tiers().to_vec(),
        rows: rows(user.role, user.scope.clone()),
        proof,
    }
}

/// Which rows a role sees inside a scope.
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

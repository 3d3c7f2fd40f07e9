//! A user and an API token as the directory stores them: passwords and token secrets only as hashes.

use chrono::{DateTime, Utc};

use crate::moment::Moment;
use crate::password::SecretHash;
use crate::scram::ScramVerifier;
use crate::{Role, Scope};

/// A user who can authenticate.
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

/// What is stored of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Password {
    pub(crate) hash: SecretHash,
    pub(crate) scram: ScramVerifier,
    pub(crate) set_at: Moment,
}

impl User {
    /// The name they authenticate with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Their role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The sessions that are visible to them.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether the account is disabled.
    pub fn is_disabled(&self) -> bool {
        self.is_disabled
    }

    /// When they were added.
    pub fn created_at(&self) -> DateTime<Utc> {
        self.created_at.0
    }

    /// When the account expires.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at.map(|moment| moment.0)
    }

    /// When the password was set. `None` if the user has none.
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
    /// Its id, the part after `hf_`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The user it belongs to.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Its name, which says what it is for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was issued.
    pub fn created_at(&self) -> DateTime<Utc> {
        self.created_at.0
    }

    /// When it expires.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at.map(|moment| moment.0)
    }

    /// When it was revoked, if it was.
    pub fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.revoked_at.map(|moment| moment.0)
    }
}

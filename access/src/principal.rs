//! An authenticated user, with everything that bounds the data that is visible to them.

use holdfast_events::Tier;

use crate::{Role, Rows};

/// How a user was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthenticationMethod {
    /// A password.
    Password,
    /// An API token.
    Token {
        /// Its id, which is no secret.
        id: String,
    },
    /// A SCRAM-SHA-256 exchange, in which the password is not sent.
    Scram,
    /// A token of an OpenID provider.
    Oidc {
        /// The issuer.
        issuer: String,
    },
    /// A local command. Only its key files bound what it can decrypt.
    Local,
}

impl AuthenticationMethod {
    /// The method's name in the audit trail.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Token { .. } => "token",
            Self::Scram => "scram",
            Self::Oidc { .. } => "oidc",
            Self::Local => "local",
        }
    }
}

/// An authenticated user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The name in the audit trail.
    pub user: String,
    /// Their role.
    pub role: Role,
    /// The tiers that are visible to them, among those of the role.
    pub tiers: Vec<Tier>,
    /// The rows that are visible to them.
    pub rows: Rows,
    /// How they were authenticated.
    pub method: AuthenticationMethod,
}

impl Principal {
    /// The user of a local command. Their key files alone decide what can be decrypted: the tiers in `tiers`, of all rows.
    pub fn local(user: impl Into<String>, tiers: Vec<Tier>) -> Self {
        Self { user: user.into(), role: Role::Compliance, tiers, rows: Rows::All, method: AuthenticationMethod::Local }
    }

    /// Whether a tier is visible.
    pub fn sees(&self, tier: Tier) -> bool {
        self.tiers.contains(&tier)
    }
}

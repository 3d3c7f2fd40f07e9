//! Somebody whose identity was shown, with everything that bounds what they see.

use holdfast_events::Tier;

use crate::{Role, Rows};

/// How an identity was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A password.
    Password,
    /// An API token.
    Token {
        /// Its id, which is no secret.
        id: String,
    },
    /// A SCRAM-SHA-256 exchange: the password without its being sent.
    Scram,
    /// A token of an OpenID provider.
    Oidc {
        /// Who issued it.
        issuer: String,
    },
    /// A command on the machine itself, bounded by the key files at hand and by nothing else.
    Local,
}

impl Proof {
    /// The proof's name in records.
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

/// Somebody whose identity was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who, as the records name them.
    pub user: String,
    /// What they are.
    pub role: Role,
    /// What they may see; among the tiers of the role.
    pub tiers: Vec<Tier>,
    /// Which rows they see.
    pub rows: Rows,
    /// How they showed it.
    pub proof: Proof,
}

impl Principal {
    /// Whoever runs a command on the machine itself. They hold key files, and those alone decide what opens: everything
    /// that `tiers` says, of all rows.
    pub fn local(user: impl Into<String>, tiers: Vec<Tier>) -> Self {
        Self { user: user.into(), role: Role::Compliance, tiers, rows: Rows::All, proof: Proof::Local }
    }

    /// Whether a tier may be shown.
    pub fn sees(&self, tier: Tier) -> bool {
        self.tiers.contains(&tier)
    }
}

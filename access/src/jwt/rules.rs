//! What an OpenID provider's tokens must contain, and how their claims map to users, roles and scopes.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::Role;

/// What an OpenID provider's tokens must contain, and how their claims map to users, roles and scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtRules {
    /// The expected `iss`, compared byte for byte.
    pub issuer: String,
    /// The expected `aud`, or one of several in the token.
    pub audience: String,
    /// The claim with the user's name: `sub`, `preferred_username`, `email`. Dots lead into objects.
    pub user_claim: String,
    /// The claim with the role: a string or a list of strings. Dots lead into objects.
    pub role_claim: String,
    /// The role for each value of that claim.
    pub roles: BTreeMap<String, Role>,
    /// The claim with the portals that are visible to the user; `*` in it means all.
    pub portals_claim: Option<String>,
    /// The claim with the agents whose sessions are visible to the user. Without it no token has the role agent.
    pub agents_claim: Option<String>,
    /// How far the clocks may differ.
    pub leeway: TimeDelta,
}

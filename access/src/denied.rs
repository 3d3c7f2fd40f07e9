//! Why a request was not authenticated or not authorized. The message is for the audit trail; the client gets
//! [`Denied::public_message`].

use std::time::Duration;

/// Why a request was not authenticated or not authorized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no such user.
    #[error("there is no such user")]
    Unknown,
    /// There is no token with this id.
    #[error("there is no token with this id")]
    UnknownToken,
    /// The password or the token's secret is wrong.
    #[error("the password or the token's secret is wrong")]
    WrongSecret,
    /// The user has no password, only tokens.
    #[error("the user has no password")]
    NoPassword,
    /// The user is disabled.
    #[error("the user is disabled")]
    Disabled,
    /// The user or the token has expired.
    #[error("the user or the token has expired")]
    Expired,
    /// The token was revoked.
    #[error("the token was revoked")]
    TokenRevoked,
    /// The text does not have the form of a token.
    #[error("this is not an API token of Holdfast")]
    MalformedToken,
    /// The input is longer than any valid one.
    #[error("{what} has {bytes} bytes; the limit is {limit}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The greatest length that is accepted.
        limit: usize,
    },
    /// The token of an OpenID provider is invalid.
    #[error("the OpenID token is invalid: {0}")]
    BadJwt(#[from] JwtError),
    /// No loaded key has the key id of the OpenID token. The provider may have a new key.
    #[error("the OpenID token is signed with an unknown key; fetch the provider's keys again")]
    NeedsKeys,
    /// No value of the role claim is mapped to a role.
    #[error("no value of the OpenID token's role claim is mapped to a role")]
    NoRole,
    /// The values of the role claim are mapped to more than one role.
    #[error("the OpenID token's role claim is mapped to more than one role; map only one of them")]
    SeveralRoles,
    /// The role needs a scope, and the OpenID token has none.
    #[error("the role {role} needs a claim with {needs}, and the OpenID token has none")]
    NoScope {
        /// The role.
        role: &'static str,
        /// `portals` or `agents`.
        needs: &'static str,
    },
    /// The OpenID token names a user of the directory, with whom its user would be confused.
    #[error("the OpenID token names a user of the users file; rename one of them")]
    LocalName,
    /// The password was changed after the user was authenticated with it.
    #[error("the password was changed since the login")]
    PasswordChanged,
    /// The role or the scope was changed after the user was authenticated.
    #[error("the role or the scope was changed since the login")]
    RightsChanged,
    /// Too many attempts failed.
    #[error("too many failed attempts; the next is allowed in {} s", wait.as_secs_f64().ceil())]
    Throttled {
        /// How long to wait.
        wait: Duration,
    },
    /// The role does not have the permission.
    #[error("the role {role} does not have the permission {permission}")]
    NoPermission {
        /// The role.
        role: &'static str,
        /// The permission.
        permission: &'static str,
    },
}

/// What is wrong with the token of an OpenID provider (RFC 7515, 7519).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It does not have three parts of base64url, or they are not JSON objects.
    #[error("it is not a signed JWT")]
    Form,
    /// Its algorithm is not one of those that are allowed.
    #[error("its algorithm is not allowed; RS256, RS384, RS512, ES256, ES384 and EdDSA are")]
    Algorithm,
    /// Its algorithm does not fit the key that it names.
    #[error("its algorithm does not fit its key")]
    AlgorithmOfAnotherKey,
    /// It is not an access or ID token but, for instance, a logout token that the same provider signs.
    #[error("its `typ` is neither JWT nor at+jwt")]
    Kind,
    /// It has no key id, and several keys fit.
    #[error("it has no key id, and several keys fit")]
    NoKeyId,
    /// It has critical headers (`crit`), and none is supported.
    #[error("it has critical headers, which are not supported")]
    Critical,
    /// The signature is invalid.
    #[error("its signature is invalid")]
    Signature,
    /// The issuer is not the expected one.
    #[error("its issuer is not the expected one")]
    Issuer,
    /// The audience is not the expected one.
    #[error("its audience is not the expected one")]
    Audience,
    /// It has no `exp`.
    #[error("it has no expiry")]
    NoExpiry,
    /// It has expired.
    #[error("it has expired")]
    Expired,
    /// It is not valid yet.
    #[error("it is not valid yet")]
    NotYet,
    /// It was issued in the future.
    #[error("it was issued in the future")]
    IssuedInFuture,
    /// The claim with the user's name is missing or is not a name.
    #[error("the claim with the user's name is missing or is not a name")]
    User,
    /// The claim with portals or with agents is not a list of names.
    #[error("the claim with portals or with agents is not a list of names")]
    Scope,
}

impl Denied {
    /// The message for the client. It is the same for an unknown user and a wrong password.
    pub fn public_message(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "too many failed attempts; wait a while, and try again",
            Self::NoPermission { .. } => "your role does not allow this",
            _ => "not accepted: the name or the secret is wrong, or is no longer valid",
        }
    }

    /// The reason in the audit trail: a word that stays the same between versions.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown_user",
            Self::UnknownToken => "unknown_token",
            Self::WrongSecret => "wrong_secret",
            Self::NoPassword => "no_password",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::TokenRevoked => "token_revoked",
            Self::MalformedToken => "malformed_token",
            Self::TooLong { .. } => "too_long",
            Self::BadJwt(_) => "bad_jwt",
            Self::NeedsKeys => "unknown_key",
            Self::NoRole => "no_role",
            Self::SeveralRoles => "several_roles",
            Self::NoScope { .. } => "no_scope",
            Self::LocalName => "local_name",
            Self::PasswordChanged => "password_changed",
            Self::RightsChanged => "rights_changed",
            Self::Throttled { .. } => "throttled",
            Self::NoPermission { .. } => "no_permission",
        }
    }

    /// Whether it counts as a failed attempt, because the client may be guessing.
    pub fn is_guess(&self) -> bool {
        !matches!(self, Self::Throttled { .. } | Self::NeedsKeys | Self::NoPermission { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_message_is_the_same_for_an_unknown_user_and_a_wrong_password() {
        let alike = [
            Denied::Unknown,
            Denied::UnknownToken,
            Denied::WrongSecret,
            Denied::NoPassword,
            Denied::Disabled,
            Denied::Expired,
            Denied::TokenRevoked,
            Denied::MalformedToken,
            Denied::TooLong { what: "the password", bytes: 2000, limit: 1024 },
            Denied::BadJwt(JwtError::Signature),
            Denied::NeedsKeys,
            Denied::NoRole,
            Denied::LocalName,
            Denied::PasswordChanged,
            Denied::RightsChanged,
        ];
        for denied in &alike {
            assert_eq!(denied.public_message(), Denied::Unknown.public_message(), "{denied}");
        }
        // The audit trail distinguishes them.
        let reasons: std::collections::BTreeSet<&str> = alike.iter().map(Denied::reason).collect();
        assert_eq!(reasons.len(), alike.len());
    }
}

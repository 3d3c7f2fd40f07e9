//! Why somebody was not let in. The message is for the record; a client gets [`Denied::public_message`].

use std::time::Duration;

/// Why somebody was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no such user.
    #[error("there is no such user")]
    Unknown,
    /// There is no token with this id.
    #[error("there is no token with this id")]
    UnknownToken,
    /// The password or the token's secret is another.
    #[error("the password or the token's secret is wrong")]
    WrongSecret,
    /// The user has no password, only tokens.
    #[error("the user has no password")]
    NoPassword,
    /// The user is disabled.
    #[error("the user is disabled")]
    Disabled,
    /// The user or the token was valid until a time that has passed.
    #[error("the user or the token is expired")]
    Expired,
    /// The token was revoked.
    #[error("the token was revoked")]
    TokenRevoked,
    /// What was shown does not have the form of a token.
    #[error("this is not a token of this archive")]
    MalformedToken,
    /// What was shown is longer than anything that could be right.
    #[error("{what} has {bytes} bytes; at most {limit} are looked at")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The token of an OpenID provider does not hold.
    #[error("the OpenID token does not hold: {0}")]
    BadJwt(#[from] JwtFault),
    /// The OpenID token names a key that is not known yet; its provider may have a new one.
    #[error("the OpenID token is signed with a key that is not known; fetch the provider's keys again")]
    NeedsKeys,
    /// No role is mapped to what the OpenID token says.
    #[error("no role is given to what the OpenID token says in its role claim")]
    NoRole,
    /// More than one role is mapped to what the OpenID token says.
    #[error("the OpenID token's role claim gives more than one role; map one of them only")]
    SeveralRoles,
    /// The role needs a bound on its rows, and what was shown has none.
    #[error("the role {role} needs {needs}, and there is none")]
    NoScope {
        /// The role.
        role: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// Too many tries failed.
    #[error("too many tries failed; the next may be made in {} s", wait.as_secs_f64().ceil())]
    Throttled {
        /// How long to wait.
        wait: Duration,
    },
    /// The user may not do what was asked for.
    #[error("the role {role} may not {right}")]
    NoRight {
        /// The role.
        role: &'static str,
        /// What was asked for.
        right: &'static str,
    },
}

/// What is wrong with the token of an OpenID provider (RFC 7515, 7519).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtFault {
    /// It does not have three parts of base64url, or they are not JSON objects.
    #[error("it is not a signed JWT")]
    Form,
    /// Its algorithm is none that is allowed here.
    #[error("its algorithm is not allowed; RS256, RS384, RS512, ES256, ES384 and EdDSA are")]
    Algorithm,
    /// Its algorithm is not that of the key it names.
    #[error("its algorithm is not that of its key")]
    AlgorithmOfAnotherKey,
    /// It is of another kind than those that let in: a logout token, for instance, that the same provider signs.
    #[error("its `typ` is neither JWT nor at+jwt")]
    Kind,
    /// It does not say which of several keys it is signed with.
    #[error("it does not say which of several keys it is signed with")]
    NoKeyId,
    /// It has a header that must be understood, and is not.
    #[error("it has critical headers that are not understood")]
    Critical,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// The issuer is another.
    #[error("its issuer is another")]
    Issuer,
    /// It is for somebody else.
    #[error("its audience is another")]
    Audience,
    /// It has no `exp`.
    #[error("it has no expiry")]
    NoExpiry,
    /// It is expired.
    #[error("it is expired")]
    Expired,
    /// It is not valid yet.
    #[error("it is not valid yet")]
    NotYet,
    /// It was issued in the future.
    #[error("it was issued in the future")]
    IssuedInFuture,
    /// The claim that names the user is missing, or no name.
    #[error("the claim that names the user is missing or is no name")]
    User,
    /// The claims for portals or agents are no lists of names.
    #[error("a claim for portals or agents is no list of names")]
    Scope,
}

impl Denied {
    /// What the client may be told. It does not tell an unknown user from a wrong password.
    pub fn public_message(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "too many tries failed; wait a while, and try again",
            Self::NoRight { .. } => "your role does not allow this",
            _ => "not accepted: the name or the secret is wrong, or is no longer valid",
        }
    }

    /// A word for the record that stays the same between versions.
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
            Self::Throttled { .. } => "throttled",
            Self::NoRight { .. } => "no_right",
        }
    }

    /// Whether it counts as a failed try: somebody may be guessing.
    pub fn is_guess(&self) -> bool {
        !matches!(self, Self::Throttled { .. } | Self::NeedsKeys | Self::NoRight { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_cannot_tell_an_unknown_user_from_a_wrong_password() {
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
            Denied::BadJwt(JwtFault::Signature),
            Denied::NeedsKeys,
            Denied::NoRole,
        ];
        for denied in &alike {
            assert_eq!(denied.public_message(), Denied::Unknown.public_message(), "{denied}");
        }
        // The record does tell them apart.
        let reasons: std::collections::BTreeSet<&str> = alike.iter().map(Denied::reason).collect();
        assert_eq!(reasons.len(), alike.len());
    }
}

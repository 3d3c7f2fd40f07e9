//! A login that lasts: what an open connection or a running statement rests on, and whether it still holds.

use chrono::{DateTime, Utc};

use super::Directory;
use crate::{AuthenticationMethod, Denied, Principal};

/// An authenticated principal, and the password that it was authenticated with.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    principal: Principal,
    /// See [`Directory::password_mark`].
    password: Option<[u8; 32]>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Login").field("user", &self.principal.user).finish_non_exhaustive()
    }
}

impl Directory {
    /// A mark of a user's password: setting the password again changes it. `None` if the user does not exist or has no password.
    /// Comparable between directories that were read with the same process key.
    pub fn password_mark(&self, user: &str) -> Option<[u8; 32]> {
        let password = self.users.get(user)?.password.as_ref()?;
        // Each hash has a salt of its own.
        Some(self.cache.key().hash("password mark", password.hash.as_str()))
    }

    /// The login of a principal that this directory has authenticated.
    pub fn login(&self, principal: Principal) -> Login {
        let password = match &principal.method {
            AuthenticationMethod::Password | AuthenticationMethod::Scram => self.password_mark(&principal.user),
            AuthenticationMethod::Token { .. } | AuthenticationMethod::Oidc { .. } | AuthenticationMethod::Local => {
                None
            }
        };
        Login { principal, password }
    }

    /// Checks that a login still holds: user and token are valid, the password is the one of the login, and the rights are
    /// those of the login. The expiry of an OpenID token is not checked again.
    ///
    /// # Errors
    ///
    /// [`Denied`] has the reason. The user must authenticate again.
    pub fn check_login(&self, login: &Login, now: DateTime<Utc>) -> Result<(), Denied> {
        let Login { principal, password } = login;
        match &principal.method {
            AuthenticationMethod::Local => return Ok(()),
            AuthenticationMethod::Oidc { .. } => {
                return if self.users.contains_key(&principal.user) { Err(Denied::LocalName) } else { Ok(()) };
            }
            AuthenticationMethod::Password | AuthenticationMethod::Scram | AuthenticationMethod::Token { .. } => {}
        }
        let current = self.reauthenticate(principal, now)?;
        if password.is_some() && *password != self.password_mark(&principal.user) {
            return Err(Denied::PasswordChanged);
        }
        if current != *principal {
            return Err(Denied::RightsChanged);
        }
        Ok(())
    }
}

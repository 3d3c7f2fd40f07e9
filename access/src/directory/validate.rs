//! Checks of names and scopes that the types do not express.

use super::error::DirectoryError;
use super::limits::{MAX_NAME_BYTES, MAX_TOKEN_NAME_BYTES};
use crate::{Role, Scope};

pub(super) fn check_user_name(name: &str) -> Result<(), DirectoryError> {
    let is_name = name.len() <= MAX_NAME_BYTES
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._@+-".contains(letter));
    if is_name { Ok(()) } else { Err(DirectoryError::UserName { name: name.chars().take(64).collect() }) }
}

pub(super) fn check_token_name(name: &str) -> Result<(), DirectoryError> {
    let is_name = (1..=MAX_TOKEN_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
    if is_name { Ok(()) } else { Err(DirectoryError::TokenName { name: name.chars().take(64).collect() }) }
}

/// The bound on a user's rows, checked against the role.
pub(super) fn check_scope(name: &str, role: Role, scope: Scope) -> Result<Scope, DirectoryError> {
    let scope = Scope::new(scope.portals, scope.agents)
        .map_err(|reason| DirectoryError::Scope { name: name.to_owned(), reason })?;
    if role == Role::Agent && scope.agents.is_none() {
        return Err(DirectoryError::AgentWithoutAgents { name: name.to_owned() });
    }
    Ok(scope)
}

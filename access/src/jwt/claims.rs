//! From the claims of a verified token to a principal.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::rules::JwtRules;
use crate::directory::rows;
use crate::{AuthenticationMethod, Denied, JwtError, Principal, Role, Scope};

pub(super) type Claims = Map<String, Value>;

/// Bytes of a user's name from a token.
const MAX_USER_BYTES: usize = 256;
/// The value of the portals' claim that means all portals.
const ALL: &str = "*";

/// The principal that the claims describe, if issuer, audience and times are as expected.
pub(super) fn principal(claims: &Claims, rules: &JwtRules, now: DateTime<Utc>) -> Result<Principal, Denied> {
    if claims.get("iss").and_then(Value::as_str) != Some(&rules.issuer) {
        return Err(JwtError::Issuer.into());
    }
    let audiences = claims.get("aud").and_then(names).unwrap_or_default();
    if !audiences.contains(&rules.audience.as_str()) {
        return Err(JwtError::Audience.into());
    }
    times(claims, rules, now)?;

    let user = at(claims, &rules.user_claim).and_then(Value::as_str).ok_or(JwtError::User)?;
    if user.is_empty() || user.len() > MAX_USER_BYTES || user.chars().any(char::is_control) {
        return Err(JwtError::User.into());
    }
    let role = role(claims, rules)?;
    let scope = scope(claims, rules, role)?;
    Ok(Principal {
        user: user.to_owned(),
        role,
        tiers: role.tiers().to_vec(),
        rows: rows(role, scope),
        method: AuthenticationMethod::Oidc { issuer: rules.issuer.clone() },
    })
}

fn times(claims: &Claims, rules: &JwtRules, now: DateTime<Utc>) -> Result<(), JwtError> {
    // NumericDate (RFC 7519, section 2): seconds, possibly with a fraction.
    let seconds = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().filter(|seconds| seconds.is_finite()).map(Some).ok_or(JwtError::Form),
    };
    let now = now.timestamp_millis() as f64 / 1000.0;
    let leeway = rules.leeway.num_milliseconds() as f64 / 1000.0;
    let expires = seconds("exp")?.ok_or(JwtError::NoExpiry)?;
    if now >= expires + leeway {
        return Err(JwtError::Expired);
    }
    if seconds("nbf")?.is_some_and(|begins| now + leeway < begins) {
        return Err(JwtError::NotYet);
    }
    if seconds("iat")?.is_some_and(|issued| now + leeway < issued) {
        return Err(JwtError::IssuedInFuture);
    }
    Ok(())
}

fn role(claims: &Claims, rules: &JwtRules) -> Result<Role, Denied> {
    let values = at(claims, &rules.role_claim).and_then(names).unwrap_or_default();
    let roles: BTreeSet<Role> = values.iter().filter_map(|value| rules.roles.get(*value).copied()).collect();
    let mut roles = roles.into_iter();
    match (roles.next(), roles.next()) {
        (Some(role), None) => Ok(role),
        (None, _) => Err(Denied::NoRole),
        // Choosing one of them would be a guess.
        (Some(_), Some(_)) => Err(Denied::SeveralRoles),
    }
}

fn scope(claims: &Claims, rules: &JwtRules, role: Role) -> Result<Scope, Denied> {
    let set = |claim: Option<&String>| match claim.and_then(|claim| at(claims, claim)) {
        None => Ok(None),
        Some(value) => names(value)
            .map(|names| Some(names.into_iter().map(str::to_owned).collect::<BTreeSet<String>>()))
            .ok_or(JwtError::Scope),
    };
    let portals = set(rules.portals_claim.as_ref())?;
    let agents = set(rules.agents_claim.as_ref())?;
    // If the provider assigns portals, a user without any must not see all.
    let needs_portals = rules.portals_claim.is_some() && matches!(role, Role::Manager | Role::Agent);
    if needs_portals && portals.is_none() {
        return Err(Denied::NoScope { role: role.name(), needs: "portals" });
    }
    if role == Role::Agent && agents.is_none() {
        return Err(Denied::NoScope { role: role.name(), needs: "agents" });
    }
    let portals = portals.filter(|portals| !portals.contains(ALL));
    Scope::new(portals, agents).map_err(|_| JwtError::Scope.into())
}

/// A string, or a list of strings.
fn names(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(name) => Some(vec![name]),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// The claim of this name, or the one at this path of names with dots. A name that is a URL contains dots itself, so the whole
/// name is tried first.
fn at<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    at(claims.get(first)?.as_object()?, rest)
}

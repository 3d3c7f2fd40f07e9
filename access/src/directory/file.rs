//! The directory as TOML. `docs/formats.md` documents the format.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::error::DirectoryError;
use super::limits::{MAX_ENTRIES, MAX_TEXT_BYTES};
use super::record::{Password, TokenRecord, User};
use super::validate::{check_scope, check_token_name, check_user_name};
use crate::moment::Moment;
use crate::password::SecretHash;
use crate::scram::ScramVerifier;
use crate::token::is_id;
use crate::{Role, Scope};

const HEADER: &str = "# Users and API tokens of Holdfast. `holdfast users` changes this file; running processes reload it.\n\
                      # It contains only hashes of passwords and tokens. Even so, only its owner should be able to read it.\n";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    users: Vec<UserText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<TokenText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserText {
    name: String,
    role: RoleText,
    #[serde(skip_serializing_if = "Option::is_none")]
    portals: Option<BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agents: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "is_false")]
    disabled: bool,
    created_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_set_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<HashText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scram: Option<VerifierText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenText {
    id: String,
    user: String,
    name: String,
    created_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Moment>,
    secret: HashText,
}

fn is_false(value: &bool) -> bool {
    !value
}

struct RoleText(Role);

impl Serialize for RoleText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for RoleText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

struct HashText(SecretHash);

impl Serialize for HashText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for HashText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The text may be a plaintext password, so the message does not repeat it.
        SecretHash::parse(&text).map(Self).ok_or_else(|| {
            serde::de::Error::custom(
                "this is not an Argon2id hash in PHC format with bounded costs; set it with `holdfast users`",
            )
        })
    }
}

struct VerifierText(ScramVerifier);

impl Serialize for VerifierText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_text())
    }
}

impl<'de> Deserialize<'de> for VerifierText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

type Tables = (BTreeMap<String, User>, BTreeMap<String, TokenRecord>);

/// Reads users and tokens, and checks what the types do not express.
pub(super) fn read(text: &str) -> Result<Tables, DirectoryError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(DirectoryError::TooLong { bytes: text.len() });
    }
    let file: FileText = toml::from_str(text).map_err(|error| DirectoryError::Text {
        line: error.span().map_or(1, |span| {
            1 + text.as_bytes()[..span.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
        }),
        message: error.message().to_owned(),
    })?;
    if file.users.len() > MAX_ENTRIES {
        return Err(DirectoryError::TooMany { what: "users" });
    }
    if file.tokens.len() > MAX_ENTRIES {
        return Err(DirectoryError::TooMany { what: "tokens" });
    }
    let mut users = BTreeMap::new();
    for entry in file.users {
        let user = user(entry)?;
        if let Some(twice) = users.insert(user.name.clone(), user) {
            return Err(DirectoryError::UserExists { name: twice.name });
        }
    }
    let mut tokens = BTreeMap::new();
    for entry in file.tokens {
        let token = token(entry)?;
        if !users.contains_key(&token.user) {
            return Err(DirectoryError::TokenWithoutUser { id: token.id, user: token.user });
        }
        if let Some(twice) = tokens.insert(token.id.clone(), token) {
            return Err(DirectoryError::TokenExists { id: twice.id });
        }
    }
    Ok((users, tokens))
}

fn user(entry: UserText) -> Result<User, DirectoryError> {
    let UserText { name, role: RoleText(role), portals, agents, disabled, created_at, expires_at, .. } = entry;
    check_user_name(&name)?;
    let scope = check_scope(&name, role, Scope { portals, agents })?;
    let password = match (entry.password, entry.scram, entry.password_set_at) {
        (Some(HashText(hash)), Some(VerifierText(scram)), Some(set_at)) => Some(Password { hash, scram, set_at }),
        (None, None, None) => None,
        _ => return Err(DirectoryError::IncompletePassword { name }),
    };
    Ok(User { name, role, scope, is_disabled: disabled, created_at, expires_at, password })
}

fn token(entry: TokenText) -> Result<TokenRecord, DirectoryError> {
    let TokenText { id, user, name, created_at, expires_at, revoked_at, secret: HashText(hash) } = entry;
    if !is_id(&id) {
        return Err(DirectoryError::TokenId { id: id.chars().take(64).collect() });
    }
    check_token_name(&name)?;
    Ok(TokenRecord { id, user, name, hash, created_at, expires_at, revoked_at })
}

/// Writes what [`read`] reads.
pub(super) fn write<'a>(
    users: impl Iterator<Item = &'a User>,
    tokens: impl Iterator<Item = &'a TokenRecord>,
) -> Zeroizing<String> {
    let users = users.map(|user| UserText {
        name: user.name.clone(),
        role: RoleText(user.role),
        portals: user.scope.portals.clone(),
        agents: user.scope.agents.clone(),
        disabled: user.is_disabled,
        created_at: user.created_at,
        expires_at: user.expires_at,
        password_set_at: user.password.as_ref().map(|password| password.set_at),
        password: user.password.as_ref().map(|password| HashText(password.hash.clone())),
        scram: user.password.as_ref().map(|password| VerifierText(password.scram.clone())),
    });
    let tokens = tokens.map(|token| TokenText {
        id: token.id.clone(),
        user: token.user.clone(),
        name: token.name.clone(),
        created_at: token.created_at,
        expires_at: token.expires_at,
        revoked_at: token.revoked_at,
        secret: HashText(token.hash.clone()),
    });
    let file = FileText { users: users.collect(), tokens: tokens.collect() };
    let body = Zeroizing::new(toml::to_string(&file).expect("strings, booleans and arrays of strings are TOML"));
    Zeroizing::new(format!("{HEADER}\n{}", *body))
}

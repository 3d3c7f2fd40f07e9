//! `holdfast users`

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::{Args, Subcommand};
use holdfast_access::{
    Directory, MAX_PASSWORD_BYTES, NewUser, Randomness as _, Role, Scope, SystemRandomness, TokenRecord, User,
};
use serde::Serialize;
use zeroize::Zeroizing;

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::output::{print, print_json};
use crate::wiring::users_file;

/// Users and API tokens: who may authenticate and query.
///
/// Running processes apply each change within a second.
#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// List the users
    List(Common),
    Add(Add),
    /// Remove a user, with their tokens
    Remove(Named),
    /// Refuse a user and their tokens until the user is enabled again
    Disable(Named),
    /// Enable a disabled user
    Enable(Named),
    Password(SetPassword),
    /// API tokens
    #[command(subcommand)]
    Token(TokenCommand),
}

/// API tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    Add(AddToken),
    /// List the tokens, including revoked ones
    List(Common),
    /// Revoke a token for good
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    config: ConfigArguments,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

/// Add a user without a password; `holdfast users password` sets one.
#[derive(Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    common: Common,
    /// Name that the user authenticates with
    name: String,
    /// admin, compliance, manager, agent, alerting or ingest
    #[arg(long)]
    role: Role,
    /// Limit the user to sessions of this portal and those below it; may be given more than once
    #[arg(long = "portal", value_name = "PORTAL")]
    portals: Vec<String>,
    /// Limit the user to sessions of this agent; may be given more than once. The role agent needs one
    #[arg(long = "agent", value_name = "AGENT")]
    agents: Vec<String>,
    /// Days from now until the user expires
    #[arg(long, value_name = "DAYS")]
    expires_days: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    #[command(flatten)]
    common: Common,
    /// The user
    name: String,
}

/// Set a user's password.
///
/// Without --password-file, a password is generated and written to NAME.password beside the users file (mode 0600).
#[derive(Debug, Args)]
pub(crate) struct SetPassword {
    #[command(flatten)]
    named: Named,
    /// File whose first line is the password; - for standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Issue a token for a user, and print it. It cannot be shown again.
#[derive(Debug, Args)]
pub(crate) struct AddToken {
    #[command(flatten)]
    common: Common,
    /// The user that the token authenticates
    user: String,
    /// Name of the token, such as the program that uses it
    #[arg(long)]
    name: String,
    /// Days from now until the token expires
    #[arg(long, value_name = "DAYS")]
    expires_days: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    common: Common,
    /// Id of the token: the part after hf_
    id: String,
}

impl UsersCommand {
    pub(crate) fn run(self) -> anyhow::Result<Outcome> {
        let now = Utc::now();
        match self {
            Self::List(common) => list_users(&common),
            Self::Add(add) => add_user(add, now),
            Self::Remove(named) => {
                let Named { common, name } = named;
                let tokens = common.change(|directory| Ok(directory.remove(&name)?))?;
                let text = format!("Removed the user {name} and their {tokens} tokens.\n");
                common.print(&serde_json::json!({ "removed": name, "tokens": tokens }), &text)
            }
            Self::Disable(named) => set_disabled(&named, true),
            Self::Enable(named) => set_disabled(&named, false),
            Self::Password(command) => set_password(command, now),
            Self::Token(TokenCommand::Add(command)) => add_token(command, now),
            Self::Token(TokenCommand::List(common)) => list_tokens(&common),
            Self::Token(TokenCommand::Revoke(Revoke { common, id })) => {
                common.change(|directory| Ok(directory.revoke_token(&id, now)?))?;
                common.print(&serde_json::json!({ "revoked": id }), &format!("Revoked the token {id}.\n"))
            }
        }
    }
}

impl Common {
    fn path(&self) -> anyhow::Result<PathBuf> {
        let settings = self.config.load()?;
        Ok(settings.resolve(&settings.config.access.users_file))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Directory) -> anyhow::Result<T>) -> anyhow::Result<T> {
        users_file::change(&self.path()?, change)
    }

    /// Prints the outcome as JSON with --json, else as text.
    fn print(&self, json: &impl Serialize, text: &str) -> anyhow::Result<Outcome> {
        if self.json {
            print_json(json)?
        } else {
            print(text)?
        }
        Ok(Outcome::Success)
    }
}

/// A user as JSON.
#[derive(Debug, Serialize)]
struct UserLine<'a> {
    name: &'a str,
    role: &'static str,
    portals: Option<&'a BTreeSet<String>>,
    agents: Option<&'a BTreeSet<String>>,
    disabled: bool,
    created_at: String,
    expires_at: Option<String>,
    password_set_at: Option<String>,
}

impl<'a> From<&'a User> for UserLine<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            name: user.name(),
            role: user.role().name(),
            portals: user.scope().portals.as_ref(),
            agents: user.scope().agents.as_ref(),
            disabled: user.is_disabled(),
            created_at: time(user.created_at()),
            expires_at: user.expires_at().map(time),
            password_set_at: user.password_set_at().map(time),
        }
    }
}

/// A token as JSON, without its secret.
#[derive(Debug, Serialize)]
struct TokenLine<'a> {
    id: &'a str,
    user: &'a str,
    name: &'a str,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
}

impl<'a> From<&'a TokenRecord> for TokenLine<'a> {
    fn from(token: &'a TokenRecord) -> Self {
        Self {
            id: token.id(),
            user: token.user(),
            name: token.name(),
            created_at: time(token.created_at()),
            expires_at: token.expires_at().map(time),
            revoked_at: token.revoked_at().map(time),
        }
    }
}

fn list_users(common: &Common) -> anyhow::Result<Outcome> {
    let directory = users_file::read(&common.path()?)?;
    let lines: Vec<UserLine<'_>> = directory.users().map(UserLine::from).collect();
    let mut text = format!("{:24} {:10} {:20} scope\n", "user", "role", "state");
    for line in &lines {
        let state = match (line.disabled, &line.expires_at, &line.password_set_at) {
            (true, ..) => "disabled".to_owned(),
            (_, Some(expires_at), _) => format!("until {}", &expires_at[..10]),
            (_, _, None) => "no password".to_owned(),
            _ => "enabled".to_owned(),
        };
        let listed = |what: &str, names: Option<&BTreeSet<String>>| {
            names.map(|names| format!("{what} {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")))
        };
        let scope: Vec<String> =
            [listed("portals", line.portals), listed("agents", line.agents)].into_iter().flatten().collect();
        let _ = writeln!(text, "{:24} {:10} {state:20} {}", line.name, line.role, scope.join("; "));
    }
    common.print(&lines, &text)
}

fn add_user(add: Add, now: DateTime<Utc>) -> anyhow::Result<Outcome> {
    let Add { common, name, role, portals, agents, expires_days } = add;
    let set = |names: Vec<String>| Some(names.into_iter().collect::<BTreeSet<_>>()).filter(|names| !names.is_empty());
    let scope = Scope { portals: set(portals), agents: set(agents) };
    let user = NewUser { name: name.clone(), role, scope, expires_at: expires_days.map(|days| after(days, now)) };
    common.change(|directory| Ok(directory.add(user, now)?))?;
    let text = format!("Added the user {name} with the role {role}.\n\nNext:\n  holdfast users password {name}\n");
    common.print(&serde_json::json!({ "added": name, "role": role.name() }), &text)
}

fn set_disabled(named: &Named, is_disabled: bool) -> anyhow::Result<Outcome> {
    let Named { common, name } = named;
    common.change(|directory| Ok(directory.set_disabled(name, is_disabled)?))?;
    let word = if is_disabled { "Disabled" } else { "Enabled" };
    common.print(&serde_json::json!({ "user": name, "disabled": is_disabled }), &format!("{word} the user {name}.\n"))
}

fn set_password(command: SetPassword, now: DateTime<Utc>) -> anyhow::Result<Outcome> {
    let SetPassword { named: Named { common, name }, password_file } = command;
    let users_file = common.path()?;
    let (password, generated) = match &password_file {
        Some(file) => (read_password(file)?, None),
        None => (generate_password()?, Some(users_file::folder(&users_file).join(format!("{name}.password")))),
    };
    users_file::change(&users_file, |directory| {
        directory.set_password(&name, &password, now, &mut SystemRandomness)?;
        match &generated {
            // Before the hash is written: if the new password cannot be handed over, the old one must stay in force.
            Some(path) => users_file::new_secret(path, &format!("{}\n", *password))
                .with_context(|| format!("{} must not exist; move it away, or use --password-file", path.display())),
            None => Ok(()),
        }
    })?;
    let mut text = format!("The user {name} has a new password.\n");
    if let Some(path) = &generated {
        let _ = writeln!(text, "It is in {}; hand it over and delete the file.", path.display());
    }
    common.print(&serde_json::json!({ "user": name, "password_file": generated }), &text)
}

/// The first line of a file, or of standard input.
fn read_password(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    // The longest password, a line end, and one byte more, which shows that the file is longer.
    let limit = MAX_PASSWORD_BYTES as u64 + 3;
    if file == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(limit)
            .read_to_string(&mut text)
            .context("read the password from standard input")?;
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("open {}", file.display()))?;
        opened.take(limit).read_to_string(&mut text).with_context(|| format!("read {}", file.display()))?;
    }
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if line.contains('\n') {
        bail!("{} has more than one line; the password must be the only line", file.display());
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// 192 random bits in base64url, which needs no quoting.
fn generate_password() -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 24]);
    SystemRandomness.fill(&mut *bytes)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

fn add_token(command: AddToken, now: DateTime<Utc>) -> anyhow::Result<Outcome> {
    let AddToken { common, user, name, expires_days } = command;
    let expires_at = expires_days.map(|days| after(days, now));
    let token = common
        .change(|directory| Ok(directory.issue_token(&user, &name, expires_at, now, &mut SystemRandomness)?))?;
    // Only the token, so that it can be piped to a program that uses it.
    let json = serde_json::json!({
        "id": token.id(), "token": token.reveal(), "user": user, "name": name, "expires_at": expires_at.map(time),
    });
    let text = Zeroizing::new(format!("{}\n", token.reveal()));
    common.print(&json, &text)
}

fn list_tokens(common: &Common) -> anyhow::Result<Outcome> {
    let directory = users_file::read(&common.path()?)?;
    let lines: Vec<TokenLine<'_>> = directory.tokens().map(TokenLine::from).collect();
    let mut text = format!("{:16} {:24} {:20} name\n", "id", "user", "state");
    for line in &lines {
        let state = match (&line.revoked_at, &line.expires_at) {
            (Some(revoked_at), _) => format!("revoked {}", &revoked_at[..10]),
            (None, Some(expires_at)) => format!("until {}", &expires_at[..10]),
            (None, None) => "valid".to_owned(),
        };
        let _ = writeln!(text, "{:16} {:24} {state:20} {}", line.id, line.user, line.name);
    }
    common.print(&lines, &text)
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn after(days: u32, now: DateTime<Utc>) -> DateTime<Utc> {
    now.checked_add_signed(TimeDelta::days(i64::from(days))).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests;

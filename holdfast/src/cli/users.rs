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

use super::{ConfigArguments, Outcome, print, print_json};
use crate::wiring::users_file;

/// Users and API tokens: who is let in to ask.
///
/// Running processes notice each change within a second.
#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// List the users
    List(Common),
    Add(Add),
    /// Remove a user, with their tokens
    Remove(Named),
    /// Let a user in no longer, nor their tokens, until they are enabled
    Disable(Named),
    /// Let a disabled user in again
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
    /// List the tokens, revoked ones as well
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

/// Add a user, who has no password yet: `holdfast users password` gives one.
#[derive(Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    common: Common,
    /// Name the user is let in by
    name: String,
    /// admin, compliance, manager, agent, alerting or ingest
    #[arg(long)]
    role: Role,
    /// Bound the user to sessions of this portal and those below it; may be given more than once
    #[arg(long = "portal", value_name = "PORTAL")]
    portals: Vec<String>,
    /// Bound the user to sessions of this agent; may be given more than once. The role agent needs one
    #[arg(long = "agent", value_name = "AGENT")]
    agents: Vec<String>,
    /// Days from now until the user is let in no longer
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

/// Give a user a password.
///
/// Without --password-file one is made, and written to NAME.password beside the users file, for its owner to read.
#[derive(Debug, Args)]
pub(crate) struct SetPassword {
    #[command(flatten)]
    named: Named,
    /// File whose first line is the password; - for standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Issue a token in a user's name, and print it. It is shown this once.
#[derive(Debug, Args)]
pub(crate) struct AddToken {
    #[command(flatten)]
    common: Common,
    /// Whose token it is
    user: String,
    /// What it is for
    #[arg(long)]
    name: String,
    /// Days from now until it is good no longer
    #[arg(long, value_name = "DAYS")]
    expires_days: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    common: Common,
    /// Id of the token: the part behind hf_
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
                let text = format!("Removed the user {name}, and {tokens} tokens of theirs.\n");
                common.tell(&serde_json::json!({ "removed": name, "tokens": tokens }), &text)
            }
            Self::Disable(named) => set_disabled(&named, true),
            Self::Enable(named) => set_disabled(&named, false),
            Self::Password(command) => set_password(command, now),
            Self::Token(TokenCommand::Add(command)) => add_token(command, now),
            Self::Token(TokenCommand::List(common)) => list_tokens(&common),
            Self::Token(TokenCommand::Revoke(Revoke { common, id })) => {
                common.change(|directory| Ok(directory.revoke_token(&id, now)?))?;
                common.tell(&serde_json::json!({ "revoked": id }), &format!("Revoked the token {id}.\n"))
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

    fn tell(&self, json: &impl Serialize, text: &str) -> anyhow::Result<Outcome> {
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
    let mut text = format!("{:24} {:10} {:20} bounds\n", "user", "role", "state");
    for line in &lines {
        let state = match (line.disabled, &line.expires_at, &line.password_set_at) {
            (true, ..) => "disabled".to_owned(),
            (_, Some(expires_at), _) => format!("until {}", &expires_at[..10]),
            (_, _, None) => "no password".to_owned(),
            _ => "enabled".to_owned(),
        };
        let words = |what: &str, names: Option<&BTreeSet<String>>| {
            names.map(|names| format!("{what} {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")))
        };
        let bounds: Vec<String> =
            [words("portals", line.portals), words("agents", line.agents)].into_iter().flatten().collect();
        let _ = writeln!(text, "{:24} {:10} {state:20} {}", line.name, line.role, bounds.join("; "));
    }
    common.tell(&lines, &text)
}

fn add_user(add: Add, now: DateTime<Utc>) -> anyhow::Result<Outcome> {
    let Add { common, name, role, portals, agents, expires_days } = add;
    let set = |names: Vec<String>| Some(names.into_iter().collect::<BTreeSet<_>>()).filter(|names| !names.is_empty());
    let scope = Scope { portals: set(portals), agents: set(agents) };
    let user = NewUser { name: name.clone(), role, scope, expires_at: expires_days.map(|days| after(days, now)) };
    common.change(|directory| Ok(directory.add(user, now)?))?;
    let text = format!("Added the user {name} with the role {role}.\n\nNext:\n  holdfast users password {name}\n");
    common.tell(&serde_json::json!({ "added": name, "role": role.name() }), &text)
}

fn set_disabled(named: &Named, is_disabled: bool) -> anyhow::Result<Outcome> {
    let Named { common, name } = named;
    common.change(|directory| Ok(directory.set_disabled(name, is_disabled)?))?;
    let word = if is_disabled { "Disabled" } else { "Enabled" };
    common.tell(&serde_json::json!({ "user": name, "disabled": is_disabled }), &format!("{word} the user {name}.\n"))
}

fn set_password(command: SetPassword, now: DateTime<Utc>) -> anyhow::Result<Outcome> {
    let SetPassword { named: Named { common, name }, password_file } = command;
    let users_file = common.path()?;
    let (password, made) = match &password_file {
        Some(file) => (read_password(file)?, None),
        None => (make_password()?, Some(users_file::folder(&users_file).join(format!("{name}.password")))),
    };
    users_file::change(&users_file, |directory| {
        directory.set_password(&name, &password, now, &mut SystemRandomness)?;
        match &made {
            // Before the hash is written: a password that nobody has seen must not replace one.
            Some(path) => users_file::new_secret(path, &format!("{}\n", *password)).with_context(|| {
                format!("{} must not stand there before; move it away, or use --password-file", path.display())
            }),
            None => Ok(()),
        }
    })?;
    let mut text = format!("The user {name} has a new password.\n");
    if let Some(path) = &made {
        let _ = writeln!(text, "It stands in {}; hand it over and delete the file.", path.display());
    }
    common.tell(&serde_json::json!({ "user": name, "password_file": made }), &text)
}

/// The first line of a file, or of standard input.
fn read_password(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    // Room for the longest password and a line's end, and for one byte that shows that there is more.
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
        bail!("{} has more than one line; the password is to be the only one", file.display());
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// 192 random bits in letters that need no quoting.
fn make_password() -> anyhow::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 24]);
    SystemRandomness.fill(&mut *bytes)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

fn add_token(command: AddToken, now: DateTime<Utc>) -> anyhow::Result<Outcome> {
    let AddToken { common, user, name, expires_days } = command;
    let expires_at = expires_days.map(|days| after(days, now));
    let token = common
        .change(|directory| Ok(directory.issue_token(&user, &name, expires_at, now, &mut SystemRandomness)?))?;
    // The token alone, so that it can be piped to where it is used.
    let json = serde_json::json!({
        "id": token.id(), "token": token.reveal(), "user": user, "name": name, "expires_at": expires_at.map(time),
    });
    let text = Zeroizing::new(format!("{}\n", token.reveal()));
    common.tell(&json, &text)
}

fn list_tokens(common: &Common) -> anyhow::Result<Outcome> {
    let directory = users_file::read(&common.path()?)?;
    let lines: Vec<TokenLine<'_>> = directory.tokens().map(TokenLine::from).collect();
    let mut text = format!("{:16} {:24} {:20} name\n", "id", "user", "state");
    for line in &lines {
        let state = match (&line.revoked_at, &line.expires_at) {
            (Some(revoked_at), _) => format!("revoked {}", &revoked_at[..10]),
            (None, Some(expires_at)) => format!("until {}", &expires_at[..10]),
            (None, None) => "good".to_owned(),
        };
        let _ = writeln!(text, "{:16} {:24} {state:20} {}", line.id, line.user, line.name);
    }
    common.tell(&lines, &text)
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn after(days: u32, now: DateTime<Utc>) -> DateTime<Utc> {
    now.checked_add_signed(TimeDelta::days(i64::from(days))).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests;

//! Authentication of users on all interfaces. It decides the tiers and rows that are visible to a user.
//!
//! ```text
//! name and secret ─▶ throttle ─▶ users file or OpenID provider ─▶ role, tiers, rows ─▶ Reader, with the user's account
//!        │ refused                                                 │ the keys of these tiers only
//!        └▶ archive.denied, through Kafka                          └▶ one engine for all, one Session for each visibility
//! ```
//!
//! A secret that was verified is remembered, and costs nothing. Every other one passes the throttle before it is hashed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use age::x25519::Identity;
use anyhow::Context as _;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use holdfast_access::{
    Attempt, Denied, Directory, Login, Permission, Principal, Rows as AccessRows, Throttle, ThrottleLimits,
};
use holdfast_archive::Archive;
use holdfast_events::Tier;
use holdfast_query::{
    Account, AccountChanged, AuditTrail, AuthenticatedUser, AuthenticationError, Authenticator, Denial, Extension,
    Interface, Permissions, Reader, Rows, Scope, ScramAttempt, ScramFailure, Session, Visibility, WithoutRecord,
};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::credentials::Credentials;
use super::password_cache::PasswordCache;
use super::{identities, query};
use crate::config::{Settings, TierName};

/// Sessions that are cached, one for each visibility. Users of the same role and scope share one.
const MAX_SESSIONS: usize = 256;
/// Passwords and tokens that are hashed at the same time. A password needs 64 MiB for Argon2.
const CONCURRENT_CHECKS: usize = 4;

/// An identity that statements can be executed with.
#[derive(Clone)]
struct Key {
    identity: Identity,
    /// The configured tiers of its holder; all tiers if no holder has the key.
    tiers: Vec<Tier>,
}

/// Who tries: the name that the client gives, and where it comes from.
#[derive(Clone, Copy)]
struct Client<'a> {
    name: &'a str,
    interface: Interface,
    remote: Option<&'a str>,
}

/// The account of an authenticated user: a login, and the users file that it is checked against.
struct FiledAccount {
    credentials: Arc<Credentials>,
    login: Login,
}

impl Account for FiledAccount {
    fn check(&self) -> Result<(), AccountChanged> {
        let (instant, now) = now();
        let checked = self.credentials.directory(instant).check_login(&self.login, now);
        checked.map_err(|denied| AccountChanged { reason: denied.reason().to_owned() })
    }
}

/// Authenticates users and records refusals.
pub(crate) struct Authentication {
    credentials: Arc<Credentials>,
    throttle: Mutex<Throttle>,
    audit_trail: Arc<dyn AuditTrail>,
    without_record: WithoutRecord,
    engine: Session,
    keys: Vec<Key>,
    sessions: Mutex<HashMap<Visibility, Session>>,
    checks: Semaphore,
    password_cache: PasswordCache,
}

/// The folder with the identities of a process with the role query.
pub(crate) fn identities_folder(settings: &Settings) -> std::path::PathBuf {
    let folder = settings.config.query.identities_dir.get();
    settings.resolve(folder.unwrap_or(&settings.config.keys.identities_dir))
}

impl Authentication {
    /// Loads the identities and prepares the engine. `extensions` are added to the engine.
    pub(crate) fn open(
        settings: &Settings,
        archive: Archive,
        credentials: Credentials,
        audit_trail: Arc<dyn AuditTrail>,
        extensions: Vec<Arc<dyn Extension>>,
    ) -> anyhow::Result<Self> {
        let folder = identities_folder(settings);
        let identities = identities::load_folder(&folder);
        if identities.is_empty() {
            anyhow::bail!(
                "the role query reads with age identities, and there is none in {}; `query.identities_dir` names another folder",
                folder.display()
            );
        }
        let keys = identities.into_iter().map(|identity| key(settings, identity)).collect();
        let mut options = query::options(settings, archive, Vec::new())?;
        options.extensions.extend(extensions);
        options.visibility = Visibility::new([], Rows::None);
        Ok(Self {
            credentials: Arc::new(credentials),
            throttle: Mutex::new(Throttle::new(ThrottleLimits::default())),
            audit_trail,
            without_record: query::without_record(settings),
            engine: Session::new(options).context("prepare the query engine")?,
            keys,
            sessions: Mutex::default(),
            checks: Semaphore::new(CONCURRENT_CHECKS),
            password_cache: PasswordCache::new()?,
        })
    }

    /// The engine of all sessions.
    pub(crate) fn engine(&self) -> &Session {
        &self.engine
    }

    /// The reader of a principal that `directory` has authenticated.
    fn reader(&self, principal: Principal, directory: &Directory, client: Client<'_>) -> Reader {
        let user = AuthenticatedUser {
            name: principal.user.clone(),
            role: principal.role.name().to_owned(),
            interface: client.interface,
            remote: client.remote.map(str::to_owned),
        };
        let session = self.session(&principal.tiers, &principal.rows);
        let may = |permission| principal.role.may(permission);
        let permissions = Permissions { reports: may(Permission::Report), timelines: may(Permission::Session) };
        let account = FiledAccount { credentials: Arc::clone(&self.credentials), login: directory.login(principal) };
        Reader::new(session, user, Arc::clone(&self.audit_trail), self.without_record)
            .with_permissions(permissions)
            .with_account(Arc::new(account))
    }

    /// The session with this visibility, from the cache if it is there. A full cache is cleared.
    fn session(&self, tiers: &[Tier], rows: &AccessRows) -> Session {
        let visibility = Visibility::new(tiers.iter().copied(), rows_of(rows));
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(&visibility) {
            return session.clone();
        }
        if sessions.len() >= MAX_SESSIONS {
            sessions.clear();
        }
        let session = self.engine.for_caller(keys_for(&self.keys, tiers), visibility.clone());
        sessions.insert(visibility, session.clone());
        session
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a client after too many failed attempts, and lets one wait whose user is tried from many addresses.
    /// Counts nothing.
    async fn slow_down(&self, client: Client<'_>) -> Result<(), AuthenticationError> {
        let (verdict, delay) = {
            let (mut throttle, now) = (self.throttle(), Utc::now());
            (throttle.would_allow(client.name, address(client.remote), now), throttle.delay(client.name, now))
        };
        self.refuse_throttled(client, verdict).await?;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        Ok(())
    }

    /// Counts an attempt and returns its time, or refuses it after too many failed ones.
    async fn count_attempt(&self, client: Client<'_>) -> Result<DateTime<Utc>, AuthenticationError> {
        let now = Utc::now();
        let verdict = self.throttle().attempt(client.name, address(client.remote), now);
        self.refuse_throttled(client, verdict).await?;
        Ok(now)
    }

    async fn refuse_throttled(&self, client: Client<'_>, verdict: Attempt) -> Result<(), AuthenticationError> {
        match verdict {
            Attempt::Allowed => Ok(()),
            Attempt::RetryAfter(wait) => {
                self.record(client, "throttled").await?;
                Err(AuthenticationError::TooManyTries(wait))
            }
        }
    }

    /// Checks a secret that is not remembered, and returns the users that it was checked against. When it is the turn of
    /// this check, the users and the time are taken anew, because it may have waited, and `remembered` is asked again,
    /// because programs send one secret with many requests at once.
    async fn check_secret(
        &self,
        client: Client<'_>,
        remembered: &(dyn Fn(Arc<Directory>, DateTime<Utc>) -> Option<Principal> + Send + Sync),
        check: impl FnOnce(Arc<Directory>, DateTime<Utc>) -> Result<Principal, Denied> + Send + 'static,
    ) -> Result<(Result<Principal, Denied>, Arc<Directory>), AuthenticationError> {
        self.slow_down(client).await?;
        let permit = self.checks.acquire().await;
        let _permit = permit.map_err(|_| AuthenticationError::Unavailable("the server is stopping".to_owned()))?;
        let (instant, now) = now();
        let directory = self.credentials.directory(instant);
        if let Some(principal) = remembered(Arc::clone(&directory), now) {
            return Ok((Ok(principal), directory));
        }
        let counted_at = self.count_attempt(client).await?;
        let checking = Arc::clone(&directory);
        // Argon2 is slow by design.
        let checked = tokio::task::spawn_blocking(move || check(checking, now)).await;
        let checked =
            checked.map_err(|_| AuthenticationError::Unavailable("the secret could not be checked".to_owned()))?;
        if checked.is_ok() {
            self.throttle().succeeded(client.name, address(client.remote), counted_at);
        }
        Ok((checked, directory))
    }

    /// The reader of a principal that `directory` has authenticated and that may query. Otherwise records the refusal.
    async fn decide(
        &self,
        client: Client<'_>,
        checked: Result<Principal, Denied>,
        directory: &Directory,
    ) -> Result<Reader, AuthenticationError> {
        let principal = match checked {
            Ok(principal) => principal,
            Err(denied) => {
                self.record(client, denied.reason()).await?;
                return Err(AuthenticationError::Credentials(denied.public_message().to_owned()));
            }
        };
        if !principal.role.may(Permission::Query) {
            self.record(Client { name: &principal.user, ..client }, "no_permission").await?;
            return Err(AuthenticationError::Forbidden(format!(
                "the role {} may not query the archive",
                principal.role
            )));
        }
        Ok(self.reader(principal, directory, client))
    }

    /// Records a refusal in the audit trail.
    async fn record(&self, client: Client<'_>, reason: &str) -> Result<(), AuthenticationError> {
        let denial = Denial {
            user: client.name.to_owned(),
            interface: client.interface,
            remote: client.remote.map(str::to_owned),
            reason: reason.to_owned(),
        };
        self.audit_trail.denied(&denial).await.map_err(|error| {
            tracing::warn!("a refusal was not recorded: {error}");
            AuthenticationError::Unavailable("authentication is not available now; try again later".to_owned())
        })
    }
}

fn key(settings: &Settings, identity: Identity) -> Key {
    let recipient = identity.to_public().to_string();
    let holder = settings.config.keys.holders.iter().find(|holder| holder.recipient == recipient);
    let tiers = holder.map(|holder| holder.tiers.iter().map(|tier| tier_of(*tier)).collect());
    Key { identity, tiers: tiers.unwrap_or_else(|| Tier::ALL.to_vec()) }
}

fn tier_of(name: TierName) -> Tier {
    match name {
        TierName::Operational => Tier::Operational,
        TierName::Personal => Tier::Personal,
        TierName::Content => Tier::Content,
    }
}

/// The identities for a user to whom `tiers` are visible: those that open only these tiers, if together they open all
/// of them. Otherwise all identities, and only the visibility restricts the user.
fn keys_for(keys: &[Key], tiers: &[Tier]) -> Vec<Identity> {
    let fitting: Vec<&Key> = keys.iter().filter(|key| key.tiers.iter().all(|tier| tiers.contains(tier))).collect();
    let covered = tiers.iter().all(|tier| fitting.iter().any(|key| key.tiers.contains(tier)));
    let chosen = if covered { fitting } else { keys.iter().collect() };
    chosen.into_iter().map(|key| key.identity.clone()).collect()
}

fn rows_of(rows: &AccessRows) -> Rows {
    let cloned = |names: &Option<std::collections::BTreeSet<String>>| {
        names.as_ref().map(|names| names.iter().cloned().collect())
    };
    match rows {
        AccessRows::All => Rows::All,
        AccessRows::None => Rows::None,
        AccessRows::Sessions(scope) => {
            Rows::Sessions(Scope { portals: cloned(&scope.portals), agents: cloned(&scope.agents) })
        }
    }
}

fn address(remote: Option<&str>) -> Option<IpAddr> {
    remote?.parse().ok()
}

fn now() -> (Instant, DateTime<Utc>) {
    (Instant::now(), Utc::now())
}

#[async_trait]
impl Authenticator for Authentication {
    async fn by_password(
        &self,
        user: &str,
        password: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError> {
        let client = Client { name: user, interface, remote: remote.as_deref() };
        let (instant, now) = now();
        let directory = self.credentials.directory(instant);
        let mac = self.password_cache.mac(user, password);
        let remembered = |directory: Arc<Directory>, now: DateTime<Utc>| {
            let principal = self.password_cache.get(&mac, directory.password_mark(user), Instant::now())?;
            directory.reauthenticate(&principal, now).ok()
        };
        if let Some(principal) = remembered(Arc::clone(&directory), now) {
            return self.decide(client, Ok(principal), &directory).await;
        }
        let (name, secret) = (user.to_owned(), Zeroizing::new(password.to_owned()));
        let check = move |directory: Arc<Directory>, now: DateTime<Utc>| directory.check_password(&name, &secret, now);
        let (checked, directory) = self.check_secret(client, &remembered, check).await?;
        if let Ok(principal) = &checked {
            self.password_cache.put(mac.clone(), directory.password_mark(user), principal.clone(), instant);
        }
        self.decide(client, checked, &directory).await
    }

    async fn by_token(
        &self,
        token: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError> {
        // Only the id of the token, and nothing of its secret.
        let name = match token.strip_prefix("hf_").and_then(|rest| rest.split_once('_')) {
            Some((id, _)) => format!("token {id}"),
            None => format!("token of {}", remote.as_deref().unwrap_or("nowhere")),
        };
        let client = Client { name: &name, interface, remote: remote.as_deref() };
        let (instant, now) = now();
        let directory = self.credentials.directory(instant);
        let is_openid = self.credentials.is_openid(token);
        if !is_openid && !directory.remembers_token(token) {
            let remembered = |directory: Arc<Directory>, now: DateTime<Utc>| {
                directory.remembers_token(token).then(|| directory.check_token(token, now).ok()).flatten()
            };
            let secret = Zeroizing::new(token.to_owned());
            let check = move |directory: Arc<Directory>, now: DateTime<Utc>| directory.check_token(&secret, now);
            let (checked, directory) = self.check_secret(client, &remembered, check).await?;
            return self.decide(client, checked, &directory).await;
        }
        // A signature costs no more than the request itself, and a remembered token less.
        let checked = if is_openid {
            self.credentials.check_openid(token, &directory, now).await
        } else {
            directory.check_token(token, now)
        };
        if checked.is_err() {
            self.count_attempt(client).await?;
        }
        self.decide(client, checked, &directory).await
    }

    async fn begin_scram(&self, user: &str, remote: Option<String>) -> Result<ScramAttempt, AuthenticationError> {
        let client = Client { name: user, interface: Interface::Postgres, remote: remote.as_deref() };
        self.slow_down(client).await?;
        let counted_at = self.count_attempt(client).await?;
        let Some(verifier) = self.credentials.directory(Instant::now()).scram(user) else {
            // The name is longer than a user's can be.
            self.record(client, "too_long").await?;
            return Err(AuthenticationError::Credentials("password authentication failed".to_owned()));
        };
        let verifier = verifier.to_text().to_string();
        Ok(ScramAttempt { user: user.to_owned(), remote, verifier, counted_at: counted_at.into() })
    }

    async fn by_scram(&self, attempt: &ScramAttempt) -> Result<Reader, AuthenticationError> {
        let ScramAttempt { user, remote, verifier, counted_at } = attempt;
        let client = Client { name: user, interface: Interface::Postgres, remote: remote.as_deref() };
        let (instant, now) = now();
        let directory = self.credentials.directory(instant);
        let is_current = directory.scram(user).is_some_and(|current| current.to_text().as_str() == verifier);
        let checked = directory.authenticate_after_scram(user, now);
        let checked = if is_current { checked } else { checked.and(Err(Denied::PasswordChanged)) };
        if checked.is_ok() {
            self.throttle().succeeded(user, address(client.remote), DateTime::from(*counted_at));
        }
        self.decide(client, checked, &directory).await
    }

    async fn scram_failed(&self, attempt: &ScramAttempt, failure: ScramFailure) {
        let ScramAttempt { user, remote, .. } = attempt;
        let client = Client { name: user, interface: Interface::Postgres, remote: remote.as_deref() };
        // A failure to record was logged, and the login is refused in any case.
        let _ = self.record(client, failure.reason()).await;
    }
}

#[cfg(test)]
mod tests;

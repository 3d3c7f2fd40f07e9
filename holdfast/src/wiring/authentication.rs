//! Authentication of users on all interfaces. It decides the tiers and rows that are visible to a user.
//!
//! ```text
//! name and secret ─▶ throttle ─▶ users file or OpenID provider ─▶ role, tiers, rows ─▶ Reader
//!        │ refused                                                 │ the keys of these tiers only
//!        └▶ archive.denied, through Kafka                          └▶ one engine for all, one Session for each visibility
//! ```

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use age::x25519::Identity;
use anyhow::Context as _;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use holdfast_access::{Attempt, Denied, Permission, Principal, Rows as AccessRows, Throttle, ThrottleLimits};
use holdfast_archive::Archive;
use holdfast_events::Tier;
use holdfast_query::{
    AuditTrail, AuthenticatedUser, AuthenticationError, Authenticator, Denial, Extension, Interface, Permissions,
    Reader, Rows, Scope, Session, Visibility, WithoutRecord,
};
use tokio::sync::Semaphore;

use super::credentials::Credentials;
use super::password_cache::PasswordCache;
use super::{identities, query};
use crate::config::{Settings, TierName};

/// Sessions that are cached, one for each visibility. Users of the same role and scope share one.
const MAX_SESSIONS: usize = 256;
/// Passwords that are verified at the same time. Each needs 64 MiB for Argon2.
const CONCURRENT_PASSWORD_CHECKS: usize = 4;

/// An identity that statements can be executed with.
#[derive(Clone)]
struct Key {
    identity: Identity,
    /// The configured tiers of its holder; all tiers if no holder has the key.
    tiers: Vec<Tier>,
}

/// Authenticates users and records refusals.
pub(crate) struct Authentication {
    credentials: Credentials,
    throttle: Mutex<Throttle>,
    audit_trail: Arc<dyn AuditTrail>,
    without_record: WithoutRecord,
    engine: Session,
    keys: Vec<Key>,
    sessions: Mutex<HashMap<Visibility, Session>>,
    password_checks: Semaphore,
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
            credentials,
            throttle: Mutex::new(Throttle::new(ThrottleLimits::default())),
            audit_trail,
            without_record: query::without_record(settings),
            engine: Session::new(options).context("prepare the query engine")?,
            keys,
            sessions: Mutex::default(),
            password_checks: Semaphore::new(CONCURRENT_PASSWORD_CHECKS),
            password_cache: PasswordCache::new()?,
        })
    }

    /// The reader of an authenticated principal.
    fn reader(&self, principal: &Principal, interface: Interface, remote: Option<String>) -> Reader {
        let user = AuthenticatedUser {
            name: principal.user.clone(),
            role: principal.role.name().to_owned(),
            interface,
            remote,
        };
        let session = self.session(&principal.tiers, &principal.rows);
        let may = |permission| principal.role.may(permission);
        let permissions = Permissions { reports: may(Permission::Report), timelines: may(Permission::Session) };
        Reader::new(session, user, Arc::clone(&self.audit_trail), self.without_record).with_permissions(permissions)
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

    /// Counts an attempt, and refuses it after too many failed ones.
    async fn count_attempt(
        &self,
        name: &str,
        interface: Interface,
        remote: Option<&str>,
    ) -> Result<(), AuthenticationError> {
        let verdict = {
            let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
            throttle.attempt(name, address(remote), Utc::now())
        };
        match verdict {
            Attempt::Allowed => Ok(()),
            Attempt::RetryAfter(wait) => {
                self.record(name, interface, remote, "throttled").await?;
                Err(AuthenticationError::TooManyTries(wait))
            }
        }
    }

    fn succeeded(&self, name: &str, remote: Option<&str>) {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).succeeded(name, address(remote));
    }

    /// The reader of a principal that was authenticated and may query. Otherwise records the refusal.
    async fn decide(
        &self,
        name: &str,
        checked: Result<Principal, Denied>,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError> {
        let principal = match checked {
            Ok(principal) => principal,
            Err(denied) => {
                self.record(name, interface, remote.as_deref(), denied.reason()).await?;
                return Err(AuthenticationError::Credentials(denied.public_message().to_owned()));
            }
        };
        self.succeeded(name, remote.as_deref());
        if !principal.role.may(Permission::Query) {
            self.record(&principal.user, interface, remote.as_deref(), "no_permission").await?;
            return Err(AuthenticationError::Forbidden(format!(
                "the role {} may not query the archive",
                principal.role
            )));
        }
        Ok(self.reader(&principal, interface, remote))
    }

    /// Records a refusal in the audit trail.
    async fn record(
        &self,
        user: &str,
        interface: Interface,
        remote: Option<&str>,
        reason: &str,
    ) -> Result<(), AuthenticationError> {
        let denial =
            Denial { user: user.to_owned(), interface, remote: remote.map(str::to_owned), reason: reason.to_owned() };
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
        let (instant, now) = now();
        let directory = self.credentials.directory(instant);
        let mac = self.password_cache.mac(user, password);
        let set_at = directory.user(user).and_then(holdfast_access::User::password_set_at);
        if let Some(principal) = self.password_cache.get(&mac, set_at, instant)
            && let Ok(principal) = directory.reauthenticate(&principal, now)
        {
            return self.decide(user, Ok(principal), interface, remote).await;
        }
        self.count_attempt(user, interface, remote.as_deref()).await?;
        let permit = self.password_checks.acquire().await;
        let _permit = permit.map_err(|_| AuthenticationError::Unavailable("the server is stopping".to_owned()))?;
        let (name, secret) = (user.to_owned(), zeroize::Zeroizing::new(password.to_owned()));
        // Argon2 is slow by design.
        let checked = tokio::task::spawn_blocking(move || directory.check_password(&name, &secret, now)).await;
        let checked =
            checked.map_err(|_| AuthenticationError::Unavailable("the password could not be checked".to_owned()))?;
        if let Ok(principal) = &checked {
            self.password_cache.put(mac, set_at, principal.clone(), instant);
        }
        self.decide(user, checked, interface, remote).await
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
            // By address, so that one client that guesses tokens does not lock out all others.
            None => format!("token of {}", remote.as_deref().unwrap_or("nowhere")),
        };
        let (instant, now) = now();
        let checked = self.credentials.check_bearer(token, instant, now).await;
        // A program sends many concurrent requests with one token. Only failed attempts are counted.
        if checked.is_err() {
            self.count_attempt(&name, interface, remote.as_deref()).await?;
        }
        self.decide(&name, checked, interface, remote).await
    }

    async fn scram_verifier(&self, user: &str, remote: Option<String>) -> Result<String, AuthenticationError> {
        self.count_attempt(user, Interface::Postgres, remote.as_deref()).await?;
        let verifier = self.credentials.directory(Instant::now()).scram(user);
        let verifier =
            verifier.ok_or_else(|| AuthenticationError::Credentials("password authentication failed".to_owned()))?;
        Ok(verifier.to_text().to_string())
    }

    async fn by_scram(&self, user: &str, remote: Option<String>) -> Result<Reader, AuthenticationError> {
        let (instant, now) = now();
        let checked = self.credentials.directory(instant).authenticate_after_scram(user, now);
        self.decide(user, checked, Interface::Postgres, remote).await
    }

    async fn scram_failed(&self, user: &str, remote: Option<String>) {
        // A failure to record was logged, and the login is refused in any case.
        let _ = self.record(user, Interface::Postgres, remote.as_deref(), "wrong_secret").await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_reads_with_identities_that_open_its_own_tiers_only() {
        let key = |tiers: &[Tier]| Key { identity: Identity::generate(), tiers: tiers.to_vec() };
        let manager = key(&[Tier::Operational]);
        let compliance = key(&Tier::ALL);
        let keys = [manager.clone(), compliance.clone()];
        let chosen = |keys: &[Key], tiers: &[Tier]| -> Vec<String> {
            keys_for(keys, tiers).iter().map(|identity| identity.to_public().to_string()).collect()
        };
        let name = |key: &Key| key.identity.to_public().to_string();
        assert_eq!(chosen(&keys, &[Tier::Operational]), [name(&manager)]);
        assert_eq!(chosen(&keys, &Tier::ALL), [name(&manager), name(&compliance)]);
        // Without such an identity, only the visibility restricts the user.
        assert_eq!(chosen(std::slice::from_ref(&compliance), &[Tier::Operational]), [name(&compliance)]);
        assert!(chosen(&keys, &[]).is_empty());
    }
}

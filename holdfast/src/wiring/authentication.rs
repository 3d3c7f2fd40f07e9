//! The doors' keeper: who is let in, with which keys, seeing which rows.
//!
//! ```text
//! name and secret ─▶ throttle ─▶ users file or OpenID provider ─▶ role, tiers, rows ─▶ Reader
//!        │ refused                                                 │ the keys of these tiers only
//!        └▶ archive.denied, through Kafka                          └▶ one engine for all, one Session for each visibility
//! ```

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use age::x25519::Identity;
use anyhow::Context as _;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use holdfast_access::{Denied, Principal, Right, Rows as AccessRows, Throttle, ThrottleLimits, Verdict};
use holdfast_archive::Archive;
use holdfast_events::Tier;
use holdfast_query::{
    AuditTrail, AuthenticatedUser, AuthenticationError, Authenticator, Denial, Extension, Interface, Permissions,
    Reader, Rows, Scope, Session, Visibility, WithoutRecord,
};

use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;

use super::access::Access;
use super::{identities, query};
use crate::config::{Settings, TierName};

/// Different visibilities of which the session is kept. Users of one role and scope share one.
const MAX_SESSIONS: usize = 256;
/// Passwords that are checked at one time.
const MOST_CHECKS: usize = 4;
/// How long a password that was right is not checked anew, and how many are remembered. Whether the user is still let in is asked
/// each time.
const KNOWN_FOR: Duration = Duration::from_secs(60);
const MOST_KNOWN: usize = 1_000;

/// What decides the tiers that a holder's key opens.
#[derive(Clone)]
struct Key {
    identity: Identity,
    /// The tiers of the holder as configured; all where the configuration does not know the key.
    tiers: Vec<Tier>,
}

/// Lets in.
pub(crate) struct Authentication {
    access: Arc<Access>,
    throttle: Mutex<Throttle>,
    audit_trail: Arc<dyn AuditTrail>,
    without_record: WithoutRecord,
    engine: Session,
    keys: Vec<Key>,
    sessions: Mutex<HashMap<Visibility, Session>>,
    /// Passwords that are checked at one time.
    checks: Semaphore,
    known: KnownPasswords,
}

/// The folder that a process with the role query reads its identities from.
pub(crate) fn identities_folder(settings: &Settings) -> std::path::PathBuf {
    let folder = settings.config.query.identities_dir.get();
    settings.resolve(folder.unwrap_or(&settings.config.keys.identities_dir))
}

impl Authentication {
    pub(crate) fn open(
        settings: &Settings,
        archive: Archive,
        access: Arc<Access>,
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
            access,
            throttle: Mutex::new(Throttle::new(ThrottleLimits::default())),
            audit_trail,
            without_record: query::without_record(settings),
            engine: Session::new(options).context("prepare the query engine")?,
            keys,
            sessions: Mutex::default(),
            checks: Semaphore::new(MOST_CHECKS),
            known: KnownPasswords::new()?,
        })
    }

    /// The reader that somebody is from now on.
    fn admit(&self, principal: &Principal, interface: Interface, remote: Option<String>) -> Reader {
        let user = AuthenticatedUser {
            name: principal.user.clone(),
            role: principal.role.name().to_owned(),
            interface,
            remote,
        };
        let session = self.session(&principal.tiers, &principal.rows);
        let may = |right| principal.role.may(right);
        let permissions = Permissions { reports: may(Right::Report), timelines: may(Right::Session) };
        Reader::new(session, user, Arc::clone(&self.audit_trail), self.without_record).with_permissions(permissions)
    }

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

    /// Whether a try may be made at all.
    async fn may_try(&self, name: &str, interface: Interface, remote: Option<&str>) -> Result<(), AuthenticationError> {
        let verdict = {
            let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
            throttle.attempt(name, address(remote), Utc::now())
        };
        match verdict {
            Verdict::Go => Ok(()),
            Verdict::Wait(wait) => {
                self.record(name, interface, remote, "throttled").await?;
                Err(AuthenticationError::TooManyTries(wait))
            }
        }
    }

    fn succeeded(&self, name: &str, remote: Option<&str>) {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).succeeded(name, address(remote));
    }

    /// Lets somebody in who was recognised, or writes down that nobody was.
    async fn decide(
        &self,
        name: &str,
        decided: Result<Principal, Denied>,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError> {
        let principal = match decided {
            Ok(principal) => principal,
            Err(denied) => {
                self.record(name, interface, remote.as_deref(), denied.reason()).await?;
                return Err(AuthenticationError::Credentials(denied.public_message().to_owned()));
            }
        };
        self.succeeded(name, remote.as_deref());
        if !principal.role.may(Right::Query) {
            self.record(&principal.user, interface, remote.as_deref(), "no_right").await?;
            return Err(AuthenticationError::Forbidden(format!(
                "the role {} asks nothing of the archive",
                principal.role
            )));
        }
        Ok(self.admit(&principal, interface, remote))
    }

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
            tracing::warn!("a refusal is not on record: {error}");
            AuthenticationError::Unavailable("nobody can be let in now; try again later".to_owned())
        })
    }
}

/// Passwords that were right a moment ago, by a hash under a key that only this process has. A client of HTTP shows its password
/// with each request, and checking one anew takes long on purpose.
struct KnownPasswords {
    key: hmac::Key,
    known: Mutex<HashMap<Vec<u8>, Known>>,
}

struct Known {
    since: Instant,
    /// When the password was set that was right.
    set_at: Option<DateTime<Utc>>,
    principal: Principal,
}

impl KnownPasswords {
    fn new() -> anyhow::Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let key = key.map_err(|_| anyhow::anyhow!("the system gave no random numbers"))?;
        Ok(Self { key, known: Mutex::default() })
    }

    fn proof(&self, user: &str, password: &str) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&(user.len() as u64).to_le_bytes());
        context.update(user.as_bytes());
        context.update(password.as_bytes());
        context.sign().as_ref().to_vec()
    }

    fn get(&self, proof: &[u8], set_at: Option<DateTime<Utc>>, now: Instant) -> Option<Principal> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(proof)?;
        let holds = found.set_at == set_at && now.duration_since(found.since) < KNOWN_FOR;
        holds.then(|| found.principal.clone())
    }

    fn put(&self, proof: Vec<u8>, set_at: Option<DateTime<Utc>>, principal: Principal, now: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| now.duration_since(known.since) < KNOWN_FOR);
        if known.len() < MOST_KNOWN {
            known.insert(proof, Known { since: now, set_at, principal });
        }
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

/// The keys for who may see `tiers`: those that open nothing else, where they open all of it; else all, and the visibility alone
/// bounds what is shown.
fn keys_for(keys: &[Key], tiers: &[Tier]) -> Vec<Identity> {
    let fitting: Vec<&Key> = keys.iter().filter(|key| key.tiers.iter().all(|tier| tiers.contains(tier))).collect();
    let covered = tiers.iter().all(|tier| fitting.iter().any(|key| key.tiers.contains(tier)));
    let chosen = if covered { fitting } else { keys.iter().collect() };
    chosen.into_iter().map(|key| key.identity.clone()).collect()
}

fn rows_of(rows: &AccessRows) -> Rows {
    let own = |names: &Option<std::collections::BTreeSet<String>>| {
        names.as_ref().map(|names| names.iter().cloned().collect())
    };
    match rows {
        AccessRows::All => Rows::All,
        AccessRows::None => Rows::None,
        AccessRows::Sessions(scope) => {
            Rows::Sessions(Scope { portals: own(&scope.portals), agents: own(&scope.agents) })
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
        let directory = self.access.directory(instant);
        let proof = self.known.proof(user, password);
        // Another password ends what was known of the one before.
        let set_at = directory.user(user).and_then(holdfast_access::User::password_set_at);
        if let Some(principal) = self.known.get(&proof, set_at, instant)
            && let Ok(principal) = directory.admit_again(&principal, now)
        {
            return self.decide(user, Ok(principal), interface, remote).await;
        }
        self.may_try(user, interface, remote.as_deref()).await?;
        // Each check takes 64 MiB.
        let place = self.checks.acquire().await;
        let _place = place.map_err(|_| AuthenticationError::Unavailable("nobody is let in any more".to_owned()))?;
        let (name, secret) = (user.to_owned(), zeroize::Zeroizing::new(password.to_owned()));
        // Argon2 takes its time on purpose.
        let checked = tokio::task::spawn_blocking(move || directory.check_password(&name, &secret, now)).await;
        let decided =
            checked.map_err(|_| AuthenticationError::Unavailable("the password could not be checked".to_owned()))?;
        if let Ok(principal) = &decided {
            self.known.put(proof, set_at, principal.clone(), instant);
        }
        self.decide(user, decided, interface, remote).await
    }

    async fn by_token(
        &self,
        token: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError> {
        // The part of a token that says which it is; nothing of what makes it a secret.
        let name = match token.strip_prefix("hf_").and_then(|rest| rest.split_once('_')) {
            Some((id, _)) => format!("token {id}"),
            // One who guesses must not lock out everybody else.
            None => format!("token of {}", remote.as_deref().unwrap_or("nowhere")),
        };
        let (instant, now) = now();
        let decided = self.access.check_bearer(token, instant, now).await;
        // A program asks with one token many times at once. Only tries that fail are counted.
        if decided.is_err() {
            self.may_try(&name, interface, remote.as_deref()).await?;
        }
        self.decide(&name, decided, interface, remote).await
    }

    async fn scram_verifier(&self, user: &str, remote: Option<String>) -> Result<String, AuthenticationError> {
        self.may_try(user, Interface::Postgres, remote.as_deref()).await?;
        let verifier = self.access.directory(Instant::now()).scram(user);
        let verifier =
            verifier.ok_or_else(|| AuthenticationError::Credentials("password authentication failed".to_owned()))?;
        Ok(verifier.to_text().to_string())
    }

    async fn by_scram(&self, user: &str, remote: Option<String>) -> Result<Reader, AuthenticationError> {
        let (instant, now) = now();
        let decided = self.access.directory(instant).admit_after_scram(user, now);
        self.decide(user, decided, Interface::Postgres, remote).await
    }

    async fn scram_failed(&self, user: &str, remote: Option<String>) {
        // That it is not on record was logged; nobody was let in either way.
        let _ = self.record(user, Interface::Postgres, remote.as_deref(), "wrong_secret").await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_for_a_minute_and_not_beyond_its_change() {
        let known = KnownPasswords::new().unwrap();
        let (start, set_at) = (Instant::now(), DateTime::from_timestamp(1, 0));
        let principal = Principal::local("ada", Vec::new());
        known.put(known.proof("ada", "right"), set_at, principal.clone(), start);
        let ask = |user: &str, password: &str, set_at, after| {
            known.get(&known.proof(user, password), set_at, start + Duration::from_secs(after)).is_some()
        };
        assert!(ask("ada", "right", set_at, 59));
        assert!(!ask("ada", "right", set_at, 60));
        assert!(!ask("ada", "right", DateTime::from_timestamp(2, 0), 1));
        assert!(!ask("ada", "wrong", set_at, 1));
        assert!(!ask("adar", "ight", set_at, 1));
    }

    #[test]
    fn each_role_reads_with_the_keys_of_its_own_tiers() {
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
        // Where no such key is at hand, what bounds the visibility is not a key.
        assert_eq!(chosen(std::slice::from_ref(&compliance), &[Tier::Operational]), [name(&compliance)]);
        assert!(chosen(&keys, &[]).is_empty());
    }
}

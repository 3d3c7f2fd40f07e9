//! Who is let in: the directory of the users file, and the OpenID provider, both followed as they change.
//!
//! ```text
//! use ─▶ a second since the last look? ─▶ stat ─▶ changed? ─▶ parse ─▶ new Arc<Directory>
//! JWT ─▶ interface ─▶ NeedsKeys ─▶ RefetchLimit ─▶ GET jwks_url ─▶ interface, once more
//! ```
//!
//! A users file that cannot be read leaves the users before in force, and says so in the log: a slip of an editor must not lock
//! everybody out. At start it is an error.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt as _;
use holdfast_access::{
    Denied, Directory, JwtRules, JwtVerifier, Principal, ProcessKey, RefetchLimit, SystemRandomness,
};

use super::users_file;
use crate::config::{self, Settings};

/// How long what was read is taken as it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What a provider is given to send its keys, and how much of them is taken.
const FETCH_LIMIT: Duration = Duration::from_secs(10);
const FETCH_BYTES: usize = 256 << 10;
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// Who is let in.
pub(crate) struct Access {
    users_file: PathBuf,
    key: ProcessKey,
    users: Mutex<Users>,
    provider: Option<Provider>,
}

struct Users {
    directory: Arc<Directory>,
    stamp: Stamp,
    looked: Instant,
}

/// What changes when a file is replaced or written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self { inode: metadata.ino(), bytes: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

impl Access {
    /// Reads the users file. The provider's keys are fetched when the first token comes.
    pub(crate) fn open(settings: &Settings, now: Instant) -> anyhow::Result<Self> {
        let access = &settings.config.access;
        let users_file = settings.resolve(&access.users_file);
        let key = ProcessKey::generate(&mut SystemRandomness).context("draw a key for this process")?;
        let (directory, stamp) = read(&users_file, &key)?;
        let provider = if access.oidc_issuer.is_empty() { None } else { Some(Provider::new(access)?) };
        let users = Mutex::new(Users { directory: Arc::new(directory), stamp, looked: now });
        Ok(Self { users_file, key, users, provider })
    }

    /// The users and tokens as they are now, give or take a second.
    pub(crate) fn directory(&self, now: Instant) -> Arc<Directory> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(users.looked) < LOOK_EVERY {
            return Arc::clone(&users.directory);
        }
        users.looked = now;
        if Stamp::of(&self.users_file).is_ok_and(|stamp| stamp == users.stamp) {
            return Arc::clone(&users.directory);
        }
        match read(&self.users_file, &self.key) {
            Ok((directory, stamp)) => {
                tracing::info!(users = directory.users().count(), "read the users file, which had changed");
                (users.directory, users.stamp) = (Arc::new(directory), stamp);
            }
            Err(error) => tracing::error!("the users before stay in force: {error:#}"),
        }
        Arc::clone(&users.directory)
    }

    /// Lets in who shows a bearer token: an API token, or the token of an OpenID provider.
    pub(crate) async fn check_bearer(
        &self,
        token: &str,
        instant: Instant,
        now: DateTime<Utc>,
    ) -> Result<Principal, Denied> {
        match &self.provider {
            Some(provider) if JwtVerifier::is_jwt(token) => provider.check(token, now).await,
            _ => self.directory(instant).check_token(token, now),
        }
    }
}

fn read(path: &Path, key: &ProcessKey) -> anyhow::Result<(Directory, Stamp)> {
    // The stamp first: a change in between is then noticed at the next look.
    let stamp = Stamp::of(path);
    let text = stamp.and_then(|stamp| users_file::text(path).map(|text| (text, stamp)));
    let (text, stamp) = text.with_context(|| format!("read the users from {}", path.display()))?;
    let directory =
        Directory::parse_with(&text, key.clone()).with_context(|| format!("{} is not usable", path.display()))?;
    Ok((directory, stamp))
}

/// An OpenID provider.
struct Provider {
    verifier: RwLock<JwtVerifier>,
    /// Held while keys are fetched, so that those who come meanwhile wait for them.
    refetch: tokio::sync::Mutex<RefetchLimit>,
    client: reqwest::Client,
    jwks_url: String,
}

impl Provider {
    fn new(access: &config::Access) -> anyhow::Result<Self> {
        let optional = |claim: &String| Some(claim.clone()).filter(|claim| !claim.is_empty());
        let roles = access.oidc_roles.iter().map(|(value, role)| anyhow::Ok((value.clone(), role.parse()?)));
        let rules = JwtRules {
            issuer: access.oidc_issuer.clone(),
            audience: access.oidc_audience.clone(),
            user_claim: access.oidc_user_claim.clone(),
            role_claim: access.oidc_role_claim.clone(),
            roles: roles.collect::<anyhow::Result<_>>().context("read `access.oidc_roles`")?,
            portals_claim: optional(&access.oidc_portals_claim),
            agents_claim: optional(&access.oidc_agents_claim),
            leeway: LEEWAY,
        };
        // No redirect: the keys come from where the configuration says, or not at all.
        let client = reqwest::Client::builder()
            .timeout(FETCH_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("prepare to fetch the OpenID provider's keys")?;
        Ok(Self {
            verifier: RwLock::new(JwtVerifier::new(rules)),
            refetch: tokio::sync::Mutex::new(RefetchLimit::default()),
            client,
            jwks_url: access.oidc_jwks_url.clone(),
        })
    }

    async fn check(&self, jwt: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        match self.verify(jwt, now) {
            Err(Denied::NeedsKeys) => {}
            decided => return decided,
        }
        let mut refetch = self.refetch.lock().await;
        // Somebody else may have fetched them while this one waited.
        match self.verify(jwt, now) {
            Err(Denied::NeedsKeys) if refetch.may_fetch(now) => {}
            decided => return decided,
        }
        if let Err(error) = self.fetch().await {
            tracing::warn!("the OpenID provider's keys stay as they were: {error:#}");
        }
        self.verify(jwt, now)
    }

    fn verify(&self, jwt: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        self.verifier.read().unwrap_or_else(PoisonError::into_inner).check(jwt, now)
    }

    async fn fetch(&self) -> anyhow::Result<()> {
        let response = self.client.get(&self.jwks_url).send().await.context("fetch them")?;
        let response = response.error_for_status().context("fetch them")?;
        if !response.status().is_success() {
            anyhow::bail!("{} answered {}", self.jwks_url, response.status());
        }
        let mut body = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(piece) = stream.next().await {
            let piece = piece.context("receive them")?;
            if body.len() + piece.len() > FETCH_BYTES {
                anyhow::bail!("{} sends more than {FETCH_BYTES} bytes", self.jwks_url);
            }
            body.extend_from_slice(&piece);
        }
        let text = String::from_utf8(body).context("read them as text")?;
        let usable = self.verifier.write().unwrap_or_else(PoisonError::into_inner).set_keys(&text)?;
        tracing::info!(usable, "fetched the OpenID provider's keys");
        Ok(())
    }
}

#[cfg(test)]
mod tests;

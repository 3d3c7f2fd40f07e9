//! Credentials: the directory of the users file, and the tokens of the OpenID provider. Changes of both are followed.
//!
//! ```text
//! directory ─▶ half a second since the last check? ─▶ stat ─▶ changed? ─▶ parse ─▶ new Arc<Directory>
//! JWT ─▶ verify ─▶ NeedsKeys ─▶ RefetchLimit ─▶ GET jwks_url ─▶ verify again
//! ```
//!
//! If the users file becomes unreadable, the previous users stay in force and the error is logged: a typing error in
//! the file must not lock out all users. At start it is an error.

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

/// The users file is checked for changes at most this often. With the interval in which a running statement asks for its
/// user's account, a change takes effect within a second.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Bounds for fetching the provider's keys.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_JWKS_BYTES: usize = 256 << 10;
/// Clock difference that is accepted in the times of a JWT.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// Checks credentials.
pub(crate) struct Credentials {
    users_file: PathBuf,
    key: ProcessKey,
    users: Mutex<Users>,
    provider: Option<Provider>,
}

struct Users {
    directory: Arc<Directory>,
    version: FileVersion,
    checked_at: Instant,
}

/// Metadata that changes when a file is replaced or written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileVersion {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl FileVersion {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self { inode: metadata.ino(), bytes: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

impl Credentials {
    /// Reads the users file. The provider's keys are fetched for the first token.
    pub(crate) fn open(settings: &Settings, now: Instant) -> anyhow::Result<Self> {
        let access = &settings.config.access;
        let users_file = settings.resolve(&access.users_file);
        let key = ProcessKey::generate(&mut SystemRandomness).context("generate a key for this process")?;
        let (directory, version) = read(&users_file, &key)?;
        let provider = if access.oidc_issuer.is_empty() { None } else { Some(Provider::new(access)?) };
        let users = Mutex::new(Users { directory: Arc::new(directory), version, checked_at: now });
        Ok(Self { users_file, key, users, provider })
    }

    /// The users and tokens, at most half a second old.
    pub(crate) fn directory(&self, now: Instant) -> Arc<Directory> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(users.checked_at) < CHECK_INTERVAL {
            return Arc::clone(&users.directory);
        }
        users.checked_at = now;
        if FileVersion::of(&self.users_file).is_ok_and(|version| version == users.version) {
            return Arc::clone(&users.directory);
        }
        match read(&self.users_file, &self.key) {
            Ok((directory, version)) => {
                tracing::info!(users = directory.users().count(), "read the changed users file");
                (users.directory, users.version) = (Arc::new(directory), version);
            }
            Err(error) => tracing::error!("the previous users stay in force: {error:#}"),
        }
        Arc::clone(&users.directory)
    }

    /// Whether a bearer token is one of the OpenID provider, and not an API token.
    pub(crate) fn is_openid(&self, token: &str) -> bool {
        self.provider.is_some() && JwtVerifier::is_jwt(token)
    }

    /// The principal of a token of the OpenID provider. It must not have the name of a user in `directory`: both would be
    /// one user in the audit trail and for limits by user.
    pub(crate) async fn check_openid(
        &self,
        token: &str,
        directory: &Directory,
        now: DateTime<Utc>,
    ) -> Result<Principal, Denied> {
        let Some(provider) = &self.provider else { return Err(Denied::MalformedToken) };
        let principal = provider.check(token, now).await?;
        if directory.user(&principal.user).is_some() { Err(Denied::LocalName) } else { Ok(principal) }
    }
}

fn read(path: &Path, key: &ProcessKey) -> anyhow::Result<(Directory, FileVersion)> {
    // The version first, so that the next check finds a change between the two.
    let version = FileVersion::of(path);
    let text = version.and_then(|version| users_file::text(path).map(|text| (text, version)));
    let (text, version) = text.with_context(|| format!("read the users from {}", path.display()))?;
    let directory =
        Directory::parse_with(&text, key.clone()).with_context(|| format!("{} is not usable", path.display()))?;
    Ok((directory, version))
}

/// An OpenID provider.
struct Provider {
    verifier: RwLock<JwtVerifier>,
    /// Locked while keys are fetched, so that concurrent requests wait for them.
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
        // No redirects: the keys come from the configured URL only.
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
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
            checked => return checked,
        }
        let mut refetch = self.refetch.lock().await;
        // Another request may have fetched the keys while this one waited for the lock.
        match self.verify(jwt, now) {
            Err(Denied::NeedsKeys) if refetch.may_fetch(now) => {}
            checked => return checked,
        }
        if let Err(error) = self.fetch_keys().await {
            tracing::warn!("the OpenID provider's previous keys stay in force: {error:#}");
        }
        self.verify(jwt, now)
    }

    fn verify(&self, jwt: &str, now: DateTime<Utc>) -> Result<Principal, Denied> {
        self.verifier.read().unwrap_or_else(PoisonError::into_inner).check(jwt, now)
    }

    async fn fetch_keys(&self) -> anyhow::Result<()> {
        let response = self.client.get(&self.jwks_url).send().await.context("fetch the keys")?;
        let response = response.error_for_status().context("fetch the keys")?;
        if !response.status().is_success() {
            anyhow::bail!("{} answered {}", self.jwks_url, response.status());
        }
        let mut body = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(piece) = stream.next().await {
            let piece = piece.context("receive the keys")?;
            if body.len() + piece.len() > MAX_JWKS_BYTES {
                anyhow::bail!("{} sends more than {MAX_JWKS_BYTES} bytes", self.jwks_url);
            }
            body.extend_from_slice(&piece);
        }
        let text = String::from_utf8(body).context("read the keys as text")?;
        let usable = self.verifier.write().unwrap_or_else(PoisonError::into_inner).set_keys(&text)?;
        tracing::info!(usable, "fetched the OpenID provider's keys");
        Ok(())
    }
}

#[cfg(test)]
mod tests;

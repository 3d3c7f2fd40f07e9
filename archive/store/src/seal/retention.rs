//! Object Lock: sealed files and their recording objects cannot be deleted or overwritten before their retain-until
//! date, not even with the store's credentials.
//!
//! ```text
//! sealed file, recording object ─▶ put ─▶ PutObjectRetention (mode, retain until) ─▶ commit
//! ```
//!
//! The crate object_store does not support Object Lock, so this module makes the request and signs it as object_store
//! signs its own. The bucket must have been created with Object Lock. The retention applies to the newest version of
//! the object, which is the one that was just put.

use crate::error::ArchiveError;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use holdfast_events::Timestamp;
use object_store::ClientOptions;
use object_store::aws::{AmazonS3ConfigKey, AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpConnector, HttpRequest, ReqwestConnector};
use object_store::path::Path;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Attempts of one request, and the pause before the second. Each further pause is twice as long.
const MAX_ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Protects objects against deletion.
#[async_trait]
pub trait Retention: fmt::Debug + Send + Sync {
    /// Protects the object at `path`, relative to the archive, until `until`. Idempotent.
    async fn retain(&self, path: &Path, until: Timestamp) -> Result<(), ArchiveError>;
}

/// The retention mode of S3 Object Lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Users with the permission `s3:BypassGovernanceRetention` may shorten the retention.
    Governance,
    /// No user may shorten the retention, not even the owner of the account.
    Compliance,
}

/// How sealed objects are locked.
#[derive(Debug, Clone)]
pub struct Lock {
    /// The store's lock.
    pub retention: Arc<dyn Retention>,
    /// Days of retention after the end of an object's date.
    pub days: u32,
}

/// Retention by S3 Object Lock.
pub struct S3Retention {
    client: HttpClient,
    credential: AwsCredential,
    region: String,
    /// The URL of the archive's root, with a trailing slash.
    root: String,
    mode: LockMode,
}

impl fmt::Debug for S3Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Retention").field("root", &self.root).field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl S3Retention {
    /// For the archive at `url` (`s3://bucket/prefix`), with the `options` that its store was opened with.
    ///
    /// # Errors
    /// `Location` when it is not in S3, or the options have no credentials.
    pub fn new(url: &Url, options: &BTreeMap<String, String>, mode: LockMode) -> Result<Self, ArchiveError> {
        let refuse = |why: &str| ArchiveError::Location { url: url.to_string(), why: why.to_owned() };
        let bucket = url.host_str().filter(|_| matches!(url.scheme(), "s3" | "s3a"));
        let bucket = bucket.ok_or_else(|| refuse("Object Lock is supported for s3://bucket/prefix only"))?;
        let (mut key_id, mut secret_key, mut token, mut region, mut endpoint) = (None, None, None, None, None);
        let mut names_host = false;
        let mut client = ClientOptions::new();
        for (name, value) in options {
            let Ok(name) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() else { continue };
            match name {
                AmazonS3ConfigKey::AccessKeyId => key_id = Some(value.clone()),
                AmazonS3ConfigKey::SecretAccessKey => secret_key = Some(value.clone()),
                AmazonS3ConfigKey::Token => token = Some(value.clone()),
                AmazonS3ConfigKey::Region => region = Some(value.clone()),
                AmazonS3ConfigKey::DefaultRegion => region = region.or_else(|| Some(value.clone())),
                AmazonS3ConfigKey::Endpoint => endpoint = Some(value.clone()),
                AmazonS3ConfigKey::VirtualHostedStyleRequest => names_host = value.eq_ignore_ascii_case("true"),
                AmazonS3ConfigKey::Client(option) => client = client.with_config(option, value.clone()),
                _ => {}
            }
        }
        let (Some(key_id), Some(secret_key)) = (key_id, secret_key) else {
            return Err(refuse(
                "to lock objects, the store's options must have aws_access_key_id and aws_secret_access_key: credentials \
                 from the environment or an instance profile are not used",
            ));
        };
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        // An endpoint for requests of the virtual-hosted style names the bucket itself.
        let bucket = match endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned()) {
            Some(endpoint) if names_host => endpoint,
            Some(endpoint) => format!("{endpoint}/{bucket}"),
            None => format!("https://s3.{region}.amazonaws.com/{bucket}"),
        };
        let prefix = Path::from_url_path(url.path()).map_err(|error| refuse(&error.to_string()))?;
        let root = match prefix.as_ref() {
            "" => format!("{bucket}/"),
            prefix => format!("{bucket}/{}/", escaped(prefix)),
        };
        let client = ReqwestConnector::default().connect(&client).map_err(|error| refuse(&error.to_string()))?;
        Ok(Self { client, credential: AwsCredential { key_id, secret_key, token }, region, root, mode })
    }

    fn request(&self, path: &Path, until: Timestamp) -> Result<HttpRequest, String> {
        let mode = match self.mode {
            LockMode::Governance => "GOVERNANCE",
            LockMode::Compliance => "COMPLIANCE",
        };
        let until = until.text();
        let body = format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{mode}</Mode>\
             <RetainUntilDate>{}Z</RetainUntilDate></Retention>",
            &until.as_str()[..19]
        );
        // S3 requires a checksum of every request body that changes a configuration.
        let checksum = BASE64.encode(Sha256::digest(&body));
        let mut request = HttpRequest::new(body.into());
        *request.method_mut() = "PUT".parse().map_err(|_| "not a method of HTTP".to_owned())?;
        let address = format!("{}{}?retention", self.root, escaped(path.as_ref()));
        *request.uri_mut() = address.parse().map_err(|_| format!("`{address}` is not a URL"))?;
        let checksum = checksum.parse().map_err(|_| "not a value of a header".to_owned())?;
        request.headers_mut().insert("x-amz-checksum-sha256", checksum);
        AwsAuthorizer::new(&self.credential, "s3", &self.region).authorize(&mut request, None);
        Ok(request)
    }

    /// One attempt. The error has whether it is transient.
    async fn once(&self, path: &Path, until: Timestamp) -> Result<(), (bool, String)> {
        let request = self.request(path, until).map_err(|why| (false, why))?;
        let response = self.client.execute(request).await.map_err(|error| (true, error.to_string()))?;
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return Ok(());
        }
        let body = body.bytes().await.unwrap_or_default();
        let is_transient = parts.status.is_server_error() || parts.status.as_u16() == 429;
        Err((is_transient, format!("{}: {}", parts.status, String::from_utf8_lossy(&body))))
    }
}

#[async_trait]
impl Retention for S3Retention {
    async fn retain(&self, path: &Path, until: Timestamp) -> Result<(), ArchiveError> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.once(path, until).await {
                Ok(()) => break,
                Err((true, _)) if attempt < MAX_ATTEMPTS => tokio::time::sleep(pause).await,
                Err((_, why)) => return Err(ArchiveError::Lock { what: path.to_string(), why }),
            }
            pause *= 2;
        }
        Ok(())
    }
}

/// A path as S3 signs it: everything but letters, digits and `-._~/` is percent-encoded.
fn escaped(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len() + 16), |mut text, byte| {
        use std::fmt::Write;
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(byte.into()),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retention(url: &str, options: &[(&str, &str)]) -> Result<S3Retention, ArchiveError> {
        let keys = [("aws_access_key_id", "k"), ("aws_secret_access_key", "s")];
        let options = keys.iter().chain(options).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        S3Retention::new(&Url::parse(url).unwrap(), &options.collect(), LockMode::Governance)
    }

    fn address(url: &str, options: &[(&str, &str)]) -> String {
        let request =
            retention(url, options).unwrap().request(&Path::parse("class=a/x%2Fy").unwrap(), Timestamp(0)).unwrap();
        request.uri().to_string()
    }

    #[test]
    fn the_request_has_the_url_of_the_object() {
        let name = "class%3Da/x%252Fy?retention";
        assert_eq!(
            address("s3://b/p/q", &[("aws_region", "eu-west-3")]),
            format!("https://s3.eu-west-3.amazonaws.com/b/p/q/{name}")
        );
        assert_eq!(address("s3://b", &[("aws_endpoint", "http://h:1/")]), format!("http://h:1/b/{name}"));
        let hosted = [("aws_endpoint", "http://b.h"), ("aws_virtual_hosted_style_request", "true")];
        assert_eq!(address("s3://b/p", &hosted), format!("http://b.h/p/{name}"));
    }

    #[test]
    fn credentials_are_required() {
        let options = BTreeMap::from([("aws_region".to_owned(), "eu-west-3".to_owned())]);
        let refused = S3Retention::new(&Url::parse("s3://b/p").unwrap(), &options, LockMode::Compliance);
        let why = refused.unwrap_err().to_string();
        assert!(why.contains("aws_access_key_id"), "{why}");
        assert!(retention("gs://b/p", &[]).is_err());
        assert!(!format!("{:?}", retention("s3://b/p", &[("aws_session_token", "TOKEN-needle")])).contains("needle"));
    }

    #[test]
    fn the_retain_until_date_is_in_whole_seconds() {
        let retention = retention("s3://b", &[]).unwrap();
        let request = retention.request(&"x".into(), Timestamp(1_795_000_000_999_999)).unwrap();
        let body = String::from_utf8(request.body().as_bytes().unwrap().to_vec()).unwrap();
        assert!(body.contains("<RetainUntilDate>2026-11-18T11:06:40Z</RetainUntilDate>"), "{body}");
    }
}

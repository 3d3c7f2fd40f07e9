//! A real S3 server on loopback: versitygw with its posix back end in a temporary folder.
//!
//! It supports conditional writes (`If-None-Match: *`, on which the commits of the Delta log depend), versioning and Object Lock.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsAuthorizer, AwsCredential};
use object_store::client::{HttpRequest, HttpService};
use reqwest::header::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::child::{ChildProcess, Signal};
use crate::process::{answers, http_client};
use crate::{Error, ports, tools};

/// A bucket with default settings.
pub const BUCKET: &str = "holdfast";
/// A bucket with Object Lock, and therefore with versioning.
pub const LOCKED_BUCKET: &str = "holdfast-locked";

const ACCESS_KEY: &str = "testkit";
const SECRET_KEY: &str = "testkit-secret-key";
const REGION: &str = "us-east-1";
const START_LIMIT: Duration = Duration::from_secs(60);
const HEALTH: &str = "/-/health";

/// A running server with two empty buckets, killed when this value is dropped.
#[derive(Debug)]
pub struct S3Server {
    binary: PathBuf,
    folder: TempDir,
    address: String,
    client: reqwest::Client,
    child: Option<ChildProcess>,
}

/// The response to a raw request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The request: method and path.
    pub request: String,
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl S3Server {
    /// Starts a server, waits until it is ready and creates [`BUCKET`] and [`LOCKED_BUCKET`].
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if the server is not installed; other errors if it does not start.
    pub async fn start() -> Result<Self, Error> {
        let binary = tools::versitygw()?;
        let folder =
            tempfile::Builder::new().prefix("holdfast-s3-").tempdir().map_err(Error::io("make", "a folder for S3"))?;
        for name in ["objects", "versions"] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).map_err(Error::io("make", path))?;
        }
        let address = format!("127.0.0.1:{}", ports::free());
        let mut server = Self { binary, folder, address, client: http_client()?, child: None };
        server.restart().await?;
        server.create_bucket(BUCKET, false).await?;
        server.create_bucket(LOCKED_BUCKET, true).await?;
        Ok(server)
    }

    /// The server's address: `http://127.0.0.1:PORT`. It does not change at a restart.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The options with which `object_store` reaches the server, as in the `options` of an archive whose URL is `s3://BUCKET/prefix`.
    #[must_use]
    pub fn options(&self) -> Vec<(String, String)> {
        [
            ("aws_endpoint", self.endpoint().as_str()),
            ("aws_region", REGION),
            ("aws_access_key_id", ACCESS_KEY),
            ("aws_secret_access_key", SECRET_KEY),
            ("aws_allow_http", "true"),
            ("aws_virtual_hosted_style_request", "false"),
            ("aws_conditional_put", "etag"),
            ("aws_copy_if_not_exists", "multipart"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// A client for one bucket.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if it cannot be built.
    pub fn store(&self, bucket: &str) -> Result<AmazonS3, Error> {
        let builder = self.options().into_iter().try_fold(AmazonS3Builder::new(), |builder, (name, value)| {
            Ok::<_, object_store::Error>(builder.with_config(name.parse()?, value))
        })?;
        Ok(builder.with_bucket_name(bucket).build()?)
    }

    /// Creates a bucket, on request with Object Lock and therefore versioned.
    ///
    /// # Errors
    ///
    /// [`Error::S3`] if the server refuses.
    pub async fn create_bucket(&self, name: &str, object_lock: bool) -> Result<(), Error> {
        let lock = [("x-amz-bucket-object-lock-enabled", "true")];
        self.request("PUT", &format!("/{name}"), if object_lock { &lock } else { &[] }, Bytes::new())
            .await?
            .success()?;
        Ok(())
    }

    /// Sends a signed request, for operations that `object_store` does not support: retention, holds, versions. `path_and_query`
    /// starts with `/BUCKET` and is sent unchanged.
    ///
    /// # Errors
    ///
    /// [`Error::Http`] if there is no response. A refusal is an [`Answer`]; see [`Answer::success`].
    pub async fn request(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, Error> {
        let url = format!("{}{path_and_query}", self.endpoint());
        let wrong = |message: String| Error::Http { request: format!("{method} {url}"), message };

        // S3 requires a checksum for configurations, and accepts it for every body.
        let checksum = if body.is_empty() { String::new() } else { STANDARD.encode(Sha256::digest(&body)) };
        let mut request = HttpRequest::new(body.into());
        *request.method_mut() = method.parse().map_err(|_| wrong("not an HTTP method".to_owned()))?;
        *request.uri_mut() = url.parse().map_err(|_| wrong("not an HTTP address".to_owned()))?;
        for (name, value) in headers {
            let name: HeaderName = name.parse().map_err(|_| wrong(format!("not a header name: {name}")))?;
            request.headers_mut().insert(name, HeaderValue::from_str(value).map_err(|error| wrong(error.to_string()))?);
        }
        if !checksum.is_empty() {
            let checksum = HeaderValue::from_str(&checksum).map_err(|error| wrong(error.to_string()))?;
            request.headers_mut().insert("x-amz-checksum-sha256", checksum);
        }
        let credential =
            AwsCredential { key_id: ACCESS_KEY.to_owned(), secret_key: SECRET_KEY.to_owned(), token: None };
        AwsAuthorizer::new(&credential, "s3", REGION).authorize(&mut request, None);

        let response = self.client.call(request).await.map_err(|error| wrong(error.to_string()))?;
        let (parts, body) = response.into_parts();
        let body = body.bytes().await.map_err(|error| wrong(error.to_string()))?;
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let request = format!("{method} {path_and_query}");
        Ok(Answer { request, status: parts.status.as_u16(), headers: headers.collect(), body })
    }

    /// Kills the server with SIGKILL. Its objects stay.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill();
        }
    }

    /// Starts the server again with the same folder and port. Kills it first if it still runs.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] or [`Error::TimedOut`] with the end of the server's log.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.kill();
        let mut command = Command::new(&self.binary);
        command.args(["--port", &self.address, "--region", REGION, "--health", HEALTH, "--quiet"]);
        // In the environment, so that no process list shows them.
        command.env("ROOT_ACCESS_KEY", ACCESS_KEY).env("ROOT_SECRET_KEY", SECRET_KEY);
        command.args(["posix", "--versioning-dir"]).arg(self.folder.path().join("versions")).arg(self.objects());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        let mut child = ChildProcess::spawn("versitygw", &mut command, self.folder.path())?;
        let url = format!("{}{HEALTH}", self.endpoint());
        child.wait_until(START_LIMIT, || answers(&self.client, &url)).await?;
        self.child = Some(child);
        Ok(())
    }

    /// Stops the process with SIGSTOP: requests hang.
    pub fn pause(&mut self) {
        self.signal(Signal::Stop);
    }

    /// Continues the stopped process.
    pub fn resume(&mut self) {
        self.signal(Signal::Continue);
    }

    /// The folder with the server's objects, versions and logs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder with a subfolder for each bucket, and in it a file for each object's current version.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.folder.path().join("objects")
    }

    fn signal(&mut self, signal: Signal) {
        if let Some(child) = &mut self.child {
            child.signal(signal);
        }
    }
}

impl Answer {
    /// The response, if its status is a success.
    ///
    /// # Errors
    ///
    /// [`Error::S3`] with the body otherwise.
    pub fn success(self) -> Result<Self, Error> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(Error::S3 { body: self.text(), request: self.request, status: self.status })
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

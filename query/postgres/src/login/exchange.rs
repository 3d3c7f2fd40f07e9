//! The login of a client: from the startup message to a [`Reader`].
//!
//! ```text
//! startup ─▶ TLS required? ─▶ database exists? ─▶ SCRAM with the verifier of the Authenticator ─▶ Reader
//! ```
//!
//! Invariants:
//! - An unknown user and a wrong password go through the same steps and get the same error.
//! - An exchange that has begun ends in a Reader or in one record of why not, also if the client leaves or is too slow.

use super::scram::{self, Exchange, ScramError, Verifier};
use crate::sqlstate::Failure;
use crate::wire::Message;
use crate::wire::{Wire, WireError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::startup::Authentication;
use holdfast_query::{AuthenticationError, Authenticator, Reader, ScramAttempt, ScramFailure};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of the one database.
pub(crate) const DATABASE: &str = "holdfast";

/// Why a login failed.
pub(crate) enum LoginError {
    /// The login is refused. The client receives the error.
    Refused(Failure),
    /// The connection ended.
    Connection(WireError),
}

impl From<WireError> for LoginError {
    fn from(error: WireError) -> Self {
        Self::Connection(error)
    }
}

impl From<Failure> for LoginError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

/// The origin of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) address: std::net::IpAddr,
    pub(crate) is_encrypted: bool,
}

impl Origin {
    fn remote(&self) -> Option<String> {
        Some(self.address.to_string())
    }

    /// Whether the client is on this machine.
    fn is_local(&self) -> bool {
        self.address.to_canonical().is_loopback()
    }
}

/// Logs a client in. `end_point` is the channel binding of the connection.
pub(crate) async fn log_in(
    wire: &mut Wire,
    authenticator: &Arc<dyn Authenticator>,
    origin: &Origin,
    require_tls: bool,
    end_point: Option<&[u8]>,
    parameters: &BTreeMap<String, String>,
) -> Result<Reader, LoginError> {
    if require_tls && !origin.is_encrypted && !origin.is_local() {
        let refused = Failure::fatal("28000", "connections from other machines must be encrypted");
        return Err(refused.hint("connect with sslmode=verify-full").into());
    }
    let user = parameters.get("user").filter(|user| !user.is_empty());
    let user = user.ok_or_else(|| Failure::fatal("28000", "no user is named in the startup message"))?;
    // A client that names no database requests one with the user's name, as in PostgreSQL. Here it gets the only database.
    let database = parameters.get("database").map_or("", String::as_str);
    if !database.is_empty() && database != DATABASE && database != user {
        let missing = format!("database \"{database}\" does not exist");
        return Err(Failure::fatal("3D000", missing).hint(format!("the archive is the database {DATABASE}")).into());
    }
    if parameters.get("replication").is_some_and(|value| !matches!(value.as_str(), "false" | "off" | "no" | "0")) {
        return Err(Failure::fatal("0A000", "replication is not supported").into());
    }
    let mut mechanisms = vec![scram::PLAIN.to_owned()];
    if end_point.is_some() {
        mechanisms.insert(0, scram::PLUS.to_owned());
    }
    put(wire, Authentication::SASL(mechanisms)).await?;
    wire.flush().await?;
    let first = sasl_response(wire).await?;
    let begun = authenticator.begin_scram(user, origin.remote()).await;
    let attempt = begun.map_err(|refused| Failure::from(&refused))?;
    let verifier = attempt.verifier.clone();
    let mut open = OpenExchange { authenticator: Arc::clone(authenticator), attempt: Some(attempt) };
    match exchange(wire, &verifier, first, end_point).await {
        Ok(Ok(server_final)) => {
            let reader = open.succeeded().await?;
            put(wire, Authentication::SASLFinal(server_final)).await?;
            Ok(reader)
        }
        Ok(Err(error)) => {
            open.failed(if error == ScramError::WrongProof { ScramFailure::WrongProof } else { ScramFailure::Invalid })
                .await;
            Err(failure_of(error).into())
        }
        Err(LoginError::Refused(failure)) => {
            open.failed(ScramFailure::Invalid).await;
            Err(failure.into())
        }
        Err(error) => Err(error),
    }
}

/// An exchange that has begun. Dropped before its outcome is known, it is recorded as abandoned.
struct OpenExchange {
    authenticator: Arc<dyn Authenticator>,
    /// `None` when the outcome is known.
    attempt: Option<ScramAttempt>,
}

impl OpenExchange {
    async fn succeeded(&mut self) -> Result<Reader, Failure> {
        let Some(attempt) = &self.attempt else { return Err(Failure::protocol("the exchange has ended")) };
        let checked = self.authenticator.by_scram(attempt).await;
        self.attempt = None;
        checked.map_err(|refused| Failure::from(&refused))
    }

    async fn failed(&mut self, failure: ScramFailure) {
        if let Some(attempt) = self.attempt.take() {
            self.authenticator.scram_failed(&attempt, failure).await;
        }
    }
}

impl Drop for OpenExchange {
    fn drop(&mut self) {
        let Some(attempt) = self.attempt.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let authenticator = Arc::clone(&self.authenticator);
        runtime.spawn(async move { authenticator.scram_failed(&attempt, ScramFailure::Abandoned).await });
    }
}

/// The exchange of RFC 5802 from the client's first message on. Returns the server's last message if the proof is right.
async fn exchange(
    wire: &mut Wire,
    verifier: &str,
    first: Bytes,
    end_point: Option<&[u8]>,
) -> Result<Result<Bytes, ScramError>, LoginError> {
    let (mechanism, client_first) = initial(first)?;
    let verifier = Verifier::parse(verifier).map_err(|failure| {
        tracing::error!("the SCRAM verifier of a user is invalid: {failure}");
        Failure::from(&AuthenticationError::Unavailable("this user cannot be authenticated".to_owned()))
    })?;
    let nonce = STANDARD.encode(rand::random::<[u8; 24]>());
    let (exchange, server_first) = match Exchange::begin(&mechanism, &client_first, verifier, &nonce, end_point) {
        Ok(begun) => begun,
        Err(error) => return Ok(Err(error)),
    };
    put(wire, Authentication::SASLContinue(server_first.into())).await?;
    wire.flush().await?;
    let client_final = sasl_response(wire).await?;
    Ok(exchange.finish(&client_final).map(Bytes::from))
}

fn failure_of(error: ScramError) -> Failure {
    match error {
        ScramError::WrongProof => Failure::from(&AuthenticationError::Credentials(String::new())),
        other => Failure::protocol(other.to_string()),
    }
}

async fn put(wire: &mut Wire, message: Authentication) -> Result<(), WireError> {
    wire.put(PgWireBackendMessage::Authentication(message)).await
}

async fn sasl_response(wire: &mut Wire) -> Result<Bytes, LoginError> {
    match wire.next().await? {
        Some(Message::SaslResponse(bytes)) => Ok(bytes),
        Some(_) => Err(Failure::protocol("a SASL response was expected").into()),
        None => Err(WireError::Io(std::io::ErrorKind::UnexpectedEof.into()).into()),
    }
}

/// The mechanism that the client chose, and its first message.
fn initial(mut body: Bytes) -> Result<(String, Bytes), Failure> {
    let short = || Failure::protocol("the first message of the SASL exchange is too short");
    let end = body.iter().position(|byte| *byte == 0).ok_or_else(short)?;
    let mechanism = String::from_utf8_lossy(&body.split_to(end)).into_owned();
    body.advance(1);
    if body.len() < 4 {
        return Err(short());
    }
    let length = body.get_u32() as usize;
    if body.len() != length {
        return Err(short());
    }
    Ok((mechanism, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use holdfast_query::Interface;
    use std::sync::Mutex;
    use std::time::SystemTime;

    /// Never answers, and keeps how exchanges failed.
    #[derive(Default)]
    struct Silent(Mutex<Vec<ScramFailure>>);

    #[async_trait::async_trait]
    impl Authenticator for Silent {
        async fn by_password(
            &self,
            _: &str,
            _: &str,
            _: Interface,
            _: Option<String>,
        ) -> Result<Reader, AuthenticationError> {
            std::future::pending().await
        }

        async fn by_token(&self, _: &str, _: Interface, _: Option<String>) -> Result<Reader, AuthenticationError> {
            std::future::pending().await
        }

        async fn begin_scram(&self, _: &str, _: Option<String>) -> Result<ScramAttempt, AuthenticationError> {
            std::future::pending().await
        }

        async fn by_scram(&self, _: &ScramAttempt) -> Result<Reader, AuthenticationError> {
            std::future::pending().await
        }

        async fn scram_failed(&self, _: &ScramAttempt, failure: ScramFailure) {
            self.0.lock().unwrap().push(failure);
        }
    }

    #[tokio::test]
    async fn an_exchange_that_is_dropped_after_its_proof_is_recorded_as_abandoned() {
        let silent = Arc::new(Silent::default());
        let authenticator: Arc<dyn Authenticator> = Arc::clone(&silent) as Arc<dyn Authenticator>;
        let attempt = ScramAttempt {
            user: "ann".to_owned(),
            remote: None,
            verifier: String::new(),
            counted_at: SystemTime::UNIX_EPOCH,
        };
        let mut open = OpenExchange { authenticator, attempt: Some(attempt) };
        assert!(open.succeeded().now_or_never().is_none());
        drop(open);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*silent.0.lock().unwrap(), [ScramFailure::Abandoned]);
    }

    #[test]
    fn the_first_message_names_its_mechanism() {
        let body = Bytes::from_static(b"SCRAM-SHA-256\0\0\0\0\x03n,,");
        assert_eq!(initial(body).unwrap(), ("SCRAM-SHA-256".to_owned(), Bytes::from_static(b"n,,")));
        for body in [&b""[..], b"SCRAM", b"X\0", b"X\0\0\0\0\x05n,,", b"X\0\xff\xff\xff\xff"] {
            assert!(initial(Bytes::copy_from_slice(body)).is_err());
        }
    }

    #[test]
    fn a_client_with_a_loopback_address_is_local() {
        for (address, is_local) in
            [("127.0.0.1", true), ("127.8.8.8", true), ("::1", true), ("::ffff:127.0.0.1", true), ("10.0.0.1", false)]
        {
            let origin = Origin { address: address.parse().unwrap(), is_encrypted: false };
            assert_eq!(origin.is_local(), is_local, "{address}");
        }
    }
}

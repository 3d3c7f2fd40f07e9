//! Callbacks of librdkafka: its log, its errors, and tokens for SASL OAUTHBEARER.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError as LibraryError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;
use serde::Deserialize;

use super::KafkaSettings;

/// The log target of librdkafka's messages.
pub(super) const LOG_TARGET: &str = "librdkafka";

/// The context of every client. A context with more callbacks contains one and delegates to it.
#[derive(Debug, Clone, Default)]
pub struct KafkaContext {
    token_file: Option<PathBuf>,
    warnings: Arc<Mutex<RateLimit>>,
}

/// The interval between two messages of one kind. While a broker is down, librdkafka logs twenty messages a second.
const INTERVAL: Duration = Duration::from_secs(10);

/// When a message of each kind was last logged, and how many were suppressed since.
#[derive(Debug, Default)]
struct RateLimit(HashMap<String, (Instant, u64)>);

impl RateLimit {
    /// How many messages of a kind were suppressed, if the next one is due. librdkafka defines the kinds, so there are
    /// few.
    fn next(&mut self, kind: &str, now: Instant) -> Option<u64> {
        match self.0.get_mut(kind) {
            Some((logged, suppressed)) if now.duration_since(*logged) < INTERVAL => {
                *suppressed += 1;
                None
            }
            Some(entry) => Some(std::mem::replace(entry, (now, 0)).1),
            None => {
                self.0.insert(kind.to_owned(), (now, 0));
                Some(0)
            }
        }
    }
}

impl KafkaContext {
    /// A context for clients of these settings.
    pub fn new(settings: &KafkaSettings) -> Self {
        Self { token_file: settings.oauth_token_file.clone(), ..Self::default() }
    }

    fn warn(&self, kind: &str, message: &str) {
        let next = self.warnings.lock().unwrap_or_else(PoisonError::into_inner).next(kind, Instant::now());
        match next {
            None => {}
            Some(0) => tracing::warn!(target: LOG_TARGET, kind, "{message}"),
            Some(suppressed) => tracing::warn!(target: LOG_TARGET, kind, suppressed, "{message}"),
        }
    }
}

impl ClientContext for KafkaContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    /// librdkafka logs brokers, partitions and protocol, never the content of a message.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: LOG_TARGET, facility, "{message}");
            }
            // librdkafka logs an unreachable broker as an error and retries: nothing is lost yet.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                self.warn(facility, message);
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(target: LOG_TARGET, facility, "{message}");
            }
            RDKafkaLogLevel::Debug => tracing::debug!(target: LOG_TARGET, facility, "{message}"),
        }
    }

    fn stats(&self, _: Statistics) {}

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: LibraryError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::Authentication) => {
                tracing::error!(target: LOG_TARGET, "{reason}");
            }
            Some(code) => self.warn(&format!("{code:?}"), reason),
            None => self.warn("unknown", reason),
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let path = self.token_file.as_deref().ok_or("kafka.oauth_token_file is not set")?;
        Ok(read_token(path)?)
    }
}

impl ConsumerContext for KafkaContext {}

/// For producers that only list topics and publish nothing.
impl ProducerContext for KafkaContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// The claims of a token that are read (RFC 7519, section 4.1).
#[derive(Deserialize)]
struct Claims {
    /// Seconds since 1970; some issuers add a fraction.
    exp: f64,
    sub: Option<String>,
}

/// Reads a token from its file. No error message quotes the token.
fn read_token(path: &Path) -> Result<OAuthToken, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read kafka.oauth_token_file {}: {error}", path.display()))?;
    let token = text.trim();
    let claims = claims(token).ok_or_else(|| {
        format!("kafka.oauth_token_file {} does not contain a JSON Web Token with the claim `exp`", path.display())
    })?;
    Ok(OAuthToken {
        token: token.to_owned(),
        principal_name: claims.sub.filter(|name| !name.contains('\0')).unwrap_or_else(|| "holdfast".to_owned()),
        lifetime_ms: (claims.exp * 1000.0) as i64,
    })
}

/// The claims of a JWT in its compact form: header.claims.signature. The broker checks the signature.
fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    serde_json::from_slice(&claims).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn repeated_messages_are_logged_at_intervals() {
        let (mut limit, start) = (RateLimit::default(), Instant::now());
        assert_eq!(limit.next("FAIL", start), Some(0));
        assert_eq!(limit.next("FAIL", start + INTERVAL / 2), None);
        assert_eq!(limit.next("ERROR", start + INTERVAL / 2), Some(0));
        assert_eq!(limit.next("FAIL", start + INTERVAL / 2), None);
        assert_eq!(limit.next("FAIL", start + INTERVAL), Some(2));
        assert_eq!(limit.next("FAIL", start + INTERVAL * 2), Some(0));
    }

    fn rejection(context: &KafkaContext) -> String {
        context.generate_oauth_token(None).err().expect("the token is rejected").to_string()
    }

    #[test]
    fn a_token_expires_when_its_claim_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let context = KafkaContext { token_file: Some(path.clone()), ..KafkaContext::default() };
        for (claims, lifetime, principal) in [
            (r#"{"exp":1800000000,"sub":"archiver"}"#, 1_800_000_000_000, "archiver"),
            (r#"{"exp":1800000000.5}"#, 1_800_000_000_500, "holdfast"),
        ] {
            std::fs::write(&path, format!("{}\n", token(claims))).unwrap();
            let read = context.generate_oauth_token(None).unwrap();
            assert_eq!((read.lifetime_ms, read.principal_name.as_str()), (lifetime, principal));
            assert_eq!(read.token, token(claims));
        }
    }

    #[test]
    fn an_invalid_token_is_reported_without_quoting_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let context = KafkaContext { token_file: Some(path.clone()), ..KafkaContext::default() };
        let missing = rejection(&context);
        assert!(missing.contains("kafka.oauth_token_file"), "{missing}");
        for text in ["secret", "a.secret.c", "a.b.c.secret", &token(r#"{"sub":"secret"}"#), ""] {
            std::fs::write(&path, text).unwrap();
            let error = rejection(&context);
            assert!(error.contains("`exp`") && !error.contains("secret"), "{error}");
        }
        assert!(KafkaContext::default().generate_oauth_token(None).is_err());
    }
}

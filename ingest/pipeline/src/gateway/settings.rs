//! The gateway's settings. Plain data.

use std::time::Duration;

use super::ApiToken;

/// What the gateway accepts, and the topics that it publishes to.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
    /// Topic of session events.
    pub events_topic: String,
    /// Topic of recording chunks.
    pub recordings_topic: String,
    /// The tokens that authenticate senders.
    pub tokens: Vec<ApiToken>,
    /// Whether clients may present certificates. Then the attribute `sender` of an event is the name in one, and nothing
    /// that a sender may choose.
    pub has_client_certificates: bool,
    /// Bytes of one event.
    pub max_event_bytes: usize,
    /// Bytes of the body of a batch, after decompression.
    pub max_batch_bytes: usize,
    /// Bytes of a recording chunk.
    pub max_chunk_bytes: usize,
    /// Events, of all requests, that may wait for their acknowledgement. Also the maximum of one batch.
    pub max_in_flight: usize,
    /// Bytes of bodies, of all requests, that may wait for their acknowledgement.
    pub max_in_flight_bytes: usize,
    /// The value of `Retry-After`.
    pub retry_after: Duration,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long Kafka may take to acknowledge all events of a request. Slightly longer than the producer's delivery
    /// timeout, so that the producer reports the error first.
    pub acknowledgement_timeout: Duration,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            events_topic: "holdfast.events".to_owned(),
            recordings_topic: "holdfast.recordings".to_owned(),
            tokens: Vec::new(),
            has_client_certificates: false,
            max_event_bytes: 1_000_000,
            max_batch_bytes: 16 << 20,
            max_chunk_bytes: 8 << 20,
            max_in_flight: 20_000,
            max_in_flight_bytes: 128 << 20,
            retry_after: Duration::from_secs(1),
            body_timeout: Duration::from_secs(60),
            acknowledgement_timeout: Duration::from_secs(35),
        }
    }
}

/// Invalid settings.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// No sender could be authenticated.
    #[error("the gateway has no token; name its file in gateway.token_file")]
    NoToken,
    /// A token that is trivial to guess.
    #[error("the gateway's token is empty; put a long random text into the file of gateway.token_file")]
    EmptyToken,
    /// A limit of 0.
    #[error("gateway.{0} is 0; set it to a positive number")]
    Zero(&'static str),
    /// The largest request would always exceed the budget.
    #[error(
        "gateway.max_in_flight_bytes is less than two of the largest bodies ({needed} bytes); raise it or lower \
         gateway.max_batch_bytes and gateway.max_chunk_bytes"
    )]
    InFlightTooSmall {
        /// The minimum: a compressed body and the decompressed one are in memory together.
        needed: usize,
    },
}

impl GatewaySettings {
    pub(super) fn validate(&self) -> Result<(), GatewayError> {
        if self.tokens.is_empty() {
            return Err(GatewayError::NoToken);
        }
        if self.tokens.iter().any(ApiToken::is_empty) {
            return Err(GatewayError::EmptyToken);
        }
        for (name, limit) in [
            ("max_event_bytes", self.max_event_bytes),
            ("max_batch_bytes", self.max_batch_bytes),
            ("max_chunk_bytes", self.max_chunk_bytes),
            ("max_in_flight", self.max_in_flight),
        ] {
            if limit == 0 {
                return Err(GatewayError::Zero(name));
            }
        }
        let largest = self.max_event_bytes.max(self.max_batch_bytes).max(self.max_chunk_bytes);
        let needed = largest.saturating_mul(2);
        if self.max_in_flight_bytes < needed {
            return Err(GatewayError::InFlightTooSmall { needed });
        }
        Ok(())
    }
}

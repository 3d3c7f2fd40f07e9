//! Delivery reports: librdkafka calls back once for each message, with its position or an error.

use super::publisher::{Acknowledgement, PublishError};
use super::totals::Totals;
use crate::kafka::KafkaContext;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as LibraryError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// The recipient of a message's delivery report.
pub(super) enum Recipient {
    /// The future of one message.
    One(oneshot::Sender<Result<Acknowledgement, PublishError>>),
    /// The totals of a bulk publisher.
    Bulk(Arc<Totals>),
}

/// The producer's context: passes each delivery report to its recipient.
pub(super) struct DeliveryContext {
    kafka: KafkaContext,
    /// Whether the client has had a fatal error.
    pub(super) fatal: Arc<AtomicBool>,
}

impl DeliveryContext {
    pub(super) fn new(kafka: KafkaContext) -> Self {
        Self { kafka, fatal: Arc::default() }
    }
}

impl ClientContext for DeliveryContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = KafkaContext::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.kafka.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.kafka.stats(statistics);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.kafka.stats_raw(statistics);
    }

    fn error(&self, error: LibraryError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.fatal.store(true, Ordering::Release);
        }
        self.kafka.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.kafka.generate_oauth_token(config)
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = Box<Recipient>;

    fn delivery(&self, delivery: &DeliveryResult<'_>, recipient: Box<Recipient>) {
        let result = match delivery {
            Ok(message) => Ok(Acknowledgement {
                partition: message.partition(),
                offset: Some(message.offset()).filter(|offset| *offset >= 0),
            }),
            Err((error, _)) => Err(PublishError::of(error)),
        };
        match *recipient {
            // The sender may have dropped the future; the message is delivered all the same.
            Recipient::One(report) => drop(report.send(result)),
            Recipient::Bulk(totals) => {
                let (Ok(message) | Err((_, message))) = delivery;
                totals.report(message.topic(), result);
            }
        }
    }
}

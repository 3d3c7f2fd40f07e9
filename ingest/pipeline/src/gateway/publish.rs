//! Publishes all messages of a request to Kafka and waits for their acknowledgements.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

use super::GatewaySettings;
use super::prepare::{Message, Prepared, Target};
use super::problem::Problem;
use crate::producer::{Delivery, PublishError, Publisher, Record};

/// How long to wait for the producer's full queue when a part of the request is in it already.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(10);
/// Messages that are queued before the task yields its thread.
const MESSAGES_PER_YIELD: usize = 256;

/// Publishes the messages of requests.
pub(super) struct RequestPublisher {
    publisher: Arc<dyn Publisher>,
    events_topic: String,
    recordings_topic: String,
    timeout: Duration,
    retry_after_seconds: u64,
    acknowledgement_seconds: Histogram,
    /// Whether the last request was not acknowledged. Logged when it changes, not for every request.
    unavailable: AtomicBool,
}

impl RequestPublisher {
    pub(super) fn new(
        publisher: Arc<dyn Publisher>,
        settings: &GatewaySettings,
        acknowledgement_seconds: Histogram,
    ) -> Self {
        Self {
            publisher,
            events_topic: settings.events_topic.clone(),
            recordings_topic: settings.recordings_topic.clone(),
            timeout: settings.acknowledgement_timeout,
            retry_after_seconds: settings.retry_after.as_secs().max(1),
            acknowledgement_seconds,
            unavailable: AtomicBool::new(false),
        }
    }

    /// Returns once Kafka has acknowledged every message.
    pub(super) async fn publish(&self, prepared: &Prepared) -> Result<(), Problem> {
        let started = Instant::now();
        let all = async {
            let deliveries = self.enqueue(prepared).await?;
            try_join_all(deliveries).await.map(drop)
        };
        let timed_out = Err((0, PublishError::Unavailable { reason: "kafka_timeout" }));
        let result = tokio::time::timeout(self.timeout, all).await.unwrap_or(timed_out);
        self.log_availability(result.err().map(|(_, error)| error));
        result.map_err(|(index, error)| {
            let problem = Problem::publish(error, self.retry_after_seconds);
            // The sender needs to know which message is too large, but not which one happened to fail first.
            if error == PublishError::TooLarge { problem.at(index) } else { problem }
        })?;
        self.acknowledgement_seconds.observe(started.elapsed().as_secs_f64());
        Ok(())
    }

    async fn enqueue(
        &self,
        prepared: &Prepared,
    ) -> Result<Vec<impl Future<Output = Result<(), (usize, PublishError)>> + use<>>, (usize, PublishError)> {
        let mut deliveries = Vec::with_capacity(prepared.messages.len());
        for (index, message) in prepared.messages.iter().enumerate() {
            let delivery = self.queued(message, &prepared.body, index).await.map_err(|error| (index, error))?;
            deliveries.push(async move { delivery.await.map(drop).map_err(|error| (index, error)) });
            if index % MESSAGES_PER_YIELD == MESSAGES_PER_YIELD - 1 {
                tokio::task::yield_now().await;
            }
        }
        Ok(deliveries)
    }

    /// Queues a message. A full queue is reported to the sender if no message of its request is queued yet. Otherwise
    /// this waits, because the sender would have to repeat the messages that are queued already.
    async fn queued(&self, message: &Message, body: &[u8], index: usize) -> Result<Delivery, PublishError> {
        let headers: Vec<(&str, &[u8])> =
            message.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let topic = match message.target {
            Target::Events => &self.events_topic,
            Target::Recordings => &self.recordings_topic,
        };
        let record = Record { topic, key: message.key.as_bytes(), value: message.value(body), headers: &headers };
        loop {
            match self.publisher.publish(record) {
                Err(PublishError::Busy) if index > 0 => tokio::time::sleep(QUEUE_FULL_PAUSE).await,
                result => return result,
            }
        }
    }

    fn log_availability(&self, error: Option<PublishError>) {
        match error {
            Some(PublishError::Unavailable { reason }) => {
                if !self.unavailable.swap(true, Ordering::AcqRel) {
                    tracing::warn!(reason, "Kafka does not acknowledge; senders are rejected with 503 and Retry-After");
                }
            }
            Some(PublishError::Busy | PublishError::TooLarge) => {}
            None => {
                if self.unavailable.swap(false, Ordering::AcqRel) {
                    tracing::info!("Kafka acknowledges again");
                }
            }
        }
    }
}

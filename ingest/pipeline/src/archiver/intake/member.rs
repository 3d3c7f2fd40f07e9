//! The consumer as a member of its group. It leaves the group when it is dropped, in a thread of its own: librdkafka's
//! close waits for brokers, and has no limit (librdkafka issue 4884: it may not end at all if it begins while the group
//! is giving partitions).

use super::rebalance::ArchivingConsumer;
use rdkafka::consumer::Consumer;
use std::ops::Deref;
use tokio::sync::oneshot;

/// A consumer that never delays who drops it.
pub(crate) struct Member(Option<ArchivingConsumer>);

impl Member {
    pub(super) fn new(consumer: ArchivingConsumer) -> Self {
        Self(Some(consumer))
    }

    /// Leaves the group. The receiver gets its answer when the group has been left.
    pub(crate) fn leave(mut self) -> oneshot::Receiver<()> {
        self.close()
    }

    fn close(&mut self) -> oneshot::Receiver<()> {
        let (left, has_left) = oneshot::channel();
        if let Some(consumer) = self.0.take() {
            consumer.context().leave();
            let closing = std::thread::Builder::new().name("archiver-leave".to_owned()).spawn(move || {
                drop(consumer);
                // Nobody has to wait for it.
                let _ = left.send(());
            });
            if let Err(error) = closing {
                tracing::warn!(%error, "no thread to leave Kafka's group in; the consumer was closed at once");
            }
        }
        has_left
    }
}

impl Deref for Member {
    type Target = ArchivingConsumer;

    fn deref(&self) -> &ArchivingConsumer {
        self.0.as_ref().expect("only leave and drop take the consumer")
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.close();
    }
}

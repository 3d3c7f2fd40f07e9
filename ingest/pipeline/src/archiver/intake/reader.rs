//! Reads messages into the collector: each as an event, as a recording chunk, or as a dead letter.

use super::collect::Collector;
use crate::archiver::dead_letter::DeadLetter;
use crate::archiver::message;
use crate::archiver::metrics::{ArchiverMetrics, ReasonLabels};
use crate::archiver::queue::Rows;
use holdfast_events::{CHUNK_TYPE, Data, Decoder, Position, SpanError, Timestamp};
use rdkafka::message::{BorrowedMessage, Message};

/// The collector, and what fills it.
pub(super) struct Reader {
    pub(super) collector: Collector,
    decoder: Decoder,
    metrics: ArchiverMetrics,
}

impl Reader {
    pub(super) fn new(class: String, metrics: ArchiverMetrics) -> Self {
        Self { collector: Collector::new(class), decoder: Decoder::default(), metrics }
    }

    /// Reads a message into the collector. Returns a batch of rows when one is full. Ignores a message that was in
    /// flight when its partition was revoked.
    ///
    /// # Errors
    /// The offset is not behind those that were read before.
    pub(super) fn read(&mut self, message: &BorrowedMessage<'_>, now: Timestamp) -> Result<Option<Rows>, SpanError> {
        let position = Position { topic: message.topic(), partition: message.partition(), offset: message.offset() };
        match self.collector.advance(position.topic, position.partition, position.offset) {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(error),
            None => return Ok(None),
        }
        let Self { collector, decoder, metrics } = self;
        let (headers, unreadable) = match message::headers(message) {
            Ok(headers) => (headers, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let read = match unreadable {
            Some(error) => Err(error),
            None => message::event(decoder, message.payload(), &headers).and_then(|event| {
                if event.type_ == CHUNK_TYPE && matches!(event.data, Data::Binary(_)) {
                    return collector.chunk(decoder, event, position, now).map(|()| None);
                }
                let rows = collector.event(&event, position, now, message.payload_len());
                decoder.recycle(event);
                Ok(rows)
            }),
        };
        Ok(read.unwrap_or_else(|error| {
            let letter = DeadLetter::new(message, &headers, &error, now);
            metrics.dead_letters.get_or_create(&ReasonLabels { reason: letter.reason() }).inc();
            collector.dead_letter(letter);
            None
        }))
    }
}

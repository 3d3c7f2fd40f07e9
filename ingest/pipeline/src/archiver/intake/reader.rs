//! Reads messages into the collector: each as an event, as a recording chunk, or as a dead letter.

use super::collect::Collector;
use crate::archiver::dead_letter::DeadLetter;
use crate::archiver::message;
use crate::archiver::metrics::{ArchiverMetrics, ReasonLabels};
use crate::archiver::queue::Rows;
use crate::archiver::settings::ArchiverSettings;
use holdfast_archive::log::TopicPartition;
use holdfast_events::{CHUNK_TYPE, Data, Decoder, Position, SpanError, Timestamp};
use rdkafka::message::Message;

/// The collector, and what fills it.
pub(super) struct Reader {
    pub(super) collector: Collector,
    /// The partition whose next message ended the process again and again. That message is not decoded.
    pub(super) condemned: Option<TopicPartition>,
    decoder: Decoder,
    metrics: ArchiverMetrics,
}

impl Reader {
    pub(super) fn new(class: String, metrics: ArchiverMetrics) -> Self {
        Self { collector: Collector::new(class), condemned: None, decoder: Decoder::default(), metrics }
    }

    /// Reads a message into the collector. Returns a batch of rows when one is full. Ignores a message that was in
    /// flight when its partition was revoked.
    ///
    /// # Errors
    /// The offset is not behind those that were read before.
    pub(super) fn read(&mut self, message: &impl Message, now: Timestamp) -> Result<Option<Rows>, SpanError> {
        let position = Position { topic: message.topic(), partition: message.partition(), offset: message.offset() };
        match self.collector.advance(position.topic, position.partition, position.offset) {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(error),
            None => return Ok(None),
        }
        let is_condemned = self.take_condemned(position);
        let Self { collector, decoder, metrics, .. } = self;
        let (headers, unreadable) = match message::headers(message) {
            Ok(headers) => (headers, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let in_headers: usize = headers.iter().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len)).sum();
        let [value, key] = [message.payload(), message.key()].map(|bytes| bytes.map_or(0, <[u8]>::len));
        let size = value + key + in_headers;
        let bury = |letter: DeadLetter, collector: &mut Collector| {
            metrics.dead_letters.get_or_create(&ReasonLabels { reason: letter.reason() }).inc();
            collector.dead_letter(letter, size);
        };
        if is_condemned {
            bury(DeadLetter::internal_error(message, &headers, now), collector);
            return Ok(None);
        }
        let read = match unreadable {
            Some(error) => Err(error),
            None => message::event(decoder, message.payload(), &headers).and_then(|event| {
                if event.type_ == CHUNK_TYPE && matches!(event.data, Data::Binary(_)) {
                    return collector.chunk(decoder, event, position, now, size).map(|()| None);
                }
                let rows = collector.event(&event, position, now, size);
                decoder.recycle(event);
                Ok(rows)
            }),
        };
        Ok(read.unwrap_or_else(|error| {
            bury(DeadLetter::new(message, &headers, &error, now), collector);
            None
        }))
    }

    /// Whether what was collected must be committed before more is read; `rows` is the limit of messages.
    pub(super) fn is_full(&self, rows: usize, settings: &ArchiverSettings) -> bool {
        self.collector.events() >= rows
            || self.collector.bytes() >= settings.flush_bytes
            || self.collector.dates() >= settings.flush_dates
    }

    /// Whether this is the message that is condemned. It is so once.
    fn take_condemned(&mut self, position: Position<'_>) -> bool {
        let is_it = |(topic, partition): &TopicPartition| topic == position.topic && *partition == position.partition;
        if !self.condemned.as_ref().is_some_and(is_it) {
            return false;
        }
        self.condemned = None;
        let Position { topic, partition, offset } = position;
        tracing::error!(
            topic,
            partition,
            offset,
            "the process died again and again at this message; it is filed as a dead letter, undecoded"
        );
        true
    }
}

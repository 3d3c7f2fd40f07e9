//! Dead letters: messages that are not events, archived whole with the reason.

use super::message::HeaderList;
use arrow_array::RecordBatch;
use arrow_array::builder::{BinaryBuilder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use holdfast_archive::Table;
use holdfast_events::{DecodeError, Timestamp};
use rdkafka::message::{BorrowedMessage, Message};
use std::sync::Arc;

/// A message that is not an event.
#[derive(Debug, Clone)]
pub(super) struct DeadLetter {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Kafka's timestamp, in microseconds.
    time: Option<i64>,
    archived_at: Timestamp,
    reason: &'static str,
    message: String,
    key: Option<Vec<u8>>,
    headers: Option<String>,
    value: Option<Vec<u8>>,
}

impl DeadLetter {
    pub(super) fn new(
        message: &BorrowedMessage<'_>,
        headers: &HeaderList<'_>,
        error: &DecodeError,
        archived_at: Timestamp,
    ) -> Self {
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            time: message.timestamp().to_millis().map(|millis| millis.saturating_mul(1_000)),
            archived_at,
            reason: error.reason(),
            message: error.to_string(),
            key: message.key().map(<[u8]>::to_vec),
            headers: (!headers.is_empty()).then(|| headers_json(headers)),
            value: message.payload().map(<[u8]>::to_vec),
        }
    }

    /// Its approximate size.
    pub(super) fn bytes(&self) -> usize {
        200 + self.value.as_ref().map_or(0, Vec::len) + self.headers.as_ref().map_or(0, String::len)
    }

    pub(super) fn reason(&self) -> &'static str {
        self.reason
    }
}

/// `[[name, value], ...]` in order. A value that is not UTF-8 is `{"base64": ...}`, a missing value is `null`.
fn headers_json(headers: &HeaderList<'_>) -> String {
    let all: Vec<_> = headers
        .iter()
        .map(|(name, value)| {
            let value = match value.map(std::str::from_utf8) {
                None => serde_json::Value::Null,
                Some(Ok(text)) => text.into(),
                Some(Err(_)) => serde_json::json!({ "base64": BASE64.encode(value.unwrap_or_default()) }),
            };
            serde_json::json!([name, value])
        })
        .collect();
    serde_json::Value::Array(all).to_string()
}

/// Rows of `dead_letters`. The column with the secrets of their hashes is null.
pub(super) fn batch(letters: &[DeadLetter]) -> RecordBatch {
    let mut topic = StringBuilder::new();
    let mut partition = Int32Builder::new();
    let mut offset = Int64Builder::new();
    let mut time = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let mut archived_at = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let mut reason = StringBuilder::new();
    let mut message = StringBuilder::new();
    let mut key = BinaryBuilder::new();
    let mut headers = StringBuilder::new();
    let mut value = BinaryBuilder::new();
    let mut secret = BinaryBuilder::new();
    secret.append_nulls(letters.len());
    for letter in letters {
        topic.append_value(&letter.topic);
        partition.append_value(letter.partition);
        offset.append_value(letter.offset);
        time.append_option(letter.time);
        archived_at.append_value(letter.archived_at.0);
        reason.append_value(letter.reason);
        message.append_value(&letter.message);
        key.append_option(letter.key.as_deref());
        headers.append_option(letter.headers.as_deref());
        value.append_option(letter.value.as_deref());
    }
    RecordBatch::try_new(
        Table::DeadLetters.schema(),
        vec![
            Arc::new(topic.finish()),
            Arc::new(partition.finish()),
            Arc::new(offset.finish()),
            Arc::new(time.finish()),
            Arc::new(archived_at.finish()),
            Arc::new(reason.finish()),
            Arc::new(message.finish()),
            Arc::new(key.finish()),
            Arc::new(headers.finish()),
            Arc::new(value.finish()),
            Arc::new(secret.finish()),
        ],
    )
    .expect("the columns match the schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_columns_of_their_table() {
        let letter = DeadLetter {
            topic: "t".to_owned(),
            partition: 1,
            offset: 2,
            time: None,
            archived_at: Timestamp(3),
            reason: "empty",
            message: "nothing".to_owned(),
            key: None,
            headers: None,
            value: None,
        };
        let rows = batch(&[letter]);
        assert_eq!((rows.schema(), rows.num_rows()), (Table::DeadLetters.schema(), 1));
    }

    #[test]
    fn headers_keep_their_order_and_every_byte() {
        let headers: HeaderList<'_> = vec![("a", Some(b"1")), ("a", None), ("b", Some(b"\xff\"")), ("", Some(b""))];
        assert_eq!(headers_json(&headers), r#"[["a","1"],["a",null],["b",{"base64":"/yI="}],["",""]]"#);
    }
}

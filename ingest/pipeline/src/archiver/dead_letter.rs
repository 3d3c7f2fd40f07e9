//! Dead letters: messages that are not events, archived whole with the reason.

use super::message::HeaderList;
use arrow_array::RecordBatch;
use arrow_array::builder::{BinaryBuilder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use holdfast_archive::Table;
use holdfast_events::{DecodeError, Timestamp, escape_into};
use rdkafka::message::Message;
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
        message: &impl Message,
        headers: &HeaderList<'_>,
        error: &DecodeError,
        archived_at: Timestamp,
    ) -> Self {
        Self::with_reason(message, headers, error.reason(), error.to_string(), archived_at)
    }

    /// A message at which the process died again and again. It was not decoded.
    pub(super) fn internal_error(message: &impl Message, headers: &HeaderList<'_>, archived_at: Timestamp) -> Self {
        let why = "the archiver died each time it processed this message; report this with the message as it is here";
        Self::with_reason(message, headers, "internal_error", why.to_owned(), archived_at)
    }

    fn with_reason(
        message: &impl Message,
        headers: &HeaderList<'_>,
        reason: &'static str,
        why: String,
        archived_at: Timestamp,
    ) -> Self {
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            time: message.timestamp().to_millis().and_then(kafka_time),
            archived_at,
            reason,
            message: why,
            key: message.key().map(<[u8]>::to_vec),
            headers: (!headers.is_empty()).then(|| headers_json(headers)),
            value: message.payload().map(<[u8]>::to_vec),
        }
    }

    /// Its approximate size.
    pub(super) fn bytes(&self) -> usize {
        let [key, value] = [&self.key, &self.value].map(|bytes| bytes.as_ref().map_or(0, Vec::len));
        200 + self.message.len() + key + value + self.headers.as_ref().map_or(0, String::len)
    }

    pub(super) fn reason(&self) -> &'static str {
        self.reason
    }
}

/// Kafka's timestamp in microseconds. `None` if it is no time but only a number: one beyond the years 0 to 9999 could not
/// be shown, and nobody could read the others in its table.
fn kafka_time(millis: i64) -> Option<i64> {
    millis.checked_mul(1_000).filter(|micros| Timestamp(*micros).has_rfc_3339())
}

/// `[[name, value], ...]` in order. A value that is not UTF-8 is `{"base64": ...}`, a missing value is `null`.
fn headers_json(headers: &HeaderList<'_>) -> String {
    // Written without values in between: a message may have millions of headers.
    let mut json = String::from("[");
    for (name, value) in headers {
        json.push_str(if json.len() > 1 { ",[" } else { "[" });
        escape_into(&mut json, name);
        json.push(',');
        match value.map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)) {
            None => json.push_str("null"),
            Some(Ok(text)) => escape_into(&mut json, text),
            Some(Err(bytes)) => {
                json.push_str(r#"{"base64":""#);
                BASE64.encode_string(bytes, &mut json);
                json.push_str(r#""}"#);
            }
        }
        json.push(']');
    }
    json.push(']');
    json
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
    fn a_timestamp_of_kafka_that_is_no_time_is_absent() {
        for millis in [i64::MIN, i64::MAX, i64::MAX / 1_000, i64::MIN / 1_000, 253_402_400_000_000] {
            assert_eq!(kafka_time(millis), None, "{millis}");
        }
        for millis in [0, -1, 1_769_851_800_000, 253_402_300_799_999, -62_135_596_800_000] {
            assert_eq!(kafka_time(millis), Some(millis * 1_000), "{millis}");
        }
    }

    #[test]
    fn headers_keep_their_order_and_every_byte() {
        let headers: HeaderList<'_> = vec![("a", Some(b"1")), ("a", None), ("b", Some(b"\xff\"")), ("", Some(b""))];
        assert_eq!(headers_json(&headers), r#"[["a","1"],["a",null],["b",{"base64":"/yI="}],["",""]]"#);
        assert_eq!(headers_json(&Vec::new()), "[]");
        let odd: HeaderList<'_> = vec![("\"\u{0}\n\u{7f}é", Some("\\\u{1f}\u{1F600}".as_bytes()))];
        let read: Vec<(String, String)> = serde_json::from_str(&headers_json(&odd)).unwrap();
        assert_eq!(read, [("\"\u{0}\n\u{7f}é".to_owned(), "\\\u{1f}\u{1F600}".to_owned())]);
        let many: HeaderList<'_> = vec![("", None); 100_000];
        let read: Vec<(String, Option<String>)> = serde_json::from_str(&headers_json(&many)).unwrap();
        assert_eq!(read.len(), many.len());
    }
}

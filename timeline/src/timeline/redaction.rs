//! Chat lines whose text was redacted later.

use std::collections::BTreeMap;

use serde_json::Value;

use super::row::EventRow;

/// The column that [`redact`] adds to a chat line: the reason of its redaction.
pub const REDACTED: &str = "redacted";

/// Removes the text of every chat line that a `chat.redacted` among the rows names, and adds the column [`REDACTED`].
///
/// The text of a chat line is in `data` alone. If several events redact a line, the reason of the last one is shown.
pub fn redact(rows: &mut [EventRow]) {
    let reasons: BTreeMap<i64, String> = rows
        .iter()
        .filter(|row| row.type_ == "chat.redacted")
        .filter_map(|row| Some((row.seq?, row.text("reason").unwrap_or_default().to_owned())))
        .collect();
    for row in rows.iter_mut().filter(|row| row.type_ == "chat.line") {
        let Some(reason) = row.seq.and_then(|seq| reasons.get(&seq)) else { continue };
        if let Some(Value::Object(data)) = row.columns.get_mut("data") {
            data.remove("text");
        }
        row.columns.insert(REDACTED.to_owned(), Value::String(reason.clone()));
    }
}

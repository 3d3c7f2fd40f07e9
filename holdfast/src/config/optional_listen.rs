//! `Option<Listen>` for serde, where an empty string is `None`.

use serde::Serializer;
use serde::de::Deserializer;

use super::values::{LISTEN_EXPECTED, Listen, StringVisitor, parse_listen};

pub(super) fn serialize<S: Serializer>(value: &Option<Listen>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(listen) => serializer.collect_str(listen),
        None => serializer.serialize_str(""),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Listen>, D::Error> {
    let text = deserializer.deserialize_str(StringVisitor(LISTEN_EXPECTED))?;
    if text.is_empty() { Ok(None) } else { parse_listen(&text).map(Some) }
}

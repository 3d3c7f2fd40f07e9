//! Placeholder for the first compilation.
pub(crate) fn openapi(_: &crate::settings::ApiSettings) -> serde_json::Value {
    serde_json::Value::Null
}

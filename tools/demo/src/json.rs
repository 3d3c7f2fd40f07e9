//! Writes compact JSON objects with their fields in the order given.
//!
//! The order of `serde_json`'s own map depends on a feature that any crate of the build may enable. The bytes for a seed must not
//! depend on it.

use std::io::Write;

/// An object under construction.
pub(crate) struct Object(Vec<u8>);

impl Object {
    pub(crate) fn new() -> Self {
        let mut out = Vec::with_capacity(256);
        out.push(b'{');
        Self(out)
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        string(&mut self.0, value);
        self
    }

    /// A field that is left out if it has no value.
    pub(crate) fn maybe(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(crate) fn number(mut self, name: &str, value: i64) -> Self {
        self.name(name);
        number(&mut self.0, value);
        self
    }

    /// Seconds with three decimals, from milliseconds.
    pub(crate) fn seconds(mut self, name: &str, milliseconds: i64) -> Self {
        self.name(name);
        number(&mut self.0, milliseconds / 1000);
        let rest = milliseconds % 1000;
        if rest > 0 {
            let digits = [b'.', b'0' + (rest / 100) as u8, b'0' + (rest / 10 % 10) as u8, b'0' + (rest % 10) as u8];
            self.0.extend_from_slice(&digits);
        }
        self
    }

    pub(crate) fn flag(mut self, name: &str, value: bool) -> Self {
        self.name(name);
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// JSON that is already written.
    pub(crate) fn raw(mut self, name: &str, value: &[u8]) -> Self {
        self.name(name);
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn object(self, name: &str, value: Object) -> Self {
        let bytes = value.finish();
        self.raw(name, &bytes)
    }

    pub(crate) fn texts<'t>(mut self, name: &str, values: impl IntoIterator<Item = &'t str>) -> Self {
        self.name(name);
        self.0.push(b'[');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.0.push(b',');
            }
            string(&mut self.0, value);
        }
        self.0.push(b']');
        self
    }

    pub(crate) fn objects(mut self, name: &str, values: impl IntoIterator<Item = Object>) -> Self {
        self.name(name);
        self.0.push(b'[');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.0.push(b',');
            }
            self.0.extend_from_slice(&value.finish());
        }
        self.0.push(b']');
        self
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

fn number(out: &mut Vec<u8>, value: i64) {
    write!(out, "{value}").expect("a vector takes every byte");
}

fn string(out: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(out, value).expect("a string is always JSON, and a vector takes every byte");
}

//! Value types of settings whose text is checked: addresses, optional paths, enumerations.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// An address to listen on. It is numeric, so that no name lookup decides where the process is reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) SocketAddr);

pub(super) const LISTEN_EXPECTED: &str = "an address and a port such as \"127.0.0.1:8480\"";

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_str(StringVisitor(LISTEN_EXPECTED))?;
        parse_listen(&text)
    }
}

pub(super) fn parse_listen<E: Error>(text: &str) -> Result<Listen, E> {
    text.parse().map(Listen).map_err(|_| E::invalid_value(Unexpected::Str(text), &LISTEN_EXPECTED))
}

/// An optional path; an empty string in the file is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct OptionalPath(PathBuf);

impl OptionalPath {
    pub(crate) fn get(&self) -> Option<&Path> {
        if self.0.as_os_str().is_empty() { None } else { Some(&self.0) }
    }
}

/// A value that is passed to a library as text. Numbers and booleans are accepted too, so that `3000` and `true` need
/// no quotes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string, a number or a boolean")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<String, E> {
        Ok(value.to_owned())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }
}

/// Accepts a string. The error for any other type names what was expected.
pub(super) struct StringVisitor(pub(super) &'static str);

impl Visitor<'_> for StringVisitor {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<String, E> {
        Ok(value.to_owned())
    }
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Object Lock mode of sealed objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LockModeName {
    None,
    Governance,
    Compliance,
}

/// A tier, as it is written in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TierName {
    Operational,
    Personal,
    Content,
}

impl TierName {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 3] = [Self::Operational, Self::Personal, Self::Content];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Operational => "operational",
            Self::Personal => "personal",
            Self::Content => "content",
        }
    }
}

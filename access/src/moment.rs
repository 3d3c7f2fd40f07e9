//! Times in the directory's file: RFC 3339, UTC, whole seconds.

use chrono::{DateTime, SecondsFormat, TimeZone as _, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time in whole seconds, as the file stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) DateTime<Utc>);

impl Moment {
    /// Drops the fraction of a second, which the file does not store.
    pub(crate) fn of(time: DateTime<Utc>) -> Self {
        Self(Utc.timestamp_opt(time.timestamp(), 0).single().unwrap_or(time))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text)
            .map(|time| Self::of(time.to_utc()))
            .map_err(|_| D::Error::custom(format!("{text:?} is not a time; write it as \"2026-01-31T09:30:00Z\"")))
    }
}

//! Times and numbers of things, as the details of parts say them.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::render::text::counted;

pub(super) fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true).replace('T', " ").replace('Z', " UTC")
}

pub(super) fn plural(number: u64, noun: &str) -> String {
    let ending = if noun.ends_with('s') { "es" } else { "s" };
    counted(number, noun, &format!("{noun}{ending}"))
}

pub(super) fn each(number: u64, kind: &str) -> String {
    format!("{number} {kind} {}", if number == 1 { "is" } else { "are" })
}

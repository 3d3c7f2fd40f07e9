//! Time zones: names in any case, abbreviations, offsets and POSIX rules.
//!
//! An offset in a zone's name counts to the west, as in POSIX: `+02` is two hours behind UTC.

use super::abbreviations::{FIXED, OF_ZONE};
use super::american;
use super::calendar::{DAY, Date, SECOND, day_of_week, is_leap, split};
use super::posix::Posix;
use crate::SqlError;
use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{OffsetName, TZ_VARIANTS, Tz};
use std::collections::HashMap;
use std::sync::OnceLock;

/// Years whose changes are known one by one: those after have the rules of one of these with the same calendar.
const KNOWN: std::ops::Range<i64> = 2067..2095;
/// Microseconds before which no zone's offset changes: the year -99000.
const FIRST: i64 = -3_200_000_000_000_000_000;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    Utc,
    /// Seconds to the east.
    Fixed(i32),
    Named(Tz),
    /// Hours that American standard time is behind UTC.
    American(i64),
    /// What an abbreviation means in a zone at a time.
    Abbreviated(&'static str, Tz),
    Posix(Posix),
}

impl Zone {
    /// The zone that a statement names.
    pub(super) fn named(name: &str) -> Result<Self, SqlError> {
        let lower = name.to_ascii_lowercase();
        if let Some(zone) = Self::abbreviated(&lower) {
            return Ok(zone);
        }
        Self::full(name)
    }

    /// The zone of an abbreviation in small letters.
    pub(super) fn abbreviated(lower: &str) -> Option<Self> {
        if let Ok(place) = FIXED.binary_search_by_key(&lower, |(name, _)| name) {
            let minutes = FIXED[place].1;
            return Some(if minutes == 0 { Self::Utc } else { Self::Fixed(minutes * 60) });
        }
        let place = OF_ZONE.binary_search_by_key(&lower, |(name, _)| name).ok()?;
        let (name, zone) = OF_ZONE[place];
        Some(Self::Abbreviated(name, *by_name().get(&zone.to_ascii_lowercase())?))
    }

    /// The zone of a full name, an offset or a POSIX rule.
    pub(super) fn full(name: &str) -> Result<Self, SqlError> {
        let lower = name.to_ascii_lowercase();
        if let Some(hours) = american::hours(&lower) {
            return Ok(Self::American(hours));
        }
        if let Some(zone) = by_name().get(&lower) {
            return Ok(if matches!(zone, Tz::UTC | Tz::Etc__UTC) { Self::Utc } else { Self::Named(*zone) });
        }
        Posix::parse(name).map(Self::Posix).ok_or_else(|| not_recognized(name))
    }

    /// The zone that is an interval ahead of UTC.
    pub(super) fn of_microseconds(microseconds: i64) -> Option<Self> {
        i32::try_from(microseconds / SECOND).ok().map(Self::Fixed)
    }

    /// Microseconds that its clocks are ahead of UTC at `time`.
    pub(super) fn offset_at(&self, time: i64) -> i64 {
        match self {
            Self::Utc => 0,
            Self::Fixed(seconds) => i64::from(*seconds) * SECOND,
            Self::Named(zone) => offset_of(*zone, time) * SECOND,
            Self::American(hours) => american::offset_at(*hours, time),
            Self::Abbreviated(name, zone) => {
                // What the abbreviation means then, in the half year before or in that after.
                let near = [0, -DAY * 183, DAY * 183].map(|distance| time.saturating_add(distance));
                let meant = near.into_iter().find(|time| {
                    let offset = zone.offset_from_utc_datetime(&date_time(*time));
                    offset.abbreviation().is_some_and(|known| known.eq_ignore_ascii_case(name))
                });
                offset_of(*zone, meant.unwrap_or(time)) * SECOND
            }
            Self::Posix(rules) => rules.offset_at(time) * SECOND,
        }
    }

    /// What its clocks show at `time`. `None` if no timestamp holds it.
    pub(super) fn local_of(&self, time: i64) -> Option<i64> {
        time.checked_add(self.offset_at(time))
    }

    /// The time at which its clocks show `local`: the second one if they show it twice. A time that they leave out is
    /// counted with the offset before. `None` if no timestamp holds it.
    pub(super) fn time_of(&self, local: i64) -> Option<i64> {
        if matches!(self, Self::Utc) {
            return Some(local);
        }
        let before = self.offset_at(local.saturating_sub(DAY));
        let after = self.offset_at(local.saturating_add(DAY));
        let is_right = |offset: i64| local.checked_sub(offset).is_some_and(|time| self.offset_at(time) == offset);
        local.checked_sub(if before != after && is_right(after) { after } else { before })
    }
}

/// The error of a zone that is not known (22023).
pub(super) fn not_recognized(name: &str) -> SqlError {
    let mut shown = name.to_owned();
    if let Some((end, _)) = shown.char_indices().nth(100) {
        shown.truncate(end);
    }
    SqlError::invalid_parameter(format!("time zone \"{shown}\" not recognized"))
}

/// Zones by their names in small letters.
fn by_name() -> &'static HashMap<String, Tz> {
    static ZONES: OnceLock<HashMap<String, Tz>> = OnceLock::new();
    ZONES.get_or_init(|| TZ_VARIANTS.iter().map(|zone| (zone.name().to_ascii_lowercase(), *zone)).collect())
}

/// Seconds to the east of a zone's clocks.
fn offset_of(zone: Tz, time: i64) -> i64 {
    zone.offset_from_utc_datetime(&date_time(known(time))).fix().local_minus_utc().into()
}

/// `time`, or the same moment of a year whose changes are known and that has the same calendar.
fn known(time: i64) -> i64 {
    let (day, of_day) = split(time);
    // 2095-01-01.
    if day < 45_656 {
        return time;
    }
    let first = |year| Date::first(year, 1).days();
    let year = Date::of(day).year;
    let is_alike =
        |other: &i64| is_leap(*other) == is_leap(year) && day_of_week(first(*other)) == day_of_week(first(year));
    let like = KNOWN.rev().find(is_alike).unwrap_or(KNOWN.start);
    (day - first(year) + first(like)) * DAY + of_day
}

fn date_time(time: i64) -> NaiveDateTime {
    DateTime::from_timestamp_micros(time.max(FIRST)).unwrap_or_default().naive_utc()
}

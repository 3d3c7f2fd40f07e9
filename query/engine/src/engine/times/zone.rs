//! Time zones.

use super::calendar::{DAY, SECOND};
use arrow_array::timezone::Tz;
use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};

/// Microseconds beyond which no zone's offset changes any more: the years -99000 and 103000.
const LAST: i64 = 3_200_000_000_000_000_000;

/// A time zone.
#[derive(Debug, Clone, Copy)]
pub(super) enum Zone {
    Utc,
    Other(Tz),
}

impl Zone {
    /// The zone of a type. `None` if its name is unknown.
    pub(super) fn of_type(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("UTC" | "Etc/UTC" | "+00:00") => Some(Self::Utc),
            Some(name) => name.parse().ok().map(Self::Other),
        }
    }

    /// The zone that a statement names. An offset in it counts to the west, as in POSIX: `+02` is two hours behind UTC.
    pub(super) fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("gmt") || name.eq_ignore_ascii_case("z") {
            return Some(Self::Utc);
        }
        match name.split_at_checked(1) {
            Some(("+", offset)) => Self::of_type(Some(&format!("-{offset}"))),
            Some(("-", offset)) => Self::of_type(Some(&format!("+{offset}"))),
            _ => Self::of_type(Some(name)),
        }
    }

    /// Microseconds that its clocks are ahead of UTC at `time`.
    pub(super) fn offset_at(self, time: i64) -> i64 {
        match self {
            Self::Utc => 0,
            Self::Other(zone) => {
                let seconds = zone.offset_from_utc_datetime(&date_time(time)).fix().local_minus_utc();
                i64::from(seconds) * SECOND
            }
        }
    }

    /// What its clocks show at `time`. `None` if an `i64` cannot hold it.
    pub(super) fn local_of(self, time: i64) -> Option<i64> {
        time.checked_add(self.offset_at(time))
    }

    /// The time at which its clocks show `local`: the second one if they show it twice. A time that they leave out is
    /// counted with the offset before. `None` if an `i64` cannot hold it.
    pub(super) fn time_of(self, local: i64) -> Option<i64> {
        if matches!(self, Self::Utc) {
            return Some(local);
        }
        let before = self.offset_at(local.saturating_sub(DAY));
        let after = self.offset_at(local.saturating_add(DAY));
        let is_right = |offset: i64| local.checked_sub(offset).is_some_and(|time| self.offset_at(time) == offset);
        local.checked_sub(if before != after && is_right(after) { after } else { before })
    }
}

fn date_time(time: i64) -> NaiveDateTime {
    DateTime::from_timestamp_micros(time.clamp(-LAST, LAST)).unwrap_or_default().naive_utc()
}

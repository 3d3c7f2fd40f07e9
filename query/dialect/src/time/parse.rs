//! Reads dates and times from texts.

use super::calendar::{DAY, Date, EARLY, EARLY_DATE, FIRST_DAY, LATE, LATE_DATE, SECOND, has_date, is_finite, join};
use super::decode::{Decoded, Moment, ZoneOf, decode};
use super::error::Wrong;
use crate::SqlError;

/// A `timestamp`. A zone in the text is read and forgotten.
pub(crate) fn parse_timestamp(text: &str) -> Result<i64, SqlError> {
    let read = || match decode(text, false)? {
        Decoded::Epoch => Ok(0),
        Decoded::Infinity => Ok(LATE),
        Decoded::MinusInfinity => Ok(EARLY),
        Decoded::Moment(moment) => local(&moment),
    };
    read().map_err(|wrong: Wrong| wrong.of("timestamp", text))
}

/// A `timestamp with time zone`. Without a zone it is one of UTC.
pub(crate) fn parse_timestamptz(text: &str) -> Result<i64, SqlError> {
    let read = || match decode(text, false)? {
        Decoded::Epoch => Ok(0),
        Decoded::Infinity => Ok(LATE),
        Decoded::MinusInfinity => Ok(EARLY),
        Decoded::Moment(moment) => {
            let local = local(&moment)?;
            let time = match moment.zone {
                None => Some(local),
                Some(ZoneOf::Offset(seconds)) => local.checked_sub(seconds * SECOND),
                Some(ZoneOf::Zone(zone)) => zone.time_of(local),
            };
            time.filter(|time| is_valid(*time)).ok_or(Wrong::Range)
        }
    };
    read().map_err(|wrong: Wrong| wrong.of("timestamp with time zone", text))
}

/// A `date`. A time in the text is read and forgotten.
pub(crate) fn parse_date(text: &str) -> Result<i32, SqlError> {
    let read = || match decode(text, false)? {
        Decoded::Epoch => Ok(0),
        Decoded::Infinity => Ok(LATE_DATE),
        Decoded::MinusInfinity => Ok(EARLY_DATE),
        Decoded::Moment(moment) => {
            let day = day(&moment)?;
            if has_date(day) { i32::try_from(day).map_err(|_| Wrong::Range) } else { Err(Wrong::Range) }
        }
    };
    read().map_err(|wrong: Wrong| wrong.of("date", text))
}

/// A `time`. A date and a zone in the text are read and forgotten.
pub(crate) fn parse_time(text: &str) -> Result<i64, SqlError> {
    let read = || match decode(text, true)? {
        Decoded::Moment(Moment { of_day: Some(of_day), .. }) => Ok(of_day),
        _ => Err(Wrong::Format),
    };
    read().map_err(|wrong: Wrong| wrong.of("time", text))
}

fn day(moment: &Moment) -> Result<i64, Wrong> {
    let (year, month, day) = moment.date.ok_or(Wrong::Format)?;
    Ok(Date { year, month, day }.days())
}

fn local(moment: &Moment) -> Result<i64, Wrong> {
    join(day(moment)?, moment.of_day.unwrap_or(0)).filter(|time| is_valid(*time)).ok_or(Wrong::Range)
}

/// Whether PostgreSQL has the time, and this dialect.
pub(super) fn is_valid(time: i64) -> bool {
    is_finite(time) && time >= FIRST_DAY * DAY
}

//! The start of the unit of time that a time is in.

use super::calendar::{Date, HOUR, MINUTE, SECOND, first_monday, is_finite, iso_week, join, split};
use super::words::Unit;
use super::zone::Zone;

/// The start of the unit that `time` is in, on the clocks and calendars of `zone`.
pub(super) fn start(unit: Unit, time: i64, zone: &Zone) -> Option<i64> {
    let offset = zone.offset_at(time);
    let local = time.checked_add(offset)?;
    let of_clock = |length: i64| {
        // An hour that the clocks show twice stays the one that it is.
        let start = local.checked_sub(local.rem_euclid(length))?.checked_sub(offset)?;
        is_finite(start).then_some(start)
    };
    let (day, _) = split(local);
    let date = || Date::of(day);
    let first = |year, month| Date::first(year, month).days();
    // A year of 1 AD is in the first century, and 1 BC in the one before.
    let years = |length: i64| (date().year - 1).div_euclid(length) * length + 1;
    let day = match unit {
        Unit::Microsecond => return Some(time),
        Unit::Millisecond => return of_clock(1_000),
        Unit::Second => return of_clock(SECOND),
        Unit::Minute => return of_clock(MINUTE),
        Unit::Hour => return of_clock(HOUR),
        Unit::Day => day,
        Unit::Week => first_monday(iso_week(day).0) + (iso_week(day).1 - 1) * 7,
        Unit::Month => day - (date().day - 1),
        Unit::Quarter => first(date().year, (date().month - 1) / 3 * 3 + 1),
        Unit::Year => first(date().year, 1),
        Unit::Decade => first(date().year.div_euclid(10) * 10, 1),
        Unit::Century => first(years(100), 1),
        Unit::Millennium => first(years(1_000), 1),
    };
    zone.time_of(join(day, 0)?).filter(|time| is_finite(*time))
}

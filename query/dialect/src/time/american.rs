//! The zones `EST5EDT`, `CST6CDT`, `MST7MDT` and `PST8PDT`: the summer times of the United States, without the times of a place.
//!
//! The engine's zones take them to be those of New York, Chicago, Denver and Los Angeles, which had others before 1967.

use super::calendar::{DAY, Date, HOUR, day_of_week, days_of_month, split};

/// Hours that the standard time of a zone is behind UTC.
pub(super) fn hours(lower: &str) -> Option<i64> {
    Some(match lower {
        "est5edt" => 5,
        "cst6cdt" => 6,
        "mst7mdt" => 7,
        "pst8pdt" => 8,
        _ => return None,
    })
}

/// Microseconds that the clocks are ahead of UTC at `time`.
pub(super) fn offset_at(hours: i64, time: i64) -> i64 {
    let standard = -hours * HOUR;
    let local = time.saturating_add(standard);
    if is_summer(local) { standard + HOUR } else { standard }
}

/// Whether clocks show summer time when standard time is `local`.
fn is_summer(local: i64) -> bool {
    let (day, of_day) = split(local);
    let year = Date::of(day).year;
    // Sunday is 0.
    let from = |month, first: i64| {
        let first = Date::first(year, month).days() + first - 1;
        first + (7 - day_of_week(first)) % 7
    };
    let last = |month| from(month, days_of_month(year, month) - 6);
    let first_of = |month| from(month, 1);
    let on = |month, day| Date::first(year, month).days() + day - 1;
    let year_end = Date::first(year + 1, 1).days();
    let (start, end) = match year {
        1918..=1919 => (last(3), last(10)),
        1942 => (on(2, 9), year_end),
        1943..=1944 => (Date::first(year, 1).days() - 1, year_end),
        1945 => (Date::first(year, 1).days() - 1, on(9, 30)),
        1974 => (on(1, 6), last(10)),
        1975 => (on(2, 23), last(10)),
        1967..=1986 => (last(4), last(10)),
        1987..=2006 => (first_of(4), last(10)),
        2007.. => (from(3, 8), first_of(11)),
        _ => return false,
    };
    // At two o'clock, which is one o'clock of standard time in autumn.
    let moment = day * DAY + of_day;
    moment >= start * DAY + 2 * HOUR && moment < end * DAY + HOUR
}

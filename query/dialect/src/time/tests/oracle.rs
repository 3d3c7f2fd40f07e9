//! The Gregorian calendar by counting leap years, as it is defined.

/// A date. Year 0 is before year 1.
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
}

/// The days before 1970-01-01 since 0001-01-01.
const BEFORE_1970: i64 = 719_162;

fn is_leap(year: i64) -> bool {
    year.rem_euclid(400) == 0 || (year.rem_euclid(4) == 0 && year.rem_euclid(100) != 0)
}

/// The days between 0001-01-01 and the first of January of `year`.
fn before_year(year: i64) -> i64 {
    let years = year - 1;
    365 * years + years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400)
}

fn month_lengths(year: i64) -> [i64; 12] {
    [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

/// The days since 1970-01-01 of a date.
pub(super) fn day_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let months: i64 = month_lengths(year).iter().take(month as usize - 1).sum();
    before_year(year) + months + day - 1 - BEFORE_1970
}

/// The date of a day that is counted from 1970-01-01.
pub(super) fn civil(day: i64) -> Civil {
    let days = day + BEFORE_1970;
    // 400 years have 146097 days.
    let mut year = (days * 400).div_euclid(146_097) + 1;
    while before_year(year) > days {
        year -= 1;
    }
    while before_year(year + 1) <= days {
        year += 1;
    }
    let mut of_year = days - before_year(year);
    let mut month = 1;
    for length in month_lengths(year) {
        if of_year < length {
            break;
        }
        of_year -= length;
        month += 1;
    }
    Civil { year, month, day: of_year + 1 }
}

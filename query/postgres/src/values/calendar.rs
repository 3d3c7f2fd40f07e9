//! The Gregorian calendar, extended to all years, as PostgreSQL counts it. Year 0 is 1 BC.

/// Microseconds of a second and of a day.
pub(super) const SECOND: i64 = 1_000_000;
pub(super) const DAY: i64 = 86_400 * SECOND;
/// Days of 400 years.
const ERA: i64 = 146_097;

/// Days from 1970-01-01 to a date. The month is 1 to 12; a day beyond its end is one of the next month.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    year.div_euclid(400) * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The year, month and day of the date that is `days` after 1970-01-01.
pub(super) fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let of_era = days.rem_euclid(ERA);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = (month + 2) % 12 + 1;
    (days.div_euclid(ERA) * 400 + year + i64::from(month <= 2), month, day)
}

/// The days of a month.
pub(super) fn days_of(year: i64, month: i64) -> i64 {
    days(year + month / 12, month % 12 + 1, 1) - days(year, month, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_dates_have_their_days() {
        for (year, month, day, number) in
            [(1970, 1, 1, 0), (2000, 1, 1, 10_957), (2026, 5, 10, 20_583), (1969, 12, 31, -1), (0, 2, 29, -719_469)]
        {
            assert_eq!(days(year, month, day), number);
            assert_eq!(date(number), (year, month, day));
        }
        assert_eq!([days_of(2024, 2), days_of(2100, 2), days_of(2026, 12), days_of(0, 2)], [29, 28, 31, 29]);
    }

    proptest! {
        #[test]
        fn a_date_is_the_date_of_its_days(number in -3_000_000_i64..120_000_000) {
            let (year, month, day) = date(number);
            prop_assert_eq!(days(year, month, day), number);
            prop_assert!((1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day));
        }
    }
}

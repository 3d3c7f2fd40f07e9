//! Compares the arithmetic with an oracle of its own.

use super::oracle::{Civil, civil, day_of_civil};
use crate::time::arithmetic::shifted;
use crate::time::calendar::{DAY, Date, HOUR, MINUTE, SECOND, join, split};
use crate::time::format::{format_interval, format_timestamp, format_timestamptz, of_difference};
use crate::time::interval::{Fields, parse_interval};
use crate::time::parse::{parse_timestamp, parse_timestamptz};
use crate::time::starts::start;
use crate::time::truncate::bin;
use crate::time::words::Unit;
use crate::time::zone::Zone;
use arrow_array::types::IntervalMonthDayNano;
use chrono::{DateTime, Datelike};
use proptest::prelude::*;

/// All timestamps that PostgreSQL has as well, and as often those near the years that have names of their own.
fn times() -> impl Strategy<Value = i64> {
    let day_of_edge = proptest::sample::select(vec![
        day_of_civil(1, 1, 1),
        day_of_civil(0, 1, 1),
        day_of_civil(-99, 1, 1),
        day_of_civil(1677, 9, 21),
        day_of_civil(1970, 1, 1),
        day_of_civil(2262, 4, 11),
        day_of_civil(10_000, 1, 1),
    ]);
    prop_oneof![
        day_of_civil(-4_700, 1, 1) * DAY..i64::MAX,
        (day_of_edge, -2 * DAY..2 * DAY).prop_map(|(day, of_day)| day * DAY + of_day),
        (1..2 * DAY).prop_map(|before| i64::MAX - before),
    ]
}

/// The microseconds of a date at midnight.
fn midnight(year: i64, month: i64, day: i64) -> Option<i64> {
    join(day_of_civil(year, month, day), 0)
}

fn berlin() -> Zone {
    Zone::named("Europe/Berlin").unwrap()
}

fn instant(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

proptest! {
    #[test]
    fn dates_are_those_of_the_oracle(time in times()) {
        let (day, of_day) = split(time);
        let Civil { year, month, day: of_month } = civil(day);
        let date = Date::of(day);
        prop_assert_eq!((date.year, date.month, date.day), (year, month, of_month));
        prop_assert_eq!(date.days(), day);
        prop_assert!((0..DAY).contains(&of_day));
        prop_assert_eq!(join(day, of_day), Some(time));
    }

    #[test]
    fn a_truncated_time_is_the_start_of_its_unit(time in times()) {
        let start = |unit: &str| start(Unit::named(unit).unwrap(), time, &Zone::Utc);
        let floor = |length: i64| time.checked_sub(time.rem_euclid(length));
        for (unit, length) in
            [("microsecond", 1), ("ms", 1_000), ("second", SECOND), ("minutes", MINUTE), ("hour", HOUR), ("day", DAY)]
        {
            prop_assert_eq!(start(unit), floor(length), "{}", unit);
        }
        // 1970-01-05 was a Monday.
        let monday = i128::from(time) - (i128::from(time) - 4 * i128::from(DAY)).rem_euclid(7 * i128::from(DAY));
        prop_assert_eq!(start("week"), i64::try_from(monday).ok());
        let Civil { year, month, .. } = civil(split(time).0);
        prop_assert_eq!(start("month"), midnight(year, month, 1));
        prop_assert_eq!(start("quarter"), midnight(year, [1, 1, 1, 4, 4, 4, 7, 7, 7, 10, 10, 10][month as usize - 1], 1));
        prop_assert_eq!(start("year"), midnight(year, 1, 1));
        // A decade begins with a year that ends in 0, a century with 01 and a millennium with 001.
        let begins = |ends: i64, years: i64| (year - years + 1..=year).find(|year| year.rem_euclid(years) == ends);
        prop_assert_eq!(start("decade"), midnight(begins(0, 10).unwrap(), 1, 1));
        prop_assert_eq!(start("century"), midnight(begins(1, 100).unwrap(), 1, 1));
        prop_assert_eq!(start("millennium"), midnight(begins(1, 1_000).unwrap(), 1, 1));
    }

    #[test]
    fn a_week_begins_as_chrono_counts_it(time in -8_000_000_000_000_000_000..8_000_000_000_000_000_000_i64) {
        let expected = DateTime::from_timestamp_micros(time).unwrap();
        let (year, week) = crate::time::calendar::iso_week(split(time).0);
        prop_assert_eq!((year, week), (expected.iso_week().year().into(), expected.iso_week().week().into()));
    }

    #[test]
    fn a_time_is_in_the_bin_whose_start_is_returned(
        time in times(), origin in times(), days in 0..400_i32, microseconds in prop_oneof![0..3_i64, 0..i64::MAX / 1_000],
    ) {
        let width = i128::from(days) * i128::from(DAY) + i128::from(microseconds);
        let found = bin(IntervalMonthDayNano::new(0, days, microseconds * 1_000), time, origin);
        if width == 0 {
            prop_assert!(found.is_err());
            return Ok(());
        }
        let (exact, exact_origin) = (i128::from(time), i128::from(origin));
        let start = exact_origin + (exact - exact_origin).div_euclid(width) * width;
        prop_assert_eq!(found.unwrap(), i64::try_from(start).ok());
    }

    #[test]
    fn bins_of_months_follow_each_other(time in times(), origin in times(), months in 1..5_000_i32) {
        let bin = |time| bin(IntervalMonthDayNano::new(months, 0, 0), time, origin).unwrap();
        let Some(start) = bin(time) else { return Ok(()) };
        prop_assert!(start <= time);
        prop_assert_eq!(bin(start), Some(start));
        let month_of = |time| { let date = civil(split(time).0); date.year * 12 + date.month };
        prop_assert_eq!((month_of(start) - month_of(origin)) % i64::from(months), 0);
        prop_assert!(month_of(time) - month_of(start) <= i64::from(months));
    }

    #[test]
    fn a_shifted_time_is_as_many_months_days_and_microseconds_away(
        time in times(), months: i32, days: i32, microseconds in -i64::MAX / 1_000..i64::MAX / 1_000,
    ) {
        let interval = IntervalMonthDayNano::new(months, days, microseconds * 1_000);
        for sign in [1, -1] {
            let (day, of_day) = split(time);
            let Civil { year, month, day: of_month } = civil(day);
            let month = year * 12 + month - 1 + sign * i64::from(months);
            let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
            let next_month = if month == 12 { day_of_civil(year + 1, 1, 1) } else { day_of_civil(year, month + 1, 1) };
            let day = (day_of_civil(year, month, 1) + of_month - 1).min(next_month - 1) + sign * i64::from(days);
            let in_days = i128::from(day) * i128::from(DAY) + i128::from(of_day);
            // The days must fit before the microseconds are added.
            let sum = i64::try_from(in_days).ok()
                .and_then(|_| i64::try_from(in_days + i128::from(sign) * i128::from(microseconds)).ok());
            prop_assert_eq!(shifted(time, interval, sign), sum);
        }
    }

    #[test]
    fn a_zone_converts_all_times_back(time in times(), zone in proptest::sample::select(vec!["Europe/Berlin",
        "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "+02", "-09:30", "UTC", "Z", "EST5EDT4"])) {
        let zone = Zone::named(zone).unwrap();
        let Some(local) = zone.local_of(time) else { return Ok(()) };
        prop_assert!(local.abs_diff(time) < 16 * HOUR as u64);
        // What clocks show twice is taken for the second time.
        if let Some(again) = zone.time_of(local) {
            prop_assert!(again >= time && again - time <= 25 * HOUR, "{} {}", time, again);
            prop_assert_eq!(zone.local_of(again), Some(local));
        }
    }

    #[test]
    fn what_is_written_is_read(time in times(), months: i32, days: i32, microseconds in -i64::MAX / 1_000..i64::MAX / 1_000) {
        prop_assert_eq!(parse_timestamp(&format_timestamp(time)).unwrap(), time);
        prop_assert_eq!(parse_timestamptz(&format_timestamptz(time)).unwrap(), time);
        let interval = IntervalMonthDayNano::new(months, days, microseconds * 1_000);
        prop_assert_eq!(parse_interval(&format_interval(interval), Fields::default()).unwrap(), interval);
    }

    #[test]
    fn a_difference_has_its_length_as_an_interval(difference: i64) {
        let interval = of_difference(difference);
        let length = i128::from(interval.days) * i128::from(DAY) + i128::from(interval.nanoseconds) / 1_000;
        prop_assert_eq!(length, i128::from(difference));
    }

    #[test]
    fn no_text_fails_but_with_an_error(text in "[ -~]{0,40}", zone in "[ -~]{0,20}") {
        let _ = (parse_timestamptz(&text), parse_interval(&text, Fields::default()), Zone::named(&zone));
        let _ = (crate::time::parse::parse_time(&text), crate::time::parse::parse_date(&text));
    }

    #[test]
    fn no_digits_fail_but_with_an_error(text in "[-+0-9:./ TZPYMDHSabc]{0,24}") {
        let _ = (parse_timestamptz(&text), parse_interval(&text, Fields::default()), Zone::named(&text));
        let _ = (crate::time::parse::parse_time(&text), crate::time::parse::parse_date(&text));
    }
}

#[test]
fn years_after_the_last_known_change_have_the_rules_of_today() {
    for (time, offset) in [("2095-07-01T00:00:00Z", 2), ("2100-01-01T00:00:00Z", 1), ("2400-07-01T00:00:00Z", 2)] {
        assert_eq!(berlin().offset_at(instant(time)), offset * HOUR, "{time}");
    }
}

#[test]
fn clocks_that_change_are_read_as_postgresql_reads_them() {
    let local = |text: &str| berlin().time_of(instant(text)).unwrap();
    // From 02:00 the clocks showed 03:00: counted with the offset before.
    assert_eq!(local("2026-03-29T02:30:00Z"), instant("2026-03-29T01:30:00Z"));
    // From 03:00 they showed 02:00 again: the second time.
    assert_eq!(local("2026-10-25T02:30:00Z"), instant("2026-10-25T01:30:00Z"));
    // An offset counts to the west.
    assert_eq!(Zone::named("+02").unwrap().local_of(0), Some(-2 * HOUR));
    assert!(Zone::named("Middle/Earth").is_err() && Zone::named("").is_err() && Zone::named("+é").is_err());
}

//! Compares the arithmetic with an oracle of its own, and asks statements about times at the edges of an `i64`.

mod oracle;
mod statements;

use super::arithmetic::nearest_microsecond;
use super::bin::Stride;
use super::calendar::{DAY, Date, HOUR, MINUTE, SECOND, join, split};
use super::interval::{Sign, length, of_length, shifted};
use super::part::Part;
use super::truncate::Unit;
use super::zone::Zone;
use arrow_array::types::IntervalMonthDayNano;
use chrono::{DateTime, Datelike, Timelike};
use oracle::{Civil, civil, day_of_civil};
use proptest::prelude::*;

/// All times, and as often those near the edges and near the years that have names of their own.
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
        any::<i64>(),
        (day_of_edge, -2 * DAY..2 * DAY).prop_map(|(day, of_day)| day * DAY + of_day),
        (0..2 * DAY).prop_map(|after| i64::MIN + after),
        (0..2 * DAY).prop_map(|before| i64::MAX - before),
    ]
}

/// The microseconds of a date at midnight, if they fit.
fn midnight(year: i64, month: i64, day: i64) -> Option<i64> {
    i64::try_from(i128::from(day_of_civil(year, month, day)) * i128::from(DAY)).ok()
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
        let start = |unit: &str| Unit::named(unit).unwrap().start(time, Zone::Utc);
        let floor = |length: i64| i64::try_from(i128::from(time) - i128::from(time).rem_euclid(i128::from(length))).ok();
        for (unit, length) in
            [("microsecond", 1), ("ms", 1_000), ("second", SECOND), ("minutes", MINUTE), ("HOUR", HOUR), ("day", DAY)]
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
    fn parts_are_those_of_the_oracle(time in times()) {
        let (day, of_day) = split(time);
        let part = |name: &str| Part::named(name).unwrap().of(day, of_day);
        let Civil { year, month, day: of_month } = civil(day);
        let named = |year: i64| if year > 0 { year } else { year - 1 };
        prop_assert_eq!((part("year"), part("month"), part("day")), (named(year), month, of_month));
        prop_assert_eq!(part("quarter"), [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4][month as usize - 1]);
        prop_assert_eq!(part("doy"), day - day_of_civil(year, 1, 1) + 1);
        let clock = part("hour") * HOUR + part("minute") * MINUTE + part("microseconds");
        prop_assert_eq!(clock, of_day);
        prop_assert!(part("hour") < 24 && part("minute") < 60 && part("second") < 60);
        prop_assert_eq!(part("second"), part("microseconds") / SECOND);
        prop_assert_eq!(part("milliseconds"), part("microseconds") / 1_000);
        prop_assert_eq!(part("nanoseconds"), part("microseconds") * 1_000);
        prop_assert_eq!(part("dow"), part("isodow") % 7);
        // The first week is that of 4 January, and weeks begin on Mondays.
        let first_monday = |year| (day_of_civil(year, 1, 4) - 6..).find(|day| (day - 4).rem_euclid(7) == 0).unwrap();
        let week_year = if day < first_monday(year) {
            year - 1
        } else if day >= first_monday(year + 1) {
            year + 1
        } else {
            year
        };
        prop_assert_eq!(part("isoyear"), named(week_year));
        prop_assert_eq!(part("week"), (day - first_monday(week_year)) / 7 + 1);
        let is_in = |number: i64, years: i64| {
            let last = if number > 0 { number * years } else { (number + 1) * years };
            (last - years + 1..=last).contains(&year)
        };
        prop_assert!(part("century") != 0 && is_in(part("century"), 100));
        prop_assert!(part("millennium") != 0 && is_in(part("millennium"), 1_000));
        prop_assert!((0..10).contains(&(year - part("decade") * 10)));
    }

    #[test]
    fn times_that_chrono_has_have_its_parts(time in -8_000_000_000_000_000_000..8_000_000_000_000_000_000_i64) {
        let expected = DateTime::from_timestamp_micros(time).unwrap();
        let (day, of_day) = split(time);
        let part = |name: &str| Part::named(name).unwrap().of(day, of_day);
        prop_assert_eq!(Date::of(day), Date {
            year: expected.year().into(),
            month: expected.month().into(),
            day: expected.day().into(),
        });
        prop_assert_eq!(part("week"), i64::from(expected.iso_week().week()));
        prop_assert_eq!(part("dow"), i64::from(expected.weekday().num_days_from_sunday()));
        prop_assert_eq!(part("doy"), i64::from(expected.ordinal()));
        prop_assert_eq!(part("hour"), i64::from(expected.hour()));
        prop_assert_eq!(part("minute"), i64::from(expected.minute()));
    }

    #[test]
    fn a_time_is_in_the_bin_whose_start_is_returned(
        time in times(),
        origin in times(),
        days in 0..400_i32,
        nanoseconds in prop_oneof![0..3_000_i64, 0..i64::MAX, Just(900_000_000_000)],
    ) {
        let width = i128::from(days) * i128::from(DAY) * 1_000 + i128::from(nanoseconds);
        let stride = Stride::of(IntervalMonthDayNano::new(0, days, nanoseconds));
        prop_assert_eq!(stride.is_ok(), width > 0);
        let Ok(stride) = stride else { return Ok(()) };
        let (exact, origin_exact) = (i128::from(time) * 1_000, i128::from(origin) * 1_000);
        let bins = (exact - origin_exact).div_euclid(width);
        let start = (origin_exact + bins * width).div_euclid(1_000);
        prop_assert_eq!(stride.start(time, origin), i64::try_from(start).ok());
    }

    #[test]
    fn bins_of_months_follow_each_other(time in times(), origin in times(), months in 1..5_000_i32) {
        let stride = Stride::of(IntervalMonthDayNano::new(months, 0, 0)).unwrap();
        let Some(start) = stride.start(time, origin) else { return Ok(()) };
        prop_assert!(start <= time);
        prop_assert_eq!(stride.start(start, origin), Some(start));
        let month_of = |time| { let date = civil(split(time).0); date.year * 12 + date.month };
        prop_assert_eq!((month_of(start) - month_of(origin)) % i64::from(months), 0);
        prop_assert!(month_of(time) - month_of(start) <= i64::from(months));
    }

    #[test]
    fn a_shifted_time_is_as_many_months_days_and_microseconds_away(
        time in times(), months: i32, days: i32, microseconds in -i64::MAX / 1_000..i64::MAX / 1_000,
    ) {
        let interval = IntervalMonthDayNano::new(months, days, microseconds * 1_000);
        for (sign, factor) in [(Sign::Plus, 1_i64), (Sign::Minus, -1)] {
            let (day, of_day) = split(time);
            let Civil { year, month, day: of_month } = civil(day);
            let month = year * 12 + month - 1 + factor * i64::from(months);
            let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
            let next_month = if month == 12 { day_of_civil(year + 1, 1, 1) } else { day_of_civil(year, month + 1, 1) };
            let day = (day_of_civil(year, month, 1) + of_month - 1).min(next_month - 1) + factor * i64::from(days);
            let in_days = i128::from(day) * i128::from(DAY) + i128::from(of_day);
            // The days must fit before the microseconds are added.
            let sum = i64::try_from(in_days).ok()
                .and_then(|_| i64::try_from(in_days + i128::from(factor) * i128::from(microseconds)).ok());
            prop_assert_eq!(shifted(time, interval, sign, Zone::Utc), sum);
        }
    }

    #[test]
    fn an_interval_of_a_length_has_the_length(difference: i64) {
        let nanoseconds = i128::from(difference) * 1_000;
        prop_assert_eq!(of_length(nanoseconds).map(length), Some(nanoseconds));
    }

    #[test]
    fn a_zone_converts_all_times_back(time in times(), zone in proptest::sample::select(vec!["Europe/Berlin",
        "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "+02", "-09:30", "UTC", "Z"])) {
        let zone = Zone::named(zone).unwrap();
        let Some(local) = zone.local_of(time) else { return Ok(()) };
        prop_assert!(local.abs_diff(time) < 16 * HOUR as u64);
        // What clocks show twice is taken for the second time.
        if let Some(again) = zone.time_of(local) {
            prop_assert!(again >= time && again - time <= 25 * HOUR, "{} {}", time, again);
            prop_assert_eq!(zone.local_of(again), Some(local));
        }
        for unit in ["second", "hour", "day", "week", "month", "century"] {
            if let Some(start) = Unit::named(unit).unwrap().start(time, zone) {
                // Apia had a fourth of July twice.
                prop_assert!(start <= time.saturating_add(24 * HOUR), "{}", unit);
            }
        }
    }
}

#[test]
fn nanoseconds_round_to_the_nearest_microsecond() {
    for (nanoseconds, expected) in [
        (0, 0),
        (499, 0),
        (500, 0),
        (501, 1),
        (1_500, 2),
        (2_500, 2),
        (-1, 0),
        (-500, 0),
        (-501, -1),
        (-1_500, -2),
        (i64::MAX, 9_223_372_036_854_776),
        (i64::MIN, -9_223_372_036_854_776),
    ] {
        assert_eq!(nearest_microsecond(nanoseconds), expected, "{nanoseconds}");
    }
}

fn berlin() -> Zone {
    Zone::named("Europe/Berlin").unwrap()
}

fn instant(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

#[test]
fn clocks_that_change_are_read_as_postgresql_reads_them() {
    let local = |text: &str| berlin().time_of(instant(text)).unwrap();
    // From 02:00 the clocks showed 03:00: counted with the offset before.
    assert_eq!(local("2026-03-29T02:30:00Z"), instant("2026-03-29T01:30:00Z"));
    assert_eq!(local("2026-03-29T01:59:59Z"), instant("2026-03-29T00:59:59Z"));
    assert_eq!(local("2026-03-29T03:00:00Z"), instant("2026-03-29T01:00:00Z"));
    // From 03:00 they showed 02:00 again: the second time.
    assert_eq!(local("2026-10-25T02:30:00Z"), instant("2026-10-25T01:30:00Z"));
    assert_eq!(local("2026-10-25T01:59:59Z"), instant("2026-10-24T23:59:59Z"));
    assert_eq!(local("2026-10-25T03:00:00Z"), instant("2026-10-25T02:00:00Z"));
    // An offset counts to the west.
    assert_eq!(Zone::named("+02").unwrap().local_of(0), Some(-2 * HOUR));
    assert_eq!(Zone::of_type(Some("+02:00")).unwrap().local_of(0), Some(2 * HOUR));
    assert!(Zone::named("Middle/Earth").is_none() && Zone::named("").is_none() && Zone::named("+é").is_none());
}

#[test]
fn units_follow_the_clocks_of_the_zone() {
    let start = |unit: &str, time: &str| Unit::named(unit).unwrap().start(instant(time), berlin()).unwrap();
    // A day of 23 hours, and both of the hours that are called 02.
    assert_eq!(start("day", "2026-03-29T20:00:00Z"), instant("2026-03-28T23:00:00Z"));
    assert_eq!(start("hour", "2026-10-25T00:40:00Z"), instant("2026-10-25T00:00:00Z"));
    assert_eq!(start("hour", "2026-10-25T01:40:00Z"), instant("2026-10-25T01:00:00Z"));
    assert_eq!(start("month", "2026-03-31T23:30:00Z"), instant("2026-03-31T22:00:00Z"));
}

#[test]
fn a_day_is_added_on_the_calendar_and_an_hour_on_the_clock() {
    let day = IntervalMonthDayNano::new(0, 1, 0);
    let hours = IntervalMonthDayNano::new(0, 0, 24 * HOUR * 1_000);
    let noon = instant("2026-03-28T11:00:00Z");
    assert_eq!(shifted(noon, day, Sign::Plus, berlin()), Some(instant("2026-03-29T10:00:00Z")));
    assert_eq!(shifted(noon, hours, Sign::Plus, berlin()), Some(instant("2026-03-29T11:00:00Z")));
    let month = IntervalMonthDayNano::new(1, 0, 0);
    assert_eq!(
        shifted(instant("2024-01-31T00:00:00Z"), month, Sign::Plus, Zone::Utc),
        Some(instant("2024-02-29T00:00:00Z"))
    );
}

#[test]
fn a_stride_of_months_and_days_is_refused() {
    for (months, days, nanoseconds) in [(0, 0, 0), (0, -1, 0), (0, 0, -1), (-1, 0, 0), (1, 1, 0), (1, 0, 1)] {
        assert!(Stride::of(IntervalMonthDayNano::new(months, days, nanoseconds)).is_err(), "{months} {days}");
    }
}

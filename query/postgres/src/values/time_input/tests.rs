//! What PostgreSQL 15 says of each text, with the time zone UTC.

use super::*;
use proptest::prelude::*;

/// 2026-11-28 12:00 UTC.
const NOW: i64 = 1_795_867_200 * SECOND;

fn at(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> i64 {
    days(year, month, day) * DAY + (hour * 3_600 + minute * 60) * SECOND
}

#[test]
fn every_form_of_an_instant_is_read() {
    let five = at(2026, 11, 20, 5, 0);
    for text in [
        "2026-11-20 05:00",
        "2026-11-20 5:00",
        "2026-11-20T05:00Z",
        "2026-11-20t05:00:00z",
        "2026-11-20T05:00:00.000+00:00",
        "2026-11-20 05:00:00 +00:00",
        "2026-11-20 05:00:00 UTC",
        "2026-11-20T07:00:00+02",
        "2026-11-20 07:30+0230",
        "2026-11-20 00:00 -05",
        "2026-11-20 00:00:00-05:00",
        "2026-11-20 00:00 EST",
        "2026-11-20 06:00 Europe/Vienna",
        "2026-11-20 02:00 UTC+3",
        "20261120T0500",
        "20261120T050000",
        "20261120 050000",
        "2026-11-20 050000Z",
        "2026-11-20 5:00 AM",
        "Nov 20 2026 05:00",
        "20 Nov 2026 05:00",
        "November 20, 2026 05:00:00",
        "11/20/2026 05:00",
        "2026/11/20 05:00",
        "2026.11.20 05:00",
        "2026.324 05:00",
        "2026-324 05:00",
        "J2461365 05:00",
        "Fri Nov 20 05:00:00 2026 UTC",
        "20-Nov-2026 05:00",
        "Nov-20-2026 05:00",
        "2026-Nov-20 05:00",
        "261120 05:00",
        "11/20/26 05:00",
        "  2026-11-20   05:00  ",
    ] {
        assert_eq!(timestamptz_of(text, NOW), Ok(five), "{text}");
    }
    for (text, expected) in [
        ("2026-11-20", at(2026, 11, 20, 0, 0)),
        ("2026-11-20 24:00", at(2026, 11, 21, 0, 0)),
        ("2026-11-20 05:00:60", five + 60 * SECOND),
        ("2026-11-20 05:00:00.1234567", five + 123_457),
        ("20261120T050000.5", five + 500_000),
        ("2026-11-20 5:00 PM", at(2026, 11, 20, 17, 0)),
        ("2026-11-20 12:00 AM", at(2026, 11, 20, 0, 0)),
        ("2026-11-20 -05", five),
        ("2026-07-20 05:00 America/New_York", at(2026, 7, 20, 9, 0)),
        ("2026-03-29 02:30 Europe/Vienna", at(2026, 3, 29, 1, 30)),
        ("2026-10-25 02:30 Europe/Vienna", at(2026, 10, 25, 1, 30)),
        ("0044-03-15 BC", at(-43, 3, 15, 0, 0)),
        ("99999-01-01", at(99_999, 1, 1, 0, 0)),
        ("1/2/26", at(2026, 1, 2, 0, 0)),
        ("1 2 2026", at(2026, 1, 2, 0, 0)),
        ("epoch", 0),
        ("now", NOW),
        ("today", at(2026, 11, 28, 0, 0)),
        ("tomorrow 05:00", at(2026, 11, 29, 5, 0)),
        ("yesterday", at(2026, 11, 27, 0, 0)),
    ] {
        assert_eq!(timestamptz_of(text, NOW), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_time_has_the_code_that_postgresql_gives_it() {
    for (text, code) in [
        ("seven", "22007"),
        ("", "22007"),
        ("2026-11", "22007"),
        ("2026", "22007"),
        ("05:00", "22007"),
        ("2026-11-20T05", "22007"),
        ("2026-11-20 05", "22007"),
        ("2026-11-20 nonsense", "22007"),
        ("2026-11-20 05:00 06:00", "22007"),
        ("2026-13-01", "22008"),
        ("2026-02-30", "22008"),
        ("20/11/2026", "22008"),
        ("2026-11-20 25:00", "22008"),
        ("2026-11-20 13:00 PM", "22008"),
        ("20261120050000", "22008"),
        ("294277-01-01", "22008"),
        ("2026-11-20 05:00 Nowhere/City", "22023"),
        ("2026-11-20 05:00+16", "22009"),
        ("infinity", "0A000"),
        ("-infinity", "0A000"),
    ] {
        assert_eq!(timestamptz_of(text, NOW).map_err(|error| error.code), Err(code), "{text}");
    }
}

#[test]
fn a_date_ignores_a_time_and_a_timestamp_its_zone() {
    let day = i32::try_from(days(2026, 11, 20)).unwrap();
    assert_eq!(date_of("2026-11-20 23:30 -05:00", NOW), Ok(day));
    assert_eq!(timestamp_of("2026-11-20 05:00-05:00", NOW), Ok(at(2026, 11, 20, 5, 0)));
    assert_eq!(time_of("05:06:07.5", NOW), Ok((5 * 3_600 + 6 * 60 + 7) * SECOND + 500_000));
    assert_eq!(time_of("5:06 pm", NOW), Ok((17 * 3_600 + 6 * 60) * SECOND));
    assert_eq!(time_of("2026-11-20", NOW).map_err(|error| error.code), Err("22007"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "[-+0-9:./ tzapmbcnovj]{0,24}|\\PC{0,16}") {
        let _ = (timestamptz_of(&text, NOW), timestamp_of(&text, NOW), date_of(&text, NOW), time_of(&text, NOW));
    }

    #[test]
    fn a_time_is_that_of_its_text(time in FIRST_DAY * DAY..i64::MAX) {
        let mut text = Vec::new();
        super::super::output::timestamp(&mut text, time, true);
        prop_assert_eq!(timestamptz_of(std::str::from_utf8(&text).unwrap(), NOW), Ok(time));
    }
}

//! Times in the archive: microseconds since 1970-01-01T00:00:00Z.
//!
//! The parser accepts RFC 3339 (section 5.6), and years beyond its four digits as this module writes them, so that every
//! time of the range is read back as it was. A time without a zone is refused, because its instant is ambiguous. Digits
//! after the microsecond are truncated. A leap second (`:60`) is the first instant of the next minute.

use std::fmt;
use std::ops::RangeInclusive;

/// Microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTime {
    /// The text does not have the form of RFC 3339.
    #[error("it is not RFC 3339")]
    Form,
    /// There is no zone.
    #[error("it has no zone")]
    NoZone,
    /// A number is out of its range (month 13, 30 February, hour 24).
    #[error("a part of it is out of range")]
    Range,
}

/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;

/// What RFC 3339 can write: the years 0 to 9999 with zones up to 23:59 on either side, and a leap second.
const RFC_3339: RangeInclusive<i64> = -62_167_305_540_000_000..=253_402_387_140_999_999;

impl Timestamp {
    /// Parses an RFC 3339 date and time, or what [`Timestamp::text`] has written.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        let (year, bytes) = year(text.as_bytes())?;
        // The shortest form of the rest is -01-31T09:30:00 followed by a zone.
        if bytes.len() < 15 {
            return Err(InvalidTime::Form);
        }
        let separators = bytes[0] == b'-'
            && bytes[3] == b'-'
            && matches!(bytes[6], b'T' | b't' | b' ')
            && bytes[9] == b':'
            && bytes[12] == b':';
        if !separators {
            return Err(InvalidTime::Form);
        }
        let month = two_digits(bytes, 1)?;
        let day = two_digits(bytes, 4)?;
        let hour = two_digits(bytes, 7)?;
        let minute = two_digits(bytes, 10)?;
        let second = two_digits(bytes, 13)?;
        let in_range = (1..=12).contains(&month)
            && day >= 1
            && day <= days_in_month(year, month)
            && hour <= 23
            && minute <= 59
            && second <= 60;
        if !in_range {
            return Err(InvalidTime::Range);
        }

        let mut at = 15;
        let mut micros = 0i64;
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let first = at;
            let mut scale = 100_000;
            while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
                micros += i64::from(digit - b'0') * scale;
                scale /= 10;
                at += 1;
            }
            if at == first {
                return Err(InvalidTime::Form);
            }
        }
        let zone = match bytes.get(at) {
            None => return Err(InvalidTime::NoZone),
            Some(b'Z' | b'z') if bytes.len() == at + 1 => 0,
            Some(sign @ (b'+' | b'-')) if bytes.len() == at + 6 && bytes[at + 3] == b':' => {
                let hours = two_digits(bytes, at + 1)?;
                let minutes = two_digits(bytes, at + 4)?;
                if hours > 23 || minutes > 59 {
                    return Err(InvalidTime::Range);
                }
                let seconds = (hours * 60 + minutes) * 60;
                if *sign == b'-' { -seconds } else { seconds }
            }
            Some(_) => return Err(InvalidTime::Form),
        };
        let micros = (hour * 3600 + minute * 60 + second - zone) * 1_000_000 + micros;
        // The midnight of the first day of the range is not in the range, so the sum may be and its parts not.
        let micros = i128::from(days_from_civil(year, month, day)) * i128::from(DAY) + i128::from(micros);
        i64::try_from(micros).map(Self).map_err(|_| InvalidTime::Range)
    }

    /// Whether RFC 3339 can write it, in some zone. No sender can name another time, and many programs show no other.
    pub fn has_rfc_3339(self) -> bool {
        RFC_3339.contains(&self.0)
    }

    /// The date in UTC as year, month, day.
    pub fn date(self) -> (i64, i64, i64) {
        civil_from_days(self.0.div_euclid(DAY))
    }

    /// Days since 1970-01-01, UTC.
    pub fn days(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    /// The time `days` days later (earlier when negative).
    pub fn plus_days(self, days: i64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(DAY)))
    }

    /// The date as `2026-01-31`, the year as in [`Timestamp::text`].
    pub fn date_text(self) -> String {
        let text = self.text();
        text.as_str()[..text.length - "T00:00:00.000000Z".len()].to_owned()
    }
}

/// A time as text, without an allocation.
#[derive(Debug, Clone, Copy)]
pub struct TimeText {
    bytes: [u8; 32],
    length: usize,
}

impl TimeText {
    /// The text.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever written into it.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Timestamp {
    /// RFC 3339 in UTC with six digits after the second. A year that RFC 3339 cannot write has a sign, as in ISO 8601:
    /// `+10000`, `-0001`. Such years are of times near those limits with a zone.
    pub fn text(self) -> TimeText {
        let (year, month, day) = self.date();
        let rest = self.0.rem_euclid(DAY);
        let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
        let sign = match year {
            ..0 => "-",
            0..=9_999 => "",
            _ => "+",
        };
        let digits = match year.unsigned_abs() {
            0..=9_999 => 4,
            10_000..=99_999 => 5,
            _ => 6,
        };
        let at = sign.len() + digits;
        let mut text = TimeText { bytes: [0; 32], length: at + 23 };
        text.bytes[..sign.len()].copy_from_slice(sign.as_bytes());
        write_digits(&mut text.bytes[sign.len()..at], year);
        text.bytes[at..at + 23].copy_from_slice(b"-00-00T00:00:00.000000Z");
        for (place, value) in [(1, month), (4, day), (7, seconds / 3600), (10, seconds / 60 % 60), (13, seconds % 60)] {
            write_digits(&mut text.bytes[at + place..at + place + 2], value);
        }
        write_digits(&mut text.bytes[at + 16..at + 22], micros);
        text
    }
}

fn write_digits(place: &mut [u8], value: i64) {
    let mut value = value.unsigned_abs();
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

impl fmt::Display for Timestamp {
    /// The same as [`Timestamp::text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

/// The year, and the bytes after it. RFC 3339 has four digits and no sign; all else is what [`Timestamp::text`] writes for
/// other years. Earlier versions left out the `+`, and wrote years below 0 with as few as three digits.
fn year(bytes: &[u8]) -> Result<(i64, &[u8]), InvalidTime> {
    let (sign, digits) = match bytes {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    let length = digits.iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
    let fewest = if sign < 0 { 3 } else { 4 };
    if !(fewest..=6).contains(&length) {
        return Err(InvalidTime::Form);
    }
    let (year, rest) = digits.split_at(length);
    Ok((sign * year.iter().fold(0, |year, digit| year * 10 + i64::from(digit - b'0')), rest))
}

fn two_digits(bytes: &[u8], at: usize) -> Result<i64, InvalidTime> {
    let (high, low) = (bytes[at].wrapping_sub(b'0'), bytes[at + 1].wrapping_sub(b'0'));
    if high > 9 || low > 9 {
        return Err(InvalidTime::Form);
    }
    Ok(i64::from(high) * 10 + i64::from(low))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_forms_of_rfc_3339() {
        // The examples of RFC 3339, section 5.8, and the Unix epoch.
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1985-04-12T23:20:50.52Z", 482_196_050_520_000),
            ("1996-12-19T16:39:57-08:00", 851_042_397_000_000),
            ("1990-12-31T23:59:60Z", 662_688_000_000_000),
            ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130_000),
            ("2026-01-31t09:30:00.1234567z", 1_769_851_800_123_456),
        ] {
            assert_eq!(Timestamp::parse(text), Ok(Timestamp(micros)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_rfc_3339() {
        for (text, why) in [
            ("", InvalidTime::Form),
            ("2026-01-31", InvalidTime::Form),
            ("2026-01-31T09:30:00", InvalidTime::NoZone),
            ("2026-01-31T09:30:00.5", InvalidTime::NoZone),
            ("2026-01-31T09:30:00.Z", InvalidTime::Form),
            ("2026-01-31T09:30:00+0100", InvalidTime::Form),
            ("2026-01-31T09:30:00Zz", InvalidTime::Form),
            ("2026-13-31T09:30:00Z", InvalidTime::Range),
            ("2026-02-29T09:30:00Z", InvalidTime::Range),
            ("2026-01-31T24:30:00Z", InvalidTime::Range),
            ("2026-01-31T09:30:0\u{664}Z", InvalidTime::Form),
            ("yesterday, at about nine", InvalidTime::Form),
        ] {
            assert_eq!(Timestamp::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn years_that_rfc_3339_cannot_write_have_a_sign() {
        for (micros, text, older) in [
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z", None),
            (253_402_300_800_000_000, "+10000-01-01T00:00:00.000000Z", Some("10000-01-01T00:00:00.000000Z")),
            (253_402_318_799_999_999, "+10000-01-01T04:59:59.999999Z", Some("10000-01-01T04:59:59.999999Z")),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z", None),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00.000000Z", None),
            (-62_167_222_800_000_000, "-0001-12-31T23:00:00.000000Z", Some("-001-12-31T23:00:00.000000Z")),
            (i64::MIN, "-290308-12-21T19:59:05.224192Z", None),
            (i64::MAX, "+294247-01-10T04:00:54.775807Z", Some("294247-01-10T04:00:54.775807Z")),
        ] {
            assert_eq!(Timestamp(micros).to_string(), text);
            assert_eq!(Timestamp(micros).date_text(), text.split('T').next().unwrap());
            for text in [Some(text), older].into_iter().flatten() {
                assert_eq!(Timestamp::parse(text), Ok(Timestamp(micros)), "{text}");
            }
        }
        // The greatest value of .NET in New York, and its smallest one an hour east of Greenwich.
        let parsed = |text: &str| Timestamp::parse(text).unwrap().to_string();
        assert_eq!(parsed("9999-12-31T23:59:59.9999999-05:00"), "+10000-01-01T04:59:59.999999Z");
        assert_eq!(parsed("0001-01-01T00:00:00+01:00"), "0000-12-31T23:00:00.000000Z");
        assert_eq!(parsed("0000-01-01T00:00:00+01:00"), "-0001-12-31T23:00:00.000000Z");
    }

    #[test]
    fn years_beyond_the_range_are_refused() {
        for text in [
            "+294247-01-10T04:00:54.775808Z",
            "-290308-12-21T19:59:05.224191Z",
            "+999999-12-31T23:59:59Z",
            "-999999-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), Err(InvalidTime::Range), "{text}");
        }
        for text in [
            "+1000000-01-01T00:00:00Z",
            "-01-01-01T00:00:00Z",
            "+-0001-01-01T00:00:00Z",
            "-",
            "+",
            "+999-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), Err(InvalidTime::Form), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_is_read_back(micros in any::<i64>()) {
            prop_assert_eq!(Timestamp::parse(&Timestamp(micros).to_string()), Ok(Timestamp(micros)));
        }

        #[test]
        fn every_time_of_rfc_3339_is_read_back(micros in -62_167_219_200_000_000i64..253_402_300_800_000_000) {
            let text = Timestamp(micros).to_string();
            prop_assert_eq!(text.len(), 27);
            prop_assert_eq!(Timestamp::parse(&text), Ok(Timestamp(micros)));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}|[-+0-9TZ:. ]{0,40}") {
            let _ = Timestamp::parse(&text);
        }

        #[test]
        fn never_panics_near_the_form(year in "[-+]?[0-9]{0,8}", rest in "-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{0,12})?([Zz]|[-+][0-9]{2}:[0-9]{2})?") {
            let _ = Timestamp::parse(&format!("{year}{rest}"));
        }
    }
}

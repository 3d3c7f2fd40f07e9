//! Times in the archive: microseconds since 1970-01-01T00:00:00Z.
//!
//! The parser accepts RFC 3339 (section 5.6) and nothing more lenient. A time without a zone is refused, because its
//! instant is ambiguous. Digits after the microsecond are truncated. A leap second (`:60`) is the first instant of the
//! next minute.

use std::fmt;

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

impl Timestamp {
    /// Parses an RFC 3339 date and time.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        let bytes = text.as_bytes();
        // The shortest form is 2026-01-31T09:30:00 followed by a zone.
        if bytes.len() < 19 {
            return Err(InvalidTime::Form);
        }
        let separators = bytes[4] == b'-'
            && bytes[7] == b'-'
            && matches!(bytes[10], b'T' | b't' | b' ')
            && bytes[13] == b':'
            && bytes[16] == b':';
        if !separators {
            return Err(InvalidTime::Form);
        }
        let century = two_digits(bytes, 0)?;
        let year = century * 100 + two_digits(bytes, 2)?;
        let month = two_digits(bytes, 5)?;
        let day = two_digits(bytes, 8)?;
        let hour = two_digits(bytes, 11)?;
        let minute = two_digits(bytes, 14)?;
        let second = two_digits(bytes, 17)?;
        let in_range = (1..=12).contains(&month)
            && day >= 1
            && day <= days_in_month(year, month)
            && hour <= 23
            && minute <= 59
            && second <= 60;
        if !in_range {
            return Err(InvalidTime::Range);
        }

        let mut at = 19;
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
        let seconds = hour * 3600 + minute * 60 + second - zone;
        Ok(Self(days_from_civil(year, month, day) * DAY + seconds * 1_000_000 + micros))
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

    /// The date as `2026-01-31`.
    pub fn date_text(self) -> String {
        let (year, month, day) = self.date();
        format!("{year:04}-{month:02}-{day:02}")
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
    /// RFC 3339 in UTC with six digits after the second.
    pub fn text(self) -> TimeText {
        let (year, month, day) = self.date();
        let rest = self.0.rem_euclid(DAY);
        let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
        let mut text = TimeText { bytes: *b"0000-00-00T00:00:00.000000Z     ", length: 27 };
        let mut at = 0;
        if !(0..=9999).contains(&year) {
            // RFC 3339 has no such years; a zone offset can move a time there.
            let year = format!("{year:04}");
            let rest = text.bytes;
            text.bytes[..year.len()].copy_from_slice(year.as_bytes());
            text.bytes[year.len()..year.len() + 23].copy_from_slice(&rest[4..27]);
            text.length = year.len() + 23;
            at = year.len() - 4;
        } else {
            write_digits(&mut text.bytes[..4], year);
        }
        for (place, value) in [(5, month), (8, day), (11, seconds / 3600), (14, seconds / 60 % 60), (17, seconds % 60)]
        {
            write_digits(&mut text.bytes[at + place..at + place + 2], value);
        }
        write_digits(&mut text.bytes[at + 20..at + 26], micros);
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
    /// RFC 3339 in UTC with six digits after the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
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

    proptest! {
        #[test]
        fn display_is_read_back(micros in -62_135_596_800_000_000i64..253_402_300_799_999_999) {
            prop_assert_eq!(Timestamp::parse(&Timestamp(micros).to_string()), Ok(Timestamp(micros)));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = Timestamp::parse(&text);
        }
    }
}

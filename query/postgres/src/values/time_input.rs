//! Dates and times from texts, in every form that PostgreSQL reads with `DateStyle = ISO, MDY` (manual, B.1).
//!
//! ```text
//! text ─▶ fields: dates, times, offsets, numbers, words ─▶ what each means, in order ─▶ date, time of day, offset from UTC
//! ```

use super::calendar::{DAY, SECOND, date, days, days_of};
use super::error::InputError;
use chrono::{NaiveDate, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};

/// The day of 4714-11-24 BC, with which PostgreSQL's times begin. They end here with the microseconds that fit since 1970, in the
/// year 294247.
const FIRST_DAY: i64 = -2_440_588;

/// What a text says of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Said {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    /// Days since 1970, where the text has them in another form.
    days: Option<i64>,
    day_of_year: Option<i64>,
    /// Microseconds of the day.
    time: Option<i64>,
    is_afternoon: Option<bool>,
    is_bc: bool,
    has_two_digits: bool,
    zone: Option<Zone>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// Seconds east of Greenwich.
    Offset(i64),
    Named(Tz),
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field<'t> {
    /// Digits, perhaps with a fraction.
    Number(&'t str),
    /// Parts between `-`, `/` or `.`.
    Date(&'t str),
    /// Parts between `:`.
    Time(&'t str),
    /// A sign and digits.
    Offset(&'t str),
    Word(&'t str),
}

/// The days since 1970 of the date in `text`. `now` are the microseconds of the clock.
pub(super) fn date_of(text: &str, now: i64) -> Result<i32, InputError> {
    let said = read(text, "date", now)?;
    let days = said.date(text, "date")?;
    i32::try_from(days).map_err(|_| out_of_range(text))
}

/// The microseconds since 1970 of the time in `text`, whose zone is ignored.
pub(super) fn timestamp_of(text: &str, now: i64) -> Result<i64, InputError> {
    let said = read(text, "timestamp", now)?;
    within(said.local(text, "timestamp")?, text)
}

/// The microseconds since 1970 of the time in `text`. Without a zone it is one of UTC.
pub(super) fn timestamptz_of(text: &str, now: i64) -> Result<i64, InputError> {
    let name = "timestamp with time zone";
    let said = read(text, name, now)?;
    let local = said.local(text, name)?;
    let offset = match said.zone {
        None => 0,
        Some(Zone::Offset(seconds)) => seconds,
        Some(Zone::Named(zone)) => offset_in(zone, local),
    };
    within(local.saturating_sub(offset * SECOND), text)
}

/// The microseconds of the day of the time in `text`.
pub(super) fn time_of(text: &str, now: i64) -> Result<i64, InputError> {
    let said = read(text, "time", now)?;
    said.time.ok_or_else(|| invalid("time", text))
}

fn within(time: i64, text: &str) -> Result<i64, InputError> {
    // The last microsecond is infinity.
    if (FIRST_DAY * DAY..i64::MAX).contains(&time) { Ok(time) } else { Err(beyond(text)) }
}

fn beyond(text: &str) -> InputError {
    InputError::new("22008", format!("timestamp out of range: \"{text}\""))
}

/// The seconds by which the wall clock of `zone` is ahead of UTC when it shows `local`. A time that it shows twice is that of
/// standard time, and one that it skips is counted by the clock before, as in PostgreSQL.
fn offset_in(zone: Tz, local: i64) -> i64 {
    use chrono::{LocalResult, Offset};
    let (year, month, day) = date(local.div_euclid(DAY));
    let of_day = local.rem_euclid(DAY) / SECOND;
    let time = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month as u32, day as u32));
    let Some(time) = time.and_then(|date| date.and_hms_opt(0, 0, 0)) else { return 0 };
    let Some(time) = time.checked_add_signed(chrono::TimeDelta::seconds(of_day)) else { return 0 };
    let seconds = |offset: <Tz as TimeZone>::Offset| i64::from(offset.fix().local_minus_utc());
    match zone.offset_from_local_datetime(&time) {
        LocalResult::Single(offset) => seconds(offset),
        LocalResult::Ambiguous(one, other) => seconds(one).min(seconds(other)),
        LocalResult::None => {
            let before = time.checked_sub_signed(chrono::TimeDelta::hours(3)).unwrap_or(time);
            match zone.offset_from_local_datetime(&before) {
                LocalResult::Single(offset) | LocalResult::Ambiguous(_, offset) => seconds(offset),
                LocalResult::None => 0,
            }
        }
    }
}

fn invalid(name: &str, text: &str) -> InputError {
    InputError::new("22007", format!("invalid input syntax for type {name}: \"{text}\""))
}

fn out_of_range(text: &str) -> InputError {
    InputError::new("22008", format!("date/time field value out of range: \"{text}\""))
}

/// What `text` says.
fn read(text: &str, name: &str, now: i64) -> Result<Said, InputError> {
    let lower = text.trim().to_lowercase();
    if matches!(lower.as_str(), "infinity" | "-infinity" | "+infinity") {
        return Err(InputError::new("0A000", format!("{lower} as a parameter of type {name} is not supported")));
    }
    let fields = fields(&lower).ok_or_else(|| invalid(name, text))?;
    if fields.is_empty() {
        return Err(invalid(name, text));
    }
    let mut said = Said::default();
    let mut before = "";
    for (index, field) in fields.iter().enumerate() {
        let is_after = std::mem::take(&mut before);
        let understood = match *field {
            Field::Date(parts) => said.read_date(parts, text)?,
            Field::Time(parts) => said.read_time(parts, text)?,
            Field::Offset(digits) => said.read_offset(digits, text)?,
            Field::Number(digits) if is_after == "j" => said.read_julian_day(digits),
            Field::Number(digits) => said.read_number(digits, is_after == "t", text)?,
            Field::Word(word @ ("t" | "j")) => {
                before = word;
                index + 1 < fields.len()
            }
            Field::Word(word) => said.read_word(word, text, now)?,
        };
        if !understood {
            return Err(invalid(name, text));
        }
    }
    said.settle_afternoon(text)?;
    Ok(said)
}

/// The fields of a lower-case text; `None` if a letter belongs to none.
fn fields(text: &str) -> Option<Vec<Field<'_>>> {
    let bytes = text.as_bytes();
    let mut fields = Vec::new();
    let mut at = 0;
    let run = |from: usize, is_part: &dyn Fn(u8) -> bool| {
        bytes[from..].iter().position(|byte| !is_part(*byte)).map_or(bytes.len(), |length| from + length)
    };
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => at += 1,
            b'0'..=b'9' => {
                at = run(at, &|byte| byte.is_ascii_digit());
                match bytes.get(at) {
                    Some(b':') => {
                        at = run(at, &|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'));
                        fields.push(Field::Time(&text[start..at]));
                    }
                    // A number before an offset is a time: 050000-05.
                    Some(&separator @ (b'-' | b'/' | b'.'))
                        if !is_compact_time(&fields, &text[start..at], separator) =>
                    {
                        at = run(at, &|byte| byte == separator || byte.is_ascii_digit());
                        if at < bytes.len() && bytes[at - 1] == separator && bytes[at].is_ascii_alphabetic() {
                            at = run(at, &|byte| byte.is_ascii_alphabetic());
                            at = run(at, &|byte| byte == separator || byte.is_ascii_digit());
                        }
                        fields.push(Field::Date(&text[start..at]));
                    }
                    Some(b'.') => {
                        at = run(at + 1, &|byte| byte.is_ascii_digit());
                        fields.push(Field::Number(&text[start..at]));
                    }
                    _ => fields.push(Field::Number(&text[start..at])),
                }
            }
            b'a'..=b'z' => {
                at = run(at, &|byte| byte.is_ascii_alphabetic());
                let is_date = matches!(bytes.get(at), Some(b'-' | b'/' | b'.'))
                    && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
                    && month(&text[start..at]).is_some();
                if is_date {
                    let separator = bytes[at];
                    at = run(at, &|byte| byte == separator || byte.is_ascii_digit());
                    fields.push(Field::Date(&text[start..at]));
                } else if matches!(bytes.get(at), Some(b'/' | b'_')) {
                    at = run(at, &|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+'));
                    fields.push(Field::Word(&text[start..at]));
                } else {
                    fields.push(Field::Word(&text[start..at]));
                }
            }
            b'+' | b'-' if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => {
                at = run(at + 1, &|byte| byte.is_ascii_digit() || byte == b':');
                fields.push(Field::Offset(&text[start..at]));
            }
            // Letters are also followed by points, as in "Nov." and "a.d.".
            b'.' if matches!(fields.last(), Some(Field::Word(_))) => at += 1,
            _ => return None,
        }
        if fields.len() > 25 {
            return None;
        }
    }
    Some(fields)
}

/// Whether digits are a time without colons: after the date, before an offset or a fraction.
fn is_compact_time(fields: &[Field<'_>], digits: &str, separator: u8) -> bool {
    let is_after_date = matches!(fields.last(), Some(Field::Word("t")))
        || matches!(fields, [Field::Date(_) | Field::Number(_), ..]) && digits.len() == 6;
    is_after_date && separator != b'/'
}

impl Said {
    /// Its microseconds since 1970 by its own clock.
    fn local(&self, text: &str, name: &str) -> Result<i64, InputError> {
        let midnight = self.date(text, name)?.checked_mul(DAY);
        midnight.and_then(|midnight| midnight.checked_add(self.time.unwrap_or(0))).ok_or_else(|| beyond(text))
    }

    /// Its days since 1970.
    fn date(&self, text: &str, name: &str) -> Result<i64, InputError> {
        if let Some(days) = self.days {
            return Ok(days);
        }
        let wrong = || out_of_range(text);
        let Some(year) = self.year else { return Err(invalid(name, text)) };
        let year = match (self.is_bc, self.has_two_digits) {
            (true, _) if year <= 0 => return Err(wrong()),
            (true, _) => 1 - year,
            (false, true) => year + if year < 70 { 2000 } else { 1900 },
            (false, false) if year == 0 => return Err(wrong()),
            (false, false) => year,
        };
        if !(-4_713..=5_874_897).contains(&year) {
            return Err(wrong());
        }
        if let Some(day) = self.day_of_year {
            let last = days(year + 1, 1, 1) - days(year, 1, 1);
            return if (1..=last).contains(&day) { Ok(days(year, 1, day)) } else { Err(wrong()) };
        }
        let (Some(month), Some(day)) = (self.month, self.day) else { return Err(invalid(name, text)) };
        if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
            return Err(wrong());
        }
        Ok(days(year, month, day))
    }

    fn set_year(&mut self, digits: &str) -> bool {
        self.has_two_digits = digits.len() <= 2;
        let is_new = self.year.is_none();
        self.year = number(digits);
        is_new && self.year.is_some()
    }

    /// A date whose parts are separated.
    fn read_date(&mut self, parts: &str, text: &str) -> Result<bool, InputError> {
        if self.year.is_some() || self.days.is_some() || self.day.is_some() {
            return Ok(false);
        }
        let parts: Vec<&str> = parts.split(['-', '/', '.']).collect();
        let is_word = |part: &str| part.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let understood = match parts.as_slice() {
            [year, day] if year.len() >= 3 && day.len() == 3 => {
                self.day_of_year = number(day);
                self.set_year(year)
            }
            [one, two, three] if is_word(one) => {
                self.month = month(one);
                self.day = number(two);
                self.set_year(three)
            }
            [one, two, three] if is_word(two) => {
                let (day, year) = if one.len() >= 3 { (three, one) } else { (one, three) };
                self.month = month(two);
                self.day = number(day);
                self.month.is_some() && self.set_year(year)
            }
            [year, month, day] if year.len() >= 3 => {
                self.month = number(month);
                self.day = number(day);
                self.set_year(year)
            }
            [month, day, year] => {
                self.month = number(month);
                self.day = number(day);
                self.set_year(year)
            }
            _ => false,
        };
        let is_whole = self.day_of_year.is_some() || (self.month.is_some() && self.day.is_some());
        if understood && is_whole && self.month.is_some_and(|month| !(1..=12).contains(&month)) {
            return Err(out_of_range(text));
        }
        Ok(understood && is_whole)
    }

    /// A time whose parts are separated.
    fn read_time(&mut self, parts: &str, text: &str) -> Result<bool, InputError> {
        let parts: Vec<&str> = parts.split(':').collect();
        let (hours, minutes, seconds) = match parts.as_slice() {
            [hours, minutes] => (*hours, *minutes, "0"),
            [hours, minutes, seconds] => (*hours, *minutes, *seconds),
            _ => return Ok(false),
        };
        // Minutes with a fraction are minutes and seconds in PostgreSQL; nobody writes them.
        let (Some(hours), Some(minutes), Some(seconds)) = (number(hours), number(minutes), microseconds(seconds))
        else {
            return Ok(false);
        };
        self.set_time(hours, minutes, seconds, text)
    }

    fn set_time(&mut self, hours: i64, minutes: i64, seconds: i64, text: &str) -> Result<bool, InputError> {
        let is_end_of_day = hours == 24 && minutes == 0 && seconds == 0;
        if !(hours < 24 || is_end_of_day) || minutes > 59 || seconds > 60 * SECOND {
            return Err(out_of_range(text));
        }
        let is_new = self.time.is_none();
        self.time = Some((hours * 3_600 + minutes * 60) * SECOND + seconds);
        Ok(is_new)
    }

    fn read_offset(&mut self, digits: &str, text: &str) -> Result<bool, InputError> {
        let (sign, digits) = if let Some(digits) = digits.strip_prefix('-') { (-1, digits) } else { (1, &digits[1..]) };
        let parts: Vec<&str> = match digits.split(':').collect::<Vec<_>>().as_slice() {
            [compact] if compact.len() > 2 => {
                let (rest, last) = compact.split_at(compact.len() - 2);
                if rest.len() > 2 {
                    vec![&rest[..rest.len() - 2], &rest[rest.len() - 2..], last]
                } else {
                    vec![rest, last]
                }
            }
            parts => parts.to_vec(),
        };
        let numbers: Option<Vec<i64>> = parts.iter().map(|part| number(part)).collect();
        let seconds = match numbers.as_deref() {
            Some([hours]) => hours * 3_600,
            Some([hours, minutes]) if *minutes < 60 => hours * 3_600 + minutes * 60,
            Some([hours, minutes, seconds]) if *minutes < 60 && *seconds < 60 => hours * 3_600 + minutes * 60 + seconds,
            Some(_) => i64::MAX,
            None => return Ok(false),
        };
        if seconds >= 16 * 3_600 {
            return Err(InputError::new("22009", format!("time zone displacement out of range: \"{text}\"")));
        }
        let seconds = sign * seconds;
        match self.zone {
            // A day, and digits that could be the hour of a time: PostgreSQL reads `2026-11-20 -05` so.
            None if self.time.is_none() && seconds % 3_600 == 0 && !digits.contains(':') => {
                return self.set_time((sign * seconds) / 3_600, 0, 0, text);
            }
            None => self.zone = Some(Zone::Offset(seconds)),
            // `UTC+3`, in which POSIX counts hours west of Greenwich.
            Some(Zone::Offset(0)) => self.zone = Some(Zone::Offset(-seconds)),
            Some(Zone::Named(Tz::UTC)) => self.zone = Some(Zone::Offset(-seconds)),
            Some(_) => return Ok(false),
        }
        Ok(true)
    }

    /// Digits that are a whole date, a whole time, a day or a year.
    fn read_number(&mut self, digits: &str, is_after_t: bool, text: &str) -> Result<bool, InputError> {
        let (whole, _) = digits.split_once('.').unwrap_or((digits, ""));
        let has_date = self.days.is_some() || self.day_of_year.is_some() || (self.year.is_some() && self.day.is_some());
        if is_after_t || has_date {
            let (hours, minutes, seconds) = match whole.len() {
                6 => (&digits[..2], &digits[2..4], &digits[4..]),
                4 if whole == digits => (&digits[..2], &digits[2..], "0"),
                _ => return Ok(false),
            };
            let (Some(hours), Some(minutes), Some(seconds)) = (number(hours), number(minutes), microseconds(seconds))
            else {
                return Ok(false);
            };
            return self.set_time(hours, minutes, seconds, text);
        }
        if whole != digits {
            return Ok(false);
        }
        match whole.len() {
            6 | 8 if self.year.is_none() && self.month.is_none() => {
                let (year, rest) = whole.split_at(whole.len() - 4);
                self.month = number(&rest[..2]);
                self.day = number(&rest[2..]);
                Ok(self.set_year(year))
            }
            1 | 2 if self.month.is_none() => {
                self.month = number(whole);
                Ok(true)
            }
            1 | 2 if self.day.is_none() => {
                self.day = number(whole);
                Ok(true)
            }
            9.. => Err(out_of_range(text)),
            _ => Ok(self.year.is_none() && self.set_year(whole)),
        }
    }

    /// Days since 4714-11-24 BC.
    fn read_julian_day(&mut self, digits: &str) -> bool {
        self.days = number(digits).map(|days| days + FIRST_DAY);
        self.days.is_some()
    }

    fn read_word(&mut self, word: &str, text: &str, now: i64) -> Result<bool, InputError> {
        let today = now.div_euclid(DAY);
        match word {
            "am" | "pm" => self.is_afternoon = Some(word == "pm"),
            "bc" => self.is_bc = true,
            "ad" | "on" | "at" => {}
            "epoch" => (self.days, self.time, self.zone) = (Some(0), Some(0), Some(Zone::Offset(0))),
            "now" => {
                (self.days, self.time, self.zone) = (Some(today), Some(now.rem_euclid(DAY)), Some(Zone::Offset(0)))
            }
            "today" => self.days = Some(today),
            "tomorrow" => self.days = Some(today + 1),
            "yesterday" => self.days = Some(today - 1),
            "allballs" => (self.time, self.zone) = (Some(0), Some(Zone::Offset(0))),
            _ if month(word).is_some() => {
                // A number before the name was its day.
                if self.month.is_some() && self.day.is_none() {
                    self.day = self.month;
                } else if self.month.is_some() {
                    return Ok(false);
                }
                self.month = month(word);
            }
            _ if is_weekday(word) => {}
            _ => return self.read_zone(word, text),
        }
        Ok(true)
    }

    fn read_zone(&mut self, word: &str, text: &str) -> Result<bool, InputError> {
        if self.zone.is_some() {
            return Ok(false);
        }
        self.zone = match ABBREVIATIONS.iter().find(|(name, _)| *name == word) {
            Some((_, hours)) => Some(Zone::Offset(i64::from(*hours) * 3_600)),
            None => TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(word)).copied().map(Zone::Named),
        };
        if self.zone.is_none() && word.contains('/') {
            return Err(InputError::new("22023", format!("time zone \"{word}\" not recognized in \"{text}\"")));
        }
        Ok(self.zone.is_some())
    }

    fn settle_afternoon(&mut self, text: &str) -> Result<(), InputError> {
        let Some(is_afternoon) = self.is_afternoon else { return Ok(()) };
        let hour = 3_600 * SECOND;
        let time = self.time.ok_or_else(|| invalid("time", text))?;
        if time >= 13 * hour {
            return Err(out_of_range(text));
        }
        let is_twelve = time >= 12 * hour;
        self.time = Some(match (is_afternoon, is_twelve) {
            (true, false) => time + 12 * hour,
            (false, true) => time - 12 * hour,
            _ => time,
        });
        Ok(())
    }
}

/// Abbreviations of time zones, and their hours east of Greenwich.
const ABBREVIATIONS: &[(&str, i32)] = &[
    ("z", 0),
    ("zulu", 0),
    ("utc", 0),
    ("uct", 0),
    ("gmt", 0),
    ("ut", 0),
    ("wet", 0),
    ("bst", 1),
    ("west", 1),
    ("cet", 1),
    ("met", 1),
    ("cest", 2),
    ("eet", 2),
    ("sast", 2),
    ("eest", 3),
    ("msk", 3),
    ("jst", 9),
    ("kst", 9),
    ("aest", 10),
    ("aedt", 11),
    ("nzst", 12),
    ("nzdt", 13),
    ("hst", -10),
    ("akst", -9),
    ("akdt", -8),
    ("pst", -8),
    ("pdt", -7),
    ("mst", -7),
    ("mdt", -6),
    ("cst", -6),
    ("cdt", -5),
    ("est", -5),
    ("edt", -4),
    ("ast", -4),
    ("adt", -3),
];

fn month(word: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if word == "sept" {
        return Some(9);
    }
    let place = MONTHS.iter().position(|month| *month == word || (word.len() == 3 && month.starts_with(word)))?;
    i64::try_from(place + 1).ok()
}

fn is_weekday(word: &str) -> bool {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    ["tues", "wednes", "weds", "thur", "thurs"].contains(&word)
        || DAYS.iter().any(|day| *day == word || (word.len() == 3 && day.starts_with(word)))
}

fn number(digits: &str) -> Option<i64> {
    let is_number = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// Seconds with a fraction, rounded to microseconds.
fn microseconds(seconds: &str) -> Option<i64> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(6).collect();
    let is_rounded_up = fraction.as_bytes().get(6).is_some_and(|digit| *digit >= b'5');
    Some(number(whole)? * SECOND + digits.parse::<i64>().ok()? + i64::from(is_rounded_up))
}

#[cfg(test)]
mod tests;

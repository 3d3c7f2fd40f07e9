//! What the fields of a date or time mean, as PostgreSQL decides with `DateStyle` ISO, MDY.
//!
//! ```text
//! text ─▶ tokens ─▶ each field, by what is known so far ─▶ year, month, day, clock, zone ─▶ checked
//! ```

use super::calendar::{MINUTE, SECOND, days_of_month};
use super::error::Wrong;
use super::tokens::{Field, Kind, TooLarge, fields, fraction_in_microseconds, leading_number};
use super::words::{DateWord, of_date};
use super::zone::Zone;
use crate::SqlError;

const YEAR: u8 = 1;
const MONTH: u8 = 2;
const DAY_OF_MONTH: u8 = 4;
const DATE: u8 = YEAR | MONTH | DAY_OF_MONTH;
const CLOCK: u8 = 8;
const ZONE: u8 = 16;
const WEEKDAY: u8 = 32;
const ERA: u8 = 64;
const HALF: u8 = 128;

/// Days from the Julian day 0 to 1970-01-01.
const JULIAN: i64 = 2_440_588;

/// What a text says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decoded {
    Epoch,
    Infinity,
    MinusInfinity,
    /// A date, microseconds of the day, and a zone, of which some may be missing.
    Moment(Moment),
}

/// A date and a time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Moment {
    /// Year (0 is 1 BC), month and day.
    pub(super) date: Option<(i64, i64, i64)>,
    pub(super) of_day: Option<i64>,
    pub(super) zone: Option<ZoneOf>,
}

/// The zone that a text names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ZoneOf {
    /// Seconds to the east.
    Offset(i64),
    Zone(Zone),
}

/// What has been read so far.
#[derive(Debug, Default)]
struct Reading {
    known: u8,
    year: i64,
    month: i64,
    day: i64,
    of_day: i64,
    hour: i64,
    zone: Option<ZoneOf>,
    has_text_month: bool,
    has_two_digits: bool,
    is_bc: bool,
    half: Option<bool>,
    julian: bool,
    day_of_year: Option<i64>,
    is_time_only: bool,
}

/// What comes next after a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Time,
    Julian,
}

impl From<TooLarge> for Wrong {
    fn from(_: TooLarge) -> Self {
        Self::Field
    }
}

/// Reads a date and time; `is_time_only` for a time without a date.
pub(super) fn decode(text: &str, is_time_only: bool) -> Result<Decoded, Wrong> {
    let fields = fields(text).ok_or(Wrong::Format)?;
    let mut reading = Reading { is_time_only, ..Reading::default() };
    let mut prefix = None;
    let mut special = None;
    for (place, field) in fields.iter().enumerate() {
        let found = match field.kind {
            Kind::Word | Kind::SignedWord => {
                let next = fields.get(place + 1).map(|next| next.kind);
                match reading.word(&field.text, next, &mut prefix, &mut special)? {
                    Some(found) => found,
                    None => continue,
                }
            }
            Kind::Signed => {
                reading.zone = Some(ZoneOf::Offset(offset(&field.text)?));
                ZONE
            }
            Kind::Clock => {
                if prefix.take().is_some_and(|prefix| prefix != Prefix::Time) {
                    return Err(Wrong::Format);
                }
                reading.clock(&field.text)?
            }
            Kind::Date => reading.date_field(&field.text, &mut prefix)?,
            Kind::Number => reading.number_field(field, &mut prefix)?,
        };
        if reading.known & found != 0 {
            return Err(Wrong::Format);
        }
        reading.known |= found;
    }
    if prefix.is_some() {
        return Err(Wrong::Format);
    }
    match special {
        Some(special) => Ok(special),
        None => reading.finish(),
    }
}

impl Reading {
    /// What a word adds; `None` if it adds nothing.
    fn word(
        &mut self,
        word: &str,
        next: Option<Kind>,
        prefix: &mut Option<Prefix>,
        special: &mut Option<Decoded>,
    ) -> Result<Option<u8>, Wrong> {
        if let Some(zone) = Zone::abbreviated(word) {
            self.zone = Some(ZoneOf::Zone(zone));
            return Ok(Some(ZONE));
        }
        let all = DATE | CLOCK | ZONE;
        Ok(Some(match of_date(word) {
            Some(DateWord::Ignored) => return Ok(None),
            Some(DateWord::Month(month)) => {
                // A number before it was the day.
                let was_day = self.known & MONTH != 0 && !self.has_text_month && self.known & DAY_OF_MONTH == 0;
                let found = if was_day && (1..=31).contains(&self.month) {
                    self.day = self.month;
                    DAY_OF_MONTH
                } else {
                    MONTH
                };
                self.has_text_month = true;
                self.month = month;
                found
            }
            Some(DateWord::Weekday) => WEEKDAY,
            Some(DateWord::Era(is_bc)) => {
                self.is_bc = is_bc;
                ERA
            }
            Some(DateWord::Half(is_afternoon)) => {
                self.half = Some(is_afternoon);
                HALF
            }
            Some(DateWord::TimeFollows) => {
                let is_time = matches!(next, Some(Kind::Number | Kind::Clock | Kind::Date));
                if !is_time || (self.known & DATE != DATE && !self.is_time_only) {
                    return Err(Wrong::Format);
                }
                *prefix = Some(Prefix::Time);
                return Ok(None);
            }
            Some(DateWord::JulianFollows) => {
                *prefix = Some(Prefix::Julian);
                return Ok(None);
            }
            Some(DateWord::Epoch) => {
                *special = Some(Decoded::Epoch);
                all
            }
            Some(DateWord::Infinity) => {
                *special = Some(Decoded::Infinity);
                all
            }
            Some(DateWord::MinusInfinity) => {
                *special = Some(Decoded::MinusInfinity);
                all
            }
            Some(DateWord::Midnight) => {
                self.of_day = 0;
                self.zone = Some(ZoneOf::Offset(0));
                CLOCK | ZONE
            }
            Some(DateWord::OfToday) => {
                let what = format!("the constant '{word}' of a date or time is not supported");
                return Err(SqlError::not_supported(what)
                    .with_hint("Use now(), current_date or an expression of them.")
                    .into());
            }
            Some(DateWord::SummerTime | DateWord::Unit) => return Err(Wrong::Format),
            None => {
                let Ok(zone) = Zone::full(word) else { return Err(Wrong::Format) };
                self.zone = Some(ZoneOf::Zone(zone));
                ZONE
            }
        }))
    }

    fn clock(&mut self, text: &str) -> Result<u8, Wrong> {
        let clock = clock(text)?;
        self.hour = clock.hour;
        self.of_day = clock.microseconds_of_day()?;
        Ok(CLOCK)
    }

    fn date_field(&mut self, text: &str, prefix: &mut Option<Prefix>) -> Result<u8, Wrong> {
        if *prefix == Some(Prefix::Julian) {
            return Err(Wrong::Format);
        }
        if self.known & DATE == DATE || prefix.is_some() || (self.is_time_only && !is_date_like(text)) {
            if !text.starts_with(|c: char| c.is_ascii_digit()) && prefix.is_none() {
                self.zone = Some(ZoneOf::Zone(Zone::full(text)?));
                return Ok(ZONE);
            }
            *prefix = None;
            // A run-together time and an offset.
            let cut = text.find('-').ok_or(Wrong::Format)?;
            if self.known & CLOCK != 0 {
                return Err(Wrong::Format);
            }
            self.zone = Some(ZoneOf::Offset(offset(&text[cut..])?));
            return Ok(self.run_together(&text[..cut], self.known | DATE)? | ZONE);
        }
        self.date(text)
    }

    /// A date whose parts are separated.
    fn date(&mut self, text: &str) -> Result<u8, Wrong> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
            let Some(first) = rest.chars().next() else { return Err(Wrong::Format) };
            let is_part = |c: char| {
                if first.is_ascii_digit() { c.is_ascii_digit() } else { c.is_ascii_alphabetic() }
            };
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            parts.push(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or("");
        }
        let mut found = 0;
        let mut known = self.known;
        let mut add = |more: u8, known: &mut u8| {
            if *known & more != 0 {
                return Err(Wrong::Format);
            }
            *known |= more;
            found |= more;
            Ok(())
        };
        for part in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())) {
            let Some(DateWord::Month(month)) = of_date(part) else { return Err(Wrong::Format) };
            self.month = month;
            self.has_text_month = true;
            add(MONTH, &mut known)?;
        }
        for part in parts.iter().filter(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
            let more = self.number(part, known)?;
            add(more, &mut known)?;
        }
        // Before such a date stands nothing but a zone.
        if known & !ZONE != DATE {
            return Err(Wrong::Format);
        }
        Ok(found)
    }

    fn number_field(&mut self, field: &Field, prefix: &mut Option<Prefix>) -> Result<u8, Wrong> {
        let text = &field.text;
        match prefix.take() {
            Some(Prefix::Time) => return self.run_together(text, self.known | DATE),
            Some(Prefix::Julian) => return self.julian(text),
            None => {}
        }
        let point = text.find('.');
        if self.is_time_only {
            return match point {
                Some(_) | None if text.len() >= 4 => self.run_together(text, self.known | DATE),
                _ => Err(Wrong::Format),
            };
        }
        match point {
            Some(_) if self.known & DATE == 0 => self.date(text),
            Some(point) if point > 2 => self.run_together(text, self.known | DATE),
            _ if text.len() >= 6 && (self.known & DATE == 0 || self.known & CLOCK == 0) => {
                self.run_together(text, self.known)
            }
            _ => self.number(text, self.known),
        }
    }

    fn julian(&mut self, text: &str) -> Result<u8, Wrong> {
        let (day, rest) = leading_number(text)?.ok_or(Wrong::Format)?;
        if !(0..=i64::from(i32::MAX)).contains(&day) {
            return Err(Wrong::Field);
        }
        let date = super::calendar::Date::of(day - JULIAN);
        (self.year, self.month, self.day) = (date.year, date.month, date.day);
        self.julian = true;
        if rest.is_empty() {
            return Ok(DATE);
        }
        let fraction = super::tokens::fraction(rest).ok_or(Wrong::Format)?;
        self.of_day = (fraction * super::calendar::DAY as f64).round_ties_even() as i64;
        self.hour = self.of_day / super::calendar::HOUR;
        Ok(DATE | CLOCK)
    }

    /// A number of which what is known so far tells what it is.
    fn number(&mut self, text: &str, known: u8) -> Result<u8, Wrong> {
        let (value, rest) = leading_number(text)?.ok_or(Wrong::Format)?;
        if i32::try_from(value).is_err() {
            return Err(Wrong::Field);
        }
        if rest.starts_with('.') {
            let before = text.len() - rest.len();
            if before > 2 {
                return self.run_together(text, known | DATE);
            }
            return Err(Wrong::Format);
        }
        if !rest.is_empty() {
            return Err(Wrong::Format);
        }
        let length = text.len();
        if length == 3 && known & DATE == YEAR && (1..=366).contains(&value) {
            self.day_of_year = Some(value);
            return Ok(MONTH | DAY_OF_MONTH);
        }
        let found = match known & DATE {
            0 if length >= 3 => YEAR,
            0 | YEAR | DAY_OF_MONTH => MONTH,
            MONTH if self.has_text_month && length >= 3 => YEAR,
            MONTH => DAY_OF_MONTH,
            known if known == YEAR | MONTH => {
                if self.has_text_month && length >= 3 && self.has_two_digits {
                    // What was taken for the year was the day.
                    self.day = self.year;
                    self.year = value;
                    self.has_two_digits = false;
                    return Ok(DAY_OF_MONTH);
                }
                DAY_OF_MONTH
            }
            known if known == MONTH | DAY_OF_MONTH => YEAR,
            DATE => return self.run_together(text, known),
            _ => return Err(Wrong::Format),
        };
        match found {
            YEAR => {
                self.year = value;
                self.has_two_digits = length <= 2;
            }
            MONTH => self.month = value,
            _ => self.day = value,
        }
        Ok(found)
    }

    /// Digits of a whole date or a whole time: `20261120`, `050000.5`, `0500`.
    fn run_together(&mut self, text: &str, known: u8) -> Result<u8, Wrong> {
        let (digits, fraction) = match text.find('.') {
            Some(point) => (&text[..point], fraction_in_microseconds(&text[point..]).ok_or(Wrong::Format)?),
            None => (text, 0),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Wrong::Format);
        }
        let number = |from: usize, to: usize| digits[from..to].parse::<i64>().map_err(|_| Wrong::Field);
        let length = digits.len();
        if !text.contains('.') && known & DATE != DATE && length >= 6 {
            self.day = number(length - 2, length)?;
            self.month = number(length - 4, length - 2)?;
            self.year = number(0, length - 4)?;
            if i32::try_from(self.year).is_err() {
                return Err(Wrong::Field);
            }
            self.has_two_digits = length == 6;
            return Ok(DATE);
        }
        if known & CLOCK == 0 && (length == 6 || length == 4) {
            let second = if length == 6 { number(4, 6)? } else { 0 };
            let clock = Clock { hour: number(0, 2)?, minute: number(2, 4)?, second, fraction };
            self.hour = clock.hour;
            self.of_day = clock.microseconds_of_day()?;
            return Ok(CLOCK);
        }
        Err(Wrong::Format)
    }

    fn finish(mut self) -> Result<Decoded, Wrong> {
        if self.known & YEAR != 0 && !self.julian {
            if self.is_bc {
                if self.year <= 0 {
                    return Err(Wrong::Field);
                }
                self.year = 1 - self.year;
            } else if self.has_two_digits {
                self.year += if self.year < 70 { 2000 } else { 1900 };
            } else if self.year <= 0 {
                return Err(Wrong::Field);
            }
        }
        if let Some(day) = self.day_of_year {
            let date = super::calendar::Date::of(super::calendar::Date::first(self.year, 1).days() + day - 1);
            (self.year, self.month, self.day) = (date.year, date.month, date.day);
        }
        if self.known & MONTH != 0 && !(1..=12).contains(&self.month) {
            return Err(Wrong::MonthOrDay);
        }
        if self.known & DAY_OF_MONTH != 0 && !(1..=31).contains(&self.day) {
            return Err(Wrong::MonthOrDay);
        }
        let has_date = self.known & DATE == DATE;
        if has_date && self.day > days_of_month(self.year, self.month) {
            return Err(Wrong::Field);
        }
        if let Some(is_afternoon) = self.half {
            if self.hour > 12 {
                return Err(Wrong::Field);
            }
            match (is_afternoon, self.hour) {
                (false, 12) => self.of_day -= 12 * super::calendar::HOUR,
                (true, 0..12) => self.of_day += 12 * super::calendar::HOUR,
                _ => {}
            }
        }
        let has_clock = self.known & CLOCK != 0;
        if (!self.is_time_only && !has_date) || (self.is_time_only && !has_clock) {
            return Err(Wrong::Format);
        }
        // What a zone means is known at a date only.
        let is_of_region = matches!(self.zone, Some(ZoneOf::Zone(zone)) if matches!(zone, Zone::Named(_) | Zone::American(_) | Zone::Posix(_)));
        if !has_date && is_of_region {
            return Err(Wrong::Format);
        }
        Ok(Decoded::Moment(Moment {
            date: has_date.then_some((self.year, self.month, self.day)),
            of_day: has_clock.then_some(self.of_day),
            zone: self.zone,
        }))
    }
}

/// Whether a field between other fields is a date and no zone and no time with an offset.
fn is_date_like(text: &str) -> bool {
    text.bytes().filter(|byte| matches!(byte, b'-' | b'/' | b'.')).count() == 2
        && text.starts_with(|c: char| c.is_ascii_digit())
}

/// What a clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    /// Microseconds.
    pub(super) fraction: i64,
}

impl Clock {
    /// Checked as the time of a day, of which 24:00:00 is the last.
    fn microseconds_of_day(self) -> Result<i64, Wrong> {
        let Self { hour, minute, second, fraction } = self;
        let is_right = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
        let of_day = hour.checked_mul(super::calendar::HOUR).ok_or(Wrong::Field)?;
        let of_day = of_day + minute * MINUTE + second * SECOND + fraction;
        if is_right && of_day <= super::calendar::DAY { Ok(of_day) } else { Err(Wrong::Field) }
    }
}

/// Reads `hh:mm[:ss[.ssssss]]`; `mm:ss.ssssss` has no hour.
pub(super) fn clock(text: &str) -> Result<Clock, Wrong> {
    let number = |text| -> Result<(i64, _), Wrong> { leading_number(text)?.ok_or(Wrong::Format) };
    let (hour, rest) = number(text)?;
    let (minute, rest) = number(rest.strip_prefix(':').ok_or(Wrong::Format)?)?;
    let clock = match rest.as_bytes().first() {
        None => Clock { hour, minute, second: 0, fraction: 0 },
        Some(b'.') => {
            let fraction = fraction_in_microseconds(rest).ok_or(Wrong::Format)?;
            Clock { hour: 0, minute: hour, second: minute, fraction }
        }
        Some(b':') => {
            let (second, rest) = number(&rest[1..])?;
            let fraction = match rest {
                "" => 0,
                rest => fraction_in_microseconds(rest).ok_or(Wrong::Format)?,
            };
            Clock { hour, minute, second, fraction }
        }
        Some(_) => return Err(Wrong::Format),
    };
    let Clock { hour, minute, second, .. } = clock;
    if hour < 0 || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return Err(Wrong::Field);
    }
    Ok(clock)
}

/// Reads an offset to the east in seconds: `+02`, `-0330`, `+05:30:10`.
pub(super) fn offset(text: &str) -> Result<i64, Wrong> {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        _ => return Err(Wrong::Format),
    };
    let number = |text| leading_number(text).map_err(|_| Wrong::Offset)?.ok_or(Wrong::Format);
    let (mut hour, mut rest) = number(digits)?;
    let (mut minute, mut second) = (0, 0);
    if let Some(more) = rest.strip_prefix(':') {
        (minute, rest) = number(more)?;
        if let Some(more) = rest.strip_prefix(':') {
            (second, rest) = number(more)?;
        }
    } else if rest.is_empty() && text.len() > 3 {
        (hour, minute) = (hour / 100, hour % 100);
    }
    if !(0..=15).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return Err(Wrong::Offset);
    }
    if rest.is_empty() { Ok(sign * (hour * 3_600 + minute * 60 + second)) } else { Err(Wrong::Format) }
}

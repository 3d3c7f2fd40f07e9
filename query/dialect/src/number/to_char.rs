//! `to_char` of numbers.
//!
//! ```text
//! number ─▶ its digits, as many behind the point as the pattern has ─▶ for each part of the pattern what it shows
//! ```
//!
//! A number with more digits before the point than the pattern has is shown as `#`.

use super::decimal::rounded;
use super::pattern::{Anchor, Part, Pattern};
use super::text;
use crate::call::{Call, Values};
use crate::error::SqlError;
use crate::function::{Function, form};
use crate::types::PgType::{Float4, Float8, Int4, Int8, Numeric, Text};
use arrow_array::{ArrayRef, StringViewArray};
use arrow_buffer::i256;
use datafusion::common::Result;

/// Bytes of the results of one call.
const MOST_BYTES: usize = 64 << 20;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    vec![Function::new(
        "to_char",
        vec![
            form(
                [Int4, Text],
                || Text,
                |call| {
                    let values = call.int4(0);
                    shown(call, |row| values.get(row).map(|value| Number::Whole(value.into())))
                },
            ),
            form(
                [Int8, Text],
                || Text,
                |call| {
                    let values = call.int8(0);
                    shown(call, |row| values.get(row).map(Number::Long))
                },
            ),
            form(
                [Numeric, Text],
                || Text,
                |call| {
                    let (values, scale) = (call.numeric(0), call.scale(0));
                    shown(call, |row| values.get(row).map(|value| Number::Numeric(value, scale)))
                },
            ),
            form(
                [Float8, Text],
                || Text,
                |call| {
                    let values = call.float8(0);
                    shown(call, |row| values.get(row).map(|value| Number::Float(value, 15)))
                },
            ),
            form(
                [Float4, Text],
                || Text,
                |call| {
                    let values = call.float4(0);
                    shown(call, |row| values.get(row).map(|value| Number::Float(value.into(), 6)))
                },
            ),
        ],
    )]
}

/// A number to be shown.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i64),
    Long(i64),
    Numeric(i256, i8),
    /// With the significant digits of its type.
    Float(f64, usize),
}

fn shown(call: &Call, number: impl Fn(usize) -> Option<Number>) -> Result<ArrayRef> {
    let patterns: Values<'_, StringViewArray> = call.text(1);
    let constant = match patterns.get(0) {
        Some(pattern) if patterns.is_constant() && call.rows() > 0 => Some(Pattern::new(pattern)?),
        _ => None,
    };
    let mut bytes = 0;
    call.texts(|row| {
        let (Some(number), Some(text)) = (number(row), patterns.get(row)) else { return Ok(None) };
        if text.is_empty() {
            return Ok(Some(String::new()));
        }
        let made = match &constant {
            Some(pattern) => show(number, pattern)?,
            None => show(number, &Pattern::new(text)?)?,
        };
        bytes += made.len();
        if bytes > MOST_BYTES {
            return Err(SqlError::new("54000", "to_char makes more than 64 MiB of text in one call").into());
        }
        Ok(Some(made))
    })
}

/// A number by a pattern.
fn show(number: Number, pattern: &Pattern) -> Result<String> {
    if pattern.is_roman {
        let digits = roman(whole_of(number)?);
        return Writer::new(pattern, digits, '+', 0, 0).write();
    }
    if pattern.is_scientific {
        return scientific(number, pattern.behind);
    }
    let (digits, is_negative, behind) = digits(number, pattern)?;
    let width = pattern.before + pattern.shifted;
    let length = digits.split('.').next().unwrap_or_default().len();
    let (digits, spaces) = if length > width {
        (format!("{}.{}", "#".repeat(width), "#".repeat(behind)), 0)
    } else {
        (digits, width - length)
    };
    Writer::new(pattern, digits, if is_negative { '-' } else { '+' }, spaces, behind).write()
}

/// The digits without a sign, whether there is one, and how many digits are behind the point.
fn digits(number: Number, pattern: &Pattern) -> Result<(String, bool, usize)> {
    let shift = pattern.shifted;
    let (signed, behind) = match number {
        Number::Whole(value) | Number::Long(value) => {
            let factor = u32::try_from(shift).ok().and_then(|shift| 10_i64.checked_pow(shift));
            let out_of_range = match number {
                Number::Whole(_) => "integer",
                _ => "bigint",
            };
            let shifted = if shift == 0 { Some(value) } else { factor.and_then(|factor| value.checked_mul(factor)) };
            let shifted = match (shifted, number) {
                (Some(shifted), Number::Whole(_)) if i32::try_from(shifted).is_err() => None,
                (shifted, _) => shifted,
            };
            let shifted = shifted.ok_or_else(|| SqlError::out_of_range(out_of_range))?;
            let zeros = if pattern.behind > 0 { format!(".{}", "0".repeat(pattern.behind)) } else { String::new() };
            (format!("{shifted}{zeros}"), pattern.behind)
        }
        Number::Numeric(value, scale) => {
            let behind = i8::try_from(pattern.behind).unwrap_or(i8::MAX);
            let shift = i8::try_from(shift).unwrap_or(i8::MAX);
            // Moving the point is another scale of the same digits.
            let moved = scale.saturating_sub(shift);
            let kept = behind.min(moved.max(0));
            let value = rounded(value, moved, kept)?;
            let zeros = "0".repeat(pattern.behind - usize::from(kept.unsigned_abs()));
            let point = if kept == 0 && !zeros.is_empty() { "." } else { "" };
            (format!("{}{point}{zeros}", text::of_digits(value, kept)), pattern.behind)
        }
        Number::Float(value, significant) => {
            let value =
                if pattern.has_shift { value * 10_f64.powi(i32::try_from(shift).unwrap_or(i32::MAX)) } else { value };
            if !value.is_finite() {
                let name = if value.is_nan() { "NaN" } else { "Infinity" };
                return Ok((name.to_owned(), value < 0.0, pattern.behind));
            }
            let length = format!("{:.0}", value.abs()).len();
            let behind = pattern.behind.min(significant.saturating_sub(length));
            (format!("{value:.behind$}"), behind)
        }
    };
    match signed.strip_prefix('-') {
        Some(digits) => Ok((digits.to_owned(), true, behind)),
        None => Ok((signed, false, behind)),
    }
}

/// `d.ddde+dd`.
fn scientific(number: Number, behind: usize) -> Result<String> {
    let (mantissa, exponent) = match number {
        Number::Whole(value) => of_float(value as f64, behind),
        Number::Float(value, _) if value.is_finite() => of_float(value, behind),
        Number::Float(..) => {
            let point = if behind > 0 { format!(".{}", "#".repeat(behind)) } else { String::new() };
            return Ok(format!(" #{point}####"));
        }
        Number::Long(value) => of_numeric(i256::from_i128(value.into()), 0, behind)?,
        Number::Numeric(value, scale) => of_numeric(value, scale, behind)?,
    };
    let space = if mantissa.starts_with('-') { "" } else { " " };
    let sign = if exponent < 0 { '-' } else { '+' };
    Ok(format!("{space}{mantissa}e{sign}{:02}", exponent.unsigned_abs()))
}

fn of_float(value: f64, behind: usize) -> (String, i32) {
    let text = format!("{value:.behind$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa.to_owned(), exponent.parse().unwrap_or(0)),
        None => (text, 0),
    }
}

fn of_numeric(value: i256, scale: i8, behind: usize) -> Result<(String, i32)> {
    let digits = super::decimal::length(value);
    let exponent = if value == i256::ZERO { 0 } else { digits - 1 - i32::from(scale) };
    let kept = i8::try_from(behind).unwrap_or(i8::MAX).min(100);
    let moved = i8::try_from(i32::from(scale) + exponent).unwrap_or(i8::MAX);
    let shown = kept.min(moved.max(0));
    let mantissa = rounded(value, moved, shown)?;
    // What is rounded up to ten is shown as ten, as PostgreSQL shows it.
    let zeros = "0".repeat(behind - usize::from(shown.unsigned_abs()));
    let point = if shown == 0 && !zeros.is_empty() { "." } else { "" };
    Ok((format!("{}{point}{zeros}", text::of_digits(mantissa, shown)), exponent))
}

/// The nearest `integer`.
fn whole_of(number: Number) -> Result<i64> {
    let out_of_range = || SqlError::out_of_range("integer");
    let value = match number {
        Number::Whole(value) | Number::Long(value) => value,
        Number::Numeric(value, scale) => {
            let whole = rounded(value, scale, 0)?.to_i128().ok_or_else(out_of_range)?;
            i64::try_from(whole).map_err(|_| out_of_range())?
        }
        // What is no integer is shown as `#`.
        Number::Float(value, _) => value.round_ties_even() as i64,
    };
    match number {
        Number::Float(..) => Ok(value),
        _ => i32::try_from(value).map(i64::from).map_err(|_| out_of_range().into()),
    }
}

/// A number of 1 to 3999 by Roman numerals.
fn roman(value: i64) -> String {
    const NUMERALS: [(i64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..=3999).contains(&value) {
        return "#".repeat(15);
    }
    let mut rest = value;
    let mut text = String::new();
    for (number, numeral) in NUMERALS {
        while rest >= number {
            text.push_str(numeral);
            rest -= number;
        }
    }
    text
}

/// Writes digits by a pattern.
struct Writer<'a> {
    pattern: &'a Pattern,
    digits: Vec<char>,
    /// The next one.
    next: usize,
    sign: char,
    is_sign_written: bool,
    has_brackets: bool,
    anchor: Option<Anchor>,
    /// Digits of the pattern before the first one of the number.
    spaces: usize,
    /// Digits of the pattern seen.
    seen: usize,
    behind: usize,
    /// The last digit that `FM` keeps.
    last: Option<usize>,
    /// Digits of the pattern, with the place of a sign.
    count: usize,
    is_in_number: bool,
    text: String,
    /// The digits have ended before the pattern.
    is_cut: bool,
}

impl<'a> Writer<'a> {
    fn new(pattern: &'a Pattern, digits: String, sign: char, spaces: usize, behind: usize) -> Self {
        let digits: Vec<char> = digits.chars().collect();
        let mut has_brackets = pattern.has_brackets;
        let mut anchor = pattern.sign.map(|(anchor, _)| anchor);
        let is_sign_written = if pattern.has_plus || pattern.has_minus {
            !pattern.has_plus || pattern.has_minus
        } else {
            if sign != '-' && pattern.is_filled {
                has_brackets = false;
            }
            if let Some((Anchor::Before, digits_before)) = pattern.sign
                && pattern.before + pattern.shifted == digits_before
            {
                anchor = Some(Anchor::After);
            }
            sign == '+' && pattern.is_filled && pattern.sign.is_none()
        };
        let mut last = None;
        if pattern.is_filled && pattern.has_point {
            last = digits.iter().position(|digit| *digit == '.').map(|point| {
                let of_digits = digits.iter().rposition(|digit| *digit != '0').unwrap_or(point);
                of_digits.max(point)
            });
            if let Some(kept) = last
                && pattern.last_zero > spaces
            {
                let zero = (digits.len().saturating_sub(1)).min(pattern.last_zero - spaces);
                last = Some(kept.max(zero));
            }
        }
        let mut count = (behind + pattern.before + pattern.shifted).wrapping_sub(1);
        if !is_sign_written && spaces == 0 {
            count = count.wrapping_add(1);
        }
        Self {
            pattern,
            digits,
            next: 0,
            sign,
            is_sign_written,
            has_brackets,
            anchor,
            spaces,
            seen: 0,
            behind,
            last,
            count,
            is_in_number: false,
            text: String::new(),
            is_cut: false,
        }
    }

    fn write(mut self) -> Result<String> {
        for part in &self.pattern.parts {
            match part {
                Part::Digit { is_zero } => self.digit(*is_zero),
                Part::Point => self.digit(false),
                Part::Group if self.is_in_number => self.text.push(','),
                Part::Group | Part::Currency if self.pattern.is_filled && !matches!(part, Part::Currency) => {}
                Part::Group | Part::Currency => self.text.push(' '),
                Part::Roman { is_upper } => {
                    let numerals: String = self.digits.iter().collect();
                    let numerals = if *is_upper { numerals } else { numerals.to_lowercase() };
                    let width = if self.pattern.is_filled { 0 } else { 15 };
                    self.text.push_str(&format!("{numerals:>width$}"));
                }
                Part::Ordinal { is_upper } => self.ordinal(*is_upper)?,
                Part::Minus => self.sign_if('-'),
                Part::Plus => self.sign_if('+'),
                Part::Sign => self.text.push(self.sign),
                Part::Literal(literal) => self.text.push(*literal),
                Part::Silent => {}
            }
            if self.is_cut {
                break;
            }
        }
        Ok(self.text)
    }

    fn sign_if(&mut self, sign: char) {
        if self.sign == sign {
            self.text.push(sign);
        } else if !self.pattern.is_filled {
            self.text.push(' ');
        }
    }

    /// st, nd, rd or th.
    fn ordinal(&mut self, is_upper: bool) -> Result<()> {
        if self.pattern.is_roman || self.digits.first() == Some(&'#') || self.sign == '-' || self.pattern.has_point {
            return Ok(());
        }
        if !self.digits.last().is_some_and(char::is_ascii_digit) {
            let digits: String = self.digits.iter().collect();
            return Err(SqlError::new("22P02", format!("\"{digits}\" is not a number")).into());
        }
        let is_teen = self.digits.len() > 1 && self.digits[self.digits.len() - 2] == '1';
        let suffix = match self.digits.last() {
            Some('1') if !is_teen => "st",
            Some('2') if !is_teen => "nd",
            Some('3') if !is_teen => "rd",
            _ => "th",
        };
        self.text.push_str(&if is_upper { suffix.to_uppercase() } else { suffix.to_owned() });
        Ok(())
    }

    /// Whether a zero before the point is shown as a space: `0.1` by `9.9`.
    fn is_space_before_point(&self) -> bool {
        self.pattern.first_zero.is_none() && self.next == 0 && self.digits.first() == Some(&'0') && self.behind != 0
    }

    fn last_is_point(&self) -> bool {
        self.last.is_some_and(|last| self.digits[last] == '.')
    }

    /// What a digit or the point of the pattern shows.
    fn digit(&mut self, is_zero: bool) {
        if self.pattern.is_roman {
            return;
        }
        self.is_in_number = false;
        let zero_from = self.pattern.first_zero;
        if !self.is_sign_written
            && (self.seen >= self.spaces || zero_from == Some(self.seen))
            && (!self.is_space_before_point() || self.last_is_point())
        {
            self.write_sign();
        }
        if self.seen < self.spaces && zero_from.is_none_or(|from| from > self.seen) {
            if !self.pattern.is_filled {
                self.text.push(' ');
            }
        } else if self.seen < self.spaces {
            self.text.push('0');
            self.is_in_number = true;
        } else {
            self.write_digit(is_zero);
        }
        let mut end = self.count.wrapping_add(usize::from(self.spaces > 0)).wrapping_add(self.pattern.has_point.into());
        if self.last == Some(self.next) && self.last.is_some() {
            end = self.seen;
        }
        if self.seen + 1 == end {
            if self.is_sign_written && self.has_brackets {
                self.text.push(if self.sign == '+' { ' ' } else { '>' });
            } else if self.anchor == Some(Anchor::After) {
                self.text.push(self.sign);
            }
        }
        self.seen += 1;
    }

    fn write_sign(&mut self) {
        if let Some(anchor) = self.anchor {
            if anchor == Anchor::Before {
                self.text.push(self.sign);
                self.is_sign_written = true;
            }
            return;
        }
        if self.has_brackets {
            self.text.push(if self.sign == '+' { ' ' } else { '<' });
        } else if self.sign == '-' {
            self.text.push('-');
        } else if !self.pattern.is_filled {
            self.text.push(' ');
        }
        self.is_sign_written = true;
    }

    fn write_digit(&mut self, is_zero: bool) {
        let Some(digit) = self.digits.get(self.next).copied() else {
            self.is_cut = true;
            return;
        };
        if digit == '.' {
            self.text.push('.');
        } else if self.last.is_some_and(|last| self.next > last) && !is_zero {
            // FM shows no zeros at the end.
        } else if self.is_space_before_point() {
            if !self.pattern.is_filled {
                self.text.push(' ');
            } else if self.last_is_point() {
                self.text.push('0');
            }
        } else {
            self.text.push(digit);
            self.is_in_number = true;
        }
        self.next += 1;
    }
}

/// Shows numbers of each type.
#[cfg(test)]
pub(super) fn show_all(value: i64, float: f64, scale: i8, pattern: &str) {
    let Ok(pattern) = Pattern::new(pattern) else { return };
    for number in [
        Number::Whole(i64::from(value as i32)),
        Number::Long(value),
        Number::Numeric(i256::from_i128(value.into()), scale),
        Number::Float(float, 15),
        Number::Float(float, 6),
    ] {
        let _ = show(number, &pattern);
    }
}

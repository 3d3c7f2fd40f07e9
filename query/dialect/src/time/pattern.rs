//! The patterns of `to_char`, `to_timestamp` and `to_date`: `YYYY-MM-DD HH24:MI:SS`.

use crate::SqlError;

/// What stands for a part of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// `A.M.` and `P.M.`
    DottedHalf,
    Half,
    DottedEra,
    Era,
    Century,
    Day,
    ShortDay,
    DayOfYear,
    IsoDayOfYear,
    DayOfMonth,
    DayOfWeek,
    IsoDayOfWeek,
    /// Digits of a second's fraction.
    Fraction(u8),
    Milliseconds,
    Microseconds,
    /// Each pattern stands for itself.
    Exact,
    Hour24,
    Hour12,
    IsoWeek,
    /// Digits of a year.
    IsoYear(u8),
    Year(u8),
    YearWithComma,
    Julian,
    Minute,
    MonthName,
    ShortMonth,
    Month,
    Offset,
    Quarter,
    RomanMonth,
    SecondOfDay,
    Second,
    OffsetHour,
    OffsetMinute,
    ZoneName,
    WeekOfYear,
    WeekOfMonth,
}

/// In which letters a name is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Title,
    Lower,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Key {
        key: Key,
        case: Case,
        /// `FM`: without padding.
        fills: bool,
        /// `TM`: in the words of the locale, which are not padded.
        is_local: bool,
        /// `TH`: with an ordinal's ending, in capitals or not.
        ordinal: Option<Case>,
    },
    Separator(char),
    Space(char),
    Literal(char),
}

/// Patterns with the longer ones of a beginning first. Those of numbers are written in capitals or in small letters.
const KEYS: [(&str, Key); 54] = [
    ("A.D.", Key::DottedEra),
    ("A.M.", Key::DottedHalf),
    ("AD", Key::Era),
    ("AM", Key::Half),
    ("B.C.", Key::DottedEra),
    ("BC", Key::Era),
    ("CC", Key::Century),
    ("DAY", Key::Day),
    ("DDD", Key::DayOfYear),
    ("DD", Key::DayOfMonth),
    ("DY", Key::ShortDay),
    ("D", Key::DayOfWeek),
    ("FF1", Key::Fraction(1)),
    ("FF2", Key::Fraction(2)),
    ("FF3", Key::Fraction(3)),
    ("FF4", Key::Fraction(4)),
    ("FF5", Key::Fraction(5)),
    ("FF6", Key::Fraction(6)),
    ("FX", Key::Exact),
    ("HH24", Key::Hour24),
    ("HH12", Key::Hour12),
    ("HH", Key::Hour12),
    ("IDDD", Key::IsoDayOfYear),
    ("ID", Key::IsoDayOfWeek),
    ("IW", Key::IsoWeek),
    ("IYYY", Key::IsoYear(4)),
    ("IYY", Key::IsoYear(3)),
    ("IY", Key::IsoYear(2)),
    ("I", Key::IsoYear(1)),
    ("J", Key::Julian),
    ("MI", Key::Minute),
    ("MM", Key::Month),
    ("MONTH", Key::MonthName),
    ("MON", Key::ShortMonth),
    ("MS", Key::Milliseconds),
    ("OF", Key::Offset),
    ("P.M.", Key::DottedHalf),
    ("PM", Key::Half),
    ("Q", Key::Quarter),
    ("RM", Key::RomanMonth),
    ("SSSSS", Key::SecondOfDay),
    ("SSSS", Key::SecondOfDay),
    ("SS", Key::Second),
    ("TZH", Key::OffsetHour),
    ("TZM", Key::OffsetMinute),
    ("TZ", Key::ZoneName),
    ("US", Key::Microseconds),
    ("WW", Key::WeekOfYear),
    ("W", Key::WeekOfMonth),
    ("Y,YYY", Key::YearWithComma),
    ("YYYY", Key::Year(4)),
    ("YYY", Key::Year(3)),
    ("YY", Key::Year(2)),
    ("Y", Key::Year(1)),
];

/// Parses a pattern.
pub(super) fn parse(pattern: &str) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        let (mut fills, mut is_local) = (true, false);
        if let Some(after) = strip_either(rest, "FM") {
            (fills, rest) = (false, after);
        } else if let Some(after) = strip_either(rest, "TM") {
            (is_local, rest) = (true, after);
        }
        if let Some((key, case, after)) = key(rest) {
            rest = after;
            let ordinal = if let Some(after) = rest.strip_prefix("TH") {
                rest = after;
                Some(Case::Upper)
            } else if let Some(after) = rest.strip_prefix("th") {
                rest = after;
                Some(Case::Lower)
            } else {
                if let Some(after) = strip_either(rest, "SP") {
                    rest = after;
                }
                None
            };
            nodes.push(Node::Key { key, case, fills, is_local, ordinal });
        } else if let Some(quoted) = rest.strip_prefix('"') {
            rest = literal(quoted, &mut nodes);
        } else if let Some(first) = rest.chars().next() {
            let escaped = rest.strip_prefix('\\').filter(|after| after.starts_with('"'));
            let (first, after) = match escaped {
                Some(after) => ('"', &after[1..]),
                None => (first, &rest[first.len_utf8()..]),
            };
            nodes.push(if first.is_ascii_whitespace() || first == '\u{b}' {
                Node::Space(first)
            } else if first.is_ascii_punctuation() {
                Node::Separator(first)
            } else {
                Node::Literal(first)
            });
            rest = after;
        }
    }
    nodes
}

fn strip_either<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.strip_prefix(prefix).or_else(|| text.strip_prefix(prefix.to_ascii_lowercase().as_str()))
}

/// The characters up to the closing quote; returns what follows.
fn literal<'a>(quoted: &'a str, nodes: &mut Vec<Node>) -> &'a str {
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return &quoted[place + 1..],
            '\\' => {
                if let Some((_, escaped)) = characters.next() {
                    nodes.push(Node::Literal(escaped));
                }
            }
            other => nodes.push(Node::Literal(other)),
        }
    }
    ""
}

/// The key with which a pattern begins.
fn key(text: &str) -> Option<(Key, Case, &str)> {
    for (title, key) in [("Day", Key::Day), ("Dy", Key::ShortDay), ("Month", Key::MonthName), ("Mon", Key::ShortMonth)]
    {
        if let Some(after) = text.strip_prefix(title) {
            return Some((key, Case::Title, after));
        }
    }
    KEYS.iter().find_map(|(name, key)| {
        let start = text.get(..name.len())?;
        let case = if start == *name {
            Case::Upper
        } else if start.eq_ignore_ascii_case(name) && !start.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Case::Lower
        } else {
            return None;
        };
        Some((*key, case, &text[name.len()..]))
    })
}

/// The longest pattern that is taken.
const LONGEST: usize = 64 << 10;

/// Parses a pattern that is not too long.
pub(super) fn checked(pattern: &str) -> Result<std::sync::Arc<[Node]>, SqlError> {
    if pattern.len() > LONGEST {
        return Err(SqlError::new("54000", format!("a format of more than {LONGEST} bytes is not supported")));
    }
    Ok(parse(pattern).into())
}

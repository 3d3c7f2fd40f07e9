//! Texts of names, numbers and times, as PostgreSQL writes them.

use std::collections::HashSet;
use std::sync::LazyLock;

pub(crate) const KEYWORDS: &str = include_str!("data/keywords.tsv");

/// The keywords that are no names without quotes.
static RESERVED: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let rows = KEYWORDS.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| {
        let mut fields = line.split('\t');
        let word = fields.next()?;
        (fields.next()? != "U").then_some(word)
    })
    .collect()
});

/// A name, in quotes if it needs them.
pub(crate) fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !RESERVED.contains(name);
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The parts of a name as SQL writes it, folded; `None` if it is none.
pub(crate) fn parts_of_name(text: &str) -> Option<Vec<String>> {
    let (mut parts, mut rest) = (Vec::new(), text.trim());
    loop {
        let part;
        if let Some(inside) = rest.strip_prefix('"') {
            let (mut name, mut letters) = (String::new(), inside.char_indices().peekable());
            let end = loop {
                match letters.next()? {
                    (at, '"') => match letters.peek() {
                        Some((_, '"')) => {
                            letters.next();
                            name.push('"');
                        }
                        _ => break at + 1,
                    },
                    (_, letter) => name.push(letter),
                }
            };
            part = name;
            rest = &inside[end..];
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            part = rest[..end].trim().to_lowercase();
            rest = &rest[end..];
        }
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(next) => rest = next,
            None if rest.trim().is_empty() => return Some(parts),
            None => return None,
        }
    }
}

/// The year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The text of a time in UTC.
pub(crate) fn timestamp(microseconds: i64, has_zone: bool) -> String {
    let days = microseconds.div_euclid(86_400_000_000);
    let in_day = microseconds.rem_euclid(86_400_000_000);
    let (seconds, fraction) = (in_day / 1_000_000, in_day % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{} {hours:02}:{minutes:02}:{seconds:02}", date(days));
    if fraction != 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    if has_zone {
        text.push_str("+00");
    }
    text
}

/// The text of a date.
pub(crate) fn date(days: i64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The text of a floating-point number.
pub(crate) fn float(number: f64, is_short: bool) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    if is_short { format!("{}", number as f32) } else { format!("{number}") }
}

/// The number of bytes with a unit.
pub(crate) fn size_pretty(bytes: i64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size.abs() >= 10_240.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{} {}", size.round(), units[unit])
}

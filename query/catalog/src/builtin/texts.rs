//! Functions of texts, numbers and arrays, as statements over the catalog use them.

use super::function::{Builtin, Context, Returns};
use crate::encode;
use crate::error::{CatalogError, Result};
use crate::format::quoted;
use crate::types::{
    self, ANYARRAY, BOOL, FLOAT8, INT4, INT8, JSON, NUMERIC, Oid, TEXT, TEXT_ARRAY, TIMESTAMPTZ, UNKNOWN,
};
use crate::value::{ArrayValue, Datum};
use std::sync::Arc;

/// The most bytes of a text that a function makes.
const MOST_BYTES: usize = 16 << 20;

fn int(number: usize) -> Result<Datum> {
    Ok(Datum::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}

fn text(text: impl AsRef<str>) -> Result<Datum> {
    Ok(Datum::text(text))
}

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin::new("lower", &[TEXT], TEXT, |_, a, _| text(a[0].as_text().to_lowercase())),
    Builtin::new("upper", &[TEXT], TEXT, |_, a, _| text(a[0].as_text().to_uppercase())),
    Builtin::new("length", &[TEXT], INT4, |_, a, _| int(a[0].as_text().chars().count())),
    Builtin::new("char_length", &[TEXT], INT4, |_, a, _| int(a[0].as_text().chars().count())),
    Builtin::new("octet_length", &[TEXT], INT4, |_, a, _| int(a[0].as_text().len())),
    Builtin::new("ascii", &[TEXT], INT4, |_, a, _| {
        Ok(Datum::Int(a[0].as_text().chars().next().map_or(0, |letter| i64::from(u32::from(letter)))))
    }),
    Builtin::new("reverse", &[TEXT], TEXT, |_, a, _| text(a[0].as_text().chars().rev().collect::<String>())),
    Builtin::new("btrim", &[TEXT, TEXT], TEXT, |_, a, _| trim(a, true, true)).optional(1),
    Builtin::new("ltrim", &[TEXT, TEXT], TEXT, |_, a, _| trim(a, true, false)).optional(1),
    Builtin::new("rtrim", &[TEXT, TEXT], TEXT, |_, a, _| trim(a, false, true)).optional(1),
    Builtin::new("left", &[TEXT, INT4], TEXT, |_, a, _| part(a, true)),
    Builtin::new("right", &[TEXT, INT4], TEXT, |_, a, _| part(a, false)),
    Builtin::new("substr", &[TEXT, INT4, INT4], TEXT, |_, a, _| substring(a)).optional(1),
    Builtin::new("substring", &[TEXT, INT4, INT4], TEXT, |_, a, _| substring(a)).optional(1),
    Builtin::new("substring", &[TEXT, TEXT], TEXT, |_, a, _| matched(a)),
    Builtin::new("position", &[TEXT, TEXT], INT4, |_, a, _| position(a)),
    Builtin::new("strpos", &[TEXT, TEXT], INT4, |_, a, _| position(a)),
    Builtin::new("starts_with", &[TEXT, TEXT], BOOL, |_, a, _| {
        Ok(Datum::Bool(a[0].as_text().starts_with(a[1].as_text())))
    }),
    Builtin::new("replace", &[TEXT, TEXT, TEXT], TEXT, |_, a, _| match a[1].as_text() {
        "" => Ok(a[0].clone()),
        from => bounded(a[0].as_text().replace(from, a[2].as_text())),
    }),
    Builtin::new("regexp_replace", &[TEXT, TEXT, TEXT, TEXT], TEXT, |_, a, _| regexp_replace(a)).optional(1),
    Builtin::new("repeat", &[TEXT, INT4], TEXT, |_, a, _| {
        let count = usize::try_from(a[1].as_int()).unwrap_or(0);
        match a[0].as_text().len().checked_mul(count) {
            Some(bytes) if bytes <= MOST_BYTES => text(a[0].as_text().repeat(count)),
            _ => Err(too_long()),
        }
    }),
    Builtin::new("split_part", &[TEXT, TEXT, INT4], TEXT, |_, a, _| {
        let parts: Vec<&str> = match a[1].as_text() {
            "" => vec![a[0].as_text()],
            delimiter => a[0].as_text().split(delimiter).collect(),
        };
        let number = a[2].as_int();
        let place = if number < 0 { parts.len() as i64 + number } else { number - 1 };
        if number == 0 {
            return Err(CatalogError::new("22023", "field position must not be zero"));
        }
        text(usize::try_from(place).ok().and_then(|place| parts.get(place)).copied().unwrap_or_default())
    }),
    Builtin::new("concat", &[0], TEXT, |c, a, types| joined(c, "", a, types)).variadic().lax(),
    Builtin::new("concat_ws", &[TEXT, 0], TEXT, |c, a, types| match &a[0] {
        Datum::Text(separator) => joined(c, separator, &a[1..], &types[1..]),
        _ => Ok(Datum::Null),
    })
    .variadic()
    .lax(),
    Builtin::new("format", &[TEXT, 0], TEXT, format).optional(1).variadic().lax(),
    Builtin::new("quote_ident", &[TEXT], TEXT, |_, a, _| text(quoted(a[0].as_text()))),
    Builtin::new("quote_literal", &[0], TEXT, |c, a, types| text(literal(&written(c, &a[0], types[0])))),
    Builtin::new("quote_nullable", &[0], TEXT, |c, a, types| match &a[0] {
        Datum::Null => text("NULL"),
        value => text(literal(&written(c, value, types[0]))),
    })
    .lax(),
    Builtin::new("md5", &[TEXT], TEXT, |_, _, _| Err(CatalogError::unsupported("md5"))),
    Builtin::new("abs", &[INT4], INT4, |_, a, _| Ok(Datum::Int(a[0].as_int().abs()))).returns(Returns::First),
    Builtin::new("abs", &[FLOAT8], FLOAT8, |_, a, _| Ok(Datum::Float(a[0].as_float().abs()))).returns(Returns::First),
    Builtin::new("power", &[FLOAT8, FLOAT8], FLOAT8, |_, a, _| {
        let (base, exponent) = (a[0].as_float(), a[1].as_float());
        let power = base.powf(exponent);
        if power.is_finite() || !base.is_finite() || !exponent.is_finite() {
            return Ok(Datum::Float(power));
        }
        Err(match (power.is_nan(), base == 0.0) {
            (true, _) => {
                CatalogError::new("2201F", "a negative number raised to a non-integer power yields a complex result")
            }
            (false, true) => CatalogError::new("2201F", "zero raised to a negative power is undefined"),
            (false, false) => CatalogError::new("22003", "value out of range: overflow"),
        })
    }),
    Builtin::new("floor", &[FLOAT8], FLOAT8, |_, a, _| Ok(Datum::Float(a[0].as_float().floor()))),
    Builtin::new("ceil", &[FLOAT8], FLOAT8, |_, a, _| Ok(Datum::Float(a[0].as_float().ceil()))),
    Builtin::new("round", &[NUMERIC, INT4], NUMERIC, |_, a, _| {
        let scale = 10_f64.powi(a.get(1).map_or(0, |digits| i32::try_from(digits.as_int()).unwrap_or(0)));
        Ok(Datum::Float((a[0].as_float() * scale).round() / scale))
    })
    .optional(1),
    Builtin::new("mod", &[INT8, INT8], INT8, |_, a, _| match a[1].as_int() {
        0 => Err(CatalogError::new("22012", "division by zero")),
        divisor => Ok(Datum::Int(a[0].as_int().wrapping_rem(divisor))),
    })
    .returns(Returns::First),
    Builtin::new("now", &[], TIMESTAMPTZ, |c, _, _| Ok(Datum::Int(c.session.now))),
    Builtin::new("current_timestamp", &[], TIMESTAMPTZ, |c, _, _| Ok(Datum::Int(c.session.now))),
    Builtin::new("statement_timestamp", &[], TIMESTAMPTZ, |c, _, _| Ok(Datum::Int(c.session.now))),
    Builtin::new("transaction_timestamp", &[], TIMESTAMPTZ, |c, _, _| Ok(Datum::Int(c.session.now))),
    Builtin::new("array_to_string", &[ANYARRAY, TEXT, TEXT], TEXT, array_to_string).optional(1).lax(),
    Builtin::new("string_to_array", &[TEXT, TEXT], TEXT_ARRAY, |_, a, _| split(&a[0], &a[1])).lax(),
    Builtin::new("regexp_split_to_array", &[TEXT, TEXT], TEXT_ARRAY, |_, a, _| {
        let pattern = pattern(a[1].as_text(), false)?;
        Ok(Datum::array(TEXT, pattern.split(a[0].as_text()).map(Datum::text).collect()))
    }),
    Builtin::new("array_length", &[ANYARRAY, INT4], INT4, |_, a, _| extent(a, |array| array.items.len() as i64)),
    Builtin::new("array_lower", &[ANYARRAY, INT4], INT4, |_, a, _| extent(a, |array| array.lower)),
    Builtin::new("array_upper", &[ANYARRAY, INT4], INT4, |_, a, _| {
        extent(a, |array| array.lower + array.items.len() as i64 - 1)
    }),
    Builtin::new("array_ndims", &[ANYARRAY], INT4, |_, a, _| {
        Ok(if a[0].items().is_empty() { Datum::Null } else { Datum::Int(1) })
    }),
    Builtin::new("cardinality", &[ANYARRAY], INT4, |_, a, _| int(a[0].items().len())),
    Builtin::new("array_position", &[ANYARRAY, 0], INT4, |_, a, _| {
        let Datum::Array(array) = &a[0] else { return Ok(Datum::Null) };
        let place = array.items.iter().position(|item| item.key() == a[1].key());
        Ok(place.map_or(Datum::Null, |place| Datum::Int(array.lower + place as i64)))
    })
    .lax(),
    Builtin::new("array_append", &[ANYARRAY, 0], ANYARRAY, |_, a, types| appended(&a[0], &a[1], types[0], false))
        .lax()
        .returns(Returns::First),
    Builtin::new("array_prepend", &[0, ANYARRAY], ANYARRAY, |_, a, types| appended(&a[1], &a[0], types[1], true))
        .lax()
        .returns(Returns::Second),
    Builtin::new("array_cat", &[ANYARRAY, ANYARRAY], ANYARRAY, |_, a, types| match (&a[0], &a[1]) {
        (Datum::Null, other) | (other, Datum::Null) => Ok(other.clone()),
        (left, right) => {
            let element = types::element(types[0]).unwrap_or(TEXT);
            Ok(Datum::array(element, [left.items(), right.items()].concat()))
        }
    })
    .lax()
    .returns(Returns::First),
    Builtin::new("array_remove", &[ANYARRAY, 0], ANYARRAY, |_, a, types| {
        let element = types::element(types[0]).unwrap_or(TEXT);
        let kept = a[0].items().iter().filter(|item| item.key() != a[1].key()).cloned();
        Ok(Datum::array(element, kept.collect()))
    })
    .returns(Returns::First),
    Builtin::new("arrayoverlap", &[ANYARRAY, ANYARRAY], BOOL, |_, a, _| {
        Ok(Datum::Bool(a[0].items().iter().any(|item| contains(&a[1], item))))
    }),
    Builtin::new("arraycontains", &[ANYARRAY, ANYARRAY], BOOL, |_, a, _| {
        Ok(Datum::Bool(a[1].items().iter().all(|item| contains(&a[0], item))))
    }),
    Builtin::new("arraycontained", &[ANYARRAY, ANYARRAY], BOOL, |_, a, _| {
        Ok(Datum::Bool(a[0].items().iter().all(|item| contains(&a[1], item))))
    }),
    Builtin::new("json_build_object", &[0], JSON, |c, a, types| {
        if !a.len().is_multiple_of(2) {
            return Err(CatalogError::new("22023", "argument list must have even number of elements"));
        }
        let mut members = Vec::new();
        for (pair, types) in a.chunks(2).zip(types.chunks(2)) {
            if pair[0].is_null() {
                return Err(CatalogError::new("22023", "argument 1: key must not be null"));
            }
            members.push(format!("{} : {}", json_text(&written(c, &pair[0], types[0])), json(c, &pair[1], types[1])));
        }
        text(format!("{{{}}}", members.join(", ")))
    })
    .optional(1)
    .variadic()
    .lax(),
];

fn too_long() -> CatalogError {
    CatalogError::new("54000", "a text that a function makes is too long")
}

fn bounded(made: String) -> Result<Datum> {
    if made.len() > MOST_BYTES { Err(too_long()) } else { text(made) }
}

fn contains(array: &Datum, item: &Datum) -> bool {
    !item.is_null() && array.items().iter().any(|other| other.key() == item.key())
}

/// A value as PostgreSQL writes it.
fn written(context: &Context<'_>, value: &Datum, ty: Oid) -> String {
    encode::text(context.catalog, value, ty).unwrap_or_default()
}

fn literal(text: &str) -> String {
    let escape = if text.contains('\\') { "E" } else { "" };
    format!("{escape}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn joined(context: &Context<'_>, separator: &str, values: &[Datum], types: &[Oid]) -> Result<Datum> {
    let known = values.iter().zip(types).filter(|(value, _)| !value.is_null());
    let texts: Vec<String> = known.map(|(value, ty)| written(context, value, *ty)).collect();
    bounded(texts.join(separator))
}

fn trim(arguments: &[Datum], start: bool, end: bool) -> Result<Datum> {
    let letters: Vec<char> = arguments.get(1).map_or(" ", Datum::as_text).chars().collect();
    let mut rest = arguments[0].as_text();
    if start {
        rest = rest.trim_start_matches(letters.as_slice());
    }
    if end {
        rest = rest.trim_end_matches(letters.as_slice());
    }
    text(rest)
}

/// The first or the last letters; of a negative number, all but so many on the other side.
fn part(arguments: &[Datum], is_left: bool) -> Result<Datum> {
    let letters: Vec<char> = arguments[0].as_text().chars().collect();
    let (all, wanted) = (letters.len() as i64, arguments[1].as_int());
    let count = if wanted < 0 { (all + wanted).max(0) } else { wanted.min(all) };
    let count = usize::try_from(count).unwrap_or(0);
    let kept = if is_left { &letters[..count] } else { &letters[letters.len() - count..] };
    text(kept.iter().collect::<String>())
}

fn substring(arguments: &[Datum]) -> Result<Datum> {
    let start = arguments[1].as_int();
    let end = match arguments.get(2).map(Datum::as_int) {
        Some(length) if length < 0 => return Err(CatalogError::new("22011", "negative substring length not allowed")),
        Some(length) => start.saturating_add(length),
        None => i64::MAX,
    };
    let letters = arguments[0].as_text().chars().zip(1_i64..);
    text(letters.filter(|(_, number)| (start..end).contains(number)).map(|(letter, _)| letter).collect::<String>())
}

fn position(arguments: &[Datum]) -> Result<Datum> {
    let (text, part) = (arguments[0].as_text(), arguments[1].as_text());
    int(text.find(part).map_or(0, |at| text[..at].chars().count() + 1))
}

pub(super) fn pattern(pattern: &str, is_insensitive: bool) -> Result<regex::Regex> {
    let mut builder = regex::RegexBuilder::new(pattern);
    builder.case_insensitive(is_insensitive).dot_matches_new_line(true).size_limit(1 << 20);
    builder
        .build()
        .map_err(|_| CatalogError::new("2201B", "invalid regular expression, or one of a kind that is not supported"))
}

/// What a pattern matches, or its first group.
fn matched(arguments: &[Datum]) -> Result<Datum> {
    let pattern = pattern(arguments[1].as_text(), false)?;
    let found = pattern.captures(arguments[0].as_text());
    Ok(Datum::of(found.and_then(|found| found.get(usize::from(found.len() > 1))).map(|found| found.as_str())))
}

fn regexp_replace(arguments: &[Datum]) -> Result<Datum> {
    let flags = arguments.get(3).map_or("", Datum::as_text);
    let pattern = pattern(arguments[1].as_text(), flags.contains('i'))?;
    let (text, with) = (arguments[0].as_text(), arguments[2].as_text());
    let expand = |found: &regex::Captures<'_>| {
        let (mut made, mut letters) = (String::new(), with.chars());
        while let Some(letter) = letters.next() {
            match (letter, letter == '\\') {
                (_, true) => match letters.next() {
                    Some('&') => made.push_str(&found[0]),
                    Some(digit) if digit.is_ascii_digit() => {
                        let group = digit.to_digit(10).unwrap_or(0) as usize;
                        made.push_str(found.get(group).map_or("", |group| group.as_str()));
                    }
                    Some(other) => made.push(other),
                    None => made.push('\\'),
                },
                (letter, false) => made.push(letter),
            }
        }
        made
    };
    let count = if flags.contains('g') { 0 } else { 1 };
    bounded(pattern.replacen(text, count, expand).into_owned())
}

/// `format` with %s, %I, %L and %%.
fn format(context: &Context<'_>, arguments: &[Datum], types: &[Oid]) -> Result<Datum> {
    let Datum::Text(pattern) = &arguments[0] else { return Ok(Datum::Null) };
    let (mut made, mut letters, mut next) = (String::new(), pattern.chars().peekable(), 1);
    while let Some(letter) = letters.next() {
        if letter != '%' {
            made.push(letter);
            continue;
        }
        let mut digits = String::new();
        while let Some(digit) = letters.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        if !digits.is_empty() {
            if letters.next() != Some('$') {
                return Err(CatalogError::unsupported("a width in format"));
            }
            next = digits.parse().unwrap_or(0);
        }
        let kind = letters.next();
        if kind == Some('%') {
            made.push('%');
            continue;
        }
        let Some(value) = arguments.get(next).filter(|_| next > 0) else {
            return Err(CatalogError::new("22023", "too few arguments for format()"));
        };
        let text = written(context, value, types[next]);
        next += 1;
        match kind {
            Some('s') => made.push_str(&text),
            Some('I') if value.is_null() => {
                return Err(CatalogError::new("22004", "null values cannot be formatted as an SQL identifier"));
            }
            Some('I') => made.push_str(&quoted(&text)),
            Some('L') if value.is_null() => made.push_str("NULL"),
            Some('L') => made.push_str(&literal(&text)),
            _ => return Err(CatalogError::new("22023", "unrecognized format() type specifier")),
        }
    }
    bounded(made)
}

fn array_to_string(context: &Context<'_>, arguments: &[Datum], types: &[Oid]) -> Result<Datum> {
    let (Datum::Array(array), Datum::Text(delimiter)) = (&arguments[0], &arguments[1]) else { return Ok(Datum::Null) };
    let element = types::element(types[0]).unwrap_or(array.element);
    let null = arguments.get(2).filter(|text| !text.is_null());
    let texts = array.items.iter().filter_map(|item| match (item, null) {
        (Datum::Null, Some(null)) => Some(null.as_text().to_owned()),
        (Datum::Null, None) => None,
        (item, _) => Some(written(context, item, element)),
    });
    bounded(texts.collect::<Vec<_>>().join(delimiter))
}

/// The parts of a text between delimiters: of NULL, its letters.
pub(super) fn split(value: &Datum, delimiter: &Datum) -> Result<Datum> {
    let Datum::Text(text) = value else { return Ok(Datum::Null) };
    let parts: Vec<Datum> = match delimiter {
        _ if text.is_empty() => Vec::new(),
        Datum::Null => text.chars().map(|letter| Datum::text(letter.to_string())).collect(),
        delimiter if delimiter.as_text().is_empty() => vec![Datum::text(text)],
        delimiter => text.split(delimiter.as_text()).map(Datum::text).collect(),
    };
    Ok(Datum::array(TEXT, parts))
}

/// A number about the dimension of an array; NULL if it has none.
fn extent(arguments: &[Datum], of: impl Fn(&ArrayValue) -> i64) -> Result<Datum> {
    Ok(match (&arguments[0], arguments[1].as_int()) {
        (Datum::Array(array), 1) if !array.items.is_empty() => Datum::Int(of(array)),
        _ => Datum::Null,
    })
}

fn appended(array: &Datum, item: &Datum, ty: Oid, is_first: bool) -> Result<Datum> {
    let element = types::element(ty).unwrap_or(TEXT);
    let mut items = array.items().to_vec();
    items.insert(if is_first { 0 } else { items.len() }, item.clone());
    let lower = match array {
        Datum::Array(array) if !array.items.is_empty() && !is_first => array.lower,
        _ => 1,
    };
    Ok(Datum::Array(Arc::new(ArrayValue { lower, element, items })))
}

fn json_text(text: &str) -> String {
    let mut made = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => made.push_str("\\\""),
            '\\' => made.push_str("\\\\"),
            '\n' => made.push_str("\\n"),
            '\r' => made.push_str("\\r"),
            '\t' => made.push_str("\\t"),
            letter if u32::from(letter) < 0x20 => made.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => made.push(letter),
        }
    }
    made.push('"');
    made
}

/// A value as JSON.
fn json(context: &Context<'_>, value: &Datum, ty: Oid) -> String {
    match value {
        Datum::Null => "null".to_owned(),
        Datum::Bool(value) => value.to_string(),
        Datum::Array(array) => {
            let element = types::element(ty).unwrap_or(array.element);
            let items: Vec<String> = array.items.iter().map(|item| json(context, item, element)).collect();
            format!("[{}]", items.join(","))
        }
        Datum::Int(_) | Datum::Float(_) if !types::is_oid_like(ty) => written(context, value, ty),
        Datum::Int(_) if ty == types::OID => json_text(&written(context, value, ty)),
        _ if matches!(ty, JSON | types::JSONB) => value.as_text().to_owned(),
        _ => json_text(&written(context, value, if ty == UNKNOWN { TEXT } else { ty })),
    }
}

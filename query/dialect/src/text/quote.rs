//! Identifiers and literals as they stand in statements, and `format`.

use super::budget::Budget;
use super::shown::Texts;
use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes, form};
use crate::types::PgType::{self, Bool, Text};
use arrow_array::ArrayRef;
use arrow_array::builder::{ListBuilder, StringViewBuilder};
use datafusion::common::Result;
use std::sync::Arc;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let text = || Returns::Of(|| Text);
    let names = || PgType::Array(Box::new(Text));
    vec![
        Function::new("quote_ident", vec![form([Text], || Text, quote_ident)]),
        Function::new("quote_literal", vec![Form::new(vec![Takes::Any], text(), quote_literal)]),
        Function::new("quote_nullable", vec![Form::new(vec![Takes::Any], text(), quote_nullable)]),
        Function::new(
            "format",
            vec![
                form([Text], || Text, format),
                Form::new(vec![Takes::Of(Text), Takes::Any], text(), format).variadic(),
            ],
        ),
        Function::new("parse_ident", vec![form([Text], names, parse_ident), form([Text, Bool], names, parse_ident)]),
    ]
}

/// The words that an identifier is not without quotes: those that PostgreSQL reserves, and those that may name only columns,
/// or only functions and types.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

/// An identifier, in quotes if it needs them.
pub(crate) fn identifier(name: &str) -> String {
    let mut letters = name.bytes();
    let is_plain = letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_');
    if is_plain && KEYWORDS.binary_search(&name).is_err() {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A literal in quotes, with backslashes as escapes if it holds some.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

fn quote_ident(call: &Call) -> Result<ArrayRef> {
    let names = call.text(0);
    let mut budget = Budget::default();
    call.texts(|row| {
        let Some(name) = names.get(row) else { return Ok(None) };
        budget.take(name.len().saturating_mul(2).saturating_add(2))?;
        Ok(Some(identifier(name)))
    })
}

fn quote_literal(call: &Call) -> Result<ArrayRef> {
    let texts = Texts::cast_of(call, 0)?;
    let mut budget = Budget::default();
    call.texts(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        budget.take(text.len().saturating_mul(2).saturating_add(3))?;
        Ok(Some(literal(text)))
    })
}

fn quote_nullable(call: &Call) -> Result<ArrayRef> {
    let texts = Texts::cast_of(call, 0)?;
    let mut budget = Budget::default();
    call.texts(|row| {
        let Some(text) = texts.get(row) else { return Ok(Some("NULL".to_owned())) };
        budget.take(text.len().saturating_mul(2).saturating_add(3))?;
        Ok(Some(literal(text)))
    })
}

fn format(call: &Call) -> Result<ArrayRef> {
    let formats = call.text(0);
    let values = (1..call.len()).map(|argument| Texts::of(call, argument)).collect::<Result<Vec<_>>>()?;
    let mut budget = Budget::default();
    call.texts(|row| {
        let Some(text) = formats.get(row) else { return Ok(None) };
        Ok(Some(formatted(text, &values, row, &mut budget)?))
    })
}

/// A number in a format, and what is behind it.
fn number(text: &str) -> Result<(Option<i64>, &str), SqlError> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Ok((None, text));
    }
    match text[..end].parse::<i32>() {
        Ok(number) => Ok((Some(i64::from(number)), &text[end..])),
        Err(_) => Err(SqlError::new("22003", "number is out of range")),
    }
}

/// `%[position$][flags][width]type`.
fn formatted(format: &str, values: &[Texts], row: usize, budget: &mut Budget) -> Result<String, SqlError> {
    let invalid = || SqlError::invalid_parameter("unterminated format() type specifier");
    let too_few = || SqlError::invalid_parameter("too few arguments for format()");
    let argument = |position: i64| -> Result<&Texts, SqlError> {
        if position == 0 {
            return Err(SqlError::invalid_parameter("format specifies argument 0, but arguments are numbered from 1"));
        }
        usize::try_from(position - 1).ok().and_then(|place| values.get(place)).ok_or_else(too_few)
    };
    let mut made = String::with_capacity(format.len());
    let mut last = 0;
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        budget.take(at)?;
        made.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('%') {
            made.push('%');
            rest = behind;
            continue;
        }
        let mut position = None;
        let (first, behind) = number(rest)?;
        let mut width = None;
        match (first, behind.strip_prefix('$')) {
            (Some(number), Some(behind)) => {
                position = Some(number);
                rest = behind;
            }
            (Some(number), None) if !rest.starts_with('0') || number > 0 => {
                width = Some(number);
                rest = behind;
            }
            _ => {}
        }
        let mut at_left = false;
        if width.is_none() {
            while let Some(behind) = rest.strip_prefix('-') {
                at_left = true;
                rest = behind;
            }
            if let Some(behind) = rest.strip_prefix('*') {
                let (number_of, behind) = number(behind)?;
                let place = match number_of {
                    Some(number) => {
                        rest = behind.strip_prefix('$').ok_or_else(|| {
                            SqlError::invalid_parameter("width argument position must be ended by \"$\"")
                        })?;
                        number
                    }
                    None => {
                        rest = behind;
                        last += 1;
                        last
                    }
                };
                if number_of.is_some() {
                    last = place;
                }
                let text = argument(place)?.get(row);
                width = match text {
                    None => Some(0),
                    Some(text) => Some(i64::from(
                        text.trim().parse::<i32>().map_err(|_| SqlError::invalid_text("integer", text))?,
                    )),
                };
            } else {
                let (number, behind) = number(rest)?;
                width = number;
                rest = behind;
            }
        }
        let kind = rest.chars().next().ok_or_else(invalid)?;
        rest = &rest[kind.len_utf8()..];
        if !matches!(kind, 's' | 'I' | 'L') {
            return Err(SqlError::invalid_parameter(format!("unrecognized format() type specifier \"{kind}\""))
                .with_hint("For a single \"%\" use \"%%\"."));
        }
        let place = position.unwrap_or(last + 1);
        last = place;
        let value = argument(place)?.get(row);
        let text = match (kind, value) {
            ('s', value) => value.unwrap_or("").to_owned(),
            ('L', Some(value)) => literal(value),
            ('L', None) => "NULL".to_owned(),
            (_, Some(value)) => identifier(value),
            (_, None) => {
                return Err(SqlError::new("22004", "null values cannot be formatted as an SQL identifier"));
            }
        };
        let width = width.unwrap_or(0);
        let at_left = at_left || width < 0;
        let width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
        let missing = width.saturating_sub(text.chars().count());
        budget.take(text.len().saturating_add(missing))?;
        if !at_left {
            made.extend(std::iter::repeat_n(' ', missing));
        }
        made.push_str(&text);
        if at_left {
            made.extend(std::iter::repeat_n(' ', missing));
        }
    }
    budget.take(rest.len())?;
    made.push_str(rest);
    Ok(made)
}

fn parse_ident(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    let stricts = (call.len() > 1).then(|| call.bool(1));
    let mut lists = ListBuilder::new(StringViewBuilder::new());
    let mut budget = Budget::default();
    for row in 0..call.rows() {
        let strict = stricts.as_ref().map_or(Some(true), |stricts| stricts.get(row));
        let (Some(text), Some(strict)) = (texts.get(row), strict) else {
            lists.append_null();
            continue;
        };
        for name in parts_of_name(text, strict)? {
            budget.take(name.len().saturating_add(16))?;
            lists.values().append_value(name);
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

fn parts_of_name(text: &str, strict: bool) -> Result<Vec<String>, SqlError> {
    let wrong = |detail: &str| {
        let error = SqlError::invalid_parameter("string is not a valid identifier");
        if detail.is_empty() { error } else { error.with_detail(detail) }
    };
    let is_space = |letter: char| matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}');
    let is_start = |letter: char| letter == '_' || letter.is_ascii_alphabetic() || !letter.is_ascii();
    let mut names = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut name = String::new();
            let mut behind = quoted;
            loop {
                let end = behind.find('"').ok_or_else(|| wrong("String has unclosed double quotes."))?;
                name.push_str(&behind[..end]);
                behind = &behind[end + 1..];
                match behind.strip_prefix('"') {
                    Some(more) => {
                        name.push('"');
                        behind = more;
                    }
                    None => break,
                }
            }
            if name.is_empty() {
                return Err(wrong("Quoted identifier must not be empty."));
            }
            names.push(name);
            rest = behind;
        } else if rest.starts_with(is_start) {
            let is_inside = |letter: char| is_start(letter) || letter.is_ascii_digit() || letter == '$';
            let end = rest.find(|letter| !is_inside(letter)).unwrap_or(rest.len());
            names.push(rest[..end].to_ascii_lowercase());
            rest = &rest[end..];
        } else if rest.starts_with('.') {
            return Err(wrong("No valid identifier before \".\"."));
        } else if !names.is_empty() {
            return Err(wrong("No valid identifier after \".\"."));
        } else {
            return Err(wrong(""));
        }
        rest = rest.trim_start_matches(is_space);
        match rest.strip_prefix('.') {
            Some(behind) => rest = behind.trim_start_matches(is_space),
            None if rest.is_empty() || !strict => return Ok(names),
            None => return Err(wrong("")),
        }
    }
}

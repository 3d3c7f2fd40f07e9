//! The types of the engine by PostgreSQL's names, wherever they stand in a text. Pure.

/// The names of types without arguments.
const PLAIN: [(&str, &str); 27] = [
    ("Boolean", "boolean"),
    ("Int8", "smallint"),
    ("Int16", "smallint"),
    ("Int32", "integer"),
    ("Int64", "bigint"),
    ("UInt8", "smallint"),
    ("UInt16", "integer"),
    ("UInt32", "bigint"),
    ("UInt64", "numeric"),
    ("Float16", "real"),
    ("Float32", "real"),
    ("Float64", "double precision"),
    ("Utf8", "text"),
    ("LargeUtf8", "text"),
    ("Utf8View", "text"),
    ("Binary", "bytea"),
    ("LargeBinary", "bytea"),
    ("BinaryView", "bytea"),
    ("Date32", "date"),
    ("Date64", "date"),
    ("TimestampSecond", "timestamp"),
    ("TimestampMillisecond", "timestamp"),
    ("TimestampMicrosecond", "timestamp"),
    ("TimestampNanosecond", "timestamp"),
    ("IntervalMonthDayNano", "interval"),
    ("IntervalDayTime", "interval"),
    ("IntervalYearMonth", "interval"),
];

/// The names of types that have arguments.
const WITH_ARGUMENTS: [&str; 19] = [
    "Timestamp",
    "Time32",
    "Time64",
    "Interval",
    "Duration",
    "Decimal32",
    "Decimal64",
    "Decimal128",
    "Decimal256",
    "FixedSizeBinary",
    "List",
    "LargeList",
    "ListView",
    "LargeListView",
    "FixedSizeList",
    "Struct",
    "Map",
    "Dictionary",
    "Union",
];

/// PostgreSQL's name of a type that is the whole of `text`.
pub(super) fn type_named(text: &str) -> String {
    let text = text.trim();
    if text == "Null" { "unknown".to_owned() } else { with_postgres_types(text) }
}

/// `text` with PostgreSQL's names of types in place of the engine's. What is quoted is a name or a value, and stays.
pub(super) fn with_postgres_types(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        if is_of_word(before) || !first.is_ascii_uppercase() {
            written.push(first);
            rest = &rest[first.len_utf8()..];
            before = first;
            continue;
        }
        let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let arguments = arguments_of(after);
        rest = after;
        match (PLAIN.iter().find(|(name, _)| *name == word), arguments) {
            // "Binary operator" is English.
            (Some(("Binary", _)), _) if after.starts_with(" op") => written.push_str(word),
            (Some((_, name)), _) => written.push_str(name),
            (None, Some(arguments)) if WITH_ARGUMENTS.contains(&word) => {
                written.push_str(&type_with(word, arguments));
                rest = &after[arguments.len() + 2..];
            }
            _ => written.push_str(word),
        }
        before = 'x';
    }
    written
}

/// What is between the parentheses at the beginning of `text`.
fn arguments_of(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('(')?;
    let mut depth = 1_usize;
    for (at, c) in inner.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&inner[..at]);
        }
    }
    None
}

fn type_with(name: &str, arguments: &str) -> String {
    match name {
        "Timestamp" if arguments.contains('"') => "timestamp with time zone".to_owned(),
        "Timestamp" => "timestamp without time zone".to_owned(),
        "Time32" | "Time64" => "time without time zone".to_owned(),
        "Interval" | "Duration" => "interval".to_owned(),
        "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256" => "numeric".to_owned(),
        "FixedSizeBinary" => "bytea".to_owned(),
        "Struct" | "Map" => "record".to_owned(),
        "Union" => "json".to_owned(),
        // Its key, and its value.
        "Dictionary" => first_type(arguments.split_once(',').map_or(arguments, |(_, value)| value)),
        _ => format!("{}[]", first_type(arguments)),
    }
}

/// The first type in a text.
pub(super) fn first_type(text: &str) -> String {
    let mut at = 0;
    while let Some(start) = text[at..].find(|c: char| c.is_ascii_uppercase()).map(|found| at + found) {
        let word = &text[start..];
        let end = word.find(|c: char| !is_of_word(c)).unwrap_or(word.len());
        let (name, after) = word.split_at(end);
        if let Some((_, postgres)) = PLAIN.iter().find(|(plain, _)| *plain == name) {
            return (*postgres).to_owned();
        }
        if let Some(arguments) = arguments_of(after).filter(|_| WITH_ARGUMENTS.contains(&name)) {
            return type_with(name, arguments);
        }
        at = start + end;
    }
    "unknown".to_owned()
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a text names a type of the engine.
#[cfg(test)]
pub(crate) fn names_a_type(text: &str) -> bool {
    text.split(|c: char| !is_of_word(c)).any(|word| {
        word != "Boolean" && word != "Binary" && PLAIN.iter().any(|(name, _)| *name == word)
            || WITH_ARGUMENTS[..9].contains(&word) && word != "Interval" && word != "Duration"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit};
    use std::sync::Arc;

    #[test]
    fn types_have_postgresqls_names_however_they_are_written() {
        let text = || Arc::new(Field::new_list_field(DataType::Utf8View, true));
        for (data_type, name) in [
            (DataType::Utf8, "text"),
            (DataType::Boolean, "boolean"),
            (DataType::Int64, "bigint"),
            (DataType::Decimal128(38, 10), "numeric"),
            (DataType::Timestamp(TimeUnit::Microsecond, None), "timestamp without time zone"),
            (DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), "timestamp with time zone"),
            (DataType::Interval(IntervalUnit::MonthDayNano), "interval"),
            (DataType::Duration(TimeUnit::Microsecond), "interval"),
            (DataType::List(text()), "text[]"),
            (DataType::FixedSizeList(text(), 3), "text[]"),
            (DataType::LargeList(Arc::new(Field::new("item", DataType::List(text()), false))), "text[][]"),
            (DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), "text"),
            (DataType::Struct(vec![Field::new("a", DataType::Int8, true)].into()), "record"),
        ] {
            assert_eq!(type_named(&data_type.to_string()), name, "{data_type}");
            assert_eq!(type_named(&format!("{data_type:?}")), name, "{data_type:?}");
        }
        assert_eq!(type_named("Null"), "unknown");
    }

    #[test]
    fn other_words_stay() {
        for (text, expected) in [
            ("repeat(Int64, Utf8)", "repeat(bigint, text)"),
            ("List the tables", "List the tables"),
            ("MyUtf8 and Utf8y", "MyUtf8 and Utf8y"),
            ("Binary operator", "Binary operator"),
            ("Timestamp(µs", "Timestamp(µs"),
            ("ä Int32", "ä integer"),
        ] {
            assert_eq!(with_postgres_types(text), expected);
        }
    }
}

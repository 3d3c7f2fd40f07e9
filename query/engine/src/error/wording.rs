//! From a library's sentence to one for people. Pure.
//!
//! A sentence of a library that has no words of PostgreSQL's is shown without the library's phrases and names of types. If it is
//! the text of a Rust value, it is not shown at all: it says nothing to people.

use super::types::with_postgres_types;
use std::borrow::Cow;

/// What libraries put before a sentence.
const PREFIXES: [&str; 32] = [
    "Error during planning: ",
    "Execution error: ",
    "Schema error: ",
    "SQL error: ",
    "External error: ",
    "External: ",
    "Arrow error: ",
    "Arrow: ",
    "Parquet error: ",
    "Parquet argument error: ",
    "This feature is not implemented: ",
    "Invalid or Unsupported Configuration: ",
    "Internal error: ",
    "Substrait error: ",
    "FFI error: ",
    "IO error: ",
    "Io error: ",
    "ExecutionJoin error: ",
    "Object Store error: ",
    "Resources exhausted: ",
    "Not yet implemented: ",
    "Cast error: ",
    "Memory error: ",
    "Parser error: ",
    "Compute error: ",
    "Arithmetic overflow: ",
    "Csv error: ",
    "Json error: ",
    "Avro error: ",
    "Ipc error: ",
    "Invalid argument error: ",
    "C Data interface error: ",
];

/// What stands in the text of a Rust value, or in the talk of a library about itself.
const UNSPEAKABLE: [&str; 21] = [
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "::",
    "{ ",
    " {",
    "[..]",
    "DataFusion",
    "datafusion",
    "Arrow",
    "arrow",
    "Parquet",
    "parquet",
    "sqlparser",
    "sql parser",
    "downcast",
    "panicked",
    "UDF",
    "UDAF",
    "RecordBatch",
];

/// A library's sentence in plain words: without its prefixes, with PostgreSQL's names of types, and without a period. `None`
/// if it is not for people.
pub(super) fn plain(text: &str) -> Option<String> {
    let mut text = text.rsplit("caused by\n").next().unwrap_or(text);
    if let Some((before, _)) = text.split_once("\n\nbacktrace:") {
        text = before;
    }
    let mut text = text.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim_start();
    }
    let sentence = with_postgres_types(text.lines().next().unwrap_or_default());
    let sentence = sentence.trim_end_matches(['.', ' ', ':', '!']);
    if sentence.is_empty() || is_unspeakable(sentence) { None } else { Some(begun_small(sentence).into_owned()) }
}

/// What follows the name of a column that the rewriting of a statement made unique, before a number.
const MARK: char = '\u{f8ff}';

/// A text in which no name has a mark of the rewriting.
pub(super) fn without_marks(text: &str) -> String {
    let mut parts = text.split(MARK);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |written, part| written + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Whether a sentence, outside of what it quotes, is the text of a Rust value.
fn is_unspeakable(sentence: &str) -> bool {
    let unquoted = without_quotations(sentence);
    UNSPEAKABLE.iter().any(|part| unquoted.contains(part))
        || PREFIXES.iter().any(|prefix| unquoted.contains(prefix.trim_end()))
        || unquoted.split(|c: char| !c.is_alphanumeric()).any(is_name_of_rust)
}

/// Whether a word is one of Rust's types: capitals inside of it, beside small letters.
fn is_name_of_rust(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(char::is_uppercase)
        && word.chars().any(char::is_lowercase)
        && letters.any(char::is_uppercase)
}

/// A sentence without what is between quotes: names and values of the statement.
fn without_quotations(sentence: &str) -> String {
    let mut rest = sentence;
    let mut unquoted = String::with_capacity(sentence.len());
    while let Some(start) = rest.find(['\'', '"', '`']) {
        let (before, from) = rest.split_at(start);
        unquoted.push_str(before);
        let quote = from.chars().next().unwrap_or('"');
        let is_apostrophe = quote == '\'' && before.ends_with(char::is_alphanumeric);
        match from[1..].find(quote).filter(|_| !is_apostrophe) {
            Some(end) => rest = &from[end + 2..],
            None => rest = &from[1..],
        }
    }
    unquoted.push_str(rest);
    unquoted
}

/// A sentence as PostgreSQL begins its own: small, but for words in capitals.
fn begun_small(sentence: &str) -> Cow<'_, str> {
    let mut letters = sentence.chars();
    match (letters.next(), letters.next()) {
        (Some(first), second) if first.is_uppercase() && second.is_none_or(|second| !second.is_uppercase()) => {
            Cow::Owned(first.to_lowercase().chain(sentence.chars().skip(1)).collect())
        }
        _ => Cow::Borrowed(sentence),
    }
}

/// Fails if a text has words of a library or of Rust in it.
#[cfg(test)]
pub(crate) fn assert_plain(text: &str) {
    assert!(!is_unspeakable(text), "{text}");
    assert!(!super::types::names_a_type(text), "{text}");
    assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_statement() {
        assert_eq!(without_marks("a.id\u{f8ff}12 and \"x\u{f8ff}1\""), "a.id and \"x\"");
        assert_eq!(holdfast_dialect::shown_name("id\u{f8ff}12"), "id", "the mark is that of the rewriting");
    }

    #[test]
    fn a_sentence_loses_what_is_of_the_library() {
        for (text, expected) in [
            ("Error during planning: Foo is bad.", Some("foo is bad")),
            ("type_coercion\ncaused by\nError during planning: x of Utf8", Some("x of text")),
            ("Arrow error: Cast error: Can't cast \"FooBar\"", Some("can't cast \"FooBar\"")),
            ("LIMIT is bad\nsecond line", Some("LIMIT is bad")),
            ("Execution error: it is BinaryExpr", None),
            ("expected Column { name: x }", None),
            ("it is Some(1)", None),
            ("the name 'Some(1)' is bad", Some("the name 'Some(1)' is bad")),
            ("Internal error: downcast failed", None),
            ("x\n\nbacktrace: 0: std", Some("x")),
            ("", None),
        ] {
            assert_eq!(plain(text).as_deref(), expected, "{text}");
        }
    }
}

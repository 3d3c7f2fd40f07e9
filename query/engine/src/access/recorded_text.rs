//! The texts of an access record. They are whole: what does not fit into the record is refused before anything is read.
//!
//! ```text
//! -- $1 = S-1                   the values of the placeholders, each in one line
//! select ... where session = $1 the statement
//! ```
//!
//! A record is one message of Kafka, and has up to 4 MiB. JSON doubles a text of these at most, because control characters
//! are escaped here.

use crate::bound::{Bound, STATEMENT_BYTES};
use crate::error::QueryError;
use datafusion::common::ScalarValue;
use std::fmt::Write;

/// Bytes of a statement with the values of its placeholders, as they are recorded: as much for the values as for the
/// text.
const RECORDED_BYTES: usize = 2 * STATEMENT_BYTES;
/// Bytes of a purpose.
const PURPOSE_BYTES: usize = 64 << 10;

/// The text of a statement with the values of its placeholders.
///
/// # Errors
/// [`QueryError::NotRecordable`], and [`QueryError::Bound`] if the statement alone does not fit.
pub(super) fn recorded_statement(statement: &str, parameters: &[ScalarValue]) -> Result<String, QueryError> {
    let bound = |text: &str| fits("the statement with its parameters", text, RECORDED_BYTES);
    if statement.len() > RECORDED_BYTES {
        return Err(Bound::Bytes.into());
    }
    let mut text = String::with_capacity(statement.len());
    for (index, value) in parameters.iter().enumerate() {
        let _ = write!(text, "-- ${} = ", index + 1);
        push_line(&mut text, &value_text(value));
        text.push('\n');
        bound(&text)?;
    }
    push_text(&mut text, statement);
    bound(&text)?;
    Ok(text)
}

/// Refuses a purpose that the record does not hold.
///
/// # Errors
/// [`QueryError::NotRecordable`].
pub(super) fn check_purpose(purpose: Option<&str>) -> Result<(), QueryError> {
    purpose.map_or(Ok(()), |purpose| fits("the purpose", purpose, PURPOSE_BYTES))
}

fn fits(what: &'static str, text: &str, limit: usize) -> Result<(), QueryError> {
    if text.len() > limit { Err(QueryError::NotRecordable { what, limit_kib: limit >> 10 }) } else { Ok(()) }
}

/// The whole value. The engine itself shows ten bytes of a binary value.
fn value_text(value: &ScalarValue) -> String {
    match value {
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes))
        | ScalarValue::FixedSizeBinary(_, Some(bytes)) => {
            let mut text = String::with_capacity(2 * bytes.len() + 3);
            text.push_str("x'");
            for byte in bytes {
                let _ = write!(text, "{byte:02x}");
            }
            text.push('\'');
            text
        }
        other => other.to_string(),
    }
}

/// Adds a text with its line breaks and tabs. Other control characters are escaped: they would hide what is beside them
/// from whoever reads the record.
fn push_text(out: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\r' | '\t') {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
}

/// Adds a text as part of one line, so that no value looks like the line of another.
fn push_line(out: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_control() || character == '\\' {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: &str) -> ScalarValue {
        ScalarValue::Utf8(Some(value.to_owned()))
    }

    #[test]
    fn values_come_first_and_each_has_its_own_line() {
        let parameters = [text("S-1\n-- $2 = S-2"), ScalarValue::Int64(Some(i64::MIN)), ScalarValue::Utf8(None)];
        assert_eq!(
            recorded_statement("select\t1\r\n-- x\u{0}\u{1b}[2K", &parameters).unwrap(),
            "-- $1 = S-1\\n-- $2 = S-2\n-- $2 = -9223372036854775808\n-- $3 = NULL\nselect\t1\r\n-- x\\u{0}\\u{1b}[2K"
        );
        assert_eq!(recorded_statement("", &[text("")]).unwrap(), "-- $1 = \n");
    }

    #[test]
    fn binary_values_are_whole() {
        let bytes = ScalarValue::Binary(Some((0..=255).collect()));
        let recorded = recorded_statement("select $1", &[bytes]).unwrap();
        assert!(recorded.starts_with("-- $1 = x'000102") && recorded.ends_with("fdfeff'\nselect $1"), "{recorded}");
        assert_eq!(recorded.len(), "-- $1 = x''\nselect $1".len() + 512);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_never_cut() {
        let refused = |statement: &str, parameters: &[ScalarValue]| {
            let error = recorded_statement(statement, parameters).unwrap_err();
            assert!(matches!(&error, QueryError::NotRecordable { limit_kib: 512, .. }), "{error}");
        };
        let longest = " ".repeat(RECORDED_BYTES);
        assert_eq!(recorded_statement(&longest, &[]).unwrap(), longest);
        let longer = recorded_statement(&format!("{longest} "), &[]).unwrap_err();
        assert!(matches!(longer, QueryError::Bound(Bound::Bytes)), "{longer}");
        refused(&longest, &[text("")]);
        refused("select $1", &[text(&longest)]);
        refused("select $1", &[ScalarValue::Binary(Some(vec![0; RECORDED_BYTES / 2]))]);
        // Its escapes take more than it.
        refused(&"\u{1}".repeat(RECORDED_BYTES / 4), &[]);
        assert!(check_purpose(Some(&"x".repeat(PURPOSE_BYTES))).is_ok() && check_purpose(None).is_ok());
        assert!(check_purpose(Some(&"x".repeat(PURPOSE_BYTES + 1))).is_err());
    }

    proptest! {
        #[test]
        fn the_statement_follows_as_many_lines_as_there_are_values(
            statement in "[a-z ]{0,20}",
            values in proptest::collection::vec(any::<String>(), 0..5),
        ) {
            let parameters: Vec<ScalarValue> = values.iter().map(|value| text(value)).collect();
            let recorded = recorded_statement(&statement, &parameters).unwrap();
            let lines: Vec<&str> = recorded.split('\n').collect();
            prop_assert_eq!(lines.len(), values.len() + 1);
            prop_assert_eq!(lines[values.len()], statement);
            for (index, line) in lines[..values.len()].iter().enumerate() {
                let name = format!("-- ${} = ", index + 1);
                prop_assert!(line.starts_with(&name));
            }
        }
    }
}

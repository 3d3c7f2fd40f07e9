//! The error of a statement, for people.

use holdfast_query::QueryError;

use super::text::printable;

/// The error of `statement` in lines, each with its end. What a terminal would interpret is escaped.
pub(crate) fn statement_error(_statement: &str, error: &QueryError) -> String {
    format!("ERROR:  {}\n", printable(&error.to_string()))
}

//! Regular expressions, SIMILAR TO, LIKE with an escape.
//!
//! ```text
//! pattern ─▶ parse (reader, bracket) ─▶ ast ─▶ search (dissect) ─▶ patterns ─▶ functions, operators
//! SIMILAR TO ─▶ similar ─▶ the same          LIKE ─▶ like
//! ```

mod ast;
mod automaton;
mod bracket;
mod dissect;
mod error;
mod functions;
mod letters;
mod like;
mod operators;
mod options;
mod parse;
mod patterns;
mod reader;
mod search;
mod similar;

pub(super) use functions::{functions, substring_by_pattern, substring_similar};
pub(super) use letters::{is_alnum, lower, upper};
pub(super) use operators::operators;

#[cfg(test)]
mod tests;

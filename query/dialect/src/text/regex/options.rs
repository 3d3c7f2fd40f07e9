//! The options of a regular expression: letters at its beginning, or of a function.

use crate::SqlError;

/// How a pattern is read and searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::text) struct Options {
    /// `i`
    pub(in crate::text) ignores_case: bool,
    /// `n`, `p`: `.` and `[^x]` are no ends of lines.
    pub(in crate::text) stops_at_lines: bool,
    /// `n`, `w`: `^` and `$` are also at ends of lines.
    pub(in crate::text) anchors_at_lines: bool,
    /// `x`: white space and comments are skipped.
    pub(in crate::text) is_expanded: bool,
    /// `q`: the pattern is a text.
    pub(in crate::text) is_literal: bool,
    /// `g`, which only functions take.
    pub(in crate::text) is_global: bool,
}

impl Options {
    /// Adds the option of a letter; whether it is one.
    pub(in crate::text) fn add(&mut self, letter: char) -> Result<bool, SqlError> {
        match letter {
            'i' => self.ignores_case = true,
            'c' => self.ignores_case = false,
            'n' | 'm' => (self.stops_at_lines, self.anchors_at_lines) = (true, true),
            'p' => (self.stops_at_lines, self.anchors_at_lines) = (true, false),
            'w' => (self.stops_at_lines, self.anchors_at_lines) = (false, true),
            's' => (self.stops_at_lines, self.anchors_at_lines) = (false, false),
            'x' => self.is_expanded = true,
            't' => self.is_expanded = false,
            'q' => self.is_literal = true,
            'b' | 'e' => {
                return Err(SqlError::not_supported(
                    "basic and extended regular expressions of POSIX are not supported",
                ));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

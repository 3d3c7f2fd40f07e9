//! Patterns of SIMILAR TO as regular expressions.

use crate::SqlError;

/// The escape of a pattern for which none is given.
pub(super) const ESCAPE: &str = "\\";

/// The letter of an escape. An empty one escapes nothing.
pub(in crate::text) fn escape_letter(escape: &str) -> Result<Option<char>, SqlError> {
    let mut letters = escape.chars();
    match (letters.next(), letters.next()) {
        (letter, None) => Ok(letter),
        _ => {
            Err(SqlError::new("22025", "invalid escape string")
                .with_hint("Escape string must be empty or one character."))
        }
    }
}

/// A pattern of SIMILAR TO as a regular expression over the whole text. Two separators (the escape and `"`) make a group
/// of what is between them; what is before them is as short as possible.
pub(super) fn to_regular(pattern: &str, escape: &str) -> Result<String, SqlError> {
    let escape = escape_letter(escape)?;
    let mut regular = String::with_capacity(pattern.len() + 16);
    regular.push_str("^(?:");
    let (mut is_escaped, mut in_brackets, mut separators) = (false, false, 0);
    for letter in pattern.chars() {
        if is_escaped {
            is_escaped = false;
            if letter == '"' && !in_brackets {
                match separators {
                    0 => regular.push_str("){1,1}?("),
                    1 => regular.push_str("){1,1}(?:"),
                    _ => {
                        return Err(SqlError::new(
                            "2200C",
                            "SQL regular expression may not contain more than two escape-double-quote separators",
                        ));
                    }
                }
                separators += 1;
            } else {
                regular.push('\\');
                regular.push(letter);
            }
        } else if Some(letter) == escape {
            is_escaped = true;
        } else if in_brackets {
            if letter == '\\' {
                regular.push('\\');
            }
            regular.push(letter);
            in_brackets = letter != ']';
        } else {
            match letter {
                '[' => {
                    regular.push('[');
                    in_brackets = true;
                }
                '%' => regular.push_str(".*"),
                '_' => regular.push('.'),
                // Groups tell nothing.
                '(' => regular.push_str("(?:"),
                '\\' | '.' | '^' | '$' => {
                    regular.push('\\');
                    regular.push(letter);
                }
                other => regular.push(other),
            }
        }
    }
    regular.push_str(")$");
    Ok(regular)
}

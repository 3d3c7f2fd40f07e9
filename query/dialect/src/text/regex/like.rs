//! LIKE and ILIKE with an escape.

use super::letters::lower;
use super::similar::escape_letter;
use crate::SqlError;

/// A letter of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Letter(char),
    /// `_`
    One,
    /// `%`
    Any,
    /// The escape at the end, which is an error if the text comes to it.
    OpenEscape,
}

/// A pattern of LIKE.
#[derive(Debug, Clone)]
pub(in crate::text) struct LikePattern {
    parts: Vec<Part>,
    ignores_case: bool,
}

impl LikePattern {
    /// Reads a pattern.
    pub(in crate::text) fn new(pattern: &str, escape: &str, ignores_case: bool) -> Result<Self, SqlError> {
        let escape = escape_letter(escape)?;
        let mut parts = Vec::new();
        let mut letters = pattern.chars();
        let folded = |letter: char| if ignores_case { lower(letter) } else { letter };
        while let Some(letter) = letters.next() {
            parts.push(match letter {
                letter if Some(letter) == escape => match letters.next() {
                    Some(escaped) => Part::Letter(folded(escaped)),
                    None => Part::OpenEscape,
                },
                '%' => {
                    if parts.last() == Some(&Part::Any) {
                        continue;
                    }
                    Part::Any
                }
                '_' => Part::One,
                other => Part::Letter(folded(other)),
            });
        }
        Ok(Self { parts, ignores_case })
    }

    /// Whether `text` matches. Of two ways the shorter one for each `%` is enough.
    pub(in crate::text) fn is_match(&self, text: &str) -> Result<bool, SqlError> {
        let (mut at, mut part) = (0, 0);
        // Behind the last `%`: the part, and the place in the text from which it is tried next.
        let mut again: Option<(usize, usize)> = None;
        let mut steps = 0_u64;
        loop {
            steps += 1;
            if steps > MOST_STEPS {
                return Err(SqlError::new("54000", "a search by LIKE takes too long"));
            }
            let letter = text[at..].chars().next();
            match (self.parts.get(part), letter) {
                (Some(Part::Any), _) => {
                    part += 1;
                    again = Some((part, at));
                    if part == self.parts.len() {
                        return Ok(true);
                    }
                    continue;
                }
                (Some(Part::OpenEscape), Some(_)) => {
                    return Err(SqlError::new("22025", "LIKE pattern must not end with escape character"));
                }
                (Some(Part::One), Some(letter)) => {
                    (at, part) = (at + letter.len_utf8(), part + 1);
                    continue;
                }
                (Some(Part::Letter(wanted)), Some(letter))
                    if *wanted == if self.ignores_case { lower(letter) } else { letter } =>
                {
                    (at, part) = (at + letter.len_utf8(), part + 1);
                    continue;
                }
                (None, None) => return Ok(true),
                (Some(_), None) => return Ok(false),
                _ => {}
            }
            let Some((behind, from)) = again else { return Ok(false) };
            let Some(skipped) = text[from..].chars().next() else { return Ok(false) };
            at = from + skipped.len_utf8();
            part = behind;
            again = Some((behind, at));
        }
    }
}

/// Letters that are compared for one text, at most.
const MOST_STEPS: u64 = 50_000_000;

//! LIKE and regular expressions.

use super::Run;
use crate::error::{CatalogError, Result};
use crate::plan::Matching;
use std::sync::Arc;

/// The most bytes of a compiled regular expression.
const PATTERN_BYTES: usize = 1 << 20;

impl Run<'_> {
    pub(super) fn matches(&self, text: &str, pattern: &str, how: Matching, is_insensitive: bool) -> Result<bool> {
        match how {
            Matching::Like(escape) if is_insensitive => like(&text.to_lowercase(), &pattern.to_lowercase(), escape),
            Matching::Like(escape) => like(text, pattern, escape),
            Matching::Regex => Ok(self.regex(pattern, is_insensitive)?.is_match(text)),
        }
    }

    fn regex(&self, pattern: &str, is_insensitive: bool) -> Result<Arc<regex::Regex>> {
        let key = (pattern.to_owned(), is_insensitive);
        if let Some(known) = self.patterns.borrow().get(&key) {
            return Ok(Arc::clone(known));
        }
        let compiled = compiled(pattern, is_insensitive)?;
        self.patterns.borrow_mut().insert(key, Arc::clone(&compiled));
        Ok(compiled)
    }
}

/// A regular expression of PostgreSQL. Back references and constraints that look around are refused.
pub(crate) fn compiled(pattern: &str, is_insensitive: bool) -> Result<Arc<regex::Regex>> {
    let mut builder = regex::RegexBuilder::new(pattern);
    builder.case_insensitive(is_insensitive).dot_matches_new_line(true).size_limit(PATTERN_BYTES);
    builder
        .build()
        .map(Arc::new)
        .map_err(|_| CatalogError::new("2201B", "invalid regular expression, or one of a kind that is not supported"))
}

/// Whether `text` matches a pattern of LIKE.
fn like(text: &str, pattern: &str, escape: Option<char>) -> Result<bool> {
    #[derive(PartialEq)]
    enum Part {
        Letter(char),
        One,
        Any,
    }
    let mut parts = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            letter if Some(letter) == escape => match letters.next() {
                Some(next) => Part::Letter(next),
                None => return Err(CatalogError::new("22025", "LIKE pattern must not end with escape character")),
            },
            '%' => Part::Any,
            '_' => Part::One,
            letter => Part::Letter(letter),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut part) = (0, 0);
    // Where the last % is, and how far the text is given to it.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                retry = Some((part, at));
                part += 1;
            }
            Some(Part::One) => (at, part) = (at + 1, part + 1),
            Some(Part::Letter(letter)) if *letter == text[at] => (at, part) = (at + 1, part + 1),
            _ => match retry {
                Some((any, given)) => {
                    retry = Some((any, given + 1));
                    (at, part) = (given + 1, any + 1);
                }
                None => return Ok(false),
            },
        }
    }
    Ok(parts[part..].iter().all(|part| *part == Part::Any))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_matches_as_postgresql_does() {
        for (text, pattern, expected) in [
            ("pg_class", "pg\\_%", true),
            ("pgaclass", "pg\\_%", false),
            ("abc", "%b%", true),
            ("abc", "_b_", true),
            ("abc", "a%c%", true),
            ("", "%", true),
            ("", "_", false),
            ("aab", "%ab", true),
            ("äb", "_b", true),
        ] {
            assert_eq!(like(text, pattern, Some('\\')), Ok(expected), "{text} LIKE {pattern}");
        }
        assert_eq!(like("a", "a\\", Some('\\')).unwrap_err().code, "22025");
    }
}

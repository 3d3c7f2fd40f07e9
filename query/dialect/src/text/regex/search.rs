//! Searches texts as PostgreSQL does: the match that begins first, and of those the longest (or the shortest, as the pattern
//! prefers).
//!
//! ```text
//! pattern ─▶ Node ─▶ crate regex: is there a match, and where does it begin?
//!                └─▶ is it simple? ─yes▶ the same match
//!                               └─no▶ an automaton of all matches: the longest or shortest end ─▶ dissect: the groups
//! ```
//!
//! Crate `regex` takes the first of alternatives that matches, so it finds the same beginning, but may find another end.

use super::dissect::{All, Dissection};
use super::error::too_complex;
use super::options::Options;
use super::parse::{Parsed, parse};
use crate::SqlError;
use regex::{Regex, RegexBuilder};
use std::ops::Range;

/// Bytes of a compiled pattern.
const MOST_BYTES: usize = 4 << 20;
/// Bytes of a pattern.
const LONGEST: usize = 64 << 10;

/// A pattern that is ready to search.
#[derive(Debug)]
pub(in crate::text) struct Pattern {
    regex: Regex,
    groups: usize,
    /// Of a pattern that is not simple.
    all: Option<Dissection>,
    /// Letters that crate `regex` counts to words and PostgreSQL does not, if the pattern looks for words.
    odd_letters: Option<Regex>,
}

/// The places of a match and of its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::text) struct Match {
    pub(in crate::text) whole: Range<usize>,
    /// Those that took no part are `None`.
    pub(in crate::text) groups: Vec<Option<Range<usize>>>,
}

/// `text` as a pattern of crate `regex`.
pub(super) fn build(text: &str) -> Result<Regex, SqlError> {
    let built = RegexBuilder::new(text).size_limit(MOST_BYTES).dfa_size_limit(MOST_BYTES).nest_limit(1_000).build();
    // The text is written here, so it is well formed.
    built.map_err(|_| too_complex())
}

impl Pattern {
    /// Compiles a pattern.
    pub(in crate::text) fn new(pattern: &str, options: Options) -> Result<Self, SqlError> {
        if pattern.len() > LONGEST {
            return Err(too_complex());
        }
        Self::of(parse(pattern, options)?)
    }

    fn of(Parsed { node, groups, has_words }: Parsed) -> Result<Self, SqlError> {
        let mut text = String::new();
        node.write(true, &mut text);
        let regex = build(&text)?;
        let all = if node.is_simple() { None } else { Some(Dissection::new(&node, MOST_BYTES)?) };
        let odd_letters = has_words.then(|| build(r"[[\w&&[^\p{Alphabetic}\p{Nd}_]]]")).transpose()?;
        Ok(Self { regex, groups, all, odd_letters })
    }

    /// The groups.
    pub(in crate::text) fn groups(&self) -> usize {
        self.groups
    }

    /// Whether there is a match.
    pub(in crate::text) fn is_match(&self, text: &str) -> Result<bool, SqlError> {
        self.check(text)?;
        Ok(self.regex.is_match(text))
    }

    fn check(&self, text: &str) -> Result<(), SqlError> {
        match &self.odd_letters {
            Some(odd) if !text.is_ascii() && odd.is_match(text) => Err(SqlError::not_supported(
                "limits of words in regular expressions are not supported beside letters that are joined to others",
            )),
            _ => Ok(()),
        }
    }

    /// A search of one text.
    pub(in crate::text) fn search<'a>(&'a self, text: &'a str) -> Result<Search<'a>, SqlError> {
        self.check(text)?;
        Ok(Search { pattern: self, text, all: self.all.as_ref().map(All::new) })
    }
}

/// A search of one text.
pub(in crate::text) struct Search<'a> {
    pattern: &'a Pattern,
    text: &'a str,
    all: Option<All<'a>>,
}

impl Search<'_> {
    /// The first match that begins at `at` or behind it, without its groups.
    pub(in crate::text) fn find(&mut self, at: usize) -> Result<Option<Range<usize>>, SqlError> {
        if at > self.text.len() {
            return Ok(None);
        }
        let Some(found) = self.pattern.regex.find_at(self.text, at) else { return Ok(None) };
        match &mut self.all {
            None => Ok(Some(found.range())),
            Some(all) => {
                let end = all.end(self.text, found.start())?.unwrap_or(found.end());
                Ok(Some(found.start()..end))
            }
        }
    }

    /// The first match that begins at `at` or behind it.
    pub(in crate::text) fn find_groups(&mut self, at: usize) -> Result<Option<Match>, SqlError> {
        if self.pattern.groups == 0 {
            return Ok(self.find(at)?.map(|whole| Match { whole, groups: Vec::new() }));
        }
        if at > self.text.len() {
            return Ok(None);
        }
        match &mut self.all {
            None => {
                let Some(found) = self.pattern.regex.captures_at(self.text, at) else { return Ok(None) };
                let Some(whole) = found.get(0) else { return Ok(None) };
                let groups = (1..=self.pattern.groups).map(|group| found.get(group).map(|group| group.range()));
                Ok(Some(Match { whole: whole.range(), groups: groups.collect() }))
            }
            Some(all) => {
                let Some(found) = self.pattern.regex.find_at(self.text, at) else { return Ok(None) };
                let end = all.end(self.text, found.start())?.unwrap_or(found.end());
                let mut groups = vec![None; self.pattern.groups];
                all.groups(self.text, found.start()..end, &mut groups)?;
                Ok(Some(Match { whole: found.start()..end, groups }))
            }
        }
    }

    /// Where the search goes on after a match, as PostgreSQL does: behind it, and by a letter further after an empty one.
    pub(in crate::text) fn after(&self, found: &Range<usize>) -> usize {
        if !found.is_empty() {
            return found.end;
        }
        self.text[found.end..].chars().next().map_or(found.end + 1, |letter| found.end + letter.len_utf8())
    }
}

//! The end of a match, and what its groups match, where alternatives may match texts of different lengths.
//!
//! The match as a whole is the longest (or the shortest) one. Then it is taken apart from the left to the right: each part
//! takes the longest (or the shortest) text with which the rest still matches, and a part that holds groups is taken
//! apart in the same way. Of alternatives that match the same text, the first one counts.
//!
//! Each part that is taken apart has an automaton of its own, which follows all ways at the same time, so one question
//! takes time in proportion to the text and the part.

use super::ast::{Node, Preference, preference};
use super::automaton::{Automaton, Cache};
use super::error::too_complex;
use crate::SqlError;
use std::ops::Range;

/// Steps that the automata of one text may take together.
const MOST_STEPS: usize = 50_000_000;
/// Automata of one pattern.
const MOST_PARTS: usize = 100;

/// A pattern with automata for its parts.
#[derive(Debug)]
pub(super) struct Dissection {
    automata: Vec<Automaton>,
    root: Part,
    preference: Preference,
}

/// A part that may be taken apart, with the number of its automaton.
#[derive(Debug)]
struct Part {
    automaton: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// It holds no groups.
    Whole,
    Group(usize, Box<Part>),
    /// Two parts, one behind the other. The first one has the preference.
    Pair(Box<Part>, Box<Part>, Preference),
    Alternate(Vec<Part>),
    /// As often as it matches, from none.
    Repeat(Box<Part>, Option<u32>, Preference),
}

struct Builder {
    automata: Vec<Automaton>,
    bytes_left: usize,
}

impl Builder {
    fn automaton(&mut self, node: &Node) -> Result<usize, SqlError> {
        if self.automata.len() >= MOST_PARTS {
            return Err(too_complex());
        }
        let mut text = String::new();
        node.write(false, &mut text);
        let automaton = Automaton::new(&text, self.bytes_left)?;
        self.bytes_left = self.bytes_left.saturating_sub(automaton.bytes());
        self.automata.push(automaton);
        Ok(self.automata.len() - 1)
    }

    fn part(&mut self, node: &Node) -> Result<Part, SqlError> {
        let automaton = self.automaton(node)?;
        let kind = match node {
            node if !node.has_groups() => Kind::Whole,
            Node::One(_) | Node::Place(_) => Kind::Whole,
            Node::Group(Some(number), inner) => Kind::Group(*number, Box::new(self.part(inner)?)),
            Node::Group(None, inner) => return Ok(Part { automaton, kind: self.part(inner)?.kind }),
            Node::Alternate(branches) => {
                Kind::Alternate(branches.iter().map(|branch| self.part(branch)).collect::<Result<_, _>>()?)
            }
            Node::Concat(parts) => self.pair(parts)?,
            Node::Repeat { node, min: 1, max: Some(1), .. } => self.part(node)?.kind,
            Node::Repeat { node, min: 0, max, preference: own } => {
                let preferred = own.unwrap_or_else(|| preference(node));
                Kind::Repeat(Box::new(self.part(node)?), *max, preferred)
            }
            // Only the last time counts for groups: `x{m,n}` is `x{m-1,n-1}x`.
            Node::Repeat { node, min, max, preference: own } => {
                let before = Node::Repeat {
                    node: node.clone(),
                    min: min - 1,
                    max: max.map(|max| max.saturating_sub(1)),
                    preference: *own,
                };
                let first = Part { automaton: self.automaton(&before)?, kind: Kind::Whole };
                let preferred = own.unwrap_or_else(|| preference(node));
                Kind::Pair(Box::new(first), Box::new(self.part(node)?), preferred)
            }
        };
        Ok(Part { automaton, kind })
    }

    /// Parts one behind the other: those without groups and of one preference are one part.
    fn pair(&mut self, parts: &[Node]) -> Result<Kind, SqlError> {
        let mut together = 0;
        let mut preferred = None;
        for part in parts {
            let own = part.preference();
            if part.has_groups() || part.is_mixed() || (own.is_some() && preferred.is_some() && own != preferred) {
                break;
            }
            preferred = preferred.or(own);
            together += 1;
        }
        let (first, rest) = parts.split_at(together.max(1).min(parts.len()));
        let first = match first {
            [only] => only.clone(),
            many => Node::Concat(many.to_vec()),
        };
        let preferred = preference(&first);
        if rest.is_empty() {
            return Ok(self.part(&first)?.kind);
        }
        let rest = match rest {
            [only] => only.clone(),
            many => Node::Concat(many.to_vec()),
        };
        Ok(Kind::Pair(Box::new(self.part(&first)?), Box::new(self.part(&rest)?), preferred))
    }
}

impl Dissection {
    /// The automata of `node`, which take at most so many bytes.
    pub(super) fn new(node: &Node, bytes: usize) -> Result<Self, SqlError> {
        let mut builder = Builder { automata: Vec::new(), bytes_left: bytes };
        let root = builder.part(node)?;
        Ok(Self { automata: builder.automata, root, preference: preference(node) })
    }
}

/// The automata while they search one text.
pub(super) struct All<'a> {
    dissection: &'a Dissection,
    caches: Vec<Option<Cache>>,
    steps: usize,
}

impl<'a> All<'a> {
    pub(super) fn new(dissection: &'a Dissection) -> Self {
        let caches = dissection.automata.iter().map(|_| None).collect();
        Self { dissection, caches, steps: 0 }
    }

    /// The end of the match that begins at `start`.
    pub(super) fn end(&mut self, text: &str, start: usize) -> Result<Option<usize>, SqlError> {
        let Dissection { root, preference, .. } = self.dissection;
        self.one_end(root.automaton, text, start..text.len(), *preference)
    }

    /// Tells the groups of the match at `whole`.
    pub(super) fn groups(
        &mut self,
        text: &str,
        whole: Range<usize>,
        groups: &mut [Option<Range<usize>>],
    ) -> Result<(), SqlError> {
        let root = &self.dissection.root;
        self.dissect(root, text, whole, groups)
    }

    /// The longest or the shortest end of what an automaton matches from the beginning of `within`.
    fn one_end(
        &mut self,
        automaton: usize,
        text: &str,
        within: Range<usize>,
        preference: Preference,
    ) -> Result<Option<usize>, SqlError> {
        let automata = &self.dissection.automata[automaton];
        let cache = self.caches[automaton].get_or_insert_with(|| automata.cache());
        let is_shortest = preference == Preference::Shortest;
        let (end, steps) = automata.end(cache, text, within, is_shortest)?;
        self.steps = self.steps.saturating_add(steps).saturating_add(1);
        if self.steps > MOST_STEPS {
            return Err(SqlError::new("54000", "a search by a regular expression takes too long")
                .with_hint("Shorten the text, or write the pattern with fewer alternatives."));
        }
        Ok(end)
    }

    /// Whether a part matches exactly `within`.
    fn matches(&mut self, part: &Part, text: &str, within: Range<usize>) -> Result<bool, SqlError> {
        let end = within.end;
        Ok(self.one_end(part.automaton, text, within, Preference::Longest)? == Some(end))
    }

    /// The ends at which a part that begins at `within.start` may end, the preferred one first.
    fn next_end(
        &mut self,
        part: &Part,
        text: &str,
        within: Range<usize>,
        before: Option<usize>,
        preference: Preference,
    ) -> Result<Option<usize>, SqlError> {
        match (preference, before) {
            (Preference::Longest, None) => self.one_end(part.automaton, text, within, preference),
            (Preference::Longest, Some(before)) => {
                let Some(limit) = previous(text, before).filter(|limit| *limit >= within.start) else {
                    return Ok(None);
                };
                self.one_end(part.automaton, text, within.start..limit, preference)
            }
            (Preference::Shortest, None) => self.one_end(part.automaton, text, within, preference),
            (Preference::Shortest, Some(before)) => {
                let mut end = before;
                while let Some(letter) = text[end..].chars().next() {
                    end += letter.len_utf8();
                    if end > within.end {
                        break;
                    }
                    if self.matches(part, text, within.start..end)? {
                        return Ok(Some(end));
                    }
                }
                Ok(None)
            }
        }
    }

    fn dissect(
        &mut self,
        part: &Part,
        text: &str,
        whole: Range<usize>,
        groups: &mut [Option<Range<usize>>],
    ) -> Result<(), SqlError> {
        match &part.kind {
            Kind::Whole => Ok(()),
            Kind::Group(number, inner) => {
                if let Some(group) = groups.get_mut(number - 1) {
                    *group = Some(whole.clone());
                }
                self.dissect(inner, text, whole, groups)
            }
            Kind::Alternate(branches) => {
                for branch in branches {
                    if self.matches(branch, text, whole.clone())? {
                        return self.dissect(branch, text, whole, groups);
                    }
                }
                Ok(())
            }
            Kind::Pair(first, second, preference) => {
                let mut before = None;
                while let Some(middle) = self.next_end(first, text, whole.clone(), before, *preference)? {
                    if self.matches(second, text, middle..whole.end)? {
                        self.dissect(first, text, whole.start..middle, groups)?;
                        return self.dissect(second, text, middle..whole.end, groups);
                    }
                    before = Some(middle);
                }
                Ok(())
            }
            Kind::Repeat(inner, most, preference) => {
                if let Some(last) = self.last_time(inner, *most, text, whole, *preference)? {
                    self.dissect(inner, text, last, groups)?;
                }
                Ok(())
            }
        }
    }

    /// What a repeated part matches the last time.
    fn last_time(
        &mut self,
        inner: &Part,
        most: Option<u32>,
        text: &str,
        whole: Range<usize>,
        preference: Preference,
    ) -> Result<Option<Range<usize>>, SqlError> {
        if whole.is_empty() {
            return Ok(None);
        }
        let most = most.map_or(usize::MAX, |most| most as usize);
        // The beginning of each time, and its end so far.
        let mut times: Vec<(usize, Option<usize>)> = vec![(whole.start, None)];
        // Where no time can begin: it does not matter how the place was reached, unless times are counted.
        let mut dead = std::collections::HashSet::new();
        while let Some((begin, before)) = times.last().copied() {
            let count = times.len();
            let end =
                if count > most { None } else { self.next_end(inner, text, begin..whole.end, before, preference)? };
            let Some(end) = end else {
                dead.insert((begin, if most == usize::MAX { 0 } else { count }));
                times.pop();
                continue;
            };
            if let Some(time) = times.last_mut() {
                time.1 = Some(end);
            }
            if end == begin {
                continue;
            }
            if end == whole.end {
                return Ok(Some(begin..end));
            }
            let next = (end, if most == usize::MAX { 0 } else { count + 1 });
            if !dead.contains(&next) {
                times.push((end, None));
            }
        }
        Ok(None)
    }
}

fn previous(text: &str, at: usize) -> Option<usize> {
    text[..at].char_indices().next_back().map(|(place, _)| place)
}

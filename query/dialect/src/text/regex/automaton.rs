//! An automaton that follows all ways at the same time, so that it knows all ends of a match.
//!
//! It is made of states as they are needed; a pattern that looks for words is followed letter by letter instead, because a
//! state does not know what a letter is.

use super::error::too_complex;
use crate::SqlError;
use regex_automata::hybrid::dfa::{self, DFA};
use regex_automata::nfa::thompson::{self, pikevm};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use std::ops::Range;

/// Bytes of the states of one automaton.
const STATE_BYTES: usize = 256 << 10;

/// An automaton of a part of a pattern.
#[derive(Debug)]
pub(super) enum Automaton {
    States(Box<DFA>),
    Words(Box<pikevm::PikeVM>),
}

/// What an automaton remembers.
#[derive(Debug)]
pub(super) enum Cache {
    States(Box<dfa::Cache>),
    Words(Box<pikevm::Cache>),
}

fn unexpected<E>(_: E) -> SqlError {
    SqlError::new("XX000", "an automaton of a regular expression failed")
}

impl Automaton {
    /// That of a pattern of crate `regex`, which takes at most so many bytes.
    pub(super) fn new(text: &str, bytes: usize) -> Result<Self, SqlError> {
        let thompson =
            thompson::Config::new().nfa_size_limit(Some(bytes)).which_captures(thompson::WhichCaptures::Implicit);
        let syntax = syntax::Config::new().nest_limit(1_000);
        if text.contains(r"\b") || text.contains(r"\B") {
            let built = pikevm::PikeVM::builder()
                .configure(pikevm::PikeVM::config().match_kind(MatchKind::All))
                .syntax(syntax)
                .thompson(thompson)
                .build(text);
            return built.map(|vm| Self::Words(Box::new(vm))).map_err(|_| too_complex());
        }
        let config =
            DFA::config().match_kind(MatchKind::All).cache_capacity(STATE_BYTES).skip_cache_capacity_check(true);
        let thompson = thompson.which_captures(thompson::WhichCaptures::None);
        let built = DFA::builder().configure(config).syntax(syntax).thompson(thompson).build(text);
        built.map(|states| Self::States(Box::new(states))).map_err(|_| too_complex())
    }

    /// The bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::States(states) => states.get_nfa().memory_usage(),
            Self::Words(vm) => vm.get_nfa().memory_usage(),
        }
    }

    pub(super) fn cache(&self) -> Cache {
        match self {
            Self::States(states) => Cache::States(Box::new(states.create_cache())),
            Self::Words(vm) => Cache::Words(Box::new(vm.create_cache())),
        }
    }

    /// The longest or the shortest end of what it matches from the beginning of `within`, and the steps that this took.
    pub(super) fn end(
        &self,
        cache: &mut Cache,
        text: &str,
        within: Range<usize>,
        is_shortest: bool,
    ) -> Result<(Option<usize>, usize), SqlError> {
        let input = Input::new(text).span(within.clone()).anchored(Anchored::Yes).earliest(is_shortest);
        match (self, cache) {
            (Self::States(states), Cache::States(cache)) => by_states(states, cache, &input, is_shortest),
            (Self::Words(vm), Cache::Words(cache)) => {
                let mut slots = [None, None];
                let end = vm.search_slots(cache, &input, &mut slots).and_then(|_| slots[1]).map(|end| end.get());
                Ok((end, within.len()))
            }
            _ => Err(unexpected(())),
        }
    }
}

/// A state tells a match one byte late.
fn by_states(
    states: &DFA,
    cache: &mut dfa::Cache,
    input: &Input<'_>,
    is_shortest: bool,
) -> Result<(Option<usize>, usize), SqlError> {
    let (text, begin, end) = (input.haystack(), input.start(), input.end());
    let mut state = states.start_state_forward(cache, input).map_err(unexpected)?;
    let mut found = None;
    for (place, byte) in text.iter().enumerate().take(end).skip(begin) {
        state = states.next_state(cache, state, *byte).map_err(unexpected)?;
        if state.is_match() {
            found = Some(place);
            if is_shortest {
                return Ok((found, place - begin));
            }
        } else if state.is_dead() {
            return Ok((found, place - begin));
        } else if state.is_quit() {
            return Err(unexpected(()));
        }
    }
    state = match text.get(end) {
        Some(byte) => states.next_state(cache, state, *byte).map_err(unexpected)?,
        None => states.next_eoi_state(cache, state).map_err(unexpected)?,
    };
    if state.is_match() {
        found = Some(end);
    }
    Ok((found, end - begin))
}

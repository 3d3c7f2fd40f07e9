//! `~`, `~*`, `!~`, `!~*`, and the functions for SIMILAR TO and LIKE with an escape.

use super::like::LikePattern;
use super::options::Options;
use super::patterns::Patterns;
use super::similar::{ESCAPE, to_regular};
use crate::call::Call;
use crate::function::{Evaluate, Function, form};
use crate::types::PgType::{self, Bool, Text};
use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use std::collections::HashMap;

/// The operators.
pub(in crate::text) fn operators() -> Vec<Function> {
    let operator =
        |symbol, evaluate, is_left| Function::new(symbol, vec![form([Text, Text], || Bool, evaluate)]).unless(is_left);
    vec![
        operator("~", |call| matches(call, false, false), is_plain),
        operator("~*", |call| matches(call, true, false), is_plain_in_both_cases),
        operator("!~", |call| matches(call, false, true), is_plain),
        operator("!~*", |call| matches(call, true, true), is_plain_in_both_cases),
    ]
}

/// Whether the pattern is a constant of plain letters, perhaps anchored. The engine searches for it as PostgreSQL does, and
/// knows what it means for statistics.
fn is_plain(operands: &[Expr]) -> bool {
    plain_letters(operands).is_some()
}

/// The same for both cases: `k` and `s` also are letters outside ASCII to the engine, and not to PostgreSQL.
fn is_plain_in_both_cases(operands: &[Expr]) -> bool {
    plain_letters(operands).is_some_and(|letters| !letters.contains(['k', 'K', 's', 'S']))
}

fn plain_letters(operands: &[Expr]) -> Option<&str> {
    let [_, Expr::Literal(pattern, _)] = operands else { return None };
    let pattern = ScalarValue::try_as_str(pattern)??;
    let letters = pattern.strip_prefix('^').unwrap_or(pattern);
    let letters = letters.strip_suffix('$').unwrap_or(letters);
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || " _-,;:/@%\"'<>=".contains(letter);
    letters.chars().all(is_plain).then_some(letters)
}

fn matches(call: &Call, ignores_case: bool, is_negated: bool) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut compiled = Patterns::new();
    let options = Options { ignores_case, ..Options::default() };
    call.bools(|row| {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else { return Ok(None) };
        Ok(Some(compiled.get(pattern, options)?.is_match(text)? != is_negated))
    })
}

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    vec![
        Function::new(
            "similar_to",
            vec![form([Text, Text], || Bool, similar_to), form([Text, Text, Text], || Bool, similar_to)],
        ),
        any("any_match", |call| any_match(call, false)),
        any("any_imatch", |call| any_match(call, true)),
        any("any_like", |call| any_like(call, false)),
        any("any_ilike", |call| any_like(call, true)),
        Function::new("like_escape", vec![form([Text, Text, Text], || Bool, |call| like(call, false))]),
        Function::new("ilike_escape", vec![form([Text, Text, Text], || Bool, |call| like(call, true))]),
    ]
}

fn any(name: &'static str, evaluate: Evaluate) -> Function {
    Function::new(name, vec![form([Text, PgType::Array(Box::new(Text))], || Bool, evaluate)])
}

/// Whether a text matches one of the patterns of an array; NULL if it matches none and one is NULL.
fn any_of(call: &Call, mut matches: impl FnMut(&str, &str) -> Result<bool>) -> Result<ArrayRef> {
    let (texts, arrays) = (call.text(0), call.list(1));
    call.bools(|row| {
        let (Some(text), Some(patterns)) = (texts.get(row), arrays.get(row)) else { return Ok(None) };
        let mut is_open = false;
        for pattern in patterns.as_string_view() {
            match pattern {
                None => is_open = true,
                Some(pattern) if matches(text, pattern)? => return Ok(Some(true)),
                Some(_) => {}
            }
        }
        Ok((!is_open).then_some(false))
    })
}

fn any_match(call: &Call, ignores_case: bool) -> Result<ArrayRef> {
    let mut compiled = Patterns::new();
    let options = Options { ignores_case, ..Options::default() };
    any_of(call, |text, pattern| Ok(compiled.get(pattern, options)?.is_match(text)?))
}

fn any_like(call: &Call, ignores_case: bool) -> Result<ArrayRef> {
    any_of(call, |text, pattern| Ok(LikePattern::new(pattern, ESCAPE, ignores_case)?.is_match(text)?))
}

/// `text SIMILAR TO pattern [ESCAPE escape]`.
fn similar_to(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let escapes = (call.len() > 2).then(|| call.text(2));
    let mut regular: HashMap<(String, String), String> = HashMap::new();
    let mut compiled = Patterns::new();
    call.bools(|row| {
        let escape = match &escapes {
            Some(escapes) => escapes.get(row),
            None => Some(ESCAPE),
        };
        let (Some(text), Some(pattern), Some(escape)) = (texts.get(row), patterns.get(row), escape) else {
            return Ok(None);
        };
        let key = (pattern.to_owned(), escape.to_owned());
        if regular.len() > 100 {
            regular.clear();
        }
        let regular = match regular.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(to_regular(pattern, escape)?),
        };
        Ok(Some(compiled.get(regular, Options::default())?.is_match(text)?))
    })
}

/// `text LIKE pattern ESCAPE escape`.
fn like(call: &Call, ignores_case: bool) -> Result<ArrayRef> {
    let (texts, patterns, escapes) = (call.text(0), call.text(1), call.text(2));
    let is_constant = patterns.is_constant() && escapes.is_constant();
    let constant = match (is_constant && call.rows() > 0).then(|| (patterns.get(0), escapes.get(0))) {
        Some((Some(pattern), Some(escape))) => Some(LikePattern::new(pattern, escape, ignores_case)?),
        _ => None,
    };
    call.bools(|row| {
        let (Some(text), Some(pattern), Some(escape)) = (texts.get(row), patterns.get(row), escapes.get(row)) else {
            return Ok(None);
        };
        Ok(Some(match &constant {
            Some(pattern) => pattern.is_match(text)?,
            None => LikePattern::new(pattern, escape, ignores_case)?.is_match(text)?,
        }))
    })
}

//! `~`, `~*`, `!~`, `!~*`, and the functions for SIMILAR TO and LIKE with an escape.

use super::functions::Patterns;
use super::like::LikePattern;
use super::parse::Options;
use super::similar::{ESCAPE, to_regular};
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType::{Bool, Text};
use arrow_array::ArrayRef;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use std::collections::HashMap;

/// The operators.
pub(in crate::text) fn operators() -> Vec<Function> {
    let operator = |symbol, evaluate| {
        Function::new(symbol, vec![form([Text, Text], || Bool, evaluate)]).unless(is_the_same_in_the_engine)
    };
    vec![
        operator("~", |call| matches(call, false, false)),
        operator("~*", |call| matches(call, true, false)),
        operator("!~", |call| matches(call, false, true)),
        operator("!~*", |call| matches(call, true, true)),
    ]
}

/// Whether the pattern is a constant of plain letters, perhaps anchored. The engine searches for it as PostgreSQL does, and
/// knows what it means for statistics.
fn is_the_same_in_the_engine(operands: &[Expr]) -> bool {
    let [_, Expr::Literal(pattern, _)] = operands else { return false };
    let Some(Some(pattern)) = ScalarValue::try_as_str(pattern) else { return false };
    let letters = pattern.strip_prefix('^').unwrap_or(pattern);
    let letters = letters.strip_suffix('$').unwrap_or(letters);
    // ASCII has the same other case in both.
    letters.chars().all(|letter| {
        letter.is_ascii_alphanumeric() && !matches!(letter, 'k' | 'K' | 's' | 'S')
            || matches!(letter, ' ' | '_' | '-' | ',' | ';' | ':' | '/' | '@' | '%' | '"' | '\'' | '<' | '>' | '=')
    }) || (!pattern.contains(['k', 'K', 's', 'S']) && letters.is_empty())
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
        Function::new("like_escape", vec![form([Text, Text, Text], || Bool, |call| like(call, false))]),
        Function::new("ilike_escape", vec![form([Text, Text, Text], || Bool, |call| like(call, true))]),
    ]
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

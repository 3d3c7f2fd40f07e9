//! The order in which the sources of a select are joined, and where each condition is checked.
//!
//! ```text
//! ON of inner joins, WHERE ─▶ conditions ─┬─▶ into a source that is a query, if only its columns are asked
//!                                         └─▶ look-ups and conditions of the step that completes their columns
//! ```
//!
//! Invariants:
//! - A column keeps its place in the row, in whatever order the steps run.
//! - Steps with RIGHT or FULL joins run as they are written. A LEFT join runs after all that its ON reads; inner joins
//!   and conditions commute with it.
//! - Arranging arranged steps again, with more conditions, is the same as arranging all at once.

use crate::plan::{Body, Comparison, Expr, JoinKind, Kind, QueryPlan, Source, Step};
use crate::types::{self, Family};

/// Orders the steps, and gives each condition of WHERE to one of them. Returns what needs no step.
pub(super) fn arrange(steps: &mut Vec<Step>, condition: Option<Expr>) -> Vec<Expr> {
    let mut waiting = std::mem::take(steps);
    waiting.sort_by_key(|step| step.start);
    let keeps_right = |step: &Step| matches!(step.kind, JoinKind::Right | JoinKind::Full);
    // Conditions hold for what a RIGHT or FULL join adds, too: only steps from the last of them on check them.
    let last_keeping = waiting.iter().rposition(keeps_right);
    let mut conditions = Vec::new();
    for step in &mut waiting {
        restore(step);
        if last_keeping.is_none() && step.kind == JoinKind::Inner {
            conditions.append(&mut step.on);
        }
        conditions.append(&mut step.after);
    }
    conditions.extend(condition.into_iter().flat_map(conjuncts));
    if waiting.is_empty() {
        return conditions;
    }
    if last_keeping.is_none() {
        conditions.retain(|condition| !push(condition, &mut waiting));
    }
    let mut done = Columns::default();
    while !waiting.is_empty() {
        let place = match last_keeping {
            Some(_) => 0,
            None => best(&waiting, &conditions, &done),
        };
        let mut step = waiting.remove(place);
        if step.kind != JoinKind::Full {
            for condition in std::mem::take(&mut step.on) {
                add_condition(condition, &mut step, &done);
            }
        }
        let before = done.clone();
        done.add(&step);
        if last_keeping.is_none_or(|last| steps.len() >= last) {
            let (here, later): (Vec<Expr>, Vec<Expr>) =
                conditions.into_iter().partition(|condition| done.have(condition));
            conditions = later;
            for condition in here {
                match step.kind {
                    // A condition of WHERE on an inner join is one of the join.
                    JoinKind::Inner => add_condition(condition, &mut step, &before),
                    _ => step.after.push(condition),
                }
            }
        }
        steps.push(step);
    }
    conditions
}

/// Makes look-ups conditions again.
fn restore(step: &mut Step) {
    let start = step.start;
    for (place, key) in step.lookup.drain(..) {
        let column = Expr::new(Kind::Column { depth: 0, index: start + place }, key.ty);
        let equal = Kind::Compare(Comparison::Equal, Box::new(column), Box::new(key));
        step.on.push(Expr::new(equal, types::BOOL));
    }
}

/// The columns of the steps that have run.
#[derive(Clone, Default)]
struct Columns(Vec<std::ops::Range<usize>>);

impl Columns {
    fn add(&mut self, step: &Step) {
        self.0.push(step.start..step.start + step.width);
    }

    fn has(&self, index: usize) -> bool {
        self.0.iter().any(|range| range.contains(&index))
    }

    /// Whether they are all that an expression reads of the select's row.
    fn have(&self, expr: &Expr) -> bool {
        let mut have = true;
        expr.columns(0, &mut |depth, index| have &= depth > 0 || self.has(index));
        have
    }
}

/// The place of the step that runs next.
fn best(waiting: &[Step], conditions: &[Expr], done: &Columns) -> usize {
    let mut best = (0, 0);
    for (place, step) in waiting.iter().enumerate() {
        let rank = rank(step, conditions, done);
        if rank > best.1 {
            best = (place, rank);
        }
    }
    best.0
}

/// How soon a step runs: 0 if it reads what is not there yet.
fn rank(step: &Step, conditions: &[Expr], done: &Columns) -> u8 {
    let mut is_ready = true;
    step.reads(&mut |index| is_ready &= done.has(index));
    let mut with_own = done.clone();
    with_own.add(step);
    if !is_ready || !step.on.iter().all(|condition| with_own.have(condition)) {
        return 0;
    }
    if step.kind != JoinKind::Inner {
        return if done.0.is_empty() { 0 } else { 2 };
    }
    let mut rank = 1;
    for (column, key) in conditions.iter().filter_map(|condition| lookup_of(condition, step, done)) {
        if key.needs() > 0 {
            return 4;
        }
        // Few rows have one name or one OID, but many one flag.
        if is_selective(column) {
            rank = 3;
        }
    }
    rank
}

fn is_selective(column: &Expr) -> bool {
    matches!(column.ty, types::OID | types::NAME | types::TEXT)
}

/// The conditions that must all hold.
pub(super) fn conjuncts(condition: Expr) -> Vec<Expr> {
    match condition.kind {
        Kind::And(parts) => parts.into_iter().flat_map(conjuncts).collect(),
        _ => vec![condition],
    }
}

/// Adds a condition of a join: as a look-up in the source, if it fits.
fn add_condition(condition: Expr, step: &mut Step, before: &Columns) {
    let lookup = lookup_of(&condition, step, before).and_then(|(column, key)| match column.kind {
        Kind::Column { index, .. } => Some((index - step.start, key.clone())),
        _ => None,
    });
    match lookup {
        Some(lookup) => step.lookup.push(lookup),
        None => step.on.push(condition),
    }
}

/// A column of the step's source, and what comes before it that the column is compared with.
fn lookup_of<'e>(condition: &'e Expr, step: &Step, before: &Columns) -> Option<(&'e Expr, &'e Expr)> {
    let Kind::Compare(Comparison::Equal, a, b) = &condition.kind else { return None };
    let fits = |column: &Expr, key: &Expr| {
        let Kind::Column { depth: 0, index } = column.kind else { return false };
        let families = (types::family(column.ty), types::family(key.ty));
        let have_same_keys = matches!(families, (Family::Int, Family::Int) | (Family::Text, Family::Text));
        step.has(index) && have_same_keys && before.have(key)
    };
    if fits(a, b) {
        Some((a, b))
    } else if fits(b, a) {
        Some((b, a))
    } else {
        None
    }
}

/// Moves a condition into the query that all its columns are of. Returns whether it could.
fn push(condition: &Expr, steps: &mut [Step]) -> bool {
    let mut reads = Vec::new();
    condition.columns(0, &mut |depth, index| {
        if depth == 0 {
            reads.push(index);
        }
    });
    let of = |step: &Step| step.kind == JoinKind::Inner && reads.iter().all(|index| step.has(*index));
    let Some(step) = steps.iter_mut().find(|step| !reads.is_empty() && of(step)) else { return false };
    let start = step.start;
    let Source::Query { plan, slot, .. } = &mut step.source else { return false };
    let QueryPlan { body: Body::Select(select), distinct_on, limit: None, offset: None, .. } = plan.as_mut() else {
        return false;
    };
    let is_plain = select.groups.is_none() && select.windows.is_empty() && select.series.is_empty();
    if !is_plain || select.distinct.is_some() || !distinct_on.is_empty() {
        return false;
    }
    let mut inner = condition.clone();
    let mut is_correlated = false;
    let could = inner.replace_columns(&mut |kind| match kind {
        Kind::Column { depth: 0, index } => match select.outputs.get(*index - start).map(|output| &output.kind) {
            Some(output @ Kind::Column { depth: 0, .. }) => {
                *kind = output.clone();
                true
            }
            _ => false,
        },
        Kind::Column { depth, .. } => {
            *depth += 1;
            is_correlated = true;
            true
        }
        _ => true,
    });
    if could {
        if is_correlated {
            *slot = None;
        }
        let rest = arrange(&mut select.steps, Some(inner));
        select.filter.extend(rest);
    }
    could
}

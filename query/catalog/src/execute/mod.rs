//! Running a plan over the tables in memory.
//!
//! ```text
//! FROM: row by row, step by step, by look-up where a column is given ─▶ WHERE ─▶ groups ─▶ windows ─▶ outputs ─▶ order, limit
//! ```
//!
//! A subquery that is the same for all rows runs once. Another one runs for each row, which look-ups by index make cheap.

mod aggregate;
mod cast;
mod evaluate;
mod join;
mod pattern;
mod select;

pub(crate) use cast::cast;
pub use cast::parameter;

use crate::builtin::Context;
use crate::error::{CatalogError, Result};
use crate::facts::Session;
use crate::plan::{Body, Plan, QueryPlan, SetOperation};
use crate::tables::{Catalog, Row, Rows};
use crate::value::{Datum, Key};
use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as AtomicOrdering};

/// The bounds of one statement.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// The most rows that it looks at, in all its parts together.
    pub steps: u64,
    /// The most bytes of the rows that it makes, in all its parts together.
    pub bytes: usize,
    /// Whether nobody waits for it any more.
    pub given_up: Arc<AtomicBool>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { steps: 20_000_000, bytes: 256 << 20, given_up: Arc::default() }
    }
}

/// The row that an expression is computed with, and those of the selects around it.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'f> {
    row: &'f [Datum],
    aggregates: &'f [Datum],
    windows: &'f [Datum],
    series: &'f [Datum],
    parent: Option<&'f Frame<'f>>,
}

impl<'f> Frame<'f> {
    fn of(row: &'f [Datum], parent: Option<&'f Frame<'f>>) -> Self {
        Self { row, aggregates: &[], windows: &[], series: &[], parent }
    }
}

/// One run of a plan.
pub(crate) struct Run<'c> {
    context: Context<'c>,
    values: Vec<Datum>,
    bounds: Bounds,
    steps: Cell<u64>,
    bytes: Cell<usize>,
    /// The rows of common table expressions and of subqueries that are the same for all rows.
    slots: RefCell<Vec<Option<Arc<Rows>>>>,
    patterns: RefCell<HashMap<(String, bool), Arc<regex::Regex>>>,
}

impl Plan {
    /// The rows of the statement. `values` are those of its parameters.
    ///
    /// # Errors
    /// With PostgreSQL's SQLSTATE, and with 54000, 53200 and 57014 beyond the bounds.
    pub fn run(
        &self,
        catalog: &Catalog,
        session: &Session,
        values: Vec<Datum>,
        bounds: Bounds,
    ) -> Result<Vec<Vec<Datum>>> {
        let run = Run {
            context: Context { catalog, session },
            values,
            bounds,
            steps: Cell::new(0),
            bytes: Cell::new(0),
            slots: RefCell::new(vec![None; self.slots]),
            patterns: RefCell::default(),
        };
        run.query(&self.query, None)
    }
}

impl Run<'_> {
    /// Counts rows that are looked at.
    fn step(&self, count: usize) -> Result<()> {
        let steps = self.steps.get() + count as u64;
        self.steps.set(steps);
        if steps > self.bounds.steps {
            let message = "the statement looks at too many rows of the catalog: join its tables by their keys";
            return Err(CatalogError::new("54000", message));
        }
        if steps.is_multiple_of(1024) && self.bounds.given_up.load(AtomicOrdering::Relaxed) {
            return Err(CatalogError::new("57014", "canceling statement due to user request"));
        }
        Ok(())
    }

    /// Counts a row that is made.
    fn keep(&self, row: &[Datum]) -> Result<()> {
        let texts: usize =
            row.iter().filter(|value| matches!(value, Datum::Array(_) | Datum::Record(_))).map(Datum::heap_bytes).sum();
        self.hold(size_of_val(row) + texts)
    }

    fn hold(&self, bytes: usize) -> Result<()> {
        let bytes = self.bytes.get() + bytes;
        self.bytes.set(bytes);
        if bytes > self.bounds.bytes {
            return Err(CatalogError::new("53200", "the statement makes too many rows of the catalog"));
        }
        Ok(())
    }

    fn slot(&self, slot: usize) -> Option<Arc<Rows>> {
        self.slots.borrow().get(slot).cloned().flatten()
    }

    fn set_slot(&self, slot: usize, rows: Arc<Rows>) {
        if let Some(place) = self.slots.borrow_mut().get_mut(slot) {
            *place = Some(rows);
        }
    }

    /// The rows of a query, with the columns that it shows.
    fn query(&self, plan: &QueryPlan, parent: Option<&Frame<'_>>) -> Result<Vec<Row>> {
        for table in &plan.with {
            let start = self.query(&table.start, parent)?;
            let rows = match &table.repeated {
                None => start,
                Some((again, keeps_equal)) => self.repeat(table.slot, start, again, *keeps_equal, parent)?,
            };
            self.set_slot(table.slot, Arc::new(Rows::new(rows)));
        }
        let nothing = Frame::of(&[], parent);
        let count = |expr| -> Result<Option<usize>> {
            let Some(expr) = expr else { return Ok(None) };
            match self.evaluate(expr, &nothing)? {
                Datum::Null => Ok(None),
                value => match usize::try_from(value.as_int()) {
                    Ok(count) => Ok(Some(count)),
                    Err(_) => Err(CatalogError::new("2201W", "LIMIT and OFFSET must not be negative")),
                },
            }
        };
        let (limit, offset) = (count(plan.limit.as_ref())?, count(plan.offset.as_ref())?.unwrap_or(0));
        let mut rows = match &plan.body {
            Body::Select(select) => self.select(select, parent)?,
            Body::Query(query) => self.query(query, parent)?,
            Body::Values(rows) => {
                let row = |row: &Vec<_>| row.iter().map(|expr| self.evaluate(expr, &nothing)).collect();
                rows.iter().map(row).collect::<Result<_>>()?
            }
            Body::Set { operation, is_all, left, right } => {
                set(*operation, *is_all, self.query(left, parent)?, self.query(right, parent)?)
            }
        };
        if !plan.order.is_empty() {
            self.step(rows.len())?;
            rows.sort_by(|a, b| order(a, b, &plan.order));
        }
        if !plan.distinct_on.is_empty() {
            let mut seen = HashSet::new();
            rows.retain(|row| {
                seen.insert(plan.distinct_on.iter().map(|place| row[*place].key()).collect::<Vec<Key>>())
            });
        }
        if offset > 0 {
            rows.drain(..offset.min(rows.len()));
        }
        if let Some(limit) = limit {
            rows.truncate(limit);
        }
        for row in &mut rows {
            row.truncate(plan.columns.len());
        }
        Ok(rows)
    }

    /// The rows of a recursive common table expression.
    fn repeat(
        &self,
        slot: usize,
        start: Vec<Row>,
        again: &QueryPlan,
        keeps_equal: bool,
        parent: Option<&Frame<'_>>,
    ) -> Result<Vec<Row>> {
        let mut seen: HashSet<Vec<Key>> = HashSet::new();
        let mut fresh = |rows: Vec<Row>| -> Vec<Row> {
            if keeps_equal {
                return rows;
            }
            rows.into_iter().filter(|row| seen.insert(row.iter().map(Datum::key).collect())).collect()
        };
        let mut working = fresh(start);
        let mut all = Vec::new();
        while !working.is_empty() {
            self.step(working.len())?;
            for row in &working {
                self.keep(row)?;
            }
            all.extend(working.iter().cloned());
            self.set_slot(slot, Arc::new(Rows::new(working)));
            working = fresh(self.query(again, parent)?);
        }
        Ok(all)
    }
}

/// The order of two values with NULL at its place.
pub(crate) fn order_of(a: &Datum, b: &Datum, is_descending: bool, nulls_first: bool) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => {
            if nulls_first {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (false, true) => {
            if nulls_first {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (false, false) if is_descending => b.order(a),
        (false, false) => a.order(b),
    }
}

fn order(a: &Row, b: &Row, keys: &[(usize, bool, bool)]) -> Ordering {
    let orders =
        keys.iter().map(|(place, is_descending, first)| order_of(&a[*place], &b[*place], *is_descending, *first));
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn keys(row: &Row) -> Vec<Key> {
    row.iter().map(Datum::key).collect()
}

fn set(operation: SetOperation, is_all: bool, left: Vec<Row>, right: Vec<Row>) -> Vec<Row> {
    let mut counts: HashMap<Vec<Key>, usize> = HashMap::new();
    if operation != SetOperation::Union {
        right.iter().for_each(|row| *counts.entry(keys(row)).or_default() += 1);
    }
    let mut take = |row: &Row| match counts.get_mut(&keys(row)) {
        Some(count) if *count > 0 => {
            if is_all {
                *count -= 1;
            }
            true
        }
        _ => false,
    };
    let mut rows: Vec<Row> = match operation {
        SetOperation::Union => left.into_iter().chain(right).collect(),
        SetOperation::Intersect => left.into_iter().filter(|row| take(row)).collect(),
        SetOperation::Except => left.into_iter().filter(|row| !take(row)).collect(),
    };
    if !is_all {
        let mut seen = HashSet::new();
        rows.retain(|row| seen.insert(keys(row)));
    }
    rows
}

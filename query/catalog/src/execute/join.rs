//! The rows of FROM.

use super::{Frame, Run};
use crate::error::Result;
use crate::plan::{Expr, JoinKind, Source, Step};
use crate::tables::{Row, Rows, key_of};
use crate::value::Datum;
use std::sync::Arc;

impl Run<'_> {
    /// The joined rows of the steps. A row has all columns from the start, NULL until their step has run.
    pub(super) fn join(&self, steps: &[Step], parent: Option<&Frame<'_>>) -> Result<Vec<Row>> {
        let width = steps.iter().map(|step| step.start + step.width).max().unwrap_or(0);
        let mut rows = vec![vec![Datum::Null; width]];
        for step in steps {
            rows = self.join_step(step, rows, width, parent)?;
        }
        Ok(rows)
    }

    fn join_step(&self, step: &Step, left: Vec<Row>, width: usize, parent: Option<&Frame<'_>>) -> Result<Vec<Row>> {
        if left.is_empty() && matches!(step.kind, JoinKind::Inner | JoinKind::Left) {
            return Ok(Vec::new());
        }
        // The rows of the source, if they are the same for all rows before it.
        let fixed = match is_lateral(&step.source) {
            true => None,
            false => Some(self.source(&step.source, &Frame::of(&[], parent))?),
        };
        let columns: Vec<usize> = step.lookup.iter().map(|(column, _)| *column).collect();
        let index = fixed.as_ref().filter(|_| !columns.is_empty()).map(|rows| rows.index(&columns));
        let keeps_right = matches!(step.kind, JoinKind::Right | JoinKind::Full);
        let mut is_matched = match &fixed {
            Some(rows) if keeps_right => vec![false; rows.all.len()],
            _ => Vec::new(),
        };
        let mut joined = Vec::new();
        let mut buffer: Row = Vec::with_capacity(width);
        for left in &left {
            let frame = Frame::of(left, parent);
            let values = step.lookup.iter().map(|(_, expr)| self.evaluate(expr, &frame)).collect::<Result<Row>>()?;
            let key = key_of(&values);
            let rows = match &fixed {
                Some(rows) => Arc::clone(rows),
                None => self.source(&step.source, &frame)?,
            };
            let mut has_match = false;
            buffer.clone_from(left);
            let mut check = |place: usize, joined: &mut Vec<Row>| -> Result<()> {
                self.step(1)?;
                fill(&mut buffer, step, &rows.all[place]);
                let frame = Frame::of(&buffer, parent);
                if !self.all_true(&step.on, &frame)? {
                    return Ok(());
                }
                has_match = true;
                if let Some(matched) = is_matched.get_mut(place) {
                    *matched = true;
                }
                self.add(step, &buffer, joined, parent)
            };
            match (&key, &index) {
                (None, _) => {}
                (Some(key), Some(index)) => {
                    for place in index.get(key).into_iter().flatten() {
                        check(*place as usize, &mut joined)?;
                    }
                }
                (Some(key), None) => {
                    for (place, row) in rows.all.iter().enumerate() {
                        let own = || key_of(columns.iter().filter_map(|column| row.get(*column)));
                        if columns.is_empty() || own().as_ref() == Some(key) {
                            check(place, &mut joined)?;
                        }
                    }
                }
            }
            if !has_match && matches!(step.kind, JoinKind::Left | JoinKind::Full) {
                self.add(step, left, &mut joined, parent)?;
            }
        }
        if let (true, Some(rows)) = (keeps_right, &fixed) {
            for (right, _) in rows.all.iter().zip(&is_matched).filter(|(_, is_matched)| !**is_matched) {
                let mut row = vec![Datum::Null; width];
                fill(&mut row, step, right);
                self.add(step, &row, &mut joined, parent)?;
            }
        }
        Ok(joined)
    }

    fn add(&self, step: &Step, row: &Row, joined: &mut Vec<Row>, parent: Option<&Frame<'_>>) -> Result<()> {
        if self.all_true(&step.after, &Frame::of(row, parent))? {
            self.keep(row)?;
            joined.push(row.clone());
        }
        Ok(())
    }

    pub(super) fn all_true(&self, conditions: &[Expr], frame: &Frame<'_>) -> Result<bool> {
        for condition in conditions {
            if !self.evaluate(condition, frame)?.is_true() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The rows of a source beside the row of `frame`.
    fn source(&self, source: &Source, frame: &Frame<'_>) -> Result<Arc<Rows>> {
        let rows = match source {
            Source::Relation(place) => return self.context.catalog.rows(*place, self.context.session),
            Source::CommonTable(slot) => return Ok(self.slot(*slot).unwrap_or_default()),
            Source::Query { plan, slot, .. } => {
                if let Some(rows) = slot.and_then(|slot| self.slot(slot)) {
                    return Ok(rows);
                }
                let rows = Arc::new(Rows::new(self.query(plan, Some(frame))?));
                self.step(rows.all.len())?;
                if let Some(slot) = slot {
                    self.set_slot(*slot, Arc::clone(&rows));
                }
                return Ok(rows);
            }
            Source::Joined(steps) => self.join(steps, frame.parent)?,
            Source::Series { series, arguments, with_ordinality, .. } => {
                let values = arguments.iter().map(|argument| self.evaluate(argument, frame));
                let rows = (series.call)(&self.context, &values.collect::<Result<Vec<_>>>()?)?;
                numbered(rows, *with_ordinality)
            }
            Source::Value { expr, with_ordinality } => {
                numbered(vec![vec![self.evaluate(expr, frame)?]], *with_ordinality)
            }
        };
        self.step(rows.len())?;
        Ok(Arc::new(Rows::new(rows)))
    }
}

/// Sets the columns of a step.
fn fill(row: &mut [Datum], step: &Step, values: &[Datum]) {
    for (cell, value) in row.iter_mut().skip(step.start).take(step.width).zip(values) {
        cell.clone_from(value);
    }
}

fn numbered(mut rows: Vec<Row>, with_ordinality: bool) -> Vec<Row> {
    if with_ordinality {
        rows.iter_mut().zip(1..).for_each(|(row, number)| row.push(Datum::Int(number)));
    }
    rows
}

fn is_lateral(source: &Source) -> bool {
    match source {
        Source::Query { is_lateral, .. } | Source::Series { is_lateral, .. } => *is_lateral,
        Source::Value { expr, .. } => expr.needs() > 0,
        Source::Relation(_) | Source::CommonTable(_) | Source::Joined(_) => false,
    }
}

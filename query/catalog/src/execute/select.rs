//! A select: groups, windows, functions that return sets, and the outputs.

use super::{Frame, Run, keys, order_of};
use crate::error::Result;
use crate::plan::{Expr, SelectPlan, Window, WindowKind};
use crate::tables::Row;
use crate::value::{Datum, Key};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// A row of the sources, or the first row of a group with its aggregates.
struct Grouped {
    row: Row,
    aggregates: Row,
}

impl Run<'_> {
    /// The rows of a select with all its outputs.
    pub(super) fn select(&self, plan: &SelectPlan, parent: Option<&Frame<'_>>) -> Result<Vec<Row>> {
        let mut rows = self.join(&plan.steps, parent)?;
        if !plan.filter.is_empty() {
            let mut kept = Vec::new();
            for row in rows {
                if self.all_true(&plan.filter, &Frame::of(&row, parent))? {
                    kept.push(row);
                }
            }
            rows = kept;
        }
        let groups = match &plan.groups {
            Some(groups) => self.groups(plan, groups, rows, parent)?,
            None => rows.into_iter().map(|row| Grouped { row, aggregates: Vec::new() }).collect(),
        };
        let windows = self.windows(&plan.windows, &groups, parent)?;
        let mut outputs = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let windows = windows.get(number).map_or(&[][..], Vec::as_slice);
            let frame = Frame { row: &group.row, aggregates: &group.aggregates, windows, series: &[], parent };
            if plan.series.is_empty() {
                outputs.push(self.output(&plan.outputs, &frame)?);
                continue;
            }
            let mut sets = Vec::new();
            for (series, arguments) in &plan.series {
                let values = arguments.iter().map(|argument| self.evaluate(argument, &frame));
                sets.push((series.call)(&self.context, &values.collect::<Result<Vec<_>>>()?)?);
            }
            let longest = sets.iter().map(Vec::len).max().unwrap_or(0);
            self.step(longest)?;
            for place in 0..longest {
                let value = |set: &Vec<Row>| match set.get(place).map(Vec::as_slice) {
                    Some([value]) => value.clone(),
                    Some(many) => Datum::Record(many.into()),
                    None => Datum::Null,
                };
                let series: Row = sets.iter().map(value).collect();
                outputs.push(self.output(&plan.outputs, &Frame { series: &series, ..frame })?);
            }
        }
        if let Some(columns) = plan.distinct {
            let mut seen = HashSet::new();
            outputs.retain(|row| seen.insert(row[..columns].iter().map(Datum::key).collect::<Vec<Key>>()));
        }
        Ok(outputs)
    }

    fn output(&self, outputs: &[Expr], frame: &Frame<'_>) -> Result<Row> {
        let row = outputs.iter().map(|expr| self.evaluate(expr, frame)).collect::<Result<Row>>()?;
        self.keep(&row)?;
        Ok(row)
    }

    fn groups(
        &self,
        plan: &SelectPlan,
        groups: &[Expr],
        rows: Vec<Row>,
        parent: Option<&Frame<'_>>,
    ) -> Result<Vec<Grouped>> {
        let mut by_key: HashMap<Vec<Key>, usize> = HashMap::new();
        let mut members: Vec<Vec<Row>> = Vec::new();
        for row in rows {
            let frame = Frame::of(&row, parent);
            let key = groups.iter().map(|expr| self.evaluate(expr, &frame)).collect::<Result<Row>>()?;
            let group = *by_key.entry(keys(&key)).or_insert_with(|| {
                members.push(Vec::new());
                members.len() - 1
            });
            members[group].push(row);
        }
        // Without GROUP BY there is one group, also of no rows.
        if groups.is_empty() && members.is_empty() {
            members.push(Vec::new());
        }
        let width = plan.steps.iter().map(|step| step.start + step.width).max().unwrap_or(0);
        let mut grouped = Vec::new();
        for members in members {
            let aggregates = plan.aggregates.iter().map(|aggregate| self.aggregate(aggregate, &members, parent));
            let aggregates = aggregates.collect::<Result<Row>>()?;
            let row = members.into_iter().next().unwrap_or_else(|| vec![Datum::Null; width]);
            let frame = Frame { aggregates: &aggregates, ..Frame::of(&row, parent) };
            let is_kept = match &plan.having {
                Some(having) => self.evaluate(having, &frame)?.is_true(),
                None => true,
            };
            if is_kept {
                grouped.push(Grouped { row, aggregates });
            }
        }
        Ok(grouped)
    }

    /// The values of all windows for each row.
    fn windows(&self, windows: &[Window], groups: &[Grouped], parent: Option<&Frame<'_>>) -> Result<Vec<Row>> {
        let mut values = vec![vec![Datum::Null; windows.len()]; if windows.is_empty() { 0 } else { groups.len() }];
        for (number, window) in windows.iter().enumerate() {
            let mut parts: HashMap<Vec<Key>, Vec<(Row, usize)>> = HashMap::new();
            for (place, group) in groups.iter().enumerate() {
                let frame = Frame { aggregates: &group.aggregates, ..Frame::of(&group.row, parent) };
                let of = |expr: &Expr| self.evaluate(expr, &frame);
                let key = window.partition.iter().map(of).collect::<Result<Row>>()?;
                let order = window.order.iter().map(|(expr, ..)| of(expr)).collect::<Result<Row>>()?;
                parts.entry(keys(&key)).or_default().push((order, place));
            }
            let compare = |a: &Row, b: &Row| {
                let pairs = a.iter().zip(b).zip(&window.order);
                let mut orders =
                    pairs.map(|((a, b), (_, is_descending, first))| order_of(a, b, *is_descending, *first));
                orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            };
            for part in parts.values_mut() {
                part.sort_by(|(a, _), (b, _)| compare(a, b));
                if let WindowKind::Aggregate(aggregate) = &window.kind {
                    let rows: Vec<Row> = part.iter().map(|(_, place)| groups[*place].row.clone()).collect();
                    let value = self.aggregate(aggregate, &rows, parent)?;
                    part.iter().for_each(|(_, place)| values[*place][number] = value.clone());
                    continue;
                }
                let (mut rank, mut dense) = (0, 0);
                for (at, (order, place)) in part.iter().enumerate() {
                    if at == 0 || compare(&part[at - 1].0, order).is_ne() {
                        (rank, dense) = (at as i64 + 1, dense + 1);
                    }
                    values[*place][number] = Datum::Int(match window.kind {
                        WindowKind::Rank => rank,
                        WindowKind::DenseRank => dense,
                        _ => at as i64 + 1,
                    });
                }
            }
        }
        Ok(values)
    }
}

//! Aggregates of the rows of a group.

use super::{Frame, Run, order_of};
use crate::error::{CatalogError, Result};
use crate::plan::{Aggregate, AggregateKind};
use crate::tables::Row;
use crate::types::{self, Family};
use crate::value::{Datum, Key};
use std::collections::HashSet;

impl Run<'_> {
    pub(super) fn aggregate(&self, aggregate: &Aggregate, rows: &[Row], parent: Option<&Frame<'_>>) -> Result<Datum> {
        // The arguments of each row, with the keys that sort them.
        let mut all: Vec<(Row, Row)> = Vec::new();
        let mut seen: HashSet<Vec<Key>> = HashSet::new();
        for row in rows {
            let frame = Frame::of(row, parent);
            if let Some(filter) = &aggregate.filter
                && !self.evaluate(filter, &frame)?.is_true()
            {
                continue;
            }
            let values = aggregate.arguments.iter().map(|expr| self.evaluate(expr, &frame)).collect::<Result<Row>>()?;
            let skips_null = aggregate.kind != AggregateKind::Array;
            if skips_null && values.first().is_some_and(Datum::is_null) {
                continue;
            }
            if aggregate.is_distinct && !seen.insert(super::keys(&values)) {
                continue;
            }
            let order =
                aggregate.order.iter().map(|(expr, ..)| self.evaluate(expr, &frame)).collect::<Result<Row>>()?;
            all.push((values, order));
        }
        if !aggregate.order.is_empty() {
            all.sort_by(|(_, a), (_, b)| {
                let pairs = a.iter().zip(b).zip(&aggregate.order);
                let mut orders =
                    pairs.map(|((a, b), (_, is_descending, first))| order_of(a, b, *is_descending, *first));
                orders.find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
            });
        } else if aggregate.is_distinct {
            all.sort_by(|(a, _), (b, _)| a[0].order(&b[0]));
        }
        if aggregate.kind == AggregateKind::Count {
            return Ok(Datum::Int(all.len() as i64));
        }
        if all.is_empty() {
            return Ok(Datum::Null);
        }
        let mut values = all.iter().map(|(values, _)| &values[0]);
        Ok(match aggregate.kind {
            AggregateKind::Count => Datum::Int(all.len() as i64),
            AggregateKind::Least => values.min_by(|a, b| a.order(b)).cloned().unwrap_or(Datum::Null),
            AggregateKind::Greatest => values.max_by(|a, b| a.order(b)).cloned().unwrap_or(Datum::Null),
            AggregateKind::And => Datum::Bool(values.all(Datum::is_true)),
            AggregateKind::Or => Datum::Bool(values.any(Datum::is_true)),
            AggregateKind::Sum if types::family(aggregate.ty) == Family::Int => {
                let sum = values.try_fold(0_i64, |sum, value| sum.checked_add(value.as_int()));
                Datum::Int(sum.ok_or_else(|| CatalogError::new("22003", "bigint out of range"))?)
            }
            AggregateKind::Sum => Datum::Float(values.map(Datum::as_float).sum()),
            AggregateKind::Average => Datum::Float(values.map(Datum::as_float).sum::<f64>() / all.len() as f64),
            AggregateKind::Array => {
                let element = types::element(aggregate.ty).unwrap_or(types::TEXT);
                Datum::array(element, values.cloned().collect())
            }
            AggregateKind::Text => {
                let mut text = String::new();
                for (place, (values, _)) in all.iter().enumerate() {
                    if place > 0 {
                        text.push_str(values[1].as_text());
                    }
                    text.push_str(values[0].as_text());
                }
                self.hold(text.len())?;
                Datum::text(text)
            }
        })
    }
}

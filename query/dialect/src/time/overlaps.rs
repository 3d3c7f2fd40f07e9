//! `(start, end) OVERLAPS (start, end)`, whose ends may be intervals: the function `overlaps`.

use super::arithmetic::shifted;
use super::calendar::{DAY, microseconds};
use super::error::out_of_range;
use crate::call::Call;
use crate::function::{Form, Function, form};
use crate::types::PgType;
use arrow_array::{Array, ArrayRef};
use datafusion::common::Result;

/// The function.
pub(super) fn functions() -> Vec<Function> {
    use PgType::{Bool, Interval, Time, Timestamp, Timestamptz};
    let mut forms: Vec<Form> = Vec::new();
    for of in [Timestamptz, Timestamp, Time] {
        for first in [of.clone(), Interval] {
            for second in [of.clone(), Interval] {
                let takes = [of.clone(), first.clone(), of.clone(), second];
                forms.push(form(takes, || Bool, overlaps));
            }
        }
    }
    vec![Function::new("overlaps", forms)]
}

/// The number of a row's moment.
fn moment(call: &Call, argument: usize, row: usize) -> Option<i64> {
    match PgType::of(call.any(argument).array().data_type()) {
        PgType::Time => call.time(argument).get(row),
        _ => call.timestamp(argument).get(row),
    }
}

/// The end of a span that begins at `start`.
fn end(call: &Call, argument: usize, row: usize, start: Option<i64>) -> Result<Option<i64>> {
    let data_type = call.any(argument).array().data_type().clone();
    if PgType::of(&data_type) != PgType::Interval {
        return Ok(moment(call, argument, row));
    }
    let (Some(interval), Some(start)) = (call.interval(argument).get(row), start) else { return Ok(None) };
    if PgType::of(call.any(0).array().data_type()) == PgType::Time {
        return Ok(Some((start + microseconds(interval).rem_euclid(DAY)).rem_euclid(DAY)));
    }
    Ok(Some(shifted(start, interval, 1).ok_or_else(|| out_of_range("timestamp"))?))
}

fn overlaps(call: &Call) -> Result<ArrayRef> {
    call.bools(|row| {
        let first = moment(call, 0, row);
        let second = moment(call, 2, row);
        Ok(do_overlap((first, end(call, 1, row, first)?), (second, end(call, 3, row, second)?)))
    })
}

/// Whether two spans have a moment in common, of which the end of a span is none unless it is its start as well.
fn do_overlap(one: (Option<i64>, Option<i64>), other: (Option<i64>, Option<i64>)) -> Option<bool> {
    // The earlier moment first; of one that is not known, the other is the start.
    let ordered = |(start, end): (Option<i64>, Option<i64>)| match (start, end) {
        (None, None) => None,
        (Some(start), None) | (None, Some(start)) => Some((start, None)),
        (Some(start), Some(end)) => Some((start.min(end), Some(start.max(end)))),
    };
    let ((start, end), (other_start, other_end)) = (ordered(one)?, ordered(other)?);
    match start.cmp(&other_start) {
        std::cmp::Ordering::Greater => match other_end {
            None => None,
            Some(other_end) if start < other_end => Some(true),
            Some(_) => end.map(|_| false),
        },
        std::cmp::Ordering::Less => match end {
            None => None,
            Some(end) if other_start < end => Some(true),
            Some(_) => other_end.map(|_| false),
        },
        std::cmp::Ordering::Equal => {
            if end.is_none() || other_end.is_none() {
                None
            } else {
                Some(true)
            }
        }
    }
}

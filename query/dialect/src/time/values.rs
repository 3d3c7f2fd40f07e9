//! The arguments of functions of times, whichever Arrow type holds them.

use super::format::of_difference;
use crate::SqlError;
use crate::call::{Call, Values};
use crate::types::PgType;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    DurationMicrosecondType, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::Result;

/// The type of a difference of times while no function needs it as an interval.
pub(crate) const DIFFERENCE: DataType = DataType::Duration(TimeUnit::Microsecond);

/// A row's interval, which may be held as a difference of times, or be a time of day.
pub(super) fn interval_at(values: &Values<'_, ArrayRef>, row: usize) -> Result<Option<IntervalMonthDayNano>> {
    let index = values.index(row);
    let array = values.array();
    if array.is_null(index) {
        return Ok(None);
    }
    match array.data_type() {
        DataType::Interval(_) => {
            Ok(array.as_primitive_opt::<IntervalMonthDayNanoType>().map(|intervals| intervals.value(index)))
        }
        data_type if *data_type == DIFFERENCE => {
            Ok(Some(of_difference(array.as_primitive::<DurationMicrosecondType>().value(index))))
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let time = array.as_primitive::<Time64MicrosecondType>().value(index);
            Ok(Some(IntervalMonthDayNano::new(0, 0, time * 1_000)))
        }
        other => Err(SqlError::not_supported(format!("an interval held as {other} is not supported")).into()),
    }
}

/// The value of a constant, which is computed once, or of each row.
pub(super) struct Memo<T> {
    last: Option<(String, T)>,
}

impl<T: Clone> Memo<T> {
    pub(super) fn new() -> Self {
        Self { last: None }
    }

    /// What `compute` makes of a text; of the same text as before it is kept.
    pub(super) fn of(&mut self, text: &str, compute: impl FnOnce(&str) -> Result<T, SqlError>) -> Result<T, SqlError> {
        match &self.last {
            Some((known, value)) if known == text => Ok(value.clone()),
            _ => {
                let value = compute(text)?;
                self.last = Some((text.to_owned(), value.clone()));
                Ok(value)
            }
        }
    }
}

/// Whether an argument is a `timestamp with time zone`.
pub(super) fn has_zone(call: &Call, argument: usize) -> bool {
    PgType::of(call.any(argument).array().data_type()) == PgType::Timestamptz
}

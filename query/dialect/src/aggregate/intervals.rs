//! Sums and averages of intervals, and of differences of times, each of which is an interval of days and a time.
//!
//! Months, days and times are summed each by itself, as PostgreSQL sums them.

use super::summary::{Asked, Rows, Summary};
use super::sums::Kind;
use crate::time::{average_interval, interval_out_of_range};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, DurationMicrosecondType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
};
use arrow_array::{Array, ArrayRef, Decimal128Array, Int64Array, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::Result;
use std::sync::Arc;

const DAY: i64 = 86_400_000_000;

/// The sum of intervals.
#[derive(Debug, Clone, Default)]
pub(super) struct IntervalSum {
    months: i64,
    days: i64,
    nanoseconds: i128,
    count: i64,
}

impl IntervalSum {
    fn plus(&mut self, interval: IntervalMonthDayNano, sign: i64) {
        self.months += sign * i64::from(interval.months);
        self.days += sign * i64::from(interval.days);
        self.nanoseconds += i128::from(sign) * i128::from(interval.nanoseconds);
        self.count += sign;
    }

    fn plus_difference(&mut self, difference: i64, sign: i64) {
        self.days += sign * (difference / DAY);
        self.nanoseconds += i128::from(sign * (difference % DAY) * 1_000);
        self.count += sign;
    }

    /// The sum, or the average.
    fn result(&self, kind: Kind) -> Result<Option<IntervalMonthDayNano>> {
        if self.count == 0 {
            return Ok(None);
        }
        let (Ok(months), Ok(days), Ok(nanoseconds)) =
            (i32::try_from(self.months), i32::try_from(self.days), i64::try_from(self.nanoseconds))
        else {
            return Err(interval_out_of_range().into());
        };
        let sum = IntervalMonthDayNano::new(months, days, nanoseconds);
        Ok(Some(match kind {
            Kind::Average => average_interval(sum, self.count)?,
            _ => sum,
        }))
    }
}

/// Calls `with` with each row's state and value.
fn each(states: &mut [IntervalSum], values: &ArrayRef, rows: Rows<'_>, sign: i64) -> Result<()> {
    if *values.data_type() == DataType::Duration(TimeUnit::Microsecond) {
        let values = values.as_primitive::<DurationMicrosecondType>();
        return rows.each(values.len(), values.nulls(), |row, group| {
            states[group].plus_difference(values.value(row), sign);
            Ok(())
        });
    }
    let values = values.as_primitive::<IntervalMonthDayNanoType>();
    rows.each(values.len(), values.nulls(), |row, group| {
        states[group].plus(values.value(row), sign);
        Ok(())
    })
}

impl Summary for IntervalSum {
    type Kind = Kind;
    const REMOVES: bool = true;

    fn add(states: &mut [Self], arguments: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        each(states, &arguments[0], rows, 1)
    }

    fn remove(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        each(std::slice::from_mut(self), &arguments[0], Rows::ALL, -1)
    }

    fn saved(_: i8) -> Vec<DataType> {
        vec![DataType::Int64, DataType::Int64, DataType::Decimal128(38, 0), DataType::Int64]
    }

    fn save(states: &[Self], _: i8) -> Result<Vec<ArrayRef>> {
        let whole =
            |value: fn(&Self) -> i64| -> ArrayRef { Arc::new(states.iter().map(value).collect::<Int64Array>()) };
        let times: Decimal128Array = states.iter().map(|state| Some(state.nanoseconds)).collect();
        let times: ArrayRef = Arc::new(times.with_data_type(DataType::Decimal128(38, 0)));
        Ok(vec![whole(|state| state.months), whole(|state| state.days), times, whole(|state| state.count)])
    }

    fn merge(states: &mut [Self], saved: &[ArrayRef], rows: Rows<'_>) -> Result<()> {
        let [months, days, counts] = [0, 1, 3].map(|place| saved[place].as_primitive::<Int64Type>());
        let times = saved[2].as_primitive::<Decimal128Type>();
        rows.each(counts.len(), counts.nulls(), |row, group| {
            let state = &mut states[group];
            state.months += months.value(row);
            state.days += days.value(row);
            state.nanoseconds += times.value(row);
            state.count += counts.value(row);
            Ok(())
        })
    }

    fn finish(states: &[Self], asked: &Asked<Kind>) -> Result<ArrayRef> {
        let made: PrimitiveArray<IntervalMonthDayNanoType> =
            states.iter().map(|state| state.result(asked.kind)).collect::<Result<_>>()?;
        Ok(Arc::new(made))
    }
}

//! `x AT TIME ZONE zone`, which is `timezone(zone, x)`: of an instant what the clocks of the zone show, and of what they show
//! the instant.
//!
//! What no timestamp holds is NULL.

use super::calendar::{is_finite, microseconds};
use super::values::{Memo, has_zone};
use super::zone::Zone;
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::TimestampMicrosecondType;
use datafusion::common::Result;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    use PgType::{Interval, Text, Timestamp, Timestamptz};
    vec![Function::new(
        "timezone",
        vec![
            form([Text, Timestamptz], || Timestamp, by_name),
            form([Text, Timestamp], || Timestamptz, by_name),
            form([Interval, Timestamptz], || Timestamp, by_interval),
            form([Interval, Timestamp], || Timestamptz, by_interval),
        ],
    )]
}

fn converted(zone: &Zone, time: i64, is_instant: bool) -> Option<i64> {
    if !is_finite(time) {
        return Some(time);
    }
    let converted = if is_instant { zone.local_of(time) } else { zone.time_of(time) };
    converted.filter(|time| is_finite(*time))
}

fn by_name(call: &Call) -> Result<ArrayRef> {
    let (names, times, is_instant) = (call.text(0), call.timestamp(1), has_zone(call, 1));
    let mut memo = Memo::new();
    call.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(name), Some(time)) = (names.get(row), times.get(row)) else { return Ok(None) };
        let zone = memo.of(name, Zone::named)?;
        Ok(converted(&zone, time, is_instant))
    })
}

fn by_interval(call: &Call) -> Result<ArrayRef> {
    let (intervals, times, is_instant) = (call.interval(0), call.timestamp(1), has_zone(call, 1));
    call.primitives::<TimestampMicrosecondType>(|row| {
        let (Some(interval), Some(time)) = (intervals.get(row), times.get(row)) else { return Ok(None) };
        if interval.months != 0 || interval.days != 0 {
            let shown = super::format::format_interval(interval);
            let message = format!("interval time zone \"{shown}\" must not include months or days");
            return Err(SqlError::invalid_parameter(message).into());
        }
        let zone = Zone::of_microseconds(microseconds(interval))
            .ok_or_else(|| SqlError::invalid_parameter("interval time zone out of range"))?;
        Ok(converted(&zone, time, is_instant))
    })
}

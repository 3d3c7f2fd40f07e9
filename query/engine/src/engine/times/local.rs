//! `time AT TIME ZONE zone`, which is `timezone(zone, time)`, and `to_local_time(time)`.

use super::columns::{constant_text, times, zone_of_micros};
use super::zone::Zone;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// Of an instant what the clocks of the zone show, and of what they show the instant.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TimeZoneFunction {
    signature: Signature,
}

impl TimeZoneFunction {
    pub(super) const NAME: &'static str = "timezone";

    pub(super) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self { signature: Signature::user_defined(Volatility::Immutable) })
    }
}

fn utc() -> Option<Arc<str>> {
    Some(Arc::from("UTC"))
}

impl ScalarUDFImpl for TimeZoneFunction {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [zone, time] = types else { return plan_err!("timezone takes a zone and a time") };
        if !zone.is_string() && !zone.is_null() {
            return plan_err!("a time zone is a text and not a value of type {zone}");
        }
        let zone_of_time = match time {
            DataType::Timestamp(_, zone) => zone.clone(),
            DataType::Date32 | DataType::Date64 | DataType::Null => utc(),
            text if text.is_string() => utc(),
            other => return plan_err!("AT TIME ZONE takes a time and not a value of type {other}"),
        };
        Ok(vec![DataType::Utf8, DataType::Timestamp(TimeUnit::Microsecond, zone_of_time)])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let zone = match types.get(1) {
            Some(DataType::Timestamp(_, Some(_))) => None,
            _ => utc(),
        };
        Ok(DataType::Timestamp(TimeUnit::Microsecond, zone))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [zone, time] = args.args.as_slice() else { return exec_err!("timezone takes a zone and a time") };
        let Some(zone_of_time) = zone_of_micros(&time.data_type()) else {
            return exec_err!("AT TIME ZONE takes a time");
        };
        let is_instant = zone_of_time.is_some();
        let of_result = if is_instant { None } else { utc() };
        let convert = |zone: Zone, time| if is_instant { zone.local_of(time) } else { zone.time_of(time) };
        let zones = match zone {
            ColumnarValue::Scalar(zone) if zone.is_null() => return times(time, of_result, |_| None),
            ColumnarValue::Scalar(_) => {
                let name = constant_text(zone).unwrap_or_default();
                let Some(zone) = Zone::named(name) else { return exec_err!("time zone \"{name}\" not recognized") };
                return times(time, of_result, |time| convert(zone, time));
            }
            ColumnarValue::Array(zones) => zones.as_string::<i32>(),
        };
        let all = time.to_array(zones.len())?;
        let mut converted = PrimitiveArray::<TimestampMicrosecondType>::builder(zones.len());
        // Neighbours often have the same zone, and finding it by its name takes a while.
        let mut last: Option<(&str, Zone)> = None;
        for (name, time) in zones.iter().zip(all.as_primitive::<TimestampMicrosecondType>()) {
            let (Some(name), Some(time)) = (name, time) else {
                converted.append_null();
                continue;
            };
            let zone = match last {
                Some((known, zone)) if known == name => zone,
                _ => match Zone::named(name) {
                    Some(zone) => zone,
                    None => return exec_err!("the time zone of a row is not recognized"),
                },
            };
            last = Some((name, zone));
            converted.append_option(convert(zone, time));
        }
        let converted = converted.finish().with_timezone_opt(of_result);
        Ok(ColumnarValue::Array(Arc::new(converted)))
    }
}

/// Of an instant what the clocks of the zone of its type show. Other times than those in microseconds are the engine's.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ToLocalTime {
    inner: Arc<ScalarUDF>,
}

impl ToLocalTime {
    pub(super) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self { inner: datafusion::functions::datetime::to_local_time() })
    }
}

impl ScalarUDFImpl for ToLocalTime {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = args.args.first().and_then(|time| zone_of_micros(&time.data_type()));
        match (args.args.as_slice(), zone) {
            ([time], Some(name)) => match Zone::of_type(name.as_deref()) {
                Some(zone) => times(time, None, |time| zone.local_of(time)),
                None => exec_err!("the time zone of a time is not known"),
            },
            _ => self.inner.invoke_with_args(args),
        }
    }
}

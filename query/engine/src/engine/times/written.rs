//! Times as texts and dates: `to_char`, and the casts.

use super::calendar::DAY;
use super::columns::{times, zone_of_micros};
use arrow_schema::DataType;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The first days of the years -262000 and 262000, as days since 1970-01-01. The engine's calendar reaches little beyond.
const FIRST_DAY: i64 = -96_413_063;
const END_DAY: i64 = 94_974_007;

/// `time`, or `None` if the engine's calendar has no date for it.
pub(super) fn written(time: i64) -> Option<i64> {
    (FIRST_DAY * DAY..END_DAY * DAY).contains(&time).then_some(time)
}

/// A time if it has a date in the engine's calendar, and NULL otherwise. It stands before casts to texts and dates.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Written {
    signature: Signature,
}

impl Written {
    pub(super) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self { signature: Signature::any(1, Volatility::Immutable) })
    }
}

/// The time inside, if `expression` is a call of the function.
pub(super) fn guarded(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::ScalarFunction(call) if call.func.inner().is::<Written>() => call.args.first(),
        _ => None,
    }
}

impl ScalarUDFImpl for Written {
    fn name(&self) -> &str {
        "time_within_calendar"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [time] => Ok(time.clone()),
            _ => exec_err!("{} takes a time", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = args.args.first().and_then(|time| zone_of_micros(&time.data_type()));
        match (args.args.as_slice(), zone) {
            ([time], Some(zone)) => times(time, zone, written),
            _ => exec_err!("{} takes a time in microseconds", self.name()),
        }
    }
}

/// The function of the engine, without what is beyond its calendar.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ToChar {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl ToChar {
    pub(super) fn udf() -> ScalarUDF {
        let inner = datafusion::functions::datetime::to_char();
        ScalarUDF::new_from_impl(Self { inner, signature: Signature::user_defined(Volatility::Immutable) })
    }
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The engine's own signature converts microseconds to nanoseconds, which most times do not have.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value, format] = types else { return plan_err!("to_char takes a time and a format") };
        if !format.is_string() && !format.is_null() {
            return plan_err!("the format of to_char is a text");
        }
        let value = match value {
            DataType::Timestamp(..) | DataType::Duration(_) => value.clone(),
            DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => value.clone(),
            text if text.is_string() || text.is_null() => DataType::Date32,
            other => return plan_err!("to_char takes a time and not a value of type {other}"),
        };
        Ok(vec![value, DataType::Utf8])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(time) = args.args.first_mut()
            && let Some(zone) = zone_of_micros(&time.data_type())
        {
            *time = times(time, zone, written)?;
        }
        self.inner.invoke_with_args(args)
    }
}

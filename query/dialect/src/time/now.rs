//! The moment at which a statement begins, and the moment itself.
//!
//! `now()` is a constant before a statement is executed. Transactions are single statements, so that
//! `transaction_timestamp()` and `statement_timestamp()` are the same.

use super::calendar::{DAY, split};
use crate::SqlError;
use crate::types::{timestamp, timestamptz};
use arrow_array::{ArrayRef, StringViewArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// Which moment, as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Moment {
    Now,
    LocalTimestamp,
    LocalTime,
    Date,
    /// Of each call.
    Clock,
    /// Of each call, as a text.
    TimeOfDay,
    /// `current_time`, whose type there is not.
    WithZone,
}

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Moments {
    name: &'static str,
    aliases: Vec<String>,
    moment: Moment,
    signature: Signature,
}

/// The functions.
pub(crate) fn moments() -> Vec<ScalarUDF> {
    let function = |name, moment, aliases: &[&str]| {
        let volatility = match moment {
            Moment::Clock | Moment::TimeOfDay => Volatility::Volatile,
            _ => Volatility::Stable,
        };
        ScalarUDF::new_from_impl(Moments {
            name,
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            moment,
            signature: Signature::nullary(volatility),
        })
    };
    vec![
        function("now", Moment::Now, &["current_timestamp", "transaction_timestamp", "statement_timestamp"]),
        function("localtimestamp", Moment::LocalTimestamp, &[]),
        function("localtime", Moment::LocalTime, &[]),
        function("current_date", Moment::Date, &["today"]),
        function("clock_timestamp", Moment::Clock, &[]),
        function("timeofday", Moment::TimeOfDay, &[]),
        function("current_time", Moment::WithZone, &[]),
    ]
}

impl ScalarUDFImpl for Moments {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.moment {
            Moment::Now | Moment::Clock => timestamptz(),
            Moment::LocalTimestamp => timestamp(),
            Moment::LocalTime => DataType::Time64(TimeUnit::Microsecond),
            Moment::Date => DataType::Date32,
            Moment::TimeOfDay => DataType::Utf8View,
            Moment::WithZone => {
                return Err(SqlError::not_supported("the type time with time zone is not supported")
                    .at(self.name)
                    .with_hint("Use localtime or current_timestamp.")
                    .into());
            }
        })
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name, self.return_type(&[])?, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values: ArrayRef = match self.moment {
            Moment::Clock => {
                let now = || chrono::Utc::now().timestamp_micros();
                let times: TimestampMicrosecondArray = (0..args.number_rows).map(|_| Some(now())).collect();
                Arc::new(times.with_timezone("UTC"))
            }
            Moment::TimeOfDay => {
                let now = || chrono::Utc::now().format("%a %b %d %H:%M:%S%.6f %Y UTC").to_string();
                Arc::new((0..args.number_rows).map(|_| Some(now())).collect::<StringViewArray>())
            }
            _ => return internal_err!("{}() is a constant before a statement is executed", self.name),
        };
        Ok(ColumnarValue::Array(values))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(now) = info.query_execution_start_time() else { return Ok(ExprSimplifyResult::Original(args)) };
        let now = now.timestamp_micros();
        let (day, of_day) = split(now);
        let value = match self.moment {
            Moment::Now => ScalarValue::TimestampMicrosecond(Some(now), Some(Arc::from("UTC"))),
            Moment::LocalTimestamp => ScalarValue::TimestampMicrosecond(Some(now), None),
            Moment::LocalTime => ScalarValue::Time64Microsecond(Some(of_day.min(DAY))),
            Moment::Date => ScalarValue::Date32(i32::try_from(day).ok()),
            Moment::Clock | Moment::TimeOfDay | Moment::WithZone => return Ok(ExprSimplifyResult::Original(args)),
        };
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(value, None)))
    }
}

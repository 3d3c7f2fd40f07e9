//! The types `TIMESTAMP`, `TIMESTAMP WITH TIME ZONE` and `TIME`: microseconds, as in PostgreSQL.

use crate::SqlError;
use crate::types::{OPEN_SCALE, numeric, timestamp, timestamptz};
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ExactNumberInfo, TimezoneInfo};
use std::sync::Arc;

/// Plans the types of times, after the types that `others` plans.
#[derive(Debug)]
pub(crate) struct Times {
    others: Option<Arc<dyn TypePlanner>>,
}

impl Times {
    pub(crate) fn new(others: Option<Arc<dyn TypePlanner>>) -> Self {
        Self { others }
    }
}

fn has_zone(zone: &TimezoneInfo) -> bool {
    matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone)
}

impl TypePlanner for Times {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        if let Some(others) = &self.others
            && let Some(field) = others.plan_type_field(sql_type)?
        {
            return Ok(Some(field));
        }
        let data_type = match sql_type {
            SqlType::Timestamp(None | Some(6..), zone) => {
                if has_zone(zone) {
                    timestamptz()
                } else {
                    timestamp()
                }
            }
            SqlType::TimestampNtz(None | Some(6..)) => timestamp(),
            SqlType::Timestamp(Some(digits @ (0 | 3)), zone) => {
                let unit = if *digits == 0 { TimeUnit::Second } else { TimeUnit::Millisecond };
                DataType::Timestamp(unit, has_zone(zone).then(|| Arc::from("UTC")))
            }
            SqlType::Timestamp(Some(digits), _) => {
                return Err(not_supported(format!("timestamps of {digits} digits are not supported")));
            }
            SqlType::Time(_, zone) if has_zone(zone) => {
                return Err(not_supported("the type time with time zone is not supported".to_owned()));
            }
            SqlType::Time(None | Some(6..), _) => DataType::Time64(TimeUnit::Microsecond),
            SqlType::Time(Some(digits), _) => {
                return Err(not_supported(format!("times of {digits} digits are not supported")));
            }
            SqlType::Numeric(ExactNumberInfo::None)
            | SqlType::Decimal(ExactNumberInfo::None)
            | SqlType::Dec(ExactNumberInfo::None) => numeric(OPEN_SCALE),
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}

fn not_supported(what: String) -> datafusion::common::DataFusionError {
    SqlError::not_supported(what).into()
}

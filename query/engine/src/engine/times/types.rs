//! The types `TIMESTAMP` and `TIMESTAMP WITH TIME ZONE`: microseconds, as in PostgreSQL.

use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};
use std::sync::Arc;

/// Plans the types of times, after the types that `others` plans.
#[derive(Debug)]
pub(super) struct Microseconds {
    others: Option<Arc<dyn TypePlanner>>,
}

impl Microseconds {
    pub(super) fn new(others: Option<Arc<dyn TypePlanner>>) -> Self {
        Self { others }
    }
}

impl TypePlanner for Microseconds {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        if let Some(others) = &self.others
            && let Some(field) = others.plan_type_field(sql_type)?
        {
            return Ok(Some(field));
        }
        // What has less digits than microseconds is the engine's.
        let SqlType::Timestamp(None | Some(6 | 9), zone) = sql_type else { return Ok(None) };
        let zone = match zone {
            TimezoneInfo::Tz | TimezoneInfo::WithTimeZone => Some(Arc::from("UTC")),
            TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => None,
        };
        Ok(Some(Arc::new(Field::new("", DataType::Timestamp(TimeUnit::Microsecond, zone), true))))
    }
}

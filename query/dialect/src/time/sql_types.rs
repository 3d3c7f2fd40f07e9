//! The types that SQL's names mean: those of times hold microseconds, and `float` is double precision, as in PostgreSQL.

use crate::SqlError;
use crate::types::{NUMERIC_DIGITS, OPEN_SCALE, numeric, timestamp, timestamptz};
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
        if let Some(field) = crate::text_types::planned(sql_type) {
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
            SqlType::Dec(ExactNumberInfo::Precision(digits)) => decimal(*digits, 0)?,
            SqlType::Dec(ExactNumberInfo::PrecisionAndScale(digits, scale)) => decimal(*digits, *scale)?,
            SqlType::Float(digits) => float(*digits)?,
            SqlType::Double(_) | SqlType::String(_) | SqlType::TinyInt(_) | SqlType::TimestampNtz(_) => {
                return Err(does_not_exist(sql_type).into());
            }
            SqlType::SmallInt(Some(_))
            | SqlType::Int(Some(_))
            | SqlType::Integer(Some(_))
            | SqlType::BigInt(Some(_))
            | SqlType::Int2(Some(_))
            | SqlType::Int4(Some(_))
            | SqlType::Int8(Some(_)) => return Err(syntax("(").into()),
            SqlType::SmallIntUnsigned(_)
            | SqlType::IntUnsigned(_)
            | SqlType::IntegerUnsigned(_)
            | SqlType::BigIntUnsigned(_)
            | SqlType::Int2Unsigned(_)
            | SqlType::Int4Unsigned(_)
            | SqlType::Int8Unsigned(_) => return Err(syntax("unsigned").into()),
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", data_type, true))))
    }
}

/// `dec(p, s)`, which is `decimal(p, s)`.
fn decimal(digits: u64, scale: i64) -> Result<DataType> {
    match (u8::try_from(digits), i8::try_from(scale)) {
        (Ok(digits @ 1..=38), Ok(scale)) if scale.unsigned_abs() <= digits => Ok(DataType::Decimal128(digits, scale)),
        (Ok(digits @ 39..=NUMERIC_DIGITS), Ok(scale)) if scale.unsigned_abs() <= digits => {
            Ok(DataType::Decimal256(digits, scale))
        }
        _ => Err(not_supported(format!(
            "numerics of {digits} digits, {scale} of them behind the point, are not supported"
        ))),
    }
}

/// `float(n)` has so many binary digits at least.
fn float(digits: ExactNumberInfo) -> Result<DataType> {
    match digits {
        ExactNumberInfo::None | ExactNumberInfo::Precision(25..=53) => Ok(DataType::Float64),
        ExactNumberInfo::Precision(1..=24) => Ok(DataType::Float32),
        ExactNumberInfo::Precision(0) => {
            Err(SqlError::invalid_parameter("precision for type float must be at least 1 bit".to_owned()).into())
        }
        ExactNumberInfo::Precision(_) => {
            Err(SqlError::invalid_parameter("precision for type float must be less than 54 bits".to_owned()).into())
        }
        ExactNumberInfo::PrecisionAndScale(..) => Err(syntax(",").into()),
    }
}

fn does_not_exist(sql_type: &SqlType) -> SqlError {
    let name = sql_type.to_string().to_lowercase();
    let name = name.split('(').next().unwrap_or_default().to_owned();
    SqlError::new("42704", format!("type \"{name}\" does not exist")).at(&name)
}

fn syntax(near: &str) -> SqlError {
    SqlError::new("42601", format!("syntax error at or near \"{near}\"")).at(near)
}

fn not_supported(what: String) -> datafusion::common::DataFusionError {
    SqlError::not_supported(what).into()
}

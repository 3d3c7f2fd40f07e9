//! Which expressions the CRM computes as the engine would.

use crate::remote::dialect::SqlDialect;
use arrow_schema::{DataType, Schema};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ExprSchema, ScalarValue};
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};

/// The greatest length of a list that is sent.
const MAX_LIST_VALUES: usize = 1000;

/// The longest text that is sent, in UTF-16 units: SQL Server and Oracle take none longer for a `VARCHAR`.
const MAX_TEXT_UNITS: usize = 4000;

/// The number of values in `expr`.
pub(crate) fn count_values(expr: &Expr) -> usize {
    let mut count = 0;
    let _ = expr.apply(|part| {
        count += usize::from(matches!(part, Expr::Literal(..)));
        Ok(TreeNodeRecursion::Continue)
    });
    count
}

/// Whether the CRM can apply `filter` to a table of `schema`.
pub(crate) fn can_filter(filter: &Expr, schema: &Schema, dialect: SqlDialect) -> bool {
    let filter = unnormalize_col(filter.clone());
    DFSchema::try_from(schema.clone()).is_ok_and(|schema| can_evaluate(&filter, &schema, dialect))
}

pub(super) fn can_evaluate(expr: &Expr, schema: &dyn ExprSchema, dialect: SqlDialect) -> bool {
    let all = |parts: &[&Expr]| parts.iter().all(|part| can_evaluate(part, schema, dialect));
    match expr {
        Expr::Alias(alias) => all(&[&alias.expr]),
        Expr::Column(_) => true,
        Expr::Literal(value, _) => is_sendable(value, dialect),
        Expr::Not(inner) | Expr::IsNull(inner) | Expr::IsNotNull(inner) => all(&[inner]),
        Expr::BinaryExpr(binary) => {
            let (left, right) = (binary.left.as_ref(), binary.right.as_ref());
            let both = |test: fn(&Expr, &dyn ExprSchema, SqlDialect) -> bool| {
                test(left, schema, dialect) && test(right, schema, dialect)
            };
            let is_known = match binary.op {
                Operator::And | Operator::Or => true,
                Operator::Eq | Operator::NotEq => both(is_comparable),
                Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => both(is_ordered),
                _ => false,
            };
            is_known && all(&[left, right])
        }
        Expr::Between(between) => {
            let parts = [between.expr.as_ref(), &between.low, &between.high];
            all(&parts) && parts.iter().all(|part| is_ordered(part, schema, dialect))
        }
        Expr::InList(list) => {
            list.list.len() <= MAX_LIST_VALUES
                && is_comparable(&list.expr, schema, dialect)
                && all(&[&list.expr])
                && list.list.iter().all(|value| matches!(value, Expr::Literal(..)) && all(&[value]))
        }
        Expr::Like(like) => {
            dialect.matches_patterns() && like.escape_char.is_none() && all(&[&like.expr, &like.pattern])
        }
        Expr::ScalarFunction(call) => {
            matches!(call.name(), "coalesce" | "nullif") && call.args.iter().all(|argument| all(&[argument]))
        }
        // The text of a number or a UUID, for comparing one with the other.
        Expr::Cast(cast) => {
            let from = cast.expr.get_type(schema);
            dialect == SqlDialect::Postgres
                && matches!(cast.field.data_type(), DataType::Utf8 | DataType::Utf8View)
                && matches!(from, Ok(DataType::Int64 | DataType::Utf8))
                && all(&[&cast.expr])
        }
        _ => false,
    }
}

fn is_sendable(value: &ScalarValue, dialect: SqlDialect) -> bool {
    match value {
        ScalarValue::Null
        | ScalarValue::Int8(_)
        | ScalarValue::Int16(_)
        | ScalarValue::Int32(_)
        | ScalarValue::Int64(_)
        | ScalarValue::UInt8(_)
        | ScalarValue::UInt16(_)
        | ScalarValue::UInt32(_)
        | ScalarValue::UInt64(_)
        | ScalarValue::Decimal128(..) => true,
        ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => {
            text.as_deref().is_none_or(is_sendable_text)
        }
        ScalarValue::Float64(value) => value.is_none_or(f64::is_finite),
        ScalarValue::Boolean(_) => dialect.has_booleans(),
        ScalarValue::Date32(_) => dialect.compares_times(),
        // PostgreSQL and MySQL store times with six decimal places exactly.
        ScalarValue::TimestampSecond(..)
        | ScalarValue::TimestampMillisecond(..)
        | ScalarValue::TimestampMicrosecond(..) => dialect.compares_times(),
        ScalarValue::TimestampNanosecond(value, _) => {
            dialect.compares_times() && value.is_none_or(|nanos| nanos % 1000 == 0)
        }
        _ => false,
    }
}

/// A driver may end a text at a NUL character, and would then ask for another one.
fn is_sendable_text(text: &str) -> bool {
    !text.contains('\0') && text.encode_utf16().count() <= MAX_TEXT_UNITS
}

/// Whether equality in the CRM is the same as in the engine.
pub(super) fn is_comparable(expr: &Expr, schema: &dyn ExprSchema, dialect: SqlDialect) -> bool {
    match expr.get_type(schema) {
        Ok(DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null) => true,
        Ok(DataType::Boolean) => dialect.has_booleans(),
        Ok(_) => is_ordered(expr, schema, dialect),
        Err(_) => false,
    }
}

/// Whether the order in the CRM is the same as in the engine.
pub(super) fn is_ordered(expr: &Expr, schema: &dyn ExprSchema, dialect: SqlDialect) -> bool {
    match expr.get_type(schema) {
        Ok(DataType::Date32 | DataType::Timestamp(..)) => dialect.compares_times(),
        Ok(data_type) => data_type.is_numeric(),
        Err(_) => false,
    }
}

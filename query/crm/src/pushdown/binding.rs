//! Values that are bound to markers instead of being written into a statement, for databases of which only the driver knows how
//! they read a literal: some take a backslash for an escape character, so that a value could end its literal and continue as SQL.
//!
//! ```text
//!   statement ──▶ bind: each value of a condition becomes a numbered marker ──▶ SQL ──▶ in_order: plain markers, their values
//! ```
//!
//! Only conditions are bound (`WHERE`, `ON`, `HAVING`): elsewhere, as in `SELECT` or `GROUP BY`, some databases refuse a marker, or
//! compare two markers as different expressions. A statement with a text elsewhere is refused, so that the engine computes that
//! part. Numbers elsewhere (`count(1)`, a limit) are written as digits.

use crate::error::CrmError;
use crate::remote::dialect::literal_text;
use crate::remote::driver::{BoundValue, RemoteStatement};
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Function, JoinConstraint, JoinOperator, Select, Statement, Value,
    VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// The greatest number of values of a statement. SQL Server refuses more than 2,100.
pub(crate) const MAX_VALUES: usize = 2000;
/// The most digits of a decimal; a number with more is bound as a float.
const MAX_DIGITS: u8 = 38;

/// Replaces the values in the conditions of `statement` by the markers `?0`, `?1`, ..., and returns the values.
pub(super) fn bind(statement: &mut Statement) -> Vec<BoundValue> {
    let mut conditions = Conditions(Vec::new());
    let _ = VisitMut::visit(statement, &mut conditions);
    conditions.0
}

/// `sql` with a plain marker for each numbered one, and the values in the order of the markers. `sql` is valid by
/// [`check_statement`](crate::pushdown::validate::check_statement).
///
/// # Errors
/// A text is left in it, or it has too many values.
pub(super) fn in_order(sql: &str, quote: char, values: &[BoundValue]) -> Result<RemoteStatement, CrmError> {
    let refuse = |reason: &str| CrmError::Unsendable { reason: reason.to_owned() };
    let mut ordered = RemoteStatement { sql: String::with_capacity(sql.len()), values: Vec::new() };
    let mut characters = sql.chars().peekable();
    let mut in_name = false;
    while let Some(character) = characters.next() {
        ordered.sql.push(character);
        match character {
            // A doubled mark within a name ends it and begins it again.
            mark if mark == quote => in_name = !in_name,
            _ if in_name => {}
            '\'' => return Err(refuse("it has a text outside its conditions, which cannot be bound")),
            '?' => {
                let mut number = String::new();
                while let Some(digit) = characters.next_if(char::is_ascii_digit) {
                    number.push(digit);
                }
                let value = number.parse::<usize>().ok().and_then(|number| values.get(number));
                ordered.values.push(value.cloned().ok_or_else(|| refuse("it has a marker without a value"))?);
            }
            _ => {}
        }
    }
    if ordered.values.len() > MAX_VALUES {
        return Err(refuse("it has too many values"));
    }
    Ok(ordered)
}

/// Finds the conditions of every `SELECT`.
struct Conditions(Vec<BoundValue>);

impl VisitorMut for Conditions {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let joins = select.from.iter_mut().flat_map(|from| &mut from.joins);
        let joins = joins.filter_map(|join| condition_of(&mut join.join_operator));
        for condition in joins.chain(&mut select.selection).chain(&mut select.having) {
            let _ = VisitMut::visit(condition, &mut Values { bound: &mut self.0, aggregates: 0 });
        }
        ControlFlow::Continue(())
    }
}

fn condition_of(operator: &mut JoinOperator) -> Option<&mut Expr> {
    match operator {
        JoinOperator::Join(JoinConstraint::On(condition))
        | JoinOperator::Inner(JoinConstraint::On(condition))
        | JoinOperator::Left(JoinConstraint::On(condition))
        | JoinOperator::LeftOuter(JoinConstraint::On(condition))
        | JoinOperator::Right(JoinConstraint::On(condition))
        | JoinOperator::RightOuter(JoinConstraint::On(condition))
        | JoinOperator::FullOuter(JoinConstraint::On(condition)) => Some(condition),
        _ => None,
    }
}

/// Binds the values of a condition, but none within an aggregate: `count(?)` has no type.
struct Values<'a> {
    bound: &'a mut Vec<BoundValue>,
    aggregates: usize,
}

impl VisitorMut for Values<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) if is_aggregate(function) => self.aggregates += 1,
            Expr::Value(literal) if self.aggregates == 0 => {
                if let Some(value) = value_of(&literal.value) {
                    *expr = marker(self.bound.len(), &value);
                    self.bound.push(value);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Function(function) if is_aggregate(function)) {
            self.aggregates -= 1;
        }
        ControlFlow::Continue(())
    }
}

/// Whether it is an aggregate: no other functions than these two are sent.
fn is_aggregate(function: &Function) -> bool {
    !matches!(function.name.to_string().to_ascii_lowercase().as_str(), "coalesce" | "nullif")
}

/// The value of a literal. `None` for `NULL`, `TRUE` and `FALSE`, which are words of SQL, and for a marker.
fn value_of(literal: &Value) -> Option<BoundValue> {
    match literal {
        Value::Placeholder(literal) => literal_text(literal).map(BoundValue::Text),
        Value::SingleQuotedString(text) => Some(BoundValue::Text(text.clone())),
        Value::Number(text, _) => number(text),
        _ => None,
    }
}

fn number(text: &str) -> Option<BoundValue> {
    if let Ok(integer) = text.parse() {
        return Some(BoundValue::Integer(integer));
    }
    let precision = text.chars().filter(char::is_ascii_digit).count();
    let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ ..=MAX_DIGITS), Ok(scale)) => {
            Some(BoundValue::Decimal { digits: text.to_owned(), precision, scale })
        }
        _ => text.parse().ok().map(BoundValue::Float),
    }
}

/// The marker of `value`. A decimal is cast, because some drivers send its digits as a text, which the database would compare as a
/// float.
fn marker(number: usize, value: &BoundValue) -> Expr {
    let marker = Expr::value(Value::Placeholder(format!("?{number}")));
    match value {
        BoundValue::Decimal { precision, scale, .. } => Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(marker),
            data_type: DataType::Decimal(ExactNumberInfo::PrecisionAndScale((*precision).into(), (*scale).into())),
            array: false,
            format: None,
        },
        _ => marker,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_the_order_of_their_markers_and_names_stay() {
        let values = [BoundValue::Text("x".to_owned()), BoundValue::Integer(7)];
        let sql = "SELECT \"a?1'\"\"?0\" FROM \"b\" WHERE (\"c\" = ?1) AND (\"d\" = ?0) OR (\"e\" IN (?1, ?1))";
        let statement = in_order(sql, '"', &values).unwrap();
        assert_eq!(
            statement.sql,
            "SELECT \"a?1'\"\"?0\" FROM \"b\" WHERE (\"c\" = ?) AND (\"d\" = ?) OR (\"e\" IN (?, ?))"
        );
        let [text, seven] = values;
        assert_eq!(statement.values, [seven.clone(), text, seven.clone(), seven]);
    }

    #[test]
    fn a_text_that_is_not_bound_a_marker_without_a_value_and_too_many_values_are_refused() {
        let values = [BoundValue::Integer(1)];
        for sql in ["SELECT 'a'", "SELECT ?1", "SELECT ?", "SELECT ?99999999999999999999999"] {
            assert!(matches!(in_order(sql, '"', &values), Err(CrmError::Unsendable { .. })), "{sql}");
        }
        let markers = |count: usize| format!("SELECT {}", vec!["?0"; count].join(", "));
        assert_eq!(in_order(&markers(MAX_VALUES), '"', &values).unwrap().values.len(), MAX_VALUES);
        assert!(in_order(&markers(MAX_VALUES + 1), '"', &values).is_err());
    }

    #[test]
    fn a_number_is_an_integer_a_decimal_of_its_own_digits_or_a_float() {
        let decimal =
            |digits: &str, precision, scale| BoundValue::Decimal { digits: digits.to_owned(), precision, scale };
        for (text, expected) in [
            ("0", BoundValue::Integer(0)),
            ("-1", BoundValue::Integer(-1)),
            ("9223372036854775807", BoundValue::Integer(i64::MAX)),
            ("-9223372036854775808", BoundValue::Integer(i64::MIN)),
            ("18446744073709551615", decimal("18446744073709551615", 20, 0)),
            ("10.75", decimal("10.75", 4, 2)),
            ("-0.25", decimal("-0.25", 3, 2)),
        ] {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        for value in [1e300, 5e-324, f64::MIN] {
            assert_eq!(number(&value.to_string()), Some(BoundValue::Float(value)));
        }
    }
}

//! The parameters of a parsed statement, before it is planned.
//!
//! ```text
//! parsed ─▶ `FETCH FIRST n ROWS ONLY` is `LIMIT n`, the numbers of LIMIT and OFFSET are bigint
//!        ─▶ each parameter whose type is known is a cast to it
//!        ─▶ `x = ANY($1)` ─▶ planned as `x = $1`, which tells the type of an element ─▶ `x = ANY(CAST($1 AS type[]))`
//! ```
//!
//! The engine would guess the type of a parameter from what stands beside it, also where the caller has named another one.

use super::placeholders::number;
use super::text_types;
use arrow_schema::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::{Result, not_impl_err};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CastKind, DataType as SqlType, ExactNumberInfo, Expr, Fetch, LimitClause, Query,
    Statement, TimezoneInfo, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use holdfast_dialect::TYPE_KEY;
use std::ops::ControlFlow;

/// Makes casts of the parameters whose types are in `known`, and whole numbers of the counts of rows.
///
/// # Errors
/// The statement has a form of FETCH that is not supported, or a cast to a type that only a parameter can have.
pub(super) fn give_types(parsed: &mut Parsed, known: &[Option<FieldRef>]) -> Result<()> {
    let Some(statement) = statement(parsed) else { return Ok(()) };
    let mut visitor = GiveTypes { known, unsupported: None };
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut visitor);
    match visitor.unsupported {
        Some(what) => not_impl_err!("{what} is not supported"),
        None => Ok(()),
    }
}

/// Replaces `x op ANY($n)` and `x op ALL($n)` by `x op $n`, so that planning tells the types of the elements. Returns whether
/// there are any.
pub(super) fn compare_with_elements(parsed: &mut Parsed) -> bool {
    let mut visitor = Elements { found: false };
    if let Some(statement) = statement(parsed) {
        let _: ControlFlow<()> = VisitMut::visit(statement, &mut visitor);
    }
    visitor.found
}

/// Makes casts of the arrays in `x op ANY($n)` and `x op ALL($n)`, whose elements have the types in `elements`. An array of an
/// unknown type is one of texts, as its elements would be.
pub(super) fn give_array_types(parsed: &mut Parsed, elements: &[Option<FieldRef>]) {
    if let Some(statement) = statement(parsed) {
        let _: ControlFlow<()> = VisitMut::visit(statement, &mut Arrays { elements });
    }
}

fn statement(parsed: &mut Parsed) -> Option<&mut Statement> {
    match parsed {
        Parsed::Statement(statement) => Some(statement),
        Parsed::Explain(explain) => statement(&mut explain.statement),
        _ => None,
    }
}

struct GiveTypes<'t> {
    known: &'t [Option<FieldRef>],
    unsupported: Option<String>,
}

impl VisitorMut for GiveTypes<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(fetch) = query.fetch.take() {
            match limit_of(fetch) {
                Ok(count) => {
                    let clause = query.limit_clause.get_or_insert(LimitClause::LimitOffset {
                        limit: None,
                        offset: None,
                        limit_by: Vec::new(),
                    });
                    match clause {
                        LimitClause::LimitOffset { limit: limit @ None, .. } => *limit = Some(count),
                        _ => self.unsupported = Some("FETCH beside LIMIT".to_owned()),
                    }
                }
                Err(what) => self.unsupported = Some(what.to_owned()),
            }
        }
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                let offset = offset.as_mut().map(|offset| &mut offset.value);
                limit.iter_mut().chain(offset).for_each(count_as_bigint);
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                count_as_bigint(offset);
                count_as_bigint(limit);
            }
            None => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        let known = placeholder(expression).and_then(|number| self.known.get(number - 1)?.as_ref());
        if let Some(sql_type) = known.and_then(|field| sql_type(field)) {
            cast(expression, sql_type);
        }
        ControlFlow::Continue(())
    }
}

/// The count of rows of FETCH.
fn limit_of(fetch: Fetch) -> Result<Expr, &'static str> {
    match fetch {
        Fetch { with_ties: true, .. } => Err("FETCH ... WITH TIES"),
        Fetch { percent: true, .. } => Err("FETCH ... PERCENT"),
        Fetch { quantity: Some(count), .. } => Ok(count),
        Fetch { quantity: None, .. } => Ok(Expr::value(Value::Number("1".to_owned(), false))),
    }
}

fn count_as_bigint(count: &mut Expr) {
    if placeholder(count).is_some() {
        cast(count, SqlType::BigInt(None));
    }
}

struct Elements {
    found: bool,
}

impl VisitorMut for Elements {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if open_array(expression).is_some_and(|right| placeholder(right).is_some()) {
            let null = || Box::new(Expr::value(Value::Null));
            if let Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right } = expression {
                let [left, right] = [left, right].map(|side| std::mem::replace(side, null()));
                // The operator is only asked for the types of its sides.
                let op = std::mem::replace(compare_op, BinaryOperator::Eq);
                *expression = Expr::BinaryOp { left, op, right };
                self.found = true;
            }
        }
        ControlFlow::Continue(())
    }
}

struct Arrays<'t> {
    elements: &'t [Option<FieldRef>],
}

impl VisitorMut for Arrays<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Some(right) = open_array(expression)
            && let Some(number) = placeholder(right)
        {
            let element = self.elements.get(number - 1).and_then(Option::as_ref).and_then(|field| sql_type(field));
            cast(right, array_of(element.unwrap_or(SqlType::Text)));
        }
        ControlFlow::Continue(())
    }
}

/// The array of a comparison with its elements.
fn open_array(expression: &mut Expr) -> Option<&mut Expr> {
    match expression {
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => Some(right),
        _ => None,
    }
}

/// The number of a placeholder, from 1.
fn placeholder(expression: &Expr) -> Option<usize> {
    match expression {
        Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => number(name),
        Expr::Nested(inner) => placeholder(inner),
        _ => None,
    }
}

fn cast(expression: &mut Expr, data_type: SqlType) {
    let inner = std::mem::replace(expression, Expr::value(Value::Null));
    *expression = Expr::Cast { kind: CastKind::Cast, expr: Box::new(inner), data_type, array: false, format: None };
}

fn array_of(element: SqlType) -> SqlType {
    SqlType::Array(ArrayElemTypeDef::SquareBracket(Box::new(element), None))
}

/// The SQL type whose values the engine holds in `field`. `None` for texts: what a client names a text is compared with values
/// of every type, as a constant is.
fn sql_type(field: &Field) -> Option<SqlType> {
    if let Some(named) = field.metadata().get(TYPE_KEY) {
        return text_types::sql_type(named);
    }
    Some(match field.data_type() {
        DataType::Boolean => SqlType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => SqlType::SmallInt(None),
        DataType::Int32 | DataType::UInt16 => SqlType::Integer(None),
        DataType::Int64 | DataType::UInt32 => SqlType::BigInt(None),
        DataType::Float32 => SqlType::Real,
        DataType::Float64 => SqlType::DoublePrecision,
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            SqlType::Numeric(ExactNumberInfo::PrecisionAndScale(u64::from(*precision), i64::from(*scale)))
        }
        DataType::Date32 => SqlType::Date,
        DataType::Time64(_) => SqlType::Time(None, TimezoneInfo::None),
        DataType::Timestamp(TimeUnit::Microsecond, None) => SqlType::Timestamp(None, TimezoneInfo::None),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => SqlType::Timestamp(None, TimezoneInfo::WithTimeZone),
        DataType::Interval(IntervalUnit::MonthDayNano) => SqlType::Interval { fields: None, precision: None },
        DataType::Binary => SqlType::Bytea,
        DataType::List(element) => {
            array_of(sql_type(element).or_else(|| element.data_type().is_string().then_some(SqlType::Text))?)
        }
        _ => return None,
    })
}

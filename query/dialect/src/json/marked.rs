//! Operators that mean something over `jsonb` and something else over other texts: `||`, `-`, and comparisons.
//!
//! A `jsonb` is a text whose field is called so. A constant beside it is read as `jsonb`.

use super::change::{concat_function, delete_function};
use super::contain::plain;
use super::value::{Json, parse};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType::{self, Bool, Text};
use crate::types::TYPE_KEY;
use arrow_array::ArrayRef;
use arrow_schema::Field;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::sqlparser::ast::BinaryOperator;
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF};
use std::sync::Arc;

/// Plans operators of `jsonb`.
#[derive(Debug)]
pub(crate) struct Marked {
    concat: Arc<ScalarUDF>,
    delete: Arc<ScalarUDF>,
    equal: Arc<ScalarUDF>,
    unequal: Arc<ScalarUDF>,
}

impl Default for Marked {
    fn default() -> Self {
        let compared =
            |name, evaluate| Arc::new(Function::new(name, vec![form([Text, Text], || Bool, evaluate)]).udf());
        Self {
            concat: Arc::new(concat_function().udf()),
            delete: Arc::new(delete_function().udf()),
            equal: compared("jsonb_eq", |call| equal(call, true)),
            unequal: compared("jsonb_ne", |call| equal(call, false)),
        }
    }
}

/// Whether an expression is a `jsonb` (or a `json`, as the name says).
pub(super) fn is_marked(expression: &Expr, name: &str, schema: &DFSchema) -> bool {
    // A chain of texts has no mark, and finding the fields of each of its parts takes the square of its length. What a `jsonb` is cast
    // to is none any more.
    if matches!(expression, Expr::BinaryExpr(_) | Expr::Cast(_))
        || matches!(expression, Expr::ScalarFunction(call) if call.name() == "||")
    {
        return false;
    }
    let mark = |field: &Field| field.metadata().get(TYPE_KEY).is_some_and(|known| known == name);
    expression.to_field(schema).is_ok_and(|(_, field)| mark(&field))
}

impl ExprPlanner for Marked {
    fn plan_binary_op(&self, mut expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, Minus, NotEq, Spaceship, StringConcat};
        if !matches!(expr.op, StringConcat | Minus | Eq | NotEq | Spaceship | Lt | LtEq | Gt | GtEq) {
            return Ok(PlannerResult::Original(expr));
        }
        if matches!(expr.op, StringConcat | Eq | NotEq | Spaceship) {
            give_type(&mut expr.left, &expr.right, schema);
            give_type(&mut expr.right, &expr.left, schema);
        }
        // Only texts have marks, and the type is found faster.
        let is_text = |side: &Expr| side.get_type(schema).is_ok_and(|known| PgType::of(&known) == Text);
        if !is_text(&expr.left) {
            return Ok(PlannerResult::Original(expr));
        }
        let is_jsonb =
            is_marked(&expr.left, "jsonb", schema) || (is_text(&expr.right) && is_marked(&expr.right, "jsonb", schema));
        let is_json = is_marked(&expr.left, "json", schema) && is_text(&expr.right);
        if is_jsonb && expr.op == Spaceship {
            let are_null = expr.left.clone().is_null().and(expr.right.clone().is_null());
            let equal = ScalarFunction::new_udf(Arc::clone(&self.equal), vec![expr.left, expr.right]);
            return Ok(PlannerResult::Planned(Expr::ScalarFunction(equal).is_true().or(are_null)));
        }
        let function = match (&expr.op, is_jsonb) {
            (StringConcat, true) if is_text(&expr.right) => &self.concat,
            (Minus, true) => &self.delete,
            (Eq, true) => &self.equal,
            (NotEq, true) => &self.unequal,
            (Lt | LtEq | Gt | GtEq, true) => {
                return Err(SqlError::not_supported("the order of jsonb values is not supported").into());
            }
            (op, false) if is_json && !matches!(op, StringConcat | Minus) && is_marked(&expr.right, "json", schema) => {
                return Err(SqlError::new("42883", format!("operator does not exist: json {op} json")).into());
            }
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let call = ScalarFunction::new_udf(Arc::clone(function), vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}

/// A parameter without a type beside a `jsonb` is one.
fn give_type(operand: &mut Expr, other: &Expr, schema: &DFSchema) {
    if let Expr::Placeholder(Placeholder { field: field @ None, .. }) = operand
        && is_marked(other, "jsonb", schema)
    {
        let metadata = [(TYPE_KEY.to_owned(), "jsonb".to_owned())].into();
        *field = Some(Arc::new(Field::new("", PgType::Text.arrow(), true).with_metadata(metadata)));
    }
}

fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => plain(one) == plain(other),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|((key, one), (known, other))| key == known && is_same(one, other))
        }
        (one, other) => one == other,
    }
}

fn equal(call: &Call, wanted: bool) -> Result<ArrayRef> {
    let (left, right) = (call.text(0), call.text(1));
    call.bools(|row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else { return Ok(None) };
        Ok(Some(is_same(&parse(left)?, &parse(right)?) == wanted))
    })
}

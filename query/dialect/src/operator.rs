//! Operators of PostgreSQL, which the engine has not, or has with another meaning.
//!
//! An operator is a [`Function`] whose name is its symbol. One whose operands fit no form is left to the engine.

use crate::function::Function;
use crate::types::{PgType, TYPE_KEY};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, ScalarUDF};
use std::collections::HashMap;
use std::sync::Arc;

/// Plans operators as calls.
#[derive(Debug)]
pub(crate) struct Operators {
    by_symbol: HashMap<&'static str, (Function, Arc<ScalarUDF>)>,
}

impl Operators {
    pub(crate) fn new(operators: impl IntoIterator<Item = Function>) -> Self {
        let mut by_symbol: HashMap<&'static str, Function> = HashMap::new();
        for operator in operators {
            let symbol = operator.symbol();
            match by_symbol.remove(symbol) {
                Some(known) => by_symbol.insert(symbol, known.with_forms_of(operator)),
                None => by_symbol.insert(symbol, operator),
            };
        }
        let with_udf = |(symbol, function): (_, Function)| (symbol, (function.clone(), Arc::new(function.udf())));
        Self { by_symbol: by_symbol.into_iter().map(with_udf).collect() }
    }
}

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let symbol = expr.op.to_string();
        let Some((function, udf)) = self.by_symbol.get(symbol.as_str()) else {
            return Ok(PlannerResult::Original(expr));
        };
        // The right operand first: in a chain the type of the left one takes long.
        let (Ok(right), Ok(left)) = (expr.right.get_type(schema), expr.left.get_type(schema)) else {
            return Ok(PlannerResult::Original(expr));
        };
        let mut types: [DataType; 2] = [left, right];
        let RawBinaryExpr { op, left, right } = expr;
        let mut operands = [left, right];
        give_type(function, &mut operands, &mut types);
        null_of_same_type(function, &mut operands, &mut types);
        text_as_array(function, &mut operands, &mut types);
        let are_known = types.iter().all(|operand| PgType::of(operand) != PgType::Unknown);
        if !are_known || !function.has_form_for(&types) || function.leaves(&operands) {
            let [left, right] = operands;
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        }
        let call = ScalarFunction::new_udf(Arc::clone(udf), operands.into());
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}

/// A parameter without a type has that of the form that the operator means with the other operand. The engine would give it
/// the other operand's: an interval is added to a time.
fn give_type(function: &Function, operands: &mut [Expr; 2], types: &mut [DataType; 2]) {
    for place in 0..2 {
        let other = PgType::of(&types[1 - place]);
        let Expr::Placeholder(Placeholder { field: field @ None, .. }) = &mut operands[place] else { continue };
        if let Some(named) = of_json(function.symbol(), &other, place) {
            types[place] = named.data_type().clone();
            *field = Some(named);
            continue;
        }
        // Two operands of unknown type are texts.
        let texts = [DataType::Utf8View, DataType::Utf8View];
        let resolved = match other {
            PgType::Unknown => None,
            PgType::Text if function.has_form_for(&texts) => Some(texts.into()),
            PgType::Text => None,
            _ => function.argument_types(types).ok(),
        };
        if let Some(data_type) = resolved.and_then(|resolved| resolved.into_iter().nth(place)) {
            types[place] = data_type.clone();
            *field = Some(Arc::new(Field::new("", data_type, true)));
        }
    }
}

/// A NULL beside a time or an array is one of its type, if there is an operator for two of them, and otherwise of the type that
/// the operator takes beside it (PostgreSQL 15, 10.2, rules 2a and 3).
fn null_of_same_type(function: &Function, operands: &mut [Expr; 2], types: &mut [DataType; 2]) {
    use PgType::{Array, Bytea, Date, Interval, Other, Text, Time, Timestamp, Timestamptz, Unknown};
    for place in 0..2 {
        if !matches!(&operands[place], Expr::Literal(value, _) if value.data_type().is_null()) {
            continue;
        }
        let other = types[1 - place].clone();
        let of_same_type = || {
            function
                .argument_types(&[other.clone(), other.clone()])
                .is_ok_and(|taken| taken.iter().all(|taken| PgType::of(taken) == PgType::of(&other)))
        };
        let becomes = match PgType::of(&other) {
            Array(_) | Date | Interval | Time | Timestamp | Timestamptz if of_same_type() => other,
            Array(_) | Bytea | Text | Unknown | Other => continue,
            // A text beside a value of another type.
            _ if function.symbol() == "||" => Text.arrow(),
            Date | Interval | Time | Timestamp | Timestamptz => {
                let Ok(taken) = function.argument_types(types) else { continue };
                // A time beside it may be taken as an interval.
                if PgType::of(&taken[1 - place]) != PgType::of(&other) {
                    let beside = std::mem::take(&mut operands[1 - place]);
                    operands[1 - place] = Expr::Cast(Cast::new(Box::new(beside), taken[1 - place].clone()));
                    types[1 - place] = taken[1 - place].clone();
                }
                taken[place].clone()
            }
            _ => continue,
        };
        if let Ok(null) = ScalarValue::try_new_null(&becomes) {
            operands[place] = Expr::Literal(null, None);
            types[place] = becomes;
        }
    }
}

/// A constant text that is put to an array is one (PostgreSQL 15, 10.2, rule 2a).
fn text_as_array(function: &Function, operands: &mut [Expr; 2], types: &mut [DataType; 2]) {
    for place in 0..2 {
        let is_text = matches!(&operands[place], Expr::Literal(value, None) if value.data_type().is_string());
        let other = &types[1 - place];
        if is_text && function.symbol() == "||" && matches!(PgType::of(other), PgType::Array(_)) {
            let text = std::mem::take(&mut operands[place]);
            operands[place] = Expr::Cast(Cast::new(Box::new(text), other.clone()));
            types[place] = other.clone();
        }
    }
}

/// What an operator of `jsonb` takes at its right, where a text is told by its form alone.
fn of_json(symbol: &str, other: &PgType, place: usize) -> Option<FieldRef> {
    match symbol {
        "#>" | "#>>" | "#-" | "?|" | "?&" if place == 1 => {
            Some(Arc::new(Field::new("", PgType::Array(Box::new(PgType::Text)).arrow(), true)))
        }
        "@>" | "<@" if *other == PgType::Text => {
            let metadata = [(TYPE_KEY.to_owned(), "jsonb".to_owned())].into();
            Some(Arc::new(Field::new("", DataType::Utf8View, true).with_metadata(metadata)))
        }
        _ => None,
    }
}

//! Comparisons and set operations of numbers of several types, in the type that PostgreSQL compares them in (PostgreSQL 15, 10.2 and 10.5).
//!
//! | numbers | are compared as |
//! |---|---|
//! | any `double precision`, or `real` and others | `double precision`: a numeric becomes a float, not a float a numeric |
//! | numerics of several scales | numerics of the largest scale, of all digits that a numeric has |
//! | others | as the engine does |
//!
//! Operators are planned so; all else is a rule before the coercion of types, which has no type for a numeric of 76 digits beside one of
//! more digits after the point.

use crate::cast::recomputed;
use crate::comparison::is_comparison;
use crate::function::common;
use crate::types::{PgType, numeric};
use arrow_schema::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{InList, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Union,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use std::sync::Arc;

/// The digits of the engine's smaller numerics.
const SMALLER_DIGITS: i32 = 38;

/// The rule.
#[derive(Debug, Default)]
pub(crate) struct Compared;

impl AnalyzerRule for Compared {
    fn name(&self) -> &str {
        "numbers_compared_by_postgresql"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

impl ExprPlanner for Compared {
    fn plan_binary_op(&self, mut expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_compared = matches!(
            expr.op,
            BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Spaceship
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
        );
        if is_compared {
            compare(&mut [&mut expr.left, &mut expr.right], schema, comparable);
        }
        Ok(PlannerResult::Original(expr))
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::Union(union) = node {
        return of_union(union);
    }
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    let node = node.map_expressions(|expression| {
        let name = names.save(&expression);
        let rewritten = expression.transform_up(|part| of_part(part, &schema))?;
        Ok(rewritten.update_data(|expression| name.restore(expression)))
    })?;
    let node = node.map_data(recomputed)?;
    let LogicalPlan::Join(mut join) = node.data else { return Ok(node) };
    let mut is_new = node.transformed;
    let (left, right) = (join.left.schema(), join.right.schema());
    for (one, other) in &mut join.on {
        let (Ok(of_one), Ok(of_other)) = (one.get_type(left), other.get_type(right)) else { continue };
        if let Some(wanted) = comparable(&[of_one, of_other]) {
            cast(one, &wanted, left);
            cast(other, &wanted, right);
            is_new = true;
        }
    }
    Ok(Transformed::new_transformed(LogicalPlan::Join(join), is_new))
}

/// Gives the columns of a set operation their common type.
fn of_union(union: Union) -> Result<Transformed<LogicalPlan>> {
    let columns = union.schema.fields().len();
    if union.inputs.iter().any(|input| input.schema().fields().len() != columns) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let types = |column: usize| -> Vec<DataType> {
        union.inputs.iter().map(|input| input.schema().field(column).data_type().clone()).collect()
    };
    let wanted: Vec<Option<DataType>> = (0..columns).map(|column| united(&types(column))).collect();
    if wanted.iter().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.into_iter().map(|input| {
        let schema = Arc::clone(input.schema());
        let columns = schema.iter().zip(&wanted).map(|((qualifier, field), wanted)| {
            let mut column = Expr::Column((qualifier, field).into());
            if let Some(wanted) = wanted {
                cast(&mut column, wanted, &schema);
                column = column.alias_qualified(qualifier.cloned(), field.name());
            }
            column
        });
        Ok(Arc::new(LogicalPlanBuilder::from(input).project(columns.collect::<Vec<_>>())?.build()?))
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?)))
}

fn of_part(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match part {
        Expr::BinaryExpr(BinaryExpr { mut left, op, mut right }) if is_comparison(op) => {
            let is_new = compare(&mut [&mut *left, &mut *right], schema, comparable);
            Transformed::new_transformed(Expr::BinaryExpr(BinaryExpr { left, op, right }), is_new)
        }
        // Each bound is compared by itself, as by an operator.
        Expr::Between(Between { mut expr, negated, mut low, mut high }) => {
            let is_new = compare(&mut [&mut *expr, &mut *low, &mut *high], schema, comparable);
            Transformed::new_transformed(Expr::Between(Between { expr, negated, low, high }), is_new)
        }
        Expr::InList(InList { mut expr, mut list, negated }) => {
            // Several constants are one array, whose type is the common one.
            let is_array = list.len() > 1 && list.iter().all(|element| element.column_refs().is_empty());
            let mut all: Vec<&mut Expr> = std::iter::once(&mut *expr).chain(&mut list).collect();
            let is_new = compare(&mut all, schema, if is_array { united } else { comparable });
            Transformed::new_transformed(Expr::InList(InList { expr, list, negated }), is_new)
        }
        Expr::Case(Case { expr: Some(mut value), mut when_then_expr, else_expr }) => {
            let whens = when_then_expr.iter_mut().map(|(when, _)| &mut **when);
            let mut all: Vec<&mut Expr> = std::iter::once(&mut *value).chain(whens).collect();
            let is_new = compare(&mut all, schema, comparable);
            return branches(Case { expr: Some(value), when_then_expr, else_expr }, is_new, schema);
        }
        Expr::Case(case) => return branches(case, false, schema),
        // A row that is not there has a value of the same type.
        Expr::WindowFunction(mut window) if matches!(window.fun.name(), "lag" | "lead") => {
            let is_new = match window.params.args.as_mut_slice() {
                [value, _, default] => compare(&mut [value, default], schema, of_results),
                _ => false,
            };
            Transformed::new_transformed(Expr::WindowFunction(window), is_new)
        }
        Expr::InSubquery(InSubquery { mut expr, mut subquery, negated }) => {
            let of_rows = Arc::clone(subquery.subquery.schema());
            let wanted = match (expr.get_type(schema), of_rows.fields().first()) {
                (Ok(of_value), Some(field)) => comparable(&[of_value, field.data_type().clone()]),
                _ => None,
            };
            let is_new = wanted.is_some();
            if let Some(wanted) = wanted {
                cast(&mut expr, &wanted, schema);
                let mut column = Expr::Column(of_rows.columns().swap_remove(0));
                cast(&mut column, &wanted, &of_rows);
                let plan = LogicalPlanBuilder::from(Arc::clone(&subquery.subquery)).project([column])?;
                subquery.subquery = Arc::new(plan.build()?);
            }
            Transformed::new_transformed(Expr::InSubquery(InSubquery { expr, subquery, negated }), is_new)
        }
        other => Transformed::no(other),
    })
}

/// The results of CASE in their common type.
fn branches(mut case: Case, mut is_new: bool, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let thens = case.when_then_expr.iter_mut().map(|(_, then)| &mut **then);
    let mut all: Vec<&mut Expr> = thens.chain(case.else_expr.as_deref_mut()).collect();
    is_new |= compare(&mut all, schema, of_results);
    Ok(Transformed::new_transformed(Expr::Case(case), is_new))
}

/// Casts operands to the type that they are compared in; whether one is another one now.
fn compare(operands: &mut [&mut Expr], schema: &DFSchema, wanted: fn(&[DataType]) -> Option<DataType>) -> bool {
    let types: Result<Vec<DataType>> = operands.iter().map(|operand| operand.get_type(schema)).collect();
    let Ok(Some(wanted)) = types.map(|types| wanted(&types)) else { return false };
    let mut is_new = false;
    for operand in operands {
        is_new |= cast(operand, &wanted, schema);
    }
    is_new
}

fn cast(operand: &mut Expr, wanted: &DataType, schema: &DFSchema) -> bool {
    if operand.get_type(schema).is_ok_and(|given| given == *wanted) {
        return false;
    }
    let value = std::mem::take(operand);
    *operand = Expr::Cast(Cast::new(Box::new(value), wanted.clone()));
    true
}

/// The type in which an operator compares such numbers. `None` if the engine compares them so.
fn comparable(types: &[DataType]) -> Option<DataType> {
    let known = numbers(types)?;
    if known.contains(&PgType::Float8) {
        return Some(DataType::Float64);
    }
    if known.contains(&PgType::Float4) {
        return known.iter().any(|known| *known != PgType::Float4).then_some(DataType::Float64);
    }
    of_numerics(types)
}

/// The common type of such numbers, as of the branches of CASE. `None` if the engine has the same.
fn united(types: &[DataType]) -> Option<DataType> {
    let known = numbers(types)?;
    if known.contains(&PgType::Float8) || known.contains(&PgType::Float4) {
        let are_the_same = known.iter().all(|one| *one == known[0]);
        return if are_the_same { None } else { common(types) };
    }
    of_numerics(types)
}

/// The common type of results, which what stands around them asks for before the engine has found it.
fn of_results(types: &[DataType]) -> Option<DataType> {
    let known = numbers(types)?;
    match known.contains(&PgType::Float8) || known.contains(&PgType::Float4) {
        true => united(types),
        false => of_numerics(types).or_else(|| of_smaller_numerics(types)),
    }
}

/// The types, without those that are not known; `None` if one is no number.
fn numbers(types: &[DataType]) -> Option<Vec<PgType>> {
    let known: Vec<PgType> = types.iter().map(PgType::of).filter(|known| *known != PgType::Unknown).collect();
    let is_number = |known: &PgType| {
        use PgType::{Float4, Float8, Int2, Int4, Int8, Numeric};
        matches!(known, Int2 | Int4 | Int8 | Numeric | Float4 | Float8)
    };
    (known.len() > 1 && known.iter().all(is_number)).then_some(known)
}

/// The numeric that holds all of them. `None` if they are of one type, if none is a numeric, or if the engine's smaller ones hold them.
fn of_numerics(types: &[DataType]) -> Option<DataType> {
    let (digits, scale, is_large) = digits_of_all(types)?;
    (is_large || digits > SMALLER_DIGITS).then(|| numeric(scale))
}

/// The engine's smaller numeric that holds all of them. `None` if they are of one type, or if none is a numeric.
fn of_smaller_numerics(types: &[DataType]) -> Option<DataType> {
    let (digits, scale, _) = digits_of_all(types)?;
    Some(DataType::Decimal128(u8::try_from(digits).ok()?, scale))
}

/// The digits and the scale of a numeric that holds all of them, and whether one of them is of more digits than the engine's smaller
/// ones have. `None` if they are of one type, or if none is a numeric.
fn digits_of_all(types: &[DataType]) -> Option<(i32, i8, bool)> {
    let (mut scale, mut whole, mut has_numeric, mut is_large) = (0_i8, 0_i32, false, false);
    for given in types {
        let digits = match given {
            DataType::Decimal32(digits, of_one)
            | DataType::Decimal64(digits, of_one)
            | DataType::Decimal128(digits, of_one)
            | DataType::Decimal256(digits, of_one) => {
                has_numeric = true;
                is_large |= matches!(given, DataType::Decimal256(..));
                scale = scale.max(*of_one);
                i32::from(*digits) - i32::from(*of_one)
            }
            DataType::Null => 0,
            _ => 20,
        };
        whole = whole.max(digits);
    }
    let are_the_same = types.iter().all(|given| *given == types[0]);
    (has_numeric && !are_the_same).then_some((whole + i32::from(scale), scale, is_large))
}

//! The types in which values of different types are compared, before the engine coerces them by its own rules.
//!
//! | | PostgreSQL | the engine |
//! |---|---|---|
//! | a float is compared with a number of another type | as `double precision` | by the type of one of them |
//! | a `date` is compared with a `timestamp` | as `timestamp` | in nanoseconds, which end in 2262 |
//! | branches, arrays and set operations of these | the common type | the same |
//!
//! Constants that are cast become constants of the type, so that the type of a call that follows from a constant is known when it is
//! compared with others.

use crate::cast::recomputed;
use crate::comparison::is_comparison;
use crate::function::common;
use crate::text_types;
use crate::types::{PgType, array_of};
use arrow_schema::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, NullEquality, Result, ScalarValue};
use datafusion::logical_expr::expr::{InList, InSubquery, ScalarFunction, SetComparison, SetQuantifier};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, Cast, Expr, ExprSchemable, JoinType, LogicalPlan, LogicalPlanBuilder, Operator, Subquery,
};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// Whole numbers that a `real` holds exactly.
const EXACT_IN_FLOAT4: f64 = 16_777_216.0;

/// The relation whose column is compared with a value outside.
const COMPARED: &str = "holdfast compared";

/// The rule.
#[derive(Debug, Default)]
pub(crate) struct CommonTypes;

impl AnalyzerRule for CommonTypes {
    fn name(&self) -> &str {
        "common_types_of_postgresql"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    let mut rewrite = |expression: Expr| -> Result<Transformed<Expr>> {
        let name = names.save(&expression);
        let rewritten = expression.transform_up(|part| of_part(part, &schema))?;
        Ok(rewritten.update_data(|expression| name.restore(expression)))
    };
    let node = node.map_expressions(|expression| match expression {
        set @ Expr::GroupingSet(_) => set.map_children(&mut rewrite),
        other => rewrite(other),
    })?;
    let is_new = node.transformed;
    let node = of_inputs(node.data, &schema)?;
    if !is_new && !node.transformed {
        return Ok(node);
    }
    Ok(Transformed::yes(recomputed(node.data)?))
}

/// The inputs of a set operation, and the keys of a join.
fn of_inputs(node: LogicalPlan, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Union(mut union) => {
            let mut is_new = false;
            let columns = union.schema.fields().len();
            let types: Vec<Option<DataType>> = (0..columns)
                .map(|column| {
                    let of_input = |input: &Arc<LogicalPlan>| {
                        input.schema().fields().get(column).map(|field| field.data_type().clone())
                    };
                    of_branches(&union.inputs.iter().map(of_input).collect::<Option<Vec<_>>>()?)
                })
                .collect();
            for input in &mut union.inputs {
                is_new |= with_types(input, &types)?;
            }
            if !is_new {
                return Ok(Transformed::no(LogicalPlan::Union(union)));
            }
            let inputs = union.inputs.into_iter().map(Arc::unwrap_or_clone);
            let mut inputs = inputs.map(LogicalPlanBuilder::from);
            let Some(first) = inputs.next() else {
                return datafusion::common::internal_err!("a union without inputs");
            };
            let union = inputs.try_fold(first, |union, next| union.union(next.build()?))?;
            Ok(Transformed::yes(union.build()?))
        }
        LogicalPlan::Join(mut join) => {
            let mut is_new = false;
            let is_set_operation = join.null_equality == NullEquality::NullEqualsNull
                && matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti);
            if is_set_operation {
                let of_left: Vec<DataType> =
                    join.left.schema().fields().iter().map(|field| field.data_type().clone()).collect();
                let of_right: Vec<DataType> =
                    join.right.schema().fields().iter().map(|field| field.data_type().clone()).collect();
                if of_left.len() == of_right.len() {
                    let types: Vec<Option<DataType>> =
                        of_left.into_iter().zip(of_right).map(|(left, right)| of_branches(&[left, right])).collect();
                    is_new = with_types(&mut join.left, &types)? | with_types(&mut join.right, &types)?;
                }
                return Ok(Transformed::new_transformed(LogicalPlan::Join(join), is_new));
            }
            for (left, right) in &mut join.on {
                let (mut operands, is_other) = compared(vec![std::mem::take(left), std::mem::take(right)], schema);
                *right = operands.remove(1);
                *left = operands.remove(0);
                is_new |= is_other;
            }
            Ok(Transformed::new_transformed(LogicalPlan::Join(join), is_new))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Casts the columns of a plan that have other types; whether there are any.
fn with_types(input: &mut Arc<LogicalPlan>, types: &[Option<DataType>]) -> Result<bool> {
    let schema = Arc::clone(input.schema());
    let is_other = |place: usize| {
        types.get(place).and_then(Option::as_ref).filter(|wanted| *wanted != schema.field(place).data_type())
    };
    if (0..schema.fields().len()).all(|place| is_other(place).is_none()) {
        return Ok(false);
    }
    let columns: Vec<Expr> = schema
        .iter()
        .enumerate()
        .map(|(place, (qualifier, field))| {
            let column = Expr::Column(schema.columns()[place].clone());
            match is_other(place) {
                Some(wanted) => cast(column, wanted).alias_qualified(qualifier.cloned(), field.name()),
                None => column,
            }
        })
        .collect();
    *input = Arc::new(LogicalPlanBuilder::from(Arc::clone(input)).project(columns)?.build()?);
    Ok(true)
}

fn of_part(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match part {
        Expr::Cast(cast) => constant(cast),
        Expr::ScalarFunction(call) => of_call(call, schema),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            let (mut operands, is_new) = compared(vec![*left, *right], schema);
            let right = Box::new(operands.remove(1));
            let left = Box::new(operands.remove(0));
            Transformed::new_transformed(Expr::BinaryExpr(BinaryExpr { left, op, right }), is_new)
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            let (mut lower, is_lower) = compared(vec![*expr.clone(), *low.clone()], schema);
            let (mut upper, is_upper) = compared(vec![*expr.clone(), *high.clone()], schema);
            if !is_lower && !is_upper {
                return Ok(Transformed::no(Expr::Between(Between { expr, negated, low, high })));
            }
            // Each bound is compared in a type of its own.
            let (low, high) = (lower.remove(1), upper.remove(1));
            let (above, below) = (lower.remove(0).gt_eq(low), upper.remove(0).lt_eq(high));
            let between = above.and(below);
            Transformed::yes(if negated { Expr::Not(Box::new(between)) } else { between })
        }
        Expr::InList(InList { expr, list, negated }) => {
            let (mut list, is_array) = of_list(&expr, list, schema);
            list.insert(0, *expr);
            let (mut list, is_new) = compared(list, schema);
            let expr = Box::new(list.remove(0));
            match list.iter().any(is_computed_of_rows) {
                true => Transformed::yes(listed(*expr, list, negated)),
                false => Transformed::new_transformed(Expr::InList(InList { expr, list, negated }), is_array || is_new),
            }
        }
        Expr::InSubquery(mut within) => {
            let is_new = compared_with(&mut within.expr, &mut within.subquery, schema)?;
            Transformed::new_transformed(Expr::InSubquery(within), is_new)
        }
        Expr::SetComparison(comparison) => of_subquery(comparison, schema)?,
        Expr::Case(case) => of_case(case, schema),
        other => Transformed::no(other),
    })
}

/// Whether an element of a list is computed of columns. The engine takes an element for a constant that is one over no rows, as
/// `CASE WHEN a THEN 1 ELSE 2 END` is.
fn is_computed_of_rows(element: &Expr) -> bool {
    !matches!(element, Expr::Column(_)) && (element.any_column_refs() || element.contains_outer())
}

/// `value IN (list)`, of whose elements some are computed of columns: each of them is compared by itself.
fn listed(value: Expr, list: Vec<Expr>, negated: bool) -> Expr {
    let (computed, others): (Vec<Expr>, Vec<Expr>) = list.into_iter().partition(is_computed_of_rows);
    let among_others = (!others.is_empty()).then(|| value.clone().in_list(others, false));
    let comparisons = computed.into_iter().map(|element| value.clone().eq(element));
    match among_others.into_iter().chain(comparisons).reduce(Expr::or) {
        Some(found) if negated => Expr::Not(Box::new(found)),
        Some(found) => found,
        None => datafusion::prelude::lit(negated),
    }
}

/// `x = ANY (SELECT ..)`. The engine makes a condition of it in which a column of the subquery may have the name of one outside.
fn of_subquery(comparison: SetComparison, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let SetComparison { mut expr, mut subquery, op, quantifier } = comparison;
    compared_with(&mut expr, &mut subquery, schema)?;
    let negated = match (op, &quantifier) {
        (Operator::Eq, SetQuantifier::Any) => Some(false),
        (Operator::NotEq, SetQuantifier::All) => Some(true),
        _ => None,
    };
    if let Some(negated) = negated {
        return Ok(Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated })));
    }
    let plan = LogicalPlanBuilder::from(Arc::clone(&subquery.subquery)).alias(COMPARED)?.build()?;
    subquery.subquery = Arc::new(plan);
    Ok(Transformed::yes(Expr::SetComparison(SetComparison { expr, subquery, op, quantifier })))
}

/// Casts a value and the column of a subquery to the type in which they are compared; whether it is another one.
fn compared_with(value: &mut Expr, subquery: &mut Subquery, schema: &DFSchema) -> Result<bool> {
    let of_subquery = subquery.subquery.schema().fields().first().map(|field| field.data_type().clone());
    let wanted = match (value.get_type(schema), of_subquery) {
        (Ok(left), Some(right)) => of_comparison(&[left, right]),
        _ => None,
    };
    let Some(wanted) = wanted else { return Ok(false) };
    with_types(&mut subquery.subquery, &[Some(wanted.clone())])?;
    *value = cast(std::mem::take(value), &wanted);
    Ok(true)
}

/// A list without columns beside a `real` is an array of their common type; whether its values have other types now.
fn of_list(value: &Expr, list: Vec<Expr>, schema: &DFSchema) -> (Vec<Expr>, bool) {
    let types: Result<Vec<DataType>> =
        std::iter::once(value).chain(&list).map(|operand| operand.get_type(schema)).collect();
    let has_columns = list.iter().any(|operand| !operand.column_refs().is_empty());
    match types.ok().and_then(|types| common(&types)) {
        Some(DataType::Float32) if !has_columns => {
            (list.into_iter().map(|operand| cast(operand, &DataType::Float32)).collect(), true)
        }
        _ => (list, false),
    }
}

/// A constant that is cast to a type of its kind. One whose cast to text is written stays so, as that gives it a type.
fn constant(cast: Cast) -> Transformed<Expr> {
    let to = cast.field.data_type();
    if let Expr::Literal(value, metadata) = cast.expr.as_ref()
        && cast.field.metadata().is_empty()
        && cast.field.name() != text_types::WRITTEN
        && ((value.data_type().is_integer() && to.is_integer()) || (value.data_type().is_string() && to.is_string()))
        && let Ok(value) = value.cast_to(to)
    {
        return Transformed::yes(Expr::Literal(value, metadata.clone()));
    }
    Transformed::no(Expr::Cast(cast))
}

fn of_call(mut call: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
    let types: Result<Vec<DataType>> = call.args.iter().map(|argument| argument.get_type(schema)).collect();
    let Ok(types) = types else { return Transformed::no(Expr::ScalarFunction(call)) };
    let mut is_new = false;
    match (call.func.name(), types.as_slice()) {
        ("make_array", _) => {
            if let Some(wanted) = of_branches(&types) {
                (call.args, is_new) = branches(call.args, &types, &wanted);
            }
        }
        ("nullif", [left, right]) if of_nullif(left, right).is_some() => {
            let result = of_nullif(left, right).unwrap_or_else(|| left.clone());
            if let Ok(null) = ScalarValue::try_new_null(&result) {
                let other = call.args.remove(1);
                let value = call.args.remove(0);
                let (mut operands, _) = compared(vec![value.clone(), other], schema);
                let other = operands.remove(1);
                let is_equal = operands.remove(0).eq(other);
                let when = vec![(Box::new(is_equal), Box::new(Expr::Literal(null, None)))];
                let value = if result == *left { value } else { cast(value, &result) };
                return Transformed::yes(Expr::Case(Case::new(None, when, Some(Box::new(value)))));
            }
        }
        (name, [value, DataType::List(element)]) if name.starts_with("any_") || name.starts_with("all_") => {
            if let Some(wanted) = of_comparison(&[value.clone(), element.data_type().clone()]) {
                let array = call.args.remove(1);
                let value = call.args.remove(0);
                call.args = vec![cast(value, &wanted), cast(array, &array_of(wanted))];
                is_new = true;
            }
        }
        _ => {}
    }
    // A constant text in the type in which functions take texts.
    let is_text = |argument: &Expr| {
        matches!(argument, Expr::Literal(ScalarValue::Utf8(Some(_)) | ScalarValue::LargeUtf8(Some(_)), _))
    };
    if call.args.iter().any(is_text)
        && let Ok(wanted) = call.func.coerce_types(&types)
    {
        for (argument, wanted) in call.args.iter_mut().zip(wanted) {
            if wanted == DataType::Utf8View
                && is_text(argument)
                && let Expr::Literal(value, _) = argument
                && let Ok(text) = value.cast_to(&wanted)
            {
                *value = text;
                is_new = true;
            }
        }
    }
    Transformed::new_transformed(Expr::ScalarFunction(call), is_new)
}

fn of_case(mut case: Case, schema: &DFSchema) -> Transformed<Expr> {
    let results = || case.when_then_expr.iter().map(|(_, then)| then.as_ref()).chain(case.else_expr.as_deref());
    let types: Result<Vec<DataType>> = results().map(|result| result.get_type(schema)).collect();
    let Some(wanted) = types.as_ref().ok().and_then(|types| of_branches(types)) else {
        return Transformed::no(Expr::Case(case));
    };
    let types = types.unwrap_or_default();
    let (results, is_new) = branches(results().cloned().collect(), &types, &wanted);
    let mut results = results.into_iter();
    for (_, then) in &mut case.when_then_expr {
        if let Some(result) = results.next() {
            **then = result;
        }
    }
    case.else_expr = results.next().map(Box::new);
    Transformed::new_transformed(Expr::Case(case), is_new)
}

fn branches(values: Vec<Expr>, types: &[DataType], wanted: &DataType) -> (Vec<Expr>, bool) {
    let is_cast = |data_type: &DataType| data_type != wanted && !matches!(PgType::of(data_type), PgType::Unknown);
    let is_new = types.iter().any(is_cast);
    let cast_one = |(value, data_type): (Expr, &DataType)| if is_cast(data_type) { cast(value, wanted) } else { value };
    (values.into_iter().zip(types).map(cast_one).collect(), is_new)
}

/// The operands of a comparison, in the type in which they are compared, and whether they are other ones now.
fn compared(operands: Vec<Expr>, schema: &DFSchema) -> (Vec<Expr>, bool) {
    let types: Result<Vec<DataType>> = operands.iter().map(|operand| operand.get_type(schema)).collect();
    let Ok(types) = types else { return (operands, false) };
    let Some(mut wanted) = of_comparison(&types) else { return (operands, false) };
    // A constant that a `real` holds exactly is one.
    let are_exact = wanted == DataType::Float64
        && types.contains(&DataType::Float32)
        && types.iter().zip(&operands).all(|(data_type, operand)| {
            *data_type == DataType::Float32 || PgType::of(data_type) == PgType::Text || is_exact_in_float4(operand)
        });
    if are_exact {
        wanted = DataType::Float32;
    }
    let is_cast =
        |data_type: &DataType| *data_type != wanted && !matches!(PgType::of(data_type), PgType::Unknown | PgType::Text);
    let cast_one = |(operand, data_type): (Expr, &DataType)| {
        if is_cast(data_type) { cast(operand, &wanted) } else { operand }
    };
    let is_new = types.iter().any(is_cast);
    (operands.into_iter().zip(&types).map(cast_one).collect(), is_new)
}

fn is_exact_in_float4(operand: &Expr) -> bool {
    let Expr::Literal(value, _) = operand else { return false };
    let Ok(ScalarValue::Float64(Some(value))) = value.cast_to(&DataType::Float64) else { return false };
    value.fract() == 0.0 && value.abs() <= EXACT_IN_FLOAT4
}

/// The type in which values of different types are compared, where the engine would take another one.
fn of_comparison(types: &[DataType]) -> Option<DataType> {
    let known = known(types);
    let has_float = known.iter().any(|of| matches!(of, PgType::Float4 | PgType::Float8));
    if has_float && known.iter().all(is_number) && known.windows(2).any(|pair| pair[0] != pair[1]) {
        return Some(DataType::Float64);
    }
    let is_wide = |data_type: &DataType| matches!(data_type, DataType::Decimal256(..));
    let numerics = || types.iter().filter(|data_type| PgType::of(data_type) == PgType::Numeric);
    if known.iter().all(is_number) && numerics().any(is_wide) && !numerics().all(is_wide) {
        let numbers: Vec<DataType> = types.iter().filter(|other| is_number(&PgType::of(other))).cloned().collect();
        return common(&numbers);
    }
    of_times(&known)
}

/// The type of `nullif`, where the engine would take another one: that of the first operand of the operator.
fn of_nullif(left: &DataType, right: &DataType) -> Option<DataType> {
    let known = known(&[left.clone(), right.clone()]);
    let [of_left, of_right] = known.as_slice() else { return None };
    let is_float = |of: &PgType| matches!(of, PgType::Float4 | PgType::Float8);
    if of_left == of_right || !known.iter().any(is_float) || !known.iter().all(is_number) {
        return of_times(&known).map(|_| left.clone());
    }
    Some(if is_float(of_left) && is_float(of_right) { left.clone() } else { DataType::Float64 })
}

/// The type of branches of different types, where the engine would take another one.
fn of_branches(types: &[DataType]) -> Option<DataType> {
    let known = known(types);
    let has_float = known.iter().any(|of| matches!(of, PgType::Float4 | PgType::Float8));
    if has_float && known.iter().all(is_number) && known.windows(2).any(|pair| pair[0] != pair[1]) {
        let types: Vec<DataType> =
            types.iter().filter(|data_type| is_number(&PgType::of(data_type))).cloned().collect();
        return common(&types);
    }
    of_times(&known)
}

/// The types that are no constant texts and not NULL.
fn known(types: &[DataType]) -> Vec<PgType> {
    types.iter().map(PgType::of).filter(|of| !matches!(of, PgType::Unknown | PgType::Text)).collect()
}

fn of_times(known: &[PgType]) -> Option<DataType> {
    let first = known.first()?;
    let are_times = known.iter().all(|of| matches!(of, PgType::Date | PgType::Timestamp | PgType::Timestamptz));
    if !are_times || known.iter().all(|of| of == first) {
        return None;
    }
    let widest = known.iter().fold(first, |widest, next| if widest.becomes(next) { next } else { widest });
    Some(widest.arrow())
}

fn is_number(of: &PgType) -> bool {
    use PgType::{Float4, Float8, Int2, Int4, Int8, Numeric};
    matches!(of, Int2 | Int4 | Int8 | Numeric | Float4 | Float8)
}

fn cast(value: Expr, to: &DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(value), to.clone()))
}

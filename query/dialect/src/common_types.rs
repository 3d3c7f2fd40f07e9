//! The common type of branches, elements and set operations (PostgreSQL 15, 10.5), before the engine looks for its own: of a
//! numeric and a float the float, of a date and a time with time zone that, and a constant text is read as what stands beside it.
//!
//! ```text
//! plan ─▶ OfParts: casts of parts that have another type ─▶ types are coerced ─▶ Casts
//! ```
//!
//! Numerics of several scales become one of the largest scale: the engine finds no common type for two that need more than 76 digits
//! together. The common type of whole numbers is that which the engine finds, and is PostgreSQL's.

use crate::cast::recomputed;
use crate::function::common;
use crate::text_types::{NAME, VARCHAR, mark_of};
use crate::types::PgType;
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType, NullEquality, Result, ScalarValue};
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::type_coercion::binary::type_union_coercion;
use datafusion::logical_expr::type_coercion::other::get_coerce_type_for_case_expression;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Cast, Distinct, Expr, ExprSchemable, LogicalPlan, Projection, Union, Values};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// A NULL without a type.
static UNKNOWN: Expr = Expr::Literal(ScalarValue::Null, None);

/// Casts parts to their common type.
#[derive(Debug)]
pub(crate) struct OfParts;

impl AnalyzerRule for OfParts {
    fn name(&self) -> &str {
        "types_of_parts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let node = match node {
        LogicalPlan::Union(union) => of_union(union)?,
        LogicalPlan::Join(join)
            if matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftSemi)
                && join.null_equality == NullEquality::NullEqualsNull =>
        {
            of_exception(LogicalPlan::Join(join))?
        }
        LogicalPlan::Values(values) => of_values(values)?,
        other => other,
    };
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    let mut rewrite = |expression: Expr| -> Result<Transformed<Expr>> {
        let name = names.save(&expression);
        let rewritten = expression.transform_up(|part| of_part(part, &schema))?;
        Ok(rewritten.update_data(|expression| name.restore(expression)))
    };
    node.map_expressions(|expression| match expression {
        set @ Expr::GroupingSet(_) => set.map_children(&mut rewrite),
        other => rewrite(other),
    })?
    .map_data(recomputed)
}

/// A part of a common type, as far as PostgreSQL knows it.
enum Part {
    /// A value of this type.
    Of(DataType),
    /// A constant text, which is read as what stands beside it.
    Text,
    /// NULL, or a parameter.
    Unknown,
}

fn part_of(expression: &Expr, schema: &DFSchema) -> Option<Part> {
    if matches!(expression, Expr::Literal(value, None) if value.data_type().is_string()) {
        return Some(Part::Text);
    }
    let data_type = expression.get_type(schema).ok()?;
    Some(if data_type.is_null() { Part::Unknown } else { Part::Of(data_type) })
}

/// The type that parts become, if the engine would not find it.
fn wanted(parts: &[Part]) -> Option<DataType> {
    let known: Vec<DataType> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Of(data_type) => Some(data_type.clone()),
            _ => None,
        })
        .collect();
    let first = known.first()?;
    let differ = known.iter().any(|other| PgType::of(other) != PgType::of(first));
    let has_text = parts.iter().any(|part| matches!(part, Part::Text));
    let has_scales = PgType::of(first) == PgType::Numeric && known.iter().any(|other| other != first);
    if !differ && !has_text && !has_scales {
        return None;
    }
    if known.iter().any(|known| !is_plain(&PgType::of(known))) {
        return None;
    }
    let data_type = if differ || has_scales { common(&known)? } else { first.clone() };
    match PgType::of(&data_type) {
        PgType::Int2 | PgType::Int4 | PgType::Int8 if !has_text => None,
        PgType::Numeric if has_text => common(&[data_type, PgType::Numeric.arrow()]),
        _ => Some(data_type),
    }
}

/// Whether it is no text, array or row: those have no common type with others.
fn is_plain(known: &PgType) -> bool {
    !matches!(known, PgType::Text | PgType::Array(_) | PgType::Other | PgType::Unknown)
}

/// Whether a part is cast to the common type.
fn is_cast(part: &Part, to: &DataType) -> bool {
    match part {
        Part::Text => true,
        Part::Unknown => false,
        Part::Of(data_type) => data_type != to,
    }
}

fn cast(value: Expr, to: &DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(value), to.clone()))
}

/// The casts of expressions whose common type each of them gets.
fn common_of(expressions: &[&Expr], schema: &DFSchema) -> Option<(DataType, Vec<bool>)> {
    let parts: Vec<Part> = expressions.iter().map(|part| part_of(part, schema)).collect::<Option<_>>()?;
    let to = wanted(&parts)?;
    let casts = parts.iter().map(|part| is_cast(part, &to)).collect();
    Some((to, casts))
}

/// The common type that the engine finds for whole numbers and numerics. Until then it takes the type of the first branch of CASE for
/// that of all, and a NULL beside it in a set operation gets that.
fn of_numbers(branches: &[&Expr], schema: &DFSchema) -> Option<(DataType, Vec<bool>)> {
    let types: Vec<DataType> = branches.iter().map(|branch| branch.get_type(schema).ok()).collect::<Option<_>>()?;
    let is_number = |data_type: &DataType| {
        matches!(PgType::of(data_type), PgType::Int2 | PgType::Int4 | PgType::Int8 | PgType::Numeric)
    };
    let numbers: Vec<DataType> = types.iter().filter(|data_type| !data_type.is_null()).cloned().collect();
    if !numbers.iter().all(is_number) {
        return None;
    }
    let to = get_coerce_type_for_case_expression(&numbers, None)?;
    let casts: Vec<bool> = types.iter().map(|data_type| !data_type.is_null() && *data_type != to).collect();
    casts.contains(&true).then_some((to, casts))
}

fn of_part(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match part {
        Expr::Case(mut case) => {
            let mut branches: Vec<&mut Expr> = case.when_then_expr.iter_mut().map(|(_, then)| then.as_mut()).collect();
            branches.extend(case.else_expr.as_deref_mut());
            let written: Vec<&Expr> = branches.iter().map(|branch| &**branch).collect();
            let Some((to, casts)) = common_of(&written, schema).or_else(|| of_numbers(&written, schema)) else {
                return Ok(Transformed::no(Expr::Case(case)));
            };
            for (branch, is_cast) in branches.into_iter().zip(casts) {
                if is_cast {
                    *branch = cast(std::mem::replace(branch, null()), &to);
                }
            }
            Transformed::yes(Expr::Case(case))
        }
        Expr::ScalarFunction(call) => match call.name() {
            "coalesce" | "greatest" | "least" | "make_array" => {
                let written: Vec<&Expr> = call.args.iter().collect();
                let Some((to, casts)) = common_of(&written, schema) else {
                    return Ok(Transformed::no(Expr::ScalarFunction(call)));
                };
                let arguments = call.args.into_iter().zip(casts);
                let args = arguments.map(|(value, is_cast)| if is_cast { cast(value, &to) } else { value }).collect();
                Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(call.func, args)))
            }
            "nullif" => of_nullif(call, schema)?,
            _ => Transformed::no(Expr::ScalarFunction(call)),
        },
        other => Transformed::no(other),
    })
}

fn null() -> Expr {
    Expr::Literal(ScalarValue::Null, None)
}

/// `nullif` has the type that its first argument has for the operator `=`: its own, if there is an operator for both types.
fn of_nullif(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    use PgType::{Date, Float4, Float8, Int2, Int4, Int8, Numeric, Timestamp, Timestamptz};
    let unchanged = |call| Ok(Transformed::no(Expr::ScalarFunction(call)));
    let [value, other] = call.args.as_slice() else { return unchanged(call) };
    let (Ok(from), Ok(with)) = (value.get_type(schema), other.get_type(schema)) else { return unchanged(call) };
    let (known, of_other) = (PgType::of(&from), PgType::of(&with));
    if known == of_other || value.is_volatile() {
        return unchanged(call);
    }
    let result = match (&known, &of_other) {
        (Int2 | Int4 | Int8, Int2 | Int4 | Int8)
        | (Date | Timestamp | Timestamptz, Date | Timestamp | Timestamptz)
        | (Float4 | Float8, Int2 | Int4 | Int8 | Numeric | Float4 | Float8) => from.clone(),
        (Int2 | Int4 | Int8 | Numeric, Float4 | Float8) => Float8.arrow(),
        _ => return unchanged(call),
    };
    // Numbers are compared as floats of eight bytes where one is a float.
    let compared = match known {
        Float4 | Float8 | Numeric => Some(Float8.arrow()),
        _ if matches!(of_other, Float4 | Float8) => Some(Float8.arrow()),
        _ => common(&[from.clone(), with.clone()]),
    };
    let Some(compared) = compared else { return unchanged(call) };
    let as_type = |value: &Expr, from: &DataType, to: &DataType| match from == to {
        true => value.clone(),
        false => cast(value.clone(), to),
    };
    let equal = as_type(value, &from, &compared).eq(as_type(other, &with, &compared));
    let kept = as_type(value, &from, &result);
    let empty = Expr::Literal(ScalarValue::try_from(&result)?, None);
    Ok(Transformed::yes(Expr::Case(Case::new(None, vec![(Box::new(equal), Box::new(empty))], Some(Box::new(kept))))))
}

/// The part that a column of a branch is. A constant has no type only where the branch itself says it.
fn part_of_column(branch: &LogicalPlan, column: usize) -> Part {
    let is_text = match branch {
        LogicalPlan::Projection(projection) => projection.expr.get(column).is_some_and(
            |made| matches!(made.clone().unalias(), Expr::Literal(value, None) if value.data_type().is_string()),
        ),
        _ => false,
    };
    let data_type = branch.schema().field(column).data_type();
    match is_text {
        true => Part::Text,
        false if data_type.is_null() => Part::Unknown,
        false => Part::Of(data_type.clone()),
    }
}

/// A field without a mark.
fn unmarked(data_type: &DataType) -> FieldRef {
    Arc::new(Field::new("", data_type.clone(), true))
}

/// A branch whose columns are cast, where they have to be.
fn cast_columns(branch: Arc<LogicalPlan>, casts: &[Option<FieldRef>]) -> Result<Arc<LogicalPlan>> {
    if casts.iter().all(Option::is_none) {
        return Ok(branch);
    }
    if let LogicalPlan::Distinct(Distinct::All(input)) = branch.as_ref() {
        let input = cast_columns(Arc::clone(input), casts)?;
        return Ok(Arc::new(LogicalPlan::Distinct(Distinct::All(input))));
    }
    let columns = branch.schema().iter().zip(casts).map(|((qualifier, field), to)| {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        match to {
            Some(to) => Expr::Cast(Cast::new_from_field(Box::new(column), Arc::clone(to)))
                .alias_qualified(qualifier.cloned(), field.name()),
            None => column,
        }
    });
    let columns = columns.collect();
    Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(columns, branch)?)))
}

fn of_union(union: Union) -> Result<LogicalPlan> {
    let Union { inputs, schema } = union;
    let wanted: Vec<Option<DataType>> = (0..schema.fields().len())
        .map(|column| wanted(&inputs.iter().map(|input| part_of_column(input, column)).collect::<Vec<_>>()))
        .collect();
    // Until the engine finds it, it tells the first branch's type for that of all, and a set operation above would compare by that.
    let found: Vec<Option<DataType>> = (0..schema.fields().len())
        .map(|column| {
            let mut types = inputs.iter().map(|input| input.schema().field(column).data_type().clone());
            let first = types.next()?;
            types.try_fold(first, |one, other| type_union_coercion(&one, &other))
        })
        .collect();
    let inputs = inputs.into_iter().map(|input| {
        let casts = wanted
            .iter()
            .enumerate()
            .map(|(column, to)| to.as_ref().filter(|to| is_cast(&part_of_column(&input, column), to)).map(unmarked));
        let casts: Vec<Option<FieldRef>> = casts.collect();
        cast_columns(input, &casts)
    });
    let inputs = inputs.collect::<Result<_>>()?;
    let fields = schema.iter().zip(wanted).zip(found).map(|(((qualifier, field), to), found)| {
        let data_type = to.or(found).unwrap_or_else(|| field.data_type().clone());
        (qualifier.cloned(), Arc::new(Field::clone(field).with_data_type(data_type)))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())?;
    Ok(LogicalPlan::Union(Union { inputs, schema: Arc::new(schema) }))
}

/// VALUES, whose rows the engine has cast already when it planned them.
fn of_values(values: Values) -> Result<LogicalPlan> {
    let Values { schema, mut values } = values;
    let none = DFSchema::empty();
    let mut types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
    for (column, data_type) in types.iter_mut().enumerate() {
        // Of a date and a time with time zone it has made a time without, of a numeric and a float a numeric.
        if !matches!(PgType::of(data_type), PgType::Numeric | PgType::Timestamp) {
            continue;
        }
        let written: Vec<&Expr> =
            values.iter().filter_map(|row| row.get(column)).map(|value| before_cast(value, data_type)).collect();
        let Some((to, casts)) = common_of(&written, &none) else { continue };
        if PgType::of(&to) == PgType::of(data_type) {
            continue;
        }
        let written: Vec<Expr> = written.into_iter().cloned().collect();
        for ((row, value), is_cast) in values.iter_mut().zip(written).zip(casts) {
            if let Some(place) = row.get_mut(column) {
                let is_null = value.get_type(&none)?.is_null();
                *place = if is_cast || is_null { cast(value, &to) } else { value };
            }
        }
        *data_type = to;
    }
    let fields = schema.iter().zip(types).map(|((qualifier, field), data_type)| {
        (qualifier.cloned(), Arc::new(Field::clone(field).with_data_type(data_type)))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())?;
    Ok(LogicalPlan::Values(Values { schema: Arc::new(schema), values }))
}

/// What the engine has cast to the type of a column.
fn before_cast<'e>(value: &'e Expr, data_type: &DataType) -> &'e Expr {
    match value {
        Expr::Alias(alias) => before_cast(&alias.expr, data_type),
        Expr::Cast(cast) if cast.field.data_type() == data_type => &cast.expr,
        Expr::Literal(value, None) if value.is_null() => &UNKNOWN,
        other => other,
    }
}

/// EXCEPT and INTERSECT, of which the engine makes joins, have the left branch's types there.
fn of_exception(join: LogicalPlan) -> Result<LogicalPlan> {
    let [left, right] = join.inputs()[..] else { return Ok(join) };
    let columns = left.schema().fields().len();
    let mut casts: [Vec<Option<FieldRef>>; 2] = Default::default();
    for column in 0..columns {
        let parts = [part_of_column(beneath(left), column), part_of_column(right, column)];
        let to = match (&parts[0], &parts[1]) {
            (Part::Unknown, Part::Of(_)) => {
                let field = Field::clone(right.schema().field(column));
                Some(Arc::new(field.with_name("").with_nullable(true)))
            }
            // A constant text is called as the texts beside it.
            (Part::Text, Part::Of(_)) if matches!(mark_of(right.schema().field(column)), Some(VARCHAR | NAME)) => {
                let field = Field::clone(right.schema().field(column));
                Some(Arc::new(field.with_name("").with_nullable(true)))
            }
            (Part::Of(one), Part::Of(other)) if PgType::of(one) != PgType::of(other) => {
                let are_plain = is_plain(&PgType::of(one)) && is_plain(&PgType::of(other));
                are_plain.then(|| common(&[one.clone(), other.clone()])).flatten().as_ref().map(unmarked)
            }
            // Numerics of any scales are compared as they are, and the rows keep their digits.
            (Part::Of(one), Part::Of(_)) if PgType::of(one) == PgType::Numeric => None,
            _ => wanted(&parts).as_ref().map(unmarked),
        };
        for (side, part) in parts.iter().enumerate() {
            let is_cast = |to: &FieldRef| match part {
                Part::Of(data_type) => data_type != to.data_type(),
                Part::Text | Part::Unknown => true,
            };
            casts[side].push(to.clone().filter(is_cast));
        }
    }
    if casts.iter().flatten().all(Option::is_none) {
        return Ok(join);
    }
    let sides = [left, right]
        .into_iter()
        .zip(&casts)
        .map(|(side, casts)| cast_columns(Arc::new(side.clone()), casts).map(|side| side.as_ref().clone()));
    let sides = sides.collect::<Result<_>>()?;
    join.with_new_exprs(join.expressions(), sides)
}

fn beneath(branch: &LogicalPlan) -> &LogicalPlan {
    match branch {
        LogicalPlan::Distinct(Distinct::All(input)) => input,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("common_types.tsv"));
    }
}

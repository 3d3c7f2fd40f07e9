//! What texts of expressions, branches, groups and set operations are called: as the first part that has a type.
//!
//! `character varying`, `name`, `json` and `jsonb` are marks ([`crate::text_types`]). In a condition nobody sees it, and there a cast is none,
//! so that files are still selected by the column beneath.

use crate::cast_call::target;
use crate::text_types::{NAME, VARCHAR, WRITTEN, any_mark, mark_of, marked, of_arrays, of_elements, with_mark};
use crate::types::{PgType, TYPE_KEY};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{Aggregate, Cast, Expr, ExprSchemable, LogicalPlan, Projection, Union, Unnest};
use std::sync::Arc;

/// What a cast in a condition is: one to a text, or nothing.
pub(crate) fn in_condition(cast: Cast, schema: &DFSchema) -> Expr {
    let data_type = cast.field.data_type();
    match cast.expr.get_type(schema) {
        Ok(from) if from == *data_type => *cast.expr,
        _ => Expr::Cast(Cast::new(cast.expr, data_type.clone())),
    }
}

/// The field of an expression whose type is that of its first part that has one, if it is not called as that part is: `json`,
/// `character varying` or `name`.
pub(crate) fn kept(expression: &Expr, schema: &DFSchema) -> Option<FieldRef> {
    let (parts, is_array): (Vec<&Expr>, bool) = match expression {
        Expr::Case(case) => {
            // PostgreSQL looks at the last branch first.
            let branches = case.when_then_expr.iter().map(|(_, branch)| branch.as_ref());
            (case.else_expr.as_deref().into_iter().chain(branches).collect(), false)
        }
        Expr::ScalarFunction(call) => match call.name() {
            "coalesce" | "greatest" | "least" => (call.args.iter().collect(), false),
            "nullif" => return of_nullif(expression, call.args.first()?, schema),
            "make_array" | "array_append" | "array_prepend" | "array_cat" | "array_remove" | "array_replace" => {
                (call.args.iter().collect(), true)
            }
            "||" if matches!(PgType::of(&expression.get_type(schema).ok()?), PgType::Array(_)) => {
                (call.args.iter().collect(), true)
            }
            _ => return None,
        },
        _ => return None,
    };
    let has_constants = parts.iter().any(|part| is_unknown(part));
    let mut typed = parts.into_iter().filter(|part| !is_unknown(part));
    let first = typed.next()?;
    if !is_of_texts(&first.get_type(schema).ok()?) {
        return None;
    }
    let (_, field) = first.to_field(schema).ok()?;
    let others = typed.filter_map(|part| mark_of(&part.to_field(schema).ok()?.1));
    let mark = mark_of(&field).map(|first| common(first, others));
    // A constant that was not read as JSON is none.
    let mark = mark.filter(|mark| !(is_array && has_constants && is_json(mark)));
    let wanted = if is_array { mark.and_then(of_arrays) } else { mark };
    let (_, made) = expression.to_field(schema).ok()?;
    if any_mark(&made) == wanted {
        return None;
    }
    Some(Arc::new(with_mark(Field::new("", expression.get_type(schema).ok()?, true), wanted)))
}

/// The mark of parts the first of which has this mark (PostgreSQL 15, 10.5): a `character varying` becomes a `name` without being
/// asked to, and a name becomes none.
fn common<'m>(first: &'m str, mut others: impl Iterator<Item = &'m str>) -> &'m str {
    let is_name = |other: &&str| of_elements(other) == Some(NAME);
    if of_elements(first) == Some(VARCHAR) { others.find(is_name).unwrap_or(first) } else { first }
}

fn is_json(mark: &str) -> bool {
    matches!(of_elements(mark), Some("json" | "jsonb"))
}

/// The field of `nullif`, whose type is that of the first operand of `=`: a `name` is compared as it is, and a `character varying` as
/// a text.
fn of_nullif(expression: &Expr, first: &Expr, schema: &DFSchema) -> Option<FieldRef> {
    let (_, made) = expression.to_field(schema).ok()?;
    let (_, field) = first.to_field(schema).ok()?;
    let is_name = |field: &Field| mark_of(field) == Some(NAME);
    (is_name(&field) && !is_name(&made)).then(|| marked(made.data_type().clone(), NAME))
}

/// Whether it is a constant without a type, which the engine may have cast.
fn is_unknown(expression: &Expr) -> bool {
    let is_unwritten = |to: &Field| mark_of(to).is_none() && to.name() != WRITTEN;
    match expression {
        Expr::Literal(_, metadata) => metadata.is_none(),
        Expr::Alias(alias) => is_unknown(&alias.expr),
        Expr::Cast(cast) => is_unwritten(&cast.field) && is_unknown(&cast.expr),
        Expr::ScalarFunction(call) => target(call).is_some_and(is_unwritten) && call.args.iter().all(is_unknown),
        Expr::Placeholder(_) => true,
        _ => false,
    }
}

fn is_of_texts(data_type: &DataType) -> bool {
    match PgType::of(data_type) {
        PgType::Text => true,
        PgType::Array(element) => *element == PgType::Text || matches!(*element, PgType::Array(_)),
        _ => false,
    }
}

/// A set operation whose branches have the marks of the first branch that has a type. `call` marks an expression.
pub(crate) fn of_branches(union: Union, call: impl Fn(Expr, &DataType, FieldRef) -> Expr) -> Result<LogicalPlan> {
    let Union { inputs, schema } = union;
    let columns = schema.fields().len();
    let mark = |input: &LogicalPlan, column: usize| any_mark(input.schema().field(column)).map(str::to_owned);
    let is_marked = |column: usize| inputs.iter().any(|input| mark(input, column).is_some());
    if !(0..columns).any(is_marked) {
        return Ok(LogicalPlan::Union(Union { inputs, schema }));
    }
    let wanted: Vec<Option<String>> = (0..columns)
        .map(|column| {
            let mut typed = inputs.iter().filter(|input| !is_unknown_column(input, column));
            let first = mark(typed.next()?, column)?;
            let others: Vec<String> = typed.filter_map(|input| mark(input, column)).collect();
            Some(common(&first, others.iter().map(String::as_str)).to_owned())
        })
        .collect();
    let mut marked_inputs = Vec::with_capacity(inputs.len());
    for input in &inputs {
        if (0..columns).all(|column| mark(input, column) == wanted[column]) {
            marked_inputs.push(Arc::clone(input));
            continue;
        }
        let expressions = input.schema().iter().zip(&wanted).map(|((qualifier, field), wanted)| {
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            if any_mark(field) == wanted.as_deref() {
                return column;
            }
            let data_type = field.data_type();
            let to = match wanted {
                Some(wanted) => marked(data_type.clone(), wanted),
                None => Arc::new(Field::new("", data_type.clone(), true)),
            };
            call(column, data_type, to).alias_qualified(qualifier.cloned(), field.name())
        });
        let projection = Projection::try_new(expressions.collect(), Arc::clone(input))?;
        marked_inputs.push(Arc::new(LogicalPlan::Projection(projection)));
    }
    let fields = schema.iter().zip(&wanted).map(|((qualifier, field), wanted)| {
        let mut metadata = field.metadata().clone();
        match wanted {
            Some(wanted) => {
                metadata.insert(TYPE_KEY.to_owned(), wanted.clone());
            }
            None => {
                metadata.remove(TYPE_KEY);
            }
        }
        (qualifier.cloned(), Arc::new(field.as_ref().clone().with_metadata(metadata)))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())?;
    Ok(LogicalPlan::Union(Union { inputs: marked_inputs, schema: Arc::new(schema) }))
}

/// Elements of arrays as rows, with the mark that the arrays have. `call` marks an expression.
pub(crate) fn of_rows(unnest: Unnest, call: impl Fn(Expr, &DataType, FieldRef) -> Expr) -> Result<LogicalPlan> {
    let mark = |place: usize| {
        let field = unnest.schema.field(place);
        let mut lists = unnest.list_type_columns.iter();
        let (list, _) = lists.find(|(list, elements)| {
            unnest.dependency_indices.get(place) == Some(list) && *field.name() == elements.output_column.name
        })?;
        let is_element = PgType::of(field.data_type()) == PgType::Text;
        mark_of(unnest.input.schema().field(*list)).filter(|_| is_element).and_then(of_elements)
    };
    let marks = (0..unnest.schema.fields().len()).map(mark).collect();
    relabelled(LogicalPlan::Unnest(unnest), marks, call)
}

/// Groups whose `array_agg` has the mark of what it collects. `call` marks an expression.
pub(crate) fn of_groups(aggregate: Aggregate, call: impl Fn(Expr, &DataType, FieldRef) -> Expr) -> Result<LogicalPlan> {
    let input = aggregate.input.schema();
    let keys = aggregate.schema.fields().len().saturating_sub(aggregate.aggr_expr.len());
    let mark = |expression: &Expr| match expression.clone().unalias() {
        Expr::AggregateFunction(call) if call.func.name() == "array_agg" => {
            mark_of(&call.params.args.first()?.to_field(input).ok()?.1).and_then(of_arrays)
        }
        _ => None,
    };
    let marks = std::iter::repeat_n(None, keys).chain(aggregate.aggr_expr.iter().map(mark)).collect();
    relabelled(LogicalPlan::Aggregate(aggregate), marks, call)
}

/// A node whose columns have these marks; those without one are as they are.
fn relabelled(
    node: LogicalPlan,
    marks: Vec<Option<&str>>,
    call: impl Fn(Expr, &DataType, FieldRef) -> Expr,
) -> Result<LogicalPlan> {
    if marks.iter().all(Option::is_none) {
        return Ok(node);
    }
    let columns = node.schema().iter().zip(marks).map(|((qualifier, field), mark)| {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let Some(mark) = mark else { return column };
        let data_type = field.data_type();
        call(column, data_type, marked(data_type.clone(), mark)).alias_qualified(qualifier.cloned(), field.name())
    });
    let columns = columns.collect();
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(node))?))
}

/// Whether a column of a branch is a constant without a type.
fn is_unknown_column(branch: &LogicalPlan, column: usize) -> bool {
    match branch {
        LogicalPlan::Projection(projection) => match projection.expr.get(column).cloned().map(Expr::unalias) {
            // A projection that only casts what another one computes.
            Some(Expr::Cast(cast)) if matches!(*cast.expr, Expr::Column(_)) => {
                is_unknown_column(&projection.input, column)
            }
            Some(Expr::Column(_)) => {
                matches!(projection.input.as_ref(), LogicalPlan::Projection(_))
                    && is_unknown_column(&projection.input, column)
            }
            Some(expression) => is_unknown(&expression),
            None => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("text_types.tsv"));
    }
}

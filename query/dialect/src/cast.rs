//! Casts as PostgreSQL does them.
//!
//! ```text
//! types are coerced ─▶ each cast of the plan ─▶ is there a rule for (from, to)? ─▶ a call of its function
//! ```
//!
//! Also the casts that the engine adds for itself: a text constant beside a time is read as PostgreSQL reads it.

use crate::SqlError;
use crate::call::Call;
use crate::cast_call::call;
use crate::function::Evaluate;
use crate::types::{PgType, TYPE_KEY, numeric};
use crate::{called, text_types};
use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, Union, Values};
use datafusion::optimizer::AnalyzerRule;
use std::collections::HashMap;
use std::sync::Arc;

/// How values of one type become values of another one. The evaluated call has the value as its one argument, as it is (a
/// text as `Utf8View`, a numeric as `Decimal256`), and the Arrow type of the target as its result.
#[derive(Debug, Clone)]
pub(crate) struct CastRule {
    /// From this type.
    pub from: PgType,
    /// To this one.
    pub to: PgType,
    /// The cast.
    pub evaluate: Evaluate,
}

/// Replaces casts by those of PostgreSQL.
#[derive(Debug)]
pub(crate) struct Casts {
    rules: HashMap<(PgType, PgType), Evaluate>,
}

impl Casts {
    pub(crate) fn new(rules: impl IntoIterator<Item = CastRule>) -> Self {
        Self { rules: rules.into_iter().map(|rule| ((rule.from, rule.to), rule.evaluate)).collect() }
    }

    /// `cast` as a call, if there is a rule for it. A value that is no array and no text is cast to no array, of which the engine would
    /// make it the one element.
    fn of_cast(&self, cast: Cast, schema: &DFSchema) -> Result<Transformed<Expr>> {
        if let PgType::Array(_) = PgType::of(cast.field.data_type())
            && let Ok(from) = cast.expr.get_type(schema).map(|from| PgType::of(&from))
            && !matches!(from, PgType::Array(_) | PgType::Text | PgType::Other | PgType::Unknown)
        {
            let to = PgType::of(cast.field.data_type());
            return Err(SqlError::new("42846", format!("cannot cast type {from} to {to}")).into());
        }
        Ok(self.by_rule(cast, schema))
    }

    fn by_rule(&self, cast: Cast, schema: &DFSchema) -> Transformed<Expr> {
        let Ok(from) = cast.expr.get_type(schema) else { return Transformed::no(Expr::Cast(cast)) };
        let to = cast.field.data_type();
        if let Some(wanted) = text_types::mark_of(&cast.field)
            && (from == *to || from.is_null() || (PgType::of(&from) == PgType::Text && PgType::of(to) == PgType::Text))
        {
            let is_one = cast.expr.to_field(schema).is_ok_and(|(_, field)| text_types::mark_of(&field) == Some(wanted));
            return match is_one {
                true => Transformed::yes(*cast.expr),
                false => Transformed::yes(call(as_it_is, *cast.expr, &from, cast.field)),
            };
        }
        if PgType::of(&from) == PgType::Text && PgType::of(to) == PgType::Text {
            // A `json` that is cast to text is called so no longer.
            let is_marked = |field: &FieldRef| field.metadata().contains_key(TYPE_KEY);
            let is_called = cast.expr.to_field(schema).is_ok_and(|(_, field)| is_marked(&field));
            return match is_called && !is_marked(&cast.field) {
                true => Transformed::yes(call(as_it_is, *cast.expr, &from, cast.field)),
                false => Transformed::no(Expr::Cast(cast)),
            };
        }
        if from == *to {
            let is_called = cast.expr.to_field(schema).is_ok_and(|(_, field)| text_types::mark_of(&field).is_some());
            return match is_called {
                true => Transformed::yes(call(as_it_is, *cast.expr, &from, cast.field)),
                false => Transformed::no(Expr::Cast(cast)),
            };
        }
        match self.rules.get(&(PgType::of(&from), PgType::of(to))) {
            Some(evaluate) if !is_of_other_unit(to) => Transformed::yes(call(*evaluate, *cast.expr, &from, cast.field)),
            _ => Transformed::no(Expr::Cast(cast)),
        }
    }

    fn of_node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let node = match node {
            LogicalPlan::Union(union) => called::of_branches(union, |value, from, to| call(as_it_is, value, from, to))?,
            LogicalPlan::Unnest(unnest) => called::of_rows(unnest, |value, from, to| call(as_it_is, value, from, to))?,
            other => other,
        };
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let is_condition = matches!(node, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
        let mut rewrite = |expression: Expr| -> Result<Transformed<Expr>> {
            let name = names.save(&expression);
            // Only `pg_typeof` sees in a condition what a text is called.
            let shows_marks = !is_condition
                || expression
                    .exists(|part| Ok(matches!(part, Expr::ScalarFunction(call) if call.name() == "pg_typeof")))?;
            let rewritten = expression.transform_up(|part| {
                Ok(match part {
                    Expr::Cast(cast) if !shows_marks && text_types::mark_of(&cast.field).is_some() => {
                        match called::in_condition(cast, &schema) {
                            Expr::Cast(cast) => Transformed::yes(self.of_cast(cast, &schema)?.data),
                            other => Transformed::yes(other),
                        }
                    }
                    Expr::Cast(cast) => self.of_cast(cast, &schema)?,
                    other => match called::kept(&other, &schema).filter(|_| shows_marks) {
                        Some(field) => {
                            let data_type = field.data_type().clone();
                            Transformed::yes(call(as_it_is, other, &data_type, field))
                        }
                        None => Transformed::no(other),
                    },
                })
            })?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        };
        node.map_expressions(|expression| match expression {
            // Each expression of ROLLUP, CUBE and GROUPING SETS is a column, and the set is none.
            set @ Expr::GroupingSet(_) => set.map_children(&mut rewrite),
            other => rewrite(other),
        })?
        .map_data(recomputed)?
        .map_data(|node| match node {
            LogicalPlan::Aggregate(aggregate) => {
                called::of_groups(aggregate, |value, from, to| call(as_it_is, value, from, to))
            }
            other => Ok(other),
        })
    }
}

/// A node with the schema of its expressions and inputs, after these were rewritten: a result may be NULL where the engine's was not.
///
/// # Errors
/// Those of the engine.
pub fn recomputed(node: LogicalPlan) -> Result<LogicalPlan> {
    let Union { inputs, schema } = match node {
        LogicalPlan::Union(union) => union,
        LogicalPlan::Values(values) => return of_rows(values).map(LogicalPlan::Values),
        node => return node.recompute_schema(),
    };
    let is_nullable = |column: usize| {
        inputs.iter().any(|input| input.schema().fields().get(column).is_some_and(|field| field.is_nullable()))
    };
    // A branch that was called so may be cast to a plain text.
    let is_called = |column: usize, mark: &String| {
        let of_inputs = inputs.iter().filter_map(|input| input.schema().fields().get(column));
        of_inputs.into_iter().any(|field| field.metadata().get(TYPE_KEY) == Some(mark))
    };
    let fields = schema.iter().enumerate().map(|(column, (qualifier, field))| {
        let mut field = field.as_ref().clone().with_nullable(is_nullable(column));
        if field.metadata().get(TYPE_KEY).is_some_and(|mark| !is_called(column, mark)) {
            field.metadata_mut().remove(TYPE_KEY);
        }
        (qualifier.cloned(), Arc::new(field))
    });
    let schema = DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())?;
    Ok(LogicalPlan::Union(Union { inputs, schema: Arc::new(schema) }))
}

/// VALUES whose rows have the types that are told, though a value may have another scale once the constants in it are known.
fn of_rows(values: Values) -> Result<Values> {
    let Values { schema, values: mut rows } = values;
    let without_columns = DFSchema::empty();
    let mut fields: Vec<_> = schema.iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field))).collect();
    for (column, (_, field)) in fields.iter_mut().enumerate() {
        let of_rows = rows.iter().filter_map(|row| row.get(column)).map(|value| value.get_type(&without_columns));
        let types: Vec<DataType> = of_rows.collect::<Result<_>>()?;
        if types.iter().all(|data_type| data_type == field.data_type()) {
            continue;
        }
        let scale = |data_type: &DataType| match PgType::numeric_of(data_type) {
            DataType::Decimal256(_, scale) => scale,
            _ => 0,
        };
        let known = || types.iter().filter(|data_type| !data_type.is_null());
        let to = match known().all(|data_type| PgType::of(data_type) == PgType::Numeric) {
            true => known().map(scale).max().map_or_else(|| field.data_type().clone(), numeric),
            false => field.data_type().clone(),
        };
        for (row, data_type) in rows.iter_mut().zip(types) {
            if let Some(value) = row.get_mut(column)
                && data_type != to
            {
                *value = Expr::Cast(Cast::new(Box::new(std::mem::take(value)), to.clone()));
            }
        }
        *field = Arc::new(Field::clone(field).with_data_type(to));
    }
    let schema = DFSchema::new_with_metadata(fields, schema.metadata().clone())?;
    Ok(Values { schema: Arc::new(schema), values: rows })
}

/// Whether it is a date, a time of day or an interval in a unit that PostgreSQL does not have.
fn is_of_other_unit(data_type: &DataType) -> bool {
    match PgType::of(data_type) {
        PgType::Interval => {
            *data_type != PgType::Interval.arrow() && *data_type != DataType::Duration(TimeUnit::Microsecond)
        }
        date_or_time @ (PgType::Date | PgType::Time) => *data_type != date_or_time.arrow(),
        _ => false,
    }
}

/// The text itself, in the type of the target.
fn as_it_is(call: &Call) -> Result<ArrayRef> {
    Ok(arrow_cast::cast(call.any(0).array(), call.result())?)
}

impl AnalyzerRule for Casts {
    fn name(&self) -> &str {
        "casts_of_postgresql"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|node| self.of_node(node))?.data)
    }
}

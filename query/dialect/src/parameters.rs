//! The types of a statement's parameters, as PostgreSQL infers them (PostgreSQL 15, 10.2 to 10.5): a parameter without a type is
//! resolved as a constant of unknown type is.
//!
//! | parameter | type |
//! |---|---|
//! | operand of an operator, argument of a function | that of the form that the call means |
//! | condition, operand of AND, OR and NOT | boolean |
//! | branch, element of an array, column of VALUES or of a set operation | the common type of the others |
//! | cast | the type of the cast |
//!
//! The engine has told some placeholders from what stands beside them.

use crate::function::common;
use crate::text_types::{NAME, VARCHAR};
use crate::types::{PgType, TYPE_KEY};
use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType, NullEquality, Result};
use datafusion::logical_expr::expr::{Placeholder, WindowFunctionDefinition};
use datafusion::logical_expr::type_coercion::functions::{UDFCoercionExt, fields_with_udf};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Distinct, Expr, ExprSchemable, LogicalPlan, Operator};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Functions whose arguments become one type.
const OF_ONE_TYPE: [&str; 5] = ["coalesce", "nullif", "greatest", "least", "make_array"];

/// What a plan tells of one placeholder.
#[derive(Default)]
struct Told {
    /// By what it is compared or computed with.
    beside: Option<FieldRef>,
    /// By the type to which it is cast.
    cast: Option<FieldRef>,
    /// By its place.
    place: Option<FieldRef>,
}

#[derive(Default)]
struct Parameters {
    told: BTreeMap<String, Told>,
}

/// The placeholders of a plan, and the types that the plan determines.
///
/// # Errors
/// Those of the engine.
pub fn parameter_types(plan: &LogicalPlan) -> Result<BTreeMap<String, Option<FieldRef>>> {
    let mut parameters = Parameters::default();
    plan.apply_with_subqueries(|node| {
        parameters.of_node(node);
        let schema = merge_schema(&node.inputs());
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                parameters.of_part(part, &schema);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    let told = parameters.told.into_iter();
    Ok(told.map(|(name, Told { beside, cast, place })| (name, beside.map(compared).or(cast).or(place))).collect())
}

/// A `character varying` and a `name` are compared and computed with as texts are.
fn compared(field: FieldRef) -> FieldRef {
    match field.metadata().get(TYPE_KEY).map(String::as_str) {
        Some(VARCHAR | NAME) => Arc::new(field.as_ref().clone().with_metadata(Default::default())),
        _ => field,
    }
}

/// A placeholder, also one with another name.
fn open(expression: &Expr) -> Option<&Placeholder> {
    match expression {
        Expr::Placeholder(placeholder) => Some(placeholder),
        Expr::Alias(alias) => open(&alias.expr),
        _ => None,
    }
}

fn field_of(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("", data_type, true))
}

/// Whether a function's first argument is a `jsonb`, which its form takes as a text.
fn is_of_jsonb(name: &str) -> bool {
    name.starts_with("jsonb_") && !matches!(name, "jsonb_build_object" | "jsonb_build_array" | "jsonb_object")
}

fn jsonb() -> FieldRef {
    let metadata = [(TYPE_KEY.to_owned(), "jsonb".to_owned())].into();
    Arc::new(Field::new("", DataType::Utf8View, true).with_metadata(metadata))
}

impl Parameters {
    /// Where nothing else tells it, a placeholder is of this type in its place.
    fn place(&mut self, expression: &Expr, field: impl FnOnce() -> Option<FieldRef>) {
        if let Some(placeholder) = open(expression)
            && placeholder.field.as_ref().is_none_or(|field| field.data_type().is_null())
        {
            let place = &mut self.told.entry(placeholder.id.clone()).or_default().place;
            if place.is_none() {
                *place = field().filter(|field| !field.data_type().is_null());
            }
        }
    }

    fn boolean(&mut self, expression: &Expr) {
        self.place(expression, || Some(field_of(DataType::Boolean)));
    }

    /// Expressions whose common type each of them gets.
    fn of_one_type(&mut self, expressions: &[&Expr], schema: &DFSchema) {
        if !expressions.iter().any(|expression| open(expression).is_some()) {
            return;
        }
        let others = expressions.iter().filter(|expression| open(expression).is_none());
        let fields: Vec<FieldRef> = others.filter_map(|expression| Some(expression.to_field(schema).ok()?.1)).collect();
        for expression in expressions {
            self.place(expression, || common_field(&fields));
        }
    }

    fn of_call<F: UDFCoercionExt>(&mut self, arguments: &[Expr], function: &F, schema: &DFSchema) {
        if !arguments.iter().any(|argument| open(argument).is_some()) {
            return;
        }
        let fields: Result<Vec<FieldRef>> = arguments.iter().map(|argument| Ok(argument.to_field(schema)?.1)).collect();
        // A call that means no form is refused when it is planned.
        let Ok(resolved) = fields.and_then(|fields| fields_with_udf(&fields, function)) else { return };
        for (argument, field) in arguments.iter().zip(resolved) {
            self.place(argument, || Some(field_of(field.data_type().clone())));
        }
    }

    fn of_part(&mut self, part: &Expr, schema: &DFSchema) {
        match part {
            Expr::Placeholder(placeholder) => {
                let told = self.told.entry(placeholder.id.clone()).or_default();
                let known = placeholder.field.as_ref().filter(|field| !field.data_type().is_null());
                told.beside = told.beside.take().or_else(|| known.cloned());
            }
            Expr::Cast(to) => {
                if let Some(placeholder) = open(&to.expr) {
                    let told = self.told.entry(placeholder.id.clone()).or_default();
                    told.cast.get_or_insert_with(|| Arc::clone(&to.field));
                }
            }
            Expr::BinaryExpr(operation) if matches!(operation.op, Operator::And | Operator::Or) => {
                self.boolean(&operation.left);
                self.boolean(&operation.right);
            }
            Expr::Not(operand)
            | Expr::IsTrue(operand)
            | Expr::IsFalse(operand)
            | Expr::IsUnknown(operand)
            | Expr::IsNotTrue(operand)
            | Expr::IsNotFalse(operand)
            | Expr::IsNotUnknown(operand) => self.boolean(operand),
            Expr::Case(case) => {
                let (conditions, mut branches): (Vec<&Expr>, Vec<&Expr>) =
                    case.when_then_expr.iter().map(|(when, then)| (when.as_ref(), then.as_ref())).unzip();
                branches.extend(case.else_expr.as_deref());
                self.of_one_type(&branches, schema);
                match &case.expr {
                    Some(value) => {
                        let mut compared = vec![value.as_ref()];
                        compared.extend(conditions);
                        self.of_one_type(&compared, schema);
                    }
                    None => conditions.into_iter().for_each(|condition| self.boolean(condition)),
                }
            }
            // It is two comparisons.
            Expr::Between(between) => {
                self.of_one_type(&[&between.expr, &between.low], schema);
                self.of_one_type(&[&between.expr, &between.high], schema);
            }
            Expr::InList(list) => {
                let mut compared = vec![list.expr.as_ref()];
                compared.extend(&list.list);
                self.of_one_type(&compared, schema);
            }
            Expr::ScalarFunction(call) if OF_ONE_TYPE.contains(&call.name()) => {
                self.of_one_type(&call.args.iter().collect::<Vec<_>>(), schema);
            }
            Expr::ScalarFunction(call) if is_of_jsonb(call.name()) => {
                call.args.iter().take(1).for_each(|value| self.place(value, || Some(jsonb())));
                self.of_call(&call.args, call.func.as_ref(), schema);
            }
            Expr::ScalarFunction(call) => self.of_call(&call.args, call.func.as_ref(), schema),
            Expr::AggregateFunction(call) => {
                self.of_call(&call.params.args, call.func.as_ref(), schema);
                call.params.filter.iter().for_each(|filter| self.boolean(filter));
            }
            Expr::WindowFunction(call) => {
                match (&call.fun, call.params.args.as_slice()) {
                    (WindowFunctionDefinition::WindowUDF(function), [value, offset, default @ ..])
                        if matches!(function.name(), "lag" | "lead" | "nth_value") =>
                    {
                        self.place(offset, || Some(field_of(DataType::Int32)));
                        let mut values = vec![value];
                        values.extend(default);
                        self.of_one_type(&values, schema);
                    }
                    (WindowFunctionDefinition::WindowUDF(function), [groups]) if function.name() == "ntile" => {
                        self.place(groups, || Some(field_of(DataType::Int32)));
                    }
                    (WindowFunctionDefinition::WindowUDF(function), arguments) => {
                        self.of_call(arguments, function.as_ref(), schema);
                    }
                    (WindowFunctionDefinition::AggregateUDF(function), arguments) => {
                        self.of_call(arguments, function.as_ref(), schema);
                    }
                }
                call.params.filter.iter().for_each(|filter| self.boolean(filter));
            }
            _ => {}
        }
    }

    fn of_node(&mut self, node: &LogicalPlan) {
        match node {
            LogicalPlan::Filter(filter) => self.boolean(&filter.predicate),
            LogicalPlan::Join(join) => {
                join.filter.iter().for_each(|filter| self.boolean(filter));
                // What the engine makes of EXCEPT and INTERSECT.
                if matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftSemi)
                    && join.null_equality == NullEquality::NullEqualsNull
                {
                    self.of_set_operation(&[&join.left, &join.right]);
                }
            }
            LogicalPlan::Union(union) => {
                self.of_set_operation(&union.inputs.iter().map(AsRef::as_ref).collect::<Vec<_>>());
            }
            LogicalPlan::Limit(limit) => {
                for count in [&limit.skip, &limit.fetch].into_iter().flatten() {
                    self.place(count, || Some(field_of(DataType::Int64)));
                }
            }
            LogicalPlan::Values(values) => {
                for column in 0..values.schema.fields().len() {
                    let column: Vec<&Expr> = values.values.iter().filter_map(|row| row.get(column)).collect();
                    self.of_one_type(&column, &DFSchema::empty());
                }
            }
            _ => {}
        }
    }

    fn of_set_operation(&mut self, inputs: &[&LogicalPlan]) {
        for column in 0..inputs.first().map_or(0, |first| first.schema().fields().len()) {
            let (placeholders, others): (Vec<_>, Vec<_>) = inputs
                .iter()
                .map(|input| (made_of(input, column).filter(|made| open(made).is_some()), input))
                .partition(|(placeholder, _)| placeholder.is_some());
            let fields: Vec<FieldRef> =
                others.iter().filter_map(|(_, input)| input.schema().fields().get(column).cloned()).collect();
            for placeholder in placeholders.into_iter().filter_map(|(placeholder, _)| placeholder) {
                self.place(placeholder, || common_field(&fields));
            }
        }
    }
}

/// The expression that a column of a branch is.
fn made_of(branch: &LogicalPlan, column: usize) -> Option<&Expr> {
    match branch {
        LogicalPlan::Projection(projection) => projection.expr.get(column),
        LogicalPlan::Limit(limit) => made_of(&limit.input, column),
        LogicalPlan::Sort(sort) => made_of(&sort.input, column),
        LogicalPlan::Distinct(Distinct::All(input)) => made_of(input, column),
        LogicalPlan::SubqueryAlias(alias) => made_of(&alias.input, column),
        _ => None,
    }
}

/// The common type, and of texts that are called by another name, the name of the first one.
fn common_field(fields: &[FieldRef]) -> Option<FieldRef> {
    let known: Vec<&FieldRef> = fields.iter().filter(|field| !field.data_type().is_null()).collect();
    let types: Vec<DataType> = known.iter().map(|field| field.data_type().clone()).collect();
    let first = known.first()?;
    match common(&types) {
        Some(data_type) if PgType::of(&data_type) == PgType::Text => Some(Arc::clone(first)),
        Some(data_type) => Some(field_of(data_type)),
        None => Some(Arc::clone(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::context;
    use datafusion::common::config::Dialect;

    /// The types of the parameters of a statement, as PostgreSQL names them.
    fn types(sql: &str) -> String {
        let context = context();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let state = context.state();
            let mut statement = state.sql_to_statement(sql, &Dialect::PostgreSQL).unwrap();
            crate::rewrite(&mut statement).unwrap();
            let plan = match state.statement_to_plan(statement).await {
                Ok(plan) => plan,
                Err(error) => return error.strip_backtrace(),
            };
            let types = parameter_types(&plan).unwrap();
            let name = |field: Option<FieldRef>| match field {
                Some(field) => {
                    field.metadata().get(TYPE_KEY).cloned().unwrap_or_else(|| PgType::of(field.data_type()).to_string())
                }
                None => "text".to_owned(),
            };
            types.into_values().map(name).collect::<Vec<_>>().join(",")
        })
    }

    #[test]
    fn parameters_have_the_types_that_postgresql_tells() {
        let mut wrong = Vec::new();
        for line in include_str!("parameters.tsv").lines().filter(|line| !line.starts_with('#')) {
            let (sql, told) = line.split_once('\t').unwrap();
            let got = types(sql);
            if got != told {
                wrong.push(format!("{sql}\n    PostgreSQL: {told}\n    here:       {got}"));
            }
        }
        assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    }
}

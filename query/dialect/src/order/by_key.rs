//! Values of some types are compared by their [keys](super::keys): the engine's order of them is another one.
//!
//! | in a statement | becomes |
//! |---|---|
//! | comparisons, BETWEEN, IN, `CASE x WHEN y`, conditions of joins | the same of keys |
//! | ORDER BY, of windows and aggregates as well | by the key |
//! | GROUP BY, DISTINCT, UNION, sets of groups | by the key; the value is the first one of the group |
//! | DISTINCT ON | by the key |
//! | `count(DISTINCT x)` | of keys |
//! | `nullif` | a CASE |
//!
//! A difference of times, which is a number of microseconds, needs nothing of it: its order is that of its length. Neither does
//! the comparison of a float with a constant one that is neither zero nor NaN.

use super::keys::{function, have_key};
use crate::comparison::is_comparison;
use crate::time::DIFFERENCE;
use crate::types::PgType;
use arrow_schema::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{
    AggregateFunction, GroupingSet, InList, InSubquery, ScalarFunction, Sort, WindowFunction,
};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::{grouping_set_to_exprlist, merge_schema};
use datafusion::logical_expr::{
    Aggregate, Between, BinaryExpr, Case, Cast, Distinct, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder,
    ScalarUDF,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use std::sync::Arc;

/// The rule.
#[derive(Debug)]
pub(crate) struct ByKey {
    key: Arc<ScalarUDF>,
}

impl Default for ByKey {
    fn default() -> Self {
        Self { key: Arc::new(function().udf()) }
    }
}

impl AnalyzerRule for ByKey {
    fn name(&self) -> &str {
        "values_by_key"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|node| self.of_node(node))?.data)
    }
}

/// Reads the texts beside an interval or a truth value in a comparison as such ones.
#[derive(Debug)]
pub(crate) struct TextsBeside;

impl ExprPlanner for TextsBeside {
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
        if is_compared && let (Ok(right), Ok(left)) = (expr.right.get_type(schema), expr.left.get_type(schema)) {
            if left.is_string()
                && let Some(known) = read_beside(&right, &expr.left)
            {
                expr.left = Expr::Cast(Cast::new(Box::new(expr.left), known));
            } else if right.is_string()
                && let Some(known) = read_beside(&left, &expr.right)
            {
                expr.right = Expr::Cast(Cast::new(Box::new(expr.right), known));
            }
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// The type as which a text beside a value of `other` is read. Only a constant is a truth value.
fn read_beside(other: &DataType, text: &Expr) -> Option<DataType> {
    let is_constant = || matches!(text, Expr::Literal(..));
    match PgType::of(other) {
        PgType::Interval => Some(PgType::Interval.arrow()),
        PgType::Bool if is_constant() => Some(DataType::Boolean),
        _ => None,
    }
}

impl AnalyzerRule for TextsBeside {
    fn name(&self) -> &str {
        "texts_beside_values"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let of_node = |node: LogicalPlan| {
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            node.map_expressions(|expression| {
                let name = names.save(&expression);
                let rewritten = expression.transform_up(|part| Ok(of_constants(part, &schema)))?;
                Ok(rewritten.update_data(|expression| name.restore(expression)))
            })
        };
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

/// BETWEEN and IN, the constant texts of which are intervals or truth values if the value is one.
fn of_constants(part: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let known = |value: &Expr| {
        value.get_type(schema).ok().filter(|known| matches!(PgType::of(known), PgType::Interval | PgType::Bool))
    };
    let read = |text: &mut Expr, other: &DataType| {
        if matches!(text, Expr::Literal(value, _) if value.data_type().is_string())
            && let Some(read) = read_beside(other, text)
        {
            let value = std::mem::take(text);
            *text = Expr::Cast(Cast::new(Box::new(value), read));
        }
    };
    match part {
        Expr::Between(Between { expr, negated, mut low, mut high }) => match known(&expr) {
            Some(known) => {
                read(&mut low, &known);
                read(&mut high, &known);
                Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
            }
            None => Transformed::no(Expr::Between(Between { expr, negated, low, high })),
        },
        Expr::InList(InList { expr, mut list, negated }) => match known(&expr) {
            Some(known) => {
                list.iter_mut().for_each(|text| read(text, &known));
                Transformed::yes(Expr::InList(InList { expr, list, negated }))
            }
            None => Transformed::no(Expr::InList(InList { expr, list, negated })),
        },
        other => Transformed::no(other),
    }
}

fn has_key(expression: &Expr, schema: &DFSchema) -> bool {
    expression.get_type(schema).is_ok_and(|data_type| have_key(&data_type))
}

impl ByKey {
    fn of_node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let mut rewrite = |expression: Expr| -> Result<Transformed<Expr>> {
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|part| self.of_part(part, &schema))?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        };
        let node = node.map_expressions(|expression| match expression {
            set @ Expr::GroupingSet(_) => set.map_children(&mut rewrite),
            other => rewrite(other),
        })?;
        let is_new = node.transformed;
        let node = self.by_keys(node.data, &schema)?;
        Ok(Transformed::new_transformed(node.data, is_new || node.transformed))
    }

    /// The keys of a node: of a sort, a join or groups.
    fn by_keys(&self, node: LogicalPlan, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
        match node {
            LogicalPlan::Sort(mut sort) => {
                let is_new = self.sorted(&mut sort.expr, schema);
                Ok(Transformed::new_transformed(LogicalPlan::Sort(sort), is_new))
            }
            LogicalPlan::Join(mut join) => {
                let mut is_new = false;
                for (left, right) in &mut join.on {
                    if has_key(left, schema) && has_key(right, schema) {
                        *left = self.key_of(std::mem::take(left));
                        *right = self.key_of(std::mem::take(right));
                        is_new = true;
                    }
                }
                Ok(Transformed::new_transformed(LogicalPlan::Join(join), is_new))
            }
            LogicalPlan::Aggregate(aggregate) => self.grouped(aggregate, schema),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let has_keys = input.schema().fields().iter().any(|field| have_key(field.data_type()));
                if !has_keys {
                    return Ok(Transformed::no(LogicalPlan::Distinct(Distinct::All(input))));
                }
                let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
                let schema = Arc::clone(input.schema());
                let aggregate = Aggregate::try_new(input, columns, Vec::new())?;
                self.grouped(aggregate, &schema)
            }
            LogicalPlan::Distinct(Distinct::On(mut on)) => {
                let mut is_new = self.sorted(on.sort_expr.as_mut().map_or(&mut [], Vec::as_mut_slice), schema);
                for expression in &mut on.on_expr {
                    if has_key(expression, schema) {
                        *expression = self.key_of(std::mem::take(expression));
                        is_new = true;
                    }
                }
                Ok(Transformed::new_transformed(LogicalPlan::Distinct(Distinct::On(on)), is_new))
            }
            other => Ok(Transformed::no(other)),
        }
    }

    /// Groups by keys, each with its first value. The keys are columns of the input, so that sets of groups name them as well.
    fn grouped(&self, aggregate: Aggregate, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
        let Aggregate { input, group_expr, aggr_expr, schema: of_result, .. } = aggregate;
        let values: Vec<Expr> = grouping_set_to_exprlist(&group_expr)?.into_iter().cloned().collect();
        if !values.iter().any(|value| has_key(value, schema)) {
            let aggregate = Aggregate::try_new(input, group_expr, aggr_expr)?;
            return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
        }
        let (mut keys, mut firsts) = (Vec::new(), Vec::new());
        for value in values.iter().filter(|value| has_key(value, schema)) {
            let bare = value.clone().unalias();
            let name = format!("order key {}", keys.len());
            keys.push((value.clone(), Expr::Column(Column::from_name(&name)), self.key_of(bare.clone()).alias(name)));
            firsts.push(first_of(bare).alias(format!("first value {}", firsts.len())));
        }
        let key_of = |value: &Expr| keys.iter().find(|(of, _, _)| of == value).map(|(_, key, _)| key.clone());
        let by_keys = |values: Vec<Expr>| -> Vec<Expr> {
            values.into_iter().map(|value| key_of(&value).unwrap_or(value)).collect()
        };
        let group_expr = match <[Expr; 1]>::try_from(group_expr) {
            Ok([Expr::GroupingSet(set)]) => vec![Expr::GroupingSet(match set {
                GroupingSet::Rollup(values) => GroupingSet::Rollup(by_keys(values)),
                GroupingSet::Cube(values) => GroupingSet::Cube(by_keys(values)),
                GroupingSet::GroupingSets(sets) => GroupingSet::GroupingSets(sets.into_iter().map(by_keys).collect()),
            })],
            Ok(one) => by_keys(one.into()),
            Err(several) => by_keys(several),
        };
        let columns = input.schema().columns().into_iter().map(Expr::Column);
        let input_columns: Vec<Expr> = columns.chain(keys.iter().map(|(_, _, key)| key.clone())).collect();
        let input = LogicalPlanBuilder::from(input).project(input_columns)?.build()?;
        let places: Vec<Option<usize>> =
            values.iter().map(|value| keys.iter().position(|(of, _, _)| of == value)).collect();
        let before_firsts = of_result.fields().len();
        let all = aggr_expr.into_iter().chain(firsts).collect();
        let grouped = Aggregate::try_new(Arc::new(input), group_expr, all)?;
        let columns = grouped.schema.columns();
        let column = |place: usize| Expr::Column(columns[place].clone());
        // Under their names, in their order.
        let named = of_result.iter().enumerate().map(|(place, (qualifier, field))| {
            let value = match places.get(place).copied().flatten() {
                // NULL is the key of NULL, and of what the set does not group by.
                Some(first) => {
                    let when = vec![(Box::new(column(place).is_not_null()), Box::new(column(before_firsts + first)))];
                    Expr::Case(Case::new(None, when, None))
                }
                None => column(place),
            };
            value.alias_qualified(qualifier.cloned(), field.name())
        });
        let plan = LogicalPlanBuilder::from(LogicalPlan::Aggregate(grouped)).project(named.collect::<Vec<_>>())?;
        Ok(Transformed::yes(plan.build()?))
    }

    fn of_part(&self, part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        Ok(match part {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
                let (mut operands, is_new) = self.comparable(vec![*left, *right], schema);
                let right = Box::new(operands.remove(1));
                let left = Box::new(operands.remove(0));
                Transformed::new_transformed(Expr::BinaryExpr(BinaryExpr { left, op, right }), is_new)
            }
            Expr::Between(Between { expr, negated, low, high }) => {
                let (mut operands, is_new) = self.comparable(vec![*expr, *low, *high], schema);
                let high = Box::new(operands.remove(2));
                let low = Box::new(operands.remove(1));
                let expr = Box::new(operands.remove(0));
                Transformed::new_transformed(Expr::Between(Between { expr, negated, low, high }), is_new)
            }
            Expr::InList(InList { expr, mut list, negated }) => {
                list.insert(0, *expr);
                let (mut list, is_new) = self.comparable(list, schema);
                let expr = Box::new(list.remove(0));
                Transformed::new_transformed(Expr::InList(InList { expr, list, negated }), is_new)
            }
            Expr::InSubquery(InSubquery { expr, mut subquery, negated }) if has_key(&expr, schema) => {
                let columns = subquery.subquery.schema().columns();
                let plan = LogicalPlanBuilder::from(Arc::clone(&subquery.subquery));
                let lengths = columns.into_iter().map(|column| self.key_of(Expr::Column(column)));
                subquery.subquery = Arc::new(plan.project(lengths.collect::<Vec<_>>())?.build()?);
                let expr = Box::new(self.key_of(*expr));
                Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated }))
            }
            Expr::ScalarFunction(call) => self.of_call(call, schema),
            Expr::AggregateFunction(aggregate) => self.of_aggregate(aggregate, schema),
            Expr::WindowFunction(window) => self.of_window(*window, schema),
            Expr::Case(case) => self.of_case(case, schema),
            other => Transformed::no(other),
        })
    }

    /// `nullif(x, y)` compares, too.
    fn of_call(&self, mut call: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
        let data_type = match call.args.as_slice() {
            [value, _] if call.func.name() == "nullif" => value.get_type(schema).ok().filter(have_key),
            _ => None,
        };
        let Some(null) = data_type.and_then(|data_type| ScalarValue::try_new_null(&data_type).ok()) else {
            return Transformed::no(Expr::ScalarFunction(call));
        };
        let other = call.args.remove(1);
        let value = call.args.remove(0);
        let are_equal = self.key_of(value.clone()).eq(self.key_of(other));
        let when = vec![(Box::new(are_equal), Box::new(Expr::Literal(null, None)))];
        Transformed::yes(Expr::Case(Case::new(None, when, Some(Box::new(value)))))
    }

    fn of_case(&self, mut case: Case, schema: &DFSchema) -> Transformed<Expr> {
        let is_new = case.expr.as_deref().is_some_and(|value| has_key(value, schema))
            && case.when_then_expr.iter().all(|(value, _)| has_key(value, schema));
        if is_new {
            case.expr = case.expr.map(|value| Box::new(self.key_of(*value)));
            for (value, _) in &mut case.when_then_expr {
                **value = self.key_of(std::mem::take(&mut **value));
            }
        }
        Transformed::new_transformed(Expr::Case(case), is_new)
    }

    fn of_aggregate(&self, mut aggregate: AggregateFunction, schema: &DFSchema) -> Transformed<Expr> {
        // It sorts different values itself.
        let sorts = aggregate.func.name() == "array_agg" && aggregate.params.distinct;
        let mut is_new = !sorts && self.sorted(&mut aggregate.params.order_by, schema);
        let counts_keys = aggregate.func.name() == "count"
            && aggregate.params.distinct
            && matches!(aggregate.params.args.as_slice(), [of] if has_key(of, schema));
        if counts_keys {
            let value = aggregate.params.args.remove(0);
            aggregate.params.args.push(self.key_of(value));
            is_new = true;
        }
        Transformed::new_transformed(Expr::AggregateFunction(aggregate), is_new)
    }

    fn of_window(&self, mut window: WindowFunction, schema: &DFSchema) -> Transformed<Expr> {
        let mut is_new = self.sorted(&mut window.params.order_by, schema);
        for key in &mut window.params.partition_by {
            if has_key(key, schema) {
                *key = self.key_of(std::mem::take(key));
                is_new = true;
            }
        }
        Transformed::new_transformed(Expr::from(window), is_new)
    }

    /// Makes keys of what something is sorted by.
    fn sorted(&self, keys: &mut [Sort], schema: &DFSchema) -> bool {
        let mut is_new = false;
        for key in keys {
            if has_key(&key.expr, schema) {
                key.expr = self.key_of(std::mem::take(&mut key.expr));
                is_new = true;
            }
        }
        is_new
    }

    /// The operands of a comparison, which have one type, and whether they are other ones now.
    fn comparable(&self, operands: Vec<Expr>, schema: &DFSchema) -> (Vec<Expr>, bool) {
        let types: Result<Vec<DataType>> = operands.iter().map(|operand| operand.get_type(schema)).collect();
        let Ok(types) = types else { return (operands, false) };
        let have_keys = types.iter().all(|data_type| have_key(data_type) || *data_type == DIFFERENCE);
        let is_left = operands.iter().any(is_ordinary_float)
            && operands.iter().all(|operand| is_ordinary_float(operand) || matches!(operand, Expr::Column(_)));
        if !have_keys || !types.iter().any(have_key) || is_left {
            return (operands, false);
        }
        (operands.into_iter().map(|operand| self.key_of(operand)).collect(), true)
    }

    fn key_of(&self, value: Expr) -> Expr {
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&self.key), vec![value.unalias()]))
    }
}

/// Whether it is a constant float with which the engine compares columns as PostgreSQL does.
fn is_ordinary_float(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(ScalarValue::Float32(Some(value)), _) => *value != 0.0 && !value.is_nan(),
        Expr::Literal(ScalarValue::Float64(Some(value)), _) => *value != 0.0 && !value.is_nan(),
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Literal(value, metadata)
                if cast.field.data_type().is_floating() && value.data_type().is_numeric() =>
            {
                let value = value.cast_to(cast.field.data_type());
                value.is_ok_and(|value| is_ordinary_float(&Expr::Literal(value, metadata.clone())))
            }
            _ => false,
        },
        _ => false,
    }
}

fn first_of(value: Expr) -> Expr {
    let first = AggregateFunction::new_udf(first_value_udaf(), vec![value], false, None, Vec::new(), None);
    Expr::AggregateFunction(first)
}

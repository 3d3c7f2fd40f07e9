//! Aggregates over rows that another condition than `=` finds for the row around them, as in
//! `(SELECT count (*) FROM u WHERE u.time > t.time)`, and LATERAL subqueries of such aggregates. The engine joins them by equal keys only.
//!
//! ```text
//! t ─▶ its distinct values of the columns that the subquery names ─▶ LEFT JOIN u ON the condition
//!   ─▶ the aggregates of the rows that were found, by these values ─▶ LEFT JOIN with t by them
//! ```

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinConstraint, JoinType, NullEquality, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{merge_schema, split_conjunction};
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Operator, Projection, Subquery,
    SubqueryAlias, lit,
};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// The rule.
#[derive(Debug)]
pub(crate) struct Unequal;

impl AnalyzerRule for Unequal {
    fn name(&self) -> &str {
        "aggregates_by_unequal_keys"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(of_node)?.data)
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Projection(projection) => of_projection(projection),
        LogicalPlan::Filter(filter) => of_filter(filter),
        LogicalPlan::Join(join) => of_lateral(join),
        other => Ok(Transformed::no(other)),
    }
}

/// Whether an expression has a subquery that names columns around it. Most plans have none.
fn has_subquery(expression: &Expr) -> Result<bool> {
    let is_it = |part: &Expr| matches!(part, Expr::ScalarSubquery(query) if !query.outer_ref_columns.is_empty());
    expression.exists(|part| Ok(is_it(part)))
}

fn of_projection(projection: Projection) -> Result<Transformed<LogicalPlan>> {
    if !projection.expr.iter().map(has_subquery).collect::<Result<Vec<_>>>()?.contains(&true) {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    }
    let names = NamePreserver::new(&LogicalPlan::Projection(projection.clone()));
    let mut values = Values::over(&projection.input);
    let expressions = projection.expr.iter().map(|expression| {
        let name = names.save(expression);
        Ok(name.restore(values.taken(expression.clone())?))
    });
    let expressions = expressions.collect::<Result<Vec<Expr>>>()?;
    if values.count == 0 {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    }
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(expressions, values.input)?)))
}

fn of_filter(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    if !has_subquery(&filter.predicate)? {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    let mut values = Values::over(&filter.input);
    let condition = values.taken(filter.predicate.clone())?;
    if values.count == 0 {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    }
    let columns: Vec<Expr> = filter.input.schema().columns().into_iter().map(Expr::Column).collect();
    let filtered = LogicalPlanBuilder::from(values.input.as_ref().clone()).filter(condition)?.project(columns)?;
    Ok(Transformed::yes(filtered.build()?))
}

/// Rows to which the values of subqueries are joined.
struct Values {
    input: Arc<LogicalPlan>,
    count: usize,
}

impl Values {
    fn over(input: &Arc<LogicalPlan>) -> Self {
        Self { input: Arc::clone(input), count: 0 }
    }

    /// The expression with columns in the place of subqueries.
    fn taken(&mut self, expression: Expr) -> Result<Expr> {
        let taken = expression.transform_down(|part| {
            let Expr::ScalarSubquery(subquery) = &part else { return Ok(Transformed::no(part)) };
            let Some(found) = Found::of(&subquery.subquery, &self.input)? else { return Ok(Transformed::no(part)) };
            let name = format!("value of unequal {}", self.count);
            let (values, keys) = found.by_keys(&self.input, self.count)?;
            let Some(first) = values.schema().columns().into_iter().next() else { return Ok(Transformed::no(part)) };
            let mut columns = vec![Expr::Column(first).alias(&name)];
            columns.extend(keys.iter().map(|(_, key)| key.clone()));
            let values = LogicalPlanBuilder::from(values).project(columns)?.build()?;
            self.input = Arc::new(joined(Arc::clone(&self.input), values, keys, None, JoinType::Left)?);
            self.count += 1;
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
        })?;
        Ok(taken.data)
    }
}

fn joined(
    left: Arc<LogicalPlan>,
    right: LogicalPlan,
    keys: Vec<(Expr, Expr)>,
    filter: Option<Expr>,
    join_type: JoinType,
) -> Result<LogicalPlan> {
    let (on, equality) = (JoinConstraint::On, NullEquality::NullEqualsNull);
    Ok(LogicalPlan::Join(Join::try_new(left, Arc::new(right), keys, filter, join_type, on, equality, false)?))
}

fn of_lateral(join: Join) -> Result<Transformed<LogicalPlan>> {
    let unchanged = |join| Ok(Transformed::no(LogicalPlan::Join(join)));
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) || !join.on.is_empty() {
        return unchanged(join);
    }
    let (subquery, alias) = match join.right.as_ref() {
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias, .. }) => match input.as_ref() {
            LogicalPlan::Subquery(Subquery { subquery, .. }) => (subquery, alias.clone()),
            _ => return unchanged(join),
        },
        _ => return unchanged(join),
    };
    let Some(found) = Found::of(subquery, &join.left)? else { return unchanged(join) };
    let (values, keys) = found.by_keys(&join.left, 0)?;
    let values = LogicalPlanBuilder::from(values).alias(alias.clone())?.build()?;
    let of_alias = |key: Expr| match key {
        Expr::Column(column) => Expr::Column(Column::new(Some(alias.clone()), column.name)),
        other => other,
    };
    let keys = keys.into_iter().map(|(own, key)| (own, of_alias(key))).collect();
    let columns: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
    let rows = joined(Arc::clone(&join.left), values, keys, join.filter.clone(), join.join_type)?;
    Ok(Transformed::yes(LogicalPlanBuilder::from(rows).project(columns)?.build()?))
}

/// A subquery that has one row: aggregates over the rows of a condition.
struct Found {
    /// What is above the aggregates, the nearest first.
    above: Vec<LogicalPlan>,
    aggregate: Aggregate,
    condition: Expr,
    rows: Arc<LogicalPlan>,
    /// The columns of the rows around it.
    outer: Vec<Column>,
}

impl Found {
    /// `None` if it is another subquery, or one for which the engine has a join.
    fn of(subquery: &LogicalPlan, around: &LogicalPlan) -> Result<Option<Self>> {
        let mut above = Vec::new();
        let mut plan = subquery;
        let aggregate = loop {
            match plan {
                LogicalPlan::Projection(Projection { input, .. }) | LogicalPlan::Filter(Filter { input, .. }) => {
                    above.push(plan.clone());
                    plan = input;
                }
                LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => break aggregate.clone(),
                _ => return Ok(None),
            }
        };
        above.reverse();
        let LogicalPlan::Filter(Filter { predicate, input, .. }) = aggregate.input.as_ref() else { return Ok(None) };
        let is_by_equal_keys = split_conjunction(predicate).into_iter().all(is_equal_or_own);
        if is_by_equal_keys || names_outer(input)? || is_volatile(around)? {
            return Ok(None);
        }
        let mut outer = Vec::new();
        let mut has_subquery = false;
        let above_and_aggregates = above.iter().flat_map(LogicalPlan::expressions).chain(aggregate.aggr_expr.clone());
        for expression in above_and_aggregates.chain([predicate.clone()]) {
            expression.apply(|part| {
                match part {
                    Expr::OuterReferenceColumn(_, column) if !outer.contains(column) => outer.push(column.clone()),
                    Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) => {
                        has_subquery = true;
                    }
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        if has_subquery || outer.is_empty() || !outer.iter().all(|column| around.schema().has_column(column)) {
            return Ok(None);
        }
        let (condition, rows) = (predicate.clone(), Arc::clone(input));
        Ok(Some(Self { above, aggregate, condition, rows, outer }))
    }

    /// The row of the subquery for the values of the columns around it, and the keys: a column around it, and the one that has its value.
    fn by_keys(self, around: &Arc<LogicalPlan>, place: usize) -> Result<(LogicalPlan, Vec<(Expr, Expr)>)> {
        let key = |column: usize| Column::new_unqualified(format!("key {column} of unequal {place}"));
        let keys: Vec<Expr> = (0..self.outer.len()).map(|column| Expr::Column(key(column))).collect();
        let named = |expression: Expr| -> Result<Expr> {
            let named = expression.transform(|part| {
                Ok(match &part {
                    Expr::OuterReferenceColumn(_, column) => {
                        match self.outer.iter().position(|known| known == column) {
                            Some(column) => Transformed::yes(Expr::Column(key(column))),
                            None => Transformed::no(part),
                        }
                    }
                    _ => Transformed::no(part),
                })
            })?;
            Ok(named.data)
        };
        let values = self.outer.iter().enumerate();
        let values = values.map(|(at, column)| Expr::Column(column.clone()).alias(key(at).name));
        let distinct = LogicalPlanBuilder::from(around.as_ref().clone()).project(values)?.distinct()?;
        let is_found = format!("found by unequal {place}");
        let mut columns: Vec<Expr> = self.rows.schema().columns().into_iter().map(Expr::Column).collect();
        columns.push(lit(true).alias(&is_found));
        let rows = LogicalPlanBuilder::from(self.rows.as_ref().clone()).project(columns)?.build()?;
        let condition = named(self.condition.clone())?;
        let rows = distinct.join_on(rows, JoinType::Left, [condition])?;

        let found = Expr::Column(Column::new_unqualified(&is_found));
        let fields = self.aggregate.schema.iter();
        let aggregates = self.aggregate.aggr_expr.iter().zip(fields).map(|(aggregate, (_, field))| {
            let of_found = aggregate.clone().unalias().transform_down(|part| {
                Ok(match part {
                    Expr::AggregateFunction(mut call) => {
                        let of_call = call.params.filter.take();
                        let filter = of_call.map_or_else(|| found.clone(), |filter| filter.and(found.clone()));
                        call.params.filter = Some(Box::new(filter));
                        Transformed::complete(Expr::AggregateFunction(call))
                    }
                    other => Transformed::no(other),
                })
            })?;
            Ok(named(of_found.data)?.alias(field.name()))
        });
        let aggregates = aggregates.collect::<Result<Vec<Expr>>>()?;
        let mut plan = rows.aggregate(keys.clone(), aggregates)?;
        for node in &self.above {
            plan = match node {
                LogicalPlan::Projection(projection) => {
                    let names = NamePreserver::new(node);
                    let shown = projection.expr.iter().map(|expression| {
                        let name = names.save(expression);
                        Ok(name.restore(named(expression.clone())?))
                    });
                    let shown = shown.collect::<Result<Vec<Expr>>>()?;
                    plan.project(shown.into_iter().chain(keys.iter().cloned()))?
                }
                LogicalPlan::Filter(filter) => plan.filter(named(filter.predicate.clone())?)?,
                _ => plan,
            };
        }
        let own = self.outer.iter().map(|column| Expr::Column(column.clone()));
        Ok((plan.build()?, own.zip(keys).collect()))
    }
}

/// Whether a condition compares an own value with one of the row around it by `=`, or has nothing of that row.
fn is_equal_or_own(condition: &Expr) -> bool {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let is_mixed = |side: &Expr| side.contains_outer() && side.any_column_refs();
            let are_both_outer = left.contains_outer() && right.contains_outer();
            !is_mixed(left) && !is_mixed(right) && !are_both_outer
        }
        other => !other.contains_outer(),
    }
}

/// Whether a plan has columns of the row around it. Those of a subquery in it may be its own.
fn names_outer(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        let own = merge_schema(&node.inputs());
        let is_other =
            |column: &Expr| matches!(column, Expr::OuterReferenceColumn(_, column) if !own.has_column(column));
        for expression in node.expressions() {
            expression.apply(|part| {
                found |= match part {
                    Expr::OuterReferenceColumn(..) => true,
                    Expr::ScalarSubquery(subquery) => subquery.outer_ref_columns.iter().any(is_other),
                    Expr::Exists(exists) => exists.subquery.outer_ref_columns.iter().any(is_other),
                    Expr::InSubquery(list) => list.subquery.outer_ref_columns.iter().any(is_other),
                    Expr::SetComparison(compared) => compared.subquery.outer_ref_columns.iter().any(is_other),
                    _ => false,
                };
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn is_volatile(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= node.expressions().iter().any(Expr::is_volatile);
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("unequal.tsv"));
    }
}

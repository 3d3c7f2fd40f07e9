//! Column lineage: follows withheld columns through a statement, to its results and to the expressions that it
//! computes.
//!
//! A withheld column is NULL in every row. That is correct only where the column is shown: `count(data)` would be 0 and
//! `WHERE data IS NULL` would be true, and both would be wrong. So a withheld column may be passed on, renamed and
//! shown. This module names every other use, and its caller refuses the statement.
//!
//! The analysis runs on the plan as it was written, before the optimizer removes or moves anything. It walks the plan
//! once, and computes for each output column of each node the withheld columns that it originates from. The views of
//! the archive are *trusted*: their projections may compute with withheld columns, because each of their expressions is
//! NULL where its input is. The result is then withheld as well. Filters, joins and groups of a view may not compute
//! with them.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::Expr;
use datafusion::logical_expr::{
    Distinct, Join, JoinType, LogicalPlan, Partitioning, RecursiveQuery, Subquery, TableScan,
};
use holdfast_archive::Table;
use holdfast_events::Tier;
use std::collections::HashMap;

/// A column of a table of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) table: Table,
    pub(crate) column: String,
    pub(crate) tier: Tier,
}

/// The withheld columns that an output column originates from. Mostly empty.
pub(crate) type Origins = Vec<Origin>;

/// How often a recursive query is walked at most. In each round an origin can move one column further.
const MAX_ROUNDS: usize = 64;

/// What a statement does with withheld columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lineage {
    /// For each output column, the withheld columns that it shows.
    pub(crate) shown: Vec<Origins>,
    /// The withheld columns that the statement computes with, by the names that it gives them.
    pub(crate) computed: Vec<(String, Origin)>,
}

/// Analyses `plan`. `source` returns the withheld columns of a table: the origins of each column of its whole schema.
pub(crate) fn analyse(
    plan: &LogicalPlan,
    trusted: bool,
    source: &dyn Fn(&TableScan) -> Vec<Origins>,
) -> Result<Lineage> {
    let mut walk = Walk { source, trusted, computed: Vec::new(), outer: Vec::new(), work_tables: HashMap::new() };
    let shown = walk.plan(plan)?;
    Ok(Lineage { shown, computed: walk.computed })
}

/// The columns that an expression can refer to.
#[derive(Clone)]
struct NameScope {
    schema: DFSchemaRef,
    origins: Vec<Origins>,
}

impl NameScope {
    fn find(&self, column: &Column) -> Option<&Origins> {
        let index = self.schema.maybe_index_of_column(column).or_else(|| {
            self.schema.iter().position(|(_, field)| column.relation.is_none() && field.name() == &column.name)
        })?;
        self.origins.get(index)
    }
}

struct Walk<'a> {
    source: &'a dyn Fn(&TableScan) -> Vec<Origins>,
    trusted: bool,
    computed: Vec<(String, Origin)>,
    /// The scopes around a subquery, outermost first.
    outer: Vec<NameScope>,
    /// The tables of recursive queries that are being walked.
    work_tables: HashMap<String, Vec<Origins>>,
}

impl Walk<'_> {
    /// The origins of a plan's output columns.
    fn plan(&mut self, plan: &LogicalPlan) -> Result<Vec<Origins>> {
        match plan {
            LogicalPlan::Projection(node) => {
                let scope = self.scope(&node.input)?;
                node.expr.iter().map(|expr| self.output(expr, &scope)).collect()
            }
            LogicalPlan::Filter(node) => {
                let scope = self.scope(&node.input)?;
                self.compute(&node.predicate, &scope)?;
                Ok(scope.origins)
            }
            LogicalPlan::Window(node) => {
                let scope = self.scope(&node.input)?;
                for expr in &node.window_expr {
                    self.compute(expr, &scope)?;
                }
                let added = vec![Origins::new(); node.window_expr.len()];
                Ok(scope.origins.into_iter().chain(added).collect())
            }
            LogicalPlan::Aggregate(node) => {
                let scope = self.scope(&node.input)?;
                for expr in node.group_expr.iter().chain(&node.aggr_expr) {
                    self.compute(expr, &scope)?;
                }
                Ok(no_origins(plan))
            }
            LogicalPlan::Sort(node) => {
                let scope = self.scope(&node.input)?;
                for sort in &node.expr {
                    self.compute(&sort.expr, &scope)?;
                }
                Ok(scope.origins)
            }
            LogicalPlan::Join(node) => self.join(node),
            LogicalPlan::Repartition(node) => {
                let scope = self.scope(&node.input)?;
                match &node.partitioning_scheme {
                    Partitioning::Hash(keys, _) | Partitioning::DistributeBy(keys) => {
                        for key in keys {
                            self.compute(key, &scope)?;
                        }
                    }
                    _ => {}
                }
                Ok(scope.origins)
            }
            LogicalPlan::Union(node) => {
                let mut origins = vec![Origins::new(); node.schema.fields().len()];
                for input in &node.inputs {
                    merge(&mut origins, self.plan(input)?);
                }
                Ok(origins)
            }
            LogicalPlan::TableScan(scan) => self.table(scan),
            LogicalPlan::Subquery(subquery) => self.plan(&subquery.subquery),
            LogicalPlan::SubqueryAlias(node) => self.plan(&node.input),
            LogicalPlan::Limit(node) => {
                let scope = self.scope(&node.input)?;
                for bound in node.skip.iter().chain(&node.fetch) {
                    self.compute(bound, &scope)?;
                }
                Ok(scope.origins)
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let scope = self.scope(input)?;
                self.compute_all(&scope);
                Ok(scope.origins)
            }
            LogicalPlan::Distinct(Distinct::On(node)) => {
                let scope = self.scope(&node.input)?;
                let sorts = node.sort_expr.iter().flatten().map(|sort| &sort.expr);
                for expr in node.on_expr.iter().chain(sorts) {
                    self.compute(expr, &scope)?;
                }
                node.select_expr.iter().map(|expr| self.output(expr, &scope)).collect()
            }
            LogicalPlan::Unnest(node) => {
                let scope = self.scope(&node.input)?;
                for column in &node.exec_columns {
                    self.compute(&Expr::Column(column.clone()), &scope)?;
                }
                let inputs = node.dependency_indices.iter();
                Ok(inputs.map(|input| scope.origins.get(*input).cloned().unwrap_or_default()).collect())
            }
            LogicalPlan::RecursiveQuery(node) => self.recursion(node),
            LogicalPlan::Values(node) => {
                let nothing = NameScope { schema: DFSchema::empty().into(), origins: Vec::new() };
                for expr in node.values.iter().flatten() {
                    self.compute(expr, &nothing)?;
                }
                Ok(no_origins(plan))
            }
            // Nodes that show a plan, and unknown nodes: what they return has no withheld columns of their inputs.
            LogicalPlan::Explain(node) => {
                self.plan(&node.plan)?;
                Ok(no_origins(plan))
            }
            LogicalPlan::Analyze(node) => {
                self.plan(&node.input)?;
                Ok(no_origins(plan))
            }
            LogicalPlan::EmptyRelation(_) | LogicalPlan::DescribeTable(_) => Ok(no_origins(plan)),
            other => {
                for input in other.inputs() {
                    let scope = self.scope(input)?;
                    self.compute_all(&scope);
                }
                Ok(no_origins(plan))
            }
        }
    }

    fn scope(&mut self, input: &LogicalPlan) -> Result<NameScope> {
        let origins = self.plan(input)?;
        Ok(NameScope { schema: input.schema().clone(), origins })
    }

    fn table(&mut self, scan: &TableScan) -> Result<Vec<Origins>> {
        let all = match work_table(scan).and_then(|query| self.work_tables.get(&query)) {
            Some(origins) => origins.clone(),
            None => (self.source)(scan),
        };
        let origins = match &scan.projection {
            Some(columns) => columns.iter().map(|column| all.get(*column).cloned().unwrap_or_default()).collect(),
            None => all,
        };
        let scope = NameScope { schema: scan.projected_schema.clone(), origins };
        for filter in &scan.filters {
            self.compute(filter, &scope)?;
        }
        Ok(scope.origins)
    }

    fn join(&mut self, join: &Join) -> Result<Vec<Origins>> {
        let left = self.scope(&join.left)?;
        // The right side of a lateral join may refer to columns of the left.
        self.outer.push(left.clone());
        let right = self.scope(&join.right);
        self.outer.pop();
        let right = right?;
        for (one, other) in &join.on {
            self.compute(one, &left)?;
            self.compute(other, &right)?;
        }
        if let Some(filter) = &join.filter {
            let schema = left.schema.join(&right.schema)?;
            let origins = left.origins.iter().chain(&right.origins).cloned().collect();
            self.compute(filter, &NameScope { schema: schema.into(), origins })?;
        }
        Ok(match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                left.origins.into_iter().chain(right.origins).collect()
            }
            JoinType::LeftSemi | JoinType::LeftAnti => left.origins,
            JoinType::RightSemi | JoinType::RightAnti => right.origins,
            JoinType::LeftMark => left.origins.into_iter().chain([Origins::new()]).collect(),
            JoinType::RightMark => right.origins.into_iter().chain([Origins::new()]).collect(),
        })
    }

    fn recursion(&mut self, query: &RecursiveQuery) -> Result<Vec<Origins>> {
        let mut origins = self.plan(&query.static_term)?;
        for _ in 0..MAX_ROUNDS {
            let before = origins.clone();
            let shadowed = self.work_tables.insert(query.name.clone(), origins.clone());
            let step = self.plan(&query.recursive_term);
            match shadowed {
                Some(shadowed) => self.work_tables.insert(query.name.clone(), shadowed),
                None => self.work_tables.remove(&query.name),
            };
            merge(&mut origins, step?);
            if origins == before {
                break;
            }
        }
        if query.is_distinct {
            self.compute_all(&NameScope { schema: query.schema.clone(), origins: origins.clone() });
        }
        Ok(origins)
    }

    /// The origins of an expression whose value is passed on.
    fn output(&mut self, expr: &Expr, scope: &NameScope) -> Result<Origins> {
        match expr {
            Expr::Alias(alias) => self.output(&alias.expr, scope),
            Expr::Column(column) => Ok(self.find(column, scope)),
            Expr::OuterReferenceColumn(_, column) => Ok(self.find_outer(column)),
            Expr::ScalarSubquery(subquery) => Ok(self.subquery(subquery, scope)?.into_iter().flatten().collect()),
            _ if self.trusted => {
                let before = self.computed.len();
                self.compute(expr, scope)?;
                let mut origins = Origins::new();
                for (_, origin) in self.computed.drain(before..) {
                    if !origins.contains(&origin) {
                        origins.push(origin);
                    }
                }
                Ok(origins)
            }
            _ => {
                self.compute(expr, scope)?;
                Ok(Origins::new())
            }
        }
    }

    /// Records every withheld column that an expression computes with.
    fn compute(&mut self, expr: &Expr, scope: &NameScope) -> Result<()> {
        expr.apply(|part| {
            match part {
                Expr::Column(column) => {
                    let origins = self.find(column, scope);
                    self.record(&column.name, origins);
                }
                Expr::OuterReferenceColumn(_, column) => {
                    let origins = self.find_outer(column);
                    self.record(&column.name, origins);
                }
                // Whether a row exists does not depend on the columns that it shows.
                Expr::Exists(exists) => {
                    self.subquery(&exists.subquery, scope)?;
                }
                Expr::ScalarSubquery(subquery) => self.compute_subquery(subquery, scope)?,
                Expr::InSubquery(membership) => self.compute_subquery(&membership.subquery, scope)?,
                Expr::SetComparison(comparison) => self.compute_subquery(&comparison.subquery, scope)?,
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    fn compute_subquery(&mut self, subquery: &Subquery, scope: &NameScope) -> Result<()> {
        let origins = self.subquery(subquery, scope)?;
        self.compute_all(&NameScope { schema: subquery.subquery.schema().clone(), origins });
        Ok(())
    }

    fn subquery(&mut self, subquery: &Subquery, scope: &NameScope) -> Result<Vec<Origins>> {
        self.outer.push(scope.clone());
        // A subquery is not the projection of a view, even if the expression around it is.
        let trusted = std::mem::replace(&mut self.trusted, false);
        let origins = self.plan(&subquery.subquery);
        self.trusted = trusted;
        self.outer.pop();
        origins
    }

    fn compute_all(&mut self, scope: &NameScope) {
        for ((_, field), origins) in scope.schema.iter().zip(&scope.origins) {
            self.record(field.name(), origins.clone());
        }
    }

    fn record(&mut self, name: &str, origins: Origins) {
        self.computed.extend(origins.into_iter().map(|origin| (name.to_owned(), origin)));
    }

    fn find(&self, column: &Column, scope: &NameScope) -> Origins {
        scope.find(column).cloned().unwrap_or_else(|| self.find_outer(column))
    }

    fn find_outer(&self, column: &Column) -> Origins {
        self.outer.iter().rev().find_map(|scope| scope.find(column)).cloned().unwrap_or_default()
    }
}

/// The recursive query whose rows a scan reads. It is recognised by its source: a table can have the query's name.
fn work_table(scan: &TableScan) -> Option<String> {
    let provider = source_as_provider(&scan.source).ok()?;
    let provider: &dyn std::any::Any = provider.as_ref();
    Some(provider.downcast_ref::<CteWorkTable>()?.name().to_owned())
}

fn no_origins(plan: &LogicalPlan) -> Vec<Origins> {
    vec![Origins::new(); plan.schema().fields().len()]
}

fn merge(columns: &mut [Origins], more: Vec<Origins>) {
    for (origins, more) in columns.iter_mut().zip(more) {
        for origin in more {
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
    }
}

#[cfg(test)]
mod tests;

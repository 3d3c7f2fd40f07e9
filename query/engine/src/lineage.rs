//! Follows withheld columns through a statement: which of its results are withheld, and what it computes with them.
//!
//! A withheld column is NULL in every row, which is an honest answer only where it is shown. `count(data)` would be 0 and
//! `WHERE data IS NULL` would be true, and both would be lies. So a column of which something is withheld may be passed
//! on, renamed and shown; whatever else is done with it is named here, and refused by the caller of this module.
//!
//! The analysis runs on the plan as it was written, before the optimiser removes or moves anything. It walks the plan
//! once and knows for each output column of each node which withheld columns it comes from. The views of the archive
//! are *trusted*: their projections may compute with withheld columns, because each of their expressions is NULL where
//! its input is; the result is then withheld as its input is. Filters, joins and groups of a view may not.

use crate::trace::Origin;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::expr::Expr;
use datafusion::logical_expr::{
    Distinct, Join, JoinType, LogicalPlan, Partitioning, RecursiveQuery, Subquery, TableScan,
};
use std::collections::HashMap;

/// The withheld columns that an output column comes from. Mostly none.
pub(crate) type Origins = Vec<Origin>;

/// How a recursive query is walked again at most, which is as often as a origins_of_column can move one column further.
const MOST_ROUNDS: usize = 64;

/// What a statement does with withheld columns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lineage {
    /// For each output column the withheld columns that it shows.
    pub(crate) shown: Vec<Origins>,
    /// What is computed with, by the name that the statement gives it.
    pub(crate) computed: Vec<(String, Origin)>,
}

/// Analyses `plan`. `source` tells the withheld columns of a table, one origins_of_column for each column of its whole schema.
pub(crate) fn analyse(
    plan: &LogicalPlan,
    trusted: bool,
    source: &dyn Fn(&TableScan) -> Vec<Origins>,
) -> Result<Lineage> {
    let mut walk = Walk { source, trusted, computed: Vec::new(), outer: Vec::new(), work_tables: HashMap::new() };
    let shown = walk.plan(plan)?;
    Ok(Lineage { shown, computed: walk.computed })
}

/// The columns that an expression can name.
#[derive(Clone)]
struct Scope {
    schema: DFSchemaRef,
    origins: Vec<Origins>,
}

impl Scope {
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
    outer: Vec<Scope>,
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
                Ok(untainted(plan))
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
                let nothing = Scope { schema: DFSchema::empty().into(), origins: Vec::new() };
                for expr in node.values.iter().flatten() {
                    self.compute(expr, &nothing)?;
                }
                Ok(untainted(plan))
            }
            // What shows a plan and what is not known here: it may show nothing that is withheld of its inputs.
            LogicalPlan::Explain(node) => {
                self.plan(&node.plan)?;
                Ok(untainted(plan))
            }
            LogicalPlan::Analyze(node) => {
                self.plan(&node.input)?;
                Ok(untainted(plan))
            }
            LogicalPlan::EmptyRelation(_) | LogicalPlan::DescribeTable(_) => Ok(untainted(plan)),
            other => {
                for input in other.inputs() {
                    let scope = self.scope(input)?;
                    self.compute_all(&scope);
                }
                Ok(untainted(plan))
            }
        }
    }

    fn scope(&mut self, input: &LogicalPlan) -> Result<Scope> {
        let origins = self.plan(input)?;
        Ok(Scope { schema: input.schema().clone(), origins })
    }

    fn table(&mut self, scan: &TableScan) -> Result<Vec<Origins>> {
        let all = match self.work_tables.get(scan.table_name.table()) {
            Some(origins) if scan.source.schema().fields().len() == origins.len() => origins.clone(),
            _ => (self.source)(scan),
        };
        let origins = match &scan.projection {
            Some(columns) => columns.iter().map(|column| all.get(*column).cloned().unwrap_or_default()).collect(),
            None => all,
        };
        let scope = Scope { schema: scan.projected_schema.clone(), origins };
        for filter in &scan.filters {
            self.compute(filter, &scope)?;
        }
        Ok(scope.origins)
    }

    fn join(&mut self, join: &Join) -> Result<Vec<Origins>> {
        let left = self.scope(&join.left)?;
        // A lateral join's right side may name the columns of its left.
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
            self.compute(filter, &Scope { schema: schema.into(), origins })?;
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
        for _ in 0..MOST_ROUNDS {
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
            self.compute_all(&Scope { schema: query.schema.clone(), origins: origins.clone() });
        }
        Ok(origins)
    }

    /// The origins_of_column of an expression whose value is passed on.
    fn output(&mut self, expr: &Expr, scope: &Scope) -> Result<Origins> {
        match expr {
            Expr::Alias(alias) => self.output(&alias.expr, scope),
            Expr::Column(column) => Ok(self.find(column, scope)),
            Expr::OuterReferenceColumn(_, column) => Ok(self.find_outer(column)),
            Expr::ScalarSubquery(subquery) => Ok(self.subquery(subquery, scope)?.into_iter().flatten().collect()),
            _ if self.trusted => {
                let before = self.computed.len();
                self.compute(expr, scope)?;
                let mut origins_of_column = Origins::new();
                for (_, origin) in self.computed.drain(before..) {
                    if !origins_of_column.contains(&origin) {
                        origins_of_column.push(origin);
                    }
                }
                Ok(origins_of_column)
            }
            _ => {
                self.compute(expr, scope)?;
                Ok(Origins::new())
            }
        }
    }

    /// Notes every withheld column that an expression computes with.
    fn compute(&mut self, expr: &Expr, scope: &Scope) -> Result<()> {
        expr.apply(|part| {
            match part {
                Expr::Column(column) => {
                    let origins_of_column = self.find(column, scope);
                    self.note(&column.name, origins_of_column);
                }
                Expr::OuterReferenceColumn(_, column) => {
                    let origins_of_column = self.find_outer(column);
                    self.note(&column.name, origins_of_column);
                }
                // Whether there are rows does not depend on what they show.
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

    fn compute_subquery(&mut self, subquery: &Subquery, scope: &Scope) -> Result<()> {
        let origins = self.subquery(subquery, scope)?;
        self.compute_all(&Scope { schema: subquery.subquery.schema().clone(), origins });
        Ok(())
    }

    fn subquery(&mut self, subquery: &Subquery, scope: &Scope) -> Result<Vec<Origins>> {
        self.outer.push(scope.clone());
        // What stands inside is not the projection of a view, also where the outer expression is.
        let trusted = std::mem::replace(&mut self.trusted, false);
        let origins = self.plan(&subquery.subquery);
        self.trusted = trusted;
        self.outer.pop();
        origins
    }

    fn compute_all(&mut self, scope: &Scope) {
        for ((_, field), origins_of_column) in scope.schema.iter().zip(&scope.origins) {
            self.note(field.name(), origins_of_column.clone());
        }
    }

    fn note(&mut self, name: &str, origins_of_column: Origins) {
        self.computed.extend(origins_of_column.into_iter().map(|origin| (name.to_owned(), origin)));
    }

    fn find(&self, column: &Column, scope: &Scope) -> Origins {
        scope.find(column).cloned().unwrap_or_else(|| self.find_outer(column))
    }

    fn find_outer(&self, column: &Column) -> Origins {
        self.outer.iter().rev().find_map(|scope| scope.find(column)).cloned().unwrap_or_default()
    }
}

fn untainted(plan: &LogicalPlan) -> Vec<Origins> {
    vec![Origins::new(); plan.schema().fields().len()]
}

fn merge(origins: &mut [Origins], more: Vec<Origins>) {
    for (origins_of_column, more) in origins.iter_mut().zip(more) {
        for origin in more {
            if !origins_of_column.contains(&origin) {
                origins_of_column.push(origin);
            }
        }
    }
}

#[cfg(test)]
mod tests;

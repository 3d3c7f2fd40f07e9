//! Keys of groups that do not determine the others. The engine knows that a column of distinct rows determines the columns beside it. Of
//! groups over a join of these rows it believes that the column determines all keys (`aggregate_functional_dependencies` of DataFusion 55),
//! and leaves out keys of sorting, of other groups and of DISTINCT, and whole joins:
//!
//! ```text
//! SELECT a.k, b.s FROM (SELECT DISTINCT k FROM t) a CROSS JOIN b GROUP BY 1, 2 ORDER BY 1, 2     sorted by k alone
//! ```
//!
//! So where a key does not determine the others, it becomes a value of which nothing is known beneath the groups. Rows of the elements
//! of arrays repeat what stands beside these, and the engine believes of them what held of the rows beneath (`Unnest`): nothing is known
//! of any column there.

use arrow_schema::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Distinct, DistinctOn, Expr, LogicalPlan, LogicalPlanBuilder, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Unnest, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::TableFactor;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The rule. To be the last one, because others make groups as well.
#[derive(Debug)]
pub(crate) struct Dependencies {
    itself: Arc<ScalarUDF>,
}

impl Default for Dependencies {
    fn default() -> Self {
        let signature = Signature::any(1, Volatility::Immutable);
        Self { itself: Arc::new(ScalarUDF::new_from_impl(Itself { signature })) }
    }
}

impl AnalyzerRule for Dependencies {
    fn name(&self) -> &str {
        "dependencies_of_keys"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut repeats = false;
        plan.apply_with_subqueries(|node| {
            repeats = matches!(node, LogicalPlan::Join(_) | LogicalPlan::Unnest(_));
            Ok(if repeats { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        // Where no rows are repeated, a key determines what the engine believes.
        if !repeats {
            return Ok(plan);
        }
        // What the engine knows of distinct rows it knows of groups, which it makes of them later.
        let plan = plan.transform_up_with_subqueries(as_groups)?.data;
        Ok(plan.transform_up_with_subqueries(|node| self.of_node(node))?.data)
    }
}

/// `SELECT DISTINCT` as groups without aggregates.
fn as_groups(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Distinct(Distinct::All(input)) if !input.schema().fields().is_empty() => {
            let keys = input.schema().columns().into_iter().map(Expr::Column).collect();
            Ok(Transformed::yes(LogicalPlan::Aggregate(Aggregate::try_new(input, keys, Vec::new())?)))
        }
        other => Ok(Transformed::no(other)),
    }
}

impl Dependencies {
    fn of_node(&self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        // What was believed of the rows beneath may not hold any more.
        let node = node.recompute_schema()?;
        let columns = undetermining(&node);
        if columns.is_empty() {
            return Ok(Transformed::yes(node));
        }
        Ok(Transformed::yes(match node {
            LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, .. }) => {
                let input = self.unknown(input, &columns)?;
                LogicalPlan::Aggregate(Aggregate::try_new(input, group_expr, aggr_expr)?)
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                LogicalPlan::Distinct(Distinct::All(self.unknown(input, &columns)?))
            }
            LogicalPlan::Distinct(Distinct::On(DistinctOn { on_expr, select_expr, sort_expr, input, .. })) => {
                let input = self.unknown(input, &columns)?;
                LogicalPlan::Distinct(Distinct::On(DistinctOn::try_new(on_expr, select_expr, sort_expr, input)?))
            }
            LogicalPlan::Unnest(Unnest { input, exec_columns, options, .. }) => {
                LogicalPlan::Unnest(Unnest::try_new(self.unknown(input, &columns)?, exec_columns, options)?)
            }
            other => other,
        }))
    }

    /// The rows, of whose columns at these places nothing is known.
    fn unknown(&self, rows: Arc<LogicalPlan>, places: &BTreeSet<usize>) -> Result<Arc<LogicalPlan>> {
        let columns: Vec<Expr> = rows
            .schema()
            .columns()
            .into_iter()
            .enumerate()
            .map(|(place, column)| {
                let (relation, name) = (column.relation.clone(), column.name.clone());
                let column = Expr::Column(column);
                if !places.contains(&place) {
                    return column;
                }
                let call = ScalarFunction::new_udf(Arc::clone(&self.itself), vec![column]);
                Expr::ScalarFunction(call).alias_qualified(relation, name)
            })
            .collect();
        Ok(Arc::new(LogicalPlanBuilder::from(rows).project(columns)?.build()?))
    }
}

/// Rows of elements as a table of FROM: the planner adds the columns to the keys of groups that it believes the keys to determine, so
/// nothing is known of these rows before there are groups.
#[derive(Debug, Default)]
pub(crate) struct RowsOfElements(Dependencies);

impl RelationPlanner for RowsOfElements {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        match relation {
            TableFactor::Derived { lateral, subquery, alias: Some(alias), sample } => {
                // Without an alias this planner lets it be.
                let plan = context.plan(TableFactor::Derived { lateral, subquery, alias: None, sample })?;
                let plan = self.0.of_rows(plan)?;
                Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, Some(alias)))))
            }
            other => Ok(RelationPlanning::Original(Box::new(other))),
        }
    }
}

impl Dependencies {
    /// The rows, of which nothing is known if they are of elements.
    fn of_rows(&self, rows: LogicalPlan) -> Result<LogicalPlan> {
        let known = rows.schema().functional_dependencies();
        let places: BTreeSet<usize> = known.iter().flat_map(|known| known.source_indices.iter().copied()).collect();
        if places.is_empty() || !rows.exists(|node| Ok(matches!(node, LogicalPlan::Unnest(_))))? {
            return Ok(rows);
        }
        Ok(Arc::unwrap_or_clone(self.unknown(Arc::new(rows), &places)?))
    }
}

/// The places of the columns of which the engine would believe that they determine all keys of a node.
fn undetermining(node: &LogicalPlan) -> BTreeSet<usize> {
    match node {
        LogicalPlan::Aggregate(aggregate) => of_keys(aggregate.input.schema(), &aggregate.group_expr),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let keys: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
            of_keys(input.schema(), &keys)
        }
        LogicalPlan::Distinct(Distinct::On(on)) => of_keys(on.input.schema(), &on.on_expr),
        LogicalPlan::Unnest(unnest) => {
            let dependencies = unnest.input.schema().functional_dependencies();
            dependencies.iter().flat_map(|known| known.source_indices.iter().copied()).collect()
        }
        _ => BTreeSet::new(),
    }
}

fn of_keys(schema: &DFSchema, keys: &[Expr]) -> BTreeSet<usize> {
    let place = |key: &Expr| key.try_as_col().and_then(|column| schema.maybe_index_of_column(column));
    let places: Vec<Option<usize>> = keys.iter().map(place).collect();
    let mut wrong = BTreeSet::new();
    for dependency in schema.functional_dependencies().iter() {
        let is_asked = dependency.source_indices.iter().all(|source| places.contains(&Some(*source)));
        let is_determined =
            |place: &Option<usize>| place.is_some_and(|place| dependency.target_indices.contains(&place));
        if is_asked && !places.iter().all(is_determined) {
            wrong.extend(dependency.source_indices.iter().copied());
        }
    }
    wrong
}

/// A function that returns its argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Itself {
    signature: Signature,
}

impl ScalarUDFImpl for Itself {
    fn name(&self) -> &str {
        "itself"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of a value is that of its field")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&arguments.arg_fields[0]))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(arguments.args[0].clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("dependencies.tsv"));
    }
}

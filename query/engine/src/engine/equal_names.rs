//! Keeps filters from being evaluated on another column of the same name.
//!
//! ```text
//! FilterExec: r2.k ─▶ ProjectionExec: r3.k, r2.k ─▶ HashJoinExec      the engine finds `k` by its name: r3.k
//! FilterExec: r2.k ─▶ EqualNamesExec ─▶ ProjectionExec: r3.k, r2.k ─▶ HashJoinExec
//! ```
//!
//! The engine pushes the filters of a physical plan down, and finds their columns in the next operator by name. Where two have
//! the same name it takes the first. The operator above it accepts no filter, so that those stay above. What can be pushed is
//! pushed already: in the logical plan columns have qualifiers.

use super::passing::{PassOn, PassingExec};
use arrow_schema::SchemaRef;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

/// Puts [`EqualNames`] above operators that filters would reach and that would find their columns by equal names.
#[derive(Debug)]
pub(super) struct KeepFiltersFromEqualNames;

impl PhysicalOptimizerRule for KeepFiltersFromEqualNames {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        guarded(plan, false)
    }

    fn name(&self) -> &'static str {
        "keep_filters_from_equal_names"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn guarded(plan: Arc<dyn ExecutionPlan>, is_reached: bool) -> Result<Arc<dyn ExecutionPlan>> {
    let is_guard = plan.name() == EqualNames::NAME;
    let stops = is_reached && !is_guard && finds_by_equal_names(plan.as_ref());
    let reaches_inputs = is_reached && !is_guard && !stops || has_filters(plan.as_ref());
    let mut inputs = Vec::with_capacity(plan.children().len());
    for input in plan.children() {
        inputs.push(guarded(Arc::clone(input), reaches_inputs)?);
    }
    let plan = replace_children_if_necessary(plan, inputs)?;
    Ok(if stops { PassingExec::above(plan, EqualNames) } else { plan })
}

/// Whether the operator pushes filters of its own down, some of which are known only when it runs.
fn has_filters(operator: &dyn ExecutionPlan) -> bool {
    let any: &dyn Any = operator;
    any.is::<FilterExec>() || any.is::<HashJoinExec>() || any.is::<SortExec>() || any.is::<AggregateExec>()
}

/// Projections find the columns of a filter among those that they make, other operators among those of their inputs.
fn finds_by_equal_names(operator: &dyn ExecutionPlan) -> bool {
    let any: &dyn Any = operator;
    if any.is::<ProjectionExec>() {
        return has_equal_names(&operator.schema());
    }
    operator.children().iter().any(|input| has_equal_names(&input.schema()))
}

fn has_equal_names(schema: &SchemaRef) -> bool {
    let mut names = HashSet::with_capacity(schema.fields().len());
    !schema.fields().iter().all(|field| names.insert(field.name()))
}

#[derive(Debug, Clone)]
struct EqualNames;

impl PassOn for EqualNames {
    const NAME: &'static str = "EqualNamesExec";
}

#[cfg(test)]
mod tests {
    use super::super::options::SessionOptions;
    use super::super::session::Session;
    use holdfast_archive::{Archive, Location};
    use object_store::memory::InMemory;
    use std::sync::Arc;
    use url::Url;

    #[tokio::test]
    async fn a_filter_is_evaluated_on_its_own_column() {
        let url = Url::parse("memory:///").unwrap();
        let archive = Archive::new(Location { url, store: Arc::new(InMemory::new()) });
        let session = Session::new(SessionOptions::new(archive, Vec::new())).unwrap();
        let sql = "SELECT r3.k FROM (SELECT 1 AS k) r1 JOIN (SELECT 1 AS k) r2 ON r1.k = r2.k \
                   RIGHT JOIN (SELECT v AS k FROM (VALUES (1), (1), (2), (2)) t (v) GROUP BY v HAVING count(*) > 1) r3 \
                   ON r1.k = r3.k WHERE r2.k::boolean";
        let rows = session.sql(sql).await.unwrap().collect().await.unwrap();
        let shown = arrow_cast::pretty::pretty_format_batches(&rows).unwrap().to_string();
        assert!(shown.contains("| 1 |") && !shown.contains("| 2 |"), "{shown}");
    }
}

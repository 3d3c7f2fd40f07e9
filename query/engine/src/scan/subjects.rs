//! Records the subjects of the rows that a scan returns.
//!
//! ```text
//! filters on protected columns ─▶ SubjectsExec ─▶ filters on operational columns, in the scan ─▶ files
//! ```
//!
//! The operator is directly above a scan of protected columns. Filters on operational columns are pushed through it into
//! the scan, so it records the rows that the statement reads, and not the whole table. Other filters stay above: what a
//! filter on a protected column tests is read, whether it matches or not. Columns that only filters in the scan need, and nothing
//! above the operator, are not read for it.

use super::trace::StatementTrace;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::filter_pushdown::{ChildFilterDescription, FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// Passes rows on and records their subjects.
pub(super) struct SubjectsExec {
    input: Arc<dyn ExecutionPlan>,
    /// The index of the column with the subjects.
    column: usize,
    /// The same column as an expression. It marks the column as used, even if no operator above reads it.
    used: Arc<dyn PhysicalExpr>,
    /// The indices of the columns of the tier operational.
    operational: HashSet<usize>,
    trace: Arc<StatementTrace>,
    properties: Arc<PlanProperties>,
}

impl SubjectsExec {
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        column: usize,
        operational: HashSet<usize>,
        trace: Arc<StatementTrace>,
    ) -> Self {
        let properties = PlanProperties::new(
            input.equivalence_properties().clone(),
            input.output_partitioning().clone(),
            input.pipeline_behavior(),
            input.boundedness(),
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let used: Arc<dyn PhysicalExpr> = Arc::new(Column::new(input.schema().field(column).name(), column));
        Self { input, column, used, operational, trace, properties: Arc::new(properties) }
    }
}

fn record(trace: &StatementTrace, batch: &RecordBatch, column: usize) {
    let values = batch.column(column);
    let mut distinct: Vec<&str> = match values.data_type() {
        DataType::Utf8View => values.as_string_view().iter().flatten().collect(),
        DataType::Utf8 => values.as_string::<i32>().iter().flatten().collect(),
        _ => return,
    };
    distinct.sort_unstable();
    distinct.dedup();
    trace.add_subjects(distinct);
}

impl fmt::Debug for SubjectsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectsExec")
    }
}

impl DisplayAs for SubjectsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectsExec")
    }
}

impl ExecutionPlan for SubjectsExec {
    fn name(&self) -> &'static str {
        "SubjectsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        visit(&self.used)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self::new(input, self.column, self.operational.clone(), Arc::clone(&self.trace))))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let schema: SchemaRef = input.schema();
        let (column, trace) = (self.column, Arc::clone(&self.trace));
        let traced = input.inspect(move |batch| {
            if let Ok(batch) = batch {
                record(&trace, batch, column);
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, traced)))
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let mut columns: Vec<usize> = projection
            .expr()
            .iter()
            .flat_map(|part| collect_columns(&part.expr))
            .map(|column| column.index())
            .collect();
        columns.push(self.column);
        columns.sort_unstable();
        columns.dedup();
        let schema = self.input.schema();
        if columns.len() == schema.fields().len() {
            return Ok(None);
        }
        let named = |column: &usize| {
            let name = schema.field(*column).name();
            ProjectionExpr::new(Arc::new(Column::new(name, *column)), name)
        };
        let narrow: Arc<dyn ExecutionPlan> =
            Arc::new(ProjectionExec::try_new(columns.iter().map(named), Arc::clone(&self.input))?);
        let place = |column: usize| columns.iter().position(|kept| *kept == column);
        let Some(of_subjects) = place(self.column) else { return Ok(None) };
        let operational = self.operational.iter().filter_map(|column| place(*column)).collect();
        let traced: Arc<dyn ExecutionPlan> =
            Arc::new(Self::new(narrow, of_subjects, operational, Arc::clone(&self.trace)));
        // The columns of a table have names of their own.
        let schema = traced.schema();
        let moved = projection.expr().iter().map(|part| {
            Ok(ProjectionExpr::new(reassign_expr_columns(Arc::clone(&part.expr), &schema)?, part.alias.clone()))
        });
        let moved = moved.collect::<Result<Vec<_>>>()?;
        Ok(Some(Arc::new(ProjectionExec::try_new(moved, traced)?)))
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        // The columns are those of the input, at the same indices.
        let operational = self.operational.clone();
        let below = ChildFilterDescription::from_child_with_allowed_indices(&parent_filters, operational, &self.input)?;
        Ok(FilterDescription::new().with_child(below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::{Field, Schema};
    use datafusion::physical_plan::displayable;
    use datafusion::physical_plan::empty::EmptyExec;

    fn plan(columns: &[usize]) -> Option<String> {
        let names = ["type", "personal", "time", "subject"];
        let fields: Vec<Field> = names.iter().map(|name| Field::new(*name, DataType::Utf8View, true)).collect();
        let scan = Arc::new(EmptyExec::new(Arc::new(Schema::new(fields))));
        let trace = Arc::new(StatementTrace::default());
        let traced = Arc::new(SubjectsExec::new(scan, 3, [0, 2, 3].into(), trace));
        let columns = columns.iter().map(|column| {
            let name = names.get(*column).copied().unwrap_or_default();
            ProjectionExpr::new(Arc::new(Column::new(name, *column)), format!("{name}_shown"))
        });
        let projection = ProjectionExec::try_new(columns, Arc::clone(&traced) as Arc<dyn ExecutionPlan>).unwrap();
        let swapped = traced.try_swapping_with_projection(&projection).unwrap()?;
        assert_eq!(swapped.schema(), projection.schema());
        Some(displayable(swapped.as_ref()).indent(false).to_string())
    }

    #[test]
    fn columns_that_nothing_above_needs_are_not_read() {
        let narrow = "ProjectionExec: expr=[time@1 as time_shown, personal@0 as personal_shown]\n  SubjectsExec\n    \
                      ProjectionExec: expr=[personal@1 as personal, time@2 as time, subject@3 as subject]\n      EmptyExec\n";
        assert_eq!(plan(&[2, 1]).as_deref(), Some(narrow));
        // The subjects are read in any case.
        assert!(plan(&[1]).is_some_and(|plan| plan.contains("subject@3 as subject")));
        assert_eq!(plan(&[0, 1, 2, 3]), None);
        assert_eq!(plan(&[0, 1, 2]), None);
    }
}

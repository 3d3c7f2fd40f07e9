//! Operators that pass the rows of their input on: with the same columns, in the same order and partitions.

use arrow_schema::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use std::fmt;
use std::sync::Arc;

/// What an operator does with the rows that it passes on.
pub(super) trait PassOn: fmt::Debug + Clone + Send + Sync + 'static {
    /// The name of the operator in plans.
    const NAME: &'static str;

    /// Whether the planner may sort the input so that the output is sorted.
    const TELLS_ORDER: bool = true;

    /// What the planner may know of the rows: what it knows of those of `input`, if the operator says nothing else.
    fn properties(&self, input: &dyn ExecutionPlan) -> Arc<PlanProperties> {
        Arc::clone(input.properties())
    }

    /// Starts `input` and passes its rows on.
    fn execute(
        &self,
        input: &dyn ExecutionPlan,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        input.execute(partition, context)
    }
}

/// An operator that passes the rows of `input` on.
#[derive(Debug)]
pub(super) struct PassingExec<P> {
    input: Arc<dyn ExecutionPlan>,
    pass_on: P,
    properties: Arc<PlanProperties>,
}

impl<P: PassOn> PassingExec<P> {
    /// The operator above `input`.
    pub(super) fn above(input: Arc<dyn ExecutionPlan>, pass_on: P) -> Arc<dyn ExecutionPlan> {
        let properties = pass_on.properties(input.as_ref());
        Arc::new(Self { input, pass_on, properties })
    }
}

impl<P: PassOn> DisplayAs for PassingExec<P> {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(P::NAME)
    }
}

impl<P: PassOn> ExecutionPlan for PassingExec<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![P::TELLS_ORDER]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(child), true) => Ok(Self::above(child, self.pass_on.clone())),
            _ => internal_err!("{} has one input", P::NAME),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.pass_on.execute(self.input.as_ref(), partition, context)
    }
}

//! The plan nodes that query the CRM: one leaf, one statement.

use crate::error::CrmError;
use crate::pushdown::statement::write;
use crate::remote::database::Database;
use crate::remote::driver::RemoteStatement;
use crate::remote::permits::StatementUser;
use crate::table::RemoteTable;
use arrow_schema::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use datafusion_federation::{FederatedPlanNode, FederationPlanner};
use futures::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

/// Plans the parts that [`crate::pushdown::rule`] found.
pub(crate) struct Planner(pub(crate) Arc<Database>);

impl FederationPlanner for Planner {
    fn plan_federation<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        node: &'life1 FederatedPlanNode,
        _: &'life2 dyn Session,
    ) -> BoxFuture<'async_trait, Result<Arc<dyn ExecutionPlan>>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        plan_statement_boxed(&self.0, node.plan())
    }
}

/// [`plan_statement`], boxed in a function without where-clauses, as for `RemoteTable`.
fn plan_statement_boxed<'a>(
    database: &'a Arc<Database>,
    plan: &'a LogicalPlan,
) -> BoxFuture<'a, Result<Arc<dyn ExecutionPlan>>> {
    Box::pin(plan_statement(database, plan))
}

/// Plans one statement for `plan`, whose scans are all of `database`. Reads the columns of its tables from the database.
pub(crate) async fn plan_statement(database: &Arc<Database>, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let mut tables = Vec::new();
    plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = RemoteTable::of(scan)
        {
            tables.push(table);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut known = Vec::with_capacity(tables.len());
    for table in &tables {
        let columns = database.columns(&table.name, &table.from).await.map_err(CrmError::into_engine)?;
        known.push((table.from.clone(), columns));
    }
    let statement = write(plan, database.dialect(), database.binds_values(), &|table| {
        let columns = known.iter().find(|(from, _)| *from == table.from);
        Ok(columns.map_or_else(|| table.assumed_columns(), |(_, columns)| Arc::clone(columns)))
    })?;
    let schema: SchemaRef = Arc::clone(plan.schema().inner());
    Ok(Arc::new(CrmExec::new(Arc::clone(database), statement, schema)))
}

/// A statement that the CRM executes.
#[derive(Debug)]
struct CrmExec {
    database: Arc<Database>,
    statement: RemoteStatement,
    properties: Arc<PlanProperties>,
}

impl CrmExec {
    fn new(database: Arc<Database>, statement: RemoteStatement, schema: SchemaRef) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { database, statement, properties: Arc::new(properties) }
    }
}

impl DisplayAs for CrmExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CrmExec: {}, ", self.database.crm())?;
        if !self.statement.values.is_empty() {
            write!(f, "parameters={}, ", self.statement.values.len())?;
        }
        write!(f, "sql={}", self.statement.sql)
    }
}

impl ExecutionPlan for CrmExec {
    fn name(&self) -> &str {
        "CrmExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return Err(DataFusionError::Internal(format!("the result of the CRM has no partition {partition}")));
        }
        let user = context.session_config().get_extension::<StatementUser>();
        Ok(self.database.stream(self.statement.clone(), self.schema(), user))
    }
}

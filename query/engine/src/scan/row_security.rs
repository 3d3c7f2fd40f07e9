//! Row-level security: a table restricted to the rows of the sessions that are visible to the caller.
//!
//! ```text
//! the statement's plan ─▶ RowSecurityExec │ filter: visible sessions, and leakproof filters of the statement ─▶ scan
//!                          a leaf         │
//! ```
//!
//! Invariants:
//! - No expression of a statement is evaluated on a row that is not visible to its caller: no cast, no function, no
//!   error. Only leakproof filters are pushed below: comparisons of columns with constants, which cannot fail.
//! - The operators below are hidden: in plans, in the figures of EXPLAIN ANALYZE and in estimates.

use super::membership::{Ids, Membership};
use super::project::first_columns;
use super::prune;
use arrow_schema::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::datasource::TableType;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, col, lit};
use datafusion::physical_expr::expressions::{Column, binary};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties, SendableRecordBatchStream,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

/// The rows of a table that are visible to one caller.
pub(crate) struct RowSecurityTable {
    name: &'static str,
    table: Arc<dyn TableProvider>,
    /// The index of the column with the row's session. `None` if no row belongs to a session.
    subject: Option<usize>,
    visible: Ids,
}

impl RowSecurityTable {
    /// The rows of `table` whose column `subject` is one of the sessions `visible`.
    pub(crate) fn new(name: &'static str, table: Arc<dyn TableProvider>, subject: Option<usize>, visible: Ids) -> Self {
        Self { name, table, subject, visible }
    }

    /// The unrestricted table.
    pub(crate) fn table(&self) -> &Arc<dyn TableProvider> {
        &self.table
    }

    /// Boxed in a function without bounds: there the compiler proves quickly, and once, that the future is `Send`.
    fn boxed_scan<'a>(
        &'a self,
        state: &'a dyn Session,
        projection: Option<&'a Vec<usize>>,
        filters: &'a [Expr],
    ) -> BoxFuture<'a, Result<Arc<dyn ExecutionPlan>>> {
        self.plan_scan(state, projection, filters).boxed()
    }

    async fn plan_scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.table.schema();
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let shown = Arc::new(schema.project(wanted)?);
        let Some(subject) = self.subject.filter(|_| !self.visible.is_empty()) else {
            return Ok(Arc::new(RowSecurityExec::new(self.name, Arc::new(EmptyExec::new(shown)))));
        };
        let mut below: Vec<Expr> = filters.iter().filter(|filter| is_leakproof(filter)).cloned().collect();
        match self.visible_of(state, &below, subject)? {
            // No file is opened for subjects that are not visible to the caller.
            Some(visible) if visible.is_empty() => {
                return Ok(Arc::new(RowSecurityExec::new(self.name, Arc::new(EmptyExec::new(shown)))));
            }
            Some(visible) => {
                let visible = visible.into_iter().map(|text| lit(ScalarValue::Utf8View(Some(text))));
                below.push(col(schema.field(subject).name()).in_list(visible.collect(), false));
            }
            None => {}
        }
        // The scan also needs the columns of the filters and the subject.
        let mut columns = wanted.clone();
        let filter_columns =
            below.iter().flat_map(Expr::column_refs).filter_map(|column| schema.index_of(&column.name).ok());
        for column in std::iter::once(subject).chain(filter_columns) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let scan = self.table.scan(state, Some(&columns), &below, None).await?;
        let position = columns.iter().position(|column| *column == subject).unwrap_or_default();
        let subject: Arc<dyn PhysicalExpr> = Arc::new(Column::new(schema.field(subject).name(), position));
        let mut predicate = Membership::is_in(subject, Arc::clone(&self.visible));
        let read = scan.schema();
        if let Some(below) = conjunction(below) {
            let logical = DFSchema::try_from(Arc::clone(&read))?;
            let below = state.create_physical_expr(below, &logical)?;
            predicate = binary(below, Operator::And, predicate, &read)?;
        }
        let filtered: Arc<dyn ExecutionPlan> = Arc::new(FilterExec::try_new(predicate, scan)?);
        let filtered = FilterPushdown::new().optimize(filtered, state.config_options())?;
        let projected = first_columns(filtered, wanted.len())?;
        Ok(Arc::new(RowSecurityExec::new(self.name, projected)))
    }

    /// The visible subjects among those that `filters` are restricted to. `None` if the filters do not restrict the
    /// subjects.
    fn visible_of(&self, state: &dyn Session, filters: &[Expr], subject: usize) -> Result<Option<Vec<String>>> {
        let schema = self.table.schema();
        let logical = DFSchema::try_from(Arc::clone(&schema))?;
        let physical = filters.iter().map(|filter| state.create_physical_expr(filter.clone(), &logical));
        let named = prune::texts(&physical.collect::<Result<Vec<_>>>()?, schema.field(subject).name());
        let Some((first, others)) = named.split_first() else { return Ok(None) };
        let is_in_all =
            |text: &&String| others.iter().all(|texts| texts.contains(*text)) && self.visible.contains(*text);
        Ok(Some(first.iter().filter(is_in_all).cloned().collect()))
    }
}

impl fmt::Debug for RowSecurityTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowSecurityTable").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether an expression may be evaluated on a row that is not visible to the caller: it can neither fail nor take
/// longer on some rows. PostgreSQL calls such functions `LEAKPROOF`.
fn is_leakproof(expr: &Expr) -> bool {
    let is_plain = |expr: &Expr| matches!(expr, Expr::Column(_) | Expr::Literal(..));
    match expr {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And | Operator::Or => is_leakproof(&binary.left) && is_leakproof(&binary.right),
            Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                is_plain(&binary.left) && is_plain(&binary.right)
            }
            _ => false,
        },
        Expr::Not(inner) => is_leakproof(inner),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => is_plain(inner),
        Expr::InList(list) => is_plain(&list.expr) && list.list.iter().all(|item| matches!(item, Expr::Literal(..))),
        Expr::Between(between) => is_plain(&between.expr) && is_plain(&between.low) && is_plain(&between.high),
        _ => false,
    }
}

impl TableProvider for RowSecurityTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn scan<'table, 'state, 'projection, 'filters, 'future>(
        &'table self,
        state: &'state dyn Session,
        projection: Option<&'projection Vec<usize>>,
        filters: &'filters [Expr],
        _: Option<usize>,
    ) -> BoxFuture<'future, Result<Arc<dyn ExecutionPlan>>>
    where
        'table: 'future,
        'state: 'future,
        'projection: 'future,
        'filters: 'future,
        Self: 'future,
    {
        self.boxed_scan(state, projection, filters)
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // DataFusion evaluates the filters again on the visible rows.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// A leaf of the plan that hides the scan inside it.
struct RowSecurityExec {
    name: &'static str,
    inner: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl RowSecurityExec {
    fn new(name: &'static str, inner: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(inner.schema()),
            inner.output_partitioning().clone(),
            inner.pipeline_behavior(),
            inner.boundedness(),
        );
        Self { name, inner, properties: Arc::new(properties) }
    }
}

impl fmt::Debug for RowSecurityExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowSecurityExec").field("name", &self.name).finish_non_exhaustive()
    }
}

impl DisplayAs for RowSecurityExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowSecurityExec: {}", self.name)
    }
}

impl ExecutionPlan for RowSecurityExec {
    fn name(&self) -> &'static str {
        "RowSecurityExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.inner.execute(partition, context)
    }
}

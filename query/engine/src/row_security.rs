//! A table of which a caller sees the rows of some sessions alone.
//!
//! ```text
//! the statement's plan ─▶ RowSecurityExec │ filter: one of the caller's sessions ─▶ scan
//!                          a leaf     │ and what may be asked of any row without telling anything
//! ```
//!
//! Invariants:
//! - Nothing of a statement is computed on a row that its caller does not see: no cast, no function, no error. Only
//!   comparisons of columns with constants go below the filter, which cannot fail.
//! - What is below does not show: not in a plan, not in figures about its execution, not in estimates.

use crate::membership::{Ids, Membership};
use crate::prune;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
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
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties, SendableRecordBatchStream,
};
use std::fmt;
use std::sync::Arc;

/// Part of a table.
pub(crate) struct RowSecurityTable {
    name: &'static str,
    table: Arc<dyn TableProvider>,
    /// Which column says whose row it is; `None` where no row is of a session.
    subject: Option<usize>,
    seen: Ids,
}

impl RowSecurityTable {
    pub(crate) fn new(name: &'static str, table: Arc<dyn TableProvider>, subject: Option<usize>, seen: Ids) -> Self {
        Self { name, table, subject, seen }
    }

    /// The table that it is a part of.
    pub(crate) fn table(&self) -> &Arc<dyn TableProvider> {
        &self.table
    }

    /// Of the subjects that `filters` let through alone, those that the caller sees. `None` when they let any through.
    fn seen_of(&self, state: &dyn Session, filters: &[Expr], subject: usize) -> Result<Option<Vec<String>>> {
        let schema = self.table.schema();
        let logical = DFSchema::try_from(Arc::clone(&schema))?;
        let physical = filters.iter().map(|filter| state.create_physical_expr(filter.clone(), &logical));
        let named = prune::subjects(&physical.collect::<Result<Vec<_>>>()?, schema.field(subject).name());
        let Some((first, others)) = named.split_first() else { return Ok(None) };
        let is_in_all = |text: &&String| others.iter().all(|texts| texts.contains(*text)) && self.seen.contains(*text);
        Ok(Some(first.iter().filter(is_in_all).cloned().collect()))
    }
}

impl fmt::Debug for RowSecurityTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowSecurityTable").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether an expression can be asked of a row that the caller does not see, because it can neither fail nor take longer.
fn tells_nothing(expr: &Expr) -> bool {
    let is_plain = |expr: &Expr| matches!(expr, Expr::Column(_) | Expr::Literal(..));
    match expr {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And | Operator::Or => tells_nothing(&binary.left) && tells_nothing(&binary.right),
            Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                is_plain(&binary.left) && is_plain(&binary.right)
            }
            _ => false,
        },
        Expr::Not(inner) => tells_nothing(inner),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => is_plain(inner),
        Expr::InList(list) => is_plain(&list.expr) && list.list.iter().all(|item| matches!(item, Expr::Literal(..))),
        Expr::Between(between) => is_plain(&between.expr) && is_plain(&between.low) && is_plain(&between.high),
        _ => false,
    }
}

#[async_trait]
impl TableProvider for RowSecurityTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.table.schema();
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let shown = Arc::new(schema.project(wanted)?);
        let Some(subject) = self.subject.filter(|_| !self.seen.is_empty()) else {
            return Ok(Arc::new(RowSecurityExec::new(self.name, Arc::new(EmptyExec::new(shown)))));
        };
        let mut below: Vec<Expr> = filters.iter().filter(|filter| tells_nothing(filter)).cloned().collect();
        match self.seen_of(state, &below, subject)? {
            // Nobody's file is looked into for a subject that the caller does not see.
            Some(seen) if seen.is_empty() => {
                return Ok(Arc::new(RowSecurityExec::new(self.name, Arc::new(EmptyExec::new(shown)))));
            }
            Some(seen) => {
                let seen = seen.into_iter().map(|text| lit(ScalarValue::Utf8View(Some(text))));
                below.push(col(schema.field(subject).name()).in_list(seen.collect(), false));
            }
            None => {}
        }
        // What the filters speak of must be there, and whose row it is.
        let mut columns = wanted.clone();
        let spoken_of =
            below.iter().flat_map(Expr::column_refs).filter_map(|column| schema.index_of(&column.name).ok());
        for column in std::iter::once(subject).chain(spoken_of) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let scan = self.table.scan(state, Some(&columns), &below, None).await?;
        let position = columns.iter().position(|column| *column == subject).unwrap_or_default();
        let subject: Arc<dyn PhysicalExpr> = Arc::new(Column::new(schema.field(subject).name(), position));
        let mut predicate = Membership::is_in(subject, Arc::clone(&self.seen));
        let read = scan.schema();
        if let Some(below) = conjunction(below) {
            let logical = DFSchema::try_from(Arc::clone(&read))?;
            let below = state.create_physical_expr(below, &logical)?;
            predicate = binary(below, Operator::And, predicate, &read)?;
        }
        let filtered: Arc<dyn ExecutionPlan> = Arc::new(FilterExec::try_new(predicate, scan)?);
        let filtered = FilterPushdown::new().optimize(filtered, state.config_options())?;
        let expressions = wanted.iter().enumerate().map(|(position, column)| {
            let name = schema.field(*column).name();
            (Arc::new(Column::new(name, position)) as Arc<dyn PhysicalExpr>, name.clone())
        });
        let projected = ProjectionExec::try_new(expressions.collect::<Vec<_>>(), filtered)?;
        Ok(Arc::new(RowSecurityExec::new(self.name, Arc::new(projected))))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // The engine asks again of the rows that are seen.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// A scan whose inside does not show.
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

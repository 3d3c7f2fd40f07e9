//! The table behind `archive.sessions`, for one statement.
//!
//! ```text
//! base files ─▶ Parquet scan ─▶ sessions without later events ────┐
//! overlay: sessions with later events, folded in memory ─────────┴▶ union
//! ```

use super::membership::{Ids, Membership};
use super::project::first_columns;
use super::subjects::SubjectsExec;
use super::table::ArchiveTable;
use super::trace::StatementTrace;
use crate::error::QueryError;
use crate::visibility::Tiers;
use arrow_array::RecordBatch;
use arrow_cast::cast;
use arrow_schema::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::union::UnionExec;
use futures::FutureExt;
use futures::future::BoxFuture;
use holdfast_archive::Table;
use holdfast_events::Tier;
use holdfast_sessions::Current;
use std::fmt;
use std::sync::Arc;

/// The column with the session's id.
pub(crate) const SESSION: usize = 0;
/// The columns that decide whether a session is in a caller's scope.
pub(crate) const PORTAL: usize = 1;
pub(crate) const AGENTS: usize = 7;

/// All sessions at one moment.
pub(crate) struct SessionsTable {
    base: ArchiveTable,
    schema: SchemaRef,
    overlay: RecordBatch,
    superseded: Ids,
    /// The tiers that the caller may read in the overlay, and in every event that it was folded from.
    readable: Tiers,
    trace: Arc<StatementTrace>,
}

impl fmt::Debug for SessionsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionsTable")
    }
}

impl SessionsTable {
    /// `base` is the table of the base files of `current`; `readable` are the tiers that the caller may read in every
    /// event.
    pub(crate) fn new(
        base: ArchiveTable,
        current: &Current,
        readable: Tiers,
        trace: Arc<StatementTrace>,
    ) -> Result<Self, DataFusionError> {
        let all = base.schema();
        // The last column is the date of the row's partition, which does not describe the session.
        let shown = Table::Sessions.schema().fields().len() - 1;
        let schema = Arc::new(Schema::new(all.fields()[..shown].to_vec()));
        let columns = schema.fields().iter().zip(current.overlay.columns());
        let columns = columns.map(|(field, column)| cast(column, field.data_type())).collect::<Result<Vec<_>, _>>()?;
        let overlay = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        Ok(Self { base, schema, overlay, superseded: Arc::clone(&current.superseded), readable, trace })
    }

    /// Boxed in a function without bounds: there the compiler proves quickly, and once, that the future is `Send`.
    fn boxed_scan<'a>(
        &'a self,
        state: &'a dyn Session,
        projection: Option<&'a Vec<usize>>,
        filters: &'a [Expr],
        limit: Option<usize>,
    ) -> BoxFuture<'a, Result<Arc<dyn ExecutionPlan>>> {
        self.plan_scan(state, projection, filters, limit).boxed()
    }

    async fn plan_scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        if self.superseded.is_empty() {
            return self.base.scan(state, Some(wanted), filters, limit).await;
        }
        let mut columns = wanted.clone();
        if !columns.contains(&SESSION) {
            columns.push(SESSION);
        }
        let position = columns.iter().position(|column| *column == SESSION).unwrap_or_default();
        let scan = self.base.scan(state, Some(&columns), filters, None).await?;
        let session: Arc<dyn PhysicalExpr> = Arc::new(Column::new("session", position));
        let is_current = Membership::is_not_in(session, Arc::clone(&self.superseded));
        let base: Arc<dyn ExecutionPlan> = Arc::new(FilterExec::try_new(is_current, scan)?);

        let tiers: Tiers = columns.iter().map(|column| Table::Sessions.tier(*column)).collect();
        let read = tiers.and(self.readable);
        self.base.check_overlay(self.readable).map_err(QueryError::through_engine)?;
        self.trace.add_scan(Table::Sessions, std::iter::once((self.readable, 1)));
        self.base.will_read(read, &self.base.physical(state, filters)?);
        let overlay: Arc<dyn ExecutionPlan> = MemorySourceConfig::try_new_exec(
            &[vec![self.overlay.clone()]],
            Arc::clone(&self.schema),
            Some(columns.clone()),
        )?;
        let overlay: Arc<dyn ExecutionPlan> = if read.are_protected() {
            let is_operational = |index: &usize| Table::Sessions.tier(columns[*index]) == Tier::Operational;
            let operational = (0..columns.len()).filter(is_operational).collect();
            Arc::new(SubjectsExec::new(overlay, position, operational, Arc::clone(&self.trace)))
        } else {
            overlay
        };
        first_columns(UnionExec::try_new(vec![base, overlay])?, wanted.len())
    }

    /// The table of the base files.
    pub(crate) fn base(&self) -> &ArchiveTable {
        &self.base
    }
}

impl TableProvider for SessionsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn scan<'table, 'state, 'projection, 'filters, 'future>(
        &'table self,
        state: &'state dyn Session,
        projection: Option<&'projection Vec<usize>>,
        filters: &'filters [Expr],
        limit: Option<usize>,
    ) -> BoxFuture<'future, Result<Arc<dyn ExecutionPlan>>>
    where
        'table: 'future,
        'state: 'future,
        'projection: 'future,
        'filters: 'future,
        Self: 'future,
    {
        self.boxed_scan(state, projection, filters, limit)
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

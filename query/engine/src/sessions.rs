//! The table behind `archive.sessions`, for one statement.
//!
//! ```text
//! base files ─▶ Parquet scan ─▶ all but the sessions that went on since ─┐
//! overlay: what went on since, folded in memory ─────────────────────────┴▶ union
//! ```

use crate::membership::{Ids, Membership};
use crate::subjects::SubjectsExec;
use crate::table::ArchiveTable;
use crate::tier_access::Tiers;
use crate::trace::StatementTrace;
use arrow_array::RecordBatch;
use arrow_cast::cast;
use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
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
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
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
    /// What the caller may see of the events that the overlay was folded from.
    rights: Tiers,
    trace: Arc<StatementTrace>,
}

impl fmt::Debug for SessionsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionsTable")
    }
}

impl SessionsTable {
    /// `base` are the base files of `current`; `rights` what the caller may see of the events.
    pub(crate) fn new(
        base: ArchiveTable,
        current: &Current,
        rights: Tiers,
        trace: Arc<StatementTrace>,
    ) -> Result<Self, DataFusionError> {
        let whole = base.schema();
        // The day that a row is filed under is where it lies, and says nothing of the session.
        let shown = Table::Sessions.schema().fields().len() - 1;
        let schema = Arc::new(Schema::new(whole.fields()[..shown].to_vec()));
        let columns = schema.fields().iter().zip(current.overlay.columns());
        let columns = columns.map(|(field, column)| cast(column, field.data_type())).collect::<Result<Vec<_>, _>>()?;
        let overlay = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        Ok(Self { base, schema, overlay, superseded: Arc::clone(&current.superseded), rights, trace })
    }

    /// The table of the base files, with the caller's rights.
    pub(crate) fn base(&self) -> &ArchiveTable {
        &self.base
    }
}

#[async_trait]
impl TableProvider for SessionsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
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
        let standing = Membership::is_not_in(session, Arc::clone(&self.superseded));
        let base: Arc<dyn ExecutionPlan> = Arc::new(FilterExec::try_new(standing, scan)?);

        let wants_content = columns.iter().any(|column| Table::Sessions.tier(*column) == Tier::Content);
        self.base.check_overlay(self.rights).map_err(crate::QueryError::through_engine)?;
        self.trace.add_scan(Table::Sessions, std::iter::once((self.rights, 1)));
        let overlay: Arc<dyn ExecutionPlan> = MemorySourceConfig::try_new_exec(
            &[vec![self.overlay.clone()]],
            Arc::clone(&self.schema),
            Some(columns.clone()),
        )?;
        let overlay = if wants_content && self.rights.has(Tier::Content) {
            Arc::new(SubjectsExec::new(overlay, position, Arc::clone(&self.trace)))
        } else {
            overlay
        };
        let both = UnionExec::try_new(vec![base, overlay])?;
        if columns.len() == wanted.len() {
            return Ok(both);
        }
        let expressions = wanted.iter().enumerate().map(|(position, column)| {
            let name = self.schema.field(*column).name();
            (Arc::new(Column::new(name, position)) as Arc<dyn PhysicalExpr>, name.clone())
        });
        Ok(Arc::new(ProjectionExec::try_new(expressions.collect::<Vec<_>>(), both)?))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

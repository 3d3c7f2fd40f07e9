//! Plans that outlive their statement: the tables of the archive in them are known by name and columns only.
//!
//! ```text
//! a statement's plan ─▶ `unbound` ─▶ kept, without a snapshot ─▶ `bound`: the tables of another statement ─▶ its plan
//! ```

use super::names::TABLES;
use crate::scan::archive_table;
use crate::visibility::Tiers;
use arrow_schema::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::datasource::{TableType, provider_as_source, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use futures::future::{BoxFuture, ready};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tables that a plan reads, by their position in [`TABLES`], and the tiers that its caller may read in every file of
/// each. A plan may be used for other snapshots, and for other callers, as long as these are the same: withheld columns are
/// found by them.
pub(crate) type TablesRead = BTreeMap<usize, Tiers>;

/// A table in a kept plan.
#[derive(Debug)]
struct Unbound {
    index: usize,
    schema: SchemaRef,
}

/// `plan` without the snapshots of its tables. `None` if it reads other tables than the archive's.
pub(crate) fn unbound(plan: LogicalPlan) -> Result<Option<(LogicalPlan, TablesRead)>> {
    let mut read = TablesRead::new();
    let mut only_archive = true;
    let plan = plan.transform_down_with_subqueries(|mut node| {
        let LogicalPlan::TableScan(scan) = &mut node else { return Ok(Transformed::no(node)) };
        let provider = source_as_provider(&scan.source)?;
        let provider: &dyn std::any::Any = provider.as_ref();
        let Some(table) = archive_table(provider) else {
            only_archive = false;
            return Ok(Transformed::no(node));
        };
        let index = TABLES.iter().position(|known| *known == table.table());
        let index = index.ok_or_else(|| internal_datafusion_err!("a table of the archive has no name"))?;
        read.insert(index, table.readable_tiers());
        scan.source = provider_as_source(Arc::new(Unbound { index, schema: scan.source.schema() }));
        Ok(Transformed::yes(node))
    });
    let plan = plan.data()?;
    Ok(only_archive.then_some((plan, read)))
}

/// `plan` with the tables of a statement, which `table` returns by their position.
pub(super) fn bound(plan: LogicalPlan, table: impl Fn(usize) -> Option<Arc<dyn TableProvider>>) -> Result<LogicalPlan> {
    plan.transform_down_with_subqueries(|mut node| {
        let LogicalPlan::TableScan(scan) = &mut node else { return Ok(Transformed::no(node)) };
        let provider = source_as_provider(&scan.source)?;
        let provider: &dyn std::any::Any = provider.as_ref();
        let Some(Unbound { index, .. }) = provider.downcast_ref() else { return Ok(Transformed::no(node)) };
        let Some(table) = table(*index) else { return internal_err!("a table of a kept plan was not opened") };
        scan.source = provider_as_source(table);
        Ok(Transformed::yes(node))
    })
    .data()
}

impl TableProvider for Unbound {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn scan<'table, 'state, 'projection, 'filters, 'future>(
        &'table self,
        _: &'state dyn Session,
        _: Option<&'projection Vec<usize>>,
        _: &'filters [Expr],
        _: Option<usize>,
    ) -> BoxFuture<'future, Result<Arc<dyn ExecutionPlan>>>
    where
        'table: 'future,
        'state: 'future,
        'projection: 'future,
        'filters: 'future,
        Self: 'future,
    {
        Box::pin(ready(internal_err!("a kept plan must be bound to tables before it is executed")))
    }
}

//! A mapped table as the engine scans it.

use crate::pushdown::binding::MAX_VALUES;
use crate::pushdown::execute::plan_statement;
use crate::pushdown::expression::{can_filter, count_values};
use crate::table::RemoteTable;
use arrow_schema::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;
use std::sync::Arc;

impl TableProvider for RemoteTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let mut room = if self.database.binds_values() { MAX_VALUES } else { usize::MAX };
        let pushdown = |filter: &&Expr| {
            let values = count_values(filter);
            if values <= room && can_filter(filter, &self.schema, self.database.dialect()) {
                room -= values;
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(pushdown).collect())
    }

    fn scan<'life0, 'life1, 'life2, 'life3, 'async_trait>(
        &'life0 self,
        _: &'life1 dyn Session,
        projection: Option<&'life2 Vec<usize>>,
        filters: &'life3 [Expr],
        limit: Option<usize>,
    ) -> BoxFuture<'async_trait, Result<Arc<dyn ExecutionPlan>>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        'life3: 'async_trait,
        Self: 'async_trait,
    {
        self.plan_scan(projection, filters, limit)
    }
}

impl RemoteTable {
    /// Boxed in a function without where-clauses, and `scan` passes the box on. With `#[async_trait]` the compiler would prove in
    /// the context of `scan` that plans and expressions are `Send`. It does not cache that proof, which takes seconds.
    fn plan_scan<'a>(
        &'a self,
        projection: Option<&'a Vec<usize>>,
        filters: &'a [Expr],
        limit: Option<usize>,
    ) -> BoxFuture<'a, Result<Arc<dyn ExecutionPlan>>> {
        Box::pin(async move {
            let source = provider_as_source(Arc::new(self.clone()));
            let scan = LogicalPlanBuilder::scan_with_filters_fetch(
                self.name.as_str(),
                source,
                projection.cloned(),
                filters.to_vec(),
                limit,
            )?;
            let plan: LogicalPlan = scan.build()?;
            plan_statement(&self.database, &plan).await
        })
    }
}

//! A mapped table as the engine scans it.

use crate::pushdown::execute::plan_statement;
use crate::pushdown::expression::can_filter;
use crate::table::RemoteTable;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

#[async_trait]
impl TableProvider for RemoteTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let pushdown = |filter: &&Expr| {
            if can_filter(filter, &self.schema, self.database.dialect()) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(pushdown).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
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
    }
}

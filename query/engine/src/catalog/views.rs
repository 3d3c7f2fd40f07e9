//! The views of the schema `archive`: their text, their plans, and their withheld columns.

use super::unbound::{TablesRead, bound, unbound};
use crate::error::QueryError;
use crate::scan::{archive_table, tier_of};
use crate::visibility::{Origin, Origins, analyse};
use arrow_schema::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::datasource::{TableType, source_as_provider};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan};
use datafusion::physical_plan::ExecutionPlan;
use futures::future::{BoxFuture, ready};
use std::sync::Arc;

/// Every view: its name and its text.
pub(super) const VIEWS: [(&str, &str); 11] = [
    ("access_log", include_str!("views/access_log.sql")),
    ("chat_lines", include_str!("views/chat_lines.sql")),
    ("deduplicated_events", include_str!("views/deduplicated_events.sql")),
    ("diagnostics", include_str!("views/diagnostics.sql")),
    ("duplicates", include_str!("views/duplicates.sql")),
    ("file_transfers", include_str!("views/file_transfers.sql")),
    ("recordings", include_str!("views/recordings.sql")),
    ("sessions", include_str!("views/sessions.sql")),
    ("support_experience", include_str!("views/support_experience.sql")),
    ("surveys", include_str!("views/surveys.sql")),
    ("tickets", include_str!("views/tickets.sql")),
];

/// The text of the view with this name.
pub(super) fn text_of(name: &str) -> Option<&'static str> {
    VIEWS.iter().find(|(view, _)| *view == name).map(|(_, text)| *text)
}

/// A view with its plan, in which the views are inlined that it names.
#[derive(Debug, Clone)]
pub(crate) struct View {
    text: &'static str,
    plan: LogicalPlan,
    schema: SchemaRef,
    origins: Vec<Origins>,
}

impl View {
    /// `plan` is the plan of `text`, before the views inside it are inlined.
    pub(super) fn new(text: &'static str, plan: LogicalPlan) -> Result<Self> {
        let lineage = analyse(&plan, true, &withheld_of)?;
        if let Some((column, origin)) = lineage.computed.first() {
            // An error in the view's text, which the tests find: a refusal is better than a wrong result.
            return Err(QueryError::Withheld { column: column.clone(), tier: origin.tier }.through_engine());
        }
        let plan = inline(plan)?;
        Ok(Self { text, schema: Arc::clone(plan.schema().inner()), plan, origins: lineage.shown })
    }
}

/// A view that statements share.
pub(super) struct KeptView {
    view: View,
    read: TablesRead,
}

impl KeptView {
    /// `None` if `view` reads other tables than the archive's.
    pub(super) fn of(view: &View) -> Result<Option<Self>> {
        let kept = unbound(view.plan.clone())?;
        Ok(kept.map(|(plan, read)| Self { view: View { plan, ..view.clone() }, read }))
    }

    pub(super) fn read(&self) -> &TablesRead {
        &self.read
    }

    /// The view for a statement with the same tiers, whose tables `table` returns.
    pub(super) fn bound(&self, table: impl Fn(usize) -> Option<Arc<dyn TableProvider>>) -> Result<View> {
        Ok(View { plan: bound(self.view.plan.clone(), table)?, ..self.view.clone() })
    }
}

/// The withheld columns of a table or a view of the archive. Other tables have none.
pub(crate) fn withheld_of(scan: &TableScan) -> Vec<Origins> {
    let columns = scan.source.schema();
    let none = || vec![Origins::new(); columns.fields().len()];
    let Ok(provider) = source_as_provider(&scan.source) else { return none() };
    let provider: &dyn std::any::Any = provider.as_ref();
    if let Some(view) = provider.downcast_ref::<View>() {
        return view.origins.clone();
    }
    let Some(table) = archive_table(provider) else { return none() };
    let origins = |(index, field): (usize, &arrow_schema::FieldRef)| {
        if !table.withholds(index) {
            return Origins::new();
        }
        let tier = tier_of(table.table(), index);
        vec![Origin { table: table.table(), column: field.name().clone(), tier }]
    };
    columns.fields().iter().enumerate().map(origins).collect()
}

/// Whether the caller may read the origin's tier in no file of its table. `false` if the plan does not scan the table.
pub(crate) fn withheld_everywhere(plan: &LogicalPlan, origin: &Origin) -> Result<bool> {
    let mut everywhere = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            let provider: &dyn std::any::Any = provider.as_ref();
            if let Some(table) = archive_table(provider) {
                everywhere |= table.table() == origin.table && table.withholds_everywhere(origin.tier);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(everywhere)
}

/// Replaces the scans of views by the views' plans.
pub(crate) fn inline(plan: LogicalPlan) -> Result<LogicalPlan> {
    let inlined = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let Ok(provider) = source_as_provider(&scan.source) else { return Ok(Transformed::no(node)) };
        let provider: &dyn std::any::Any = provider.as_ref();
        let Some(view) = provider.downcast_ref::<View>() else { return Ok(Transformed::no(node)) };
        let mut builder = LogicalPlanBuilder::from(view.plan.clone());
        if let Some(columns) = &scan.projection {
            let schema = view.plan.schema();
            builder =
                builder.project(columns.iter().map(|column| Expr::Column(schema.qualified_field(*column).into())))?;
        }
        let mut builder = builder.alias(scan.table_name.clone())?;
        for filter in &scan.filters {
            builder = builder.filter(filter.clone())?;
        }
        Ok(Transformed::yes(builder.build()?))
    })?;
    Ok(inlined.data)
}

impl TableProvider for View {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_table_definition(&self) -> Option<&str> {
        Some(self.text)
    }

    fn scan<'view, 'state, 'projection, 'filters, 'future>(
        &'view self,
        _: &'state dyn Session,
        _: Option<&'projection Vec<usize>>,
        _: &'filters [Expr],
        _: Option<usize>,
    ) -> BoxFuture<'future, Result<Arc<dyn ExecutionPlan>>>
    where
        'view: 'future,
        'state: 'future,
        'projection: 'future,
        'filters: 'future,
        Self: 'future,
    {
        Box::pin(ready(internal_err!("a view must be inlined before the plan is executed")))
    }
}

//! The SQL statement for a part of a plan that concerns the CRM alone.
//!
//! ```text
//!   plan over our tables ──▶ each scan becomes (SELECT their columns AS ours FROM their table WHERE ... LIMIT ...)
//!                        ──▶ SQL in the CRM's dialect ──▶ validate ──▶ values bound to markers, if the driver binds them
//! ```
//!
//! "Our" tables and columns are those of schema `crm`, "their" tables and columns those of the CRM.

use crate::error::CrmError;
use crate::pushdown::{binding, validate};
use crate::remote::dialect::SqlDialect;
use crate::remote::driver::{RemoteColumn, RemoteStatement};
use crate::table::RemoteTable;
use arrow_schema::{Field, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::builder::LogicalTableSource;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Fetch, LimitClause, Query, SetExpr, Statement, TableFactor, Top, TopQuantity, Value, VisitMut,
    VisitorMut,
};
use datafusion::sql::unparser::Unparser;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The columns of the database for a table of ours.
pub(crate) type ColumnsOf<'a> = dyn Fn(&RemoteTable) -> Result<Arc<Vec<RemoteColumn>>, CrmError> + 'a;

/// One statement for `plan`, whose scans are all of the CRM. If `binds_values`, no text of a value is in its own text.
pub(crate) fn write(
    plan: &LogicalPlan,
    dialect: SqlDialect,
    binds_values: bool,
    columns_of: &ColumnsOf<'_>,
) -> Result<RemoteStatement> {
    let plan = match plan {
        // A single scan needs no alias.
        LogicalPlan::TableScan(scan) => match RemoteTable::of(scan) {
            Some(table) => scan_of_theirs(scan, &table, columns_of)?,
            None => plan.clone(),
        },
        plan => plan.clone().transform_down(|node| substitute(node, columns_of)).data()?,
    };
    let mut statement = Unparser::new(&dialect).plan_to_sql(&plan)?;
    let _ = VisitMut::visit(&mut statement, &mut SyntaxFixes(dialect));
    let bound = binds_values.then(|| binding::bind(&mut statement));
    let sql = statement.to_string();
    validate::check_statement(&sql, dialect.quote()).map_err(CrmError::into_engine)?;
    match bound {
        Some(values) => binding::in_order(&sql, dialect.quote(), &values).map_err(CrmError::into_engine),
        None => Ok(RemoteStatement { sql, values: Vec::new() }),
    }
}

fn substitute(node: LogicalPlan, columns_of: &ColumnsOf<'_>) -> Result<Transformed<LogicalPlan>> {
    let (scan, name) = match &node {
        LogicalPlan::TableScan(scan) => (scan, scan.table_name.clone()),
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::TableScan(scan) => (scan, alias.alias.clone()),
            _ => return Ok(Transformed::no(node)),
        },
        _ => return Ok(Transformed::no(node)),
    };
    let Some(table) = RemoteTable::of(scan) else {
        return Ok(Transformed::no(node));
    };
    let theirs = LogicalPlanBuilder::new(scan_of_theirs(scan, &table, columns_of)?).alias(name)?.build()?;
    Ok(Transformed::new(theirs, true, TreeNodeRecursion::Jump))
}

/// A scan of one of our tables, as a query of their table.
fn scan_of_theirs(scan: &TableScan, table: &RemoteTable, columns_of: &ColumnsOf<'_>) -> Result<LogicalPlan> {
    let columns = columns_of(table).map_err(CrmError::into_engine)?;
    let fields = columns.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true));
    let source = LogicalTableSource::new(Arc::new(Schema::new(fields.collect::<Vec<_>>())));
    let mut theirs = LogicalPlanBuilder::scan(table.from.clone(), Arc::new(source), None)?;

    let ours = |index: usize| table.expression(index, &columns).map_err(CrmError::into_engine);
    for filter in &scan.filters {
        let filter = filter.clone().transform(|part| match part {
            Expr::Column(column) => Ok(Transformed::yes(ours(table.schema.index_of(&column.name)?)?)),
            other => Ok(Transformed::no(other)),
        });
        theirs = theirs.filter(filter.data()?)?;
    }
    // A scan that reads no column counts rows; a query needs one.
    let shown = match &scan.projection {
        Some(indices) if !indices.is_empty() => indices.clone(),
        Some(_) => vec![0],
        None => (0..table.schema.fields().len()).collect(),
    };
    let shown = shown.into_iter().map(|index| Ok(ours(index)?.alias(table.schema.field(index).name())));
    theirs = theirs.project(shown.collect::<Result<Vec<_>>>()?)?;
    if scan.fetch.is_some() {
        theirs = theirs.limit(0, scan.fetch)?;
    }
    theirs.build()
}

/// Changes what the unparser cannot be configured to write: the syntax of a limit, and a table alias without `AS`.
struct SyntaxFixes(SqlDialect);

impl VisitorMut for SyntaxFixes {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if matches!(self.0, SqlDialect::Postgres | SqlDialect::MySql | SqlDialect::Sqlite) {
            return ControlFlow::Continue(());
        }
        let Some(LimitClause::LimitOffset { limit: Some(limit), .. }) = query.limit_clause.take() else {
            return ControlFlow::Continue(());
        };
        match (self.0, query.body.as_mut(), limit) {
            (SqlDialect::SqlServer, SetExpr::Select(select), SqlExpr::Value(value)) => {
                let quantity = match value.value {
                    Value::Number(number, _) => number.parse().ok().map(TopQuantity::Constant),
                    _ => None,
                };
                select.top = Some(Top { with_ties: false, percent: false, quantity });
            }
            (_, _, limit) => {
                query.fetch = Some(Fetch { with_ties: false, percent: false, quantity: Some(limit) });
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if self.0 == SqlDialect::Oracle
            && let TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } =
                factor
        {
            alias.explicit = false;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, _: &mut Statement) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Checks that `plan` can be written as a statement, as far as possible without reading columns from the database.
pub(crate) fn check_writable(
    plan: &LogicalPlan,
    dialect: SqlDialect,
    binds_values: bool,
) -> Result<(), DataFusionError> {
    let statement = write(plan, dialect, binds_values, &|table| Ok(table.assumed_columns()))?;
    validate::check_names(&statement.sql, dialect.quote()).map_err(CrmError::into_engine)
}

#[cfg(test)]
mod tests;

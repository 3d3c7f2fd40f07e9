//! The statement for the CRM, from the part of a plan that concerns the CRM alone.
//!
//! ```text
//!   plan over our tables ──▶ each scan becomes (SELECT their columns AS ours FROM their table WHERE ... LIMIT ...)
//!                        ──▶ SQL in the CRM's dialect ──▶ gate
//! ```

use crate::dialect::Language;
use crate::error::CrmError;
use crate::gate;
use crate::remote::RemoteColumn;
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

/// What the database has, for a table of ours.
pub(crate) type Known<'a> = dyn Fn(&RemoteTable) -> Result<Arc<Vec<RemoteColumn>>, CrmError> + 'a;

/// `plan`, whose scans are all of the CRM, as one statement.
pub(crate) fn write(plan: &LogicalPlan, language: Language, known: &Known<'_>) -> Result<String> {
    let plan = match plan {
        // On its own, a scan needs no name.
        LogicalPlan::TableScan(scan) => match RemoteTable::of(scan) {
            Some(table) => over_there(scan, &table, known)?,
            None => plan.clone(),
        },
        plan => plan.clone().transform_down(|node| substitute(node, known)).data()?,
    };
    let mut statement = Unparser::new(&language).plan_to_sql(&plan)?;
    let _ = VisitMut::visit(&mut statement, &mut Wording(language));
    let sql = statement.to_string();
    gate::check(&sql, language.quote()).map_err(CrmError::into_engine)?;
    Ok(sql)
}

fn substitute(node: LogicalPlan, known: &Known<'_>) -> Result<Transformed<LogicalPlan>> {
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
    let theirs = LogicalPlanBuilder::new(over_there(scan, &table, known)?).alias(name)?.build()?;
    Ok(Transformed::new(theirs, true, TreeNodeRecursion::Jump))
}

/// A scan of one of our tables, as a query of theirs.
fn over_there(scan: &TableScan, table: &RemoteTable, known: &Known<'_>) -> Result<LogicalPlan> {
    let columns = known(table).map_err(CrmError::into_engine)?;
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

/// What the writer of statements cannot be told: how a limit is worded, and that a table's alias stands without `AS`.
struct Wording(Language);

impl VisitorMut for Wording {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if matches!(self.0, Language::Postgres | Language::MySql | Language::Sqlite) {
            return ControlFlow::Continue(());
        }
        let Some(LimitClause::LimitOffset { limit: Some(limit), .. }) = query.limit_clause.take() else {
            return ControlFlow::Continue(());
        };
        match (self.0, query.body.as_mut(), limit) {
            (Language::SqlServer, SetExpr::Select(select), SqlExpr::Value(value)) => {
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
        if self.0 == Language::Oracle
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

/// Whether `plan` can be written at all, as far as can be told without asking the database.
pub(crate) fn is_writable(plan: &LogicalPlan, language: Language) -> Result<(), DataFusionError> {
    let sql = write(plan, language, &|table| Ok(table.assumed()))?;
    gate::check_names(&sql, language.quote()).map_err(CrmError::into_engine)
}

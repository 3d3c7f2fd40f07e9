//! A mapped table of the CRM's database: our columns, and the database's columns behind them. The columns of the database are
//! read when a statement on the table is planned, never before.

use crate::error::CrmError;
use crate::remote::database::Database;
use crate::remote::driver::RemoteColumn;
use crate::settings::{TICKET_COLUMNS, TICKETS, TableMapping};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::{Cast, Expr, TableScan, lit};
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

/// A mapped table of the database.
#[derive(Debug, Clone)]
pub(crate) struct RemoteTable {
    pub(crate) database: Arc<Database>,
    /// Its name in schema `crm`.
    pub(crate) name: String,
    /// Its name in the database.
    pub(crate) from: TableReference,
    /// Our columns.
    pub(crate) schema: SchemaRef,
    /// For each of our columns, the database's column. A column without one is NULL.
    pub(crate) sources: Vec<Option<String>>,
}

/// The columns of `tickets`. They are the same for every CRM.
pub(crate) fn ticket_schema() -> SchemaRef {
    let fields = TICKET_COLUMNS.map(|name| {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        Field::new(name, if name.ends_with("_at") { time } else { DataType::Utf8 }, true)
    });
    Arc::new(Schema::new(fields.to_vec()))
}

impl RemoteTable {
    /// The table `tickets`. Nothing is read from the database.
    pub(crate) fn tickets(database: Arc<Database>, mapping: &TableMapping, from: TableReference) -> Self {
        let sources = TICKET_COLUMNS.map(|name| mapping.columns.get(name).cloned()).to_vec();
        Self { database, name: TICKETS.to_owned(), from, schema: ticket_schema(), sources }
    }

    /// Another table. `columns` are those of the database.
    pub(crate) fn other(
        database: Arc<Database>,
        mapping: &TableMapping,
        from: TableReference,
        columns: &[RemoteColumn],
    ) -> Result<Self, CrmError> {
        let shown: Vec<(&str, &RemoteColumn)> = if mapping.columns.is_empty() {
            columns.iter().map(|column| (column.name.as_str(), column)).collect()
        } else {
            let found = mapping.columns.iter().map(|(ours, theirs)| {
                let column = columns.iter().find(|column| column.name == *theirs);
                column
                    .map(|column| (ours.as_str(), column))
                    .ok_or_else(|| missing(database.crm(), &mapping.name, &from, ours, theirs, columns))
            });
            found.collect::<Result<_, _>>()?
        };
        let fields = shown.iter().map(|(ours, column)| Field::new(*ours, column.data_type.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let sources = shown.iter().map(|(_, column)| Some(column.name.clone())).collect();
        Ok(Self { database, name: mapping.name.clone(), from, schema, sources })
    }

    /// The table behind a scan, if it is one of the CRM's.
    pub(crate) fn of(scan: &TableScan) -> Option<Arc<Self>> {
        let provider = datafusion::datasource::source_as_provider(&scan.source).ok()?;
        let any: Arc<dyn std::any::Any + Send + Sync> = provider;
        any.downcast().ok()
    }

    /// The columns of the database as the mapping implies them, for writing a statement without reading from the database.
    pub(crate) fn assumed_columns(&self) -> Arc<Vec<RemoteColumn>> {
        let columns = self.sources.iter().zip(self.schema.fields()).filter_map(|(source, field)| {
            let name = source.clone()?;
            Some(RemoteColumn { name, data_type: field.data_type().clone(), is_exact: true })
        });
        Arc::new(columns.collect())
    }

    /// Our column `index`, as an expression over the database's `columns`.
    pub(crate) fn expression(&self, index: usize, columns: &[RemoteColumn]) -> Result<Expr, CrmError> {
        let field = self.schema.field(index);
        let wanted = field.data_type();
        let Some(source) = &self.sources[index] else {
            return Ok(Expr::Cast(Cast::new(Box::new(lit(ScalarValue::Null)), wanted.clone())));
        };
        let Some(column) = columns.iter().find(|column| column.name == *source) else {
            return Err(missing(self.database.crm(), &self.name, &self.from, field.name(), source, columns));
        };
        let theirs = Expr::Column(Column::new(Some(self.from.clone()), source));
        let is_time = |data_type: &DataType| matches!(data_type, DataType::Timestamp(..) | DataType::Date32);
        let as_it_is = match (wanted, &column.data_type) {
            (wanted, theirs) if is_time(wanted) && is_time(theirs) => true,
            (wanted, _) if is_time(wanted) => !self.database.dialect().casts_text_to_time(),
            // A column of another type in the database is compared as text in the engine.
            (DataType::Utf8, theirs) => *theirs == DataType::Utf8 && (column.is_exact || self.name != TICKETS),
            _ => true,
        };
        Ok(if as_it_is { theirs } else { Expr::Cast(Cast::new(Box::new(theirs), wanted.clone())) })
    }
}

fn missing(
    crm: &str,
    name: &str,
    from: &TableReference,
    ours: &str,
    theirs: &str,
    columns: &[RemoteColumn],
) -> CrmError {
    let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    CrmError::NoColumn {
        crm: crm.to_owned(),
        column: format!("{name}.{ours}"),
        from: from.to_string(),
        missing: theirs.to_owned(),
        known: known.join(", "),
    }
}

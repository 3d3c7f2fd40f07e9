//! CSV and Parquet files as tables. Each statement reads the file again, so that a replaced file shows its new rows. A CSV file
//! has no types: all its columns are text.

use crate::error::CrmError;
use crate::settings::{TICKETS, TableMapping};
use crate::table::ticket_schema;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Cast, Expr, LogicalPlanBuilder, TableProviderFilterPushDown, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use futures::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Arc;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Csv { delimiter: u8 },
    Parquet,
}

/// A mapped file.
#[derive(Debug, Clone)]
pub(crate) struct FileTable {
    pub(crate) mapping: TableMapping,
    pub(crate) kind: FileKind,
    /// Our columns. For other tables than `tickets`, [`opened`](Self::opened) sets them.
    schema: SchemaRef,
}

impl FileTable {
    pub(crate) fn new(mapping: TableMapping, kind: FileKind) -> Self {
        Self { mapping, kind, schema: ticket_schema() }
    }

    /// This table with its columns. For `tickets` the file is not read.
    pub(crate) async fn opened(&self) -> Result<Self> {
        if self.mapping.name == TICKETS {
            return Ok(self.clone());
        }
        let state = SessionStateBuilder::new().build();
        let theirs = self.file_schema(&state).await?;
        let fields: Vec<Field> = if self.mapping.columns.is_empty() {
            theirs.fields().iter().map(|field| field.as_ref().clone()).collect()
        } else {
            let found = self.mapping.columns.iter().map(|(ours, column)| {
                let field = theirs.field_with_name(column).map_err(|_| self.missing(ours, column, &theirs))?;
                Ok(field.clone().with_name(ours))
            });
            found.collect::<Result<_, CrmError>>().map_err(CrmError::into_engine)?
        };
        let fields = fields.into_iter().map(|field| field.with_nullable(true));
        Ok(Self { schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())), ..self.clone() })
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(&self.mapping.from)
    }

    fn wrong(&self, doing: &'static str, reason: String) -> CrmError {
        CrmError::File { name: self.mapping.name.clone(), doing, path: self.path(), reason }
    }

    fn missing(&self, ours: &str, column: &str, theirs: &Schema) -> CrmError {
        let known: Vec<&str> = theirs.fields().iter().map(|field| field.name().as_str()).collect();
        CrmError::NoColumn {
            crm: "the CRM".to_owned(),
            column: format!("{}.{ours}", self.mapping.name),
            from: self.mapping.from.clone(),
            missing: column.to_owned(),
            known: known.join(", "),
        }
    }

    fn options(&self) -> ListingOptions {
        let format: Arc<dyn FileFormat> = match self.kind {
            FileKind::Csv { delimiter } => Arc::new(
                CsvFormat::default().with_has_header(true).with_delimiter(delimiter).with_newlines_in_values(true),
            ),
            FileKind::Parquet => Arc::new(ParquetFormat::default().with_force_view_types(false)),
        };
        ListingOptions::new(format).with_file_extension("")
    }

    fn url(&self) -> Result<ListingTableUrl> {
        let path = self.path();
        let path = std::fs::canonicalize(&path).map_err(|error| self.wrong("open", error.to_string()).into_engine())?;
        let url = url::Url::from_file_path(&path)
            .map_err(|()| self.wrong("open", "the path cannot be that of a file".to_owned()).into_engine())?;
        ListingTableUrl::parse(url)
    }

    async fn file_schema(&self, state: &dyn Session) -> Result<SchemaRef> {
        let url = self.url()?;
        let schema = self
            .options()
            .infer_schema(state, &url)
            .await
            .map_err(|error| self.wrong("read", error.strip_backtrace()).into_engine())?;
        if self.kind == FileKind::Parquet {
            return Ok(schema);
        }
        let fields = schema.fields().iter().map(|field| Field::new(field.name(), DataType::Utf8, true));
        Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }
}

impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// The filters become part of the plan of the scan, where the engine pushes them into the file as far as possible.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    fn scan<'life0, 'life1, 'life2, 'life3, 'async_trait>(
        &'life0 self,
        state: &'life1 dyn Session,
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
        self.plan_scan(state, projection, filters, limit)
    }
}

impl FileTable {
    /// Boxed in a function without where-clauses, as for `RemoteTable`.
    fn plan_scan<'a>(
        &'a self,
        state: &'a dyn Session,
        projection: Option<&'a Vec<usize>>,
        filters: &'a [Expr],
        limit: Option<usize>,
    ) -> BoxFuture<'a, Result<Arc<dyn ExecutionPlan>>> {
        Box::pin(async move {
            let theirs = self.file_schema(state).await?;
            let config = ListingTableConfig::new(self.url()?)
                .with_listing_options(self.options())
                .with_schema(Arc::clone(&theirs));
            let file = provider_as_source(Arc::new(ListingTable::try_new(config)?));

            let mut columns = Vec::with_capacity(self.schema.fields().len());
            for field in self.schema.fields() {
                let source = self.mapping.columns.get(field.name());
                let source = source.or_else(|| self.mapping.columns.is_empty().then(|| field.name()));
                let column = match source {
                    None => Expr::Literal(ScalarValue::try_from(field.data_type())?, None),
                    Some(source) => {
                        let found = theirs.field_with_name(source);
                        let found = found.map_err(|_| self.missing(field.name(), source, &theirs).into_engine())?;
                        let column = Expr::Column(datafusion::common::Column::new_unqualified(source));
                        if found.data_type() == field.data_type() {
                            column
                        } else {
                            // An empty field of a CSV file means that there is no time.
                            let empty = matches!(field.data_type(), DataType::Timestamp(..))
                                && *found.data_type() == DataType::Utf8;
                            let column = if empty { nullif(state, column)? } else { column };
                            Expr::Cast(Cast::new(Box::new(column), field.data_type().clone()))
                        }
                    }
                };
                columns.push(column.alias(field.name()));
            }
            let mut plan = LogicalPlanBuilder::scan("file", file, None)?.project(columns)?;
            for filter in filters {
                plan = plan.filter(filter.clone())?;
            }
            if let Some(projection) = projection {
                let shown = projection.iter().map(|&index| {
                    Expr::Column(datafusion::common::Column::new_unqualified(self.schema.field(index).name()))
                });
                plan = plan.project(shown.collect::<Vec<_>>())?;
            }
            let plan = plan.limit(0, limit)?.build()?;
            state.create_physical_plan(&plan).await
        })
    }
}

fn nullif(state: &dyn Session, column: Expr) -> Result<Expr> {
    let function = state.scalar_functions().get("nullif").cloned();
    let function = function.ok_or_else(|| DataFusionError::Plan("the function nullif is not registered".to_owned()))?;
    Ok(function.call(vec![column, lit("")]))
}

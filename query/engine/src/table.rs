//! A table of the archive for one statement of one caller.
//!
//! ```text
//! filters ─▶ prune ─▶ files ─▶ may the caller read them? ─▶ those with the subjects that are asked for
//!                                ─▶ one Parquet scan for each set of tiers ─▶ union
//!                                   withheld columns are NULL, and noted
//! ```

use crate::error::QueryError;
use crate::footer::{Footer, FooterCache, Segment, SegmentReaders};
use crate::prune;
use crate::session::Caller;
use crate::subjects::SubjectsExec;
use crate::tier_access::{TierAccess, Tiers};
use crate::trace::StatementTrace;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
use futures::{StreamExt, stream};
use holdfast_archive::keys::{MasterKeyId, Unlocker};
use holdfast_archive::table::PARTITION_COLUMNS;
use holdfast_archive::{Archive, DataFile, Table, TableLog};
use holdfast_events::Tier;
use object_store::ObjectMeta;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Under this name the engine knows the archive's store.
pub(crate) const STORE_URL: &str = "holdfast://archive";

/// The columns of a table as SQL sees them: those of its files, then `class` and `date`.
#[cfg(test)]
pub(crate) fn schema_of(table: Table) -> SchemaRef {
    Arc::clone(layout(table).table_schema())
}

/// The tier of a column of [`schema_of`].
pub(crate) fn tier_of(table: Table, column: usize) -> Tier {
    if column < shown_columns(table) { table.tier(column) } else { Tier::Operational }
}

/// How many of a file's columns a statement sees: all but the last, the secret that proofs are salted with. It says nothing
/// about an event, and whoever got it with a result could guess at the hashes of what was disposed of.
fn shown_columns(table: Table) -> usize {
    table.schema().fields().len() - 1
}

/// Footers that are asked for at once.
const FOOTERS_AT_ONCE: usize = 16;

/// Columns with long texts, which are hardly ever joined and grouped by.
const LONG_COLUMNS: [&str; 5] = ["data", "data_binary", "operational", "personal", "value"];

fn layout(table: Table) -> TableSchema {
    let fields = table.schema();
    let fields = fields.fields().iter().enumerate().take(shown_columns(table)).map(|(index, field)| {
        // Texts are read as views: a filter, sort or join then moves sixteen bytes a row and not the text. But a view keeps the
        // whole page that it points into, so that memory for a few long texts would be that of all around them.
        let data_type = match field.data_type() {
            long if LONG_COLUMNS.contains(&field.name().as_str()) => long.clone(),
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            other => other.clone(),
        };
        // What may be withheld may be NULL.
        let nullable = field.is_nullable() || table.tier(index) != Tier::Operational;
        Field::new(field.name(), data_type, nullable)
    });
    let [class, date] = PARTITION_COLUMNS;
    TableSchema::builder(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
        .with_table_partition_cols(vec![
            Arc::new(Field::new(class, DataType::Utf8View, false)),
            Arc::new(Field::new(date, DataType::Date32, false)),
        ])
        .build()
}

/// A table at one snapshot, with the rights of one caller.
pub(crate) struct ArchiveTable {
    table: Table,
    layout: TableSchema,
    files: Vec<DataFile>,
    rights: TierAccess,
    archive: Archive,
    unlocker: Arc<Unlocker>,
    footers: Arc<FooterCache>,
    trace: Arc<StatementTrace>,
}

impl fmt::Debug for ArchiveTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveTable").field("table", &self.table).finish_non_exhaustive()
    }
}

impl ArchiveTable {
    /// The table as it is now.
    pub(crate) async fn open(
        log: &TableLog,
        archive: &Archive,
        caller: &Caller,
        footers: &Arc<FooterCache>,
        trace: &Arc<StatementTrace>,
    ) -> Result<Self, QueryError> {
        let files = log.snapshot().await?.files.clone();
        Self::over(log.table(), files, &[], archive, caller, footers, trace).await
    }

    /// A table that consists of `files`. What is shown of it depends on the rights in `sources` as well, which it was derived
    /// from.
    pub(crate) async fn over(
        table: Table,
        files: Vec<DataFile>,
        sources: &[DataFile],
        archive: &Archive,
        caller: &Caller,
        footers: &Arc<FooterCache>,
        trace: &Arc<StatementTrace>,
    ) -> Result<Self, QueryError> {
        let representatives = TierAccess::representatives(files.iter().chain(sources));
        caller.unlocker.prepare(&representatives).await?;
        Ok(Self {
            table,
            layout: layout(table),
            rights: TierAccess::of(caller, &representatives),
            files,
            archive: archive.clone(),
            unlocker: Arc::clone(&caller.unlocker),
            footers: Arc::clone(footers),
            trace: Arc::clone(trace),
        })
    }

    /// Which table it is.
    pub(crate) fn table(&self) -> Table {
        self.table
    }

    /// What the caller may read in every file.
    pub(crate) fn rights(&self) -> Tiers {
        self.rights.in_every_file()
    }

    /// Refuses columns that are computed with and are of none of the tiers `rights`, in rows that are in no file.
    pub(crate) fn check_overlay(&self, rights: Tiers) -> Result<(), QueryError> {
        match self.trace.computed_without(self.table, rights) {
            Some((column, tier)) => Err(QueryError::Withheld { column, tier }),
            None => Ok(()),
        }
    }

    /// Whether there are files of which the caller may not read the column, but others. A file whose operational tier
    /// is closed is refused as a whole when it is to be read.
    pub(crate) fn withholds(&self, column: usize) -> bool {
        let tier = tier_of(self.table, column);
        tier != Tier::Operational && !self.rights.in_every_file().has(tier)
    }

    /// Whether there are files, and the caller may read `tier` in none of them.
    pub(crate) fn withholds_everywhere(&self, tier: Tier) -> bool {
        self.rights.nowhere(tier)
    }

    /// The filters as they are held against files.
    fn physical(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<Arc<dyn PhysicalExpr>>> {
        let schema = self.layout.table_schema();
        let logical = DFSchema::try_from(Arc::clone(schema))?;
        let mut physical = Vec::with_capacity(filters.len());
        for filter in filters {
            match state.create_physical_expr(filter.clone(), &logical) {
                Ok(filter) => physical.push(filter),
                // Such as one that waits for a subquery. What was promised to be answered exactly has no such part.
                Err(error) if prune::speaks_of_partitions_only(filter) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(physical)
    }

    /// The files that may hold rows for which `filters` are true, as far as the log tells.
    fn select(&self, filters: &[Arc<dyn PhysicalExpr>]) -> Result<Vec<&DataFile>> {
        let schema = self.layout.table_schema();
        let time = schema.field(self.table.time_column()).name();
        let kept = prune::select(&self.files, filters, schema, time)?;
        Ok(kept.into_iter().map(|index| &self.files[index]).collect())
    }

    /// Those of `files` that may hold rows of the subjects for which `filters` are true, as the files themselves tell.
    async fn of_subjects<'f>(&self, files: Vec<&'f DataFile>, filters: &[Arc<dyn PhysicalExpr>]) -> Vec<&'f DataFile> {
        let schema = self.layout.table_schema();
        let Some(column) = self.table.subject_column() else { return files };
        let wanted = prune::subjects(filters, schema.field(column).name());
        if wanted.is_empty() {
            return files;
        }
        let readers = self.readers();
        let segments: Vec<Segment> =
            files.iter().map(|file| Segment { file: (*file).clone(), rights: self.rights.in_file(file) }).collect();
        let footers = stream::iter(segments).map(|segment| readers.footer(segment)).buffered(FOOTERS_AT_ONCE);
        // Where it cannot be read, whoever reads the file is told why.
        let footers: Vec<Option<Arc<Footer>>> = footers.map(Result::ok).collect().await;
        let may_have = |footer: &Footer| wanted.iter().all(|subjects| footer.may_have(subjects));
        let asked = files.into_iter().zip(footers);
        asked.filter(|(_, footer)| footer.as_deref().is_none_or(may_have)).map(|(file, _)| file).collect()
    }

    fn readers(&self) -> SegmentReaders {
        SegmentReaders {
            store: Arc::clone(self.archive.store()),
            unlocker: Arc::clone(&self.unlocker),
            footers: Arc::clone(&self.footers),
        }
    }

    /// Refuses files of which nothing can be read, and columns that are computed with where they cannot be read.
    fn check(&self, files: &[&DataFile]) -> Result<(), QueryError> {
        for file in files {
            let rights = self.rights.in_file(file);
            if !rights.has(Tier::Operational) {
                let id = MasterKeyId::of(Tier::Operational, &file.class, file.date);
                return Err(QueryError::NoKey { class: id.class, month: id.month });
            }
            if let Some((column, tier)) = self.trace.computed_without(self.table, rights) {
                return Err(QueryError::Withheld { column, tier });
            }
        }
        Ok(())
    }

    /// Reads `columns` of `files`, in all of which `rights` are those of the columns' tiers that the caller may read.
    fn read(
        &self,
        files: &[&DataFile],
        rights: Tiers,
        columns: &[usize],
        limit: Option<usize>,
        partitions: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let readable = |column: &usize| rights.has(tier_of(self.table, *column));
        let source = ParquetSource::new(self.layout.clone())
            .with_parquet_file_reader_factory(Arc::new(self.readers()))
            .with_pushdown_filters(true)
            .with_reorder_filters(true)
            .with_enable_page_index(true)
            // Bloom filters of encrypted columns would stand in the file in plain text, so no file has any.
            .with_bloom_filter_on_read(false);
        let group = FileGroup::new(files.iter().map(|file| describe(file, self.rights.in_file(file))).collect());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
            .with_file_groups(group.split_files(partitions))
            .with_statistics(self.estimate(files))
            .with_projection_indices(Some(columns.iter().copied().filter(readable).collect()))?
            .with_limit(limit)
            .build();
        let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        if columns.iter().all(readable) {
            return Ok(scan);
        }
        let schema = self.layout.table_schema();
        let mut position = 0;
        let mut expressions: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::with_capacity(columns.len());
        for column in columns {
            let field = schema.field(*column);
            let expression: Arc<dyn PhysicalExpr> = if readable(column) {
                position += 1;
                Arc::new(Column::new(field.name(), position - 1))
            } else {
                Arc::new(Literal::new(ScalarValue::try_new_null(field.data_type())?))
            };
            expressions.push((expression, field.name().clone()));
        }
        Ok(Arc::new(ProjectionExec::try_new(expressions, scan)?))
    }

    /// The first of the columns that were read, which are those that are wanted.
    fn narrow(&self, scan: Arc<dyn ExecutionPlan>, wanted: &[usize], read: &[usize]) -> Result<Arc<dyn ExecutionPlan>> {
        if wanted.len() == read.len() {
            return Ok(scan);
        }
        let schema = self.layout.table_schema();
        let expressions = wanted.iter().enumerate().map(|(position, column)| {
            let name = schema.field(*column).name();
            (Arc::new(Column::new(name, position)) as Arc<dyn PhysicalExpr>, name.clone())
        });
        Ok(Arc::new(ProjectionExec::try_new(expressions.collect::<Vec<_>>(), scan)?))
    }

    /// The log's figures serve the planner as estimates only: an answer comes from what is authenticated, the files.
    fn estimate(&self, files: &[&DataFile]) -> Statistics {
        let mut statistics = Statistics::new_unknown(self.layout.table_schema());
        statistics.num_rows = Precision::Inexact(files.iter().map(|file| file.rows as usize).sum());
        statistics.total_byte_size = Precision::Inexact(files.iter().map(|file| file.size as usize).sum());
        statistics
    }
}

/// A file as the engine wants it described.
fn describe(file: &DataFile, rights: Tiers) -> PartitionedFile {
    let meta = ObjectMeta {
        location: file.path.clone(),
        last_modified: chrono::DateTime::UNIX_EPOCH,
        size: file.size,
        e_tag: None,
        version: None,
    };
    PartitionedFile::new_from_meta(meta)
        .with_partition_values(vec![
            ScalarValue::Utf8View(Some(file.class.clone())),
            ScalarValue::Date32(Some(file.date)),
        ])
        .with_extension(Segment { file: file.clone(), rights })
}

#[async_trait]
impl TableProvider for ArchiveTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.layout.table_schema())
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
        let all: Vec<usize> = (0..self.layout.table_schema().fields().len()).collect();
        let columns = projection.unwrap_or(&all);
        let filters = self.physical(state, filters)?;
        let files = self.select(&filters)?;
        self.check(&files).map_err(QueryError::through_engine)?;
        self.trace.add_scan(self.table, files.iter().map(|file| (self.rights.in_file(file), 1)));
        let files = self.of_subjects(files, &filters).await;

        let wanted: Tiers = columns.iter().map(|column| tier_of(self.table, *column)).collect();
        let mut by_rights: BTreeMap<Tiers, Vec<&DataFile>> = BTreeMap::new();
        for file in &files {
            by_rights.entry(self.rights.in_file(file).and(wanted)).or_default().push(file);
        }
        tracing::debug!(
            table = self.table.name(),
            files = files.len(),
            of = self.files.len(),
            tiers = ?wanted,
            "scan"
        );
        let partitions = state.config().target_partitions();
        // Whose protected data is read is part of the record of a look.
        let is_protected = wanted.has(Tier::Personal) || wanted.has(Tier::Content);
        let subject = self.table.subject_column().filter(|_| is_protected);
        let mut read = columns.clone();
        read.extend(subject.filter(|subject| !columns.contains(subject)));
        let position = subject.and_then(|subject| read.iter().position(|column| *column == subject));
        let mut scans = by_rights
            .into_iter()
            .map(|(rights, files)| {
                let scan = self.read(&files, rights, &read, limit, partitions)?;
                let shows = rights.has(Tier::Personal) || rights.has(Tier::Content);
                let Some(position) = position.filter(|_| shows) else { return self.narrow(scan, columns, &read) };
                let noted = Arc::new(SubjectsExec::new(scan, position, Arc::clone(&self.trace)));
                self.narrow(noted, columns, &read)
            })
            .collect::<Result<Vec<_>>>()?;
        match scans.len() {
            0 => Ok(Arc::new(EmptyExec::new(Arc::new(self.layout.table_schema().project(columns)?)))),
            1 => Ok(scans.remove(0)),
            _ => UnionExec::try_new(scans),
        }
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| {
            if prune::speaks_of_partitions_only(filter) {
                TableProviderFilterPushDown::Exact
            } else {
                // Files are chosen by it here; the engine hands it to the Parquet scan when it plans the execution.
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(support).collect())
    }
}

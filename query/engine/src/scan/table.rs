//! A table of the archive for one statement of one caller.
//!
//! ```text
//! filters ─▶ prune by the log ─▶ check the caller's tiers ─▶ prune by the subjects in the footers
//!                                  ─▶ one Parquet scan for each set of tiers ─▶ union
//!                                     withheld columns are NULL, and recorded in the trace
//! ```

use super::context::ScanContext;
use super::footer::Footer;
use super::layout::{layout, tier_of};
use super::project::first_columns;
use super::prune;
use super::reads::NamedBy;
use super::segment::{Segment, SegmentReaders};
use super::subjects::SubjectsExec;
use crate::error::QueryError;
use crate::visibility::{TierAccess, Tiers};
use arrow_schema::SchemaRef;
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
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use holdfast_archive::keys::MasterKeyId;
use holdfast_archive::{DataFile, Table, TableLog};
use holdfast_events::Tier;
use object_store::ObjectMeta;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// The URL under which DataFusion finds the archive's object store.
pub(crate) const STORE_URL: &str = "holdfast://archive";

/// Footers that are read at the same time.
const CONCURRENT_FOOTERS: usize = 16;

/// One snapshot of a table, as far as one caller may read it.
pub(crate) struct ArchiveTable {
    table: Table,
    layout: TableSchema,
    files: Arc<Vec<DataFile>>,
    access: TierAccess,
    context: ScanContext,
}

impl fmt::Debug for ArchiveTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveTable").field("table", &self.table).finish_non_exhaustive()
    }
}

impl ArchiveTable {
    /// The current snapshot of the table of `log`.
    pub(crate) async fn open(log: &TableLog, context: &ScanContext) -> Result<Self, QueryError> {
        let files = Arc::clone(&log.snapshot().await?.files);
        Self::over(log.table(), files, &[], context).await
    }

    /// A table of `files`, which were derived from `sources`. A tier is readable in every file only if it also is in
    /// every source.
    pub(crate) async fn over(
        table: Table,
        files: Arc<Vec<DataFile>>,
        sources: &[DataFile],
        context: &ScanContext,
    ) -> Result<Self, QueryError> {
        let representatives = TierAccess::representatives(files.iter().chain(sources));
        context.unlocker.prepare(&representatives).await?;
        let access = TierAccess::of(&context.unlocker, context.visible, &representatives);
        Ok(Self { table, layout: layout(table), files, access, context: context.clone() })
    }

    /// Its files, as they are in the snapshot.
    pub(crate) fn files(&self) -> &Arc<Vec<DataFile>> {
        &self.files
    }

    /// Which table it is.
    pub(crate) fn table(&self) -> Table {
        self.table
    }

    /// The tiers that the caller may read in every file.
    pub(crate) fn readable_tiers(&self) -> Tiers {
        self.access.in_every_file()
    }

    /// Refuses the statement if it computes with a column of other tiers than `readable`. For rows that are in no file.
    pub(crate) fn check_overlay(&self, readable: Tiers) -> Result<(), QueryError> {
        match self.context.trace.computed_without(self.table, readable) {
            Some((column, tier)) => Err(QueryError::Withheld { column, tier }),
            None => Ok(()),
        }
    }

    /// Whether some file withholds the column from the caller. A file whose operational tier is closed withholds no
    /// column: the scan refuses it as a whole.
    pub(crate) fn withholds(&self, column: usize) -> bool {
        let tier = tier_of(self.table, column);
        tier != Tier::Operational && !self.access.in_every_file().has(tier)
    }

    /// Whether there are files, and the caller may read `tier` in none of them.
    pub(crate) fn withholds_everywhere(&self, tier: Tier) -> bool {
        self.access.nowhere(tier)
    }

    /// Records that columns of `tiers` may be read, of rows for which `filters` are true.
    pub(super) fn will_read(&self, tiers: Tiers, filters: &[Arc<dyn PhysicalExpr>]) {
        self.context.trace.add_reads(|reads| {
            reads.add_table(self.table.name(), tiers);
            if let Some(subject) = self.table.subject_column().filter(|_| tiers.are_protected()) {
                reads.add_whose(self.named(filters, subject));
            }
        });
    }

    /// Those whom all rows for which `filters` are true are about, if the filters name them.
    fn named(&self, filters: &[Arc<dyn PhysicalExpr>], subject: usize) -> Option<(NamedBy, HashSet<String>)> {
        let subject = self.layout.table_schema().field(subject).name();
        let columns =
            [(NamedBy::Subject, subject.as_str()), (NamedBy::Ticket, "ticket"), (NamedBy::Customer, "customer")];
        columns.into_iter().find_map(|(by, column)| {
            let names = prune::texts(filters, column).into_iter().min_by_key(HashSet::len)?;
            Some((by, names))
        })
    }

    /// The filters that can be evaluated against files.
    pub(super) fn physical(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<Arc<dyn PhysicalExpr>>> {
        let schema = self.layout.table_schema();
        let logical = DFSchema::try_from(Arc::clone(schema))?;
        let mut physical = Vec::with_capacity(filters.len());
        for filter in filters {
            match state.create_physical_expr(filter.clone(), &logical) {
                Ok(filter) => physical.push(filter),
                // For example a filter with a subquery. A filter that was promised to be exact has no such part.
                Err(error) if prune::is_on_partition_only(filter) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(physical)
    }

    /// The files that may hold rows for which `filters` are true, according to the log.
    fn select(&self, filters: &[Arc<dyn PhysicalExpr>]) -> Result<Vec<&DataFile>> {
        let schema = self.layout.table_schema();
        let time = schema.field(self.table.time_column()).name();
        let kept = prune::select(&self.files, filters, schema, time)?;
        Ok(kept.into_iter().map(|index| &self.files[index]).collect())
    }

    /// The `files` that may hold rows of the subjects, and of the types, for which `filters` are true, according to the files'
    /// footers.
    async fn of_subjects<'f>(&self, files: Vec<&'f DataFile>, filters: &[Arc<dyn PhysicalExpr>]) -> Vec<&'f DataFile> {
        let schema = self.layout.table_schema();
        let Some(column) = self.table.subject_column() else { return files };
        let wanted = prune::texts(filters, schema.field(column).name());
        if wanted.is_empty() {
            return files;
        }
        let cached = |file: &&DataFile| self.context.footers.get(&(file.path.clone(), self.access.in_file(file)));
        let mut footers: Vec<Option<Arc<Footer>>> = files.iter().map(cached).collect();
        let missing: Vec<usize> = (0..files.len()).filter(|place| footers[*place].is_none()).collect();
        if !missing.is_empty() {
            let readers = self.readers();
            let segments = missing.iter().map(|place| files[*place]);
            let segments: Vec<Segment> =
                segments.map(|file| Segment { file: file.clone(), tiers: self.access.in_file(file) }).collect();
            let read = stream::iter(segments).map(|segment| readers.footer(segment)).buffered(CONCURRENT_FOOTERS);
            // If a footer cannot be read, the file is kept, and its scan reports the reason.
            let read: Vec<Option<Arc<Footer>>> = read.map(Result::ok).collect().await;
            missing.into_iter().zip(read).for_each(|(place, footer)| footers[place] = footer);
        }
        let types = self.table.type_column().map(|column| prune::texts(filters, schema.field(column).name()));
        let types = types.unwrap_or_default().into_iter().min_by_key(HashSet::len);
        let may_have = |footer: &Footer| wanted.iter().all(|subjects| footer.may_have(subjects, types.as_ref()));
        let files = files.into_iter().zip(footers);
        files.filter(|(_, footer)| footer.as_deref().is_none_or(may_have)).map(|(file, _)| file).collect()
    }

    fn readers(&self) -> SegmentReaders {
        SegmentReaders {
            store: Arc::clone(self.context.archive.store()),
            unlocker: Arc::clone(&self.context.unlocker),
            footers: Arc::clone(&self.context.footers),
        }
    }

    /// Refuses files that the caller cannot read at all, and files that withhold a column that the statement computes
    /// with.
    fn check(&self, files: &[&DataFile]) -> Result<(), QueryError> {
        for file in files {
            let readable = self.access.in_file(file);
            if !readable.has(Tier::Operational) {
                let id = MasterKeyId::of(Tier::Operational, &file.class, file.date);
                return Err(QueryError::NoKey { class: id.class, month: id.month });
            }
            if let Some((column, tier)) = self.context.trace.computed_without(self.table, readable) {
                return Err(QueryError::Withheld { column, tier });
            }
        }
        Ok(())
    }

    /// Scans `columns` of `files`, in so many partitions. `readable` are the tiers of the columns that the caller may read,
    /// the same in each file. With `filters_rows` columns are read of the rows only for which the filters are true.
    fn read(
        &self,
        files: &[&DataFile],
        readable: Tiers,
        columns: &[usize],
        limit: Option<usize>,
        (partitions, filters_rows): (usize, bool),
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let is_readable = |column: &usize| readable.has(tier_of(self.table, *column));
        let source = ParquetSource::new(self.layout.clone())
            .with_parquet_file_reader_factory(Arc::new(self.readers()))
            .with_pushdown_filters(filters_rows)
            .with_reorder_filters(true)
            .with_enable_page_index(true)
            // Bloom filters of encrypted columns would be stored in plain text, so no file has any.
            .with_bloom_filter_on_read(false);
        let group =
            FileGroup::new(files.iter().map(|file| partitioned_file(file, self.access.in_file(file))).collect());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
            .with_file_groups(group.split_files(partitions))
            .with_statistics(self.estimate(files))
            .with_projection_indices(Some(columns.iter().copied().filter(is_readable).collect()))?
            .with_limit(limit)
            .build();
        let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        if columns.iter().all(is_readable) {
            return Ok(scan);
        }
        let schema = self.layout.table_schema();
        let mut position = 0;
        let mut expressions: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::with_capacity(columns.len());
        for column in columns {
            let field = schema.field(*column);
            let expression: Arc<dyn PhysicalExpr> = if is_readable(column) {
                position += 1;
                Arc::new(Column::new(field.name(), position - 1))
            } else {
                Arc::new(Literal::new(ScalarValue::try_new_null(field.data_type())?))
            };
            expressions.push((expression, field.name().clone()));
        }
        Ok(Arc::new(ProjectionExec::try_new(expressions, scan)?))
    }

    /// Boxed in a function without bounds: there the compiler proves quickly, and once, that the future is `Send`.
    fn boxed_scan<'a>(
        &'a self,
        state: &'a dyn Session,
        projection: Option<&'a Vec<usize>>,
        filters: &'a [Expr],
        limit: Option<usize>,
    ) -> BoxFuture<'a, Result<Arc<dyn ExecutionPlan>>> {
        self.plan_scan(state, projection, filters, limit).boxed()
    }

    async fn plan_scan(
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
        self.context.trace.add_scan(self.table, files.iter().map(|file| (self.access.in_file(file), 1)));
        let files = self.of_subjects(files, &filters).await;

        let wanted: Tiers = columns.iter().map(|column| tier_of(self.table, *column)).collect();
        let mut by_tiers: BTreeMap<Tiers, Vec<&DataFile>> = BTreeMap::new();
        for file in &files {
            by_tiers.entry(self.access.in_file(file).and(wanted)).or_default().push(file);
        }
        tracing::debug!(
            table = self.table.name(),
            files = files.len(),
            of = self.files.len(),
            tiers = ?wanted,
            "scan"
        );
        self.will_read(by_tiers.keys().copied().fold(Tiers::NONE, Tiers::or), &filters);
        let partitions = state.config().target_partitions();
        let filters_rows = self.filters_rows(wanted, &filters);
        // The access record names the subjects whose protected data is read.
        let subject = self.table.subject_column().filter(|_| wanted.are_protected());
        let mut read = columns.clone();
        read.extend(subject.filter(|subject| !columns.contains(subject)));
        let position = subject.and_then(|subject| read.iter().position(|column| *column == subject));
        let operational: HashSet<usize> =
            (0..read.len()).filter(|index| tier_of(self.table, read[*index]) == Tier::Operational).collect();
        let mut scans = by_tiers
            .into_iter()
            .map(|(readable, files)| {
                let scan = self.read(&files, readable, &read, limit, (partitions, filters_rows))?;
                let Some(position) = position.filter(|_| readable.are_protected()) else {
                    return first_columns(scan, columns.len());
                };
                let trace = Arc::clone(&self.context.trace);
                let traced = Arc::new(SubjectsExec::new(scan, position, operational.clone(), trace));
                first_columns(traced, columns.len())
            })
            .collect::<Result<Vec<_>>>()?;
        match scans.len() {
            0 => Ok(Arc::new(EmptyExec::new(Arc::new(self.layout.table_schema().project(columns)?)))),
            1 => Ok(scans.remove(0)),
            _ => UnionExec::try_new(scans),
        }
    }

    /// Whether rows are selected before the other columns are read. Most filters of reports on sessions are true for most
    /// rows, and the columns are narrow, so that it is faster to read them all. What is recorded as read is what the filters
    /// select.
    fn filters_rows(&self, tiers: Tiers, filters: &[Arc<dyn PhysicalExpr>]) -> bool {
        let names_sessions = || {
            let schema = self.layout.table_schema();
            let name = self.table.subject_column().map(|column| schema.field(column).name());
            name.is_some_and(|name| !prune::texts(filters, name).is_empty())
        };
        self.table != Table::Sessions || tiers.are_protected() || names_sessions()
    }

    /// The log's figures are estimates for the planner only. Results come from the files, which are authenticated.
    fn estimate(&self, files: &[&DataFile]) -> Statistics {
        let mut statistics = Statistics::new_unknown(self.layout.table_schema());
        statistics.num_rows = Precision::Inexact(files.iter().map(|file| file.rows as usize).sum());
        statistics.total_byte_size = Precision::Inexact(files.iter().map(|file| file.size as usize).sum());
        statistics
    }
}

/// A file in DataFusion's form. `tiers` are those that the caller may read in it.
fn partitioned_file(file: &DataFile, tiers: Tiers) -> PartitionedFile {
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
        .with_extension(Segment { file: file.clone(), tiers })
}

impl TableProvider for ArchiveTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.layout.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn scan<'table, 'state, 'projection, 'filters, 'future>(
        &'table self,
        state: &'state dyn Session,
        projection: Option<&'projection Vec<usize>>,
        filters: &'filters [Expr],
        limit: Option<usize>,
    ) -> BoxFuture<'future, Result<Arc<dyn ExecutionPlan>>>
    where
        'table: 'future,
        'state: 'future,
        'projection: 'future,
        'filters: 'future,
        Self: 'future,
    {
        self.boxed_scan(state, projection, filters, limit)
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| {
            if prune::is_on_partition_only(filter) {
                TableProviderFilterPushDown::Exact
            } else {
                // The filter selects files here; DataFusion pushes it into the Parquet scan with its physical plan.
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(support).collect())
    }
}

//! Selects the data files that may contain rows of a query from the log alone, and extracts the query's subjects.
//!
//! A filter on `time` implies nothing about `date`: an event with an implausible time is in the partition of the date
//! on which it arrived. A filter on `time` is compared with the minimum and maximum time of each file, which the log
//! stores; a filter on `class` or `date` with the file's partition.

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, RecordBatch, StringViewArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column as PhysicalColumn;
use datafusion::physical_expr::utils::{Guarantee, LiteralGuarantee};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use holdfast_archive::DataFile;
use holdfast_archive::table::PARTITION_COLUMNS;
use std::collections::HashSet;
use std::sync::Arc;

/// Whether a filter is on partition columns only, so that [`select`] evaluates it exactly.
pub(super) fn is_on_partition_only(filter: &Expr) -> bool {
    let columns = filter.column_refs();
    !columns.is_empty()
        && !filter.is_volatile()
        && !filter.exists(|part| Ok(is_unknown(part))).unwrap_or(true)
        && columns.iter().all(|column| PARTITION_COLUMNS.contains(&column.name.as_str()))
}

/// Whether the value of a part of a filter is unknown before the execution.
fn is_unknown(part: &Expr) -> bool {
    matches!(
        part,
        Expr::ScalarSubquery(_)
            | Expr::InSubquery(_)
            | Expr::Exists(_)
            | Expr::SetComparison(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::Placeholder(_)
    )
}

/// The indices of the files that may contain rows for which all `filters` are true.
///
/// `schema` is the table's schema with the partition columns, `time_column` the name of the column whose range is in
/// the log.
pub(super) fn select(
    files: &[DataFile],
    filters: &[Arc<dyn PhysicalExpr>],
    schema: &SchemaRef,
    time_column: &str,
) -> Result<Vec<usize>> {
    let mut keep = vec![true; files.len()];
    if files.is_empty() {
        return Ok(Vec::new());
    }
    for filter in filters {
        if columns_of(filter).iter().all(|name| PARTITION_COLUMNS.contains(&name.as_str())) {
            retain_exactly(files, filter, &mut keep)?;
        } else if let Some(predicate) =
            PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).build(Arc::clone(filter))
        {
            // A filter that cannot be compared with ranges makes no predicate, and keeps every file.
            let possible = predicate.prune(&FileRanges { files, time_column })?;
            keep.iter_mut().zip(possible).for_each(|(keep, possible)| *keep &= possible);
        }
    }
    Ok(keep.iter().enumerate().filter_map(|(index, keep)| keep.then_some(index)).collect())
}

/// For each filter that is true for rows with certain texts in `column` only, these texts.
pub(super) fn texts(filters: &[Arc<dyn PhysicalExpr>], column: &str) -> Vec<HashSet<String>> {
    let on_column =
        |guarantee: &LiteralGuarantee| guarantee.guarantee == Guarantee::In && guarantee.column.name == column;
    let guarantees = filters.iter().flat_map(LiteralGuarantee::analyze).filter(on_column);
    let texts = guarantees.filter_map(|guarantee| {
        let texts = guarantee.literals.iter().map(|literal| literal.try_as_str().flatten().map(str::to_owned));
        texts.collect::<Option<HashSet<String>>>()
    });
    texts.collect()
}

fn columns_of(filter: &Arc<dyn PhysicalExpr>) -> HashSet<String> {
    datafusion::physical_expr::utils::collect_columns(filter).into_iter().map(|c| c.name().to_owned()).collect()
}

/// Evaluates a filter on the partition columns, one row a file.
fn retain_exactly(files: &[DataFile], filter: &Arc<dyn PhysicalExpr>, keep: &mut [bool]) -> Result<()> {
    let [class, date] = PARTITION_COLUMNS;
    let schema = Arc::new(Schema::new(vec![
        Field::new(class, DataType::Utf8View, false),
        Field::new(date, DataType::Date32, false),
    ]));
    let filter = Arc::clone(filter)
        .transform_up(|expr| {
            let index = expr.downcast_ref::<PhysicalColumn>().map(|column| {
                let index = usize::from(column.name() == date);
                Arc::new(PhysicalColumn::new(column.name(), index)) as Arc<dyn PhysicalExpr>
            });
            Ok(index.map_or_else(|| Transformed::no(expr), Transformed::yes))
        })
        .data()?;
    let columns = [classes(files), dates(files)];
    let batch = RecordBatch::try_new(schema, columns.to_vec())?;
    let answer = filter.evaluate(&batch)?.into_array(files.len())?;
    let Some(answer) = answer.as_any().downcast_ref::<BooleanArray>() else { return Ok(()) };
    // As in any filter, a row for which the result is NULL does not pass.
    keep.iter_mut().zip(answer.iter()).for_each(|(keep, pass)| *keep &= pass == Some(true));
    Ok(())
}

fn classes(files: &[DataFile]) -> ArrayRef {
    Arc::new(files.iter().map(|file| Some(file.class.as_str())).collect::<StringViewArray>())
}

fn dates(files: &[DataFile]) -> ArrayRef {
    Arc::new(files.iter().map(|file| Some(file.date)).collect::<Date32Array>())
}

/// The log's statistics of each file, in DataFusion's form.
struct FileRanges<'a> {
    files: &'a [DataFile],
    time_column: &'a str,
}

impl FileRanges<'_> {
    fn column(&self, name: &str, end: impl Fn((i64, i64)) -> i64) -> Option<ArrayRef> {
        match name {
            "class" => Some(classes(self.files)),
            "date" => Some(dates(self.files)),
            name if name == self.time_column => {
                let times: TimestampMicrosecondArray = self.files.iter().map(|file| file.time.map(&end)).collect();
                Some(Arc::new(times.with_timezone("UTC")))
            }
            _ => None,
        }
    }
}

impl PruningStatistics for FileRanges<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.column(&column.name, |(first, _)| first)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.column(&column.name, |(_, last)| last)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let known = self.column(&column.name, |(first, _)| first).is_some();
        known.then(|| Arc::new(UInt64Array::from(vec![0; self.files.len()])) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.files.iter().map(|file| Some(file.rows)).collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[cfg(test)]
mod tests;

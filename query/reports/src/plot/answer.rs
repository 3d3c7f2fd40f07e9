//! The columns of a result as texts and numbers.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use crate::error::PlotError;
use crate::header::Unit;
use crate::report::Report;

/// The result of a report.
pub(super) struct Answer<'a> {
    pub(super) report: &'a Report,
    pub(super) batches: &'a [RecordBatch],
}

impl Answer<'_> {
    /// A column's values as texts, row by row.
    pub(super) fn texts(&self, column: &str) -> Result<Vec<String>, PlotError> {
        let arrays = self.cast(column, &DataType::Utf8)?;
        let text = |value: Option<&str>| value.unwrap_or("(none)").to_owned();
        Ok(arrays.iter().flat_map(|array| array.as_string::<i32>().iter().map(text)).collect())
    }

    /// A column's values as numbers, row by row.
    pub(super) fn numbers(&self, column: &str) -> Result<Vec<Option<f64>>, PlotError> {
        let arrays = self.cast(column, &DataType::Float64)?;
        let values = arrays.iter().flat_map(|array| array.as_primitive::<Float64Type>().iter());
        Ok(values.map(|value| value.filter(|value| value.is_finite())).collect())
    }

    /// The unit of a column in the report's header.
    pub(super) fn unit(&self, column: &str) -> Unit {
        self.report.column(column).map_or(Unit::Number, |column| column.unit)
    }

    fn cast(&self, column: &str, to: &DataType) -> Result<Vec<ArrayRef>, PlotError> {
        let wrong = |what| PlotError::Answer { column: column.to_owned(), what };
        let cast = |batch: &RecordBatch| {
            let array = batch.column_by_name(column).ok_or_else(|| wrong("is missing"))?;
            let array = arrow_cast::cast(array, to).map_err(|_| wrong("is of another type"))?;
            // The cast turns a text that is not a number into NULL. Such a result is not of this report.
            let lost = array.null_count() > batch.column_by_name(column).map_or(0, |array| array.logical_null_count());
            if lost { Err(wrong("contains a value that is not a number")) } else { Ok(array) }
        };
        self.batches.iter().map(cast).collect()
    }
}

/// The distinct values, in the order in which they first occur.
pub(super) fn distinct(values: &[String]) -> Vec<&str> {
    let mut seen = std::collections::BTreeSet::new();
    values.iter().map(String::as_str).filter(|value| seen.insert(*value)).collect()
}

//! From the values of a CRM's rows to record batches.
//!
//! ```text
//!   driver ──▶ Cell (the type on the wire) ──▶ BatchBuilder (the types of the statement's schema) ──▶ RecordBatch
//! ```
//!
//! A value that does not fit is an error that names the column but not the value. Times without a zone are UTC.

use crate::error::CrmError;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder, UInt64Builder,
};
use arrow_array::types::{Date32Type, Decimal128Type, Time64MicrosecondType};
use arrow_array::{ArrayRef, NullArray, RecordBatch, RecordBatchOptions};
use arrow_cast::parse::{Parser, parse_decimal, string_to_datetime};
use arrow_schema::{DataType, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use std::sync::Arc;

/// Rows of one batch.
pub(crate) const BATCH_ROWS: usize = 4096;

/// One value from a driver.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Microseconds since 1970, UTC.
    Time(i64),
}

#[derive(Debug)]
enum ColumnBuilder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Unsigned(UInt64Builder),
    Float(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Date(Date32Builder),
    Time(TimestampMicrosecondBuilder),
    Clock(Time64MicrosecondBuilder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Null,
}

/// Builds record batches row by row.
#[derive(Debug)]
pub(crate) struct BatchBuilder {
    schema: SchemaRef,
    builders: Vec<ColumnBuilder>,
    rows: usize,
}

impl ColumnBuilder {
    fn of(data_type: &DataType) -> Self {
        use DataType::*;
        match data_type {
            Null => Self::Null,
            Boolean => Self::Bool(BooleanBuilder::new()),
            Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 => Self::Int(Int64Builder::new()),
            UInt64 => Self::Unsigned(UInt64Builder::new()),
            Float16 | Float32 | Float64 => Self::Float(Float64Builder::new()),
            Decimal128(precision, scale) => {
                let builder = Decimal128Builder::new().with_data_type(data_type.clone());
                Self::Decimal(builder, *precision, *scale)
            }
            Date32 | Date64 => Self::Date(Date32Builder::new()),
            Timestamp(..) => Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Time32(_) | Time64(_) => Self::Clock(Time64MicrosecondBuilder::new()),
            Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Self::Bytes(BinaryBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    /// Appends `cell`; `None` if it does not fit.
    fn push(&mut self, cell: Cell<'_>) -> Option<()> {
        match self {
            Self::Null => {}
            Self::Bool(builder) => builder.append_option(match cell {
                Cell::Null => None,
                Cell::Int(value) => Some(value != 0),
                Cell::Unsigned(value) => Some(value != 0),
                Cell::Text(text) => Some(truth(text)?),
                // MySQL's BIT(1).
                Cell::Bytes(bytes) => Some(bytes.iter().any(|&byte| byte != 0)),
                Cell::Float(_) | Cell::Time(_) => return None,
            }),
            Self::Int(builder) => builder.append_option(match cell {
                Cell::Null => None,
                Cell::Int(value) => Some(value),
                Cell::Unsigned(value) => Some(i64::try_from(value).ok()?),
                Cell::Text(text) => Some(text.trim().parse().ok()?),
                _ => return None,
            }),
            Self::Unsigned(builder) => builder.append_option(match cell {
                Cell::Null => None,
                Cell::Int(value) => Some(u64::try_from(value).ok()?),
                Cell::Unsigned(value) => Some(value),
                Cell::Text(text) => Some(text.trim().parse().ok()?),
                _ => return None,
            }),
            Self::Float(builder) => builder.append_option(match cell {
                Cell::Null => None,
                Cell::Int(value) => Some(value as f64),
                Cell::Unsigned(value) => Some(value as f64),
                Cell::Float(value) => Some(value),
                Cell::Text(text) => Some(text.trim().parse().ok()?),
                _ => return None,
            }),
            Self::Decimal(builder, precision, scale) => {
                let parse = |text: &str| parse_decimal::<Decimal128Type>(text.trim(), *precision, *scale).ok();
                builder.append_option(match cell {
                    Cell::Null => None,
                    Cell::Int(value) => Some(parse(&value.to_string())?),
                    Cell::Unsigned(value) => Some(parse(&value.to_string())?),
                    Cell::Float(value) => Some(parse(&value.to_string())?),
                    Cell::Text(text) => Some(parse(text)?),
                    _ => return None,
                });
            }
            Self::Date(builder) => builder.append_option(match cell {
                Cell::Null => None,
                Cell::Text(text) => Some(Date32Type::parse(text.trim()).or_else(|| days(micros(text)?))?),
                Cell::Time(time) => Some(days(time)?),
                _ => return None,
            }),
            Self::Time(builder) => builder.append_option(match cell {
                Cell::Null => None,
                Cell::Text(text) => Some(micros(text)?),
                Cell::Time(time) => Some(time),
                // SQLite has no time type; a number is seconds since 1970.
                Cell::Int(seconds) => Some(seconds.checked_mul(1_000_000)?),
                Cell::Float(seconds) => Some((seconds * 1e6).round() as i64),
                _ => return None,
            }),
            Self::Clock(builder) => builder.append_option(match cell {
                Cell::Null => None,
                Cell::Text(text) => Some(Time64MicrosecondType::parse(text.trim())?),
                _ => return None,
            }),
            Self::Text(builder) => match cell {
                Cell::Null => builder.append_null(),
                Cell::Int(value) => builder.append_value(value.to_string()),
                Cell::Unsigned(value) => builder.append_value(value.to_string()),
                Cell::Float(value) => builder.append_value(value.to_string()),
                Cell::Text(text) => builder.append_value(text),
                Cell::Bytes(bytes) => builder.append_value(std::str::from_utf8(bytes).ok()?),
                Cell::Time(time) => builder.append_value(DateTime::from_timestamp_micros(time)?.to_rfc3339()),
            },
            Self::Bytes(builder) => match cell {
                Cell::Null => builder.append_null(),
                Cell::Bytes(bytes) => builder.append_value(bytes),
                Cell::Text(text) => match text.strip_prefix("\\x") {
                    Some(digits) => builder.append_value(hex(digits)?),
                    None => builder.append_value(text.as_bytes()),
                },
                _ => return None,
            },
        }
        Some(())
    }

    fn finish(&mut self, rows: usize) -> ArrayRef {
        match self {
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Unsigned(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder, ..) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Clock(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
            Self::Null => Arc::new(NullArray::new(rows)),
        }
    }
}

impl BatchBuilder {
    pub(crate) fn new(schema: SchemaRef) -> Self {
        let builders = schema.fields().iter().map(|field| ColumnBuilder::of(field.data_type())).collect();
        Self { schema, builders, rows: 0 }
    }

    pub(crate) fn width(&self) -> usize {
        self.builders.len()
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Appends the value of column `index`.
    pub(crate) fn push(&mut self, index: usize, cell: Cell<'_>) -> Result<(), CrmError> {
        let pushed = self.builders.get_mut(index).and_then(|builder| builder.push(cell));
        pushed.ok_or_else(|| {
            let field = self.schema.fields().get(index);
            let column = field.map_or_else(|| format!("number {index}"), |field| field.name().clone());
            let wanted = field.map_or_else(|| "column".to_owned(), |field| kind(field.data_type()));
            CrmError::Value { column, wanted }
        })
    }

    /// Ends the row, after a value was appended to each column.
    pub(crate) fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Returns the rows so far and starts a new batch.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, CrmError> {
        let rows = std::mem::take(&mut self.rows);
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let mut arrays = Vec::with_capacity(self.builders.len());
        for (builder, field) in self.builders.iter_mut().zip(self.schema.fields()) {
            let array = builder.finish(rows);
            let array = if array.data_type() == field.data_type() {
                array
            } else {
                cast_with_options(&array, field.data_type(), &strict)
                    .map_err(|_| CrmError::Value { column: field.name().clone(), wanted: kind(field.data_type()) })?
            };
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| CrmError::Value { column: error.to_string(), wanted: "part of the result".to_owned() })
    }
}

fn kind(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(..) => "time".to_owned(),
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "text".to_owned(),
        other => other.to_string(),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.trim() {
        "t" | "true" | "TRUE" | "1" => Some(true),
        "f" | "false" | "FALSE" | "0" => Some(false),
        _ => None,
    }
}

fn micros(text: &str) -> Option<i64> {
    string_to_datetime(&Utc, text.trim()).ok().map(|time| time.timestamp_micros())
}

fn days(micros: i64) -> Option<i32> {
    i32::try_from(micros.div_euclid(86_400_000_000)).ok()
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let bytes = digits.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests;

//! Rows as JSON objects: inside one object, or one per line.
//!
//! ```text
//! {"columns":[{"name":"id","type":"text"}],"notices":[],"rows":[
//! {"id":"a"},
//! {"id":"b"}
//! ],"row_count":2}                     ─ or ─   ],"row_count":1,"error":{...}}
//! ```
//!
//! Incomplete NDJSON ends with the line `{"$error":{...}}`.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, StructArray};
use arrow_json::writer::make_encoder;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use holdfast_query::Notice;
use serde::Serialize;
use utoipa::ToSchema;

use super::cell;
use super::row_encoder::{RowEncoder, Unrepresentable};
use crate::problem::Problem;

/// A column of a result.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Column {
    /// Its name. If the statement gives two columns the same name, a number is appended to the later one.
    name: String,
    /// Its SQL type.
    #[serde(rename = "type")]
    type_: String,
}

/// Encodes rows inside one object.
pub(crate) struct Json {
    head: Result<Vec<u8>, serde_json::Error>,
    is_first: bool,
}

#[derive(Serialize)]
struct Head {
    columns: Vec<Column>,
    notices: Vec<String>,
}

impl Json {
    pub(super) fn new(schema: &SchemaRef, notices: &[Notice]) -> Self {
        let head = Head { columns: columns(schema), notices: notices.iter().map(ToString::to_string).collect() };
        Self { head: serde_json::to_vec(&head), is_first: true }
    }
}

impl RowEncoder for Json {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        let head = self.head.as_ref().map_err(|error| Unrepresentable(error.to_string()))?;
        // Without its closing brace.
        out.extend_from_slice(&head[..head.len() - 1]);
        out.extend_from_slice(b",\"rows\":[");
        Ok(())
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        objects(rows, |object| {
            out.extend_from_slice(if self.is_first { b"\n" } else { b",\n" });
            self.is_first = false;
            out.extend_from_slice(object);
        })
    }

    fn end(&mut self, rows: u64, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        out.extend_from_slice(format!("\n],\"row_count\":{rows}}}\n").as_bytes());
        Ok(())
    }

    fn abort(&mut self, rows: u64, problem: &Problem, out: &mut Vec<u8>) -> bool {
        let Ok(error) = serde_json::to_string(&problem.body()) else { return false };
        out.extend_from_slice(format!("\n],\"row_count\":{rows},\"error\":{error}}}\n").as_bytes());
        true
    }
}

/// Encodes one object per line.
#[derive(Default)]
pub(crate) struct Ndjson {}

impl RowEncoder for Ndjson {
    fn begin(&mut self, _: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        Ok(())
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        objects(rows, |object| {
            out.extend_from_slice(object);
            out.push(b'\n');
        })
    }

    fn end(&mut self, _: u64, _: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        Ok(())
    }

    fn abort(&mut self, _: u64, problem: &Problem, out: &mut Vec<u8>) -> bool {
        let Ok(error) = serde_json::to_string(&problem.body()) else { return false };
        out.extend_from_slice(format!("{{\"$error\":{error}}}\n").as_bytes());
        true
    }
}

fn objects(rows: &RecordBatch, mut each: impl FnMut(&[u8])) -> Result<(), Unrepresentable> {
    let rows = StructArray::from(rows.clone());
    let field: FieldRef = Arc::new(Field::new("row", rows.data_type().clone(), false));
    let options = cell::options();
    let mut encoder = make_encoder(&field, &rows, &options)?;
    let mut object = Vec::with_capacity(1024);
    for row in 0..rows.len() {
        object.clear();
        encoder.encode(row, &mut object);
        each(&object);
    }
    Ok(())
}

fn columns(schema: &Schema) -> Vec<Column> {
    let column = |field: &FieldRef| Column { name: field.name().clone(), type_: type_name(field.data_type()) };
    schema.fields().iter().map(column).collect()
}

/// The name of a type in SQL.
fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Null => "unknown",
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "integer",
        DataType::Int64 | DataType::UInt32 => "bigint",
        DataType::UInt64 => "numeric(20,0)",
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "bytea",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
            zone,
        ) => {
            if zone.is_some() {
                "timestamp with time zone"
            } else {
                "timestamp"
            }
        }
        DataType::Duration(_) | DataType::Interval(_) => "interval",
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => return format!("numeric({precision},{scale})"),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => return format!("{}[]", type_name(field.data_type())),
        DataType::Dictionary(_, values) => return type_name(values),
        DataType::RunEndEncoded(_, values) => return type_name(values.data_type()),
        DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => "json",
    };
    name.to_owned()
}

//! The tables of the catalog for the engine, and rows of the catalog for the wire.

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Float64Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, StructArray};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use datafusion::catalog::{MemTable, TableProvider};
use holdfast_catalog::{Catalog, CatalogError, Datum, Oid, OutputColumn, Session, binary, text, type_name};
use std::collections::HashMap;
use std::sync::Arc;

/// The key of a field's metadata under which the name of its PostgreSQL type stands.
pub(crate) const TYPE: &str = "holdfast.type";

fn internal(error: impl std::fmt::Display) -> CatalogError {
    CatalogError { code: "XX000", message: error.to_string() }
}

/// A field of a PostgreSQL type.
fn field(name: &str, data_type: DataType, oid: Oid) -> FieldRef {
    let metadata = type_name(oid).map(|known| HashMap::from([(TYPE.to_owned(), known.to_owned())]));
    Arc::new(Field::new(name, data_type, true).with_metadata(metadata.unwrap_or_default()))
}

/// What the columns of [`encoded`] rows consist of: each value as text and in the binary format, because the format is chosen
/// when rows are sent.
fn both() -> Fields {
    Fields::from(vec![Field::new("text", DataType::Utf8, true), Field::new("binary", DataType::Binary, true)])
}

/// Whether a column has each value as text and in the binary format.
pub(crate) fn is_encoded(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Struct(fields) if *fields == both())
}

/// The columns of a statement over the catalog.
pub(super) fn schema(columns: &[OutputColumn]) -> SchemaRef {
    let fields = columns.iter().map(|column| field(&column.name, DataType::Struct(both()), column.type_oid));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows of a statement over the catalog.
pub(super) fn encoded(
    catalog: &Catalog,
    columns: &[OutputColumn],
    rows: &[Vec<Datum>],
) -> Result<RecordBatch, CatalogError> {
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (place, column) in columns.iter().enumerate() {
        let (mut texts, mut bytes) = (StringBuilder::new(), BinaryBuilder::new());
        for row in rows {
            let value = row.get(place).unwrap_or(&Datum::Null);
            texts.append_option(text(catalog, value, column.type_oid));
            // A type without a binary format is refused when the client asks for it.
            bytes.append_option(binary(value, column.type_oid).unwrap_or_default());
        }
        let parts: Vec<ArrayRef> = vec![Arc::new(texts.finish()), Arc::new(bytes.finish())];
        arrays.push(Arc::new(StructArray::try_new(both(), parts, None).map_err(internal)?));
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(schema(columns), arrays, &options).map_err(internal)
}

/// A table of the catalog for the engine. Values of types that the engine lacks are texts.
pub(super) fn engine_table(
    catalog: &Catalog,
    schema: &str,
    name: &str,
) -> Result<Arc<dyn TableProvider>, CatalogError> {
    let rows = catalog.all_rows(schema, name, &Session::default())?;
    let mut served = catalog.served();
    let columns =
        served.find(|(in_schema, known, _)| *in_schema == schema && *known == name).map(|(.., columns)| columns);
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (place, (name, oid)) in columns.unwrap_or_default().into_iter().enumerate() {
        let (array, oid) = column(catalog, &rows, place, oid);
        fields.push(field(name, array.data_type().clone(), oid));
        arrays.push(array);
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(internal)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]]).map_err(internal)?))
}

/// A column for the engine, with the type that is told of it.
fn column(catalog: &Catalog, rows: &[Vec<Datum>], place: usize, oid: Oid) -> (ArrayRef, Oid) {
    let values = || rows.iter().map(|row| row.get(place).unwrap_or(&Datum::Null));
    let number = |value: &Datum| match value {
        Datum::Int(number) => Some(*number),
        _ => None,
    };
    match type_name(oid).unwrap_or_default() {
        "bool" => {
            let mut array = BooleanBuilder::new();
            values().for_each(|value| {
                array.append_option(match value {
                    Datum::Bool(value) => Some(*value),
                    _ => None,
                })
            });
            (Arc::new(array.finish()), oid)
        }
        "int2" => {
            let mut array = Int16Builder::new();
            values().for_each(|value| array.append_option(number(value).and_then(|number| i16::try_from(number).ok())));
            (Arc::new(array.finish()), oid)
        }
        kind @ ("int4" | "oid" | "xid" | "regproc" | "regtype" | "regclass") => {
            let mut array = Int32Builder::new();
            values().for_each(|value| array.append_option(number(value).and_then(|number| i32::try_from(number).ok())));
            // The engine compares OIDs. The names of objects are those of statements over the catalog alone.
            let told = if kind.starts_with("reg") { "oid" } else { kind };
            (Arc::new(array.finish()), holdfast_catalog::oid_of_type(told).unwrap_or(oid))
        }
        "int8" => {
            let mut array = Int64Builder::new();
            values().for_each(|value| array.append_option(number(value)));
            (Arc::new(array.finish()), oid)
        }
        "float4" | "float8" => {
            let mut array = Float64Builder::new();
            values().for_each(|value| {
                array.append_option(match value {
                    Datum::Float(number) => Some(*number),
                    _ => None,
                })
            });
            (Arc::new(array.finish()), holdfast_catalog::oid_of_type("float8").unwrap_or(oid))
        }
        kind => {
            let mut array = StringBuilder::new();
            values().for_each(|value| array.append_option(text(catalog, value, oid)));
            let told = if matches!(kind, "name" | "char" | "varchar") { kind } else { "text" };
            (Arc::new(array.finish()), holdfast_catalog::oid_of_type(told).unwrap_or(oid))
        }
    }
}

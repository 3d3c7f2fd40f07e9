//! The columns of a result in types that every reader supports.
//!
//! Names are made unique, because rows are objects in JSON. Views and dictionaries become plain arrays: a view into a
//! shared buffer would carry the whole buffer with every slice. Unions, which JSON operators return, become text.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UnionArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};

/// The approximate size of a slice of rows, in bytes.
const SLICE_BYTES: usize = 256 << 10;

/// Converts rows to plain columns with unique names.
pub(crate) struct Shape {
    schema: SchemaRef,
}

impl Shape {
    /// The conversion of rows of `schema`.
    pub(crate) fn of(schema: &Schema) -> Self {
        let mut taken: HashSet<String> = HashSet::new();
        // A generated name must not equal the name of a later column.
        let given: HashSet<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let fields = schema.fields().iter().map(|field| {
            let mut name = field.name().clone();
            for number in 2.. {
                if taken.insert(name.clone()) {
                    break;
                }
                name = format!("{}_{number}", field.name());
                while given.contains(name.as_str()) {
                    name.push('_');
                }
            }
            Field::new(name, plain(field.data_type()), true)
        });
        Self { schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())) }
    }

    /// The columns after the conversion.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Converts rows.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| to_plain(column, field)).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

/// Slices of about [`SLICE_BYTES`], without copying rows.
pub(crate) fn slices(batch: RecordBatch) -> impl Iterator<Item = RecordBatch> + Send {
    let size =
        |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size());
    let (rows, bytes) = (batch.num_rows(), batch.columns().iter().map(size).sum::<usize>());
    let step = (rows.saturating_mul(SLICE_BYTES) / bytes.max(1)).clamp(1, rows.max(1));
    (0..rows).step_by(step).map(move |first| batch.slice(first, step.min(rows - first)))
}

fn plain(data_type: &DataType) -> DataType {
    let inside = |field: &FieldRef| -> FieldRef { Arc::new(Field::new(field.name(), plain(field.data_type()), true)) };
    match data_type {
        DataType::Utf8View | DataType::Union(..) => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => plain(values),
        DataType::List(field) | DataType::ListView(field) => DataType::List(inside(field)),
        DataType::LargeList(field) | DataType::LargeListView(field) => DataType::LargeList(inside(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(inside(field), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inside).collect()),
        other => other.clone(),
    }
}

fn to_plain(column: &ArrayRef, field: &FieldRef) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == field.data_type() {
        return Ok(Arc::clone(column));
    }
    match column.as_any().downcast_ref::<UnionArray>() {
        Some(union) => Ok(Arc::new(text_of(union)?)),
        None => arrow_cast::cast(column, field.data_type()),
    }
}

/// The values of a union as texts.
fn text_of(union: &UnionArray) -> Result<StringArray, ArrowError> {
    let options = FormatOptions::new();
    let mut formatters: Vec<(i8, &ArrayRef, ArrayFormatter<'_>)> = Vec::new();
    if let DataType::Union(fields, _) = union.data_type() {
        for (id, _) in fields.iter() {
            let values = union.child(id);
            formatters.push((id, values, ArrayFormatter::try_new(values.as_ref(), &options)?));
        }
    }
    (0..union.len())
        .map(|row| {
            let (id, offset) = (union.type_id(row), union.value_offset(row));
            let Some((_, values, formatter)) = formatters.iter().find(|(known, ..)| *known == id) else {
                return Err(ArrowError::InvalidArgumentError("a union contains a value without a type".to_owned()));
            };
            if values.data_type() == &DataType::Null || values.is_null(offset) {
                return Ok(None);
            }
            formatter.value(offset).try_to_string().map(Some)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn names_become_unique() {
        let field = |name: &str| Field::new(name, DataType::Int64, false);
        let schema = Schema::new(["a", "a", "b", "a_2", "a"].map(field).to_vec());
        let shape = Shape::of(&schema);
        let names: Vec<&str> = shape.schema().fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["a", "a_2_", "b", "a_2", "a_3"]);
    }

    #[test]
    fn views_become_plain_and_slices_contain_every_row_once() {
        let text = "x".repeat(10_000);
        let rows = 100;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("number", Arc::new(Int64Array::from_iter_values(0..rows))),
            ("text", Arc::new(StringViewArray::from_iter_values((0..rows).map(|_| &text)))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let shape = Shape::of(&batch.schema());
        let plain = shape.apply(&batch).unwrap();
        assert_eq!(plain.schema().field(1).data_type(), &DataType::Utf8);
        let slices: Vec<RecordBatch> = slices(plain).collect();
        assert!(slices.len() > 3, "{}", slices.len());
        assert_eq!(slices.iter().map(RecordBatch::num_rows).sum::<usize>(), rows as usize);
        assert!(super::slices(RecordBatch::new_empty(batch.schema())).next().is_none());
    }
}

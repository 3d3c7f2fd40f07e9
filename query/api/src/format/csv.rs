//! Rows as CSV (RFC 4180) with a header. NULL is an empty field, the empty text is `""`. Cells have the form of JSON values
//! without their quotes; lists and structures are JSON.

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_json::EncoderOptions;
use arrow_json::writer::{NullableEncoder, make_encoder};
use arrow_schema::{DataType, FieldRef, SchemaRef};

use super::cell;
use super::row_encoder::{RowEncoder, Unrepresentable};
use crate::problem::Problem;

pub(crate) struct Csv {
    schema: SchemaRef,
}

impl Csv {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self { schema: SchemaRef::clone(schema) }
    }
}

/// The cells of a column by the way that they are written.
enum Cells<'a> {
    Text(&'a StringArray),
    Json(NullableEncoder<'a>),
}

impl<'a> Cells<'a> {
    fn of(field: &'a FieldRef, column: &'a dyn Array, options: &'a EncoderOptions) -> Result<Self, Unrepresentable> {
        Ok(match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string()),
            _ => Self::Json(make_encoder(field, column, options)?),
        })
    }

    fn write(&mut self, row: usize, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        match self {
            Self::Text(texts) => {
                if !texts.is_null(row) {
                    quoted(texts.value(row).as_bytes(), out);
                }
            }
            Self::Json(encoder) => {
                if !encoder.is_null(row) {
                    scratch.clear();
                    encoder.encode(row, scratch);
                    match scratch.as_slice() {
                        b"null" => {}
                        // JSON has no type for this value, so it is a text there.
                        [b'"', inside @ .., b'"'] => quoted(inside, out),
                        value => quoted(value, out),
                    }
                }
            }
        }
    }
}

impl RowEncoder for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        for (place, field) in self.schema.fields().iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            quoted(field.name().as_bytes(), out);
        }
        out.push(b'\n');
        Ok(())
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        let options = cell::options();
        let columns = self.schema.fields().iter().zip(rows.columns());
        let mut columns = columns
            .map(|(field, column)| Cells::of(field, column.as_ref(), &options))
            .collect::<Result<Vec<_>, _>>()?;
        let mut scratch = Vec::new();
        for row in 0..rows.num_rows() {
            for (place, column) in columns.iter_mut().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                column.write(row, &mut scratch, out);
            }
            out.push(b'\n');
        }
        Ok(())
    }

    fn end(&mut self, _: u64, _: &mut Vec<u8>) -> Result<(), Unrepresentable> {
        Ok(())
    }

    fn abort(&mut self, _: u64, _: &Problem, _: &mut Vec<u8>) -> bool {
        false
    }
}

/// Writes a value, in quotes if it is empty or contains a delimiter.
fn quoted(value: &[u8], out: &mut Vec<u8>) {
    let is_plain = !value.is_empty() && !value.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'));
    if is_plain {
        out.extend_from_slice(value);
        return;
    }
    out.push(b'"');
    for byte in value {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, BinaryArray, Int64Array, ListArray};

    use super::*;

    #[test]
    fn null_empty_and_quoted_cells_are_distinct() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("a,b", Arc::new(StringArray::from(vec![Some("say \"x\"\n"), None, Some("")]))),
            ("n", Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MAX)]))),
            ("raw", Arc::new(BinaryArray::from(vec![Some(b"\x00\xff".as_slice()), None, Some(b"")]))),
            ("list", Arc::new(lists)),
        ];
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
        let batch = batch.unwrap();
        let mut csv = Csv::new(&batch.schema());
        let mut out = Vec::new();
        csv.begin(&mut out).unwrap();
        csv.rows(&batch, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"a,b\",n,raw,list\n\"say \"\"x\"\"\n\",1,00ff,\"[1,null]\"\n,,,\n\"\",9223372036854775807,\"\",[]\n"
        );
    }
}

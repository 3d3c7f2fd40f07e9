//! Results in PostgreSQL's form: descriptions of columns, and encoded rows.
//!
//! The client receives the types of the columns before the rows exist. Rows of other types are cast to the described ones.
//! Types that PostgreSQL lacks are described and encoded as text.

use super::output::{self, OutputError, sized};
use super::types::{size_of, told, written};
use crate::catalog::{TYPE, is_encoded};
use crate::sqlstate::Failure;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use bytes::BytesMut;
use datafusion::arrow::compute::cast;
use datafusion_postgres::arrow_pg::datatypes::field_into_pg_type;
use datafusion_postgres::arrow_pg::encoder::encode_value;
use datafusion_postgres::pgwire::api::Type;
use datafusion_postgres::pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo};
use datafusion_postgres::pgwire::messages::data::{DataRow, RowDescription};
use holdfast_query::QueryError;
use std::sync::Arc;

/// The format (text or binary) of each column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Formats {
    All(FieldFormat),
    Each(Vec<FieldFormat>),
}

impl Formats {
    pub(crate) const TEXT: Self = Self::All(FieldFormat::Text);

    /// Parses the format codes of a Bind message: none for text, one for all, or one for each of `columns`.
    pub(crate) fn read(codes: &[i16], columns: usize) -> Result<Self, Failure> {
        let format = |code: &i16| match code {
            0 => Ok(FieldFormat::Text),
            1 => Ok(FieldFormat::Binary),
            other => Err(Failure::new("08P01", format!("the format {other} is neither text (0) nor binary (1)"))),
        };
        match codes {
            [] => Ok(Self::TEXT),
            [one] => Ok(Self::All(format(one)?)),
            each if each.len() == columns => Ok(Self::Each(each.iter().map(format).collect::<Result<_, _>>()?)),
            each => Err(Failure::new("08P01", format!("{} formats are given for {columns} columns", each.len()))),
        }
    }

    pub(crate) fn of(&self, column: usize) -> FieldFormat {
        match self {
            Self::All(format) => *format,
            Self::Each(each) => each.get(column).copied().unwrap_or(FieldFormat::Text),
        }
    }
}

/// The columns of a result as they are described to the client.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    columns: Arc<[Column]>,
}

#[derive(Debug)]
struct Column {
    /// As it is described.
    info: FieldInfo,
    /// Its type in memory when it is encoded.
    data_type: DataType,
    /// A type without a form here, such as a record: the library encodes it.
    is_other: bool,
}

impl Column {
    fn new(field: &FieldRef, format: FieldFormat) -> Self {
        if is_encoded(field.data_type()) {
            let wire_type = named_type(field).unwrap_or(Type::RECORD);
            let size = size_of(&wire_type);
            let info = FieldInfo::new(field.name().clone(), None, None, wire_type, format).with_type_size(size);
            return Self { info, data_type: field.data_type().clone(), is_other: false };
        }
        let (wire_type, data_type, is_other) = match (told(field), written(field.data_type())) {
            (Some(wire_type), Some(data_type)) => (wire_type, data_type, false),
            _ => match field_into_pg_type(field) {
                Ok(wire_type) if !matches!(field.data_type(), DataType::Map(..) | DataType::Union(..)) => {
                    (wire_type, field.data_type().clone(), true)
                }
                _ => (Type::TEXT, DataType::Utf8, false),
            },
        };
        let size = size_of(&wire_type);
        let info = FieldInfo::new(field.name().clone(), None, None, wire_type, format).with_type_size(size);
        Self { info, data_type, is_other }
    }
}

impl Columns {
    /// The columns of `schema`.
    pub(crate) fn new(schema: &Schema, formats: &Formats) -> Self {
        let columns = schema.fields().iter().enumerate();
        Self { columns: columns.map(|(index, field)| Column::new(field, formats.of(index))).collect() }
    }

    pub(crate) fn description(&self) -> RowDescription {
        RowDescription::new(self.columns.iter().map(|column| (&column.info).into()).collect())
    }

    /// The rows of `batch`.
    pub(crate) fn rows(&self, batch: &RecordBatch) -> Result<Rows, Failure> {
        if batch.num_columns() != self.columns.len() {
            return Err(Failure::new("XX000", "the result has other columns than were described"));
        }
        let arrays = batch.columns().iter().zip(self.columns.iter()).map(|(array, column)| {
            if *array.data_type() == column.data_type || is_same_form(array.data_type(), &column.data_type) {
                return Ok(Arc::clone(array));
            }
            cast(array, &column.data_type).map_err(|error| Failure::from(QueryError::from(error)))
        });
        let arrays = arrays.collect::<Result<_, _>>()?;
        Ok(Rows { columns: Arc::clone(&self.columns), arrays, row: Vec::new(), next: 0, count: batch.num_rows() })
    }
}

/// Whether values of `actual` are written as those of `described`, so that they need no cast: it could round them.
fn is_same_form(actual: &DataType, described: &DataType) -> bool {
    (actual.is_decimal() && described.is_decimal() && written(actual).as_ref() == Some(actual))
        || (matches!(actual, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) && described.is_string())
        || (matches!(actual, DataType::Timestamp(..))
            && written(actual).as_ref() == Some(actual)
            && same_time(actual, described))
}

fn same_time(actual: &DataType, described: &DataType) -> bool {
    match (actual, described) {
        (DataType::Timestamp(one, zone), DataType::Timestamp(other, other_zone)) => {
            one == other && zone.is_some() == other_zone.is_some()
        }
        _ => false,
    }
}

/// The rows of one batch, encoded one by one.
pub(crate) struct Rows {
    columns: Arc<[Column]>,
    arrays: Vec<ArrayRef>,
    /// The row that is being encoded.
    row: Vec<u8>,
    next: usize,
    count: usize,
}

impl Rows {
    /// The number of rows that are not encoded yet.
    pub(crate) fn remaining(&self) -> usize {
        self.count - self.next
    }

    pub(crate) fn next(&mut self) -> Option<Result<DataRow, Failure>> {
        if self.next == self.count {
            return None;
        }
        let at = self.next;
        self.next += 1;
        self.row.clear();
        for (array, column) in self.arrays.iter().zip(self.columns.iter()) {
            if is_encoded(array.data_type()) {
                if let Err(failure) = write_encoded(&mut self.row, array, at, &column.info) {
                    return Some(Err(failure));
                }
                continue;
            }
            if let Err(why) = write_field(&mut self.row, array, at, column) {
                return Some(Err(Failure::new("22000", format!("column {}: {why}", column.info.name()))));
            }
        }
        let count = i16::try_from(self.columns.len());
        let count = count.map_err(|_| Failure::new("54011", "a row has too many columns"));
        Some(count.map(|count| DataRow::new(BytesMut::from(self.row.as_slice()), count)))
    }
}

/// Writes a value of the catalog, which is encoded already, in the format of its column.
fn write_encoded(row: &mut Vec<u8>, array: &ArrayRef, at: usize, info: &FieldInfo) -> Result<(), Failure> {
    let both = array.as_struct();
    let (texts, binaries) = (both.column(0).as_string::<i32>(), both.column(1).as_binary::<i32>());
    let bytes = if array.is_null(at) || texts.is_null(at) {
        None
    } else if info.format() == FieldFormat::Text {
        Some(texts.value(at).as_bytes())
    } else if binaries.is_null(at) {
        let name = info.datatype().name();
        return Err(Failure::new("42883", format!("no binary output function available for type {name}")));
    } else {
        Some(binaries.value(at))
    };
    let length = bytes.map_or(Ok(-1), |bytes| i32::try_from(bytes.len()));
    let length = length.map_err(|_| Failure::new("54000", "a value of the catalog is too long"))?;
    row.extend(length.to_be_bytes());
    row.extend(bytes.unwrap_or_default());
    Ok(())
}

/// The OID and the modifier of a column's type, as the catalog tells them.
pub(crate) fn described_type(field: &FieldRef) -> (u32, i32) {
    let column = Column::new(field, FieldFormat::Text);
    let modifier = match column.data_type {
        DataType::Decimal128(precision, scale) => ((i32::from(precision) << 16) | (i32::from(scale) & 0x7ff)) + 4,
        _ => -1,
    };
    (column.info.datatype().oid(), modifier)
}

/// The PostgreSQL type that a field's metadata names.
fn named_type(field: &FieldRef) -> Option<Type> {
    let oid = holdfast_catalog::oid_of_type(field.metadata().get(TYPE)?)?;
    Type::from_oid(oid)
}

fn write_field(row: &mut Vec<u8>, array: &ArrayRef, at: usize, column: &Column) -> Result<(), String> {
    let Column { info, data_type, is_other } = column;
    if array.is_null(at) {
        row.extend((-1_i32).to_be_bytes());
        return Ok(());
    }
    let is_binary = info.format() == FieldFormat::Binary;
    if let (DataType::Struct(_), false) = (data_type, is_binary) {
        return sized(row, |row| record_text(row, array.as_struct(), at)).map_err(|error| error.to_string());
    }
    if *is_other {
        let mut encoder = DataRowEncoder::new(Arc::new(vec![info.clone()]));
        let field = Field::new(info.name(), data_type.clone(), true);
        encode_value(&mut encoder, array, at, &field, info).map_err(|error| error.to_string())?;
        row.extend_from_slice(&encoder.take_row().data);
        return Ok(());
    }
    let written = sized(row, |row| output::write(row, array.as_ref(), at, info.datatype(), is_binary));
    written.map_err(|error| error.to_string())
}

/// A row as a text: its values between parentheses, nothing for NULL, and quotes where a value would be read otherwise
/// (PostgreSQL 15, 8.16.6).
fn record_text(out: &mut Vec<u8>, record: &StructArray, at: usize) -> Result<(), OutputError> {
    out.push(b'(');
    let mut text = Vec::new();
    for (place, (field, values)) in record.fields().iter().zip(record.columns()).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        if values.is_null(at) || *values.data_type() == DataType::Null {
            continue;
        }
        text.clear();
        match (values.data_type(), told(field), written(field.data_type())) {
            (DataType::Struct(_), _, _) => record_text(&mut text, values.as_struct(), at)?,
            (_, Some(wire_type), Some(data_type)) => {
                let one = cast(&values.slice(at, 1), &data_type).map_err(|_| OutputError::Type)?;
                output::write(&mut text, one.as_ref(), 0, &wire_type, false)?;
            }
            _ => return Err(OutputError::Type),
        }
        let is_quoted = text.is_empty()
            || text.iter().any(|byte| matches!(byte, b'"' | b'\\' | b'(' | b')' | b',' | b' ' | b'\t'..=b'\r'));
        if is_quoted {
            out.push(b'"');
            for byte in &text {
                if matches!(byte, b'"' | b'\\') {
                    out.push(*byte);
                }
                out.push(*byte);
            }
            out.push(b'"');
        } else {
            out.extend_from_slice(&text);
        }
    }
    out.push(b')');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Decimal256Array, Int64Array, IntervalMonthDayNanoArray, StringArray, TimestampMicrosecondArray};
    use datafusion::arrow::datatypes::i256;

    fn texts(column: ArrayRef) -> Vec<Option<String>> {
        let schema = Arc::new(Schema::new(vec![Field::new("a", column.data_type().clone(), true)]));
        let columns = Columns::new(&schema, &Formats::TEXT);
        let mut rows = columns.rows(&RecordBatch::try_new(schema, vec![column]).unwrap()).unwrap();
        let mut all = Vec::new();
        while let Some(row) = rows.next() {
            let data = row.unwrap().data;
            let (length, text) = data.split_at(4);
            let is_null = length == [0xff; 4];
            all.push((!is_null).then(|| String::from_utf8(text.to_vec()).unwrap()));
        }
        all
    }

    #[test]
    fn null_is_distinct_from_zero_and_empty() {
        assert_eq!(texts(Arc::new(IntervalMonthDayNanoArray::from(vec![None]))), [None]);
        assert_eq!(texts(Arc::new(Int64Array::from(vec![Some(7), None]))), [Some("7".to_owned()), None]);
        assert_eq!(texts(Arc::new(StringArray::from(vec![Some(""), None]))), [Some(String::new()), None]);
    }

    #[test]
    fn times_have_an_offset_and_microseconds() {
        let time = TimestampMicrosecondArray::from(vec![1_778_400_000_123_456]).with_timezone("UTC");
        assert_eq!(texts(Arc::new(time)), [Some("2026-05-10 08:00:00.123456+00".to_owned())]);
    }

    #[test]
    fn a_decimal_with_many_digits_is_a_numeric() {
        let long = Decimal256Array::from(vec![i256::from_i128(12_345)]).with_precision_and_scale(60, 2).unwrap();
        let schema = Schema::new(vec![Field::new("a", long.data_type().clone(), true)]);
        assert_eq!(Columns::new(&schema, &Formats::TEXT).description().fields[0].type_id, Type::NUMERIC.oid());
        assert_eq!(texts(Arc::new(long)), [Some("123.45".to_owned())]);
    }

    #[test]
    fn a_record_is_encoded_as_one() {
        let names =
            vec![Arc::new(Field::new("a", DataType::Int64, true)), Arc::new(Field::new("b", DataType::Utf8, true))];
        let values: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![7])), Arc::new(StringArray::from(vec!["x"]))];
        let record = arrow_array::StructArray::new(names.into(), values, None);
        assert_eq!(texts(Arc::new(record)), [Some("(7,x)".to_owned())]);
    }

    #[test]
    fn a_record_quotes_what_would_be_read_otherwise_and_nothing_is_null() {
        let text = |name| Arc::new(Field::new(name, DataType::Utf8, true));
        let names = vec![text("a"), text("b"), Arc::new(Field::new("c", DataType::Null, true)), text("d"), text("e")];
        let one = |value: Option<&str>| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let nothing = Arc::new(arrow_array::NullArray::new(1)) as ArrayRef;
        let values = vec![one(None), one(Some("")), nothing, one(Some("a \"b\\")), one(Some("c,d"))];
        let record = arrow_array::StructArray::new(names.into(), values, None);
        assert_eq!(texts(Arc::new(record)), [Some(r#"(,"",,"a ""b\\","c,d")"#.to_owned())]);
    }

    #[test]
    fn rows_are_cast_to_the_described_types() {
        let described = Schema::new(vec![Field::new("a", DataType::Null, true)]);
        let columns = Columns::new(&described, &Formats::TEXT);
        assert_eq!(columns.description().fields[0].type_id, Type::TEXT.oid());
        let actual = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let batch = RecordBatch::try_new(actual, vec![Arc::new(Int64Array::from(vec![12]))]).unwrap();
        let row = columns.rows(&batch).unwrap().next().unwrap().unwrap();
        assert_eq!(&row.data[..], b"\0\0\0\x0212");
    }

    #[test]
    fn the_number_of_formats_must_match_the_columns() {
        assert_eq!(Formats::read(&[], 2), Ok(Formats::TEXT));
        assert_eq!(Formats::read(&[1], 2), Ok(Formats::All(FieldFormat::Binary)));
        assert!(Formats::read(&[0, 1], 2).is_ok());
        assert_eq!(Formats::read(&[0, 1], 3).unwrap_err().code, "08P01");
        assert_eq!(Formats::read(&[2], 3).unwrap_err().code, "08P01");
    }
}

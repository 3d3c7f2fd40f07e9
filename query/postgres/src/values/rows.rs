//! Results in PostgreSQL's form: descriptions of columns, and encoded rows.
//!
//! The client receives the types of the columns before the rows exist. Rows of other types are cast to the described ones.
//! Types that PostgreSQL lacks are described and encoded as text.

use crate::catalog::{TYPE, is_encoded};
use crate::sqlstate::Failure;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use datafusion::arrow::compute::cast;
use datafusion_postgres::arrow_pg::datatypes::field_into_pg_type;
use datafusion_postgres::arrow_pg::encoder::encode_value;
use datafusion_postgres::pgwire::api::Type;
use datafusion_postgres::pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo};
use datafusion_postgres::pgwire::messages::data::{DataRow, RowDescription};
use holdfast_query::QueryError;
use std::ops::Range;
use std::sync::Arc;

/// The most digits of a decimal that the encoder writes exactly. A longer decimal is sent as text.
const MAX_DIGITS: u8 = 28;
/// The microseconds since 1970 of the years 1 to 9999, which the encoder writes with four digits.
const FOUR_DIGITS: Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

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
    /// Their PostgreSQL types.
    fields: Arc<Vec<FieldInfo>>,
    /// Their types in memory when they are encoded.
    types: Vec<DataType>,
}

impl Columns {
    /// The columns of `schema`.
    pub(crate) fn new(schema: &Schema, formats: &Formats) -> Self {
        let (mut fields, mut types) = (Vec::new(), Vec::new());
        for (index, field) in schema.fields().iter().enumerate() {
            let (pg_type, data_type) = pg_type(field);
            types.push(data_type);
            let size = size_of(&pg_type);
            let info = FieldInfo::new(field.name().clone(), None, None, pg_type, formats.of(index));
            fields.push(info.with_type_size(size));
        }
        Self { fields: Arc::new(fields), types }
    }

    pub(crate) fn description(&self) -> RowDescription {
        RowDescription::new(self.fields.iter().map(Into::into).collect())
    }

    /// The rows of `batch`.
    pub(crate) fn rows(&self, batch: &RecordBatch) -> Result<Rows, Failure> {
        if batch.num_columns() != self.types.len() {
            return Err(Failure::new("XX000", "the result has other columns than were described"));
        }
        let mut columns: Vec<(ArrayRef, FieldRef)> = Vec::with_capacity(self.types.len());
        let schema = batch.schema();
        for ((array, field), data_type) in batch.columns().iter().zip(schema.fields()).zip(&self.types) {
            let (array, field) = if array.data_type() == data_type {
                (Arc::clone(array), Arc::clone(field))
            } else {
                let array = cast(array, data_type).map_err(|error| Failure::from(QueryError::from(error)))?;
                let field = Field::new(field.name(), data_type.clone(), true).with_metadata(field.metadata().clone());
                (array, Arc::new(field))
            };
            columns.push((array, field));
        }
        let encoder = DataRowEncoder::new(Arc::clone(&self.fields));
        Ok(Rows { columns, fields: Arc::clone(&self.fields), encoder, next: 0, count: batch.num_rows() })
    }
}

/// The rows of one batch, encoded one by one.
pub(crate) struct Rows {
    columns: Vec<(ArrayRef, FieldRef)>,
    fields: Arc<Vec<FieldInfo>>,
    encoder: DataRowEncoder,
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
        let row = self.next;
        self.next += 1;
        for ((array, field), info) in self.columns.iter().zip(self.fields.iter()) {
            let encoded = if array.is_null(row) {
                self.encoder.encode_field(&None::<i8>)
            } else if is_encoded(array.data_type()) {
                match encoded(array, row, info) {
                    Ok(Encoded::Null) => self.encoder.encode_field(&None::<i8>),
                    Ok(Encoded::Text(text)) => self.encoder.encode_field(&text),
                    // The bytes are put as they are.
                    Ok(Encoded::Binary(bytes)) => self.encoder.encode_field(&bytes),
                    Err(failure) => return Some(Err(failure)),
                }
            } else if let Some(text) = far_time(array, row, info) {
                self.encoder.encode_field(&text)
            } else {
                encode_value(&mut self.encoder, array, row, field, info)
            };
            if let Err(error) = encoded {
                return Some(Err(Failure::new("22000", format!("column {}: {error}", info.name()))));
            }
        }
        Some(Ok(self.encoder.take_row()))
    }
}

/// The text of a time before the year 1 or after 9999, as PostgreSQL writes it. The encoder would give the year a sign.
/// `None` for other times, in the binary format, and beyond the calendar of 262142 years.
fn far_time(array: &ArrayRef, row: usize, info: &FieldInfo) -> Option<String> {
    let DataType::Timestamp(TimeUnit::Microsecond, zone) = array.data_type() else { return None };
    if info.format() != FieldFormat::Text || !matches!(zone.as_deref(), None | Some("UTC")) {
        return None;
    }
    let times = array.as_primitive::<TimestampMicrosecondType>();
    if FOUR_DIGITS.contains(&times.value(row)) {
        return None;
    }
    let time = times.value_as_datetime(row)?;
    let year: i64 = time.format("%Y").to_string().parse().ok()?;
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    let offset = if zone.is_some() { "+00" } else { "" };
    Some(format!("{year:04}-{}{offset}{era}", time.format("%m-%d %H:%M:%S%.6f")))
}

/// A value of the catalog, which is encoded already, in the format of its column.
enum Encoded<'v> {
    Null,
    Text(&'v str),
    Binary(&'v [u8]),
}

fn encoded<'a>(array: &'a ArrayRef, row: usize, info: &FieldInfo) -> Result<Encoded<'a>, Failure> {
    let both = array.as_struct();
    let (texts, binaries) = (both.column(0).as_string::<i32>(), both.column(1).as_binary::<i32>());
    if texts.is_null(row) {
        return Ok(Encoded::Null);
    }
    match info.format() {
        FieldFormat::Text => Ok(Encoded::Text(texts.value(row))),
        FieldFormat::Binary if binaries.is_null(row) => {
            let name = info.datatype().name();
            Err(Failure::new("42883", format!("no binary output function available for type {name}")))
        }
        FieldFormat::Binary => Ok(Encoded::Binary(binaries.value(row))),
    }
}

/// The OID and the modifier of a column's type, as the catalog tells them.
pub(crate) fn described_type(field: &FieldRef) -> (u32, i32) {
    let (wire_type, data_type) = pg_type(field);
    let modifier = match data_type {
        DataType::Decimal128(precision, scale) => ((i32::from(precision) << 16) | (i32::from(scale) & 0x7ff)) + 4,
        _ => -1,
    };
    (wire_type.oid(), modifier)
}

/// The PostgreSQL type that a field's metadata names.
fn named_type(field: &FieldRef) -> Option<Type> {
    let oid = holdfast_catalog::oid_of_type(field.metadata().get(TYPE)?)?;
    Type::from_oid(oid)
}

/// The type that is described to the client, and the type in memory from which it is encoded.
fn pg_type(field: &FieldRef) -> (Type, DataType) {
    if is_encoded(field.data_type()) {
        return (named_type(field).unwrap_or(Type::RECORD), field.data_type().clone());
    }
    if let Some(named) = named_type(field)
        && matches!(field.data_type(), DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Utf8)
    {
        return (named, field.data_type().clone());
    }
    let data_type = match field.data_type() {
        // A column without a type is text in PostgreSQL.
        DataType::Null => DataType::Utf8,
        DataType::Decimal128(precision, _) if *precision <= MAX_DIGITS => field.data_type().clone(),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Decimal128(..) | DataType::Decimal256(..) => DataType::Utf8,
        DataType::Dictionary(_, values) => {
            return pg_type(&Arc::new(Field::new(field.name(), (**values).clone(), true)));
        }
        DataType::RunEndEncoded(_, values) => return pg_type(values),
        DataType::Map(..) | DataType::Union(..) => DataType::Utf8,
        other => other.clone(),
    };
    let as_is = Arc::new(Field::new(field.name(), data_type.clone(), true).with_metadata(field.metadata().clone()));
    match field_into_pg_type(&as_is) {
        Ok(pg_type) => (pg_type, data_type),
        Err(_) => (Type::TEXT, DataType::Utf8),
    }
}

/// The size of a type's values in bytes; -1 if it varies.
fn size_of(pg_type: &Type) -> i16 {
    match *pg_type {
        Type::INT2_VECTOR | Type::OID_VECTOR => -1,
        _ if holdfast_catalog::type_name(pg_type.oid()).is_some() => holdfast_catalog::type_size(pg_type.oid()),
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID | Type::REGCLASS | Type::REGTYPE | Type::REGPROC => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME => 8,
        Type::INTERVAL | Type::UUID => 16,
        Type::NAME => 64,
        _ => -1,
    }
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
    fn far_times_are_written_as_postgresql_writes_them() {
        let times = vec![FOUR_DIGITS.start, FOUR_DIGITS.end - 1, FOUR_DIGITS.end, FOUR_DIGITS.start - 1, i64::MAX];
        let expected = [
            Some("0001-01-01 00:00:00.000000"),
            Some("9999-12-31 23:59:59.999999"),
            Some("10000-01-01 00:00:00.000000"),
            Some("0001-12-31 23:59:59.999999 BC"),
            None,
        ];
        let without_zone = texts(Arc::new(TimestampMicrosecondArray::from(times.clone())));
        assert_eq!(without_zone, expected.map(|text| text.map(str::to_owned)));
        let zoned = texts(Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")));
        assert_eq!(zoned[2].as_deref(), Some("10000-01-01 00:00:00.000000+00"));
        assert_eq!(zoned[3].as_deref(), Some("0001-12-31 23:59:59.999999+00 BC"));
        assert_eq!(zoned[4], None);
    }

    #[test]
    fn a_decimal_with_too_many_digits_is_text() {
        let long = Decimal256Array::from(vec![i256::from_i128(12_345)]).with_precision_and_scale(60, 2).unwrap();
        assert_eq!(texts(Arc::new(long)), [Some("123.45".to_owned())]);
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

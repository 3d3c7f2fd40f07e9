use super::*;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampMicrosecondType};
use arrow_schema::{Field, Schema, TimeUnit};

fn one(data_type: DataType, cell: Cell<'_>) -> Result<ArrayRef, CrmError> {
    let schema = Arc::new(Schema::new(vec![Field::new("a", data_type, true)]));
    let mut builder = BatchBuilder::new(schema);
    builder.push(0, cell)?;
    builder.end_row();
    Ok(Arc::clone(builder.finish()?.column(0)))
}

fn time(text: &str) -> Option<i64> {
    let array = one(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), Cell::Text(text)).ok()?;
    Some(array.as_primitive::<TimestampMicrosecondType>().value(0))
}

#[test]
fn times_with_and_without_zone_are_read() {
    let noon = 1_704_196_800_000_000;
    for text in [
        "2024-01-02 12:00:00+00",
        "2024-01-02 12:00:00",
        "2024-01-02T12:00:00Z",
        "2024-01-02 14:00:00+02",
        "2024-01-02 17:30:00.000000+05:30",
    ] {
        assert_eq!(time(text), Some(noon), "{text}");
    }
    assert_eq!(time("2024-01-02"), Some(noon - 12 * 3_600_000_000));
    assert_eq!(time("9999-12-31 23:59:59.999999+00"), Some(253_402_300_799_999_999));
    assert_eq!(time("infinity"), None);
    assert_eq!(time("soon"), None);
}

#[test]
fn decimals_keep_their_digits() {
    let array = one(DataType::Decimal128(30, 4), Cell::Text("12345678901234567890.1234")).unwrap();
    assert_eq!(array.as_primitive::<Decimal128Type>().value(0), 123_456_789_012_345_678_901_234);
    assert!(one(DataType::Decimal128(4, 2), Cell::Text("123.45")).is_err());
}

#[test]
fn a_value_that_does_not_fit_is_an_error_that_hides_the_value() {
    let error = one(DataType::Int64, Cell::Text("Jane Doe")).unwrap_err().to_string();
    assert_eq!(error, "the CRM's column \"a\" has a value that is not of type Int64");
    assert!(one(DataType::Utf8, Cell::Bytes(&[0xff])).is_err());
    assert!(one(DataType::Boolean, Cell::Text("perhaps")).is_err());
    assert!(one(DataType::Int64, Cell::Unsigned(u64::MAX)).is_err());
}

#[test]
fn null_is_null_in_every_column() {
    for data_type in [
        DataType::Null,
        DataType::Boolean,
        DataType::Int32,
        DataType::UInt64,
        DataType::Float32,
        DataType::Decimal128(10, 2),
        DataType::Date32,
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Utf8View,
        DataType::LargeBinary,
    ] {
        let array = one(data_type.clone(), Cell::Null).unwrap();
        assert_eq!(array.data_type(), &data_type);
        assert_eq!(array.logical_null_count(), 1, "{data_type}");
    }
}

#[test]
fn a_row_without_columns_is_counted() {
    let mut builder = BatchBuilder::new(Arc::new(Schema::empty()));
    builder.end_row();
    builder.end_row();
    assert_eq!(builder.finish().unwrap().num_rows(), 2);
}

use super::*;
use arrow_array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray, Float32Array, Float64Array,
    Int32Array, Int64Array, IntervalMonthDayNanoArray, ListArray, StringArray, StringViewArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{Int32Type as Integer, IntervalMonthDayNano};
use std::sync::Arc;

fn texts(array: &dyn Array, wire_type: &Type) -> Vec<String> {
    let written = (0..array.len()).map(|row| {
        let mut out = Vec::new();
        write(&mut out, array, row, wire_type, false).unwrap();
        String::from_utf8(out).unwrap()
    });
    written.collect()
}

fn binary(array: &dyn Array, wire_type: &Type) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, array, 0, wire_type, true).unwrap();
    out
}

/// What PostgreSQL 15 writes.
#[test]
fn floats_have_their_shortest_digits() {
    let doubles = [1e14, 1e15, 123_456.789, 0.0001, 0.00001, -0.0, 1e300, 1.5, 0.1, f64::NAN, f64::NEG_INFINITY, 1e22];
    let expected = [
        "100000000000000",
        "1e+15",
        "123456.789",
        "0.0001",
        "1e-05",
        "-0",
        "1e+300",
        "1.5",
        "0.1",
        "NaN",
        "-Infinity",
        "1e+22",
    ];
    assert_eq!(texts(&Float64Array::from(doubles.to_vec()), &Type::FLOAT8), expected);
    let singles = vec![1e5, 1e6, 0.1, 0.0001, 0.00001, 3.4e38];
    let expected = ["100000", "1e+06", "0.1", "0.0001", "1e-05", "3.4e+38"];
    assert_eq!(texts(&Float32Array::from(singles), &Type::FLOAT4), expected);
}

#[test]
fn times_are_written_to_the_microsecond_and_without_zeros_at_the_end() {
    let times = vec![1_778_400_000_123_456, 1_778_400_000_120_000, 1_778_400_000_000_000, i64::MAX, i64::MIN];
    let expected =
        ["2026-05-10 08:00:00.123456", "2026-05-10 08:00:00.12", "2026-05-10 08:00:00", "infinity", "-infinity"];
    assert_eq!(texts(&TimestampMicrosecondArray::from(times.clone()), &Type::TIMESTAMP), expected);
    let zoned = TimestampMicrosecondArray::from(times).with_timezone("UTC");
    assert_eq!(texts(&zoned, &Type::TIMESTAMPTZ)[0], "2026-05-10 08:00:00.123456+00");
    let far = vec![253_402_300_800_000_000, -62_135_596_800_000_001, i64::MAX - 1];
    let far = TimestampMicrosecondArray::from(far).with_timezone("UTC");
    let expected = ["10000-01-01 00:00:00+00", "0001-12-31 23:59:59.999999+00 BC", "294247-01-10 04:00:54.775806+00"];
    assert_eq!(texts(&far, &Type::TIMESTAMPTZ), expected);
    assert_eq!(texts(&Date32Array::from(vec![20_583, i32::MAX]), &Type::DATE), ["2026-05-10", "infinity"]);
    assert_eq!(texts(&Time64MicrosecondArray::from(vec![18_367_500_000]), &Type::TIME), ["05:06:07.5"]);
    assert_eq!(binary(&Date32Array::from(vec![10_958]), &Type::DATE), [0, 0, 0, 1]);
    let second = TimestampMicrosecondArray::from(vec![EPOCH_MICROSECONDS + 1]);
    assert_eq!(binary(&second, &Type::TIMESTAMP), 1_i64.to_be_bytes());
}

#[test]
fn intervals_and_differences_are_intervals() {
    let interval = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(14, -3, 3_661_500_000_000)]);
    assert_eq!(texts(&interval, &Type::INTERVAL), ["1 year 2 mons -3 days +01:01:01.5"]);
    let expected =
        [3_661_500_000_i64.to_be_bytes().to_vec(), (-3_i32).to_be_bytes().to_vec(), 14_i32.to_be_bytes().to_vec()];
    assert_eq!(binary(&interval, &Type::INTERVAL), expected.concat());
    let difference = DurationMicrosecondArray::from(vec![93_784_500_000]);
    assert_eq!(texts(&difference, &Type::INTERVAL), ["1 day 02:03:04.5"]);
}

#[test]
fn numbers_and_bytes_are_written_in_both_forms() {
    let decimal = Decimal128Array::from(vec![12_345]).with_precision_and_scale(20, 2).unwrap();
    assert_eq!(texts(&decimal, &Type::NUMERIC), ["123.45"]);
    assert_eq!(binary(&decimal, &Type::NUMERIC), [0, 2, 0, 0, 0, 0, 0, 2, 0, 123, 0x11, 0x94]);
    assert_eq!(texts(&Int32Array::from(vec![-1]), &Type::OID), ["4294967295"]);
    assert_eq!(binary(&Int64Array::from(vec![-2]), &Type::INT8), (-2_i64).to_be_bytes());
    assert_eq!(texts(&BooleanArray::from(vec![true, false]), &Type::BOOL), ["t", "f"]);
    assert_eq!(texts(&BinaryArray::from(vec![&b"\x00\xff"[..]]), &Type::BYTEA), ["\\x00ff"]);
    let uuid = StringViewArray::from(vec!["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]);
    assert_eq!(binary(&uuid, &Type::UUID)[..4], [0xa0, 0xee, 0xbc, 0x99]);
    assert_eq!(binary(&StringArray::from(vec!["[]"]), &Type::JSONB), [1, b'[', b']']);
}

#[test]
fn elements_of_arrays_are_quoted_as_postgresql_quotes_them() {
    let integers =
        ListArray::from_iter_primitive::<Integer, _, _>(vec![Some(vec![Some(1), None, Some(3)]), Some(vec![])]);
    assert_eq!(texts(&integers, &Type::INT4_ARRAY), ["{1,NULL,3}", "{}"]);
    let expected = [1, 1, 23, 3, 1, 4, 1, -1, 4, 3].map(i32::to_be_bytes).concat();
    assert_eq!(binary(&integers, &Type::INT4_ARRAY), expected);
    let words =
        StringArray::from(vec![Some("a b"), Some(""), Some("NULL"), None, Some("c\"d\\"), Some("{,}"), Some("x")]);
    let mut out = Vec::new();
    array_text(&mut out, &(Arc::new(words) as ArrayRef), &Type::TEXT).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), r#"{"a b","","NULL",NULL,"c\"d\\","{,}",x}"#);
}

#[test]
fn arrays_of_arrays_have_dimensions() {
    let inner = ListArray::from_iter_primitive::<Integer, _, _>(vec![
        Some(vec![Some(1), Some(2)]),
        Some(vec![Some(3), Some(4)]),
    ]);
    let field = Arc::new(arrow_schema::Field::new_list_field(inner.data_type().clone(), true));
    let offsets = datafusion::arrow::buffer::OffsetBuffer::from_lengths([2]);
    let nested = ListArray::new(field, offsets, Arc::new(inner), None);
    assert_eq!(texts(&nested, &Type::INT4_ARRAY), ["{{1,2},{3,4}}"]);
    let expected = [2, 0, 23, 2, 1, 2, 1, 4, 1, 4, 2, 4, 3, 4, 4].map(i32::to_be_bytes).concat();
    assert_eq!(binary(&nested, &Type::INT4_ARRAY), expected);
    let ragged = ListArray::from_iter_primitive::<Integer, _, _>(vec![Some(vec![Some(1)]), Some(vec![])]);
    let mut out = Vec::new();
    assert_eq!(array_binary(&mut out, &(Arc::new(ragged) as ArrayRef), &Type::INT4), Err(OutputError::Dimensions));
}

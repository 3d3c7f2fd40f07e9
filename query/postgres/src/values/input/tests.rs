use super::*;
use proptest::prelude::*;

/// 2026-11-28 12:00 UTC.
const NOW: i64 = 1_795_867_200_000_000;

fn text(wire_type: &Type, value: &str) -> Result<ScalarValue, InputError> {
    from_text(value, wire_type, NOW)
}

fn uuid_value() -> ScalarValue {
    ScalarValue::Utf8(Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".into()))
}

fn integers(values: &[Option<i32>]) -> ScalarValue {
    let values: Vec<_> = values.iter().copied().map(ScalarValue::Int32).collect();
    ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Int32))
}

fn texts(values: &[Option<&str>]) -> ScalarValue {
    let values: Vec<_> = values.iter().map(|value| ScalarValue::Utf8(value.map(str::to_owned))).collect();
    ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Utf8))
}

#[test]
fn text_and_binary_values_are_equal() {
    let utc = || Some("UTC".into());
    let int_array = [1, 1, 23, 2, 1, 4, 7, -1].map(i32::to_be_bytes).concat();
    for (wire_type, written, bytes, value) in [
        (Type::BOOL, "t", vec![1], ScalarValue::Boolean(Some(true))),
        (Type::INT2, "-7", (-7_i16).to_be_bytes().to_vec(), ScalarValue::Int16(Some(-7))),
        (Type::INT4, " -7 ", (-7_i32).to_be_bytes().to_vec(), ScalarValue::Int32(Some(-7))),
        (Type::INT8, "12", 12_i64.to_be_bytes().to_vec(), ScalarValue::Int64(Some(12))),
        (Type::OID, "4294967295", vec![255; 4], ScalarValue::Int32(Some(-1))),
        (Type::FLOAT4, "1.5", 1.5_f32.to_be_bytes().to_vec(), ScalarValue::Float32(Some(1.5))),
        (Type::FLOAT8, "1.5e0", 1.5_f64.to_be_bytes().to_vec(), ScalarValue::Float64(Some(1.5))),
        (
            Type::NUMERIC,
            "1.50",
            vec![0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 0x13, 0x88],
            ScalarValue::Decimal128(Some(150), 3, 2),
        ),
        (Type::TEXT, "ä", "ä".into(), ScalarValue::Utf8(Some("ä".into()))),
        (Type::JSON, "{\"a\": 1}", "{\"a\": 1}".into(), ScalarValue::Utf8(Some("{\"a\": 1}".into()))),
        (Type::JSONB, "[]", vec![1, b'[', b']'], ScalarValue::Utf8(Some("[]".into()))),
        (
            Type::UUID,
            "{A0EEBC999C0B4EF8bb6d-6bb9bd380a11}",
            vec![0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11],
            uuid_value(),
        ),
        (Type::BYTEA, "\\x00fF", vec![0, 255], ScalarValue::Binary(Some(vec![0, 255]))),
        (Type::BYTEA, "a\\\\\\000b", vec![b'a', b'\\', 0, b'b'], ScalarValue::Binary(Some(vec![b'a', b'\\', 0, b'b']))),
        (Type::DATE, "2000-01-02", 1_i32.to_be_bytes().to_vec(), ScalarValue::Date32(Some(10_958))),
        (
            Type::TIME,
            "00:00:01.5",
            1_500_000_i64.to_be_bytes().to_vec(),
            ScalarValue::Time64Nanosecond(Some(1_500_000_000)),
        ),
        (
            Type::TIMESTAMPTZ,
            "2000-01-01 00:00:01+00",
            1_000_000_i64.to_be_bytes().to_vec(),
            ScalarValue::TimestampMicrosecond(Some(EPOCH_MICROSECONDS + 1_000_000), utc()),
        ),
        (
            Type::TIMESTAMP,
            "2000-01-01 00:00:00.5",
            500_000_i64.to_be_bytes().to_vec(),
            ScalarValue::TimestampMicrosecond(Some(EPOCH_MICROSECONDS + 500_000), None),
        ),
        (
            Type::INTERVAL,
            "1 mon -2 days 00:00:03",
            [3_000_000_i64.to_be_bytes().to_vec(), (-2_i32).to_be_bytes().to_vec(), 1_i32.to_be_bytes().to_vec()]
                .concat(),
            ScalarValue::new_interval_mdn(1, -2, 3_000_000_000),
        ),
        (Type::INT4_ARRAY, "{7,NULL}", int_array, integers(&[Some(7), None])),
        (Type::INT4_ARRAY, "{}", [0, 0, 23].map(i32::to_be_bytes).concat(), integers(&[])),
        (
            Type::TEXT_ARRAY,
            r#"{ "a b" ,"c\"d",null,"null", e f }"#,
            Vec::new(),
            texts(&[Some("a b"), Some("c\"d"), None, Some("null"), Some("e f")]),
        ),
    ] {
        assert_eq!(text(&wire_type, written), Ok(value.clone()), "{wire_type} {written}");
        if !bytes.is_empty() {
            assert_eq!(from_binary(&bytes, &wire_type), Ok(value), "{wire_type} {written}");
        }
    }
}

#[test]
fn a_wrong_value_has_the_code_that_postgresql_gives_it() {
    for (wire_type, written, code) in [
        (Type::BOOL, "maybe", "22P02"),
        (Type::BOOL, "o", "22P02"),
        (Type::INT4, "seven", "22P02"),
        (Type::INT4, "1.5", "22P02"),
        (Type::INT4, "99999999999", "22003"),
        (Type::INT2, "40000", "22003"),
        (Type::FLOAT8, "1e999", "22003"),
        (Type::FLOAT4, "1e39", "22003"),
        (Type::FLOAT8, "x", "22P02"),
        (Type::NUMERIC, "x", "22P02"),
        (Type::UUID, "a0eebc99", "22P02"),
        (Type::JSON, "{", "22P02"),
        (Type::BYTEA, "\\xzz", "22023"),
        (Type::BYTEA, "\\9", "22P02"),
        (Type::DATE, "2026-13-40", "22008"),
        (Type::DATE, "x", "22007"),
        (Type::INTERVAL, "x", "22007"),
        (Type::INT4_ARRAY, "{1", "22P02"),
        (Type::INT4_ARRAY, "{1,}", "22P02"),
        (Type::INT4_ARRAY, "{,1}", "22P02"),
        (Type::INT4_ARRAY, "{x}", "22P02"),
        (Type::INT4_ARRAY, "{{1},{2}}", "0A000"),
        (Type::POINT, "(1,2)", "0A000"),
    ] {
        assert_eq!(text(&wire_type, written).map_err(|error| error.code), Err(code), "{wire_type} {written}");
    }
    for (wire_type, bytes, code) in [
        (Type::INT4, vec![1], "22P03"),
        (Type::NUMERIC, vec![0, 9], "22P03"),
        (Type::TEXT, vec![0xff], "22021"),
        (Type::TIMESTAMP, i64::MAX.to_be_bytes().to_vec(), "0A000"),
        (Type::TIMESTAMP, (i64::MAX - 1).to_be_bytes().to_vec(), "22008"),
        (Type::INT4_ARRAY, [1, 0, 25, 0, 1].map(i32::to_be_bytes).concat(), "42804"),
        (Type::INT4_ARRAY, [1, 0, 23, i32::MAX, 1].map(i32::to_be_bytes).concat(), "22P03"),
    ] {
        assert_eq!(from_binary(&bytes, &wire_type).map_err(|error| error.code), Err(code), "{wire_type}");
    }
}

#[test]
fn an_interval_beyond_the_nanoseconds_of_arrow_is_out_of_range() {
    let interval = |microseconds: i64| [microseconds.to_be_bytes().as_slice(), &[0; 8]].concat();
    let longest = i64::MAX / 1_000;
    assert!(from_binary(&interval(longest), &Type::INTERVAL).is_ok());
    for microseconds in [longest + 1, i64::MAX, -longest - 1, i64::MIN] {
        let read = from_binary(&interval(microseconds), &Type::INTERVAL);
        assert_eq!(read.map_err(|error| error.code), Err("22008"), "{microseconds}");
    }
}

#[test]
fn numerics_of_one_array_have_one_scale() {
    let ScalarValue::List(list) = text(&Type::NUMERIC_ARRAY, "{1.5,-20,NULL,0.25}").unwrap() else { panic!() };
    let values = list.values();
    assert_eq!(values.data_type(), &DataType::Decimal128(4, 2));
    let shown = datafusion::arrow::util::display::array_value_to_string(values, 1).unwrap();
    assert_eq!(shown, "-20.00");
}

proptest! {
    #[test]
    fn no_bytes_panic(
        wire_type in proptest::sample::select(vec![Type::BOOL, Type::INT2, Type::OID, Type::FLOAT4, Type::NUMERIC, Type::INTERVAL,
            Type::TIMESTAMPTZ, Type::DATE, Type::UUID, Type::INT4_ARRAY, Type::TEXT_ARRAY, Type::INTERVAL_ARRAY, Type::TIME,
            Type::JSONB, Type::BYTEA, Type::NUMERIC_ARRAY]),
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
        written in "[-{}\"\\\\,0-9a-z .:]{0,24}",
    ) {
        let _ = from_binary(&bytes, &wire_type);
        let _ = text(&wire_type, &written);
    }
}

//! The values that a client binds to `$1`, `$2`, ...
//!
//! A value has the type that the client names, or else the one that the statement expects. Text values are cast to that type.
//! Binary values are decoded here.

use crate::sqlstate::Failure;
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use datafusion::common::ParamValues;
use datafusion::common::ScalarValue;
use datafusion_postgres::arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use datafusion_postgres::arrow_pg::datatypes::into_pg_type;
use datafusion_postgres::pgwire::api::Type;
use datafusion_postgres::pgwire::api::portal::Portal;
use datafusion_postgres::pgwire::api::stmt::StoredStatement;
use datafusion_postgres::pgwire::messages::extendedquery::Bind as BindMessage;
use pg_interval::Interval;
use std::sync::Arc;

/// Microseconds and days from 1970 to 2000, PostgreSQL's epoch.
const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i32 = 10_957;

/// A placeholder of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// The type that is reported to the client, and of the values that it sends.
    pub(crate) wire_type: Type,
    /// The type that the statement expects, if it expects one.
    expected: Option<DataType>,
    /// Whether it is one of a statement over the catalog, which takes texts.
    is_of_catalog: bool,
}

impl Parameter {
    /// A placeholder for which the client names the type `named` (an OID, 0 for none) and the statement expects `expected`.
    pub(crate) fn new(named: u32, expected: Option<DataType>) -> Result<Self, Failure> {
        let wire_type = match (named, &expected) {
            (0 | 705, Some(expected)) => into_pg_type(expected).ok().filter(|wire_type| *wire_type != Type::UNKNOWN),
            (0 | 705, None) => None,
            (named, _) => Some(Type::from_oid(named).ok_or_else(|| {
                Failure::new("42704", format!("the type with OID {named} of a parameter is unknown"))
            })?),
        };
        // A placeholder of unknown type is text, as in PostgreSQL.
        Ok(Self { wire_type: wire_type.unwrap_or(Type::TEXT), expected, is_of_catalog: false })
    }

    /// A placeholder of a statement over the catalog.
    pub(crate) fn of_catalog(oid: u32) -> Result<Self, Failure> {
        let unknown = || Failure::new("42704", format!("the type with OID {oid} of a parameter is unknown"));
        let wire_type = Type::from_oid(oid).ok_or_else(unknown)?;
        Ok(Self { wire_type, expected: None, is_of_catalog: true })
    }

    /// The value in `bytes`; `None` is NULL.
    pub(crate) fn value(&self, number: usize, bytes: Option<&Bytes>, is_binary: bool) -> Result<ScalarValue, Failure> {
        if self.is_of_catalog {
            let invalid = || wrong(number, &self.wire_type, &"these bytes are not a value of the type");
            let text = bytes.map(|bytes| match is_binary {
                true => holdfast_catalog::text_of_binary(bytes, self.wire_type.oid()).ok_or_else(invalid),
                false => std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| invalid()),
            });
            return Ok(ScalarValue::Utf8(text.transpose()?));
        }
        let Some(bytes) = bytes else {
            return match &self.expected {
                Some(expected) => {
                    ScalarValue::try_from(expected).map_err(|error| wrong(number, &self.wire_type, &error))
                }
                None => Ok(ScalarValue::Null),
            };
        };
        match (is_binary, arrow_type(&self.wire_type)) {
            (false, Some(data_type)) => {
                let text = std::str::from_utf8(bytes).map_err(|error| wrong(number, &self.wire_type, &error))?;
                text_value(text, &self.wire_type, data_type).map_err(|error| wrong(number, &self.wire_type, &error))
            }
            (true, Some(_)) => binary_value(bytes, &self.wire_type)
                .ok_or_else(|| wrong(number, &self.wire_type, &"these bytes are not a value of the type")),
            (_, None) => self.other_value(number, bytes, is_binary),
        }
    }

    /// Decodes arrays, intervals and other rare types.
    fn other_value(&self, number: usize, bytes: &Bytes, is_binary: bool) -> Result<ScalarValue, Failure> {
        if is_binary && !has_valid_length(&self.wire_type, bytes) {
            return Err(wrong(number, &self.wire_type, &"these bytes are not a value of the type"));
        }
        let codes = vec![i16::from(is_binary)];
        let bind = BindMessage::new(None, None, codes, vec![Some(bytes.clone())], Vec::new());
        let statement = StoredStatement::new(String::new(), (), vec![Some(self.wire_type.clone())]);
        let portal =
            Portal::try_new(&bind, Arc::new(statement)).map_err(|error| wrong(number, &self.wire_type, &error))?;
        self.check_intervals(number, &portal)?;
        let values = deserialize_parameters_with_server_types(&portal, &[self.expected.as_ref()], &[]);
        match values.map_err(|error| wrong(number, &self.wire_type, &error))? {
            ParamValues::List(mut values) if values.len() == 1 => Ok(values.remove(0).value),
            _ => Err(wrong(number, &self.wire_type, &"values of this type cannot be bound")),
        }
    }

    /// Refuses intervals whose time does not fit into the nanoseconds of Arrow. `arrow-pg` multiplies without a check.
    fn check_intervals(&self, number: usize, portal: &Portal<()>) -> Result<(), Failure> {
        let intervals = match self.wire_type {
            Type::INTERVAL => portal.parameter::<Interval>(0, &self.wire_type).map(|interval| vec![interval]),
            Type::INTERVAL_ARRAY => {
                portal.parameter::<Vec<Option<Interval>>>(0, &self.wire_type).map(Option::unwrap_or_default)
            }
            _ => return Ok(()),
        };
        let intervals = intervals.map_err(|error| wrong(number, &self.wire_type, &error))?;
        match intervals.iter().flatten().all(|interval| interval.microseconds.checked_mul(1_000).is_some()) {
            true => Ok(()),
            false => Err(Failure::new("22008", format!("the parameter ${number} is out of range for type interval"))),
        }
    }
}

/// Whether the bytes have the length of their type. The decoders of other types assume that.
fn has_valid_length(wire_type: &Type, bytes: &Bytes) -> bool {
    match *wire_type {
        Type::INTERVAL => bytes.len() == 16,
        Type::TIME => bytes.len() == 8,
        Type::NUMERIC => {
            let digits = bytes.first_chunk::<2>().map(|digits| usize::from(u16::from_be_bytes(*digits)));
            digits.is_some_and(|digits| bytes.len() == 8 + 2 * digits)
        }
        _ => true,
    }
}

/// The type in memory of the common types.
fn arrow_type(wire_type: &Type) -> Option<DataType> {
    Some(match *wire_type {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 | Type::OID => DataType::Int32,
        Type::INT8 => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON | Type::UUID => {
            DataType::Utf8
        }
        Type::BYTEA => DataType::Binary,
        Type::DATE => DataType::Date32,
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => return None,
    })
}

fn text_value(text: &str, wire_type: &Type, data_type: DataType) -> Result<ScalarValue, String> {
    match *wire_type {
        Type::BYTEA => match text.strip_prefix("\\x") {
            Some(digits) => hexadecimal(digits)
                .map(|bytes| ScalarValue::Binary(Some(bytes)))
                .ok_or("it is not hexadecimal \\x...".to_owned()),
            None => Ok(ScalarValue::Binary(Some(text.as_bytes().to_vec()))),
        },
        Type::BOOL => match text.trim().to_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => Ok(ScalarValue::Boolean(Some(true))),
            "f" | "false" | "n" | "no" | "off" | "0" => Ok(ScalarValue::Boolean(Some(false))),
            other => Err(format!("\"{other}\" is neither true nor false")),
        },
        _ if data_type == DataType::Utf8 => Ok(ScalarValue::Utf8(Some(text.to_owned()))),
        _ => {
            let value = ScalarValue::Utf8(Some(text.trim().to_owned())).cast_to(&data_type);
            let value = value.map_err(|error| error.strip_backtrace())?;
            if value.is_null() { Err(format!("\"{text}\" is not a value of the type")) } else { Ok(value) }
        }
    }
}

fn binary_value(bytes: &Bytes, wire_type: &Type) -> Option<ScalarValue> {
    let bytes: &[u8] = bytes;
    let i64_of = || bytes.try_into().ok().map(i64::from_be_bytes);
    let i32_of = || bytes.try_into().ok().map(i32::from_be_bytes);
    Some(match *wire_type {
        Type::BOOL => ScalarValue::Boolean(Some(bytes == [1])),
        Type::INT2 => ScalarValue::Int16(Some(i16::from_be_bytes(bytes.try_into().ok()?))),
        Type::INT4 | Type::OID => ScalarValue::Int32(Some(i32_of()?)),
        Type::INT8 => ScalarValue::Int64(Some(i64_of()?)),
        Type::FLOAT4 => ScalarValue::Float32(Some(f32::from_be_bytes(bytes.try_into().ok()?))),
        Type::FLOAT8 => ScalarValue::Float64(Some(f64::from_be_bytes(bytes.try_into().ok()?))),
        Type::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        Type::DATE => ScalarValue::Date32(Some(i32_of()?.checked_add(EPOCH_DAYS)?)),
        Type::TIMESTAMP => ScalarValue::TimestampMicrosecond(Some(i64_of()?.checked_add(EPOCH_MICROSECONDS)?), None),
        Type::TIMESTAMPTZ => {
            ScalarValue::TimestampMicrosecond(Some(i64_of()?.checked_add(EPOCH_MICROSECONDS)?), Some("UTC".into()))
        }
        Type::UUID => {
            let digits: String = <[u8; 16]>::try_from(bytes).ok()?.iter().map(|byte| format!("{byte:02x}")).collect();
            let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
            ScalarValue::Utf8(Some(parts.join("-")))
        }
        _ => ScalarValue::Utf8(Some(std::str::from_utf8(bytes).ok()?.to_owned())),
    })
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    digits.chunks(2).map(|pair| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()).collect()
}

fn wrong(number: usize, wire_type: &Type, why: &dyn std::fmt::Display) -> Failure {
    Failure::new("22P02", format!("the parameter ${number} is not a valid {}: {why}", wire_type.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(wire_type: &Type, value: &'static str) -> Result<ScalarValue, Failure> {
        Parameter::new(wire_type.oid(), None).unwrap().value(1, Some(&Bytes::from_static(value.as_bytes())), false)
    }

    fn binary(wire_type: &Type, value: &[u8]) -> Result<ScalarValue, Failure> {
        Parameter::new(wire_type.oid(), None).unwrap().value(1, Some(&Bytes::copy_from_slice(value)), true)
    }

    #[test]
    fn text_and_binary_values_are_equal() {
        let utc = || Some("UTC".into());
        for (wire_type, written, bytes, value) in [
            (Type::INT4, "-7", (-7_i32).to_be_bytes().to_vec(), ScalarValue::Int32(Some(-7))),
            (Type::INT8, "12", 12_i64.to_be_bytes().to_vec(), ScalarValue::Int64(Some(12))),
            (Type::FLOAT8, "1.5", 1.5_f64.to_be_bytes().to_vec(), ScalarValue::Float64(Some(1.5))),
            (Type::BOOL, "t", vec![1], ScalarValue::Boolean(Some(true))),
            (Type::TEXT, "ä", "ä".into(), ScalarValue::Utf8(Some("ä".into()))),
            (Type::BYTEA, "\\x00fF", vec![0, 255], ScalarValue::Binary(Some(vec![0, 255]))),
            (Type::DATE, "2000-01-02", 1_i32.to_be_bytes().to_vec(), ScalarValue::Date32(Some(10_958))),
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
        ] {
            assert_eq!(text(&wire_type, written).unwrap(), value, "{wire_type}");
            assert_eq!(binary(&wire_type, &bytes).unwrap(), value, "{wire_type}");
        }
    }

    #[test]
    fn an_invalid_value_is_refused_with_its_number_and_type() {
        for (wire_type, written) in
            [(Type::INT4, "seven"), (Type::BOOL, "maybe"), (Type::DATE, "2026-13-40"), (Type::BYTEA, "\\x0")]
        {
            let failure = text(&wire_type, written).unwrap_err();
            assert_eq!(failure.code, "22P02");
            assert!(
                failure.message.contains("$1") && failure.message.contains(wire_type.name()),
                "{}",
                failure.message
            );
        }
        assert!(binary(&Type::INT4, &[1]).is_err());
        assert!(binary(&Type::TIMESTAMP, &i64::MAX.to_be_bytes()).is_err());
    }

    #[test]
    fn an_interval_beyond_the_nanoseconds_of_arrow_is_out_of_range() {
        let interval = |microseconds: i64| [microseconds.to_be_bytes().as_slice(), &[0; 8]].concat();
        let longest = i64::MAX / 1_000;
        assert!(binary(&Type::INTERVAL, &interval(longest)).is_ok());
        for microseconds in [longest + 1, i64::MAX, -longest - 1, i64::MIN] {
            assert_eq!(binary(&Type::INTERVAL, &interval(microseconds)).unwrap_err().code, "22008", "{microseconds}");
        }
        // An array of one dimension with one element, PostgreSQL's `array_recv`.
        let header = [1, 0, i32::try_from(Type::INTERVAL.oid()).unwrap(), 1, 1, 16].map(i32::to_be_bytes).concat();
        let array = |microseconds| [header.clone(), interval(microseconds)].concat();
        assert!(binary(&Type::INTERVAL_ARRAY, &array(longest)).is_ok());
        assert_eq!(binary(&Type::INTERVAL_ARRAY, &array(i64::MIN)).unwrap_err().code, "22008");
    }

    #[test]
    fn the_type_of_the_client_overrides_that_of_the_statement() {
        let parameter = |named, expected| Parameter::new(named, expected).unwrap().wire_type;
        assert_eq!(parameter(0, None), Type::TEXT);
        assert_eq!(parameter(0, Some(DataType::Int64)), Type::INT8);
        assert_eq!(parameter(Type::INT4.oid(), Some(DataType::Int64)), Type::INT4);
        assert_eq!(Parameter::new(4_000_000, None).unwrap_err().code, "42704");
    }

    #[test]
    fn null_has_the_expected_type() {
        let parameter = Parameter::new(0, Some(DataType::Int64)).unwrap();
        assert_eq!(parameter.value(1, None, true).unwrap(), ScalarValue::Int64(None));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            wire_type in proptest::sample::select(vec![Type::BOOL, Type::INT2, Type::OID, Type::FLOAT4, Type::NUMERIC, Type::INTERVAL,
                Type::TIMESTAMPTZ, Type::UUID, Type::INT4_ARRAY, Type::TEXT_ARRAY, Type::INTERVAL_ARRAY, Type::TIME, Type::JSON]),
            bytes in proptest::collection::vec(any::<u8>(), 0..24),
            is_binary: bool,
        ) {
            let _ = Parameter::new(wire_type.oid(), None).unwrap().value(1, Some(&Bytes::from(bytes)), is_binary);
        }
    }
}

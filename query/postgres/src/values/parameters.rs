//! The values that a client binds to `$1`, `$2`, ...
//!
//! A value has the type that the client names, or else the one that the statement tells. The statement is planned with the types
//! that the client names, so the two never differ.

use super::error::InputError;
use super::input;
use super::types::{field_of, told};
use crate::sqlstate::Failure;
use arrow_schema::FieldRef;
use bytes::Bytes;
use datafusion::common::ScalarValue;
use datafusion_postgres::pgwire::api::Type;

/// A placeholder of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// The type that is reported to the client, and of the values that it sends.
    pub(crate) wire_type: Type,
    /// Whether it is one of a statement over the catalog, which takes texts.
    is_of_catalog: bool,
}

impl Parameter {
    /// The type that the client names by an OID. `None` if it names none: 0, or the type `unknown`.
    pub(crate) fn named(oid: u32) -> Result<Option<Self>, Failure> {
        if oid == 0 || oid == Type::UNKNOWN.oid() {
            return Ok(None);
        }
        let unknown = || Failure::new("42704", format!("the type with OID {oid} of a parameter is unknown"));
        Ok(Some(Self { wire_type: Type::from_oid(oid).ok_or_else(unknown)?, is_of_catalog: false }))
    }

    /// A placeholder of which the statement tells `expected`. One of an unknown type is text, as in PostgreSQL.
    pub(crate) fn expected(expected: Option<&FieldRef>) -> Self {
        Self { wire_type: expected.and_then(|field| told(field)).unwrap_or(Type::TEXT), is_of_catalog: false }
    }

    /// A placeholder of a statement over the catalog.
    pub(crate) fn of_catalog(oid: u32) -> Result<Self, Failure> {
        let unknown = || Failure::new("42704", format!("the type with OID {oid} of a parameter is unknown"));
        Ok(Self { wire_type: Type::from_oid(oid).ok_or_else(unknown)?, is_of_catalog: true })
    }

    /// The field with which the statement is planned.
    pub(crate) fn field(&self) -> Option<FieldRef> {
        field_of(&self.wire_type)
    }

    /// The value in `bytes`; `None` is NULL. `now` are the microseconds of the clock.
    pub(crate) fn value(
        &self,
        number: usize,
        bytes: Option<&Bytes>,
        is_binary: bool,
        now: i64,
    ) -> Result<ScalarValue, Failure> {
        if self.is_of_catalog {
            return self.text_for_catalog(number, bytes, is_binary);
        }
        let value = match (bytes, is_binary) {
            (None, _) => input::null(&self.wire_type),
            (Some(bytes), true) => input::from_binary(bytes, &self.wire_type),
            (Some(bytes), false) => match std::str::from_utf8(bytes) {
                Ok(text) => input::from_text(text, &self.wire_type, now),
                Err(_) => Err(InputError::new("22021", "a text is not valid UTF-8")),
            },
        };
        value.map_err(|error| Failure::new(error.code, format!("{} (parameter ${number})", error.message)))
    }

    fn text_for_catalog(&self, number: usize, bytes: Option<&Bytes>, is_binary: bool) -> Result<ScalarValue, Failure> {
        let invalid = || {
            let name = self.wire_type.name();
            Failure::new("22P03", format!("the bytes are no value of type {name} (parameter ${number})"))
        };
        let text = bytes.map(|bytes| match is_binary {
            true => holdfast_catalog::text_of_binary(bytes, self.wire_type.oid()).ok_or_else(invalid),
            false => std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| invalid()),
        });
        Ok(ScalarValue::Utf8(text.transpose()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::{DataType, Field};
    use std::sync::Arc;

    #[test]
    fn a_type_is_named_or_expected_or_text() {
        let expected = |data_type| Parameter::expected(Some(&Arc::new(Field::new("", data_type, true)))).wire_type;
        assert_eq!(expected(DataType::Int64), Type::INT8);
        assert_eq!(expected(DataType::Null), Type::TEXT);
        assert_eq!(Parameter::expected(None).wire_type, Type::TEXT);
        assert_eq!(Parameter::named(0), Ok(None));
        assert_eq!(Parameter::named(705), Ok(None));
        assert_eq!(Parameter::named(Type::INT4.oid()).unwrap().unwrap().wire_type, Type::INT4);
        assert_eq!(Parameter::named(4_000_000).unwrap_err().code, "42704");
    }

    #[test]
    fn null_has_the_type_of_its_parameter() {
        let parameter = Parameter { wire_type: Type::INT8, is_of_catalog: false };
        assert_eq!(parameter.value(1, None, true, 0), Ok(ScalarValue::Int64(None)));
    }

    #[test]
    fn a_wrong_value_is_named_by_its_number_and_type() {
        let parameter = Parameter { wire_type: Type::INT4, is_of_catalog: false };
        let failure = parameter.value(3, Some(&Bytes::from_static(b"seven")), false, 0).unwrap_err();
        assert_eq!(failure.code, "22P02");
        assert!(failure.message.contains("$3") && failure.message.contains("integer"), "{}", failure.message);
    }
}

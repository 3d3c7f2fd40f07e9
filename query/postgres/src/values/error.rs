//! Errors of values that a client binds, with PostgreSQL's codes.

use datafusion_postgres::pgwire::api::Type;

/// Why a text or bytes are no value of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InputError {
    /// The SQLSTATE.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl InputError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn text(wire_type: &Type, text: &str) -> Self {
        Self::new("22P02", format!("invalid input syntax for type {}: \"{text}\"", name(wire_type)))
    }

    pub(super) fn binary(wire_type: &Type) -> Self {
        Self::new("22P03", format!("incorrect binary data format for type {}", name(wire_type)))
    }

    pub(super) fn unsupported(wire_type: &Type) -> Self {
        Self::new("0A000", format!("a parameter of type {} is not supported", name(wire_type)))
    }
}

/// PostgreSQL's name of a type in its messages.
pub(super) fn name(wire_type: &Type) -> &str {
    match *wire_type {
        Type::BOOL => "boolean",
        Type::INT2 => "smallint",
        Type::INT4 => "integer",
        Type::INT8 => "bigint",
        Type::FLOAT4 => "real",
        Type::FLOAT8 => "double precision",
        _ => wire_type.name(),
    }
}

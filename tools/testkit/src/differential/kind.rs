//! The types that columns and expressions have here.

use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit};
use std::sync::Arc;

/// A type, as far as columns of the archive and of a CRM have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each has the name of PostgreSQL's type")]
pub enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Interval,
    TextArray,
    IntArray,
}

impl Kind {
    /// Every type.
    pub const ALL: [Self; 15] = [
        Self::Bool,
        Self::Int2,
        Self::Int4,
        Self::Int8,
        Self::Float4,
        Self::Float8,
        Self::Numeric,
        Self::Text,
        Self::Date,
        Self::Time,
        Self::Timestamp,
        Self::Timestamptz,
        Self::Interval,
        Self::TextArray,
        Self::IntArray,
    ];

    /// The type's name in a cast.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int2 => "smallint",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Float4 => "real",
            Self::Float8 => "double precision",
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Interval => "interval",
            Self::TextArray => "text[]",
            Self::IntArray => "integer[]",
        }
    }

    /// The short word for the type in templates.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int2 => "int2",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Float4 => "float4",
            Self::Float8 => "float8",
            Self::TextArray => "texts",
            Self::IntArray => "ints",
            other => other.name(),
        }
    }

    /// The type with this word in a template.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// PostgreSQL's number of the type.
    #[must_use]
    pub fn oid(self) -> u32 {
        match self {
            Self::Bool => 16,
            Self::Int2 => 21,
            Self::Int4 => 23,
            Self::Int8 => 20,
            Self::Float4 => 700,
            Self::Float8 => 701,
            Self::Numeric => 1700,
            Self::Text => 25,
            Self::Date => 1082,
            Self::Time => 1083,
            Self::Timestamp => 1114,
            Self::Timestamptz => 1184,
            Self::Interval => 1186,
            Self::TextArray => 1009,
            Self::IntArray => 1007,
        }
    }

    /// The type with this number.
    #[must_use]
    pub fn of_oid(oid: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.oid() == oid)
    }
}

/// The name of the type with this number, for messages.
#[must_use]
pub fn type_name(oid: u32) -> String {
    let other = match oid {
        17 => "bytea",
        18 => "\"char\"",
        19 => "name",
        26 => "oid",
        114 => "json",
        705 => "unknown",
        1000 => "boolean[]",
        1005 => "smallint[]",
        1016 => "bigint[]",
        1021 => "real[]",
        1022 => "double precision[]",
        1042 => "character",
        1043 => "character varying",
        1115 => "timestamp[]",
        1182 => "date[]",
        1183 => "time[]",
        1185 => "timestamptz[]",
        1187 => "interval[]",
        1231 => "numeric[]",
        1266 => "timetz",
        2249 => "record",
        2278 => "void",
        2950 => "uuid",
        3802 => "jsonb",
        _ => return Kind::of_oid(oid).map_or_else(|| format!("type {oid}"), |kind| kind.name().to_owned()),
    };
    other.to_owned()
}

/// A column of a generated table. A numeric one has a precision and a scale.
#[derive(Debug, Clone, Copy)]
pub struct ColumnType {
    /// Its type.
    pub kind: Kind,
    /// Precision and scale, if it is numeric.
    pub precision: (u8, i8),
}

impl ColumnType {
    /// The column's type in CREATE TABLE.
    #[must_use]
    pub fn sql(&self) -> String {
        let (precision, scale) = self.precision;
        if self.kind == Kind::Numeric { format!("numeric({precision}, {scale})") } else { self.kind.name().to_owned() }
    }

    /// The column's type in Arrow.
    #[must_use]
    pub fn arrow(&self) -> DataType {
        let items = |kind| DataType::List(Arc::new(Field::new_list_field(kind, true)));
        match self.kind {
            Kind::Bool => DataType::Boolean,
            Kind::Int2 => DataType::Int16,
            Kind::Int4 => DataType::Int32,
            Kind::Int8 => DataType::Int64,
            Kind::Float4 => DataType::Float32,
            Kind::Float8 => DataType::Float64,
            Kind::Numeric => DataType::Decimal128(self.precision.0, self.precision.1),
            Kind::Text => DataType::Utf8,
            Kind::Date => DataType::Date32,
            Kind::Time => DataType::Time64(TimeUnit::Microsecond),
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Kind::TextArray => items(DataType::Utf8),
            Kind::IntArray => items(DataType::Int32),
        }
    }
}

//! PostgreSQL's types, and the Arrow types that hold their values.
//!
//! | PostgreSQL | Arrow | |
//! |---|---|---|
//! | `boolean` | `Boolean` | |
//! | `smallint`, `integer`, `bigint` | `Int16`, `Int32`, `Int64` | |
//! | `real`, `double precision` | `Float32`, `Float64` | |
//! | `numeric` | `Decimal128`, `Decimal256` | the scale is that of the column; a scale above [`SHOWN_SCALE`] is not shown with its zeros |
//! | `text` and its kin | `Utf8View` | `Utf8` and `LargeUtf8` are read as well |
//! | `bytea` | `Binary` | |
//! | `date` | `Date32` | `i32::MAX` and `i32::MIN` are `infinity` and `-infinity` |
//! | `time` | `Time64(Microsecond)` | |
//! | `timestamp` | `Timestamp(Microsecond, None)` | `i64::MAX` and `i64::MIN` are `infinity` and `-infinity` |
//! | `timestamp with time zone` | `Timestamp(Microsecond, UTC)` | as `timestamp` |
//! | `interval` | `Interval(MonthDayNano)` | a difference of times is a `Duration(Microsecond)` until it is an argument |
//! | arrays | `List` | |
//!
//! A type that is not told by the Arrow type stands in the field's metadata under [`TYPE_KEY`].

use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit};
use std::fmt;
use std::sync::Arc;

/// The key of a field's metadata whose value is the name of PostgreSQL's type, such as `json` or `oid`.
pub const TYPE_KEY: &str = "holdfast.type";

/// Digits after the point of a numeric whose scale its operands do not determine, such as a quotient.
pub(crate) const OPEN_SCALE: i8 = 30;

/// The largest scale whose zeros at the end are shown.
pub const SHOWN_SCALE: i8 = 20;

/// The digits of the numerics with which functions compute.
pub(crate) const NUMERIC_DIGITS: u8 = 76;

/// A type of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum PgType {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    /// Also a constant whose type is not known yet.
    Text,
    Bytea,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Interval,
    Array(Box<PgType>),
    /// NULL, or a parameter whose type is not known.
    Unknown,
    /// A type that no function of this dialect takes.
    Other,
}

impl PgType {
    /// The type of values of this Arrow type.
    pub(crate) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::Unknown,
            DataType::Boolean => Self::Bool,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => Self::Int2,
            DataType::Int32 | DataType::UInt16 => Self::Int4,
            DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Self::Int8,
            DataType::Float16 | DataType::Float32 => Self::Float4,
            DataType::Float64 => Self::Float8,
            data_type if data_type.is_decimal() => Self::Numeric,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Text,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Self::Bytea
            }
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::Timestamptz,
            DataType::Interval(_) | DataType::Duration(_) => Self::Interval,
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::ListView(element)
            | DataType::LargeListView(element)
            | DataType::FixedSizeList(element, _) => Self::Array(Box::new(Self::of(element.data_type()))),
            DataType::Dictionary(_, values) => Self::of(values),
            _ => Self::Other,
        }
    }

    /// The Arrow type in which functions take and return it. A numeric that has a scale already keeps it:
    /// [`numeric`](Self::numeric_of).
    pub(crate) fn arrow(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int2 => DataType::Int16,
            Self::Int4 => DataType::Int32,
            Self::Int8 => DataType::Int64,
            Self::Float4 => DataType::Float32,
            Self::Float8 => DataType::Float64,
            Self::Numeric => numeric(OPEN_SCALE),
            Self::Text => DataType::Utf8View,
            Self::Bytea => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => timestamp(),
            Self::Timestamptz => timestamptz(),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Array(element) => array_of(element.arrow()),
            Self::Unknown | Self::Other => DataType::Null,
        }
    }

    /// The Arrow type in which functions take a numeric that is given as `data_type`: with its scale.
    pub(crate) fn numeric_of(data_type: &DataType) -> DataType {
        match data_type {
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => numeric(*scale),
            whole if whole.is_integer() => numeric(0),
            _ => numeric(OPEN_SCALE),
        }
    }

    /// Whether PostgreSQL prefers it among the types of its category.
    pub(crate) fn is_preferred(&self) -> bool {
        matches!(self, Self::Bool | Self::Float8 | Self::Text | Self::Timestamptz | Self::Interval)
    }

    /// Whether a value of type `self` becomes one of `to` without being asked for.
    pub(crate) fn becomes(&self, to: &Self) -> bool {
        use PgType::{
            Date, Float4, Float8, Int2, Int4, Int8, Interval, Numeric, Text, Time, Timestamp, Timestamptz, Unknown,
        };
        self == to
            || match (self, to) {
                (Unknown, _) => true,
                (Int2, Int4 | Int8 | Numeric | Float4 | Float8)
                | (Int4, Int8 | Numeric | Float4 | Float8)
                | (Int8, Numeric | Float4 | Float8)
                | (Numeric, Float4 | Float8)
                | (Float4, Float8)
                | (Date, Timestamp | Timestamptz)
                | (Timestamp, Timestamptz)
                | (Time, Interval) => true,
                (Self::Array(one), Self::Array(other)) => one.becomes(other),
                (Text, _) => false,
                _ => false,
            }
    }
}

impl fmt::Display for PgType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "boolean",
            Self::Int2 => "smallint",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Float4 => "real",
            Self::Float8 => "double precision",
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Bytea => "bytea",
            Self::Date => "date",
            Self::Time => "time without time zone",
            Self::Timestamp => "timestamp without time zone",
            Self::Timestamptz => "timestamp with time zone",
            Self::Interval => "interval",
            // The type does not tell the number of dimensions.
            Self::Array(element) if matches!(**element, Self::Array(_)) => return write!(f, "{element}"),
            Self::Array(element) => return write!(f, "{element}[]"),
            Self::Unknown => "unknown",
            Self::Other => "record",
        })
    }
}

/// The Arrow type of a numeric with which functions compute.
pub(crate) fn numeric(scale: i8) -> DataType {
    DataType::Decimal256(NUMERIC_DIGITS, scale)
}

/// The Arrow type of a `timestamp without time zone`.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// The Arrow type of a `timestamp with time zone`.
pub(crate) fn timestamptz() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}

/// The Arrow type of an array.
pub(crate) fn array_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

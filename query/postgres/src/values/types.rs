//! PostgreSQL's types as this interface tells them, and the types in memory that hold their values.
//!
//! The type of a field in memory tells PostgreSQL's type, unless the metadata of the field name another one.

use arrow_schema::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion_postgres::arrow_pg::datatypes::field_into_pg_type;
use datafusion_postgres::pgwire::api::Type;
use holdfast_query::TYPE_KEY;
use std::sync::Arc;

/// Types, and the types of their arrays.
const ARRAYS: [(Type, Type); 21] = [
    (Type::BOOL, Type::BOOL_ARRAY),
    (Type::INT2, Type::INT2_ARRAY),
    (Type::INT4, Type::INT4_ARRAY),
    (Type::INT8, Type::INT8_ARRAY),
    (Type::FLOAT4, Type::FLOAT4_ARRAY),
    (Type::FLOAT8, Type::FLOAT8_ARRAY),
    (Type::NUMERIC, Type::NUMERIC_ARRAY),
    (Type::TEXT, Type::TEXT_ARRAY),
    (Type::VARCHAR, Type::VARCHAR_ARRAY),
    (Type::BPCHAR, Type::BPCHAR_ARRAY),
    (Type::NAME, Type::NAME_ARRAY),
    (Type::BYTEA, Type::BYTEA_ARRAY),
    (Type::DATE, Type::DATE_ARRAY),
    (Type::TIME, Type::TIME_ARRAY),
    (Type::TIMESTAMP, Type::TIMESTAMP_ARRAY),
    (Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
    (Type::INTERVAL, Type::INTERVAL_ARRAY),
    (Type::UUID, Type::UUID_ARRAY),
    (Type::JSON, Type::JSON_ARRAY),
    (Type::JSONB, Type::JSONB_ARRAY),
    (Type::OID, Type::OID_ARRAY),
];

/// The type of an array of `element`.
fn array_of(element: &Type) -> Option<Type> {
    ARRAYS.into_iter().find(|(known, _)| known == element).map(|(_, array)| array)
}

/// The type of the elements of an array.
pub(super) fn element_of(array: &Type) -> Option<Type> {
    ARRAYS.into_iter().find(|(_, known)| known == array).map(|(element, _)| element)
}

/// A type by its name.
fn named(name: &str) -> Option<Type> {
    Some(match name {
        "uuid" => Type::UUID,
        "json" => Type::JSON,
        "jsonb" => Type::JSONB,
        "oid" => Type::OID,
        "name" => Type::NAME,
        "char" => Type::CHAR,
        "bpchar" | "character" => Type::BPCHAR,
        "varchar" | "character varying" => Type::VARCHAR,
        "regclass" => Type::REGCLASS,
        "regtype" => Type::REGTYPE,
        "regproc" => Type::REGPROC,
        "xid" => Type::XID,
        "void" => Type::VOID,
        other => {
            return match other.strip_suffix("[]") {
                Some(element) => array_of(&named(element)?),
                None => Type::from_oid(holdfast_catalog::oid_of_type(other)?),
            };
        }
    })
}

/// The type in memory of the values of a type that a parameter can have.
pub(super) fn in_memory(wire_type: &Type) -> Option<DataType> {
    if let Some(element) = element_of(wire_type) {
        return in_memory(&element).map(list_of);
    }
    Some(match *wire_type {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 | Type::OID => DataType::Int32,
        Type::INT8 => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::NUMERIC => DataType::Decimal128(38, 10),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::CHAR => DataType::Utf8,
        Type::JSON | Type::JSONB | Type::UUID => DataType::Utf8,
        Type::BYTEA => DataType::Binary,
        Type::DATE => DataType::Date32,
        Type::TIME => DataType::Time64(TimeUnit::Nanosecond),
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => return None,
    })
}

/// A field of a type that a parameter can have: with its name, where the type in memory does not tell it.
pub(super) fn field_of(wire_type: &Type) -> Option<FieldRef> {
    let field = Field::new("", in_memory(wire_type)?, true);
    Some(Arc::new(match *wire_type {
        Type::UUID | Type::JSON | Type::JSONB => {
            field.with_metadata([(TYPE_KEY.to_owned(), wire_type.name().to_owned())].into())
        }
        _ => field,
    }))
}

pub(super) fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// The type that a client is told of a column or a parameter. `None` if PostgreSQL has none.
pub(super) fn told(field: &Field) -> Option<Type> {
    if let Some(named) = field.metadata().get(TYPE_KEY).and_then(|name| named(name)) {
        return Some(named);
    }
    if !field.metadata().is_empty() && !is_list(field.data_type()) {
        return field_into_pg_type(&Arc::new(field.clone())).ok().filter(|told| *told != Type::UNKNOWN);
    }
    let told = match field.data_type() {
        DataType::Boolean => Type::BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Type::INT2,
        DataType::Int32 | DataType::UInt16 => Type::INT4,
        DataType::Int64 | DataType::UInt32 => Type::INT8,
        DataType::Float16 | DataType::Float32 => Type::FLOAT4,
        DataType::Float64 => Type::FLOAT8,
        data_type if data_type.is_decimal() || *data_type == DataType::UInt64 => Type::NUMERIC,
        data_type if data_type.is_string() || data_type.is_null() => Type::TEXT,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Type::BYTEA,
        DataType::Date32 | DataType::Date64 => Type::DATE,
        DataType::Time32(_) | DataType::Time64(_) => Type::TIME,
        DataType::Timestamp(_, None) => Type::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => Type::TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => Type::INTERVAL,
        DataType::Dictionary(_, values) => return told(&Field::new("", (**values).clone(), true)),
        DataType::RunEndEncoded(_, values) => return told(values),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => {
            let told = told(element)?;
            // PostgreSQL's arrays have no type for each number of dimensions.
            return if element_of(&told).is_some() { Some(told) } else { array_of(&told) };
        }
        _ => return None,
    };
    Some(told)
}

fn is_list(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_)
            | DataType::LargeList(_)
            | DataType::ListView(_)
            | DataType::LargeListView(_)
            | DataType::FixedSizeList(..)
    )
}

/// The type in memory from which values of `data_type` are written: one for each type of PostgreSQL. `None` if there is none.
pub(super) fn written(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Boolean
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Decimal256(..)
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::BinaryView
        | DataType::Date32
        | DataType::Timestamp(TimeUnit::Microsecond, _)
        | DataType::Interval(IntervalUnit::MonthDayNano)
        | DataType::Duration(TimeUnit::Microsecond) => data_type.clone(),
        DataType::Null => DataType::Utf8,
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Duration(_) => DataType::Duration(TimeUnit::Microsecond),
        DataType::Dictionary(_, values) => return written(values),
        DataType::RunEndEncoded(_, values) => return written(values.data_type()),
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => list_of(written(element.data_type())?),
        _ => return None,
    })
}

/// The size of a type's values in bytes; -1 if it varies.
pub(super) fn size_of(wire_type: &Type) -> i16 {
    match *wire_type {
        Type::INT2_VECTOR | Type::OID_VECTOR => -1,
        _ if holdfast_catalog::type_name(wire_type.oid()).is_some() => holdfast_catalog::type_size(wire_type.oid()),
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID | Type::REGCLASS | Type::REGTYPE | Type::REGPROC => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME => 8,
        Type::INTERVAL | Type::UUID => 16,
        Type::NAME => 64,
        _ => -1,
    }
}

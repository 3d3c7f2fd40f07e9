//! PostgreSQL's types: their OIDs, names and categories, from `data/pg_type.tsv`.

use sqlparser::ast::{ArrayElemTypeDef, DataType, ExactNumberInfo, TimezoneInfo};
use std::collections::HashMap;
use std::sync::LazyLock;

/// An object identifier.
pub type Oid = u32;

pub(crate) const BOOL: Oid = 16;
pub(crate) const BYTEA: Oid = 17;
pub(crate) const CHAR: Oid = 18;
pub(crate) const NAME: Oid = 19;
pub(crate) const INT8: Oid = 20;
pub(crate) const INT2: Oid = 21;
pub(crate) const INT2VECTOR: Oid = 22;
pub(crate) const INT4: Oid = 23;
pub(crate) const REGPROC: Oid = 24;
pub(crate) const TEXT: Oid = 25;
pub(crate) const OID: Oid = 26;
pub(crate) const XID: Oid = 28;
pub(crate) const OIDVECTOR: Oid = 30;
pub(crate) const FLOAT4: Oid = 700;
pub(crate) const FLOAT8: Oid = 701;
pub(crate) const UNKNOWN: Oid = 705;
pub(crate) const TEXT_ARRAY: Oid = 1009;
pub(crate) const BPCHAR: Oid = 1042;
pub(crate) const VARCHAR: Oid = 1043;
pub(crate) const DATE: Oid = 1082;
pub(crate) const TIMESTAMP: Oid = 1114;
pub(crate) const TIMESTAMPTZ: Oid = 1184;
pub(crate) const INTERVAL: Oid = 1186;
pub(crate) const NUMERIC: Oid = 1700;
pub(crate) const REGPROCEDURE: Oid = 2202;
pub(crate) const REGOPER: Oid = 2203;
pub(crate) const REGOPERATOR: Oid = 2204;
pub(crate) const REGCLASS: Oid = 2205;
pub(crate) const REGTYPE: Oid = 2206;
pub(crate) const RECORD: Oid = 2249;
pub(crate) const REGROLE: Oid = 4096;
pub(crate) const REGNAMESPACE: Oid = 4089;
pub(crate) const ANYARRAY: Oid = 2277;
pub(crate) const JSON: Oid = 114;
pub(crate) const JSONB: Oid = 3802;

/// The text of the table of types.
pub(crate) const TYPES: &str = include_str!("data/pg_type.tsv");

/// What is known of a type.
#[derive(Debug, Clone)]
pub(crate) struct TypeFacts {
    pub(crate) name: &'static str,
    pub(crate) size: i16,
    pub(crate) category: u8,
    pub(crate) kind: u8,
    pub(crate) namespace: Oid,
    pub(crate) delimiter: char,
    pub(crate) element: Oid,
    pub(crate) array: Oid,
    pub(crate) base: Oid,
    pub(crate) by_value: bool,
    pub(crate) align: &'static str,
    pub(crate) storage: &'static str,
    pub(crate) collation: Oid,
}

static BY_OID: LazyLock<HashMap<Oid, TypeFacts>> = LazyLock::new(|| {
    let rows = TYPES.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| {
        let fields: Vec<&'static str> = line.split('\t').collect();
        let number = |index: usize| fields.get(index).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
        let letter = |index: usize| fields.get(index).and_then(|text| text.bytes().next()).unwrap_or(b' ');
        let facts = TypeFacts {
            name: fields.get(1)?,
            namespace: number(2),
            size: fields.get(4)?.parse().ok()?,
            by_value: letter(5) == b't',
            kind: letter(6),
            category: letter(7),
            delimiter: char::from(letter(10)),
            element: number(13),
            array: number(14),
            align: fields.get(22)?,
            storage: fields.get(23)?,
            base: number(25),
            collation: number(28),
        };
        Some((number(0), facts))
    })
    .collect()
});

static BY_NAME: LazyLock<HashMap<&'static str, Oid>> = LazyLock::new(|| {
    let mut names: HashMap<&'static str, Oid> = HashMap::new();
    for (oid, facts) in BY_OID.iter() {
        names.entry(facts.name).and_modify(|known| *known = (*known).min(*oid)).or_insert(*oid);
    }
    names
});

pub(crate) fn facts(oid: Oid) -> Option<&'static TypeFacts> {
    BY_OID.get(&oid)
}

/// The OID of the type with this name in `pg_type`.
pub fn oid_of_type(name: &str) -> Option<Oid> {
    BY_NAME.get(name).copied()
}

/// The name of a type in `pg_type`.
pub fn type_name(oid: Oid) -> Option<&'static str> {
    facts(oid).map(|facts| facts.name)
}

/// The size of a type's values in bytes; negative if it varies.
pub fn type_size(oid: Oid) -> i16 {
    facts(oid).map_or(-1, |facts| facts.size)
}

/// The type on the wire: a domain is its base.
pub(crate) fn base(oid: Oid) -> Oid {
    match facts(oid) {
        Some(TypeFacts { kind: b'd', base, .. }) => *base,
        _ => oid,
    }
}

/// The type of the elements of an array or a vector. A vector is of its elements, as an array is; other types are not.
pub(crate) fn element(oid: Oid) -> Option<Oid> {
    match oid {
        INT2VECTOR => Some(INT2),
        OIDVECTOR => Some(OID),
        ANYARRAY => Some(TEXT),
        NAME => None,
        _ => facts(oid).filter(|facts| facts.category == b'A' && facts.element != 0).map(|facts| facts.element),
    }
}

/// The array of a type.
pub(crate) fn array_of(oid: Oid) -> Option<Oid> {
    facts(base(oid)).map(|facts| facts.array).filter(|array| *array != 0)
}

/// How values of a type are held and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Bool,
    Int,
    Float,
    Text,
    Time,
    Array,
    Record,
    Unknown,
}

pub(crate) fn is_oid_like(oid: Oid) -> bool {
    matches!(
        oid,
        OID | REGPROC
            | REGPROCEDURE
            | REGOPER
            | REGOPERATOR
            | REGCLASS
            | REGTYPE
            | REGROLE
            | REGNAMESPACE
            | 3734
            | 3769
            | 4191
    )
}

pub(crate) fn family(oid: Oid) -> Family {
    match oid {
        BOOL => Family::Bool,
        UNKNOWN => Family::Unknown,
        INT2 | INT4 | INT8 | XID | 29 | 5069 | 790 => Family::Int,
        _ if is_oid_like(oid) => Family::Int,
        FLOAT4 | FLOAT8 | NUMERIC => Family::Float,
        DATE | TIMESTAMP | TIMESTAMPTZ => Family::Time,
        RECORD => Family::Record,
        _ if element(oid).is_some() => Family::Array,
        _ if facts(oid).is_some_and(|facts| facts.kind == b'c') => Family::Record,
        _ => Family::Text,
    }
}

/// The name of a type as SQL writes it.
pub(crate) fn sql_name(oid: Oid, modifier: Option<i64>) -> Option<String> {
    let with = |name: &str, modifier: Option<i64>| match modifier {
        Some(modifier) if modifier >= 0 => format!("{name}({modifier})"),
        _ => name.to_owned(),
    };
    let fraction = |name: &str, zone: &str, modifier: Option<i64>| match modifier {
        Some(digits) if digits >= 0 => format!("{name}({digits}) {zone}"),
        _ => format!("{name} {zone}"),
    };
    let length = modifier.map(|modifier| modifier - 4);
    Some(match oid {
        BOOL => "boolean".into(),
        CHAR => "\"char\"".into(),
        INT2 => "smallint".into(),
        INT4 => "integer".into(),
        INT8 => "bigint".into(),
        FLOAT4 => "real".into(),
        FLOAT8 => "double precision".into(),
        BPCHAR => match modifier {
            Some(-1) => "bpchar".into(),
            None => "character".into(),
            _ => with("character", length),
        },
        VARCHAR => with("character varying", length),
        NUMERIC => match length {
            Some(modifier) if modifier >= 0 => format!("numeric({},{})", modifier >> 16 & 0xffff, modifier & 0x7ff),
            _ => "numeric".into(),
        },
        1083 => fraction("time", "without time zone", modifier),
        1266 => fraction("time", "with time zone", modifier),
        TIMESTAMP => fraction("timestamp", "without time zone", modifier),
        TIMESTAMPTZ => fraction("timestamp", "with time zone", modifier),
        1560 => match modifier {
            Some(-1) => "\"bit\"".into(),
            modifier => with("bit", modifier),
        },
        1562 => with("bit varying", modifier),
        INTERVAL => "interval".into(),
        _ => match facts(oid) {
            // An array proper: a vector has elements too, and a name of its own.
            Some(facts) if facts.category == b'A' && facts.size == -1 && facts.element != 0 && !is_vector(oid) => {
                format!("{}[]", sql_name(facts.element, modifier)?)
            }
            Some(facts) if facts.namespace != 11 => format!("information_schema.{}", crate::format::quoted(facts.name)),
            Some(facts) => crate::format::quoted(facts.name),
            None => return None,
        },
    })
}

pub(crate) fn is_vector(oid: Oid) -> bool {
    matches!(oid, INT2VECTOR | OIDVECTOR)
}

/// The type that a name of SQL means, with its modifier.
pub(crate) fn named(written: &DataType) -> Option<(Oid, i32)> {
    let plain = |oid| Some((oid, -1));
    match written {
        DataType::Boolean | DataType::Bool => plain(BOOL),
        DataType::SmallInt(_) | DataType::Int2(_) => plain(INT2),
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => plain(INT4),
        DataType::BigInt(_) | DataType::Int8(_) => plain(INT8),
        DataType::Real | DataType::Float4 => plain(FLOAT4),
        DataType::DoublePrecision | DataType::Float8 | DataType::Double(_) | DataType::Float(_) => plain(FLOAT8),
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => match info {
            ExactNumberInfo::PrecisionAndScale(precision, scale) => {
                let modifier = (i64::try_from(*precision).ok()? << 16 | *scale) + 4;
                Some((NUMERIC, i32::try_from(modifier).ok()?))
            }
            _ => plain(NUMERIC),
        },
        DataType::Text => plain(TEXT),
        DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::CharVarying(_) => plain(VARCHAR),
        DataType::Char(_) | DataType::Character(_) => plain(BPCHAR),
        DataType::Bytea => plain(BYTEA),
        DataType::Date => plain(DATE),
        DataType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => plain(TIMESTAMPTZ),
        DataType::Timestamp(..) => plain(TIMESTAMP),
        DataType::Interval { .. } => plain(INTERVAL),
        DataType::JSON => plain(JSON),
        DataType::JSONB => plain(JSONB),
        DataType::Uuid => plain(2950),
        DataType::Regclass => plain(REGCLASS),
        DataType::Custom(name, _) => {
            let last = name.0.last()?.as_ident()?;
            // The type char of one byte is written in quotes: without them it is that of SQL.
            let name = if last.quote_style.is_some() { last.value.clone() } else { last.value.to_lowercase() };
            oid_of_type(&name).map(|oid| (oid, -1))
        }
        DataType::Array(inner) => {
            let inner = match inner {
                ArrayElemTypeDef::SquareBracket(inner, _)
                | ArrayElemTypeDef::AngleBracket(inner)
                | ArrayElemTypeDef::Parenthesis(inner) => inner,
                ArrayElemTypeDef::None => return None,
            };
            let (inner, modifier) = named(inner)?;
            array_of(inner).map(|array| (array, modifier))
        }
        _ => None,
    }
}

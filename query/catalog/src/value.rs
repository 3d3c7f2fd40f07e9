//! Values of the catalog. A value does not know its type: the expression that computes it does.

use crate::types::Oid;
use std::cmp::Ordering;
use std::sync::Arc;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// NULL of any type.
    Null,
    /// `bool`.
    Bool(bool),
    /// Whole numbers, OIDs and what is an OID (`regproc`, `regclass`), and times as microseconds since 1970.
    Int(i64),
    /// `float4`, `float8` and `numeric`.
    Float(f64),
    /// `text`, `name`, `"char"`, and the types that are written as text.
    Text(Arc<str>),
    /// An array or a vector.
    Array(Arc<ArrayValue>),
    /// A row.
    Record(Arc<[Datum]>),
}

/// An array of one dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrayValue {
    /// The index of its first element: 1, or 0 for `int2vector` and `oidvector`.
    pub lower: i64,
    /// The type of its elements.
    pub element: Oid,
    /// Its elements.
    pub items: Vec<Datum>,
}

impl Datum {
    /// A text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Arc::from(text.as_ref()))
    }

    /// An array whose first index is 1.
    pub fn array(element: Oid, items: Vec<Datum>) -> Self {
        Self::Array(Arc::new(ArrayValue { lower: 1, element, items }))
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn of(text: Option<impl AsRef<str>>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    pub(crate) fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    pub(crate) fn as_int(&self) -> i64 {
        match self {
            Self::Int(number) => *number,
            Self::Bool(value) => i64::from(*value),
            Self::Float(number) => *number as i64,
            _ => 0,
        }
    }

    pub(crate) fn as_float(&self) -> f64 {
        match self {
            Self::Float(number) => *number,
            other => other.as_int() as f64,
        }
    }

    pub(crate) fn as_oid(&self) -> Oid {
        u32::try_from(self.as_int()).unwrap_or_default()
    }

    pub(crate) fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    pub(crate) fn items(&self) -> &[Datum] {
        match self {
            Self::Array(array) => &array.items,
            Self::Record(items) => items,
            _ => &[],
        }
    }

    /// About how many bytes it takes beside its own size.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            // Texts of tables are shared.
            Self::Text(text) => text.len(),
            Self::Array(array) => array.items.iter().map(|item| size_of::<Self>() + item.heap_bytes()).sum(),
            Self::Record(items) => items.iter().map(|item| size_of::<Self>() + item.heap_bytes()).sum(),
            _ => 0,
        }
    }

    /// The order of two values of one type, neither of them NULL. NULLs inside arrays and rows are last.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Greater,
            (_, Self::Null) => Ordering::Less,
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Self::Float(_), _) | (_, Self::Float(_)) => {
                let (a, b) = (self.as_float(), other.as_float());
                a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
            }
            (Self::Array(a), Self::Array(b)) => order_of_all(&a.items, &b.items),
            (Self::Record(a), Self::Record(b)) => order_of_all(a, b),
            _ => rank(self).cmp(&rank(other)),
        }
    }

    /// A key that equal values share.
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Null => Key::Null,
            Self::Bool(value) => Key::Int(i64::from(*value)),
            Self::Int(number) => Key::Int(*number),
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Key::Int(*number as i64),
            Self::Float(number) => Key::Float(number.to_bits()),
            Self::Text(text) => Key::Text(Arc::clone(text)),
            Self::Array(array) => Key::Many(array.items.iter().map(Self::key).collect()),
            Self::Record(items) => Key::Many(items.iter().map(Self::key).collect()),
        }
    }
}

fn order_of_all(a: &[Datum], b: &[Datum]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.order(b)).find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn rank(value: &Datum) -> u8 {
    match value {
        Datum::Bool(_) => 0,
        Datum::Int(_) | Datum::Float(_) => 1,
        Datum::Text(_) => 2,
        Datum::Array(_) => 3,
        Datum::Record(_) => 4,
        Datum::Null => 5,
    }
}

/// A value as a key of a hash table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Null,
    Int(i64),
    Float(u64),
    Text(Arc<str>),
    Many(Vec<Key>),
}

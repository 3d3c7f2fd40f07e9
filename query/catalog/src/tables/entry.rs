//! A relation of the catalog, and how rows of its columns are made.

use crate::facts::RelationKind;
use crate::parse::parse;
use crate::types::{self, Family, Oid};
use crate::value::Datum;
use std::sync::Arc;

pub(crate) type Row = Vec<Datum>;

pub(crate) const PG_CATALOG: Oid = 11;
pub(crate) const INFORMATION_SCHEMA: Oid = 13_207;
/// The OID of the database.
pub(crate) const DATABASE: Oid = 16_384;
/// The role that owns everything.
pub(crate) const OWNER: Oid = 10;

/// A column of a relation.
#[derive(Debug, Clone)]
pub(crate) struct Attribute {
    pub(crate) name: Arc<str>,
    /// The declared type, which may be a domain.
    pub(crate) type_oid: Oid,
    pub(crate) modifier: i32,
    pub(crate) is_not_null: bool,
    pub(crate) dimensions: i64,
    pub(crate) collation: Oid,
}

/// A relation of the catalog.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) oid: Oid,
    pub(crate) type_oid: Oid,
    /// 0 if it has none.
    pub(crate) array_oid: Oid,
    pub(crate) namespace: Oid,
    pub(crate) schema: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) kind: RelationKind,
    pub(crate) is_system: bool,
    pub(crate) definition: Option<Arc<str>>,
    pub(crate) attributes: Vec<Attribute>,
}

/// Makes rows of an entry from the values of some of its columns.
pub(crate) struct Maker {
    places: Vec<usize>,
    defaults: Row,
    rows: Vec<Row>,
}

impl Maker {
    /// The other columns are NULL, or the zero of their types if they are never NULL.
    pub(crate) fn new(entry: &Entry, columns: &[&str]) -> Self {
        let place = |name: &&str| entry.attributes.iter().position(|column| *column.name == **name);
        let places = columns.iter().map(|name| place(name).unwrap_or(usize::MAX)).collect();
        let defaults = entry.attributes.iter().map(|column| {
            if !column.is_not_null {
                return Datum::Null;
            }
            match types::family(types::base(column.type_oid)) {
                Family::Bool => Datum::Bool(false),
                Family::Int | Family::Time => Datum::Int(0),
                Family::Float => Datum::Float(0.0),
                _ => Datum::text(""),
            }
        });
        Self { places, defaults: defaults.collect(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, values: impl IntoIterator<Item = Datum>) {
        let mut row = self.defaults.clone();
        for (place, value) in self.places.iter().zip(values) {
            if let Some(cell) = row.get_mut(*place) {
                *cell = value;
            }
        }
        self.rows.push(row);
    }

    pub(crate) fn finish(self) -> Vec<Row> {
        self.rows
    }
}

/// The rows of a text whose lines are rows of `types`, separated by tabs, with `\N` for NULL.
pub(crate) fn parse_rows(text: &str, types: &[Oid]) -> Vec<Row> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let value = |(text, oid): (&str, &Oid)| match text {
        "\\N" => Datum::Null,
        text => parse(text, *oid).unwrap_or(Datum::Null),
    };
    lines.map(|line| line.split('\t').zip(types).map(value).collect()).collect()
}

pub(crate) fn int(number: impl Into<i64>) -> Datum {
    Datum::Int(number.into())
}

pub(crate) fn shared(text: &Arc<str>) -> Datum {
    Datum::Text(Arc::clone(text))
}

//! The tables of the catalog in memory.
//!
//! ```text
//! data/*.tsv (PostgreSQL's own objects) ──┐
//! Facts (relations, schemas, roles) ──────┴─▶ Catalog ─▶ Table: columns, rows made on first use, indexes on first look-up
//! Session (user, settings) ─────────────────▶ rows of one statement (pg_settings, pg_roles, pg_stat_activity)
//! ```
//!
//! A table of PostgreSQL whose rows are not known here is not served: a statement over it is refused.

mod information;
mod objects;
mod sessions;
mod stored;

use crate::encode;
use crate::error::{CatalogError, Result};
use crate::facts::{Facts, RelationKind, Session};
use crate::types::{self, Family, Oid};
use crate::value::{Datum, Key};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub(crate) type Row = Vec<Datum>;
/// The places of rows by the value of one column, or by the values of many.
pub(crate) type Index = HashMap<Key, Vec<u32>>;

pub(crate) const PG_CATALOG: Oid = 11;
pub(crate) const INFORMATION_SCHEMA: Oid = 13_207;
/// The OID of the database.
pub(crate) const DATABASE: Oid = 16_384;
/// The role that owns everything.
pub(crate) const OWNER: Oid = 10;
/// Relations, schemas and roles of the server have OIDs from here on.
const FIRST_OID: u32 = 100_000;

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

/// Rows with the indexes that statements have asked for.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) all: Vec<Row>,
    indexes: Mutex<HashMap<Vec<usize>, Arc<Index>>>,
}

impl Rows {
    pub(crate) fn new(all: Vec<Row>) -> Self {
        Self { all, indexes: Mutex::default() }
    }

    /// The places of the rows by their values of `columns`, see [`key_of`].
    pub(crate) fn index(&self, columns: &[usize]) -> Arc<Index> {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = indexes.get(columns) {
            return Arc::clone(index);
        }
        let mut index = Index::new();
        for (place, row) in self.all.iter().enumerate() {
            if let Some(key) = key_of(columns.iter().filter_map(|column| row.get(*column))) {
                index.entry(key).or_default().push(u32::try_from(place).unwrap_or(u32::MAX));
            }
        }
        let index = Arc::new(index);
        indexes.insert(columns.to_vec(), Arc::clone(&index));
        index
    }
}

/// The key of values in an index, or `None` if one of them is NULL, which is equal to nothing.
pub(crate) fn key_of<'v>(values: impl IntoIterator<Item = &'v Datum>) -> Option<Key> {
    let mut keys = Vec::new();
    for value in values {
        if value.is_null() {
            return None;
        }
        keys.push(value.key());
    }
    if keys.len() == 1 { keys.pop() } else { Some(Key::Many(keys)) }
}

/// The catalog of one version of the relations.
#[derive(Debug)]
pub struct Catalog {
    pub(crate) facts: Facts,
    pub(crate) entries: Vec<Entry>,
    by_oid: HashMap<Oid, usize>,
    by_name: HashMap<(Arc<str>, Arc<str>), usize>,
    /// OID and name of each schema.
    pub(crate) schemas: Vec<(Oid, Arc<str>)>,
    /// OID and name of each role.
    pub(crate) roles: Vec<(Oid, Arc<str>)>,
    /// The rows of the tables that statements have read, by the place of their entry.
    rows: Vec<OnceLock<Option<Arc<Rows>>>>,
    /// OID and name of each type of a relation's rows, and of their arrays.
    row_types: HashMap<Oid, (Arc<str>, Arc<str>)>,
}

impl Catalog {
    /// The catalog of `facts`.
    pub fn new(facts: Facts) -> Self {
        let mut oids = Oids::default();
        let mut schemas: Vec<(Oid, Arc<str>)> = stored::namespaces();
        schemas
            .extend(facts.schemas.iter().map(|name| (oids.of(&format!("schema {name}"), 1), Arc::from(name.as_str()))));
        let mut roles = vec![(OWNER, Arc::from(facts.owner.as_str()))];
        let others = facts.roles.iter().filter(|name| **name != facts.owner);
        roles.extend(others.map(|name| (role_oid(name), Arc::from(name.as_str()))));
        let mut entries = stored::relations(&schemas);
        let mut relations: Vec<_> = facts.relations.iter().collect();
        relations.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
        for relation in relations {
            let Some((namespace, schema)) = schemas.iter().find(|(_, name)| **name == *relation.schema) else {
                continue;
            };
            let oid = oids.of(&format!("{}.{}", relation.schema, relation.name), 3);
            let attributes = relation.columns.iter().map(|column| Attribute {
                name: Arc::from(column.name.as_str()),
                type_oid: column.type_oid,
                modifier: column.type_modifier,
                is_not_null: column.is_not_null && relation.kind == RelationKind::Table,
                dimensions: i64::from(types::element(column.type_oid).is_some()),
                collation: types::facts(column.type_oid).map_or(0, |facts| facts.collation),
            });
            entries.push(Entry {
                oid,
                type_oid: oid + 1,
                array_oid: oid + 2,
                namespace: *namespace,
                schema: Arc::clone(schema),
                name: Arc::from(relation.name.as_str()),
                kind: relation.kind,
                is_system: false,
                definition: relation.definition.as_deref().map(Arc::from),
                attributes: attributes.collect(),
            });
        }
        let by_oid = entries.iter().enumerate().map(|(place, entry)| (entry.oid, place)).collect();
        let name = |entry: &Entry| (Arc::clone(&entry.schema), Arc::clone(&entry.name));
        let by_name = entries.iter().enumerate().map(|(place, entry)| (name(entry), place)).collect();
        let rows = entries.iter().map(|_| OnceLock::new()).collect();
        let own = entries.iter().filter(|entry| !entry.is_system);
        let row_types = own
            .flat_map(|entry| {
                let array: Arc<str> = Arc::from(format!("_{}", entry.name));
                [(entry.type_oid, Arc::clone(&entry.name)), (entry.array_oid, array)]
                    .map(|(oid, name)| (oid, (Arc::clone(&entry.schema), name)))
            })
            .collect();
        Self { facts, entries, by_oid, by_name, schemas, roles, rows, row_types }
    }

    /// The relation with this OID.
    pub(crate) fn relation(&self, oid: Oid) -> Option<&Entry> {
        self.by_oid.get(&oid).and_then(|place| self.entries.get(*place))
    }

    /// The place of a relation by its name; without a schema it is looked for in `pg_catalog` and in the search path.
    pub(crate) fn find(&self, schema: Option<&str>, name: &str) -> Option<usize> {
        let find = |schema: &str| self.by_name.get(&(Arc::from(schema), Arc::from(name))).copied();
        match schema {
            Some(schema) => find(schema),
            None => find("pg_catalog").or_else(|| self.facts.search_path.iter().find_map(|schema| find(schema))),
        }
    }

    /// Whether names of a schema need not name it.
    pub(crate) fn is_on_path(&self, schema: &str) -> bool {
        schema == "pg_catalog" || self.facts.search_path.iter().any(|on_path| on_path == schema)
    }

    pub(crate) fn schema_name(&self, oid: Oid) -> Option<&Arc<str>> {
        self.schemas.iter().find(|(known, _)| *known == oid).map(|(_, name)| name)
    }

    pub(crate) fn schema_oid(&self, name: &str) -> Option<Oid> {
        self.schemas.iter().find(|(_, known)| **known == *name).map(|(oid, _)| *oid)
    }

    /// The schema and the name of a type of a relation's rows.
    pub(crate) fn row_type(&self, oid: Oid) -> Option<&(Arc<str>, Arc<str>)> {
        self.row_types.get(&oid)
    }

    /// The name of a type as SQL writes it.
    pub(crate) fn type_sql_name(&self, oid: Oid, modifier: Option<i64>) -> Option<String> {
        match self.row_type(oid) {
            Some((schema, name)) if types::facts(oid).is_none() => {
                let qualified = |name: &str| {
                    let name = crate::format::quoted(name);
                    if self.is_on_path(schema) { name } else { format!("{}.{name}", crate::format::quoted(schema)) }
                };
                Some(match name.strip_prefix('_') {
                    Some(element) if self.row_types.contains_key(&(oid - 1)) => format!("{}[]", qualified(element)),
                    _ => qualified(name),
                })
            }
            _ => types::sql_name(oid, modifier),
        }
    }

    /// The type with this name: the OID of one of PostgreSQL's, or of a relation's rows.
    pub(crate) fn type_by_name(&self, name: &str) -> Option<Oid> {
        types::oid_of_type(name).or_else(|| {
            let mut own = self.row_types.iter().filter(|(_, (_, known))| **known == *name);
            own.next().map(|(oid, _)| *oid)
        })
    }

    pub(crate) fn functions(&self) -> Result<Arc<Rows>> {
        self.rows_of("pg_proc")
    }

    fn rows_of(&self, name: &str) -> Result<Arc<Rows>> {
        let place = self.find(Some("pg_catalog"), name).ok_or_else(|| unserved("pg_catalog", name))?;
        self.rows(place, &Session::default())
    }

    /// The rows of the relation at `place`.
    pub(crate) fn rows(&self, place: usize, session: &Session) -> Result<Arc<Rows>> {
        let unknown = || CatalogError::new("42P01", "relation does not exist");
        let entry = self.entries.get(place).ok_or_else(unknown)?;
        if !entry.is_system {
            return Err(CatalogError::unsupported(format!("the relation {}.{}", entry.schema, entry.name)));
        }
        if let Some(rows) = sessions::rows(self, entry, session) {
            return Ok(Arc::new(Rows::new(rows)));
        }
        let cell = self.rows.get(place).ok_or_else(unknown)?;
        let rows = cell.get_or_init(|| {
            let rows = match &*entry.schema {
                "information_schema" => information::rows(self, entry),
                _ => stored::rows(entry).or_else(|| objects::rows(self, entry)),
            };
            rows.map(|rows| Arc::new(Rows::new(rows)))
        });
        rows.clone().ok_or_else(|| unserved(&entry.schema, &entry.name))
    }

    /// The names of the schemas and tables that are served, with their columns and their types.
    pub fn served(&self) -> impl Iterator<Item = (&str, &str, Vec<(&str, Oid)>)> {
        self.entries.iter().filter(|entry| entry.is_system).map(|entry| {
            let columns = entry.attributes.iter().map(|column| (&*column.name, types::base(column.type_oid)));
            (&*entry.schema, &*entry.name, columns.collect())
        })
    }

    /// All rows of a table.
    ///
    /// # Errors
    /// If it is unknown, or not served.
    pub fn all_rows(&self, schema: &str, name: &str, session: &Session) -> Result<Vec<Vec<Datum>>> {
        let place = self.find(Some(schema), name).ok_or_else(|| unserved(schema, name))?;
        Ok(self.rows(place, session)?.all.clone())
    }
}

fn unserved(schema: &str, name: &str) -> CatalogError {
    CatalogError::unsupported(format!("the table {schema}.{name}"))
}

/// The OID of a role.
pub(crate) fn role_oid(name: &str) -> Oid {
    Oids::default().of(&format!("role {name}"), 1)
}

/// Chooses OIDs by name, so that they are the same in each process and after each start.
#[derive(Default)]
struct Oids(std::collections::BTreeMap<Oid, Oid>);

impl Oids {
    /// The first of `count` OIDs in a row.
    fn of(&mut self, name: &str, count: Oid) -> Oid {
        let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let mut oid = FIRST_OID + hash % 400_000_000 * 4;
        while self.0.contains_key(&oid) {
            oid += 4;
        }
        self.0.insert(oid, count);
        oid
    }
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
        text => encode::parse(text, *oid).unwrap_or(Datum::Null),
    };
    lines.map(|line| line.split('\t').zip(types).map(value).collect()).collect()
}

pub(crate) fn int(number: impl Into<i64>) -> Datum {
    Datum::Int(number.into())
}

pub(crate) fn shared(text: &Arc<str>) -> Datum {
    Datum::Text(Arc::clone(text))
}

#[cfg(test)]
mod tests;

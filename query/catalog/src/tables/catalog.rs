//! The relations, schemas, roles and types that the catalog knows, by their OIDs and names.

use super::entry::{Attribute, Entry, OWNER};
use super::oids::{Oids, role_oid};
use super::rows::Rows;
use super::stored;
use crate::facts::{Facts, RelationKind};
use crate::types::{self, Oid};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

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
    pub(super) rows: Vec<OnceLock<Option<Arc<Rows>>>>,
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
}

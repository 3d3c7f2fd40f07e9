//! The tables of `pg_catalog` about relations, columns, schemas and the database.

use super::catalog::Catalog;
use super::entry::{Attribute, DATABASE, Entry, Maker, OWNER, Row, int, shared};
use super::stored;
use crate::facts::RelationKind;
use crate::types;
use crate::value::Datum;

/// The access method `heap`.
const HEAP: i64 = 2;

pub(super) fn rows(catalog: &Catalog, entry: &Entry) -> Option<Vec<Row>> {
    Some(match &*entry.name {
        "pg_class" => classes(catalog, entry),
        "pg_attribute" => attributes(catalog, entry),
        "pg_type" => types_of(catalog, entry),
        "pg_namespace" => namespaces(catalog, entry),
        "pg_database" => databases(catalog, entry),
        "pg_tables" => tables(catalog, entry),
        "pg_views" => views(catalog, entry),
        "pg_rewrite" => rules(catalog, entry),
        "pg_stat_all_tables" | "pg_statio_all_tables" | "pg_stat_xact_all_tables" => {
            statistics(catalog, entry, |_| true)
        }
        "pg_stat_sys_tables" | "pg_statio_sys_tables" | "pg_stat_xact_sys_tables" => {
            statistics(catalog, entry, |relation| relation.is_system)
        }
        "pg_stat_user_tables" | "pg_statio_user_tables" | "pg_stat_xact_user_tables" => {
            statistics(catalog, entry, |relation| !relation.is_system)
        }
        _ => return None,
    })
}

fn letter(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Table => "r",
        RelationKind::View => "v",
    }
}

fn classes(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let mut maker = Maker::new(
        entry,
        &[
            "oid",
            "relname",
            "relnamespace",
            "reltype",
            "relowner",
            "relam",
            "relkind",
            "relnatts",
            "relhasrules",
            "relpersistence",
            "relispopulated",
            "relreplident",
            "reltuples",
            "relisshared",
        ],
    );
    for relation in &catalog.entries {
        let is_table = relation.kind == RelationKind::Table;
        maker.push([
            int(relation.oid),
            shared(&relation.name),
            int(relation.namespace),
            int(relation.type_oid),
            int(OWNER),
            int(if is_table { HEAP } else { 0 }),
            Datum::text(letter(relation.kind)),
            int(relation.attributes.len() as i64),
            Datum::Bool(!is_table),
            Datum::text("p"),
            Datum::Bool(true),
            Datum::text(if is_table && !relation.is_system { "d" } else { "n" }),
            // The number of rows is not known, as of a table that was never analysed.
            Datum::Float(if is_table { -1.0 } else { 0.0 }),
            Datum::Bool(relation.is_system && is_shared(&relation.name)),
        ]);
    }
    maker.finish()
}

/// Whether a table of PostgreSQL belongs to all databases.
fn is_shared(name: &str) -> bool {
    matches!(
        name,
        "pg_authid"
            | "pg_auth_members"
            | "pg_database"
            | "pg_db_role_setting"
            | "pg_parameter_acl"
            | "pg_replication_origin"
            | "pg_shdepend"
            | "pg_shdescription"
            | "pg_shseclabel"
            | "pg_subscription"
            | "pg_tablespace"
    )
}

fn attributes(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let mut maker = Maker::new(
        entry,
        &[
            "attrelid",
            "attname",
            "atttypid",
            "attstattarget",
            "attlen",
            "attnum",
            "attndims",
            "attcacheoff",
            "atttypmod",
            "attbyval",
            "attalign",
            "attstorage",
            "attcompression",
            "attnotnull",
            "attislocal",
            "attcollation",
        ],
    );
    // The columns that every table has beside its own: their places are negative.
    let system = [("ctid", 27), ("xmin", 28), ("cmin", 29), ("xmax", 28), ("cmax", 29), ("tableoid", 26)];
    let system = system.map(|(name, type_oid)| Attribute {
        name: name.into(),
        type_oid,
        modifier: -1,
        is_not_null: true,
        dimensions: 0,
        collation: 0,
    });
    for relation in &catalog.entries {
        let of_table = system.iter().zip((-6..=-1_i64).rev()).filter(|_| relation.kind == RelationKind::Table);
        for (column, number) in of_table.chain(relation.attributes.iter().zip(1_i64..)) {
            let facts = types::facts(column.type_oid);
            maker.push([
                int(relation.oid),
                shared(&column.name),
                int(column.type_oid),
                int(-1),
                int(facts.map_or(-1, |facts| facts.size)),
                int(number),
                int(column.dimensions),
                int(-1),
                int(column.modifier),
                Datum::Bool(facts.is_some_and(|facts| facts.by_value)),
                Datum::text(facts.map_or("i", |facts| facts.align)),
                Datum::text(facts.map_or("x", |facts| facts.storage)),
                Datum::text(""),
                Datum::Bool(column.is_not_null),
                Datum::Bool(true),
                int(column.collation),
            ]);
        }
    }
    maker.finish()
}

/// PostgreSQL's types, and those of the rows of the server's relations.
fn types_of(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let known = stored::types(entry);
    let function = |place: usize, name: &str| {
        known.iter().find(|row| row[1] == Datum::text(name)).map_or(Datum::Int(0), |row| row[place].clone())
    };
    let place = |name: &str| entry.attributes.iter().position(|column| *column.name == *name).unwrap_or_default();
    let functions = ["typinput", "typoutput", "typreceive", "typsend"];
    let mut maker = Maker::new(
        entry,
        &[
            "oid",
            "typname",
            "typnamespace",
            "typowner",
            "typlen",
            "typtype",
            "typcategory",
            "typisdefined",
            "typdelim",
            "typrelid",
            "typelem",
            "typarray",
            "typalign",
            "typstorage",
            "typtypmod",
            "typinput",
            "typoutput",
            "typreceive",
            "typsend",
            "typsubscript",
            "typanalyze",
        ],
    );
    for relation in catalog.entries.iter().filter(|relation| !relation.is_system) {
        for is_array in [false, true] {
            let name = if is_array { format!("_{}", relation.name) } else { relation.name.to_string() };
            let oid = if is_array { relation.array_oid } else { relation.type_oid };
            let example = if is_array { "_int8" } else { "record" };
            let mut values = vec![
                int(oid),
                Datum::text(name),
                int(relation.namespace),
                int(OWNER),
                int(-1),
                Datum::text(if is_array { "b" } else { "c" }),
                Datum::text(if is_array { "A" } else { "C" }),
                Datum::Bool(true),
                Datum::text(","),
                int(if is_array { 0 } else { relation.oid }),
                int(if is_array { relation.type_oid } else { 0 }),
                int(if is_array { 0 } else { relation.array_oid }),
                Datum::text("d"),
                Datum::text("x"),
                int(-1),
            ];
            values.extend(functions.map(|name| function(place(name), example)));
            let of_arrays = |name: &str| if is_array { function(place(name), "_int8") } else { Datum::Int(0) };
            values.extend(["typsubscript", "typanalyze"].map(of_arrays));
            maker.push(values);
        }
    }
    let own = maker.finish();
    known.into_iter().chain(own).collect()
}

fn namespaces(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let mut maker = Maker::new(entry, &["oid", "nspname", "nspowner"]);
    for (oid, name) in &catalog.schemas {
        maker.push([int(*oid), shared(name), int(OWNER)]);
    }
    maker.finish()
}

fn databases(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let mut maker = Maker::new(
        entry,
        &[
            "oid",
            "datname",
            "datdba",
            "encoding",
            "datlocprovider",
            "datistemplate",
            "datallowconn",
            "datconnlimit",
            "datfrozenxid",
            "datminmxid",
            "dattablespace",
            "datcollate",
            "datctype",
        ],
    );
    let name = Datum::text(&catalog.facts.database);
    let texts = ["C", "C.UTF-8"].map(Datum::text);
    let start = [int(DATABASE), name, int(OWNER), int(6), Datum::text("c"), Datum::Bool(false), Datum::Bool(true)];
    maker.push(start.into_iter().chain([int(-1), int(1), int(1), int(1663)]).chain(texts));
    maker.finish()
}

fn tables(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let names = ["schemaname", "tablename", "tableowner", "hasindexes", "hasrules", "hastriggers", "rowsecurity"];
    let mut maker = Maker::new(entry, &names);
    for relation in catalog.entries.iter().filter(|relation| relation.kind == RelationKind::Table) {
        let owner = Datum::text(&catalog.facts.owner);
        let none = [false; 4].map(Datum::Bool);
        maker.push([shared(&relation.schema), shared(&relation.name), owner].into_iter().chain(none));
    }
    maker.finish()
}

/// The texts of PostgreSQL's own views are not told.
fn views(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let mut maker = Maker::new(entry, &["schemaname", "viewname", "viewowner", "definition"]);
    for relation in catalog.entries.iter().filter(|relation| relation.kind == RelationKind::View) {
        let owner = Datum::text(&catalog.facts.owner);
        let definition = Datum::of(relation.definition.as_deref());
        maker.push([shared(&relation.schema), shared(&relation.name), owner, definition]);
    }
    maker.finish()
}

/// The OID of the rule of a view. A relation of the server has three OIDs of four. Those of PostgreSQL's views are below the first of them.
pub(crate) fn rule_oid(view: &Entry) -> i64 {
    i64::from(view.oid) + if view.is_system { 50_000 } else { 3 }
}

/// The rule of each view that makes its rows.
fn rules(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let columns = ["oid", "rulename", "ev_class", "ev_type", "ev_enabled", "is_instead", "ev_qual", "ev_action"];
    let mut maker = Maker::new(entry, &columns);
    for relation in catalog.entries.iter().filter(|relation| relation.kind == RelationKind::View) {
        let [name, kind, enabled, none] = ["_RETURN", "1", "O", "<>"].map(Datum::text);
        maker.push([
            int(rule_oid(relation)),
            name,
            int(relation.oid),
            kind,
            enabled,
            Datum::Bool(true),
            none.clone(),
            none,
        ]);
    }
    maker.finish()
}

/// Nothing is counted: each counter of a table is zero, each time is NULL.
fn statistics(catalog: &Catalog, entry: &Entry, is_among: impl Fn(&Entry) -> bool) -> Vec<Row> {
    let counters: Vec<&str> =
        entry.attributes.iter().filter(|column| column.type_oid == types::INT8).map(|column| &*column.name).collect();
    let names = [&["relid", "schemaname", "relname"][..], &counters].concat();
    let mut maker = Maker::new(entry, &names);
    for relation in &catalog.entries {
        if relation.kind == RelationKind::Table && is_among(relation) {
            let start = [int(relation.oid), shared(&relation.schema), shared(&relation.name)];
            maker.push(start.into_iter().chain(counters.iter().map(|_| Datum::Int(0))));
        }
    }
    maker.finish()
}

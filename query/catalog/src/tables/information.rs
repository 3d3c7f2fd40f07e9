//! The views of `information_schema`.
//!
//! Their rows are about all relations that a role can read. Nothing can be written, so nothing is insertable or updatable.

use super::catalog::Catalog;
use super::entry::{Entry, INFORMATION_SCHEMA, Maker, PG_CATALOG, Row, int, shared};
use crate::facts::RelationKind;
use crate::types::{self, BPCHAR, FLOAT4, FLOAT8, INT2, INT4, INT8, NUMERIC, Oid, TEXT, VARCHAR};
use crate::value::Datum;

/// The views that have no rows here: there are no such objects.
const EMPTY: &[&str] = &[
    "_pg_foreign_data_wrappers",
    "_pg_foreign_servers",
    "_pg_foreign_table_columns",
    "_pg_foreign_tables",
    "_pg_user_mappings",
    "administrable_role_authorizations",
    "attributes",
    "check_constraint_routine_usage",
    "column_column_usage",
    "column_domain_usage",
    "column_options",
    "constraint_column_usage",
    "constraint_table_usage",
    "foreign_data_wrapper_options",
    "foreign_data_wrappers",
    "foreign_server_options",
    "foreign_servers",
    "foreign_table_options",
    "foreign_tables",
    "key_column_usage",
    "referential_constraints",
    "role_routine_grants",
    "role_udt_grants",
    "role_usage_grants",
    "routine_column_usage",
    "routine_routine_usage",
    "routine_sequence_usage",
    "routine_table_usage",
    "sequences",
    "transforms",
    "triggered_update_columns",
    "triggers",
    "user_defined_types",
    "user_mapping_options",
    "user_mappings",
    "view_routine_usage",
];

/// `None` for a view whose rows are not known here.
pub(super) fn rows(catalog: &Catalog, entry: &Entry) -> Option<Vec<Row>> {
    Some(match &*entry.name {
        name if EMPTY.contains(&name) => Vec::new(),
        "information_schema_catalog_name" => {
            let mut maker = Maker::new(entry, &["catalog_name"]);
            maker.push([Datum::text(&catalog.facts.database)]);
            maker.finish()
        }
        "schemata" => schemata(catalog, entry),
        "tables" => tables(catalog, entry),
        "columns" => columns(catalog, entry),
        "views" => views(catalog, entry),
        "table_constraints" => not_null(catalog, entry, false),
        "check_constraints" => not_null(catalog, entry, true),
        "element_types" => element_types(catalog, entry),
        "table_privileges" | "role_table_grants" => table_privileges(catalog, entry),
        "column_privileges" | "role_column_grants" => column_privileges(catalog, entry),
        "character_sets" => character_sets(catalog, entry),
        _ => return None,
    })
}

fn database(catalog: &Catalog) -> Datum {
    Datum::text(&catalog.facts.database)
}

fn yes_or_no(value: bool) -> Datum {
    Datum::text(if value { "YES" } else { "NO" })
}

fn schemata(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let mut maker = Maker::new(entry, &["catalog_name", "schema_name", "schema_owner"]);
    for (_, name) in &catalog.schemas {
        maker.push([database(catalog), shared(name), Datum::text(&catalog.facts.owner)]);
    }
    maker.finish()
}

fn tables(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let names = ["table_catalog", "table_schema", "table_name", "table_type", "is_insertable_into", "is_typed"];
    let mut maker = Maker::new(entry, &names);
    for relation in &catalog.entries {
        let kind = if relation.kind == RelationKind::View { "VIEW" } else { "BASE TABLE" };
        let place = [database(catalog), shared(&relation.schema), shared(&relation.name)];
        maker.push(place.into_iter().chain([Datum::text(kind), yes_or_no(false), yes_or_no(false)]));
    }
    maker.finish()
}

/// What a column of these views says of a type: its name, lengths, digits and digits of time.
struct Shape {
    data_type: String,
    character_length: Datum,
    octet_length: Datum,
    precision: Datum,
    radix: Datum,
    scale: Datum,
    time_digits: Datum,
}

fn shape(catalog: &Catalog, oid: Oid, modifier: i32) -> Shape {
    let base = types::base(oid);
    let facts = types::facts(base);
    let is_array =
        types::element(base).is_some() && facts.is_none_or(|facts| facts.size == -1) && !types::is_vector(base);
    let data_type = if is_array {
        "ARRAY".to_owned()
    } else if facts.is_some_and(|facts| facts.namespace == PG_CATALOG) {
        catalog.type_sql_name(base, None).unwrap_or_default()
    } else {
        "USER-DEFINED".to_owned()
    };
    let some = |number: Option<i64>| number.map_or(Datum::Null, Datum::Int);
    let length = (matches!(base, VARCHAR | BPCHAR) && modifier >= 4).then(|| i64::from(modifier) - 4);
    let octets = match base {
        TEXT | VARCHAR | BPCHAR => Some(length.map_or(1 << 30, |length| length * 4)),
        _ => None,
    };
    let numeric = (base == NUMERIC && modifier >= 4).then(|| i64::from(modifier) - 4);
    let (precision, radix, scale) = match base {
        INT2 => (Some(16), Some(2), Some(0)),
        INT4 => (Some(32), Some(2), Some(0)),
        INT8 => (Some(64), Some(2), Some(0)),
        FLOAT4 => (Some(24), Some(2), None),
        FLOAT8 => (Some(53), Some(2), None),
        NUMERIC => (numeric.map(|both| both >> 16 & 0xffff), Some(10), numeric.map(|both| both & 0x7ff)),
        _ => (None, None, None),
    };
    let time_digits = match base {
        types::DATE => Some(0),
        1083 | types::TIMESTAMP | types::TIMESTAMPTZ | 1266 | types::INTERVAL => {
            Some(if modifier < 0 { 6 } else { i64::from(modifier) })
        }
        _ => None,
    };
    Shape {
        data_type,
        character_length: some(length),
        octet_length: some(octets),
        precision: some(precision),
        radix: some(radix),
        scale: some(scale),
        time_digits: some(time_digits),
    }
}

/// The schema and the name of a type.
fn udt(catalog: &Catalog, oid: Oid) -> (Datum, Datum) {
    match (catalog.row_type(oid), types::facts(oid)) {
        (Some((schema, name)), None) => (shared(schema), shared(name)),
        (_, Some(facts)) if facts.namespace == INFORMATION_SCHEMA => {
            (Datum::text("information_schema"), Datum::text(facts.name))
        }
        (_, Some(facts)) => (Datum::text("pg_catalog"), Datum::text(facts.name)),
        (None, None) => (Datum::Null, Datum::Null),
    }
}

fn columns(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let names = [
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "is_nullable",
        "data_type",
        "character_maximum_length",
        "character_octet_length",
        "numeric_precision",
        "numeric_precision_radix",
        "numeric_scale",
        "datetime_precision",
        "collation_catalog",
        "collation_schema",
        "collation_name",
        "domain_catalog",
        "domain_schema",
        "domain_name",
        "udt_catalog",
        "udt_schema",
        "udt_name",
        "dtd_identifier",
        "is_self_referencing",
        "is_identity",
        "identity_cycle",
        "is_generated",
        "is_updatable",
    ];
    let mut maker = Maker::new(entry, &names);
    for relation in &catalog.entries {
        for (column, number) in relation.attributes.iter().zip(1_i64..) {
            let shape = shape(catalog, column.type_oid, column.modifier);
            let base = types::base(column.type_oid);
            let (domain_catalog, domain_schema, domain) = if base == column.type_oid {
                (Datum::Null, Datum::Null, Datum::Null)
            } else {
                let (schema, name) = udt(catalog, column.type_oid);
                (database(catalog), schema, name)
            };
            // The collation of the database is not told.
            let (collation_catalog, collation_schema, collation) = match column.collation {
                950 => (database(catalog), Datum::text("pg_catalog"), Datum::text("C")),
                _ => (Datum::Null, Datum::Null, Datum::Null),
            };
            let (udt_schema, udt_name) = udt(catalog, base);
            maker.push([
                database(catalog),
                shared(&relation.schema),
                shared(&relation.name),
                shared(&column.name),
                int(number),
                yes_or_no(!column.is_not_null),
                Datum::text(shape.data_type),
                shape.character_length,
                shape.octet_length,
                shape.precision,
                shape.radix,
                shape.scale,
                shape.time_digits,
                collation_catalog,
                collation_schema,
                collation,
                domain_catalog,
                domain_schema,
                domain,
                database(catalog),
                udt_schema,
                udt_name,
                Datum::text(number.to_string()),
                yes_or_no(false),
                yes_or_no(false),
                yes_or_no(false),
                Datum::text("NEVER"),
                yes_or_no(false),
            ]);
        }
    }
    maker.finish()
}

/// The elements of the columns that are arrays.
fn element_types(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let names = [
        "object_catalog",
        "object_schema",
        "object_name",
        "object_type",
        "collection_type_identifier",
        "data_type",
        "udt_catalog",
        "udt_schema",
        "udt_name",
        "dtd_identifier",
    ];
    let mut maker = Maker::new(entry, &names);
    for relation in &catalog.entries {
        for (column, number) in relation.attributes.iter().zip(1_i64..) {
            let base = types::base(column.type_oid);
            let Some(element) = types::element(base).filter(|_| types::type_size(base) == -1) else { continue };
            let (udt_schema, udt_name) = udt(catalog, element);
            maker.push([
                database(catalog),
                shared(&relation.schema),
                shared(&relation.name),
                Datum::text("TABLE"),
                Datum::text(number.to_string()),
                Datum::text(shape(catalog, element, column.modifier).data_type),
                database(catalog),
                udt_schema,
                udt_name,
                Datum::text(format!("a{number}")),
            ]);
        }
    }
    maker.finish()
}

fn views(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let names = [
        "table_catalog",
        "table_schema",
        "table_name",
        "view_definition",
        "check_option",
        "is_updatable",
        "is_insertable_into",
        "is_trigger_updatable",
        "is_trigger_deletable",
        "is_trigger_insertable_into",
    ];
    let mut maker = Maker::new(entry, &names);
    for relation in catalog.entries.iter().filter(|relation| relation.kind == RelationKind::View) {
        let place = [database(catalog), shared(&relation.schema), shared(&relation.name)];
        let definition = [Datum::of(relation.definition.as_deref()), Datum::text("NONE")];
        maker.push(place.into_iter().chain(definition).chain([false; 5].map(yes_or_no)));
    }
    maker.finish()
}

/// A column that is never NULL is a constraint in these views.
fn not_null(catalog: &Catalog, entry: &Entry, is_check: bool) -> Vec<Row> {
    let names: &[&str] = if is_check {
        &["constraint_catalog", "constraint_schema", "constraint_name", "check_clause"]
    } else {
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "constraint_type",
            "is_deferrable",
            "initially_deferred",
            "enforced",
        ]
    };
    let mut maker = Maker::new(entry, names);
    for relation in &catalog.entries {
        for (column, number) in relation.attributes.iter().zip(1_u32..).filter(|(column, _)| column.is_not_null) {
            let name = Datum::text(format!("{}_{}_{number}_not_null", relation.namespace, relation.oid));
            let start = [database(catalog), shared(&relation.schema), name];
            let rest = if is_check {
                vec![Datum::text(format!("{} IS NOT NULL", column.name))]
            } else {
                let table = [database(catalog), shared(&relation.schema), shared(&relation.name)];
                let flags = [Datum::text("CHECK"), yes_or_no(false), yes_or_no(false), yes_or_no(true)];
                table.into_iter().chain(flags).collect()
            };
            maker.push(start.into_iter().chain(rest));
        }
    }
    maker.finish()
}

/// Everybody can read what the catalog names, and nothing else.
fn table_privileges(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let names = [
        "grantor",
        "grantee",
        "table_catalog",
        "table_schema",
        "table_name",
        "privilege_type",
        "is_grantable",
        "with_hierarchy",
    ];
    let mut maker = Maker::new(entry, &names);
    for relation in &catalog.entries {
        let who = [Datum::text(&catalog.facts.owner), Datum::text("PUBLIC")];
        let place = [database(catalog), shared(&relation.schema), shared(&relation.name)];
        let what = [Datum::text("SELECT"), yes_or_no(false), yes_or_no(true)];
        maker.push(who.into_iter().chain(place).chain(what));
    }
    maker.finish()
}

fn column_privileges(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let names = [
        "grantor",
        "grantee",
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "privilege_type",
        "is_grantable",
    ];
    let mut maker = Maker::new(entry, &names);
    for relation in &catalog.entries {
        for column in &relation.attributes {
            let who = [Datum::text(&catalog.facts.owner), Datum::text("PUBLIC")];
            let place = [database(catalog), shared(&relation.schema), shared(&relation.name), shared(&column.name)];
            maker.push(who.into_iter().chain(place).chain([Datum::text("SELECT"), yes_or_no(false)]));
        }
    }
    maker.finish()
}

fn character_sets(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let names = [
        "character_set_name",
        "character_repertoire",
        "form_of_use",
        "default_collate_catalog",
        "default_collate_schema",
        "default_collate_name",
    ];
    let mut maker = Maker::new(entry, &names);
    let texts = ["UTF8", "UCS", "UTF8"].map(Datum::text);
    let collation = [database(catalog), Datum::text("pg_catalog"), Datum::text("C")];
    maker.push(texts.into_iter().chain(collation));
    maker.finish()
}

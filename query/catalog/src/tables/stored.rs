//! The objects of PostgreSQL itself, from the files in `data`.

use super::entry::{Attribute, Entry, Row, parse_rows};
use crate::facts::RelationKind;
use crate::types::{self, BOOL, CHAR, INT2, INT4, NAME, OID, Oid};
use crate::value::Datum;
use std::collections::HashMap;
use std::sync::Arc;

/// The text of the table's rows.
fn text_of(table: &str) -> Option<&'static str> {
    Some(match table {
        "pg_aggregate" => include_str!("../data/pg_aggregate.tsv"),
        "pg_am" => include_str!("../data/pg_am.tsv"),
        "pg_cast" => include_str!("../data/pg_cast.tsv"),
        "pg_collation" => include_str!("../data/pg_collation.tsv"),
        "pg_language" => include_str!("../data/pg_language.tsv"),
        "pg_opclass" => include_str!("../data/pg_opclass.tsv"),
        "pg_operator" => include_str!("../data/pg_operator.tsv"),
        "pg_opfamily" => include_str!("../data/pg_opfamily.tsv"),
        "pg_proc" => include_str!("../data/pg_proc.tsv"),
        "pg_range" => include_str!("../data/pg_range.tsv"),
        "pg_tablespace" => include_str!("../data/pg_tablespace.tsv"),
        "pg_type" => types::TYPES,
        _ => return None,
    })
}

/// The tables and views that have no rows here: there are no such objects.
const EMPTY: &[&str] = &[
    "pg_attrdef",
    "pg_auth_members",
    "pg_available_extension_versions",
    "pg_available_extensions",
    "pg_constraint",
    "pg_cursors",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_depend",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_indexes",
    "pg_inherits",
    "pg_init_privs",
    "pg_largeobject",
    "pg_largeobject_metadata",
    "pg_locks",
    "pg_matviews",
    "pg_parameter_acl",
    "pg_partitioned_table",
    "pg_policies",
    "pg_policy",
    "pg_prepared_statements",
    "pg_prepared_xacts",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_publication_tables",
    "pg_replication_origin",
    "pg_replication_origin_status",
    "pg_replication_slots",
    "pg_rules",
    "pg_seclabel",
    "pg_seclabels",
    "pg_sequence",
    "pg_sequences",
    "pg_shdepend",
    "pg_shdescription",
    "pg_shseclabel",
    "pg_stat_all_indexes",
    "pg_stat_gssapi",
    "pg_stat_progress_analyze",
    "pg_stat_progress_basebackup",
    "pg_stat_progress_cluster",
    "pg_stat_progress_copy",
    "pg_stat_progress_create_index",
    "pg_stat_progress_vacuum",
    "pg_stat_replication",
    "pg_stat_replication_slots",
    "pg_stat_subscription",
    "pg_stat_subscription_stats",
    "pg_stat_sys_indexes",
    "pg_stat_user_functions",
    "pg_stat_user_indexes",
    "pg_stat_wal_receiver",
    "pg_statio_all_indexes",
    "pg_statio_all_sequences",
    "pg_statio_sys_indexes",
    "pg_statio_sys_sequences",
    "pg_statio_user_indexes",
    "pg_statio_user_sequences",
    "pg_statistic_ext",
    "pg_statistic_ext_data",
    "pg_stats",
    "pg_stats_ext",
    "pg_stats_ext_exprs",
    "pg_subscription",
    "pg_subscription_rel",
    "pg_transform",
    "pg_trigger",
    "pg_user_mapping",
    "pg_user_mappings",
];

/// The rows of a table whose objects are only PostgreSQL's, or of which there are none.
pub(super) fn rows(entry: &Entry) -> Option<Vec<Row>> {
    if EMPTY.contains(&&*entry.name) {
        return Some(Vec::new());
    }
    // Types of rows are added by those who know the relations.
    let text = text_of(&entry.name).filter(|_| *entry.name != *"pg_type")?;
    Some(parsed(entry, text))
}

pub(super) fn types(entry: &Entry) -> Vec<Row> {
    parsed(entry, types::TYPES)
}

fn parsed(entry: &Entry, text: &str) -> Vec<Row> {
    let types: Vec<Oid> = entry.attributes.iter().map(|column| types::base(column.type_oid)).collect();
    parse_rows(text, &types)
}

/// PostgreSQL's own schemas.
pub(super) fn namespaces() -> Vec<(Oid, Arc<str>)> {
    let rows = parse_rows(include_str!("../data/pg_namespace.tsv"), &[OID, NAME]);
    rows.iter().map(|row| (row[0].as_oid(), Arc::from(row[1].as_text()))).collect()
}

/// PostgreSQL's own tables and views.
pub(super) fn relations(schemas: &[(Oid, Arc<str>)]) -> Vec<Entry> {
    let mut attributes: HashMap<Oid, Vec<Attribute>> = HashMap::new();
    let columns = [OID, NAME, OID, INT2, INT4, INT4, BOOL, OID];
    for row in parse_rows(include_str!("../data/attributes.tsv"), &columns) {
        attributes.entry(row[0].as_oid()).or_default().push(Attribute {
            name: Arc::from(row[1].as_text()),
            type_oid: row[2].as_oid(),
            dimensions: row[4].as_int(),
            modifier: i32::try_from(row[5].as_int()).unwrap_or(-1),
            is_not_null: row[6].is_true(),
            collation: row[7].as_oid(),
        });
    }
    let rows = parse_rows(include_str!("../data/relations.tsv"), &[OID, NAME, OID, OID, CHAR, INT2]);
    let entry = |row: &Row| {
        let (oid, namespace, type_oid) = (row[0].as_oid(), row[2].as_oid(), row[3].as_oid());
        let (_, schema) = schemas.iter().find(|(known, _)| *known == namespace)?;
        let kind = if row[4] == Datum::text("v") { RelationKind::View } else { RelationKind::Table };
        Some(Entry {
            oid,
            type_oid,
            array_oid: types::facts(type_oid).map_or(0, |facts| facts.array),
            namespace,
            schema: Arc::clone(schema),
            name: Arc::from(row[1].as_text()),
            kind,
            is_system: true,
            definition: None,
            attributes: attributes.remove(&oid).unwrap_or_default(),
        })
    };
    rows.iter().filter_map(entry).collect()
}

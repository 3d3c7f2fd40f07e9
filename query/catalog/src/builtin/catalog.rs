//! Functions about the objects of the catalog, its privileges, and the session.

use super::function::{Builtin, Context};
use super::names::{
    PROALLARGTYPES, PROARGMODES, PROARGNAMES, PROARGTYPES, PRORETSET, PRORETTYPE, PROVARIADIC, role_name,
};
use crate::error::{CatalogError, Result};
use crate::facts::RelationKind;
use crate::format::{quoted, size_pretty};
use crate::tables::{Entry, PG_CATALOG, Row, rule_oid};
use crate::types::{self, BOOL, CHAR, INT2, INT4, INT8, NAME, OID, REGCLASS, TEXT, TIMESTAMPTZ, XID};
use crate::value::Datum;

const NAME_ARRAY: u32 = 1003;
const NODE_TREE: u32 = 194;

fn null(_: &Context<'_>, _: &[Datum], _: &[u32]) -> Result<Datum> {
    Ok(Datum::Null)
}

fn zero(_: &Context<'_>, _: &[Datum], _: &[u32]) -> Result<Datum> {
    Ok(Datum::Int(0))
}

fn no(_: &Context<'_>, _: &[Datum], _: &[u32]) -> Result<Datum> {
    Ok(Datum::Bool(false))
}

pub(super) const FUNCTIONS: &[Builtin] = &[
    // The session.
    Builtin::new("current_database", &[], NAME, |c, _, _| Ok(Datum::text(&c.catalog.facts.database))),
    Builtin::new("current_catalog", &[], NAME, |c, _, _| Ok(Datum::text(&c.catalog.facts.database))),
    Builtin::new("current_schema", &[], NAME, |c, _, _| Ok(Datum::of(c.catalog.facts.search_path.first()))),
    Builtin::new("current_schemas", &[BOOL], NAME_ARRAY, |c, a, _| {
        let implicit = a[0].is_true().then_some("pg_catalog");
        let path = c.catalog.facts.search_path.iter().map(String::as_str);
        Ok(Datum::array(NAME, implicit.into_iter().chain(path).map(Datum::text).collect()))
    }),
    Builtin::new("current_user", &[], NAME, |c, _, _| Ok(Datum::text(&c.session.user))),
    Builtin::new("current_role", &[], NAME, |c, _, _| Ok(Datum::text(&c.session.user))),
    Builtin::new("session_user", &[], NAME, |c, _, _| Ok(Datum::text(&c.session.user))),
    Builtin::new("user", &[], NAME, |c, _, _| Ok(Datum::text(&c.session.user))),
    Builtin::new("version", &[], TEXT, |c, _, _| Ok(Datum::text(&c.session.version))),
    Builtin::new("pg_backend_pid", &[], INT4, |c, _, _| Ok(Datum::Int(i64::from(c.session.backend)))),
    Builtin::new("pg_postmaster_start_time", &[], TIMESTAMPTZ, |c, _, _| Ok(Datum::Int(c.session.started))),
    Builtin::new("pg_conf_load_time", &[], TIMESTAMPTZ, |c, _, _| Ok(Datum::Int(c.session.started))),
    Builtin::new("current_setting", &[TEXT, BOOL], TEXT, |c, a, _| {
        let wanted = a[0].as_text();
        let found = c.session.settings.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        match (found, a.get(1).is_some_and(Datum::is_true)) {
            (Some((_, value)), _) => Ok(Datum::text(value)),
            (None, true) => Ok(Datum::Null),
            (None, false) => {
                let message = format!("unrecognized configuration parameter \"{wanted}\"");
                Err(CatalogError::new("42704", message))
            }
        }
    })
    .optional(1),
    Builtin::new("pg_is_in_recovery", &[], BOOL, no),
    Builtin::new("pg_is_wal_replay_paused", &[], BOOL, no),
    Builtin::new("pg_is_other_temp_schema", &[OID], BOOL, no),
    Builtin::new("pg_my_temp_schema", &[], OID, zero),
    Builtin::new("pg_listening_channels", &[], TEXT, null),
    Builtin::new("row_security_active", &[0], BOOL, no),
    Builtin::new("txid_current", &[], INT8, |_, _, _| Ok(Datum::Int(1))),
    // Visibility: what is in the search path.
    Builtin::new("pg_table_is_visible", &[OID], BOOL, |c, a, _| {
        let entry = c.catalog.relation(a[0].as_oid());
        Ok(entry.map_or(Datum::Null, |entry| Datum::Bool(c.catalog.is_on_path(&entry.schema))))
    }),
    Builtin::new("pg_type_is_visible", &[OID], BOOL, |c, a, _| {
        let oid = a[0].as_oid();
        Ok(match (types::facts(oid), c.catalog.row_type(oid)) {
            (Some(facts), _) => Datum::Bool(facts.namespace == PG_CATALOG),
            (None, Some((schema, _))) => Datum::Bool(c.catalog.is_on_path(schema)),
            (None, None) => Datum::Null,
        })
    }),
    Builtin::new("pg_function_is_visible", &[OID], BOOL, |c, a, _| {
        Ok(function(c, a[0].as_oid())?.map_or(Datum::Null, |row| Datum::Bool(row[2].as_oid() == PG_CATALOG)))
    }),
    Builtin::new("pg_operator_is_visible", &[OID], BOOL, yes),
    Builtin::new("pg_collation_is_visible", &[OID], BOOL, yes),
    Builtin::new("pg_opclass_is_visible", &[OID], BOOL, yes),
    Builtin::new("pg_opfamily_is_visible", &[OID], BOOL, yes),
    Builtin::new("pg_conversion_is_visible", &[OID], BOOL, yes),
    Builtin::new("pg_statistics_obj_is_visible", &[OID], BOOL, yes),
    Builtin::new("pg_ts_config_is_visible", &[OID], BOOL, yes),
    Builtin::new("pg_ts_dict_is_visible", &[OID], BOOL, yes),
    Builtin::new("pg_ts_parser_is_visible", &[OID], BOOL, yes),
    Builtin::new("pg_ts_template_is_visible", &[OID], BOOL, yes),
    Builtin::new("pg_client_encoding", &[], NAME, |_, _, _| Ok(Datum::text("UTF8"))),
    Builtin::new("getdatabaseencoding", &[], NAME, |_, _, _| Ok(Datum::text("UTF8"))),
    // Types.
    Builtin::new("format_type", &[OID, INT4], TEXT, |c, a, _| {
        if a[0].is_null() {
            return Ok(Datum::Null);
        }
        let modifier = if a[1].is_null() { None } else { Some(a[1].as_int()) };
        match a[0].as_oid() {
            0 => Ok(Datum::text("-")),
            oid => Ok(Datum::text(c.catalog.type_sql_name(oid, modifier).unwrap_or_else(|| "???".to_owned()))),
        }
    })
    .lax(),
    Builtin::new("_pg_truetypid", &[0, 0], OID, |_, _, _| Err(CatalogError::unsupported("_pg_truetypid"))),
    Builtin::new("pg_encoding_to_char", &[INT4], NAME, |_, a, _| {
        Ok(Datum::text(match a[0].as_int() {
            0 => "SQL_ASCII",
            6 => "UTF8",
            8 => "LATIN1",
            _ => "",
        }))
    }),
    Builtin::new("pg_char_to_encoding", &[NAME], INT4, |_, a, _| {
        Ok(Datum::Int(match a[0].as_text().to_uppercase().replace('-', "").as_str() {
            "SQL_ASCII" => 0,
            "UTF8" | "UNICODE" => 6,
            "LATIN1" => 8,
            _ => -1,
        }))
    }),
    // Definitions.
    Builtin::new("pg_get_userbyid", &[OID], NAME, |c, a, _| Ok(Datum::text(role_name(c, a[0].as_oid())))),
    Builtin::new("pg_get_viewdef", &[OID, BOOL], TEXT, |c, a, _| view_definition(c, a[0].as_oid())).optional(1),
    Builtin::new("pg_get_viewdef", &[OID, INT4], TEXT, |c, a, _| view_definition(c, a[0].as_oid())),
    Builtin::new("pg_get_viewdef", &[TEXT, BOOL], TEXT, |c, a, _| {
        view_definition(c, super::reg_oid(c.catalog, a[0].as_text(), REGCLASS)?)
    })
    .optional(1),
    Builtin::new("pg_get_expr", &[NODE_TREE, OID, BOOL], TEXT, |_, _, _| {
        Err(CatalogError::unsupported("the text of an expression of a rule"))
    })
    .optional(1),
    Builtin::new("pg_get_indexdef", &[OID, INT4, BOOL], TEXT, null).optional(2),
    Builtin::new("pg_get_constraintdef", &[OID, BOOL], TEXT, null).optional(1),
    Builtin::new("pg_get_ruledef", &[OID, BOOL], TEXT, rule_definition).optional(1),
    Builtin::new("pg_get_triggerdef", &[OID, BOOL], TEXT, null).optional(1),
    Builtin::new("pg_get_partkeydef", &[OID], TEXT, null),
    Builtin::new("pg_get_partition_constraintdef", &[OID], TEXT, null),
    Builtin::new("pg_get_statisticsobjdef", &[OID], TEXT, null),
    Builtin::new("pg_get_statisticsobjdef_columns", &[OID], TEXT, null),
    Builtin::new("pg_get_serial_sequence", &[TEXT, TEXT], TEXT, null),
    Builtin::new("pg_get_replica_identity_index", &[REGCLASS], REGCLASS, null),
    Builtin::new("pg_relation_is_publishable", &[REGCLASS], BOOL, |c, a, _| {
        let entry = c.catalog.relation(a[0].as_oid());
        let is_published = |kind, is_system: bool| kind == RelationKind::Table && !is_system;
        Ok(entry.map_or(Datum::Null, |entry| Datum::Bool(is_published(entry.kind, entry.is_system))))
    }),
    Builtin::new("pg_relation_is_updatable", &[REGCLASS, BOOL], INT4, zero),
    Builtin::new("pg_column_is_updatable", &[REGCLASS, INT2, BOOL], BOOL, no),
    Builtin::new("pg_get_function_arguments", &[OID], TEXT, |c, a, _| arguments_of(c, a[0].as_oid(), true)),
    Builtin::new("pg_get_function_identity_arguments", &[OID], TEXT, |c, a, _| arguments_of(c, a[0].as_oid(), false)),
    Builtin::new("pg_get_function_result", &[OID], TEXT, |c, a, _| result_of(c, a[0].as_oid())),
    Builtin::new("pg_get_functiondef", &[OID], TEXT, |_, _, _| {
        Err(CatalogError::unsupported("the definition of a function"))
    }),
    Builtin::new("pg_get_function_sqlbody", &[OID], TEXT, null),
    Builtin::new("pg_get_ruledef", &[OID, BOOL], TEXT, |_, _, _| {
        Err(CatalogError::unsupported("the definition of a rule"))
    })
    .optional(1),
    // Comments: there are none.
    Builtin::new("obj_description", &[OID, NAME], TEXT, null).optional(1),
    Builtin::new("col_description", &[OID, INT4], TEXT, null),
    Builtin::new("shobj_description", &[OID, NAME], TEXT, null),
    // Sizes: those of the archive's files are not told.
    Builtin::new("pg_relation_size", &[REGCLASS, TEXT], INT8, zero).optional(1),
    Builtin::new("pg_table_size", &[REGCLASS], INT8, zero),
    Builtin::new("pg_indexes_size", &[REGCLASS], INT8, zero),
    Builtin::new("pg_total_relation_size", &[REGCLASS], INT8, zero),
    Builtin::new("pg_database_size", &[0], INT8, zero),
    Builtin::new("pg_tablespace_size", &[0], INT8, zero),
    Builtin::new("pg_size_pretty", &[INT8], TEXT, |_, a, _| Ok(Datum::text(size_pretty(a[0].as_int())))),
    Builtin::new("pg_tablespace_location", &[OID], TEXT, |_, _, _| Ok(Datum::text(""))),
    Builtin::new("pg_relation_filenode", &[REGCLASS], OID, null),
    Builtin::new("pg_relation_filepath", &[REGCLASS], TEXT, null),
    Builtin::new("pg_stat_get_numscans", &[OID], INT8, zero),
    Builtin::new("pg_stat_get_live_tuples", &[OID], INT8, zero),
    Builtin::new("pg_stat_get_dead_tuples", &[OID], INT8, zero),
    Builtin::new("age", &[XID], INT4, zero),
    Builtin::new("mxid_age", &[XID], INT4, zero),
    // Privileges: everybody may read what the catalog names, and nothing else.
    Builtin::new("has_table_privilege", &[0, 0, TEXT], BOOL, |c, a, t| of_relation(c, a, t, 1)).optional(1),
    Builtin::new("has_any_column_privilege", &[0, 0, TEXT], BOOL, |c, a, t| of_relation(c, a, t, 1)).optional(1),
    Builtin::new("has_column_privilege", &[0, 0, 0, TEXT], BOOL, |c, a, t| of_relation(c, a, t, 2)).optional(1),
    Builtin::new("has_sequence_privilege", &[0, 0, TEXT], BOOL, |c, a, t| of_relation(c, a, t, 1)).optional(1),
    Builtin::new("has_schema_privilege", &[0, 0, TEXT], BOOL, of_schema).optional(1),
    Builtin::new("has_database_privilege", &[0, 0, TEXT], BOOL, |_, a, _| granted(a)).optional(1),
    Builtin::new("has_function_privilege", &[0, 0, TEXT], BOOL, |_, a, _| granted(a)).optional(1),
    Builtin::new("has_language_privilege", &[0, 0, TEXT], BOOL, |_, a, _| granted(a)).optional(1),
    Builtin::new("has_tablespace_privilege", &[0, 0, TEXT], BOOL, |_, a, _| granted(a)).optional(1),
    Builtin::new("has_type_privilege", &[0, 0, TEXT], BOOL, |_, a, _| granted(a)).optional(1),
    Builtin::new("has_foreign_data_wrapper_privilege", &[0, 0, TEXT], BOOL, |_, a, _| granted(a)).optional(1),
    Builtin::new("has_server_privilege", &[0, 0, TEXT], BOOL, |_, a, _| granted(a)).optional(1),
    Builtin::new("pg_has_role", &[0, 0, TEXT], BOOL, |c, a, _| {
        let (user, role) = match a {
            [role, _] => (Datum::text(&c.session.user), role),
            [user, role, _] => (user.clone(), role),
            _ => return Ok(Datum::Null),
        };
        let name = |value: &Datum| match value {
            Datum::Int(_) => role_name(c, value.as_oid()),
            other => other.as_text().to_owned(),
        };
        Ok(Datum::Bool(name(&user) == name(role)))
    })
    .optional(1),
    Builtin::new("pg_get_acl", &[OID, OID, INT4], 1034, null),
    Builtin::new("acldefault", &[CHAR, OID], 1034, null),
    Builtin::new("pg_advisory_unlock_all", &[], TEXT, null),
];

fn yes(_: &Context<'_>, _: &[Datum], _: &[u32]) -> Result<Datum> {
    Ok(Datum::Bool(true))
}

fn function(context: &Context<'_>, oid: u32) -> Result<Option<Row>> {
    let functions = context.catalog.functions()?;
    let place = functions.index(&[0]).get(&Datum::Int(i64::from(oid)).key()).and_then(|places| places.first().copied());
    Ok(place.and_then(|place| functions.all.get(place as usize).cloned()))
}

/// The rule of a view.
fn rule_definition(context: &Context<'_>, arguments: &[Datum], _: &[u32]) -> Result<Datum> {
    let catalog = context.catalog;
    let oid = i64::from(arguments[0].as_oid());
    let is_of = |entry: &&Entry| entry.kind == RelationKind::View && rule_oid(entry) == oid;
    let Some(view) = catalog.entries.iter().find(is_of) else { return Ok(Datum::Null) };
    let Some(definition) = &view.definition else {
        return Err(CatalogError::unsupported(format!("the definition of the view {}", view.name)));
    };
    let is_pretty = arguments.get(1).is_some_and(Datum::is_true);
    let name = quoted(&view.name);
    let name = match is_pretty && catalog.is_on_path(&view.schema) {
        true => name,
        false => format!("{}.{name}", quoted(&view.schema)),
    };
    let definition = definition.trim_end().trim_end_matches(';');
    Ok(Datum::Text(format!("CREATE RULE \"_RETURN\" AS\n    ON SELECT TO {name} DO INSTEAD {definition};").into()))
}

fn view_definition(context: &Context<'_>, oid: u32) -> Result<Datum> {
    match context.catalog.relation(oid) {
        Some(entry) if entry.kind == RelationKind::View => match &entry.definition {
            Some(text) => Ok(Datum::Text(text.clone())),
            None => Err(CatalogError::unsupported(format!("the definition of the view {}", entry.name))),
        },
        // Of a table it is an empty text, of nothing it is NULL.
        Some(_) => Ok(Datum::text("Not a view")),
        None => Ok(Datum::Null),
    }
}

/// The arguments of a function as SQL writes them.
fn arguments_of(context: &Context<'_>, oid: u32, has_outputs: bool) -> Result<Datum> {
    let Some(row) = function(context, oid)? else { return Ok(Datum::Null) };
    let all = if row[PROALLARGTYPES].is_null() { &row[PROARGTYPES] } else { &row[PROALLARGTYPES] };
    let mut texts = Vec::new();
    for (place, ty) in all.items().iter().enumerate() {
        let mode = row[PROARGMODES].items().get(place).map_or("i", Datum::as_text);
        let prefix = match mode {
            "o" if has_outputs => "OUT ",
            "b" => "INOUT ",
            "v" => "VARIADIC ",
            "t" | "o" => continue,
            _ => "",
        };
        let name = row[PROARGNAMES].items().get(place).map_or("", Datum::as_text);
        let name = if name.is_empty() { String::new() } else { format!("{} ", quoted(name)) };
        let ty = context.catalog.type_sql_name(ty.as_oid(), None).unwrap_or_default();
        texts.push(format!("{prefix}{name}{ty}"));
    }
    let is_marked = !row[PROARGMODES].is_null();
    if row[PROVARIADIC].as_oid() != 0
        && !is_marked
        && let Some(last) = texts.last_mut()
    {
        *last = format!("VARIADIC {last}");
    }
    Ok(Datum::text(texts.join(", ")))
}

fn result_of(context: &Context<'_>, oid: u32) -> Result<Datum> {
    let Some(row) = function(context, oid)? else { return Ok(Datum::Null) };
    let modes = row[PROARGMODES].items();
    let name_of = |ty: &Datum| context.catalog.type_sql_name(ty.as_oid(), None).unwrap_or_default();
    if modes.iter().any(|mode| mode.as_text() == "t") {
        let columns = modes.iter().enumerate().filter(|(_, mode)| mode.as_text() == "t").map(|(place, _)| {
            let name = row[PROARGNAMES].items().get(place).map_or("", Datum::as_text);
            let ty = row[PROALLARGTYPES].items().get(place).map(name_of).unwrap_or_default();
            format!("{} {ty}", quoted(name))
        });
        return Ok(Datum::text(format!("TABLE({})", columns.collect::<Vec<_>>().join(", "))));
    }
    let set = if row[PRORETSET].is_true() { "SETOF " } else { "" };
    Ok(Datum::text(format!("{set}{}", name_of(&row[PRORETTYPE]))))
}

/// Whether any of the privileges is one to read.
fn reads(privileges: &Datum) -> bool {
    let is_one = |one: &str| matches!(one.trim().to_uppercase().as_str(), "SELECT" | "USAGE" | "CONNECT" | "EXECUTE");
    privileges.as_text().split(',').any(is_one)
}

fn granted(arguments: &[Datum]) -> Result<Datum> {
    Ok(arguments.last().map_or(Datum::Null, |privileges| Datum::Bool(reads(privileges))))
}

/// A privilege on a relation, which is the argument before the last `after` ones.
fn of_relation(context: &Context<'_>, arguments: &[Datum], types: &[u32], after: usize) -> Result<Datum> {
    let Some(place) = arguments.len().checked_sub(after + 1) else { return Ok(Datum::Null) };
    let oid = match (&arguments[place], types::family(types[place])) {
        (Datum::Text(name), _) => super::reg_oid(context.catalog, name, REGCLASS)?,
        (value, _) => value.as_oid(),
    };
    if context.catalog.relation(oid).is_none() {
        return Ok(Datum::Null);
    }
    granted(arguments)
}

fn of_schema(context: &Context<'_>, arguments: &[Datum], _: &[u32]) -> Result<Datum> {
    let Some(place) = arguments.len().checked_sub(2) else { return Ok(Datum::Null) };
    let is_known = match &arguments[place] {
        Datum::Text(name) => {
            if context.catalog.schema_oid(name).is_none() {
                return Err(CatalogError::new("3F000", format!("schema \"{name}\" does not exist")));
            }
            true
        }
        value => context.catalog.schema_name(value.as_oid()).is_some(),
    };
    if is_known { granted(arguments) } else { Ok(Datum::Null) }
}

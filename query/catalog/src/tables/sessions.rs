//! The tables whose rows depend on the session that asks.

use super::catalog::Catalog;
use super::entry::{DATABASE, Entry, Maker, OWNER, Row, int, shared};
use super::oids::role_oid;
use crate::facts::Session;
use crate::types::Oid;
use crate::value::Datum;
use std::sync::Arc;

pub(super) fn rows(catalog: &Catalog, entry: &Entry, session: &Session) -> Option<Vec<Row>> {
    Some(match (&*entry.schema, &*entry.name) {
        ("pg_catalog", "pg_settings") => settings(entry, session),
        ("pg_catalog", "pg_roles") => roles(catalog, entry, session),
        ("pg_catalog", "pg_user") => users(catalog, entry, session),
        ("pg_catalog", "pg_group") => Vec::new(),
        ("pg_catalog", "pg_stat_activity") => activity(catalog, entry, session),
        ("pg_catalog", "pg_stat_database") => database_statistics(catalog, entry),
        ("information_schema", "enabled_roles") => {
            let mut maker = Maker::new(entry, &["role_name"]);
            maker.push([Datum::text(&session.user)]);
            maker.finish()
        }
        ("information_schema", "applicable_roles") => Vec::new(),
        _ => return None,
    })
}

/// The roles that the server names, and the user of the session.
pub(crate) fn all_roles(catalog: &Catalog, session: &Session) -> Vec<(Oid, Arc<str>)> {
    let mut roles = catalog.roles.clone();
    if !session.user.is_empty() && !roles.iter().any(|(_, name)| **name == *session.user) {
        roles.push((role_oid(&session.user), Arc::from(session.user.as_str())));
    }
    roles
}

fn settings(entry: &Entry, session: &Session) -> Vec<Row> {
    let names = ["name", "setting", "category", "short_desc", "context", "vartype", "source", "boot_val", "reset_val"];
    let mut maker = Maker::new(entry, &[&names[..], &["pending_restart"]].concat());
    for (name, value) in &session.settings {
        let is_number = value.parse::<f64>().is_ok();
        let vartype = match value.as_str() {
            "on" | "off" => "bool",
            _ if is_number => "integer",
            _ => "string",
        };
        let texts = [name, value, "Holdfast", "", "user", vartype, "default", value, value].map(Datum::text);
        maker.push(texts.into_iter().chain([Datum::Bool(false)]));
    }
    maker.finish()
}

fn roles(catalog: &Catalog, entry: &Entry, session: &Session) -> Vec<Row> {
    let names = ["rolname", "rolsuper", "rolinherit", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication"];
    let mut maker = Maker::new(entry, &[&names[..], &["rolconnlimit", "rolpassword", "rolbypassrls", "oid"]].concat());
    for (oid, name) in all_roles(catalog, session) {
        let can_login = oid != OWNER;
        let flags = [false, true, false, false, can_login, false].map(Datum::Bool);
        let rest = [int(-1), Datum::text("********"), Datum::Bool(false), int(oid)];
        maker.push([shared(&name)].into_iter().chain(flags).chain(rest));
    }
    maker.finish()
}

fn users(catalog: &Catalog, entry: &Entry, session: &Session) -> Vec<Row> {
    let names = ["usename", "usesysid", "usecreatedb", "usesuper", "userepl", "usebypassrls", "passwd"];
    let mut maker = Maker::new(entry, &names);
    for (oid, name) in all_roles(catalog, session).into_iter().filter(|(oid, _)| *oid != OWNER) {
        let start = [shared(&name), int(oid)];
        maker.push(start.into_iter().chain([false; 4].map(Datum::Bool)).chain([Datum::text("********")]));
    }
    maker.finish()
}

/// The session itself: those of others are not told.
fn activity(catalog: &Catalog, entry: &Entry, session: &Session) -> Vec<Row> {
    let names = [
        "datid",
        "datname",
        "pid",
        "usesysid",
        "usename",
        "application_name",
        "client_port",
        "xact_start",
        "query_start",
        "state_change",
        "state",
        "backend_type",
    ];
    let mut maker = Maker::new(entry, &names);
    let user = all_roles(catalog, session).into_iter().find(|(_, name)| **name == *session.user);
    let application = session.settings.iter().find(|(name, _)| name == "application_name");
    maker.push([
        int(DATABASE),
        Datum::text(&catalog.facts.database),
        int(session.backend),
        user.map_or(Datum::Null, |(oid, _)| int(oid)),
        Datum::text(&session.user),
        Datum::text(application.map_or("", |(_, value)| value)),
        int(-1),
        int(session.now),
        int(session.now),
        int(session.now),
        Datum::text("active"),
        Datum::text("client backend"),
    ]);
    maker.finish()
}

fn database_statistics(catalog: &Catalog, entry: &Entry) -> Vec<Row> {
    let mut maker = Maker::new(entry, &["datid", "datname", "numbackends"]);
    maker.push([int(DATABASE), Datum::text(&catalog.facts.database), int(1)]);
    maker.finish()
}

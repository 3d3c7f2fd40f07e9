//! Values that would break out of a literal, where the database takes a backslash for an escape character and where it does not.

use crate::fixture::{query, schema_sql, sent, server, session, settings, tables};
use datafusion::prelude::SessionContext;
use holdfast_crm::{OdbcDialect, Secret, Source};
use holdfast_testkit::mariadb::{self, MariaDb};
use holdfast_testkit::postgres::{self, Postgres};
use holdfast_testkit::{require, tools};

/// Owners of tickets, one each.
const OWNERS: [&str; 12] = [
    r"\' OR 1=1 -- ",
    r"\",
    r"\\'",
    r"' OR ''='",
    r"'; DROP TABLE ticket; --",
    "\"",
    "`",
    "?",
    "{fn user()}",
    "N'x'",
    "%",
    "🦀 Zoë 李雷",
];

fn escaped(value: &str) -> String {
    value.replace('\'', "''")
}

/// The statement that adds the tickets `H-0` ... of [`OWNERS`].
fn insert(escape: impl Fn(&str) -> String) -> String {
    let rows = OWNERS.iter().enumerate().map(|(index, owner)| format!("('H-{index}', '{}')", escape(owner)));
    format!("INSERT INTO ticket (number, owner_name) VALUES {}", rows.collect::<Vec<_>>().join(", "))
}

async fn finds_each_owner_and_no_other(context: &SessionContext) {
    for (index, owner) in OWNERS.iter().enumerate() {
        let expected = [format!("H-{index}")];
        let sql = format!("SELECT ticket FROM crm.tickets WHERE owner = '{}'", escaped(owner));
        assert_eq!(query(context, &sql).await.unwrap(), expected, "{sql}\nsent: {:?}", sent(context, &sql).await);
        let sql = format!("SELECT ticket FROM crm.tickets WHERE owner IN ('{}', 'nobody', '')", escaped(owner));
        assert_eq!(query(context, &sql).await.unwrap(), expected, "{sql}");
        let sql = format!("SELECT count(*) FROM crm.tickets WHERE owner <> '{}'", escaped(owner));
        assert_eq!(query(context, &sql).await.unwrap(), ["15"], "{sql}");
    }
    // Nobody's: also values that a driver could cut, and one that is too long to be sent.
    let long = "\\' OR 1=1 -- ".repeat(80_000);
    for owner in [r"\' OR 1=1 -- x", r"' UNION SELECT 1 -- ", "\\\0", "%\0", &long] {
        let sql = format!("SELECT ticket FROM crm.tickets WHERE owner = '{}'", escaped(owner));
        assert_eq!(query(context, &sql).await.unwrap(), [""; 0], "{sql:.60}");
    }
    let sql = "SELECT company FROM crm.contacts WHERE id = 2 AND company <> '\\'";
    assert_eq!(query(context, sql).await.unwrap(), ["Über GmbH"]);
    let sql = "SELECT ticket FROM crm.work WHERE hours > 10.74 AND hours < 10.76";
    assert_eq!(query(context, sql).await.unwrap(), ["T-3"]);
}

/// Over ODBC the sent text has a marker for each value, and no text in quotes.
async fn is_bound(context: &SessionContext) {
    let one = sent(context, r"SELECT ticket FROM crm.tickets WHERE owner = '\'' OR 1=1 -- ' LIMIT 3").await;
    let [sql] = one.as_slice() else { panic!("{one:?}") };
    assert!(sql.contains("\"owner_name\" = ?") && !sql.contains('\''), "{sql}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_breaks_out_over_odbc_where_a_backslash_escapes() {
    let driver = require!(tools::odbc_driver("libmaodbc.so"));
    let crm = require!(MariaDb::start().await);
    crm.execute(&schema_sql("varchar(40)", "datetime(6)").replace("back\\slash", "back\\\\slash")).unwrap();
    crm.execute(&insert(|owner| owner.replace('\\', "\\\\").replace('\'', "''"))).unwrap();
    // Names in double quotes, as standard SQL has them; a backslash still escapes.
    crm.execute("SET GLOBAL sql_mode='ANSI_QUOTES'").unwrap();
    let connection_string = format!(
        "Driver={};SERVER=127.0.0.1;PORT={};DATABASE={};UID={};PWD={};",
        driver.display(),
        crm.port(),
        mariadb::DATABASE,
        mariadb::USER,
        mariadb::PASSWORD
    );
    let source = Source::Odbc { connection_string: Secret::new(connection_string), dialect: OdbcDialect::Generic };
    let context = session(settings(source, tables("")));
    finds_each_owner_and_no_other(&context).await;
    is_bound(&context).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_breaks_out_in_postgres() {
    let driver = require!(tools::odbc_driver("psqlodbcw.so"));
    let crm = require!(Postgres::start().await);
    crm.execute(&schema_sql("text", "timestamp")).unwrap();
    crm.execute(&insert(escaped)).unwrap();
    let (port, database, user, password) = (crm.port(), postgres::DATABASE, postgres::USER, postgres::PASSWORD);
    let native = session(settings(Source::Postgres(server(port, database, user, password)), tables("public.")));
    finds_each_owner_and_no_other(&native).await;
    let connection_string = format!(
        "Driver={};Server=127.0.0.1;Port={port};Database={database};UID={user};PWD={password}",
        driver.display()
    );
    for dialect in [OdbcDialect::Postgres, OdbcDialect::Generic] {
        let source = Source::Odbc { connection_string: Secret::new(connection_string.clone()), dialect };
        let context = session(settings(source, tables("public.")));
        finds_each_owner_and_no_other(&context).await;
        is_bound(&context).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_breaks_out_in_mariadb() {
    let crm = require!(MariaDb::start().await);
    crm.execute(&schema_sql("varchar(40)", "datetime(6)").replace("back\\slash", "back\\\\slash")).unwrap();
    crm.execute(&insert(|owner| owner.replace('\\', "\\\\").replace('\'', "''"))).unwrap();
    let source = Source::MySql(server(crm.port(), mariadb::DATABASE, mariadb::USER, mariadb::PASSWORD));
    finds_each_owner_and_no_other(&session(settings(source, tables("")))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_breaks_out_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    let database = libsql::Builder::new_local(&path).build().await.unwrap();
    let connection = database.connect().unwrap();
    connection.execute_batch(&schema_sql("text", "datetime")).await.unwrap();
    connection.execute_batch(&insert(escaped)).await.unwrap();
    finds_each_owner_and_no_other(&session(settings(Source::Sqlite { path }, tables("")))).await;
}

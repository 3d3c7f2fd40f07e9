//! Statements that take too long in the CRM, that are cancelled, or that would change something in it.

use crate::fixture::{LIMIT, query, schema_sql, server, session, session_with, settings};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use holdfast_crm::{Crm, CrmError, CrmSettings, OdbcDialect, Secret, Source, TableMapping, for_user};
use holdfast_testkit::mariadb::{self, MariaDb};
use holdfast_testkit::postgres::{self, Postgres};
use holdfast_testkit::{require, tools};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn views(names: &[&str]) -> Vec<TableMapping> {
    let view =
        |name: &&str| TableMapping { name: (*name).to_owned(), from: (*name).to_owned(), columns: Default::default() };
    names.iter().map(view).collect()
}

/// A statement on `table` times out, with an error that names the CRM's `kind` and address.
async fn times_out(context: &SessionContext, table: &str, kind: &str) {
    let start = Instant::now();
    let error = query(context, &format!("SELECT * FROM crm.{table}")).await.unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::TimedOut { .. })), "{table}: {error}");
    assert!(error.to_string().contains(kind), "{table}: {error}");
    assert!(start.elapsed() < LIMIT * 3, "{table}: {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_in_postgres_times_out_and_a_dropped_one_is_cancelled() {
    let crm = require!(Postgres::start().await);
    crm.execute(
        "CREATE VIEW slow AS SELECT pg_sleep(60)::text AS nap; \
         CREATE VIEW stuck AS SELECT i, CASE WHEN i > 20000 THEN pg_sleep(60)::text END AS nap \
         FROM generate_series(1, 30000) AS i; \
         CREATE SEQUENCE counter; CREATE VIEW writing AS SELECT nextval('counter') AS n",
    )
    .unwrap();
    let source = Source::Postgres(server(crm.port(), postgres::DATABASE, postgres::USER, postgres::PASSWORD));
    let context = session(settings(source, views(&["slow", "stuck", "writing"])));
    times_out(&context, "slow", "PostgreSQL at 127.0.0.1").await;
    // The first rows arrive, the others do not.
    times_out(&context, "stuck", "PostgreSQL at 127.0.0.1").await;
    let error = query(&context, "SELECT * FROM crm.writing").await.unwrap_err();
    assert!(error.to_string().contains("read-only transaction"), "{error}");

    let given_up = tokio::time::timeout(Duration::from_secs(1), query(&context, "SELECT * FROM crm.slow")).await;
    assert!(given_up.is_err(), "{given_up:?}");
    let start = Instant::now();
    let idle = "DO $$ BEGIN IF EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'holdfast' \
                AND state = 'active') THEN RAISE 'it is busy'; END IF; END $$";
    while let Err(error) = crm.execute(idle) {
        // Sooner than its own timeout.
        assert!(start.elapsed() < Duration::from_secs(3), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_in_mariadb_times_out() {
    let crm = require!(MariaDb::start().await);
    crm.execute("CREATE SEQUENCE counter; CREATE VIEW slow AS SELECT sleep(60) AS nap").unwrap();
    crm.execute("CREATE VIEW writing AS SELECT NEXTVAL(counter) AS n").unwrap();
    let source = Source::MySql(server(crm.port(), mariadb::DATABASE, mariadb::USER, mariadb::PASSWORD));
    let context = session(settings(source, views(&["slow", "writing"])));
    times_out(&context, "slow", "MySQL at 127.0.0.1").await;
    let error = query(&context, "SELECT * FROM crm.writing").await.unwrap_err();
    assert!(error.to_string().contains("READ ONLY transaction"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_in_sqlite_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    let database = libsql::Builder::new_local(&path).build().await.unwrap();
    let view = "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                SELECT count(*) AS c FROM n";
    database.connect().unwrap().execute_batch(view).await.unwrap();
    let context = session(settings(Source::Sqlite { path }, views(&["endless"])));
    times_out(&context, "endless", "SQLite file").await;
}

/// The rows of a table for `user`.
async fn rows_for(context: &SessionContext, user: &str, table: &str) -> SendableRecordBatchStream {
    let plan = context.sql(&format!("SELECT * FROM crm.{table}")).await.unwrap().create_physical_plan().await.unwrap();
    let task = TaskContext::from(&context.state());
    let config = for_user(task.session_config().clone(), user);
    execute_stream(plan, Arc::new(task.with_session_config(config))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_rows_leaves_permits_to_other_users() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    let database = libsql::Builder::new_local(&path).build().await.unwrap();
    let view = "CREATE VIEW many AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) \
                SELECT i FROM n";
    database.connect().unwrap().execute_batch(view).await.unwrap();
    let settings = CrmSettings { connections: 2, ..settings(Source::Sqlite { path }, views(&["many"])) };
    let context = session_with(&Crm::connect(settings).unwrap());
    let mut unread = rows_for(&context, "ann", "many").await;
    assert!(unread.next().await.unwrap().is_ok());
    let refused = rows_for(&context, "ann", "many").await.next().await.unwrap().unwrap_err();
    assert!(matches!(CrmError::of(&refused), Some(CrmError::TimedOut { .. })), "{refused}");
    assert!(rows_for(&context, "bob", "many").await.next().await.unwrap().is_ok());
    drop(unread);
    assert!(rows_for(&context, "ann", "many").await.next().await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_over_odbc_times_out_and_errors_hide_the_password() {
    let driver = require!(tools::odbc_driver("psqlodbcw.so"));
    let mut crm = require!(Postgres::start().await);
    crm.execute(&schema_sql("text", "timestamp")).unwrap();
    crm.execute("CREATE VIEW slow AS SELECT pg_sleep(60)::text AS nap").unwrap();
    let source = |password: &str| {
        let (port, database, user) = (crm.port(), postgres::DATABASE, postgres::USER);
        let text = format!(
            "Driver={};Server=127.0.0.1;Port={port};Database={database};UID={user};PWD={password}",
            driver.display()
        );
        Source::Odbc { connection_string: Secret::new(text), dialect: OdbcDialect::Generic }
    };
    let context = session(settings(source(postgres::PASSWORD), views(&["slow", "contact"])));
    let wrong = session(settings(source("hunter2"), views(&["contact"])));
    times_out(&context, "slow", "ODBC, 127.0.0.1").await;
    let error = query(&wrong, "SELECT * FROM crm.contact").await.unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::Refused { .. })), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    crm.kill();
    let error = query(&context, "SELECT * FROM crm.contact").await.unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::Unreachable { .. })), "{error}");
    assert!(!error.to_string().contains(postgres::PASSWORD), "{error}");
}

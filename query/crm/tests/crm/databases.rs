//! Each kind of CRM: its results, and the statements that are sent to it.

use crate::conformance::check_answers;
use crate::fixture::{query, schema_sql, sent, server, session, settings, tables};
use holdfast_crm::{OdbcDialect, Secret, Source};
use holdfast_testkit::mariadb::{self, MariaDb};
use holdfast_testkit::postgres::{self, Postgres};
use holdfast_testkit::{require, tools};

#[tokio::test(flavor = "multi_thread")]
async fn postgres_answers_and_computes() {
    let crm = require!(Postgres::start().await);
    crm.execute(&schema_sql("text", "timestamptz")).unwrap();
    let source = Source::Postgres(server(crm.port(), postgres::DATABASE, postgres::USER, postgres::PASSWORD));
    let context = session(settings(source, tables("public.")));
    check_answers(&context, true).await;

    let one = sent(&context, "SELECT owner FROM crm.tickets WHERE ticket = 'T-1' LIMIT 3").await;
    let [sql] = one.as_slice() else { panic!("{one:?}") };
    assert!(sql.contains("\"number\" = 'T-1'") && sql.contains("LIMIT 3") && !sql.contains("\"opened\""), "{sql}");

    let joined = "SELECT c.company, count(*) FROM crm.tickets t JOIN crm.contacts c \
                  ON t.customer = CAST(c.id AS VARCHAR) WHERE t.status = 'open' GROUP BY c.company";
    let one = sent(&context, joined).await;
    let [sql] = one.as_slice() else { panic!("{one:?}") };
    assert!(sql.contains("JOIN") && sql.contains("GROUP BY") && sql.contains("= 'open'"), "{sql}");

    // The engine scans the archive's table; the join within the CRM is one statement.
    let beside = "SELECT s.session, x.company FROM sessions s LEFT JOIN (SELECT t.ticket, c.company \
                  FROM crm.tickets t JOIN crm.contacts c ON t.customer = CAST(c.id AS VARCHAR)) x ON s.ticket = x.ticket";
    let one = sent(&context, beside).await;
    let [sql] = one.as_slice() else { panic!("{one:?}") };
    assert!(sql.contains("JOIN") && !sql.contains("session"), "{sql}");

    // Twenty concurrent statements.
    let context = &context;
    let all = (0..20).map(|_| query(context, "SELECT count(*) FROM crm.tickets"));
    for answer in futures::future::join_all(all).await {
        assert_eq!(answer.unwrap(), ["5"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odbc_answers_and_computes() {
    let driver = require!(tools::odbc_driver("psqlodbcw.so"));
    let crm = require!(Postgres::start().await);
    crm.execute(&schema_sql("text", "timestamp")).unwrap();
    let connection_string = format!(
        "Driver={};Server=127.0.0.1;Port={};Database={};UID={};PWD={}",
        driver.display(),
        crm.port(),
        postgres::DATABASE,
        postgres::USER,
        postgres::PASSWORD
    );
    for dialect in [OdbcDialect::Postgres, OdbcDialect::Generic] {
        let source = Source::Odbc { connection_string: Secret::new(connection_string.clone()), dialect };
        let context = session(settings(source, tables("public.")));
        check_answers(&context, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_answers_and_computes() {
    let mut crm = require!(MariaDb::start().await);
    let schema_sql = schema_sql("varchar(40)", "datetime(6)").replace("back\\slash", "back\\\\slash");
    crm.execute(&schema_sql).unwrap();
    let source = Source::MySql(server(crm.port(), mariadb::DATABASE, mariadb::USER, mariadb::PASSWORD));
    let context = session(settings(source, tables("")));
    check_answers(&context, true).await;
    let one = sent(&context, "SELECT owner FROM crm.tickets WHERE ticket = 'T-1' LIMIT 3").await;
    let [sql] = one.as_slice() else { panic!("{one:?}") };
    assert!(sql.contains("`number` = 'T-1'") && sql.contains("LIMIT 3"), "{sql}");

    // The connections from before the restart are replaced.
    crm.restart().await.unwrap();
    assert_eq!(query(&context, "SELECT count(*) FROM crm.tickets").await.unwrap(), ["5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_answers_and_computes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    let database = libsql::Builder::new_local(&path).build().await.unwrap();
    let connection = database.connect().unwrap();
    connection.execute_batch(&schema_sql("text", "datetime")).await.unwrap();
    let context = session(settings(Source::Sqlite { path }, tables("")));
    check_answers(&context, true).await;
}

#[tokio::test]
async fn csv_files_answer_and_each_statement_reads_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tickets.csv");
    let text = "number,opened,closed,kind,state,owner_name,contact_id\n\
                T-1,2024-01-02 10:00:00,2024-01-02 12:30:00.25,printer,closed,Zoë,1\n\
                T-2,2024-02-03 09:00:00,,printer,open,李雷,2\n\
                T-3,2024-03-04 08:00:00,2024-03-05 08:00:00,network,closed,O'Brien,1\n\
                T-4,2024-04-05 07:00:00,,,open,,\n\
                T-5,2024-05-06 06:00:00,,network,open,back\\slash,2\n";
    std::fs::write(&path, text).unwrap();
    let mut tables = tables("");
    tables.truncate(1);
    tables[0].from = path.display().to_string();
    let context = session(settings(Source::Csv { delimiter: b',' }, tables));
    check_answers(&context, false).await;
    std::fs::write(&path, format!("{text}T-6,2024-06-07 06:00:00,,,open,,\n")).unwrap();
    assert_eq!(query(&context, "SELECT count(*) FROM crm.tickets").await.unwrap(), ["6"]);
    std::fs::remove_file(&path).unwrap();
    let error = query(&context, "SELECT count(*) FROM crm.tickets").await.unwrap_err().to_string();
    assert!(error.contains("crm.tickets: open") && error.contains("tickets.csv"), "{error}");
}

#[tokio::test]
async fn parquet_files_answer() {
    let folder = tempfile::tempdir().unwrap();
    let maker = datafusion::prelude::SessionContext::new();
    for statement in schema_sql("text", "timestamp").split(';') {
        maker.sql(statement).await.unwrap().collect().await.unwrap();
    }
    let mut tables = tables("");
    for table in &mut tables {
        let path = folder.path().join(format!("{}.parquet", table.name)).display().to_string();
        let copy = format!("COPY {} TO '{path}' STORED AS PARQUET", table.from);
        maker.sql(&copy).await.unwrap().collect().await.unwrap();
        table.from = path;
    }
    let context = session(settings(Source::Parquet, tables));
    check_answers(&context, true).await;
}

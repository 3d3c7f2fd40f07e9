//! A CRM that is down, slow, refuses the login, or does not match its settings.

use crate::fixture::{LIMIT, query, schema_sql, server, session, session_with, settings, tables};
use holdfast_crm::{Clock, Crm, CrmError, Source};
use holdfast_testkit::postgres::{self, Postgres};
use holdfast_testkit::{ports, require};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A clock that the test moves.
#[derive(Debug)]
struct ManualClock(Mutex<Instant>);

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn if_a_crm_is_down_only_statements_on_its_tables_fail() {
    let source = Source::Postgres(server(ports::free(), "crm", "reader", "hunter2"));
    let context = session(settings(source, tables("public.")));
    let error = query(&context, "SELECT * FROM crm.tickets").await.unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::Unreachable { .. })), "{error}");
    assert!(error.to_string().contains("PostgreSQL at 127.0.0.1"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let error = query(&context, "SELECT * FROM crm.contacts").await.unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::CircuitOpen { .. })), "{error}");
    assert_eq!(query(&context, "SELECT count(*) FROM sessions").await.unwrap(), ["3"]);
    let names = "SELECT table_name FROM information_schema.columns WHERE table_schema = 'crm' GROUP BY table_name";
    assert_eq!(query(&context, names).await.unwrap(), ["tickets"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_times_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for source in [
        Source::Postgres(server(port, "crm", "reader", "hunter2")),
        Source::MySql(server(port, "crm", "reader", "hunter2")),
    ] {
        let context = session(settings(source, tables("public.")));
        let start = Instant::now();
        let waits = query(&context, "SELECT * FROM crm.tickets");
        // Statements on the archive run meanwhile.
        let (answer, ()) = tokio::join!(waits, async {
            assert_eq!(query(&context, "SELECT count(*) FROM sessions").await.unwrap(), ["3"]);
            assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
        });
        let error = answer.unwrap_err();
        assert!(matches!(CrmError::of(&error), Some(CrmError::TimedOut { .. })), "{error}");
        assert!(start.elapsed() < LIMIT * 2, "{:?}", start.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_are_named() {
    let mut crm = require!(Postgres::start().await);
    crm.execute(&schema_sql("text", "timestamptz")).unwrap();
    let source = |password| Source::Postgres(server(crm.port(), postgres::DATABASE, postgres::USER, password));

    let context = session(settings(source("hunter2"), tables("public.")));
    let error = query(&context, "SELECT * FROM crm.tickets").await.unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::Refused { .. })), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");

    let mut wrong = tables("public.");
    wrong[0].columns.insert("priority".to_owned(), "urgency\" FROM x; --".to_owned());
    wrong[2].from = "public.\"nowhere; DROP TABLE ticket\"".to_owned();
    let context = session(settings(source(postgres::PASSWORD), wrong));
    let error = query(&context, "SELECT * FROM crm.tickets").await.unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::NoColumn { .. })), "{error}");
    assert!(error.to_string().starts_with("External error: crm.tickets.priority"), "{error}");
    let error = query(&context, "SELECT * FROM crm.work").await.unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::NoTable { .. })), "{error}");

    // The connections from before the restart are replaced.
    let context = session(settings(source(postgres::PASSWORD), tables("public.")));
    assert_eq!(query(&context, "SELECT count(*) FROM crm.tickets").await.unwrap(), ["5"]);
    crm.restart().await.unwrap();
    assert_eq!(query(&context, "SELECT count(*) FROM crm.tickets").await.unwrap(), ["5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_circuit_breakers_pause_a_recovered_crm_is_queried_again() {
    let mut crm = require!(Postgres::start().await);
    crm.execute(&schema_sql("text", "timestamptz")).unwrap();
    let clock = Arc::new(ManualClock(Mutex::new(Instant::now())));
    let source = Source::Postgres(server(crm.port(), postgres::DATABASE, postgres::USER, postgres::PASSWORD));
    let shown = Crm::connect_with(settings(source, tables("public.")), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let context = session_with(&shown);
    let count = "SELECT count(*) FROM crm.tickets";
    assert_eq!(query(&context, count).await.unwrap(), ["5"]);
    crm.kill();
    // A connection may survive its server for a moment.
    let killed = Instant::now();
    let error = loop {
        match query(&context, count).await {
            Err(error) => break error,
            Ok(_) => assert!(killed.elapsed() < LIMIT, "the server does not end"),
        }
    };
    assert!(matches!(CrmError::of(&error), Some(CrmError::Unreachable { .. })), "{error}");
    crm.restart().await.unwrap();
    let error = query(&context, count).await.unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::CircuitOpen { .. })), "{error}");
    *clock.0.lock().unwrap() += Duration::from_secs(5);
    assert_eq!(query(&context, count).await.unwrap(), ["5"]);
    assert_eq!(query(&context, count).await.unwrap(), ["5"]);
}

//! Limits: connections, time, rows, memory, and the shutdown of the server.

use crate::fixture::{PASSWORD, SESSIONS, Server};
use crate::protocol::ENDLESS;
use futures::StreamExt as _;
use holdfast_postgres::PostgresSettings;
use holdfast_query::{Outcome, STATEMENT_BYTES};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn code(client: &tokio_postgres::Client, statement: &str) -> String {
    let error = client.simple_query(statement).await.expect_err(statement);
    error.code().unwrap_or_else(|| panic!("{statement}: {error}")).code().to_owned()
}

#[tokio::test]
async fn a_client_over_the_limit_is_refused_until_another_disconnects() {
    let server = Server::with(|settings| settings.max_connections = 3).await;
    let options = format!("user=manager password='{PASSWORD}'");
    let first = server.connect("manager").await;
    let _second = server.connect("manager").await;
    let error = server.connect_with(&options).await.err().unwrap();
    let refused = error.as_db_error().unwrap();
    assert_eq!(
        (refused.code().code(), refused.hint()),
        ("53300", Some("the server accepts 2 sessions of one user at a time"))
    );
    // Another user gets the last place.
    let _other = server.connect("compliance").await;
    // A cancel request is handled at the limit.
    let token = first.cancel_token();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    };
    assert_eq!(tokio::join!(code(&first, ENDLESS), cancel).0, "57014");
    drop(first);
    for attempt in 0.. {
        match server.connect_with(&options).await {
            Ok(_) => break,
            Err(error) if attempt > 100 => panic!("{error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn a_statement_ends_at_its_timeout() {
    let server = Server::with(|settings| settings.max_statement_timeout = Duration::from_secs(2)).await;
    let client = server.connect("manager").await;
    client.batch_execute("set statement_timeout = '100ms'").await.unwrap();
    assert_eq!(code(&client, ENDLESS).await, "57014");
    // The server's limit still applies.
    client.batch_execute("set statement_timeout = 0").await.unwrap();
    assert_eq!(code(&client, ENDLESS).await, "57014");
}

/// Waits until the end of as many accesses is on record. Returns the outcome of the last.
async fn outcome_of(server: &Server, accesses: usize) -> Outcome {
    for _ in 0..400 {
        {
            let ended = server.audit_trail.ended.lock().unwrap();
            if ended.len() == accesses {
                return ended[accesses - 1].outcome;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the end is not on record");
}

#[tokio::test]
async fn a_cursor_from_which_nobody_fetches_ends_at_the_timeout_of_its_statement() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    client.batch_execute("set statement_timeout = '2s'; begin").await.unwrap();
    // Some thirty batches, which a sort holds.
    let large = "select a.id from events a, events b order by a.id";
    client.batch_execute(&format!("declare c cursor for {large}; fetch 1 from c")).await.unwrap();
    assert!(server.audit_trail.ended.lock().unwrap().is_empty());
    // The client is silent.
    assert_eq!(outcome_of(&server, 1).await, Outcome::Failed);
    // The batch of the fixture's engine that was begun, and no other.
    assert_eq!(server.audit_trail.ended.lock().unwrap()[0].rows, 512);
    assert_eq!(code(&client, "fetch 1 from c").await, "57014");
    client.batch_execute("rollback; begin").await.unwrap();
    // What is computed may still be fetched.
    client.batch_execute("declare c cursor for select id from events; fetch 1 from c").await.unwrap();
    assert_eq!(outcome_of(&server, 2).await, Outcome::Complete);
    assert_eq!(client.query("fetch all from c", &[]).await.unwrap().len(), 3 * SESSIONS - 1);
}

#[tokio::test]
async fn a_result_has_limits_of_rows_and_memory() {
    let server = Server::with(|settings| settings.row_limit = Some(10)).await;
    let client = server.connect("manager").await;
    assert_eq!(code(&client, "select id from events").await, "54000");
    assert_eq!(client.query("select id from events limit 10", &[]).await.unwrap().len(), 10);
    let greedy = "select a.a from generate_series(1, 30000000) a order by a.a desc limit 20000000";
    assert_eq!(code(&client, greedy).await, "53200");
}

#[tokio::test]
async fn an_idle_client_is_disconnected() {
    let server = Server::with(|settings| settings.idle_timeout = Duration::from_millis(200)).await;
    let client = server.connect("manager").await;
    client.batch_execute("select 1").await.unwrap();
    for _ in 0..100 {
        if client.is_closed() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the session is still open");
}

#[tokio::test]
async fn a_stopping_server_drains_statements_and_refuses_new_clients() {
    let mut server = Server::with(|settings| settings.drain_timeout = Duration::from_millis(500)).await;
    let (idle, busy, endless) =
        (server.connect("manager").await, server.connect("manager").await, server.connect("manager").await);
    let running = tokio::spawn(async move {
        busy.query_one("select count(*) from generate_series(1, 300000) a", &[]).await.map(|row| row.get::<_, i64>(0))
    });
    let hopeless = tokio::spawn(async move { code(&endless, ENDLESS).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop();
    server.stopped().await;
    assert!(idle.simple_query("select 1").await.is_err());
    assert_eq!(hopeless.await.unwrap(), "57P01");
    // The statement either ended in time or started after the server had begun to stop.
    if let Ok(count) = running.await.unwrap() {
        assert_eq!(count, 300_000);
    }
    assert!(server.connect_with(&format!("user=manager password='{PASSWORD}'")).await.is_err());
}

#[tokio::test]
async fn clients_that_do_not_log_in_take_no_place_of_a_session() {
    let limits = |settings: &mut PostgresSettings| {
        (settings.max_connections, settings.max_logins, settings.max_logins_per_address) = (1, 8, 3);
    };
    let server = Server::with(limits).await;
    let mut silent = Vec::new();
    for _ in 0..2 {
        silent.push(tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
    }
    // The one place of a session is free, and a third place before the login as well.
    let client = server.connect("manager").await;
    client.batch_execute("select 1").await.unwrap();
    silent.push(tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
    let options = format!("user=manager password='{PASSWORD}'");
    let hint_of = async || {
        let error = server.connect_with(&options).await.expect_err("it is refused");
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "53300");
        error.hint().unwrap_or_default().to_owned()
    };
    let before_the_login = hint_of().await;
    assert!(before_the_login.contains("from one address"), "{before_the_login}");
    // The session is not affected, and its statement can be cancelled.
    let token = client.cancel_token();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    };
    assert_eq!(tokio::join!(code(&client, ENDLESS), cancel).0, "57014");
    silent.clear();
    // The places are free when the server has noticed; then the login succeeds, and there is no place of a session.
    for attempt in 0.. {
        let hint = hint_of().await;
        if hint.contains("1 sessions at a time") {
            break;
        }
        assert!(attempt < 100, "{hint}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_text_over_the_bound_is_refused_before_it_is_parsed() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let padded = |bytes: usize| format!("select 1{}", " ".repeat(bytes - 8));
    client.simple_query(&padded(STATEMENT_BYTES)).await.unwrap();
    let error = client.simple_query(&padded(STATEMENT_BYTES + 1)).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "54000");
    assert!(error.message().contains("262144 bytes"), "{error}");
    let deep = format!("select 1{}", "+1".repeat(400_000));
    assert_eq!(code(&client, &deep).await, "54000");
    let prepared = client.prepare(&deep).await.err().unwrap();
    assert_eq!(prepared.code().unwrap().code(), "54000");
    // The session goes on. A message over the bound of all messages ends it.
    client.simple_query("select 1").await.unwrap();
    // Its client is told so, whatever it still sends.
    let error = client.simple_query(&padded(32 << 20)).await.unwrap_err();
    assert_eq!(error.as_db_error().map(|error| error.code().code()), Some("54000"), "{error}");
    assert!(client.simple_query("select 1").await.is_err());
}

#[tokio::test]
async fn prepared_statements_are_bounded_in_bytes() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let mut prepared = Vec::new();
    let error = loop {
        let statement = format!("select {} as n /* {} */", prepared.len(), "x".repeat(200 << 10));
        match client.prepare(&statement).await {
            Ok(statement) => prepared.push(statement),
            Err(error) => break error,
        }
        assert!(prepared.len() < 100);
    };
    assert_eq!(error.code().unwrap().code(), "53200");
    assert!(prepared.len() > 10);
    client.batch_execute("deallocate all").await.unwrap();
    client.prepare("select 1").await.unwrap();
}

/// The reasons of the denials.
fn reasons(server: &Server) -> Vec<String> {
    server.audit_trail.denied.lock().unwrap().iter().map(|denial| denial.reason.clone()).collect()
}

#[tokio::test]
async fn each_message_asks_for_the_account_and_ends_the_session_when_it_changed() {
    let server = Server::start().await;
    let simple = server.connect("manager").await;
    let extended = server.connect("manager").await;
    let cursor = server.connect("manager").await;
    let prepared = extended.prepare("select count(*) from events").await.unwrap();
    extended.query_one(&prepared, &[]).await.unwrap();
    cursor.batch_execute("begin; declare c cursor for select id from events; fetch 1 from c").await.unwrap();
    let before = server.accesses().len();

    server.audit_trail.is_account_changed.store(true, Ordering::SeqCst);
    assert_eq!(code(&simple, "select count(*) from events").await, "57P01");
    let error = extended.query_one(&prepared, &[]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "57P01");
    assert_eq!(code(&cursor, "fetch 1 from c").await, "57P01");
    for client in [&simple, &extended, &cursor] {
        assert!(client.simple_query("select 1").await.is_err());
    }
    assert_eq!(reasons(&server), ["disabled"; 3]);
    assert_eq!(server.accesses().len(), before, "no statement began");
}

#[tokio::test]
async fn a_running_statement_ends_when_the_account_changes() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let change = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.audit_trail.is_account_changed.store(true, Ordering::SeqCst);
    };
    let running = tokio::time::timeout(Duration::from_secs(20), code(&client, ENDLESS));
    assert_eq!(tokio::join!(running, change).0.expect("it ends in time"), "57P01");
    assert_eq!(reasons(&server), ["disabled"]);
}

/// One batch of about 16 MB: the engine of the fixture has batches of 256 rows.
const LARGE: &str = "select repeat('x', 62000 + a.a % 2) as t from generate_series(1, 256) a";

#[tokio::test]
async fn unsent_rows_of_cursors_are_bounded() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    client.batch_execute("begin").await.unwrap();
    let mut kept = 0;
    let error = loop {
        client.batch_execute(&format!("declare c{kept} cursor for {LARGE}")).await.unwrap();
        match client.simple_query(&format!("fetch 1 from c{kept}")).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 10);
    };
    assert_eq!(error.code().unwrap().code(), "53200");
    assert!(kept > 1);
}

#[tokio::test]
async fn a_portal_whose_rows_are_not_kept_is_not_suspended() {
    let server = Server::start().await;
    let mut client = server.connect("manager").await;
    let transaction = client.transaction().await.unwrap();
    let mut kept = Vec::new();
    let error = loop {
        let portal = transaction.bind(LARGE, &[]).await.unwrap();
        match transaction.query_portal(&portal, 1).await {
            Ok(rows) => assert_eq!(rows.len(), 1),
            Err(error) => break error,
        }
        // Dropping it would close it.
        kept.push(portal);
        assert!(kept.len() < 10);
    };
    assert_eq!(error.code().unwrap().code(), "53200");
    assert!(kept.len() > 1);
}

#[tokio::test]
async fn a_statement_whose_client_does_not_read_ends_when_the_account_changes() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    // One batch, of 51 MB: it is larger than the buffers of the connection.
    let huge = "select repeat('x', 200000 + a.a % 2) as t from generate_series(1, 256) a";
    let mut rows = Box::pin(client.simple_query_raw(huge).await.unwrap());
    rows.next().await.unwrap().unwrap();
    server.audit_trail.is_account_changed.store(true, Ordering::SeqCst);
    let refused = async {
        while reasons(&server).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("it ends in time");
    assert_eq!(reasons(&server), ["disabled"]);
}

#[tokio::test]
async fn the_time_of_a_statement_includes_waiting_to_be_parsed() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    client.batch_execute("set statement_timeout = '100ms'").await.unwrap();
    // These have all places that one user may have, until `release` is dropped.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    for _ in 0..16 {
        let (session, released) = (server.manager.clone(), Arc::clone(&released));
        tokio::spawn(async move {
            let work = move || {
                let _ = released.lock().unwrap().recv();
            };
            session.on_statement_thread(work).await.unwrap();
        });
    }
    assert_eq!(code(&client, "select (1)").await, "57014");
    let error = client.prepare("select (1)").await.err().unwrap();
    assert_eq!(error.code().unwrap().code(), "57014");
    drop(release);
    client.batch_execute("set statement_timeout = '60s'").await.unwrap();
    client.simple_query("select (1)").await.unwrap();
}

//! Limits: connections, time, rows, memory, and the shutdown of the server.

use crate::fixture::{PASSWORD, Server};
use crate::protocol::ENDLESS;
use std::time::Duration;

async fn code(client: &tokio_postgres::Client, statement: &str) -> String {
    let error = client.simple_query(statement).await.expect_err(statement);
    error.code().unwrap_or_else(|| panic!("{statement}: {error}")).code().to_owned()
}

#[tokio::test]
async fn a_client_over_the_limit_is_refused_until_another_disconnects() {
    let server = Server::with(|settings| settings.max_connections = 2).await;
    let options = format!("user=manager password='{PASSWORD}'");
    let first = server.connect("manager").await;
    let _second = server.connect("manager").await;
    let error = server.connect_with(&options).await.err().unwrap();
    assert_eq!(error.as_db_error().unwrap().code().code(), "53300");
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

#[tokio::test]
async fn a_result_has_limits_of_rows_and_memory() {
    let server = Server::with(|settings| settings.row_limit = Some(10)).await;
    let client = server.connect("manager").await;
    assert_eq!(code(&client, "select id from events").await, "54000");
    assert_eq!(client.query("select id from events limit 10", &[]).await.unwrap().len(), 10);
    let greedy = "select a.value from generate_series(1, 30000000) a order by a.value desc limit 20000000";
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

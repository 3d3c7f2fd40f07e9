//! The PostgreSQL ODBC driver, through unixODBC.

use crate::fixture::{PASSWORD, Server};
use holdfast_testkit::{require, tools};
use tokio::io::AsyncWriteExt;

/// What isql says about statements, one a line.
async fn isql(server: &Server, options: &str, statements: &str) -> (bool, String) {
    let program = tools::command("isql").unwrap();
    let connection = format!(
        "Driver=PostgreSQL Unicode;Servername=127.0.0.1;Port={};Database=holdfast;Uid=manager;Pwd={PASSWORD};{options}",
        server.port
    );
    let mut isql = tokio::process::Command::new(program);
    isql.args(["-k", &connection, "-b", "-v", "-d|"]).kill_on_drop(true);
    isql.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = isql.spawn().unwrap();
    child.stdin.take().unwrap().write_all(statements.as_bytes()).await.unwrap();
    let output = tokio::time::timeout(std::time::Duration::from_secs(60), child.wait_with_output()).await;
    let output = output.expect("isql ends").unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn it_asks_and_is_answered() {
    require!(tools::command("isql"));
    let server = Server::start().await;
    let statements = "select subject, rating from events where rating = 5 order by subject limit 2\n\
                      select count(*) from sessions\n";
    for options in [
        "SSLmode=disable",
        "SSLmode=require",
        "SSLmode=disable;UseDeclareFetch=1;Fetch=7",
        "SSLmode=disable;UseServerSidePrepare=1",
    ] {
        let (succeeded, said) = isql(&server, options, statements).await;
        assert!(succeeded, "{options}: {said}");
        assert!(said.contains("S-004|5") && said.contains("S-009|5") && said.contains("40"), "{options}: {said}");
    }
}

#[tokio::test]
async fn it_lists_tables_and_columns() {
    require!(tools::command("isql"));
    let server = Server::start().await;
    let (succeeded, said) = isql(&server, "SSLmode=disable", "help\nhelp events\n").await;
    assert!(succeeded, "{said}");
    assert!(said.contains("archive|events|TABLE") && said.contains("archive|sessions|VIEW"), "{said}");
    assert!(said.contains("events|kafka_offset") && said.contains("events|subject"), "{said}");
    assert!(server.accesses().is_empty());
}

#[tokio::test]
async fn it_passes_refusals_on() {
    require!(tools::command("isql"));
    let server = Server::start().await;
    let (_, said) = isql(&server, "SSLmode=disable", "delete from events\n").await;
    assert!(said.contains("read-only"), "{said}");
    let (succeeded, said) = isql(&server, "SSLmode=disable;Uid=nobody", "select 1\n").await;
    assert!(!succeeded || said.contains("authentication failed"), "{said}");
}

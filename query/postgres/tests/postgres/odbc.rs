//! The PostgreSQL ODBC driver, through unixODBC.

use crate::fixture::{PASSWORD, Server};
use holdfast_testkit::{require, tools};
use tokio::io::AsyncWriteExt;

/// The output of isql for statements, one per line.
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
    let output_text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&output_text).into_owned())
}

#[tokio::test]
async fn odbc_runs_queries() {
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
        let (succeeded, output_text) = isql(&server, options, statements).await;
        assert!(succeeded, "{options}: {output_text}");
        assert!(
            output_text.contains("S-004|5") && output_text.contains("S-009|5") && output_text.contains("40"),
            "{options}: {output_text}"
        );
    }
}

#[tokio::test]
async fn odbc_lists_tables_and_columns() {
    require!(tools::command("isql"));
    let server = Server::start().await;
    let (succeeded, output_text) = isql(&server, "SSLmode=disable", "help\nhelp events\n").await;
    assert!(succeeded, "{output_text}");
    assert!(
        output_text.contains("archive|events|TABLE") && output_text.contains("archive|sessions|VIEW"),
        "{output_text}"
    );
    assert!(output_text.contains("events|kafka_offset") && output_text.contains("events|subject"), "{output_text}");
    assert!(server.accesses().is_empty());
}

#[tokio::test]
async fn odbc_reports_errors() {
    require!(tools::command("isql"));
    let server = Server::start().await;
    let (_, output_text) = isql(&server, "SSLmode=disable", "delete from events\n").await;
    assert!(output_text.contains("read-only"), "{output_text}");
    let (succeeded, output_text) = isql(&server, "SSLmode=disable;Uid=nobody", "select 1\n").await;
    assert!(!succeeded || output_text.contains("authentication failed"), "{output_text}");
}

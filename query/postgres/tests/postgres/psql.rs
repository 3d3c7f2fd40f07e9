//! psql in interactive use.

use crate::fixture::{PASSWORD, Server};
use holdfast_testkit::{require, tools};
use std::path::Path;
use std::process::Output;

/// The output of psql for `commands`, each passed with -c.
async fn psql(program: &Path, connection: &str, commands: &[&str]) -> Output {
    let mut psql = tokio::process::Command::new(program);
    psql.arg(connection).args(["--no-psqlrc", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
    for command in commands {
        psql.args(["-c", command]);
    }
    psql.env("PGPASSWORD", PASSWORD).env("LC_ALL", "C.UTF-8").kill_on_drop(true);
    tokio::time::timeout(std::time::Duration::from_secs(60), psql.output()).await.expect("psql ends").unwrap()
}

fn texts_of(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn connection(server: &Server, options: &str) -> String {
    format!("host=127.0.0.1 port={} dbname=holdfast user=manager {options}", server.port)
}

/// The output of psql for a command that must succeed.
async fn succeed(program: &Path, connection: &str, command: &str) -> String {
    let output = psql(program, connection, &[command]).await;
    let (out, err) = texts_of(&output);
    assert!(output.status.success() && !err.contains("ERROR"), "{command}: {err}");
    out
}

#[tokio::test]
async fn psql_connects_with_and_without_tls_and_with_channel_binding() {
    let program = require!(tools::command("psql"));
    let server = Server::start().await;
    let plain = connection(&server, "sslmode=disable");
    assert_eq!(succeed(&program, &plain, "select count(*) from events").await.trim(), "120");
    let certificate = server.certificate.path().display();
    let verified =
        connection(&server, &format!("sslmode=verify-full sslrootcert={certificate} channel_binding=require"));
    assert_eq!(succeed(&program, &verified, "select count(*) from sessions").await.trim(), "40");
    let info = succeed(&program, &verified, "\\conninfo").await;
    assert!(info.contains("SSL connection") && info.contains("manager"), "{info}");
}

#[tokio::test]
async fn a_renewed_certificate_is_in_force_without_a_restart() {
    let program = require!(tools::command("psql"));
    let server = Server::start().await;
    let old = tempfile::NamedTempFile::new().unwrap();
    std::fs::copy(server.certificate.path(), old.path()).unwrap();
    let verified = |certificate: &Path| {
        let certificate = certificate.display();
        connection(&server, &format!("sslmode=verify-full sslrootcert={certificate} channel_binding=require"))
    };
    server.renew();
    let renewed = async {
        while !psql(&program, &verified(server.certificate.path()), &["select 1"]).await.status.success() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), renewed).await.expect("the new pair comes into force");
    let output = psql(&program, &verified(old.path()), &["select 1"]).await;
    assert!(texts_of(&output).1.contains("certificate verify failed"), "{output:?}");
}

#[tokio::test]
async fn a_client_that_requires_tls_leaves_a_server_without_it() {
    let program = require!(tools::command("psql"));
    let server = Server::with(|settings| settings.tls = None).await;
    let output = psql(&program, &connection(&server, "sslmode=require"), &["select 1"]).await;
    assert!(texts_of(&output).1.contains("server does not support SSL"), "{output:?}");
    assert_eq!(succeed(&program, &connection(&server, "sslmode=prefer"), "select 1").await.trim(), "1");
}

#[tokio::test]
async fn backslash_commands_work() {
    let program = require!(tools::command("psql"));
    let server = Server::start().await;
    let connection = connection(&server, "sslmode=disable");
    for (command, parts) in [
        ("\\dt archive.*", &["archive|events|table|holdfast", "archive|dead_letters|table|holdfast"][..]),
        ("\\dt", &["archive|events|table|holdfast"]),
        ("\\dv", &["archive|sessions|view|holdfast", "archive|surveys|view|holdfast"]),
        ("\\d", &["archive|events|table|holdfast", "archive|sessions|view|holdfast"]),
        ("\\d archive.sessions", &["session|text", "portal|text"]),
        ("\\d archive.events", &["subject|text", "kafka_offset|bigint", "time|timestamp with time zone"]),
        ("\\d+ events", &["subject|text"]),
        ("\\dn", &["archive|"]),
        ("\\l", &["holdfast|"]),
        ("\\du", &["manager", "admin"]),
        ("\\df", &[]),
        ("\\di", &[]),
        ("\\dx", &[]),
        ("\\dT", &[]),
        ("\\dT pg_catalog.*", &["timestamp with time zone"]),
        ("\\dp", &["archive|sessions|view"]),
        ("\\encoding", &["UTF8"]),
        ("\\timing on", &[]),
    ] {
        let out = succeed(&program, &connection, command).await;
        for part in parts {
            assert!(out.contains(part), "{command} lacks {part}:\n{out}");
        }
    }
    assert!(server.accesses().is_empty(), "catalog metadata is not recorded: {:?}", server.accesses());
}

#[tokio::test]
async fn oids_stay_the_same() {
    let program = require!(tools::command("psql"));
    let server = Server::start().await;
    let connection = connection(&server, "sslmode=disable");
    let oids = "select oid, relname, relnamespace from pg_class order by 1";
    let before = succeed(&program, &connection, oids).await;
    for between in
        ["select * from pg_namespace", "select * from pg_attribute", "\\d events", "select * from pg_database"]
    {
        succeed(&program, &connection, between).await;
    }
    assert_eq!(succeed(&program, &connection, oids).await, before);
}

#[tokio::test]
async fn values_have_postgresqls_text_form() {
    let program = require!(tools::command("psql"));
    let server = Server::start().await;
    let connection = connection(&server, "sslmode=disable");
    let out = succeed(
        &program,
        &connection,
        "select true, null, 1.5, 'ä', date '2026-05-10', time from events where id = 'S-001-10'",
    )
    .await;
    assert_eq!(out.trim(), "t||1.5|ä|2026-05-10|2026-05-10 08:01:10.123456+00");
    let out = succeed(&program, &connection, "explain select id from events").await;
    assert!(out.contains("plan"), "{out}");
}

#[tokio::test]
async fn refused_statements_have_explanations() {
    let program = require!(tools::command("psql"));
    let server = Server::start().await;
    let connection = connection(&server, "sslmode=disable");
    for (command, part) in [
        ("delete from events", "the archive is read-only: DELETE is refused"),
        ("copy events to stdout", "COPY is not supported"),
        ("\\copy events to stdout", "COPY is not supported"),
        ("select * from nothing", "relation \"nothing\" does not exist"),
        ("select id from events where data = 'x'", "your keys do not open"),
    ] {
        let output = psql(&program, &connection, &[command]).await;
        let (_, err) = texts_of(&output);
        assert!(!output.status.success() && err.contains(part), "{command}: {err}");
    }
    let output = psql(&program, &connection, &["select data from events limit 1"]).await;
    assert!(texts_of(&output).1.contains("WARNING:  column `data` is withheld"), "{output:?}");
    let output = psql(&program, &connection.replace("user=manager", "user=nobody"), &["select 1"]).await;
    assert!(texts_of(&output).1.contains("password authentication failed"), "{output:?}");
}

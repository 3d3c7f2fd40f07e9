//! pandas over SQLAlchemy and psycopg.

use crate::fixture::{PASSWORD, Server};
use holdfast_testkit::{require, tools};
use std::path::Path;

#[tokio::test]
async fn pandas_reads_tables_streams_and_metadata() {
    let python = require!(tools::postgres_clients());
    let server = Server::start().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres/client.py");
    let mut command = tokio::process::Command::new(python);
    command.arg(script).arg(server.port.to_string()).arg(PASSWORD).arg(server.certificate.path()).kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(120), command.output()).await;
    let output = output.expect("it ends").unwrap();
    let output_text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && output_text.trim().ends_with("done"), "{output_text}");
}

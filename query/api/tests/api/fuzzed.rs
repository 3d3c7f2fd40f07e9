//! The OpenAPI document in a validator, and the API under a fuzzing client that reads the document.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::server::Server;

/// The folder of the tools that `.ci/install` installs; `None`, with a message, if they are missing.
fn tools() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    let tools = variable("HOLDFAST_TOOLS").or_else(|| Some(cache()?.join("holdfast/tools")))?;
    let folder = tools.join("schemathesis/bin");
    if folder.join("schemathesis").exists() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "schemathesis is missing; run .ci/install");
    // Written directly, because the test harness captures printed text.
    let _ = writeln!(std::io::stderr(), "SKIPPED: schemathesis is missing; run `bash .ci/install` in the repository");
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_valid() {
    let Some(tools) = tools() else { return };
    let server = Server::start().await;
    let document: Value =
        server.client.get(format!("{}/v1/openapi.json", server.base)).send().await.unwrap().json().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let output = Command::new(tools.join("openapi-spec-validator")).arg(&file).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fuzzing_client_finds_no_fault() {
    let Some(tools) = tools() else { return };
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    // A text that matches the schema is seldom SQL, and a name is seldom that of a session or a report.
    let configuration = "[checks]\n\
         positive_data_acceptance.expected-statuses = [\"2xx\", \"400\", \"404\", \"406\", \"413\", \"429\"]\n\
         negative_data_rejection.expected-statuses = [\"400\", \"401\", \"404\", \"405\", \"406\", \"413\", \"415\", \"431\"]\n";
    std::fs::write(folder.path().join("schemathesis.toml"), configuration).unwrap();
    // The client has no serializer for application/sql.
    let hooks = "import schemathesis\nschemathesis.serializer.alias([\"application/sql\"], \"text/plain\")\n";
    std::fs::write(folder.path().join("statements.py"), hooks).unwrap();
    let run = Command::new(tools.join("schemathesis"))
        .current_dir(folder.path())
        .env("PYTHONPATH", folder.path())
        .env("SCHEMATHESIS_HOOKS", "statements")
        .arg("--config-file")
        .arg(folder.path().join("schemathesis.toml"))
        .args(["run", "--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", "30"])
        .args(["--seed", "1", "--no-color", "--max-time", "40", "--generation-database", "none"])
        .args(["--header", "Authorization: Bearer officer"])
        .arg(format!("{}/v1/openapi.json", server.base))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output =
        tokio::time::timeout(std::time::Duration::from_secs(180), run).await.expect("the client takes too long");
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

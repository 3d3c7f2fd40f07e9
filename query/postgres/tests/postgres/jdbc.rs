//! The PostgreSQL driver for Java, in a program that is compiled here.

use crate::fixture::{PASSWORD, Server};
use holdfast_testkit::{require, tools};
use std::path::{Path, PathBuf};

/// The driver, and what compiles and runs Java.
fn java() -> Result<(PathBuf, PathBuf, PathBuf), holdfast_testkit::Error> {
    let jar = tools::postgres_jdbc()?;
    Ok((tools::command("javac")?, tools::java()?, jar))
}

#[tokio::test]
async fn it_does_what_programs_do() {
    let (javac, java, jar) = require!(java());
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres/Client.java");
    let run = |program: &Path, arguments: Vec<String>| {
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).kill_on_drop(true);
        async move {
            let output = tokio::time::timeout(std::time::Duration::from_secs(120), command.output()).await;
            let output = output.expect("it ends").unwrap();
            let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(output.status.success(), "{said}");
            said
        }
    };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let class_path = format!("{}:{}", text(&jar), text(folder.path()));
    run(&javac, vec!["-cp".into(), text(&jar), "-d".into(), text(folder.path()), text(&source)]).await;
    let arguments = vec![
        "-cp".into(),
        class_path,
        "Client".into(),
        format!("jdbc:postgresql://127.0.0.1:{}/holdfast", server.port),
        PASSWORD.into(),
        text(server.certificate.path()),
    ];
    let said = run(&java, arguments).await;
    assert!(said.trim().ends_with("done"), "{said}");
}

//! The PostgreSQL driver for Java, in a program that is compiled here.

use crate::fixture::{PASSWORD, Server};
use holdfast_testkit::{require, tools};
use std::path::{Path, PathBuf};

/// The Java compiler, the Java runtime and the driver.
fn java() -> Result<(PathBuf, PathBuf, PathBuf), holdfast_testkit::Error> {
    let jar = tools::postgres_jdbc()?;
    Ok((tools::command("javac")?, tools::java()?, jar))
}

#[tokio::test]
async fn jdbc_prepares_describes_fetches_and_cancels() {
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
            let output_text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
            let output_text = String::from_utf8_lossy(&output_text).into_owned();
            assert!(output.status.success(), "{output_text}");
            output_text
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
    let output_text = run(&java, arguments).await;
    assert!(output_text.trim().ends_with("done"), "{output_text}");
}

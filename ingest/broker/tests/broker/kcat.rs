//! Debian's `kcat`, whose librdkafka is years older than the one of the other tests.

use std::{
    fmt::Write as _,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use holdfast_testkit::{require, tools};
use tokio::{process::Command, time::timeout};

use crate::client::{create_topic, start};

const TOPIC: &str = "holdfast.events";
const LIMIT: Duration = Duration::from_secs(60);
const MESSAGES: usize = 200;

async fn run(kcat: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(kcat);
    // A configuration file of the user must not affect the test.
    command.args(["-F", "none"]).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output: Output = timeout(LIMIT, command.output()).await.expect("kcat ends in time").unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kcat {arguments:?}: {}\n{errors}", output.status);
    // Without -q, kcat reports there what it could not parse.
    assert!(!errors.contains("underflow"), "kcat {arguments:?}\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kcat_lists_produces_and_consumes() {
    let kcat = require!(tools::command("kcat"));
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path()).await;
    let servers = broker.address().to_string();
    create_topic(&servers, TOPIC, 2).await;

    let all = run(&kcat, &["-L", "-b", &servers]).await;
    assert!(all.contains(&format!("broker 1 at {servers}")), "{all}");
    assert!(all.contains(&format!("topic \"{TOPIC}\" with 2 partitions:\n")), "{all}");
    let one = run(&kcat, &["-L", "-b", &servers, "-t", TOPIC]).await;
    assert!(one.contains("partition 1, leader 1, replicas: "), "{one}");

    // A plain producer, and an idempotent one whose batches are compressed.
    let files = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    let producers: [(&str, &[&str]); 2] =
        [("plain", &[]), ("idempotent", &["-X", "enable.idempotence=true", "-z", "gzip"])];
    for (name, options) in producers {
        let file = files.path().join(name);
        let mut lines = String::new();
        for number in 0..MESSAGES {
            writeln!(lines, "session-{}:{name} {number}", number % 7).unwrap();
            expected.push(format!("session-{}={name} {number} ce_type={name}", number % 7));
        }
        std::fs::write(&file, lines).unwrap();
        let (header, file) = (format!("ce_type={name}"), file.display().to_string());
        let mut arguments = vec!["-P", "-b", &servers, "-t", TOPIC, "-K", ":", "-H", &header];
        arguments.extend(options);
        arguments.extend(["-l", &file]);
        run(&kcat, &arguments).await;
    }
    expected.sort_unstable();

    let format = "%k=%s %h\n";
    let simple = ["-C", "-b", &servers, "-t", TOPIC, "-o", "beginning", "-e", "-f", format];
    assert_eq!(sorted(&run(&kcat, &simple).await), expected);

    let earliest = "auto.offset.reset=earliest";
    let group = ["-b", &servers, "-X", earliest, "-e", "-f", format, "-G", "desk", TOPIC];
    assert_eq!(sorted(&run(&kcat, &group).await), expected);
    // It has committed its offsets, so the next member starts behind them.
    assert_eq!(run(&kcat, &group).await, "");
    broker.stop().await.unwrap();
}

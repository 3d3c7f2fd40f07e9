//! The shell stands in for the program.

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

fn shell() -> (TempDir, Holdfast) {
    let folder = tempfile::tempdir().unwrap();
    let holdfast = Holdfast::new("/bin/sh", folder.path()).unwrap();
    (folder, holdfast)
}

#[tokio::test]
async fn output_exit_code_input_and_environment_are_passed() {
    let (folder, holdfast) = shell();
    let holdfast = holdfast.env("HOLDFAST_GREETING", "hello");
    let output = holdfast.run(&["-c", "echo $HOLDFAST_GREETING; pwd; echo oops >&2; exit 3"], LIMIT).await.unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, format!("hello\n{}\n", folder.path().display()));
    assert_eq!(output.stderr, "oops\n");

    let output = holdfast.run_with_input(&["-c", "tr a-z A-Z"], b"quiet\n", LIMIT).await.unwrap();
    assert_eq!(output.success(), "QUIET\n");
}

#[tokio::test]
async fn signals_reach_the_process() {
    use std::os::unix::process::ExitStatusExt;

    let (_folder, holdfast) = shell();
    let script = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done";
    let mut running = holdfast.spawn(&["-c", script]).unwrap();
    while running.stdout() != "up\n" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.signal(Signal::Stop);
    running.signal(Signal::Terminate);
    assert!(
        matches!(running.wait(Duration::from_millis(200)).await, Err(Error::TimedOut { .. })),
        "a stopped process does nothing"
    );
    running.signal(Signal::Continue);
    assert_eq!(running.wait(LIMIT).await.unwrap().code(), Some(7));
    assert_eq!(running.stdout(), "up\nbye\n");

    let mut running = holdfast.spawn(&["-c", script]).unwrap();
    running.kill();
    assert_eq!(running.ended().unwrap().signal(), Some(9));
}

#[tokio::test]
async fn the_error_of_a_process_that_ends_early_has_its_output() {
    let (_folder, holdfast) = shell();
    let mut running = holdfast.spawn(&["-c", "echo cannot bind >&2; exit 1"]).unwrap();
    let error = running.wait_ready("127.0.0.1:9", LIMIT).await.unwrap_err();
    assert!(error.to_string().contains("cannot bind"), "{error}");
}

#[tokio::test]
async fn a_dropped_process_is_killed() {
    let (_folder, holdfast) = shell();
    let running = holdfast.spawn(&["-c", "exec sleep 60"]).unwrap();
    let process = PathBuf::from(format!("/proc/{}", running.pid()));
    assert!(process.exists());
    drop(running);
    assert!(!process.exists());
}

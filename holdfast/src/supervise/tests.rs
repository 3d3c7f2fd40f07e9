use std::sync::{Arc, Mutex};

use anyhow::bail;
use tokio::time::sleep;

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

type Journal = Arc<Mutex<Vec<String>>>;

/// Starts a task that runs until it is cancelled, and takes a while to stop.
fn spawn_cooperative(
    supervisor: &mut Supervisor,
    journal: &Journal,
    name: &'static str,
    stage: Stage,
    takes: Duration,
) {
    let journal = Arc::clone(journal);
    supervisor.spawn(name, stage, move |stop| async move {
        stop.cancelled().await;
        journal.lock().unwrap().push(format!("{name} cancelled"));
        sleep(takes).await;
        journal.lock().unwrap().push(format!("{name} ended"));
        Ok(())
    });
}

fn never() -> impl Future<Output = anyhow::Result<()>> {
    std::future::pending()
}

#[tokio::test(start_paused = true)]
async fn stages_stop_in_the_direction_of_the_data() {
    let journal = Journal::default();
    let mut supervisor = Supervisor::new(LIMIT);
    spawn_cooperative(&mut supervisor, &journal, "broker", Stage::Broker, Duration::from_secs(1));
    spawn_cooperative(&mut supervisor, &journal, "archiver", Stage::Archive, Duration::from_secs(3));
    spawn_cooperative(&mut supervisor, &journal, "gateway", Stage::Intake, Duration::from_secs(2));
    let (sender, mut signals) = Signals::channel();
    sender.send("SIGTERM").await.unwrap();
    let stopped = supervisor.run_until(&mut signals, never()).await.unwrap();
    assert!(matches!(stopped, Stopped::Signal("SIGTERM")));
    let expected = [
        "gateway cancelled",
        "gateway ended",
        "archiver cancelled",
        "archiver ended",
        "broker cancelled",
        "broker ended",
    ];
    assert_eq!(*journal.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_dead_task_stops_the_others_and_is_named() {
    for death in ["error", "return", "panic"] {
        let journal = Journal::default();
        let mut supervisor = Supervisor::new(LIMIT);
        spawn_cooperative(&mut supervisor, &journal, "broker", Stage::Broker, Duration::ZERO);
        supervisor.spawn("archiver", Stage::Archive, move |_| async move {
            sleep(Duration::from_secs(5)).await;
            match death {
                "error" => bail!("the disk is on fire"),
                "panic" => panic!("the disk is on fire"),
                _ => Ok(()),
            }
        });
        let (_sender, mut signals) = Signals::channel();
        let failure = supervisor.run_until(&mut signals, never()).await.unwrap_err();
        let SuperviseError::Died { name, source } = failure else { panic!("{failure}") };
        assert_eq!(name, "archiver");
        let expected = if death == "return" { "as if its work were done" } else { "the disk is on fire" };
        assert!(source.to_string().contains(expected), "{source}");
        assert_eq!(*journal.lock().unwrap(), ["broker cancelled", "broker ended"], "the others stop in order");
    }
}

#[tokio::test(start_paused = true)]
async fn a_completed_job_stops_everything_and_returns_its_result() {
    let journal = Journal::default();
    let mut supervisor = Supervisor::new(LIMIT);
    spawn_cooperative(&mut supervisor, &journal, "archiver", Stage::Archive, Duration::from_secs(1));
    let (_sender, mut signals) = Signals::channel();
    let stopped = supervisor
        .run_until(&mut signals, async {
            sleep(Duration::from_secs(1)).await;
            Ok(42)
        })
        .await
        .unwrap();
    assert!(matches!(stopped, Stopped::JobDone(42)));
    assert_eq!(journal.lock().unwrap().len(), 2);

    let supervisor = Supervisor::new(LIMIT);
    let failure = supervisor.run_until::<()>(&mut signals, async { bail!("no such file") }).await.unwrap_err();
    assert!(matches!(failure, SuperviseError::Job(source) if source.to_string() == "no such file"));
}

#[tokio::test(start_paused = true)]
async fn the_limit_bounds_the_stop_and_the_error_names_the_tasks_while_the_broker_still_stops_in_order() {
    let journal = Journal::default();
    let mut supervisor = Supervisor::new(LIMIT);
    supervisor.spawn("archiver", Stage::Archive, |_| std::future::pending());
    spawn_cooperative(&mut supervisor, &journal, "broker", Stage::Broker, Duration::from_secs(1));
    let (sender, mut signals) = Signals::channel();
    sender.send("SIGINT").await.unwrap();
    let begun = Instant::now();
    let failure = supervisor.run_until(&mut signals, never()).await.unwrap_err();
    assert!(
        matches!(&failure, SuperviseError::TimedOut { waiting, seconds: 30 } if waiting == &["archiver"]),
        "{failure}"
    );
    assert_eq!(*journal.lock().unwrap(), ["broker cancelled", "broker ended"]);
    assert_eq!(begun.elapsed(), LIMIT + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_stops_immediately() {
    let mut supervisor = Supervisor::new(LIMIT);
    supervisor.spawn("gateway", Stage::Intake, |_| std::future::pending());
    supervisor.spawn("broker", Stage::Broker, |_| std::future::pending());
    let (sender, mut signals) = Signals::channel();
    tokio::spawn(async move {
        sender.send("SIGINT").await.unwrap();
        sleep(Duration::from_secs(3)).await;
        sender.send("SIGINT").await.unwrap();
        std::future::pending::<()>().await;
    });
    let begun = Instant::now();
    let failure = supervisor.run_until(&mut signals, never()).await.unwrap_err();
    assert!(matches!(&failure, SuperviseError::Forced { waiting } if waiting == &["broker", "gateway"]), "{failure}");
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_while_it_stops_is_reported_after_the_others_stopped() {
    let journal = Journal::default();
    let mut supervisor = Supervisor::new(LIMIT);
    supervisor.spawn("archiver", Stage::Archive, |stop| async move {
        stop.cancelled().await;
        bail!("no space left")
    });
    spawn_cooperative(&mut supervisor, &journal, "broker", Stage::Broker, Duration::ZERO);
    let (sender, mut signals) = Signals::channel();
    sender.send("SIGTERM").await.unwrap();
    let failure = supervisor.run_until(&mut signals, never()).await.unwrap_err();
    assert!(matches!(&failure, SuperviseError::FailedToStop { name, .. } if name == "archiver"), "{failure}");
    assert_eq!(journal.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_runs_while_other_parts_block_their_threads() {
    let mut supervisor = Supervisor::new(LIMIT);
    let (answer, answers) = std::sync::mpsc::channel();
    let server = |stop: CancellationToken| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        answer.send(std::thread::current().name().map(str::to_owned))?;
        stop.cancelled().await;
        anyhow::Ok(())
    };
    supervisor.spawn_server("gateway", Stage::Intake, server).unwrap();
    // The only thread of the other parts waits here.
    assert_eq!(answers.recv_timeout(LIMIT).unwrap().as_deref(), Some("holdfast-http"));
    let (sender, mut signals) = Signals::channel();
    sender.send("SIGTERM").await.unwrap();
    let stopped = supervisor.run_until(&mut signals, never()).await.unwrap();
    assert!(matches!(stopped, Stopped::Signal("SIGTERM")));
}

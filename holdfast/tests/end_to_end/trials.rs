//! Short forms of the trials that `holdfast-bench` runs for hours: whatever is asked, and whenever the process that answers
//! is killed, events are taken in and archived.

use std::path::PathBuf;
use std::time::Duration;

use holdfast_testkit::trial::{
    Deployment, DeploymentOptions, HostileOptions, KillOptions, Posted, StatementOptions, hostile, kills, statements,
};

/// What a machine that is busy with other tests may add to the time until an event is archived.
const BUSY: Duration = Duration::from_secs(20);

async fn deployment() -> Deployment {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_holdfast"));
    let options = DeploymentOptions { program, sessions: 0, users: 2, flush_seconds: 1 };
    Deployment::start(&options).await.expect("the server gets ready")
}

/// Nothing that was acknowledged is missing, and nothing is doubled.
#[track_caller]
fn check(posted: &Posted, (events, ids): (u64, u64), allowed_delay: Duration) {
    assert_eq!(posted.lost, 0, "{posted:?}");
    assert!(posted.acknowledged > 5, "{posted:?}");
    assert!((posted.acknowledged..=posted.acknowledged + posted.unknown).contains(&events), "{events} of {posted:?}");
    assert_eq!(events, ids);
    assert!(posted.longest_delay() < allowed_delay + BUSY, "{:?}", posted.longest_delay());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generated_statements_end_no_process_and_delay_no_event() {
    let mut deployment = deployment().await;
    let options = StatementOptions { count: 120, seed: 7_000, clients: 4, limit_seconds: 1 };
    let all = statements(&deployment, &options).await.expect("the server answers");
    assert_eq!((all.ran, all.crashes), (120, 0), "{:?} in {}", all.disconnected, deployment.logs().display());
    // Of a busy machine the limit of one second takes most answers.
    assert!(all.answered() > 5 && all.bounded() > 0, "{:?}", all.endings);
    assert_eq!(all.failed, []);
    assert_eq!(all.disconnected, []);
    // A machine that is busy with other tests makes some late.
    assert!(
        all.late * 20 <= all.ran && all.slowest.0 < Duration::from_secs(2) + BUSY,
        "{} {:?}",
        all.late,
        all.slowest
    );
    assert!(all.memory > 0 && all.memory <= all.memory_limit, "{} of {}", all.memory, all.memory_limit);
    check(&all.posted, all.archived, Duration::from_secs(2));

    let length = Duration::from_secs(1);
    let options = HostileOptions { pairs: 1, length, clients: 4, post_every: Duration::from_millis(50) };
    let pairs = hostile(&deployment, &options).await.expect("the server takes events");
    assert_eq!(pairs.iter().map(|pair| pair.unknown).collect::<Vec<_>>(), [0], "{pairs:?}");
    assert!(pairs[0].without > Duration::ZERO && pairs[0].with > Duration::ZERO, "{pairs:?}");
    deployment.stop().await.expect("it stops in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_the_process_that_answers_delay_no_event() {
    let mut deployment = deployment().await;
    let all = kills(&mut deployment, &KillOptions { count: 2, seed: 1 }).await.expect("it is started again");
    assert_eq!((all.killed, all.ended), (2, 0));
    assert!(all.answered > 2, "{}", all.answered);
    check(&all.posted, all.archived, all.allowed_delay);
    deployment.stop().await.expect("it stops in order");
}

//! Children that are shell scripts.

use super::*;
use crate::health::{ComponentState, Readiness};

/// Long enough for a busy machine; never waited for in full.
const LIMIT: Duration = Duration::from_secs(20);

const REPORT: &str = r#"{"components":{"answers":{"state":"ready"}},"addresses":{"http":"127.0.0.1:1","postgres":null},"metrics":"x 1\n"}"#;

struct World {
    readiness: Readiness,
    reports: ChildReports,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    started: oneshot::Receiver<Result<Addresses, String>>,
}

impl World {
    fn run(script: &str, memory_limit: u64) -> Self {
        Self::run_in(MemoryGroups::none(), script, memory_limit)
    }

    fn run_in(groups: MemoryGroups, script: &str, memory_limit: u64) -> Self {
        let settings = ChildSettings {
            name: "query",
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            withheld: vec!["HOME".to_owned()],
            memory_limit,
        };
        let (readiness, reports, stop) = (Readiness::default(), ChildReports::default(), CancellationToken::new());
        let (child, started) = ChildProcess::new(settings, groups, reports.clone(), readiness.component("query"));
        let task = tokio::spawn(child.run(stop.clone()));
        Self { readiness, reports, stop, task, started }
    }

    async fn state(&self, wanted: impl Fn(&ComponentState) -> bool) -> ComponentState {
        let wait = async {
            loop {
                let state = self.readiness.report().components["query"].clone();
                if wanted(&state) {
                    return state;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, wait).await.expect("the state comes in time")
    }
}

#[tokio::test]
async fn a_child_reports_and_stops_when_it_is_told() {
    let script = format!("test -z \"$HOME\" && printf '%s\\n' '{REPORT}' && read word && test \"$word\" = stop");
    let mut world = World::run(&script, u64::MAX);
    let addresses = (&mut world.started).await.unwrap().unwrap();
    assert_eq!(addresses.http, Some("127.0.0.1:1".parse().unwrap()));
    world.state(|state| *state == ComponentState::Ready).await;
    let metrics = world.reports.metrics();
    assert!(metrics.contains("holdfast_child_running{role=\"query\"} 1\n") && metrics.ends_with("x 1\n"), "{metrics}");
    world.stop.cancel();
    tokio::time::timeout(LIMIT, world.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_child_that_ends_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("second");
    let mark = mark.display();
    let script = format!(
        "printf '%s\\n' '{REPORT}'; if [ -e {mark} ]; then read word; else touch {mark}; sleep 0.2; kill -9 $$; fi"
    );
    let mut world = World::run(&script, u64::MAX);
    (&mut world.started).await.unwrap().unwrap();
    let state = world.state(|state| matches!(state, ComponentState::NotReady { .. })).await;
    assert_eq!(state, ComponentState::NotReady { reason: "its process ended: killed by signal 9".to_owned() });
    world.state(|state| *state == ComponentState::Ready).await;
    assert!(world.reports.metrics().contains("holdfast_child_restarts_total{role=\"query\"} 1\n"));
    world.stop.cancel();
    tokio::time::timeout(LIMIT, world.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_child_that_never_started_is_told_with_its_reason() {
    let mut world = World::run("exit 3", u64::MAX);
    assert_eq!((&mut world.started).await.unwrap(), Err("exit code 3".to_owned()));
    world.stop.cancel();
    tokio::time::timeout(LIMIT, world.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_child_over_its_memory_limit_is_killed() {
    let mut world = World::run(&format!("printf '%s\\n' '{REPORT}'; read word"), 1);
    // It is killed at the first check, which may come before its first report.
    let killed = match (&mut world.started).await.unwrap() {
        Err(reason) => reason,
        Ok(_) => format!("{:?}", world.state(|state| matches!(state, ComponentState::NotReady { .. })).await),
    };
    assert!(killed.contains("its limit is 0 MiB"), "{killed}");
    world.stop.cancel();
    tokio::time::timeout(LIMIT, world.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_child_in_a_group_is_limited_by_the_system_and_its_kill_is_told() {
    let service = tempfile::tempdir().unwrap();
    let group = service.path().join("query");
    let groups = MemoryGroups::within(service.path().to_owned(), |folder| {
        std::fs::create_dir(folder)?;
        let files = ["cgroup.procs", "memory.max", "memory.oom.group", "memory.swap.max", "memory.events"];
        files.iter().try_for_each(|file| std::fs::write(folder.join(file), ""))
    });
    let script =
        format!("printf '%s\\n' '{REPORT}'; while [ ! -e {}/go ]; do sleep 0.05; done; kill -9 $$", group.display());
    // By watching it would be killed at once.
    let mut world = World::run_in(groups, &script, 1);
    (&mut world.started).await.unwrap().unwrap();
    let checked = async {
        while world.reports.0.lock().unwrap()["query"].memory == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, checked).await.expect("its memory is looked at");
    let text = |file: &str| std::fs::read_to_string(group.join(file)).unwrap();
    assert_eq!(text("memory.max"), "1");
    let process = world.reports.0.lock().unwrap()["query"].process;
    assert_eq!(Some(text("cgroup.procs")), process.map(|process| process.to_string()));
    std::fs::write(group.join("memory.events"), "oom_kill 1\n").unwrap();
    std::fs::write(group.join("go"), "").unwrap();
    let state = world.state(|state| matches!(state, ComponentState::NotReady { .. })).await;
    let ComponentState::NotReady { reason } = state else { unreachable!() };
    assert!(reason.ends_with("the system killed it: it needed more memory than its limit of 0 MiB"), "{reason}");
    world.stop.cancel();
    // If it was started again meanwhile, it has ended in the same way.
    let _ = tokio::time::timeout(LIMIT, world.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_child_that_fails_while_it_stops_is_told() {
    let mut world = World::run(&format!("printf '%s\\n' '{REPORT}'; read word; exit 4"), u64::MAX);
    (&mut world.started).await.unwrap().unwrap();
    world.stop.cancel();
    let failed = tokio::time::timeout(LIMIT, world.task).await.unwrap().unwrap().unwrap_err();
    assert!(failed.to_string().contains("exit code 4"), "{failed}");
}

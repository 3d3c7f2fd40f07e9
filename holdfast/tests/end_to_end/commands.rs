//! The commands of the command line: what they refuse, what they print, and that the demo archives what it generates.

use crate::installation::{Installation, TIMEOUT, stop};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn init_overwrites_nothing() {
    let installation = Installation::new().await;
    let read = || {
        let config = std::fs::read_to_string(installation.path().join("holdfast.toml")).unwrap();
        (config, installation.token())
    };
    let before = read();
    let again = installation.run(&["init"]).await;
    assert_eq!(again.status.code(), Some(2), "{}", again.stdout);
    assert!(again.stderr.contains("refuses to overwrite"), "{}", again.stderr);
    assert_eq!(read(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_in_the_configuration_are_reported_with_their_lines() {
    let installation = Installation::new().await;
    let missing = installation.run(&["serve", "--config", "nowhere.toml"]).await;
    assert_eq!(missing.status.code(), Some(2));
    assert!(missing.stderr.contains("nowhere.toml") && missing.stderr.contains("holdfast init"), "{}", missing.stderr);

    let config = std::fs::read_to_string(installation.path().join("holdfast.toml")).unwrap();
    let line = 1 + config.lines().position(|line| line.starts_with("url = ")).unwrap();
    let wrong = [
        (config.replace("url = \"archive\"", "ulr = \"archive\""), vec![format!("{line}"), "ulr".into(), "url".into()]),
        (config.replace("url = \"archive\"", "flush_rows = \"many\""), vec![format!("{line}"), "flush_rows".into()]),
        (config.replace("[kafka]", "[kafak]"), vec!["kafak".into(), "kafka".into()]),
        (config.replace("tiers = [\"operational\"]", "tiers = [\"all\"]"), vec!["all".into(), "operational".into()]),
        (config.replace("[broker]", "[broker"), vec![]),
    ];
    for (text, expected) in wrong {
        assert_ne!(text, config);
        std::fs::write(installation.path().join("wrong.toml"), text).unwrap();
        for command in [&["serve", "--config", "wrong.toml"][..], &["config", "show", "--config", "wrong.toml"]] {
            let refused = installation.run(command).await;
            assert_eq!(refused.status.code(), Some(2), "{command:?}: {}", refused.stdout);
            for part in &expected {
                assert!(refused.stderr.contains(part.as_str()), "{part} is not in: {}", refused.stderr);
            }
        }
    }
    let installation = installation.set("KAFKA__SETTINGS__ENABLE_AUTO_COMMIT", "true");
    let refused = installation.run(&["serve"]).await;
    assert!(!refused.status.success() && refused.stderr.contains("enable.auto.commit"), "{}", refused.stderr);
}

/// Two servers on one folder would be two writers of one broker. SQL works without a server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_is_refused_and_sql_needs_none() {
    let installation = Installation::new().await;
    assert_eq!(
        installation.number("SELECT count(*) AS n FROM archive.events").await,
        0,
        "before any event is archived"
    );
    let server = installation.serve().await;
    let second = installation.run(&["serve"]).await;
    assert_eq!(second.status.code(), Some(1), "{}", second.stderr);
    assert_eq!(installation.number("SELECT count(*) AS n FROM archive.sessions").await, 0);
    stop(server).await;
    let wrong = installation.run(&["sql", "SELECT nothing FROM archive.events"]).await;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(wrong.stderr.contains("nothing"), "{}", wrong.stderr);
    for statement in ["DROP TABLE archive.events", "DELETE FROM archive.events", "COPY archive.events TO 'x.csv'"] {
        let refused = installation.run(&["sql", statement]).await;
        assert_eq!(refused.status.code(), Some(1), "{statement}");
        assert!(refused.stderr.contains("read-only"), "{}", refused.stderr);
    }
}

/// The demo ends by itself, and SQL counts what it reports. The same seed generates the same sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_reports_what_sql_counts() {
    let facts = async |seed: &str| {
        let installation = Installation::empty();
        let arguments = ["demo", "--dir", ".", "--exit", "--sessions", "20", "--seed", seed, "--json"];
        let output = installation.program.run(&arguments, TIMEOUT).await.unwrap().success();
        let facts: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error} in {output}"));
        (installation, facts)
    };
    let (installation, first) = facts("7").await;
    let count = |name: &str| first[name].as_i64().unwrap_or_else(|| panic!("no {name} in {first}"));
    assert_eq!(count("sessions"), 20);
    assert_eq!(count("dead_letters"), 0);
    for (name, statement) in [
        ("messages", "SELECT count(*) AS n FROM archive.events"),
        ("chat_lines", "SELECT count(*) AS n FROM archive.chat_lines"),
        ("chunks", "SELECT count(*) AS n FROM archive.events WHERE type = 'recording.chunk'"),
        ("recordings", "SELECT count(*) AS n FROM archive.recordings"),
        ("sessions", "SELECT count(*) AS n FROM archive.sessions WHERE requested_at IS NOT NULL"),
        ("started", "SELECT count(*) AS n FROM archive.sessions WHERE started_at IS NOT NULL"),
        ("broken_off", "SELECT count(*) AS n FROM archive.sessions WHERE broken_off"),
    ] {
        assert_eq!(installation.number(statement).await, count(name), "{name}");
    }
    let session = installation.sql("SELECT session FROM archive.sessions ORDER BY events DESC, session LIMIT 1").await;
    let session = session[0]["session"].as_str().unwrap();
    let timeline = installation.run(&["session", session]).await.success();
    assert!(timeline.contains(session), "{timeline}");

    // Complete sessions, and one that broke off. The manager's key opens only the operational tier.
    let check = async |condition: &str, identity: &str| {
        let statement = format!("SELECT session FROM archive.sessions WHERE {condition} ORDER BY last_time LIMIT 1");
        let session = installation.sql(&statement).await;
        let session = session[0]["session"].as_str().unwrap();
        let output = installation.run(&["session", session, "--completeness", "--json", "--identity", identity]).await;
        let found: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error} in {output:?}"));
        assert_eq!((output.stderr.as_str(), &found["session"]), ("", &session.into()));
        (output.status.code(), found["verdict"].clone(), found["state"].clone())
    };
    let (all, operational) = ("secrets/compliance.identity", "secrets/manager.identity");
    for (condition, identity, expected) in [
        ("recordings > 0 AND ended_at IS NOT NULL", all, (0, "complete", "ended")),
        ("recordings > 0 AND ended_at IS NOT NULL", operational, (0, "complete", "ended")),
        ("state = 'abandoned'", operational, (0, "complete", "abandoned")),
        ("broken_off", operational, (1, "incomplete", "broken_off")),
    ] {
        let (code, verdict, state) = expected;
        let expected = (Some(code), verdict.into(), state.into());
        assert_eq!(check(condition, identity).await, expected, "{condition}, {identity}");
    }
    let unknown = installation.run(&["session", "s-unknown", "--completeness"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("there is no event of a session `s-unknown`"), "{}", unknown.stderr);

    // Texts and numbers depend on the seed, times on the clock.
    let counts_by_type =
        "SELECT type, count(*) AS n FROM archive.events WHERE source LIKE '%' GROUP BY type ORDER BY type";
    let (again, second) = facts("7").await;
    let (other, third) = facts("8").await;
    let names = ["sessions", "started", "chat_lines", "tickets", "recordings"];
    for name in names {
        assert_eq!(first[name], second[name], "{name}");
    }
    let counted = installation.sql(counts_by_type).await;
    assert_eq!(counted, again.sql(counts_by_type).await);
    assert_ne!(counted, other.sql(counts_by_type).await);
    assert!(names.iter().any(|name| first[name] != third[name]));
    // The text for people, in a folder that has a demo already.
    let page = installation.run(&["demo", "--dir", ".", "--exit", "--sessions", "3"]).await.success();
    assert!(page.contains("holdfast sql") || page.contains(" sql "), "it prints commands to try next: {page}");
}

//! Who can read: servers need no private key, managers see what is theirs, and nobody without a key sees anything.

use crate::place::{Place, stop};
use crate::sender::{Sender, chat};

/// With every private key away, a server takes in and archives; with the keys back, everything can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_private_keys_archives() {
    let place = Place::new().await;
    let away = tempfile::tempdir().unwrap();
    let identities: Vec<_> = std::fs::read_dir(place.path().join("secrets"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "identity"))
        .collect();
    assert_eq!(identities.len(), 2);
    for path in &identities {
        std::fs::rename(path, away.path().join(path.file_name().unwrap())).unwrap();
    }

    let server = place.serve().await;
    let sender = Sender::new(&place);
    let events: Vec<_> =
        (0..30).map(|number| chat(&format!("sealed-{number}"), "s-sealed", number, "for some eyes only")).collect();
    sender.batch(&events).await;
    sender.chunk("s-sealed", "r-sealed", 0, vec![42; 10_000]).await;
    stop(server).await;

    let refused = place.run(&["sql", "SELECT count(*) FROM archive.events"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stdout);
    assert!(refused.stderr.contains("your keys do not open the operational tier"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--identity"), "it says what to do: {}", refused.stderr);

    for path in &identities {
        std::fs::rename(away.path().join(path.file_name().unwrap()), path).unwrap();
    }
    assert_eq!(place.number("SELECT count(*) AS n FROM archive.events").await, 31);
    let texts = place.sql("SELECT text FROM archive.chat_lines").await;
    assert!(texts.len() == 30 && texts.iter().all(|row| row["text"] == "for some eyes only"), "{texts:?}");
}

/// A manager's key opens the operational tier: the rest is NULL with a notice, and nothing can be computed with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_sees_no_content() {
    let place = Place::new().await;
    let server = place.serve().await;
    let events: Vec<_> = (0..5).map(|number| chat(&format!("m-{number}"), "s-m", number, "not for managers")).collect();
    Sender::new(&place).batch(&events).await;
    // A stop leaves to the next start what Kafka has and the archiver has not read; here all of it is wanted.
    for _ in 0..60 {
        let counted = place.run(&["sql", "SELECT count(*) AS n FROM archive.chat_lines", "--format", "json"]).await;
        if counted.stdout.trim() == r#"[{"n":5}]"# {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    stop(server).await;

    let manager = place.secret("manager.identity").display().to_string();
    let ask = async |statement: &str| place.run(&["sql", statement, "--identity", &manager, "--format", "json"]).await;
    let shown = ask("SELECT seq, sender, text FROM archive.chat_lines ORDER BY seq").await;
    assert!(shown.stderr.contains("text") && shown.stderr.contains("content"), "a notice names both: {}", shown.stderr);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&shown.success()).unwrap();
    assert_eq!(rows.len(), 5);
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(*row, serde_json::json!({"seq": number, "sender": "customer", "text": null}));
    }
    for statement in [
        "SELECT seq FROM archive.chat_lines WHERE text LIKE '%not%'",
        "SELECT count(text) FROM archive.chat_lines",
        "SELECT seq FROM archive.chat_lines ORDER BY text",
        "SELECT count(*) FROM archive.events WHERE data IS NULL",
    ] {
        let refused = ask(statement).await;
        assert_eq!(refused.status.code(), Some(1), "{statement}: {}", refused.stdout);
        assert!(refused.stderr.contains("content"), "{statement}: {}", refused.stderr);
        assert!(!refused.stdout.contains("not for managers") && !refused.stderr.contains("not for managers"));
    }
    let counted = ask("SELECT count(*) AS n FROM archive.chat_lines WHERE sender = 'customer'").await;
    assert_eq!(counted.success().trim(), r#"[{"n":5}]"#);
}

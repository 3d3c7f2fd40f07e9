//! Keys: a server archives without private keys, a manager's key opens the operational tier, and without a key nothing
//! is readable.

use crate::installation::{Installation, stop};
use crate::sender::{Sender, chat};

/// Without the private keys, a server accepts and archives events. With the keys, everything can be read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_private_keys_archives() {
    let installation = Installation::new().await;
    let away = tempfile::tempdir().unwrap();
    let identities: Vec<_> = std::fs::read_dir(installation.path().join("secrets"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "identity"))
        .collect();
    assert_eq!(identities.len(), 2);
    for path in &identities {
        std::fs::rename(path, away.path().join(path.file_name().unwrap())).unwrap();
    }

    let server = installation.serve().await;
    let sender = Sender::new(&installation);
    let events: Vec<_> =
        (0..30).map(|number| chat(&format!("sealed-{number}"), "s-sealed", number, "for some eyes only")).collect();
    sender.batch(&events).await;
    sender.chunk("s-sealed", "r-sealed", 0, vec![42; 10_000]).await;
    stop(server).await;

    let refused = installation.run(&["sql", "SELECT count(*) FROM archive.events"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stdout);
    assert!(refused.stderr.contains("your keys do not open the operational tier"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--identity"), "the error advises what to do: {}", refused.stderr);

    for path in &identities {
        std::fs::rename(away.path().join(path.file_name().unwrap()), path).unwrap();
    }
    assert_eq!(installation.number("SELECT count(*) AS n FROM archive.events").await, 31);
    let texts = installation.sql("SELECT text FROM archive.chat_lines").await;
    assert!(texts.len() == 30 && texts.iter().all(|row| row["text"] == "for some eyes only"), "{texts:?}");
}

/// A manager's key opens the operational tier. Withheld columns are NULL with a notice, and cannot be used in
/// expressions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_is_withheld_from_a_manager() {
    let installation = Installation::new().await;
    let server = installation.serve().await;
    let events: Vec<_> = (0..5).map(|number| chat(&format!("m-{number}"), "s-m", number, "not for managers")).collect();
    Sender::new(&installation).batch(&events).await;
    // At a stop, messages that the archiver has not read stay in Kafka until the next start. This test needs all of
    // them.
    for _ in 0..60 {
        let counted =
            installation.run(&["sql", "SELECT count(*) AS n FROM archive.chat_lines", "--format", "json"]).await;
        if counted.stdout.trim() == r#"[{"n":5}]"# {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    stop(server).await;

    let manager = installation.secret("manager.identity").display().to_string();
    let query =
        async |statement: &str| installation.run(&["sql", statement, "--identity", &manager, "--format", "json"]).await;
    let shown = query("SELECT seq, sender, text FROM archive.chat_lines ORDER BY seq").await;
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
        let refused = query(statement).await;
        assert_eq!(refused.status.code(), Some(1), "{statement}: {}", refused.stdout);
        assert!(refused.stderr.contains("content"), "{statement}: {}", refused.stderr);
        assert!(!refused.stdout.contains("not for managers") && !refused.stderr.contains("not for managers"));
    }
    let counted = query("SELECT count(*) AS n FROM archive.chat_lines WHERE sender = 'customer'").await;
    assert_eq!(counted.success().trim(), r#"[{"n":5}]"#);
}

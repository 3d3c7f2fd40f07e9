//! What the demo prints: what was archived, the results of a few queries, and commands to try next.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use futures::TryStreamExt;
use holdfast_archive::{Archive, Table};
use holdfast_demo::Summary;
use holdfast_query::Session;
use object_store::ObjectStore as _;
use object_store::path::Path;
use serde::Serialize;
use serde_json::Value;

use crate::cli::output::shell_path;
use crate::config::Settings;
use crate::render::answer;
use crate::render::table::TableWriter;
use crate::render::text::{bytes, count, counted, duration};

/// The paths that the printed commands name, and how the page is laid out.
pub(super) struct Locations {
    pub(super) program: String,
    pub(super) config: PathBuf,
    pub(super) secrets: PathBuf,
    pub(super) width: Option<usize>,
    pub(super) is_coloured: bool,
}

/// Counts and sizes of what was archived.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    messages: u64,
    sessions: u64,
    started: u64,
    not_started: u64,
    broken_off: u64,
    tickets: u64,
    chat_lines: u64,
    recordings: u64,
    chunks: u64,
    /// Bytes of the messages in Kafka.
    event_bytes: u64,
    recording_bytes: u64,
    /// From the first message sent until the last one was archived.
    seconds: f64,
    /// URL of the archive. The numbers below are of the whole archive, earlier runs included.
    archive: String,
    archived_events: u64,
    event_files: u64,
    event_file_bytes: u64,
    recording_objects: u64,
    recording_object_bytes: u64,
    dead_letters: u64,
}

/// Collects the numbers.
pub(super) async fn facts(archive: &Archive, summary: &Summary, seconds: f64) -> anyhow::Result<Facts> {
    let events = archive.table(Table::Events).snapshot().await?;
    let letters = archive.table(Table::DeadLetters).snapshot().await?;
    let recordings = archive
        .store()
        .list(Some(&Path::from("recordings")))
        .try_fold((0, 0), |(objects, size), object| async move { Ok((objects + 1, size + object.size)) })
        .await
        .context("list the recordings")?;
    Ok(Facts {
        messages: summary.messages,
        sessions: summary.sessions,
        started: summary.started,
        not_started: summary.not_started,
        broken_off: summary.broken_off,
        tickets: summary.tickets,
        chat_lines: summary.chat_lines,
        recordings: summary.recordings,
        chunks: summary.chunks,
        event_bytes: summary.event_bytes,
        recording_bytes: summary.recording_bytes,
        seconds,
        archive: archive.url().to_string(),
        archived_events: events.files.iter().map(|file| file.rows).sum(),
        event_files: events.files.len() as u64,
        event_file_bytes: events.files.iter().map(|file| file.size).sum(),
        recording_objects: recordings.0,
        recording_object_bytes: recordings.1,
        dead_letters: letters.files.iter().map(|file| file.rows).sum(),
    })
}

/// The whole page, as text.
pub(super) async fn page(
    caller: &Session,
    facts: &Facts,
    summary: &Summary,
    locations: &Locations,
) -> anyhow::Result<String> {
    let mut page = archived(facts, summary, locations);
    let chosen = choose(caller).await?;
    for (title, sql) in statements(chosen.as_ref()) {
        page.push_str(&heading(&title, locations));
        page.push_str(&table(caller, &sql, locations).await?);
    }
    page.push_str(&next(chosen.as_ref(), locations));
    Ok(page)
}

fn heading(title: &str, locations: &Locations) -> String {
    if locations.is_coloured { format!("\n\x1b[1m{title}\x1b[0m\n\n") } else { format!("\n{title}\n\n") }
}

/// What went through Kafka, and what is stored on disk.
fn archived(facts: &Facts, summary: &Summary, locations: &Locations) -> String {
    let mut page = heading(
        &format!(
            "{} of {} went through Kafka into the archive in {}.",
            counted(facts.messages, "message", "messages"),
            counted(facts.sessions, "session", "sessions"),
            duration(facts.seconds)
        ),
        locations,
    );
    let mut line = |label: &str, words: String| page.push_str(&format!("  {label:16}{words}\n"));
    line(
        "sessions",
        format!(
            "{} started, of which {} broke off; {} never started",
            count(facts.started),
            count(facts.broken_off),
            count(facts.not_started)
        ),
    );
    line("chat lines", count(facts.chat_lines));
    line("ratings", count(summary.ratings.iter().sum()));
    line(
        "recordings",
        format!(
            "{} in {}, {}",
            count(facts.recordings),
            counted(facts.chunks, "chunk", "chunks"),
            bytes(facts.recording_bytes)
        ),
    );
    line("tickets", count(facts.tickets));
    line("SQL counts", "the same, by every type of event and every rating".to_owned());
    line("on disk", facts.archive.clone());
    line(
        "",
        format!(
            "{} in {}, {}: {:.0} bytes an event, encrypted",
            counted(facts.archived_events, "event", "events"),
            counted(facts.event_files, "Parquet file", "Parquet files"),
            bytes(facts.event_file_bytes),
            facts.event_file_bytes as f64 / facts.archived_events.max(1) as f64,
        ),
    );
    line(
        "",
        format!(
            "{} of recordings, {}",
            counted(facts.recording_objects, "age object", "age objects"),
            bytes(facts.recording_object_bytes)
        ),
    );
    line("dead letters", count(facts.dead_letters));
    page
}

/// Sessions for the examples.
struct Chosen {
    /// A session that ended and has a chat.
    ended: String,
    /// A complete recording of that session.
    recording: Option<String>,
    /// A session that broke off.
    broken_off: Option<String>,
}

async fn choose(caller: &Session) -> anyhow::Result<Option<Chosen>> {
    let one = async |sql: &str| -> anyhow::Result<Option<serde_json::Map<String, Value>>> {
        Ok(answer::objects(caller.sql(sql).await?).await?.into_iter().next())
    };
    // Preferably in English, then with a recording, then with a rating.
    let ended = one("SELECT s.session, r.recording FROM archive.sessions s \
         JOIN (SELECT session, min(lang) AS lang FROM archive.chat_lines GROUP BY session) l ON l.session = s.session \
         LEFT JOIN (SELECT session, min(recording_id) AS recording FROM archive.recordings WHERE complete GROUP BY session) r \
         ON r.session = s.session \
         WHERE s.state = 'ended' AND s.chat_lines BETWEEN 6 AND 30 \
         ORDER BY l.lang = 'en' DESC, r.recording IS NOT NULL DESC, s.rating IS NOT NULL DESC, s.started_at DESC LIMIT 1");
    let ended = ended.await?;
    let broken_off = one(
        "SELECT session FROM archive.sessions WHERE broken_off ORDER BY recordings DESC, chat_lines DESC, session LIMIT 1",
    );
    let broken_off = broken_off.await?.and_then(|row| Some(row.get("session")?.as_str()?.to_owned()));
    Ok(ended.and_then(|row| {
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Chosen { ended: text("session")?, recording: text("recording"), broken_off })
    }))
}

/// The example queries: title and SQL of each.
fn statements(chosen: Option<&Chosen>) -> Vec<(String, String)> {
    let mut statements = vec![(
        "Ratings by agent".to_owned(),
        "SELECT agent, count(*) AS sessions, round(avg(handled) / 60, 1) AS minutes, count(rating) AS rated, \
         round(avg(rating), 2) AS rating, count(*) FILTER (WHERE broken_off) AS broken_off \
         FROM archive.sessions WHERE started_at IS NOT NULL AND agent IS NOT NULL \
         GROUP BY agent ORDER BY rating DESC NULLS LAST, agent LIMIT 8"
            .to_owned(),
    )];
    if let Some(chosen) = chosen {
        let session = crate::wiring::query::literal(&chosen.ended);
        statements.push((
            format!("The first lines of the chat of {}", chosen.ended),
            format!(
                "SELECT to_char(time, 'HH24:MI:SS') AS time, sender, \
                 CASE WHEN redacted THEN '[redacted: ' || redaction_reason || ']' ELSE text END AS text \
                 FROM archive.chat_lines WHERE session = {session} ORDER BY seq LIMIT 6"
            ),
        ));
    }
    statements.push((
        "Sessions that broke off".to_owned(),
        "SELECT session, agent, customer, started_at, chat_lines, recordings FROM archive.sessions \
         WHERE broken_off ORDER BY recordings DESC, started_at DESC, session LIMIT 4"
            .to_owned(),
    ));
    statements.push((
        "Recordings, complete and incomplete".to_owned(),
        "SELECT complete, count(*) AS recordings, sum(chunks) AS chunks, sum(bytes) AS bytes, \
         sum(missing_chunks) AS missing FROM archive.recordings GROUP BY complete ORDER BY complete DESC"
            .to_owned(),
    ));
    statements
}

async fn table(caller: &Session, sql: &str, locations: &Locations) -> anyhow::Result<String> {
    let result = caller.sql(sql).await?;
    let schema = result.schema.clone();
    let mut out = Vec::new();
    let limit = locations.width.map(|width| width.saturating_sub(2));
    let mut writer = TableWriter::new(&mut out, &schema, limit, locations.is_coloured);
    for batch in result.collect().await? {
        writer.write(&batch)?;
    }
    writer.finish()?;
    Ok(String::from_utf8_lossy(&out).lines().map(|line| format!("  {line}\n")).collect())
}

/// Commands that can be copied and run as they are printed.
fn next(chosen: Option<&Chosen>, locations: &Locations) -> String {
    let Locations { program, .. } = locations;
    let config = format!("--config {}", shell_path(&locations.config));
    let mut page = heading("Try next", locations);
    let mut command = |why: &str, command: String| page.push_str(&format!("  # {why}\n  {command}\n"));
    if let Some(chosen) = chosen {
        command("the time line of one session", format!("{program} session {} {config}", chosen.ended));
        if let Some(recording) = &chosen.recording {
            command(
                "its recording, decrypted, to play in a browser",
                format!("{program} session {} {config} --recording {recording} --out recording.webm", chosen.ended),
            );
        }
        if let Some(broken_off) = &chosen.broken_off {
            command("a session that broke off", format!("{program} session {broken_off} {config}"));
        }
    }
    command(
        "a query of your own; SHOW TABLES lists the tables",
        format!("{program} sql {config} \"SELECT agent, avg(rating) FROM archive.sessions GROUP BY agent\""),
    );
    command(
        "as a support manager, who has no key to the content tier",
        format!(
            "{program} sql {config} --identity {} \"SELECT time, sender, text FROM archive.chat_lines LIMIT 5\"",
            shell_path(&locations.secrets.join("manager.identity"))
        ),
    );
    command("lag, freshness, size", format!("{program} status {config}"));
    page
}

/// What is printed when the demo goes on serving: how to send an event, and the address.
pub(super) fn serving(http: SocketAddr, settings: &Settings) -> String {
    let token = settings
        .config
        .gateway
        .token_file
        .get()
        .map(|path| format!("$(cat {})", shell_path(&settings.resolve(path))))
        .unwrap_or_else(|| "$TOKEN".to_owned());
    let scheme = if settings.config.gateway.tls_certificate_file.get().is_some() { "https" } else { "http" };
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let event = format!(
        r#"{{"specversion":"1.0","id":"1","source":"me","type":"chat.line","subject":"s-hello","time":"{now}","data":{{"seq":0,"sender":"customer","text":"Hello"}}}}"#
    );
    format!(
        "  # send an event of your own; SQL finds it some seconds later\n  \
         curl -H \"Authorization: Bearer {token}\" -H 'Content-Type: application/cloudevents+json' \\\n    \
         {scheme}://{http}/v1/events -d '{event}'\n\n\
         Serving on {scheme}://{http} (also /metrics, /healthz, /readyz) until Ctrl-C.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_configuration() {
        let locations = Locations {
            program: "holdfast".to_owned(),
            config: PathBuf::from("my demo/holdfast.toml"),
            secrets: PathBuf::from("my demo/secrets"),
            width: None,
            is_coloured: false,
        };
        let chosen = Chosen { ended: "s-1".to_owned(), recording: Some("r-1".to_owned()), broken_off: None };
        let text = next(Some(&chosen), &locations);
        assert!(text.contains("  holdfast session s-1 --config 'my demo/holdfast.toml'\n"), "{text}");
        assert!(text.contains("--identity 'my demo/secrets/manager.identity'"), "{text}");
        assert!(text.contains("--recording r-1 --out recording.webm"), "{text}");
        assert!(next(None, &locations).contains("holdfast status"), "{text}");
    }
}

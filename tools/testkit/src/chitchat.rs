//! A real chat corpus as CloudEvents: public conversations with times and ratings, fetched and never committed.
//!
//! The script that fetches and converts it is beside the clone, not in it: in `$HOLDFAST_SHARED`, or else in `../shared`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::{Error, tools};

const PART: &str = "the chitchat corpus";
const SCRIPT: &str = "data/chitchat/chitchat_to_cloudevents.py";

/// The corpus, or the first part of it.
#[derive(Debug, Clone)]
pub struct Chitchat {
    /// CloudEvents in structured mode, one a line, session after session.
    pub events_path: PathBuf,
    /// The counts from the script.
    pub summary: Summary,
}

/// Counts of the events, by the script and not by the code under test.
#[derive(Debug, Clone, Deserialize)]
pub struct Summary {
    /// Sessions.
    pub sessions: u64,
    /// Events, of all types.
    pub events: u64,
    /// Events of type `chat.line`.
    pub chat_lines: u64,
    /// Events of type `survey.submitted`.
    pub surveys: u64,
    /// The earliest time, as the events have it (RFC 3339).
    pub first: String,
    /// The latest time.
    pub last: String,
    /// How many surveys gave each rating; the key is `"1"` to `"5"`.
    pub ratings: BTreeMap<String, u64>,
    /// By session id, the lower-case hex SHA-256 over its chat lines, each `sender TAB text NEWLINE`, in order of `seq`.
    pub transcript_sha256: BTreeMap<String, String>,
}

/// Fetches the corpus, unless it was fetched before. `conversations` limits it to the first ones; `None` takes all 7,168.
///
/// # Errors
///
/// [`Error::Unavailable`] without the script, Python or the corpus' package; [`Error::Unreadable`] if the script's summary has
/// another form.
pub fn fetch(conversations: Option<u32>) -> Result<Chitchat, Error> {
    let script = shared().join(SCRIPT);
    let source =
        std::fs::read(&script).map_err(|error| Error::unavailable(PART, format!("{}: {error}", script.display())))?;
    let python = tools::command("python3").map_err(|_| Error::unavailable(PART, "its script needs python3"))?;

    // Named by a hash of the script, so that a changed script does not use the output of an older one.
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    let amount = conversations.map_or_else(|| "all".to_owned(), |count| count.to_string());
    let parent = tools::cache().join("chitchat-events");
    let folder = parent.join(format!("{amount}-{:016x}", hasher.finish()));
    if !folder.join("summary.json").is_file() {
        std::fs::create_dir_all(&parent).map_err(Error::io("make", &parent))?;
        let work = tempfile::tempdir_in(&parent).map_err(Error::io("make", &parent))?;
        run(&python, &script, work.path(), conversations)?;
        publish(work, &folder)?;
    }
    let path = folder.join("summary.json");
    let summary = std::fs::read(&path).map_err(Error::io("read", &path))?;
    let summary =
        serde_json::from_slice(&summary).map_err(|error| Error::Unreadable { path, reason: error.to_string() })?;
    Ok(Chitchat { events_path: folder.join("events.jsonl"), summary })
}

/// The shared folder beside the clone.
fn shared() -> PathBuf {
    match std::env::var_os("HOLDFAST_SHARED").filter(|value| !value.is_empty()) {
        Some(shared) => PathBuf::from(shared),
        None => tools::workspace().join("../shared"),
    }
}

fn run(python: &Path, script: &Path, out: &Path, conversations: Option<u32>) -> Result<(), Error> {
    let mut command = Command::new(python);
    command.arg(script).arg(out).stdin(Stdio::null());
    if let Some(count) = conversations {
        command.arg("--conversations").arg(count.to_string());
    }
    let output = command.output().map_err(Error::io("start", python))?;
    if output.status.success() {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stderr);
    let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(Error::unavailable(PART, format!("{} ended with {}: {last}", script.display(), output.status)))
}

/// Moves the finished folder into its place in one step, because tests in other processes use the same place.
fn publish(work: tempfile::TempDir, folder: &Path) -> Result<(), Error> {
    let work = work.keep();
    if let Err(error) = std::fs::rename(&work, folder) {
        let _ = std::fs::remove_dir_all(&work);
        // Another process was faster; its files are the same.
        if !folder.join("summary.json").is_file() {
            return Err(Error::io("move", folder)(error));
        }
    }
    Ok(())
}

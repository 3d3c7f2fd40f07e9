//! `holdfast session ID`: reads the events of a session, and prints its time line.
//!
//! ```text
//! archive.sessions ────┐               ┌▶ holdfast_timeline::timeline ─▶ page: text for people
//! archive.recordings ──┼─▶ rows, facts ┤
//! timeline.sql ────────┘               └▶ redact ─▶ one JSON object
//! ```

mod describe;
mod page;

use holdfast_query::Notice;
use holdfast_timeline::{EventRow, Facts, Withheld, redact, timeline};
use serde::Serialize;

use super::facts;
use super::rows::Row;
use crate::render::answer;
use crate::wiring::query::literal;

/// What was read of a session.
#[derive(Debug)]
pub(super) struct SessionRows {
    session: String,
    summary: Row,
    recordings: Vec<Row>,
    events: Vec<EventRow>,
    notices: Vec<Notice>,
}

/// A session for machines.
#[derive(Debug, Serialize)]
struct SessionJson {
    session: String,
    /// The row of `archive.sessions`.
    summary: Row,
    /// The rows of `archive.recordings`.
    recordings: Vec<Row>,
    /// The events in order, each once. `data` is parsed if it is JSON; the text of a redacted chat line is left out.
    events: Vec<Row>,
    /// The columns that the caller's keys do not open.
    notices: Vec<String>,
}

/// Reads the session `id`. `None` if it has no event that the caller may read.
pub(super) async fn read(caller: &holdfast_query::Session, id: &str) -> anyhow::Result<Option<SessionRows>> {
    let result = holdfast_query::timeline(caller, id).await?;
    let notices = result.notices.clone();
    let events = answer::objects(result).await?;
    if events.is_empty() {
        return Ok(None);
    }
    let events = events.into_iter().map(facts::event).collect::<anyhow::Result<_>>()?;
    let of = |view: &str, order: &str| {
        format!("SELECT * FROM archive.{view} WHERE session = {} ORDER BY {order}", literal(id))
    };
    let summary = answer::objects(caller.sql(&of("sessions", "session")).await?).await?.pop().unwrap_or_default();
    let recordings = answer::objects(caller.sql(&of("recordings", "recording_id")).await?).await?;
    Ok(Some(SessionRows { session: id.to_owned(), summary, recordings, events, notices }))
}

impl SessionRows {
    /// Events, each counted once.
    pub(super) fn events(&self) -> u64 {
        self.events.len() as u64
    }

    /// For machines.
    pub(super) fn into_json(self) -> impl Serialize {
        let Self { session, summary, recordings, mut events, notices } = self;
        redact(&mut events);
        SessionJson {
            session,
            summary,
            recordings,
            events: events.into_iter().map(|event| event.columns).collect(),
            notices: notices.iter().map(ToString::to_string).collect(),
        }
    }

    /// For people. `limit` is the terminal's width.
    pub(super) fn into_text(self, limit: Option<usize>, is_coloured: bool) -> anyhow::Result<String> {
        let Self { session, summary, recordings, events, notices } = self;
        let time_line = timeline(Facts {
            session,
            summary: facts::summary(&summary)?,
            recordings: recordings.iter().map(facts::recording).collect(),
            events,
            withheld: notices.iter().map(withheld).collect(),
        });
        let notices: Vec<String> = notices.iter().map(ToString::to_string).collect();
        Ok(page::text(&time_line, &notices, limit, is_coloured))
    }
}

fn withheld(notice: &Notice) -> Withheld {
    let (files, of_files) = notice.files;
    Withheld {
        column: notice.column.clone(),
        tier: notice.tier.to_string(),
        files: files as u64,
        of_files: of_files as u64,
    }
}

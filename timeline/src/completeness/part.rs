//! A part of a session.

use serde::Serialize;

use super::detail::Detail;
use super::status::Status;

/// The parts, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartName {
    /// `session.requested`.
    Request,
    /// `session.queued`.
    Queue,
    /// `session.started`.
    Start,
    /// `consent.recorded`.
    Consent,
    /// `session.joined` and `session.left`.
    Participants,
    /// `session.paused` and `session.resumed`.
    Pauses,
    /// `connection.lost` and `connection.restored`.
    Connection,
    /// `chat.line`.
    Chat,
    /// `recording.started`.
    RecordingStart,
    /// `recording.chunk`.
    RecordingChunks,
    /// `recording.paused` and `recording.resumed`.
    RecordingPauses,
    /// `recording.ended`.
    RecordingEnd,
    /// `session.ended`, or the event that ended the session before it started.
    End,
    /// `survey.submitted`.
    Survey,
    /// `diagnostics.collected`.
    Diagnostics,
    /// `file.sent` and `file.received`.
    Files,
}

impl PartName {
    /// The name, as it is serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Queue => "queue",
            Self::Start => "start",
            Self::Consent => "consent",
            Self::Participants => "participants",
            Self::Pauses => "pauses",
            Self::Connection => "connection",
            Self::Chat => "chat",
            Self::RecordingStart => "recording_start",
            Self::RecordingChunks => "recording_chunks",
            Self::RecordingPauses => "recording_pauses",
            Self::RecordingEnd => "recording_end",
            Self::End => "end",
            Self::Survey => "survey",
            Self::Diagnostics => "diagnostics",
            Self::Files => "files",
        }
    }
}

/// A part of a session, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Which part.
    pub part: PartName,
    /// The recording that it is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_id: Option<String>,
    /// Whether it is there.
    pub status: Status,
    /// Events that make it up, each counted once.
    pub events: u64,
    /// What there is of it, or why it is absent.
    pub detail: Detail,
}

impl Part {
    pub(super) fn new(part: PartName, status: Status, events: u64, detail: Detail) -> Self {
        Self { part, recording_id: None, status, events, detail }
    }

    /// A part of which there is no event.
    pub(super) fn absent(part: PartName, status: Status, detail: Detail) -> Self {
        Self::new(part, status, 0, detail)
    }
}

//! Looks at the archive, and their records.
//!
//! A look is one statement, view or export. Its record is two events: that it begins, which must stand before the first row is
//! given away, and how it ended. What was refused at the interface is a record as well.

use async_trait::async_trait;
use std::time::Duration;

/// Who looks, and through which interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedUser {
    /// The user's name.
    pub name: String,
    /// The user's role.
    pub role: String,
    /// Where the user came in.
    pub interface: Interface,
    /// The address at the other end, where there is one.
    pub remote: Option<String>,
}

/// A way into the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// The HTTP API.
    Http,
    /// The PostgreSQL wire protocol.
    Postgres,
    /// A command on the machine that holds the keys.
    CommandLine,
}

impl Interface {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Postgres => "postgres",
            Self::CommandLine => "cli",
        }
    }
}

/// What kind of look it is; the type of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessKind {
    /// A statement.
    #[default]
    Queried,
    /// The timeline of one session.
    Viewed,
    /// Something that leaves the archive as a file.
    Exported,
}

impl AccessKind {
    /// The type of the event, by the catalogue.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Queried => "archive.queried",
            Self::Viewed => "archive.viewed",
            Self::Exported => "archive.exported",
        }
    }
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRecord {
    /// Its kind.
    pub kind: AccessKind,
    /// The statement, or what was asked for.
    pub statement: String,
    /// What the user says that it is for.
    pub purpose: Option<String>,
}

/// How a look ended.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessEnd {
    /// Rows that were given away.
    pub rows: u64,
    /// Bytes that these take in memory.
    pub bytes: u64,
    /// How long it took.
    pub duration: Duration,
    /// How.
    pub outcome: Outcome,
    /// Of whom protected data was read: ids of sessions and of what else events are about.
    pub subjects: Subjects,
}

/// Whose data a look read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subjects {
    /// These.
    Of(Vec<String>),
    /// So many that they were not counted one by one: it counts as everybody.
    All,
}

/// How a look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All rows were given away.
    Complete,
    /// The user went away or cancelled.
    Cancelled,
    /// It failed on the way, or before the first row.
    Failed,
}

impl Outcome {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// What was refused at the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The name that was given, as far as one was.
    pub user: String,
    /// Where.
    pub interface: Interface,
    /// The address at the other end, where there is one.
    pub remote: Option<String>,
    /// Why, for who reads the records; the one who was refused is told less.
    pub reason: String,
}

/// The record could not be written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the record of this look could not be written: {0}")]
pub struct Unrecorded(pub String);

/// Names a look between its beginning and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessId(pub String);

/// Writes records where they stay. A record stands when the call returns.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// A look begins.
    async fn begin(&self, user: &AuthenticatedUser, record: &AccessRecord) -> Result<AccessId, Unrecorded>;

    /// A look has ended.
    async fn end(
        &self,
        user: &AuthenticatedUser,
        record: &AccessRecord,
        id: &AccessId,
        ending: &AccessEnd,
    ) -> Result<(), Unrecorded>;

    /// Somebody was refused.
    async fn denied(&self, denial: &Denial) -> Result<(), Unrecorded>;
}

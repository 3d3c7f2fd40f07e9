//! Access records, and the audit trail that they are written to.
//!
//! An access is one statement, view or export. Its record is two events: one that it has begun and what it may read,
//! which is written before the first row is returned, and one of how it ended and what it read. A refusal is a record as
//! well.

use crate::error::Unrecorded;
use crate::scan::{Reads, Subjects};
use async_trait::async_trait;
use std::time::Duration;

/// A user, and the interface that the user is connected through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedUser {
    /// The user's name.
    pub name: String,
    /// The user's role.
    pub role: String,
    /// The interface.
    pub interface: Interface,
    /// The client's address, if there is one.
    pub remote: Option<String>,
}

/// An interface of the archive.
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

/// The kind of an access, which is the type of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessKind {
    /// A statement.
    #[default]
    Queried,
    /// The time line of one session.
    Viewed,
    /// Data that leaves the archive as a file.
    Exported,
}

impl AccessKind {
    /// The type of the event, by the event catalogue.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Queried => "archive.queried",
            Self::Viewed => "archive.viewed",
            Self::Exported => "archive.exported",
        }
    }
}

/// One access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRecord {
    /// Its kind.
    pub kind: AccessKind,
    /// The statement, or a description of what is read.
    pub statement: String,
    /// Its purpose, in the user's words.
    pub purpose: Option<String>,
    /// What it may read.
    pub reads: Reads,
}

/// How an access ended.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessEnd {
    /// Rows that were returned.
    pub rows: u64,
    /// Bytes that these rows take in memory.
    pub bytes: u64,
    /// The time from the beginning to the end.
    pub duration: Duration,
    /// The outcome.
    pub outcome: Outcome,
    /// The subjects whose protected data was read.
    pub subjects: Subjects,
}

/// The outcome of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All rows were returned.
    Complete,
    /// The client disconnected or cancelled.
    Cancelled,
    /// It failed, before the first row or later.
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

/// A refusal at an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The name that the client gave, possibly empty.
    pub user: String,
    /// The interface.
    pub interface: Interface,
    /// The client's address, if there is one.
    pub remote: Option<String>,
    /// The reason, for readers of the audit trail. The client gets a shorter one.
    pub reason: String,
}

/// Names an access between its beginning and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessId(pub String);

/// Writes access records durably: a record is stored when the call returns.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Records that an access has begun.
    async fn begin(&self, user: &AuthenticatedUser, record: &AccessRecord) -> Result<AccessId, Unrecorded>;

    /// Records how an access ended.
    async fn end(
        &self,
        user: &AuthenticatedUser,
        record: &AccessRecord,
        id: &AccessId,
        ending: &AccessEnd,
    ) -> Result<(), Unrecorded>;

    /// Records a refusal.
    async fn denied(&self, denial: &Denial) -> Result<(), Unrecorded>;
}

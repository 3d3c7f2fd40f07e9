//! What can go wrong, by what the caller would do about it.
//!
//! Errors of the engine have neither codes nor words for people. `engine` finds their causes and says them as PostgreSQL does.

mod engine;
mod far_tables;
mod names;
mod planning;
mod position;
mod refine;
mod schema;
mod statement;
mod syntax;
mod types;
mod values;
mod wording;

pub(crate) use position::Positions;
pub use statement::StatementError;

use crate::bound::Bound;
use datafusion::error::DataFusionError;
use holdfast_archive::ArchiveError;
use holdfast_events::Tier;
use holdfast_sessions::SessionsError;
use std::sync::Arc;

/// What to do about a function that would make too much.
pub(crate) const SHORTER_RESULTS: &str = "ask for shorter results";
/// What to do about a function that would take too long.
pub(crate) const SHORTER_ARGUMENTS: &str = "call it with shorter texts, arrays or patterns";

/// Why a query failed. Cheap to clone.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// The statement is wrong: its syntax, a name, a type, a value at run time. The caller changes the statement.
    #[error(transparent)]
    Statement(Box<StatementError>),
    /// The statement exceeds a bound, so it is not planned. The caller changes the statement.
    #[error("{0}")]
    Bound(Bound),
    /// A function would take more memory or time than one call may.
    #[error("the function {function} would {what}: {what_to_do}")]
    Function {
        /// Its name.
        function: String,
        /// What it would do, with the bound.
        what: String,
        /// What to do.
        what_to_do: &'static str,
    },
    /// The statement computes with a column that the caller's keys do not open.
    #[error(
        "the column `{column}` is of the tier {tier}, which your keys do not open: it can be shown (as NULL), \
         but not filtered, joined, sorted, grouped or computed with"
    )]
    Withheld {
        /// The column by the name that the statement gives it.
        column: String,
        /// The tier whose key is missing.
        tier: Tier,
    },
    /// The caller's keys do not open the operational tier of files that the statement reads, so not even their rows
    /// can be counted.
    #[error(
        "your keys do not open the operational tier of class {class}, month {month}; ask a holder of \
         keys/operational/{class}/{month}.age, or narrow the query to other dates"
    )]
    NoKey {
        /// The retention class.
        class: String,
        /// The month, `YYYY-MM`.
        month: String,
    },
    /// The statement would change something.
    #[error("the archive is read-only: {0} is refused; use SELECT, EXPLAIN, SHOW or DESCRIBE")]
    ReadOnly(String),
    /// The statement exceeds its memory limit.
    #[error(
        "the query needs more than its {limit_mib} MiB of memory: select fewer rows or columns, narrow it by \
         subject, time or date, or raise the limit ({what})"
    )]
    Memory {
        /// The limit in MiB.
        limit_mib: usize,
        /// What ran out.
        what: String,
    },
    /// The statement was cancelled when the process came near its own limit: it held the most memory, or had executed the
    /// longest.
    #[error(
        "the statement was cancelled because the server was running out of memory, of which {held_mib} MiB were counted \
         for it: select fewer rows or columns, narrow it by subject, time or date, or try again later"
    )]
    OutOfMemory {
        /// What it held, in MiB, as far as it is counted.
        held_mib: usize,
    },
    /// The statement exceeds its time limit.
    #[error("the statement was cancelled because it exceeded its time limit; narrow it, or raise the limit")]
    TimedOut,
    /// The result exceeds its row limit.
    #[error("the result has more than {limit} rows; add a LIMIT or narrow it, or raise the limit")]
    TooManyRows {
        /// The limit.
        limit: u64,
    },
    /// Access is not granted, because its record would not hold it whole.
    #[error(
        "{what} takes more than the {limit_kib} KiB that the record of an access holds, so it is refused; make it shorter"
    )]
    NotRecordable {
        /// What is too long.
        what: &'static str,
        /// The limit in KiB.
        limit_kib: usize,
    },
    /// Access is not granted, because it cannot be recorded.
    #[error("{0}; no statement is executed without its record, so try again when Kafka is reachable")]
    Unrecorded(Unrecorded),
    /// A data file is not what the log says it is.
    #[error("the data file {file} is refused: {why}")]
    File {
        /// Its path, relative to the archive.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The sessions could not be brought up to date.
    #[error(transparent)]
    Sessions(Arc<SessionsError>),
    /// The archive could not be read.
    #[error(transparent)]
    Archive(Arc<ArchiveError>),
    /// The engine failed. The operator finds the reason in the log.
    #[error("{0}; try again, and tell the operator if it happens again")]
    Internal(String),
}

/// The audit trail could not write a record.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the record of this access could not be written: {0}")]
pub struct Unrecorded(pub String);

impl From<Bound> for QueryError {
    fn from(bound: Bound) -> Self {
        Self::Bound(bound)
    }
}

impl From<ArchiveError> for QueryError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(Arc::new(error))
    }
}

impl From<SessionsError> for QueryError {
    fn from(error: SessionsError) -> Self {
        match error {
            SessionsError::Archive(ArchiveError::NoKey { id }) => Self::NoKey { class: id.class, month: id.month },
            SessionsError::Archive(error) => error.into(),
            other => Self::Sessions(Arc::new(other)),
        }
    }
}

impl QueryError {
    /// With the position of the error in `statement`, the text as it was sent.
    #[must_use]
    pub fn located(self, statement: &str) -> Self {
        self.located_after(0, statement)
    }

    /// With the position of the error in a text of several statements, of which `statement` begins after `before` characters.
    #[must_use]
    pub fn located_after(self, before: usize, statement: &str) -> Self {
        match self {
            Self::Statement(error) => Self::Statement(Box::new(error.located_after(before, statement))),
            other => other,
        }
    }

    /// With its position in a text in which the statement begins after `before` more characters.
    #[must_use]
    pub fn moved(self, before: usize) -> Self {
        match self {
            Self::Statement(mut error) => {
                error.position = error.position.map(|position| position + before);
                Self::Statement(error)
            }
            other => other,
        }
    }

    /// With the nearest of `known` as a hint, if it is about a table that does not exist.
    pub(crate) fn with_nearest_relation(self, known: impl FnOnce() -> Vec<String>) -> Self {
        match self {
            Self::Statement(error) => Self::Statement(Box::new(error.with_nearest_relation(known))),
            other => other,
        }
    }

    /// Wraps the error so that DataFusion passes it on.
    pub(crate) fn through_engine(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }
}

impl From<StatementError> for QueryError {
    fn from(error: StatementError) -> Self {
        Self::Statement(Box::new(error))
    }
}

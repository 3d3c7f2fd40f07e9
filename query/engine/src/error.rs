//! What can go wrong, by what the caller would do about it.

use crate::access_record::Unrecorded;
use datafusion::error::DataFusionError;
use holdfast_archive::ArchiveError;
use holdfast_events::Tier;
use holdfast_sessions::SessionsError;
use std::error::Error;
use std::sync::Arc;

/// Why a query was not answered. Cheap to clone.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// The statement is wrong: its syntax, a name, a type, a value at run time. The caller changes the statement.
    #[error("{0}")]
    Statement(String),
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
    /// The statement needs more memory than it may have.
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
    /// The statement took longer than it may.
    #[error("the statement was cancelled because it took longer than it may; narrow it, or raise the time limit")]
    TimedOut,
    /// The answer has more rows than it may.
    #[error("the answer has more than {most} rows; add a LIMIT or narrow it, or raise the limit")]
    TooManyRows {
        /// The limit.
        most: u64,
    },
    /// The look cannot be had, because its record cannot be written.
    #[error("{0}; nothing is answered without it, so try again when Kafka is reachable")]
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
    /// Finds what happened in an error of the engine. `memory_limit` is in bytes.
    pub(crate) fn classify(error: DataFusionError, memory_limit: usize) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(current) = cause {
            if let Some(ours) = current.downcast_ref::<Self>() {
                return ours.clone();
            }
            if let Some(DataFusionError::ResourcesExhausted(what)) = current.downcast_ref::<DataFusionError>() {
                // The lines between list what else takes memory; the last says how much was asked for.
                let what = what.lines().last().unwrap_or_default().trim_start_matches("Error: ").to_owned();
                return Self::Memory { limit_mib: memory_limit >> 20, what };
            }
            // What an I/O error was made of is not its source, but the error itself.
            let inner = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            cause = match inner {
                Some(inner) => Some(inner),
                None => current.source(),
            };
        }
        Self::Statement(error.strip_backtrace())
    }

    /// The error as the engine passes it through.
    pub(crate) fn through_engine(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }
}

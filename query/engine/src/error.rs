//! What can go wrong, by what the caller would do about it.

use crate::bound::Bound;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use holdfast_archive::ArchiveError;
use holdfast_events::Tier;
use holdfast_sessions::SessionsError;
use std::error::Error;
use std::sync::Arc;

/// What to do about a function that would make too much.
pub(crate) const SHORTER_RESULTS: &str = "ask for shorter results";
/// What to do about a function that would take too long.
pub(crate) const SHORTER_ARGUMENTS: &str = "call it with shorter texts, arrays or patterns";

/// Why a query failed. Cheap to clone.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// The statement is wrong: its syntax, a name, a type, a value at run time. The caller changes the statement.
    #[error("{0}")]
    Statement(String),
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
    /// Finds the cause of an error of DataFusion. `memory_limit` is in bytes.
    pub(crate) fn classify(error: DataFusionError, memory_limit: usize) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(current) = cause {
            if let Some(ours) = current.downcast_ref::<Self>() {
                return ours.clone();
            }
            if let Some(ParserError::RecursionLimitExceeded) = current.downcast_ref::<ParserError>() {
                return Self::Bound(Bound::Nesting);
            }
            if let Some(DataFusionError::ResourcesExhausted(what)) = current.downcast_ref::<DataFusionError>() {
                // The lines before the last list the other consumers; the last names the failed request.
                let what = what.lines().last().unwrap_or_default().trim_start_matches("Error: ").to_owned();
                return Self::Memory { limit_mib: memory_limit >> 20, what };
            }
            // An I/O error does not return the error inside it as its source.
            let inner = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            cause = match inner {
                Some(inner) => Some(inner),
                None => current.source(),
            };
        }
        let text = error.strip_backtrace();
        Self::function_within(&text).unwrap_or(Self::Statement(text))
    }

    /// The refusal of a function that a filter of a scan called: the reader of Parquet keeps no more than the text of an error.
    fn function_within(text: &str) -> Option<Self> {
        let quoted = |field: &str| {
            let (_, rest) = text.split_once(&format!("{field}: \""))?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let of_filter = |error| text.contains(&format!("Error evaluating filter predicate: External({error} {{"));
        if of_filter("Memory") {
            let limit =
                text.split_once("limit_mib: ").and_then(|(_, rest)| rest.split([',', ' ']).next()?.parse().ok());
            return Some(Self::Memory { limit_mib: limit?, what: quoted("what")? });
        }
        let is_filter = of_filter("Function");
        let (function, what) = is_filter.then(|| Some((quoted("function")?, quoted("what")?)))??;
        let what_to_do = if what.starts_with("make") { SHORTER_RESULTS } else { SHORTER_ARGUMENTS };
        Some(Self::Function { function, what, what_to_do })
    }

    /// Wraps the error so that DataFusion passes it on.
    pub(crate) fn through_engine(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the reader of Parquet does it.
    fn through_a_filter(error: QueryError) -> DataFusionError {
        let error = error.through_engine();
        DataFusionError::Execution(format!("Parquet error: Error evaluating filter predicate: {error:?}"))
    }

    #[test]
    fn a_refusal_in_a_filter_of_a_scan_keeps_its_advice() {
        for (what, advice) in [("make more than 64 MiB at a time", SHORTER_RESULTS), ("take long", SHORTER_ARGUMENTS)] {
            let refused = QueryError::Function { function: "~".into(), what: what.into(), what_to_do: advice };
            let expected = refused.to_string();
            let found = QueryError::classify(through_a_filter(refused), 0);
            assert!(matches!(found, QueryError::Function { .. }), "{found:?}");
            assert_eq!(found.to_string(), expected);
        }
        let memory = QueryError::Memory { limit_mib: 512, what: "lower made 60 MiB".into() };
        let found = QueryError::classify(through_a_filter(memory), 0);
        assert!(
            matches!(&found, QueryError::Memory { limit_mib: 512, what } if what == "lower made 60 MiB"),
            "{found:?}"
        );
        let other = QueryError::classify(through_a_filter(QueryError::TimedOut), 0);
        assert!(matches!(other, QueryError::Statement(_)), "{other:?}");
    }
}

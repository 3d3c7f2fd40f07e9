//! What can go wrong between a statement and the CRM.
//!
//! Messages name the CRM's kind and host and what was asked of it. They never contain a credential, and never a value
//! of a row: a CRM's values are personal data, and messages end in logs.

use datafusion::error::DataFusionError;
use std::path::PathBuf;
use std::time::Duration;

/// Why a statement on the CRM's tables was not answered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CrmError {
    /// The configuration asks for something that cannot be.
    #[error("[crm] {setting}: {reason}")]
    Settings {
        /// The setting.
        setting: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// No connection could be made.
    #[error("{crm} cannot be reached: {reason}")]
    Unreachable {
        /// The CRM.
        crm: String,
        /// Why.
        reason: String,
    },
    /// The CRM took longer than it may.
    #[error("{crm} did not {doing} within {limit:?} (crm.timeout)")]
    TimedOut {
        /// The CRM.
        crm: String,
        /// What it was asked for, such as "answer".
        doing: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The CRM failed a moment ago and is left alone for another moment.
    #[error("{crm} is not asked again before {pause:?} have passed since this: {reason}")]
    Resting {
        /// The CRM.
        crm: String,
        /// How long it is left alone.
        pause: Duration,
        /// What happened before.
        reason: String,
    },
    /// The CRM did not let us in.
    #[error("{crm} refused the login: {reason}")]
    Refused {
        /// The CRM.
        crm: String,
        /// Why.
        reason: String,
    },
    /// The CRM could not answer a statement.
    #[error("{crm} failed to answer: {reason}")]
    Failed {
        /// The CRM.
        crm: String,
        /// Why.
        reason: String,
    },
    /// A mapped table is not there.
    #[error("crm.{name}: {crm} has no table {from} (or the user may not read it)")]
    NoTable {
        /// The CRM.
        crm: String,
        /// Our name of the table.
        name: String,
        /// Its name in the CRM.
        from: String,
    },
    /// A mapped column is not there.
    #[error("crm.{column}: the table {from} of {crm} has no column {missing:?}; it has {known}")]
    NoColumn {
        /// The CRM.
        crm: String,
        /// Our name of the column, with that of its table: `tickets.owner`.
        column: String,
        /// The table's name in the CRM.
        from: String,
        /// The column that was looked for.
        missing: String,
        /// The columns that are there.
        known: String,
    },
    /// A value is not what its column promises. The value itself is not told.
    #[error("the CRM's column {column:?} has a value that is no {wanted}")]
    Value {
        /// The column.
        column: String,
        /// What it should be.
        wanted: String,
    },
    /// A name or value cannot be written into the statement for the CRM without a doubt about where it ends.
    #[error("the statement cannot be sent to the CRM: {reason}")]
    Unsendable {
        /// Why.
        reason: String,
    },
    /// A file could not be read.
    #[error("crm.{name}: {doing} {}: {reason}", path.display())]
    File {
        /// Our name of the table.
        name: String,
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        reason: String,
    },
}

impl CrmError {
    /// Whether the CRM itself is in trouble, rather than this one statement.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { doing: CONNECT, .. })
    }

    /// As the engine carries it. [`CrmError::of`] finds it again.
    pub(crate) fn into_engine(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }

    /// The error of the CRM inside an error of the engine.
    #[must_use]
    pub fn of(error: &DataFusionError) -> Option<&Self> {
        match error.find_root() {
            DataFusionError::External(inner) => inner.downcast_ref(),
            _ => None,
        }
    }
}

/// The one thing that a [`CrmError::TimedOut`] can be about that says the CRM is down.
pub(crate) const CONNECT: &str = "accept a connection";

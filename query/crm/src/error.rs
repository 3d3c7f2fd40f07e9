//! Errors of statements on the CRM's tables.
//!
//! Messages name the kind and host of the CRM and the operation. They never contain a credential or a value of a row: the
//! values of a CRM are personal data, and messages are logged.

use datafusion::error::DataFusionError;
use std::path::PathBuf;
use std::time::Duration;

/// Why a statement on the CRM's tables failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CrmError {
    /// A setting is invalid.
    #[error("[crm] {setting}: {reason}")]
    Settings {
        /// The setting.
        setting: String,
        /// The problem and the remedy.
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
    /// An operation of the CRM timed out.
    #[error("{crm} did not {doing} within {limit:?} (crm.timeout)")]
    TimedOut {
        /// The CRM.
        crm: String,
        /// The operation, such as "answer".
        doing: &'static str,
        /// The timeout.
        limit: Duration,
    },
    /// The circuit breaker is open: the CRM failed a moment ago and is not queried for a while.
    #[error("{crm} is not queried for {pause:?} after this failure: {reason}")]
    CircuitOpen {
        /// The CRM.
        crm: String,
        /// How long the breaker stays open after a failure.
        pause: Duration,
        /// The failure.
        reason: String,
    },
    /// The CRM refused the login.
    #[error("{crm} refused the login: {reason}")]
    Refused {
        /// The CRM.
        crm: String,
        /// Why.
        reason: String,
    },
    /// The CRM could not execute a statement.
    #[error("{crm} failed to answer: {reason}")]
    Failed {
        /// The CRM.
        crm: String,
        /// Why.
        reason: String,
    },
    /// A mapped table does not exist.
    #[error("crm.{name}: {crm} has no table {from} (or the user may not read it)")]
    NoTable {
        /// The CRM.
        crm: String,
        /// Our name of the table.
        name: String,
        /// Its name in the CRM.
        from: String,
    },
    /// A mapped column does not exist.
    #[error("crm.{column}: the table {from} of {crm} has no column {missing:?}; it has {known}")]
    NoColumn {
        /// The CRM.
        crm: String,
        /// Our name of the column, with that of its table: `tickets.owner`.
        column: String,
        /// The table's name in the CRM.
        from: String,
        /// The missing column.
        missing: String,
        /// The columns of the table.
        known: String,
    },
    /// A value does not fit the type of its column. The message does not contain the value.
    #[error("the CRM's column {column:?} has a value that is not of type {wanted}")]
    Value {
        /// The column.
        column: String,
        /// The expected type.
        wanted: String,
    },
    /// A name or value of the statement cannot be quoted for the CRM unambiguously.
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
        /// The operation.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        reason: String,
    },
}

impl CrmError {
    /// Whether the CRM is down, rather than only this statement failed.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { doing: CONNECT, .. })
    }

    /// Wraps it in an error of the engine. [`CrmError::of`] finds it again.
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

/// The operation of a [`CrmError::TimedOut`] that means an outage of the CRM.
pub(crate) const CONNECT: &str = "accept a connection";

//! The errors of drivers, before they name the CRM.

use crate::error::CrmError;

/// Why a driver failed. Texts may still contain credentials.
#[derive(Debug)]
pub(crate) enum DriverError {
    Unreachable(String),
    ConnectTimedOut,
    StatementTimedOut,
    LoginRefused(String),
    NoTable,
    Failed(String),
    /// A value does not fit its column.
    Value(CrmError),
    /// The receiver of the rows was dropped.
    Cancelled,
}

impl From<CrmError> for DriverError {
    fn from(error: CrmError) -> Self {
        Self::Value(error)
    }
}

/// An error and its sources, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

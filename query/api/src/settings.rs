//! The settings of the HTTP API. Plain data.

use std::time::Duration;

/// What one caller, and all together, may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// Rows of an answer at most. A request may ask for fewer.
    pub most_rows: u64,
    /// Time that a statement may take at most, until its last row. A request may ask for less.
    pub most_time: Duration,
    /// Statements of one user that may run at once.
    pub most_statements_per_user: usize,
    /// Statements of all users that may run at once.
    pub most_statements: usize,
    /// Bytes of the body of a request: the statement with its parameters.
    pub max_body_bytes: usize,
    /// Bytes of the target and the headers of a request together.
    pub max_header_bytes: usize,
    /// Time in which a body must arrive.
    pub body_timeout: Duration,
    /// Time in which a reader must take the next part of an answer. Who takes longer is cut off.
    pub read_timeout: Duration,
    /// What `Retry-After` says.
    pub retry_after: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            most_rows: 10_000_000,
            most_time: Duration::from_secs(300),
            most_statements_per_user: 8,
            most_statements: 64,
            max_body_bytes: 1 << 20,
            max_header_bytes: 32 << 10,
            body_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(60),
            retry_after: Duration::from_secs(1),
        }
    }
}

/// Settings that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// A limit of nothing.
    #[error("http.{0} is 0; give it a positive number")]
    Zero(&'static str),
}

impl ApiSettings {
    pub(crate) fn validate(&self) -> Result<(), ApiError> {
        let zero = [
            ("most_rows", self.most_rows == 0),
            ("most_seconds", self.most_time.is_zero()),
            ("most_statements_per_user", self.most_statements_per_user == 0),
            ("most_statements", self.most_statements == 0),
            ("max_body_bytes", self.max_body_bytes == 0),
            ("max_header_bytes", self.max_header_bytes == 0),
            ("body_timeout_seconds", self.body_timeout.is_zero()),
            ("read_timeout_seconds", self.read_timeout.is_zero()),
        ];
        match zero.into_iter().find(|(_, is_zero)| *is_zero) {
            Some((name, _)) => Err(ApiError::Zero(name)),
            None => Ok(()),
        }
    }

    pub(crate) fn retry_after_seconds(&self) -> u64 {
        self.retry_after.as_secs().max(1)
    }
}

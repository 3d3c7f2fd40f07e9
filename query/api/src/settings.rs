//! The settings of the HTTP API. Plain data.

use std::time::Duration;

/// The limits of one user's requests and of all requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// The most rows of a response. A request may lower it.
    pub max_rows: u64,
    /// The most time from the start of a statement to its last row. A request may lower it.
    pub statement_timeout: Duration,
    /// The most concurrent statements of one user.
    pub max_statements_per_user: usize,
    /// The most concurrent statements of all users.
    pub max_statements: usize,
    /// The size of a request's body (the statement with its parameters), in bytes.
    pub max_body_bytes: usize,
    /// The size of a request's target and headers together, in bytes.
    pub max_header_bytes: usize,
    /// The time within which a request's body must arrive.
    pub body_timeout: Duration,
    /// The time within which a client must read the next part of a response. Then the connection is closed.
    pub read_timeout: Duration,
    /// The value of the header Retry-After.
    pub retry_after: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            max_rows: 10_000_000,
            statement_timeout: Duration::from_secs(300),
            max_statements_per_user: 8,
            max_statements: 64,
            max_body_bytes: 1 << 20,
            max_header_bytes: 32 << 10,
            body_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(60),
            retry_after: Duration::from_secs(1),
        }
    }
}

/// Why settings are invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// A limit is 0.
    #[error("the limit {0} of the HTTP API is 0; set a positive number")]
    Zero(&'static str),
}

impl ApiSettings {
    pub(crate) fn validate(&self) -> Result<(), ApiError> {
        let zero = [
            ("max_rows", self.max_rows == 0),
            ("statement_timeout_seconds", self.statement_timeout.is_zero()),
            ("max_statements_per_user", self.max_statements_per_user == 0),
            ("max_statements", self.max_statements == 0),
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

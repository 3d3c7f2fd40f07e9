//! The account of an authenticated user. It can change while a connection or a statement lasts.

/// The account is not as it was when its user was authenticated: the user must authenticate again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the user's account changed or is no longer valid; log in again")]
pub struct AccountChanged {
    /// The reason, for readers of the audit trail. The client does not get it.
    pub reason: String,
}

/// The account that a user was authenticated with.
pub trait Account: Send + Sync {
    /// Whether the account is as it was when its user was authenticated. Called for each message of a connection and
    /// again while a statement runs, so an implementation asks memory.
    ///
    /// # Errors
    /// [`AccountChanged`] if the user was disabled or removed, has expired, or has another password, role or scope.
    fn check(&self) -> Result<(), AccountChanged>;
}

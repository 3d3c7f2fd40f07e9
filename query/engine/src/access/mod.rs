//! Access by authenticated users, each access in the audit trail.
//!
//! ```text
//! interface ─▶ Authenticator ─▶ Reader ─▶ plan ─▶ record: begun ─▶ execute ─▶ rows ─▶ record: ended
//!                │ refused                          │ does not hold it, or cannot be written
//!                └▶ record, and no Reader           └▶ no rows
//! ```

mod account;
mod authenticator;
mod in_progress;
mod reader;
mod record;
mod recorded_text;

pub use account::{Account, AccountChanged};
pub use authenticator::{AuthenticationError, Authenticator, ScramAttempt, ScramFailure};
pub use in_progress::AccessInProgress;
pub use reader::{Limits, Permissions, Reader, Request, WithoutRecord};
pub use record::{
    AccessEnd, AccessId, AccessKind, AccessRecord, AuditTrail, AuthenticatedUser, Denial, Interface, Outcome,
};

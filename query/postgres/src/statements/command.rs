//! What one statement of a client asks of its session.

use super::sent::Sent;
use crate::variables::TransactionModes;

/// A query of the archive or its catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadQuery {
    /// The statement for the engine.
    pub(crate) text: String,
    /// The client's text, if the statement is one over the catalog alone, and the types of its parameters.
    pub(crate) catalog: Option<(String, Vec<u32>)>,
    /// The command tag of its completion.
    pub(crate) tag: &'static str,
    /// Where it is in the client's text.
    pub(crate) sent: Sent,
    /// The variables that it sets by `set_config`.
    pub(crate) settings: Vec<Setting>,
}

/// A variable and its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    /// `None` means DEFAULT.
    pub(crate) value: Option<String>,
    /// Whether the value ends with the transaction.
    pub(crate) is_local: bool,
}

/// The number of rows that FETCH returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchCount {
    Rows(u32),
    All,
}

/// One statement of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Query(ReadQuery),
    Set(Setting),
    Show(String),
    ShowAll,
    Reset(Option<String>),
    Begin(TransactionModes),
    Commit {
        is_chained: bool,
    },
    Rollback {
        is_chained: bool,
    },
    /// Modes of the transaction, or of all that follow in the session.
    SetTransaction {
        modes: TransactionModes,
        of_session: bool,
    },
    Savepoint,
    Release,
    RollbackToSavepoint,
    DiscardAll,
    /// A prepared statement; `None` means all.
    Deallocate(Option<String>),
    /// A cursor; `None` means all.
    Close(Option<String>),
    Declare {
        cursor: String,
        query: ReadQuery,
        is_held: bool,
    },
    Fetch {
        cursor: String,
        count: FetchCount,
    },
    /// Completed with this tag, without effect.
    NoOperation(&'static str),
}

impl Command {
    /// Whether it may run in a transaction that has failed.
    pub(crate) fn ends_a_failed_transaction(&self) -> bool {
        matches!(self, Self::Commit { .. } | Self::Rollback { .. } | Self::RollbackToSavepoint)
    }

    /// The bytes of the client's text that it keeps beside its own.
    pub(crate) fn sent_bytes(&self) -> usize {
        match self {
            Self::Query(query) | Self::Declare { query, .. } => query.sent.bytes(),
            _ => 0,
        }
    }
}

//! The archive over the PostgreSQL wire protocol.

//! One session, from the login to its end.
//!
//! ```text
//! message_loop ─┬─ Query ─▶ simple: commands, one after the other ─▶ rows ─▶ ReadyForQuery
//!               └─ Parse, Bind, Describe, Execute, Close ─▶ extended ─▶ ... ─▶ Sync ─▶ ReadyForQuery
//!                          commands ─┬─ a query ─▶ state ─▶ Reader ─▶ result: rows
//!                                    └─ of the session (SET, SHOW, BEGIN, DECLARE, ...)
//! ```

mod cancel;
mod commands;
mod extended;
mod message_loop;
mod portal;
mod result;
mod simple;
mod state;

pub(crate) use cancel::CancelKeys;
pub(crate) use state::Session;

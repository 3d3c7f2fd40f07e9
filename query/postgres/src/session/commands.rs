//! Commands of the session: variables, transactions, cursors.
//!
//! Transactions have no effect on data, because nothing is written. Their status is tracked because clients depend on it:
//! a cursor lives as long as its transaction, and a failed transaction refuses all statements until it ends.

use super::portal::{Portal, missing_cursor, missing_statement};
use super::result::{Interruption, ResultRows, SessionError};
use super::state::Session;
use crate::sqlstate::{Failure, warning};
use crate::statements::{Command, FetchCount};
use datafusion::common::ScalarValue;
use datafusion_postgres::pgwire::messages::response::TransactionStatus;

/// The outcome of a command.
pub(super) enum Outcome {
    /// It is complete, with this completion tag.
    Complete(String),
    /// It returns rows.
    Rows(ResultRows),
    /// It returns rows of a cursor.
    Fetch { cursor: String, count: FetchCount },
}

impl Session {
    /// Performs a command. The caller sends its rows.
    pub(super) async fn perform(
        &mut self,
        command: &Command,
        values: Vec<ScalarValue>,
        interruption: &Interruption,
    ) -> Result<Outcome, SessionError> {
        if self.transaction == TransactionStatus::Error && !command.ends_a_failed_transaction() {
            let failed = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Failure::new("25P02", failed).into());
        }
        let tag = match command {
            Command::Query(query) => return Ok(Outcome::Rows(self.read(query, values, interruption).await?)),
            Command::Show(name) => {
                let value = self.variables.show(name)?;
                return Ok(Outcome::Rows(ResultRows::of_texts(&[name], vec![vec![value]])?));
            }
            Command::ShowAll => {
                let rows = self.variables.all().into_iter().map(|(name, value)| vec![name, value, String::new()]);
                return Ok(Outcome::Rows(ResultRows::of_texts(&["name", "setting", "description"], rows.collect())?));
            }
            Command::Fetch { cursor, count } => {
                return Ok(Outcome::Fetch { cursor: cursor.clone(), count: *count });
            }
            Command::Declare { cursor, query, is_held } => {
                if self.transaction == TransactionStatus::Idle && !is_held {
                    let outside = "DECLARE CURSOR can only be used in transaction blocks";
                    return Err(Failure::new("25P01", outside).hint("BEGIN first, or declare it WITH HOLD").into());
                }
                if self.portals.contains_key(cursor) {
                    return Err(Failure::new("42P03", format!("cursor \"{cursor}\" already exists")).into());
                }
                let rows = self.read(query, values, interruption).await?;
                self.store_portal(cursor.clone(), Portal::of_cursor(rows, *is_held))?;
                "DECLARE CURSOR"
            }
            Command::Set(values) => {
                for (name, value) in values {
                    let change = match value {
                        Some(value) => self.variables.set(name, value)?,
                        None => self.variables.reset(name)?,
                    };
                    self.report(change).await?;
                }
                "SET"
            }
            Command::Reset(Some(name)) => {
                let change = self.variables.reset(name)?;
                self.report(change).await?;
                "RESET"
            }
            Command::Reset(None) => {
                self.reset_all().await?;
                "RESET"
            }
            Command::DiscardAll => {
                self.reset_all().await?;
                self.prepared.clear();
                self.portals.clear();
                "DISCARD ALL"
            }
            Command::Deallocate(Some(name)) => {
                self.prepared.remove(name).ok_or_else(|| missing_statement(name))?;
                "DEALLOCATE"
            }
            Command::Deallocate(None) => {
                self.prepared.clear();
                "DEALLOCATE ALL"
            }
            Command::Close(Some(name)) => {
                self.portals.remove(name).ok_or_else(|| missing_cursor(name))?;
                "CLOSE CURSOR"
            }
            Command::Close(None) => {
                self.portals.clear();
                "CLOSE CURSOR ALL"
            }
            Command::Begin | Command::Commit | Command::Rollback => self.change_transaction(command).await?,
            Command::Savepoint | Command::Release | Command::RollbackToSavepoint => {
                if self.transaction == TransactionStatus::Idle {
                    let outside = "savepoints can only be used in transaction blocks";
                    return Err(Failure::new("25P01", outside).into());
                }
                match command {
                    Command::Savepoint => "SAVEPOINT",
                    Command::Release => "RELEASE",
                    _ => {
                        self.transaction = TransactionStatus::Transaction;
                        "ROLLBACK"
                    }
                }
            }
            Command::NoOperation(tag) => tag,
        };
        Ok(Outcome::Complete(tag.to_owned()))
    }

    async fn reset_all(&mut self) -> Result<(), SessionError> {
        for change in self.variables.reset_all() {
            self.report(change).await?;
        }
        Ok(())
    }

    async fn change_transaction(&mut self, command: &Command) -> Result<&'static str, SessionError> {
        let before = self.transaction;
        if *command == Command::Begin {
            if before == TransactionStatus::Transaction {
                self.wire.notice(warning("there is already a transaction in progress".to_owned())).await?;
            }
            self.transaction = TransactionStatus::Transaction;
            return Ok("BEGIN");
        }
        if before == TransactionStatus::Idle {
            self.wire.notice(warning("there is no transaction in progress".to_owned())).await?;
        }
        self.transaction = TransactionStatus::Idle;
        self.close_portals();
        let is_committed = *command == Command::Commit && before != TransactionStatus::Error;
        Ok(if is_committed { "COMMIT" } else { "ROLLBACK" })
    }
}

//! Commands of the session: variables, transactions, cursors.
//!
//! Transactions have no effect on data, because nothing is written. Their status is tracked because clients depend on it:
//! a cursor lives as long as its transaction, and a failed transaction refuses all statements until it ends.

use super::portal::{Portal, missing_cursor, missing_statement};
use super::result::{Interruption, ResultRows, SessionError};
use super::state::Session;
use crate::sqlstate::{Failure, warning_of};
use crate::statements::{Command, FetchCount, Setting};
use crate::variables::TransactionModes;
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
            Command::Query(query) => {
                for setting in &query.settings {
                    self.set(setting).await?;
                }
                return Ok(Outcome::Rows(self.read(query, values, interruption).await?));
            }
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
            Command::Set(setting) => {
                self.set(setting).await?;
                "SET"
            }
            Command::SetTransaction { modes, of_session } => {
                if !of_session && self.transaction == TransactionStatus::Idle {
                    let outside = "SET TRANSACTION can only be used in transaction blocks";
                    self.wire.notice(warning_of("25P01", outside.to_owned())).await?;
                } else {
                    for change in self.variables.set_modes(*modes, *of_session) {
                        self.report(change).await?;
                    }
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
                if self.transaction != TransactionStatus::Idle {
                    let inside = "DISCARD ALL cannot run inside a transaction block";
                    return Err(Failure::new("25001", inside).into());
                }
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
            Command::Begin(modes) => self.begin(*modes).await?,
            Command::Commit { is_chained } => self.end_transaction(true, *is_chained).await?,
            Command::Rollback { is_chained } => self.end_transaction(false, *is_chained).await?,
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

    async fn set(&mut self, setting: &Setting) -> Result<(), SessionError> {
        let Setting { name, value, is_local } = setting;
        if *is_local && self.transaction == TransactionStatus::Idle {
            let outside = "SET LOCAL can only be used in transaction blocks";
            return Ok(self.wire.notice(warning_of("25P01", outside.to_owned())).await?);
        }
        let change = self.variables.change(name, value.as_deref(), *is_local)?;
        self.report(change).await
    }

    async fn begin(&mut self, modes: TransactionModes) -> Result<&'static str, SessionError> {
        if self.transaction == TransactionStatus::Transaction {
            let inside = "there is already a transaction in progress";
            self.wire.notice(warning_of("25001", inside.to_owned())).await?;
        } else {
            self.variables.begin_transaction();
        }
        for change in self.variables.set_modes(modes, false) {
            self.report(change).await?;
        }
        self.transaction = TransactionStatus::Transaction;
        Ok("BEGIN")
    }

    async fn end_transaction(&mut self, commits: bool, is_chained: bool) -> Result<&'static str, SessionError> {
        let before = self.transaction;
        if before == TransactionStatus::Idle {
            let outside = if is_chained {
                let what = if commits { "COMMIT" } else { "ROLLBACK" };
                return Err(
                    Failure::new("25P01", format!("{what} AND CHAIN can only be used in transaction blocks")).into()
                );
            } else {
                "there is no transaction in progress"
            };
            self.wire.notice(warning_of("25P01", outside.to_owned())).await?;
        }
        self.close_portals();
        for change in self.variables.end_transaction(is_chained) {
            self.report(change).await?;
        }
        self.transaction = if is_chained { TransactionStatus::Transaction } else { TransactionStatus::Idle };
        Ok(if commits && before != TransactionStatus::Error { "COMMIT" } else { "ROLLBACK" })
    }
}

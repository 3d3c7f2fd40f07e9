//! Commands of the session: variables, transactions, cursors.
//!
//! Transactions change nothing, for nothing is ever written. They are counted because clients rely on them: cursors live
//! as long as their transaction, and after an error a transaction answers nothing until it ends.

use crate::answer::{Answer, Ended, Interruption};
use crate::connection::{Connection, Portal};
use crate::rows::Columns;
use crate::sqlstate::{Failure, warning};
use crate::statements::{Amount, Command};
use arrow_schema::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion_postgres::pgwire::messages::response::TransactionStatus;

/// Statements and portals by name that a session may keep at a time.
pub(crate) const MOST_NAMED: usize = 1000;

/// What a command leads to.
pub(crate) enum Outcome {
    /// It is done; its completion is told with this tag.
    Complete(String),
    /// It gives rows.
    Rows(Answer),
    /// It gives rows of a cursor.
    Fetch { cursor: String, amount: Amount },
}

impl Connection {
    /// Performs a command, up to the rows that it gives.
    pub(crate) async fn perform(
        &mut self,
        command: &Command,
        values: Vec<ScalarValue>,
        interruption: &Interruption,
    ) -> Result<Outcome, Ended> {
        if self.transaction == TransactionStatus::Error && !command.ends_a_failed_transaction() {
            let failed = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Failure::new("25P02", failed).into());
        }
        let tag = match command {
            Command::Ask(question) => return Ok(Outcome::Rows(self.ask(question, values, interruption).await?)),
            Command::Show(name) => {
                let value = self.variables.show(name)?;
                return Ok(Outcome::Rows(Answer::of_texts(&[name], vec![vec![value]])?));
            }
            Command::ShowAll => {
                let rows = self.variables.all().into_iter().map(|(name, value)| vec![name, value, String::new()]);
                return Ok(Outcome::Rows(Answer::of_texts(&["name", "setting", "description"], rows.collect())?));
            }
            Command::Fetch { cursor, amount } => {
                return Ok(Outcome::Fetch { cursor: cursor.clone(), amount: *amount });
            }
            Command::Declare { cursor, question, is_held } => {
                if self.transaction == TransactionStatus::Idle && !is_held {
                    let outside = "DECLARE CURSOR can only be used in transaction blocks";
                    return Err(Failure::new("25P01", outside).hint("BEGIN first, or declare it WITH HOLD").into());
                }
                if self.portals.contains_key(cursor) {
                    return Err(Failure::new("42P03", format!("cursor \"{cursor}\" already exists")).into());
                }
                let answer = self.ask(question, values, interruption).await?;
                self.keep(cursor.clone(), Portal::of_cursor(answer, *is_held))?;
                "DECLARE CURSOR"
            }
            Command::Set(values) => {
                for (name, value) in values {
                    let change = match value {
                        Some(value) => self.variables.set(name, value)?,
                        None => self.variables.reset(name)?,
                    };
                    self.tell(change).await?;
                }
                "SET"
            }
            Command::Reset(Some(name)) => {
                let change = self.variables.reset(name)?;
                self.tell(change).await?;
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
            Command::Begin | Command::Commit | Command::Rollback => self.transact(command).await?,
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
            Command::Nothing(tag) => tag,
        };
        Ok(Outcome::Complete(tag.to_owned()))
    }

    async fn reset_all(&mut self) -> Result<(), Ended> {
        for change in self.variables.reset_all() {
            self.tell(change).await?;
        }
        Ok(())
    }

    async fn transact(&mut self, command: &Command) -> Result<&'static str, Ended> {
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

    /// Keeps a portal under its name.
    pub(crate) fn keep(&mut self, name: String, portal: Portal) -> Result<(), Failure> {
        if self.portals.len() >= MOST_NAMED && !self.portals.contains_key(&name) {
            return Err(Failure::new("54000", format!("a session keeps at most {MOST_NAMED} cursors")));
        }
        self.portals.insert(name, portal);
        Ok(())
    }

    /// The columns of a cursor.
    pub(crate) fn cursor_schema(&self, cursor: &str) -> Result<SchemaRef, Failure> {
        self.portals.get(cursor).and_then(Portal::cursor_schema).ok_or_else(|| missing_cursor(cursor))
    }

    /// Sends rows of a cursor.
    pub(crate) async fn fetch(
        &mut self,
        cursor: &str,
        amount: Amount,
        columns: &Columns,
        interruption: &Interruption,
    ) -> Result<(), Ended> {
        let portal = self.portals.get_mut(cursor).ok_or_else(|| missing_cursor(cursor))?;
        let most = match amount {
            Amount::Rows(rows) => Some(u64::from(rows)),
            Amount::All => None,
        };
        let rows = match portal.answer_mut() {
            Some(_) if most == Some(0) => 0,
            Some(answer) => {
                let sent = answer.send(&mut self.wire, columns, most, interruption).await?;
                if sent.is_finished {
                    portal.finish();
                }
                sent.rows
            }
            None => 0,
        };
        self.complete(format!("FETCH {rows}")).await
    }
}

pub(crate) fn missing_statement(name: &str) -> Failure {
    Failure::new("26000", format!("prepared statement \"{name}\" does not exist"))
}

pub(crate) fn missing_cursor(name: &str) -> Failure {
    Failure::new("34000", format!("cursor \"{name}\" does not exist"))
}

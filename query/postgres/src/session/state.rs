//! The state of a session, and the operations that all its commands share.

use super::cancel::CancelKey;
use super::portal::{Portal, PreparedStatement, check_portal, kept_bytes, missing_cursor, no_memory};
use super::result::{AccountWatch, Interruption, ResultRows, SessionError, refuse};
use crate::catalog::CatalogQuery;
use crate::session_places::SessionPlace;
use crate::settings::PostgresSettings;
use crate::sqlstate::{Failure, warning};
use crate::statements::{Command, FetchCount, ReadQuery, Statements};
use crate::values::Columns;
use crate::variables::{Change, Variables};
use crate::wire::{Name, Wire};
use arrow_schema::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::response::{CommandComplete, TransactionStatus};
use datafusion_postgres::pgwire::messages::startup::ParameterStatus;
use futures::{StreamExt, TryStreamExt};
use holdfast_query::{AccessKind, Limits, QueryError, Reader, Request};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A session.
pub(crate) struct Session {
    pub(crate) wire: Wire,
    pub(crate) reader: Reader,
    pub(crate) cancel_key: CancelKey,
    pub(crate) variables: Variables,
    pub(crate) statements: Arc<Statements>,
    pub(crate) settings: Arc<PostgresSettings>,
    /// Cancelled when the server begins to stop: an idle session ends.
    pub(crate) stop: CancellationToken,
    /// Cancelled when the server stops waiting: running statements end.
    pub(crate) killed: CancellationToken,
    pub(crate) transaction: TransactionStatus,
    pub(crate) prepared: BTreeMap<Name, Arc<PreparedStatement>>,
    pub(crate) portals: BTreeMap<Name, Portal>,
    pub(crate) place: SessionPlace,
    /// After an error in the extended protocol, messages are discarded up to the next Sync.
    pub(crate) discards_until_sync: bool,
}

impl Session {
    /// What interrupts the statement that begins now.
    pub(super) fn interruption(&self) -> Interruption {
        let account = Arc::new(AccountWatch::new(self.reader.clone()));
        Interruption { cancelled: self.cancel_key.begin_statement(), killed: self.killed.clone(), account }
    }

    /// Ends the session if the account of its user is not as it was at the login. It takes `&mut`, because a session is
    /// `Send` and not `Sync`.
    pub(super) async fn check_account(&mut self) -> Result<(), Failure> {
        match self.reader.check_account() {
            Ok(()) => Ok(()),
            Err(changed) => Err(refuse(&self.reader, &changed).await),
        }
    }

    /// The commands of a text. Parsing, and waiting for it, has the time of a statement.
    pub(super) async fn read_commands(
        &mut self,
        text: &str,
        interruption: &Interruption,
    ) -> Result<Vec<Result<Command, Failure>>, SessionError> {
        let reading = self.statements.read(text, &self.variables, &self.reader);
        let reading = tokio::time::timeout(self.variables.statement_timeout(), reading);
        let commands = interruption.or(&mut self.wire, reading).await?;
        Ok(commands.unwrap_or_else(|_| Err(Failure::from(QueryError::TimedOut)))?)
    }

    /// Runs a query with the user's reader.
    pub(super) async fn read(
        &mut self,
        query: &ReadQuery,
        values: Vec<ScalarValue>,
        interruption: &Interruption,
    ) -> Result<ResultRows, SessionError> {
        let time = self.variables.statement_timeout();
        let deadline = Instant::now() + time;
        if let Some((text, types)) = &query.catalog {
            let answer = tokio::time::timeout(time, async {
                let backend = self.cancel_key.process();
                let query = CatalogQuery::new(text, types.clone(), &self.reader, &self.variables, backend).await?;
                query.run(values.clone(), &self.reader).await
            });
            let answer = interruption.or(&mut self.wire, answer).await?;
            if let Some(rows) = answer.unwrap_or_else(|_| Err(Failure::from(QueryError::TimedOut)))? {
                return Ok(ResultRows::of_batch(rows));
            }
        }
        let request = Request {
            statement: query.text.clone(),
            parameters: values,
            purpose: self.variables.purpose(),
            kind: AccessKind::Queried,
            limits: Limits { rows: self.settings.row_limit, time: Some(time) },
            is_asked_often: false,
        };
        let result = interruption.or(&mut self.wire, self.reader.query(request)).await?;
        let result = result.map_err(|error| query.sent.locate(error))?;
        for notice in &result.notices {
            self.wire.notice(warning(notice.to_string())).await?;
        }
        let sent = query.sent.clone();
        let batches = result.batches.map_err(move |error| sent.locate(error)).boxed();
        Ok(ResultRows::new(result.schema, batches, deadline))
    }

    pub(super) async fn complete(&mut self, tag: String) -> Result<(), SessionError> {
        Ok(self.wire.put(PgWireBackendMessage::CommandComplete(CommandComplete::new(tag))).await?)
    }

    /// Sends the client the warning and the new value of a variable that changed.
    pub(super) async fn report(&mut self, change: Change) -> Result<(), SessionError> {
        if let Some(text) = change.warning {
            self.wire.notice(warning(text)).await?;
        }
        if let Some((name, value)) = change.report {
            self.wire.put(PgWireBackendMessage::ParameterStatus(ParameterStatus::new(name, value))).await?;
        }
        Ok(())
    }

    /// The next deadline of a statement whose rows are not all computed.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.portals.values().filter_map(Portal::deadline).min()
    }

    /// Closes all portals but held cursors.
    pub(super) fn close_portals(&mut self) {
        self.portals.retain(|_, portal| portal.is_held);
    }

    /// Takes memory for all that the session keeps.
    pub(super) fn keep(&mut self, bytes: usize) -> Result<(), Failure> {
        self.place.keep(bytes).map_err(no_memory)
    }

    /// Gives back the memory of what the session no longer keeps.
    pub(super) fn give_back(&mut self) {
        // It is no more than before.
        let _ = self.place.keep(kept_bytes(&self.prepared, &self.portals));
    }

    /// Stores a portal by its name.
    pub(super) fn store_portal(&mut self, name: String, portal: Portal) -> Result<(), Failure> {
        let bytes = check_portal(&self.prepared, &self.portals, &name, &portal)?;
        self.keep(bytes)?;
        self.portals.insert(name, portal);
        Ok(())
    }

    /// The columns of a cursor.
    pub(super) fn cursor_schema(&self, cursor: &str) -> Result<SchemaRef, Failure> {
        self.portals.get(cursor).and_then(Portal::cursor_schema).ok_or_else(|| missing_cursor(cursor))
    }

    /// Sends rows of a cursor. A cursor whose unsent rows the session may not keep is closed.
    pub(super) async fn fetch(
        &mut self,
        cursor: &str,
        count: FetchCount,
        columns: &Columns,
        interruption: &Interruption,
    ) -> Result<(), SessionError> {
        let portal = self.portals.get_mut(cursor).ok_or_else(|| missing_cursor(cursor))?;
        let max_rows = match count {
            FetchCount::Rows(rows) => Some(u64::from(rows)),
            FetchCount::All => None,
        };
        let rows = match portal.rows_mut() {
            Some(_) if max_rows == Some(0) => 0,
            Some(rows) => {
                let sent = rows.send(&mut self.wire, columns, max_rows, interruption).await?;
                if sent.is_finished {
                    portal.finish();
                }
                sent.rows
            }
            None => 0,
        };
        let kept = self.portals.get(cursor);
        let checked = kept.map_or(Ok(0), |kept| check_portal(&self.prepared, &self.portals, cursor, kept));
        if let Err(full) = checked {
            self.portals.remove(cursor);
            return Err(full.into());
        }
        self.complete(format!("FETCH {rows}")).await
    }
}

/// The completion tag of a command that returned rows.
pub(super) fn completion_tag(command: &Command, rows: u64) -> String {
    match command {
        Command::Query(ReadQuery { tag: "SELECT", .. }) => format!("SELECT {rows}"),
        Command::Query(ReadQuery { tag, .. }) => (*tag).to_owned(),
        _ => "SHOW".to_owned(),
    }
}

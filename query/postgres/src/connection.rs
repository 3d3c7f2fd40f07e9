//! One session, from the moment its user was let in.
//!
//! ```text
//! message ─┬─ Query ─▶ commands, one after the other ─▶ rows ─▶ ready
//!          └─ Parse, Bind, Describe, Execute, Close ─▶ ... ─▶ Sync ─▶ ready      (extended.rs)
//!                         command ─┬─ a question ─▶ Reader ─▶ rows               (answer.rs)
//!                                  └─ of the session ─▶ answered here            (session.rs)
//! ```

use crate::answer::{Answer, Ended, Interruption};
use crate::cancel::Entry;
use crate::frontend::{Message, Name};
use crate::rows::{Columns, Formats};
use crate::session::Outcome;
use crate::settings::PostgresSettings;
use crate::sqlstate::{Failure, warning};
use crate::statements::{Command, Question, Statements};
use crate::variables::{Change, Variables};
use crate::wire::{Broken, Wire};
use datafusion::common::ScalarValue;
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::response::{
    CommandComplete, EmptyQueryResponse, ReadyForQuery, TransactionStatus,
};
use datafusion_postgres::pgwire::messages::startup::{Authentication, BackendKeyData, ParameterStatus, SecretKey};
use holdfast_query::{AccessKind, Limits, Reader, Request};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(crate) use crate::extended::{Portal, Prepared};

/// A session.
pub(crate) struct Connection {
    pub(crate) wire: Wire,
    pub(crate) reader: Reader,
    pub(crate) entry: Entry,
    pub(crate) variables: Variables,
    pub(crate) statements: Arc<Statements>,
    pub(crate) settings: Arc<PostgresSettings>,
    /// The server begins to stop: a session that waits for its client ends.
    pub(crate) stop: CancellationToken,
    /// The server waits no longer: statements end.
    pub(crate) killed: CancellationToken,
    pub(crate) transaction: TransactionStatus,
    pub(crate) prepared: BTreeMap<Name, Prepared>,
    pub(crate) portals: BTreeMap<Name, Portal>,
    /// After an error everything is discarded up to the next Sync.
    pub(crate) is_skipping: bool,
}

impl Connection {
    /// Tells the client that it is let in, and answers it until it goes away.
    pub(crate) async fn run(mut self) -> Result<(), Broken> {
        match self.converse().await {
            Ok(()) => self.wire.close().await,
            Err(Ended::Failed(failure)) => {
                self.wire.error(failure.info()).await?;
                self.wire.close().await;
            }
            Err(Ended::Over(broken)) => return Err(broken),
        }
        Ok(())
    }

    async fn converse(&mut self) -> Result<(), Ended> {
        self.welcome().await?;
        loop {
            let next = tokio::time::timeout(self.settings.idle_timeout, self.wire.next());
            let message = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Failure::shutdown().into()),
                message = next => message,
            };
            let Ok(message) = message else {
                return Err(Failure::fatal("57P05", "terminating connection due to idle-session timeout").into());
            };
            let Some(message) = message.map_err(malformed)? else { return Ok(()) };
            match message {
                Message::Terminate => return Ok(()),
                Message::Sync => {
                    self.is_skipping = false;
                    self.ready().await?;
                }
                _ if self.is_skipping => {}
                message => self.answer(message).await?,
            }
        }
    }

    async fn answer(&mut self, message: Message) -> Result<(), Ended> {
        let is_extended = message.is_extended();
        let answered = match message {
            Message::Query(text) => self.query(&text).await,
            Message::Proof(_) => Err(Failure::protocol("nobody asked for a proof").into()),
            // What a client sends of a COPY that was refused.
            Message::Unserved("COPY") => return Ok(()),
            Message::Unserved(what) => Err(Failure::unserved(what).into()),
            extended => self.extended(extended).await,
        };
        match answered {
            Err(Ended::Failed(failure)) if failure.is_fatal => return Err(failure.into()),
            Err(Ended::Failed(failure)) => {
                if self.transaction == TransactionStatus::Transaction {
                    self.transaction = TransactionStatus::Error;
                }
                self.is_skipping = is_extended;
                self.wire.error(failure.info()).await?;
                self.wire.flush().await?;
            }
            Err(over) => return Err(over),
            Ok(()) => {}
        }
        if is_extended { Ok(()) } else { self.ready().await }
    }

    async fn welcome(&mut self) -> Result<(), Ended> {
        self.wire.accept(self.settings.max_message);
        self.wire.put(PgWireBackendMessage::Authentication(Authentication::Ok)).await?;
        for (name, value) in self.variables.reported().collect::<Vec<_>>() {
            self.wire.put(PgWireBackendMessage::ParameterStatus(ParameterStatus::new(name, value))).await?;
        }
        let key = BackendKeyData::new(self.entry.process(), SecretKey::I32(self.entry.secret()));
        self.wire.put(PgWireBackendMessage::BackendKeyData(key)).await?;
        self.ready().await
    }

    /// The client may go on. Outside of a transaction nothing that was opened stays open.
    async fn ready(&mut self) -> Result<(), Ended> {
        if self.transaction == TransactionStatus::Idle {
            self.close_portals();
        }
        self.wire.put(PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(self.transaction))).await?;
        Ok(self.wire.flush().await?)
    }

    /// Ends every portal but cursors that were declared to outlive their transaction.
    pub(crate) fn close_portals(&mut self) {
        self.portals.retain(|_, portal| portal.is_held);
    }

    /// Answers statements as text.
    async fn query(&mut self, text: &str) -> Result<(), Ended> {
        let commands = self.statements.read(text, &self.variables)?;
        if commands.is_empty() {
            self.wire.put(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
        }
        let interruption = self.interruption();
        for command in commands {
            let command = command?;
            match self.perform(&command, Vec::new(), &interruption).await? {
                Outcome::Complete(tag) => self.complete(tag).await?,
                Outcome::Rows(mut answer) => {
                    let columns = Columns::new(&answer.schema, &Formats::TEXT);
                    self.wire.put(PgWireBackendMessage::RowDescription(columns.description())).await?;
                    let sent = answer.send(&mut self.wire, &columns, None, &interruption).await?;
                    self.complete(completion(&command, sent.rows)).await?;
                }
                Outcome::Fetch { cursor, amount } => {
                    let columns = Columns::new(self.cursor_schema(&cursor)?.as_ref(), &Formats::TEXT);
                    self.wire.put(PgWireBackendMessage::RowDescription(columns.description())).await?;
                    self.fetch(&cursor, amount, &columns, &interruption).await?;
                }
            }
        }
        Ok(())
    }

    /// What ends the statement that begins now.
    pub(crate) fn interruption(&self) -> Interruption {
        Interruption { cancelled: self.entry.begin(), killed: self.killed.clone() }
    }

    /// Asks the archive.
    pub(crate) async fn ask(
        &mut self,
        question: &Question,
        values: Vec<ScalarValue>,
        interruption: &Interruption,
    ) -> Result<Answer, Ended> {
        let request = Request {
            statement: question.text.clone(),
            parameters: values,
            purpose: self.variables.purpose(),
            kind: AccessKind::Queried,
            limits: Limits { rows: self.settings.row_limit, time: Some(self.variables.statement_timeout()) },
        };
        let result = interruption.or(&mut self.wire, self.reader.query(request)).await??;
        for notice in &result.notices {
            self.wire.notice(warning(notice.to_string())).await?;
        }
        Ok(Answer::new(result.schema, result.batches))
    }

    pub(crate) async fn complete(&mut self, tag: String) -> Result<(), Ended> {
        Ok(self.wire.put(PgWireBackendMessage::CommandComplete(CommandComplete::new(tag))).await?)
    }

    /// Tells the client what a change of a variable leads to.
    pub(crate) async fn tell(&mut self, change: Change) -> Result<(), Ended> {
        if let Some(text) = change.warning {
            self.wire.notice(warning(text)).await?;
        }
        if let Some((name, value)) = change.report {
            self.wire.put(PgWireBackendMessage::ParameterStatus(ParameterStatus::new(name, value))).await?;
        }
        Ok(())
    }
}

/// How the completion of a command that gave rows is told.
pub(crate) fn completion(command: &Command, rows: u64) -> String {
    match command {
        Command::Ask(Question { tag: "SELECT", .. }) => format!("SELECT {rows}"),
        Command::Ask(Question { tag, .. }) => (*tag).to_owned(),
        _ => "SHOW".to_owned(),
    }
}

fn malformed(broken: Broken) -> Ended {
    match broken {
        Broken::Malformed(malformed) => Failure::protocol(malformed.to_string()).into(),
        other => other.into(),
    }
}

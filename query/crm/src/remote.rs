//! The databases behind schema `crm`, and one way to ask any of them.
//!
//! ```text
//!   statement ──▶ Database: left alone after an outage? a turn? ──▶ Remote: connect, ask ──▶ rows ──▶ stream
//!                     ▲                                                │
//!                     └──── an outage is remembered for a moment ◀─────┘
//! ```
//!
//! Every wait has an end: for a turn, for the connection, and for each batch of rows. A stream that is dropped ends its
//! statement. What drivers say is stripped of credentials before it becomes part of a message.

pub(crate) mod mysql;
pub(crate) mod odbc;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use crate::breaker::{Breaker, Clock, PAUSE};
use crate::dialect::Language;
use crate::error::{CONNECT, CrmError};
use crate::settings::{CrmSettings, Source};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A column as the CRM has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteColumn {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    /// Its values are compared and joined as what `data_type` says. Without, it has to be cast there first: a UUID, an
    /// enumeration or JSON reads as text without being text.
    pub(crate) plain: bool,
}

/// What a driver ran into. Texts may still contain credentials.
#[derive(Debug)]
pub(crate) enum Trouble {
    Unreachable(String),
    ConnectTimedOut,
    AnswerTimedOut,
    Refused(String),
    NoTable,
    Failed(String),
    Value(CrmError),
    /// Nobody wants the rows any more.
    Abandoned,
}

impl From<CrmError> for Trouble {
    fn from(error: CrmError) -> Self {
        Self::Value(error)
    }
}

/// Where rows go.
pub(crate) type Rows = Sender<Result<RecordBatch, CrmError>>;

pub(crate) async fn send(rows: &Rows, batch: RecordBatch) -> Result<(), Trouble> {
    rows.send(Ok(batch)).await.map_err(|_| Trouble::Abandoned)
}

/// A kind of database, reached through its driver. Read-only.
#[async_trait]
pub(crate) trait Remote: Send + Sync + fmt::Debug {
    /// The SQL that it speaks.
    fn language(&self) -> Language;
    /// The columns of `table`, in its order.
    async fn columns(&self, table: &TableReference) -> Result<Vec<RemoteColumn>, Trouble>;
    /// Asks `sql` and sends its rows as batches of `schema`.
    async fn answer(&self, sql: &str, schema: SchemaRef, rows: &Rows) -> Result<(), Trouble>;
}

/// The one database of the CRM.
pub(crate) struct Database {
    remote: Box<dyn Remote>,
    crm: String,
    secrets: Vec<String>,
    limit: Duration,
    turns: Arc<Semaphore>,
    breaker: Breaker,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<TableReference, Arc<Vec<RemoteColumn>>>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.crm)
    }
}

impl Database {
    /// The database of `settings`, or none if they are about files. Nothing is connected yet.
    pub(crate) fn new(settings: &CrmSettings, clock: Arc<dyn Clock>) -> Result<Option<Self>, CrmError> {
        let limit = settings.timeout;
        let remote: Box<dyn Remote> = match &settings.source {
            Source::Postgres(server) => Box::new(postgres::Postgres::new(server, limit)?),
            Source::MySql(server) => Box::new(mysql::MySql::new(server, limit, settings.connections)),
            Source::Sqlite { path } => Box::new(sqlite::Sqlite::new(path, limit)),
            Source::Odbc { connection_string, dialect } => {
                Box::new(odbc::Odbc::new(connection_string.clone(), *dialect, limit))
            }
            Source::Csv { .. } | Source::Parquet => return Ok(None),
        };
        Ok(Some(Self {
            remote,
            crm: settings.source.describe(),
            secrets: settings.source.secrets(),
            limit,
            turns: Arc::new(Semaphore::new(settings.connections)),
            breaker: Breaker::new(),
            clock,
            known: Mutex::default(),
        }))
    }

    pub(crate) fn language(&self) -> Language {
        self.remote.language()
    }

    /// The kind and host, for messages and plans.
    pub(crate) fn crm(&self) -> &str {
        &self.crm
    }

    /// The columns of `table` if they were asked for before.
    pub(crate) fn known(&self, table: &TableReference) -> Option<Arc<Vec<RemoteColumn>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }

    /// The columns of `table`, which is called `name` here. They are remembered until a statement fails.
    pub(crate) async fn columns(&self, name: &str, table: &TableReference) -> Result<Arc<Vec<RemoteColumn>>, CrmError> {
        if let Some(columns) = self.known(table) {
            return Ok(columns);
        }
        let asked = async {
            let _turn = self.turn().await?;
            // Connecting has its own limit within.
            match timeout(self.limit * 2, self.remote.columns(table)).await {
                Ok(answer) => self.note(answer).map_err(|error| match error {
                    Some(error) => error,
                    None => CrmError::NoTable { crm: self.crm.clone(), name: name.to_owned(), from: table.to_string() },
                }),
                Err(_) => Err(self.late("tell the columns of a table")),
            }
        };
        let columns = Arc::new(asked.await?);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(table.clone(), Arc::clone(&columns));
        Ok(columns)
    }

    /// The rows that answer `sql`, asked for when the stream is first polled.
    pub(crate) fn stream(self: &Arc<Self>, sql: String, schema: SchemaRef) -> SendableRecordBatchStream {
        let database = Arc::clone(self);
        let columns = Arc::clone(&schema);
        let start = async move {
            let (rows, batches) = channel(2);
            let asked = Arc::clone(&database);
            let task = tokio::spawn(async move { asked.run(&sql, columns, rows).await });
            // Waiting for a turn, connecting and the first answer each have the limit.
            Ok::<_, DataFusionError>(Answer { batches, first: Some(database.limit * 3), database, task: Task(task) })
        };
        let stream = futures::stream::once(start);
        let stream = futures::TryStreamExt::try_flatten(futures::TryStreamExt::map_ok(stream, |answer: Answer| {
            futures::stream::try_unfold(answer, |mut answer| async move {
                let limit = answer.first.take().unwrap_or(answer.database.limit);
                match timeout(limit, answer.batches.recv()).await {
                    Ok(Some(Ok(batch))) => Ok(Some((batch, answer))),
                    Ok(Some(Err(error))) => Err(error.into_engine()),
                    Ok(None) => Ok(None),
                    Err(_) => Err(answer.database.late("answer").into_engine()),
                }
            })
        }));
        Box::pin(RecordBatchStreamAdapter::new(schema, stream))
    }

    async fn run(&self, sql: &str, schema: SchemaRef, rows: Rows) {
        let answered = async {
            let _turn = self.turn().await?;
            let answer = self.remote.answer(sql, schema, &rows).await;
            if answer.is_err() {
                // The tables may have changed; they are looked at again.
                self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
            self.note(answer).map_err(|error| {
                error.unwrap_or_else(|| CrmError::Failed {
                    crm: self.crm.clone(),
                    reason: "a table of the statement is not there any more".to_owned(),
                })
            })
        };
        if let Err(error) = answered.await {
            tracing::debug!(crm = self.crm, %error, "answer a statement");
            let _ = rows.send(Err(error)).await;
        }
    }

    async fn turn(&self) -> Result<tokio::sync::OwnedSemaphorePermit, CrmError> {
        self.breaker.admit(self.clock.now()).map_err(|reason| CrmError::Resting {
            crm: self.crm.clone(),
            pause: PAUSE,
            reason,
        })?;
        match timeout(self.limit, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(self.late("come to this statement, with its others under way,")),
        }
    }

    /// Remembers an outage, or its end. `Err(None)` is a table that is missing.
    fn note<T>(&self, answer: Result<T, Trouble>) -> Result<T, Option<CrmError>> {
        let crm = self.crm.clone();
        let error = match answer {
            Ok(answer) => {
                self.breaker.close();
                return Ok(answer);
            }
            Err(Trouble::NoTable) => return Err(None),
            Err(Trouble::Value(error)) => error,
            Err(Trouble::Unreachable(reason)) => CrmError::Unreachable { crm, reason: self.scrub(reason) },
            Err(Trouble::ConnectTimedOut) => self.late(CONNECT),
            Err(Trouble::AnswerTimedOut) => self.late("answer"),
            Err(Trouble::Refused(reason)) => CrmError::Refused { crm, reason: self.scrub(reason) },
            Err(Trouble::Failed(reason)) => CrmError::Failed { crm, reason: self.scrub(reason) },
            Err(Trouble::Abandoned) => CrmError::Failed { crm, reason: "nobody waits for the answer".to_owned() },
        };
        if error.is_outage() {
            self.breaker.trip(self.clock.now(), error.to_string());
        }
        Err(Some(error))
    }

    fn late(&self, doing: &'static str) -> CrmError {
        CrmError::TimedOut { crm: self.crm.clone(), doing, limit: self.limit }
    }

    fn scrub(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret, "***"))
    }
}

/// The rows of one statement while they are taken.
struct Answer {
    batches: Receiver<Result<RecordBatch, CrmError>>,
    first: Option<Duration>,
    database: Arc<Database>,
    #[expect(dead_code, reason = "it ends the statement when it is dropped")]
    task: Task,
}

struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// `table` as it is written in a statement.
pub(crate) fn quoted(table: &TableReference, quote: char) -> String {
    let doubled: String = [quote, quote].iter().collect();
    let parts = [table.catalog(), table.schema(), Some(table.table())];
    let parts = parts.into_iter().flatten().map(|part| format!("{quote}{}{quote}", part.replace(quote, &doubled)));
    parts.collect::<Vec<_>>().join(".")
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

//! The database of a CRM: the circuit breaker, the concurrency limit and the timeouts around its driver.

use crate::error::{CONNECT, CrmError};
use crate::remote::circuit_breaker::{CircuitBreaker, Clock, OPEN_TIME};
use crate::remote::dialect::SqlDialect;
use crate::remote::driver::{BatchSender, Driver, RemoteColumn, RemoteStatement};
use crate::remote::error::DriverError;
use crate::remote::permits::{Permit, Permits, StatementUser};
use crate::remote::{mysql, odbc, postgres, sqlite};
use crate::settings::{CrmSettings, Source};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The database of the CRM.
pub(crate) struct Database {
    driver: Box<dyn Driver>,
    crm: String,
    secrets: Vec<String>,
    timeout: Duration,
    permits: Permits,
    breaker: CircuitBreaker,
    clock: Arc<dyn Clock>,
    columns: Mutex<HashMap<TableReference, Arc<Vec<RemoteColumn>>>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.crm)
    }
}

impl Database {
    /// The database of `settings`, or `None` if they are about files. It does not connect yet.
    pub(crate) fn new(settings: &CrmSettings, clock: Arc<dyn Clock>) -> Result<Option<Self>, CrmError> {
        let limit = settings.timeout;
        let driver: Box<dyn Driver> = match &settings.source {
            Source::Postgres(server) => Box::new(postgres::Postgres::new(server, limit)?),
            Source::MySql(server) => Box::new(mysql::MySql::new(server, limit, settings.connections)),
            Source::Sqlite { path } => Box::new(sqlite::Sqlite::new(path, limit)),
            Source::Odbc { connection_string, dialect } => {
                Box::new(odbc::Odbc::new(connection_string.clone(), *dialect, limit))
            }
            Source::Csv { .. } | Source::Parquet => return Ok(None),
        };
        Ok(Some(Self {
            driver,
            crm: settings.source.describe(),
            secrets: settings.source.secrets(),
            timeout: limit,
            permits: Permits::new(settings.connections),
            breaker: CircuitBreaker::new(),
            clock,
            columns: Mutex::default(),
        }))
    }

    pub(crate) fn dialect(&self) -> SqlDialect {
        self.driver.dialect()
    }

    /// Whether values are bound to markers instead of being written into the text of a statement.
    pub(crate) fn binds_values(&self) -> bool {
        self.driver.binds_values()
    }

    /// The kind and host of the CRM, for messages and plans.
    pub(crate) fn crm(&self) -> &str {
        &self.crm
    }

    /// The cached columns of `table`.
    pub(crate) fn cached_columns(&self, table: &TableReference) -> Option<Arc<Vec<RemoteColumn>>> {
        self.columns.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }

    /// The columns of `table`, whose name in schema `crm` is `name`. They are cached until a statement fails.
    pub(crate) async fn columns(&self, name: &str, table: &TableReference) -> Result<Arc<Vec<RemoteColumn>>, CrmError> {
        if let Some(columns) = self.cached_columns(table) {
            return Ok(columns);
        }
        let described = async {
            let _permit = self.acquire(None).await?;
            // Connecting has its own timeout within this one.
            match timeout(self.timeout * 2, self.driver.columns(table)).await {
                Ok(result) => self.record_outcome(result).map_err(|error| match error {
                    Some(error) => error,
                    None => CrmError::NoTable { crm: self.crm.clone(), name: name.to_owned(), from: table.to_string() },
                }),
                Err(_) => Err(self.timed_out("describe a table")),
            }
        };
        let columns = Arc::new(described.await?);
        self.columns.lock().unwrap_or_else(PoisonError::into_inner).insert(table.clone(), Arc::clone(&columns));
        Ok(columns)
    }

    /// The rows of `statement` of `user`. It is sent when the stream is first polled.
    pub(crate) fn stream(
        self: &Arc<Self>,
        statement: RemoteStatement,
        schema: SchemaRef,
        user: Option<Arc<StatementUser>>,
    ) -> SendableRecordBatchStream {
        let database = Arc::clone(self);
        let batch_schema = Arc::clone(&schema);
        let start = async move {
            let (sender, batches) = channel(2);
            let runner = Arc::clone(&database);
            let task = tokio::spawn(async move { runner.run(&statement, batch_schema, user.as_deref(), sender).await });
            // Acquiring a permit, connecting and the first batch have one timeout each.
            let first_timeout = Some(database.timeout * 3);
            Ok::<_, DataFusionError>(RunningStatement { batches, first_timeout, database, task: AbortOnDrop(task) })
        };
        let stream = futures::stream::once(start);
        let stream =
            futures::TryStreamExt::try_flatten(futures::TryStreamExt::map_ok(stream, |statement: RunningStatement| {
                futures::stream::try_unfold(statement, |mut statement| async move {
                    let limit = statement.first_timeout.take().unwrap_or(statement.database.timeout);
                    match timeout(limit, statement.batches.recv()).await {
                        Ok(Some(Ok(batch))) => Ok(Some((batch, statement))),
                        Ok(Some(Err(error))) => Err(error.into_engine()),
                        Ok(None) => Ok(None),
                        Err(_) => Err(statement.database.timed_out("answer").into_engine()),
                    }
                })
            }));
        Box::pin(RecordBatchStreamAdapter::new(schema, stream))
    }

    async fn run(
        &self,
        statement: &RemoteStatement,
        schema: SchemaRef,
        user: Option<&StatementUser>,
        sender: BatchSender,
    ) {
        let executed = async {
            let _permit = self.acquire(user).await?;
            let result = self.driver.execute(statement, schema, &sender).await;
            if result.is_err() {
                // The tables may have changed, so their columns are read again.
                self.columns.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
            self.record_outcome(result).map_err(|error| {
                error.unwrap_or_else(|| CrmError::Failed {
                    crm: self.crm.clone(),
                    reason: "a table of the statement no longer exists".to_owned(),
                })
            })
        };
        if let Err(error) = executed.await {
            tracing::debug!(crm = self.crm, %error, "execute a statement");
            let _ = sender.send(Err(error)).await;
        }
    }

    /// A permit to run one statement, if the circuit breaker allows it.
    async fn acquire(&self, user: Option<&StatementUser>) -> Result<Permit, CrmError> {
        self.breaker.check(self.clock.now()).map_err(|reason| CrmError::CircuitOpen {
            crm: self.crm.clone(),
            pause: OPEN_TIME,
            reason,
        })?;
        let permit = timeout(self.timeout, self.permits.acquire(user)).await;
        permit.map_err(|_| self.timed_out("finish its other statements to start this one"))
    }

    /// Opens the circuit breaker after an outage, and closes it after a success. `Err(None)` means that a table is missing.
    fn record_outcome<T>(&self, result: Result<T, DriverError>) -> Result<T, Option<CrmError>> {
        let crm = self.crm.clone();
        let error = match result {
            Ok(value) => {
                self.breaker.close();
                return Ok(value);
            }
            Err(DriverError::NoTable) => return Err(None),
            Err(DriverError::Value(error)) => error,
            Err(DriverError::Unreachable(reason)) => CrmError::Unreachable { crm, reason: self.redact(reason) },
            Err(DriverError::ConnectTimedOut) => self.timed_out(CONNECT),
            Err(DriverError::StatementTimedOut) => self.timed_out("answer"),
            Err(DriverError::LoginRefused(reason)) => CrmError::Refused { crm, reason: self.redact(reason) },
            Err(DriverError::Failed(reason)) => CrmError::Failed { crm, reason: self.redact(reason) },
            Err(DriverError::Cancelled) => CrmError::Failed { crm, reason: "the statement was cancelled".to_owned() },
        };
        if error.is_outage() {
            self.breaker.open(self.clock.now(), error.to_string());
        }
        Err(Some(error))
    }

    fn timed_out(&self, doing: &'static str) -> CrmError {
        CrmError::TimedOut { crm: self.crm.clone(), doing, limit: self.timeout }
    }

    fn redact(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret, "***"))
    }
}

/// A statement whose rows are being read.
struct RunningStatement {
    batches: Receiver<Result<RecordBatch, CrmError>>,
    /// The timeout of the first batch, until it arrived.
    first_timeout: Option<Duration>,
    database: Arc<Database>,
    #[expect(dead_code, reason = "dropping it cancels the statement")]
    task: AbortOnDrop,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

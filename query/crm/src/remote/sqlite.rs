//! SQLite: each statement opens the file read-only, on a thread that it may block.

use crate::remote::batch::{BATCH_ROWS, BatchBuilder, Cell};
use crate::remote::dialect::SqlDialect;
use crate::remote::driver::{BatchSender, Driver, RemoteColumn, RemoteStatement, quoted, send};
use crate::remote::error::DriverError;
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::common::TableReference;
use libsql::{Builder, Connection, OpenFlags, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

#[derive(Debug)]
pub(crate) struct Sqlite {
    path: PathBuf,
    limit: Duration,
}

impl Sqlite {
    pub(crate) fn new(path: &Path, limit: Duration) -> Self {
        Self { path: path.to_owned(), limit }
    }

    /// Runs `work` with a connection. Interrupts it after the timeout, or when `cancelled` completes.
    async fn with<T: Send + 'static, F: Future<Output = Result<T, DriverError>>>(
        &self,
        cancelled: impl Future<Output = ()> + Send,
        work: impl FnOnce(Connection) -> F + Send + 'static,
    ) -> Result<T, DriverError> {
        // SQLite itself would report only "unable to open database file".
        if let Err(error) = std::fs::metadata(&self.path) {
            return Err(DriverError::Unreachable(error.to_string()));
        }
        let database = Builder::new_local(&self.path).flags(OpenFlags::SQLITE_OPEN_READ_ONLY);
        let database = database.build().await.map_err(unreachable)?;
        let connection = database.connect().map_err(unreachable)?;
        connection.busy_timeout(self.limit).map_err(unreachable)?;
        let handle = Handle::current();
        let working = connection.clone();
        let interrupt = Interrupt(connection);
        let mut task = spawn_blocking(move || {
            let result = handle.block_on(work(working));
            drop(database);
            result
        });
        let error = tokio::select! {
            done = &mut task => return done.unwrap_or_else(|error| Err(DriverError::Failed(error.to_string()))),
            () = tokio::time::sleep(self.limit) => DriverError::StatementTimedOut,
            () = cancelled => DriverError::Cancelled,
        };
        drop(interrupt);
        // The statement ends at once, with an error that states only the interruption.
        let _ = task.await;
        Err(error)
    }
}

/// Interrupts the running statement of a connection when it is dropped.
struct Interrupt(Connection);

impl Drop for Interrupt {
    fn drop(&mut self) {
        if let Err(error) = self.0.interrupt() {
            tracing::debug!(%error, "interrupt a statement in the CRM");
        }
    }
}

#[async_trait]
impl Driver for Sqlite {
    fn dialect(&self) -> SqlDialect {
        SqlDialect::Sqlite
    }

    async fn columns(&self, table: &TableReference) -> Result<Vec<RemoteColumn>, DriverError> {
        let sql = format!("SELECT * FROM {}", quoted(table, '"'));
        self.with(std::future::pending(), |connection| async move {
            let statement = connection.prepare(&sql).await.map_err(failed)?;
            let columns = statement.columns();
            let columns = columns.iter().map(|column| {
                let data_type = arrow_type(column.decl_type().unwrap_or_default());
                RemoteColumn { name: column.name().to_owned(), data_type, is_exact: true }
            });
            Ok(columns.collect())
        })
        .await
    }

    async fn execute(
        &self,
        statement: &RemoteStatement,
        schema: SchemaRef,
        rows: &BatchSender,
    ) -> Result<(), DriverError> {
        let sql = statement.sql.clone();
        let sender = rows.clone();
        self.with(rows.closed(), |connection| async move {
            let mut builder = BatchBuilder::new(schema);
            let mut result = connection.query(&sql, ()).await.map_err(failed)?;
            while let Some(row) = result.next().await.map_err(failed)? {
                for index in 0..builder.width() {
                    let column = i32::try_from(index).unwrap_or(i32::MAX);
                    let value = row.get_value(column).map_err(failed)?;
                    let cell = match &value {
                        Value::Null => Cell::Null,
                        Value::Integer(value) => Cell::Int(*value),
                        Value::Real(value) => Cell::Float(*value),
                        Value::Text(text) => Cell::Text(text),
                        Value::Blob(bytes) => Cell::Bytes(bytes),
                    };
                    builder.push(index, cell)?;
                }
                builder.end_row();
                if builder.rows() == BATCH_ROWS {
                    send(&sender, builder.finish()?).await?;
                }
            }
            if builder.rows() > 0 {
                send(&sender, builder.finish()?).await?;
            }
            Ok(())
        })
        .await
    }
}

fn unreachable(error: libsql::Error) -> DriverError {
    DriverError::Unreachable(error.to_string())
}

fn failed(error: libsql::Error) -> DriverError {
    let text = error.to_string();
    if text.contains("no such table") { DriverError::NoTable } else { DriverError::Failed(text) }
}

/// SQLite's columns can contain values of any type; the declared type states the expected one. A number without an exact type is
/// a float.
fn arrow_type(declared: &str) -> DataType {
    let declared = declared.to_ascii_uppercase();
    let any = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    match () {
        () if any(&["BOOL"]) => DataType::Boolean,
        () if any(&["DATETIME", "TIMESTAMP"]) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        () if any(&["INT"]) => DataType::Int64,
        () if any(&["CHAR", "CLOB", "TEXT"]) || declared == "DATE" || declared == "TIME" => DataType::Utf8,
        () if any(&["REAL", "FLOA", "DOUB", "NUM", "DEC"]) => DataType::Float64,
        () if any(&["BLOB"]) => DataType::Binary,
        () => DataType::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declared_type_gives_the_arrow_type() {
        assert_eq!(arrow_type("integer"), DataType::Int64);
        assert_eq!(arrow_type("VARCHAR(20)"), DataType::Utf8);
        assert_eq!(arrow_type("DECIMAL(10,2)"), DataType::Float64);
        assert_eq!(arrow_type("timestamp"), DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
        assert_eq!(arrow_type(""), DataType::Utf8);
    }
}

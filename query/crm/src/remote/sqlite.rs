//! SQLite: the file is opened anew for each statement, for reading only, on a thread where it may take its time.

use super::{Remote, RemoteColumn, Rows, Trouble, quoted, send};
use crate::cells::{BATCH_ROWS, Cell, Columns};
use crate::dialect::Language;
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

    /// Runs `work` with a connection, and interrupts it when the limit has passed or `gone` says that nobody waits.
    async fn with<T: Send + 'static, F: Future<Output = Result<T, Trouble>>>(
        &self,
        gone: impl Future<Output = ()> + Send,
        work: impl FnOnce(Connection) -> F + Send + 'static,
    ) -> Result<T, Trouble> {
        // SQLite would say only "unable to open database file".
        if let Err(error) = std::fs::metadata(&self.path) {
            return Err(Trouble::Unreachable(error.to_string()));
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
        let late = tokio::select! {
            done = &mut task => return done.unwrap_or_else(|error| Err(Trouble::Failed(error.to_string()))),
            () = tokio::time::sleep(self.limit) => Trouble::AnswerTimedOut,
            () = gone => Trouble::Abandoned,
        };
        drop(interrupt);
        // The statement notices at once; what it says now is only that it was interrupted.
        let _ = task.await;
        Err(late)
    }
}

/// Ends the statement of a connection, if one is under way, when it is dropped.
struct Interrupt(Connection);

impl Drop for Interrupt {
    fn drop(&mut self) {
        if let Err(error) = self.0.interrupt() {
            tracing::debug!(%error, "interrupt a statement in the CRM");
        }
    }
}

#[async_trait]
impl Remote for Sqlite {
    fn language(&self) -> Language {
        Language::Sqlite
    }

    async fn columns(&self, table: &TableReference) -> Result<Vec<RemoteColumn>, Trouble> {
        let sql = format!("SELECT * FROM {}", quoted(table, '"'));
        self.with(std::future::pending(), |connection| async move {
            let statement = connection.prepare(&sql).await.map_err(failed)?;
            let columns = statement.columns();
            let columns = columns.iter().map(|column| {
                let data_type = arrow_type(column.decl_type().unwrap_or_default());
                RemoteColumn { name: column.name().to_owned(), data_type, plain: true }
            });
            Ok(columns.collect())
        })
        .await
    }

    async fn answer(&self, sql: &str, schema: SchemaRef, rows: &Rows) -> Result<(), Trouble> {
        let sql = sql.to_owned();
        let out = rows.clone();
        self.with(rows.closed(), |connection| async move {
            let mut columns = Columns::new(schema);
            let mut answer = connection.query(&sql, ()).await.map_err(failed)?;
            while let Some(row) = answer.next().await.map_err(failed)? {
                for index in 0..columns.width() {
                    let column = i32::try_from(index).unwrap_or(i32::MAX);
                    let value = row.get_value(column).map_err(failed)?;
                    let cell = match &value {
                        Value::Null => Cell::Null,
                        Value::Integer(value) => Cell::Int(*value),
                        Value::Real(value) => Cell::Float(*value),
                        Value::Text(text) => Cell::Text(text),
                        Value::Blob(bytes) => Cell::Bytes(bytes),
                    };
                    columns.push(index, cell)?;
                }
                columns.end_row();
                if columns.rows() == BATCH_ROWS {
                    send(&out, columns.finish()?).await?;
                }
            }
            if columns.rows() > 0 {
                send(&out, columns.finish()?).await?;
            }
            Ok(())
        })
        .await
    }
}

fn unreachable(error: libsql::Error) -> Trouble {
    Trouble::Unreachable(error.to_string())
}

fn failed(error: libsql::Error) -> Trouble {
    let text = error.to_string();
    if text.contains("no such table") { Trouble::NoTable } else { Trouble::Failed(text) }
}

/// SQLite's columns hold anything; the declared type says what to expect. A number without an exact type is a float.
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
    fn the_declared_type_says_what_to_expect() {
        assert_eq!(arrow_type("integer"), DataType::Int64);
        assert_eq!(arrow_type("VARCHAR(20)"), DataType::Utf8);
        assert_eq!(arrow_type("DECIMAL(10,2)"), DataType::Float64);
        assert_eq!(arrow_type("timestamp"), DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
        assert_eq!(arrow_type(""), DataType::Utf8);
    }
}

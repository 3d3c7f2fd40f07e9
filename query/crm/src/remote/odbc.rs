//! ODBC: the driver is loaded when it is needed, and works on a thread where it may block. All values are fetched as
//! text (UTF-16), which every driver converts to, and read from there.
//!
//! Not every driver honours the time limits that it is given; then its thread stays behind until the driver gives up,
//! while the statement has failed in time. A CRM that was found down is left alone for a moment, so few stay behind.

use super::{Remote, RemoteColumn, Rows, Trouble, quoted};
use crate::cells::{BATCH_ROWS, Cell, Columns};
use crate::dialect::Language;
use crate::settings::{OdbcDialect, Secret};
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_odbc::odbc_api::handles::Record;
use arrow_odbc::odbc_api::{self, Connection, ConnectionOptions, ResultSetMetadata, environment};
use arrow_odbc::{OdbcReaderBuilder, TextEncoding};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::common::TableReference;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// The longest text that is read from a column whose driver tells no length, in characters.
const LONGEST_TEXT: usize = 64 << 10;
/// Memory for one batch.
const BATCH_BYTES: usize = 32 << 20;

#[derive(Debug)]
pub(crate) struct Odbc {
    connection_string: Secret,
    dialect: OdbcDialect,
    limit: Duration,
}

impl Odbc {
    pub(crate) fn new(connection_string: Secret, dialect: OdbcDialect, limit: Duration) -> Self {
        Self { connection_string, dialect, limit }
    }

    /// Runs `work` with a new connection on a thread of its own.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection<'_>, usize) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (connected, is_connected) = oneshot::channel();
        let connection_string = self.connection_string.clone();
        let seconds = self.limit.as_secs().max(1);
        let task = spawn_blocking(move || {
            let options = ConnectionOptions { login_timeout_sec: u32::try_from(seconds).ok(), packet_size: None };
            let connection = environment()
                .and_then(|environment| environment.connect_with_connection_string(connection_string.reveal(), options))
                .map_err(not_connected)?;
            let _ = connected.send(());
            work(&connection, usize::try_from(seconds).unwrap_or(usize::MAX))
        });
        if timeout(self.limit, is_connected).await.is_err() {
            return Err(Trouble::ConnectTimedOut);
        }
        task.await.unwrap_or_else(|error| Err(Trouble::Failed(error.to_string())))
    }
}

#[async_trait]
impl Remote for Odbc {
    fn language(&self) -> Language {
        match self.dialect {
            OdbcDialect::SqlServer => Language::SqlServer,
            OdbcDialect::Oracle => Language::Oracle,
            OdbcDialect::Db2 => Language::Db2,
            OdbcDialect::Postgres => Language::Postgres,
            OdbcDialect::Generic => Language::Generic,
        }
    }

    async fn columns(&self, table: &TableReference) -> Result<Vec<RemoteColumn>, Trouble> {
        let sql = format!("SELECT * FROM {} WHERE 1 = 0", quoted(table, '"'));
        self.with(move |connection, seconds| {
            let cursor = connection.execute(&sql, (), Some(seconds)).map_err(failed)?;
            let mut cursor = cursor.ok_or_else(|| Trouble::Failed("the driver gave no answer".to_owned()))?;
            let count = u16::try_from(cursor.num_result_cols().map_err(failed)?).unwrap_or(0);
            (1..=count)
                .map(|number| {
                    let name = cursor.col_name(number).map_err(failed)?;
                    let (data_type, plain) = arrow_type(cursor.col_data_type(number).map_err(failed)?);
                    Ok(RemoteColumn { name, data_type, plain })
                })
                .collect()
        })
        .await
    }

    async fn answer(&self, sql: &str, schema: SchemaRef, rows: &Rows) -> Result<(), Trouble> {
        let sql = sql.to_owned();
        let out = rows.clone();
        self.with(move |connection, seconds| {
            let cursor = connection.execute(&sql, (), Some(seconds)).map_err(failed)?;
            let mut cursor = cursor.ok_or_else(|| Trouble::Failed("the driver gave no answer".to_owned()))?;
            let count = cursor.num_result_cols().map_err(failed)?;
            let texts = (0..count).map(|number| Field::new(format!("{number}"), DataType::Utf8, true));
            let texts = Arc::new(Schema::new(texts.collect::<Vec<_>>()));
            let reader = OdbcReaderBuilder::new()
                .with_schema(texts)
                .with_payload_text_encoding(TextEncoding::Utf16)
                .with_max_text_size(LONGEST_TEXT)
                .with_max_num_rows_per_batch(BATCH_ROWS)
                .with_max_bytes_per_batch(BATCH_BYTES)
                .build(cursor)
                .map_err(|error| Trouble::Failed(error.to_string()))?;
            let mut columns = Columns::new(schema);
            for batch in reader {
                let batch = batch.map_err(|error| Trouble::Failed(error.to_string()))?;
                let batch = read(&mut columns, &batch)?;
                out.blocking_send(Ok(batch)).map_err(|_| Trouble::Abandoned)?;
            }
            Ok(())
        })
        .await
    }
}

/// The texts of `batch` as what they mean.
fn read(columns: &mut Columns, batch: &RecordBatch) -> Result<RecordBatch, Trouble> {
    let texts = batch.columns().iter().map(|column| column.as_string_opt::<i32>());
    let texts =
        texts.collect::<Option<Vec<_>>>().ok_or_else(|| Trouble::Failed("the driver gave no text".to_owned()))?;
    for row in 0..batch.num_rows() {
        for (index, text) in texts.iter().enumerate().take(columns.width()) {
            columns.push(index, if text.is_null(row) { Cell::Null } else { Cell::Text(text.value(row)) })?;
        }
        columns.end_row();
    }
    Ok(columns.finish()?)
}

fn not_connected(error: odbc_api::Error) -> Trouble {
    match failed(error) {
        Trouble::Failed(reason) => Trouble::Unreachable(reason),
        other => other,
    }
}

fn failed(error: odbc_api::Error) -> Trouble {
    let Some((state, record)) = diagnosis(&error) else {
        return Trouble::Failed(error.to_string());
    };
    let message = record.to_string();
    match state.as_str() {
        _ if message.contains("password authentication failed") => Trouble::Refused(message),
        "28000" => Trouble::Refused(message),
        "42S02" => Trouble::NoTable,
        // 57014 is PostgreSQL's own word for a statement that was cancelled, and HY008 the standard's.
        "HYT00" | "HY008" | "57014" => Trouble::AnswerTimedOut,
        "HYT01" => Trouble::ConnectTimedOut,
        state if state.starts_with("08") => Trouble::Unreachable(message),
        // Such a message may quote the value.
        state if state.starts_with("22") => {
            Trouble::Failed(format!("a value cannot be converted or computed with (SQLSTATE {state})"))
        }
        _ => Trouble::Failed(message),
    }
}

fn diagnosis(error: &odbc_api::Error) -> Option<(String, &Record)> {
    match error {
        odbc_api::Error::Diagnostics { record, .. } => {
            Some((String::from_utf8_lossy(&record.state.0).into_owned(), record))
        }
        _ => None,
    }
}

fn arrow_type(remote: odbc_api::DataType) -> (DataType, bool) {
    use odbc_api::DataType::*;
    match remote {
        Bit => (DataType::Boolean, true),
        TinyInt | SmallInt | Integer | BigInt => (DataType::Int64, true),
        Float { .. } | Real | Double => (DataType::Float64, true),
        Numeric { precision, scale } | Decimal { precision, scale } => {
            match (u8::try_from(precision), i8::try_from(scale)) {
                (Ok(precision @ 1..=38), Ok(scale)) if scale >= 0 => (DataType::Decimal128(precision, scale), true),
                _ => (DataType::Utf8, false),
            }
        }
        Date => (DataType::Date32, true),
        Timestamp { .. } => (DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Varchar { .. } | WVarchar { .. } | LongVarchar { .. } | WLongVarchar { .. } => (DataType::Utf8, true),
        _ => (DataType::Utf8, false),
    }
}

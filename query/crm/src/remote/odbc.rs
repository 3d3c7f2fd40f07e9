//! ODBC: the driver is loaded when it is needed, and runs on a thread that it may block. All values are fetched as text
//! (UTF-16), which every driver supports, and parsed here.
//!
//! Not every driver honours its timeouts. The statement then fails in time, but the thread stays blocked until the driver
//! returns. The circuit breaker keeps the number of such threads small.
//!
//! The values of a statement are bound, never written into its text: how a database behind a driver reads a literal is not known.

use crate::remote::batch::{BATCH_ROWS, BatchBuilder, Cell};
use crate::remote::dialect::SqlDialect;
use crate::remote::driver::{BatchSender, BoundValue, Driver, RemoteColumn, RemoteStatement, quoted};
use crate::remote::error::DriverError;
use crate::settings::{OdbcDialect, Secret};
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_odbc::odbc_api::handles::Record;
use arrow_odbc::odbc_api::parameter::{InputParameter, VarWCharBox, WithDataType};
use arrow_odbc::odbc_api::{self, Connection, ConnectionOptions, ResultSetMetadata, environment};
use arrow_odbc::{OdbcReaderBuilder, TextEncoding};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::common::TableReference;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// The length in characters of the longest text that is read from a column for which the driver reports no length.
const MAX_TEXT_LENGTH: usize = 64 << 10;
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
        work: impl FnOnce(&Connection<'_>, usize) -> Result<T, DriverError> + Send + 'static,
    ) -> Result<T, DriverError> {
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
            return Err(DriverError::ConnectTimedOut);
        }
        task.await.unwrap_or_else(|error| Err(DriverError::Failed(error.to_string())))
    }
}

#[async_trait]
impl Driver for Odbc {
    fn dialect(&self) -> SqlDialect {
        match self.dialect {
            OdbcDialect::SqlServer => SqlDialect::SqlServer,
            OdbcDialect::Oracle => SqlDialect::Oracle,
            OdbcDialect::Db2 => SqlDialect::Db2,
            OdbcDialect::Postgres => SqlDialect::Postgres,
            OdbcDialect::Generic => SqlDialect::Generic,
        }
    }

    fn binds_values(&self) -> bool {
        true
    }

    async fn columns(&self, table: &TableReference) -> Result<Vec<RemoteColumn>, DriverError> {
        let sql = format!("SELECT * FROM {} WHERE 1 = 0", quoted(table, '"'));
        self.with(move |connection, seconds| {
            let cursor = connection.execute(&sql, (), Some(seconds)).map_err(failed)?;
            let mut cursor = cursor.ok_or_else(|| DriverError::Failed("the driver returned no result".to_owned()))?;
            let count = u16::try_from(cursor.num_result_cols().map_err(failed)?).unwrap_or(0);
            (1..=count)
                .map(|number| {
                    let name = cursor.col_name(number).map_err(failed)?;
                    let (data_type, is_exact) = arrow_type(cursor.col_data_type(number).map_err(failed)?);
                    Ok(RemoteColumn { name, data_type, is_exact })
                })
                .collect()
        })
        .await
    }

    async fn execute(
        &self,
        statement: &RemoteStatement,
        schema: SchemaRef,
        rows: &BatchSender,
    ) -> Result<(), DriverError> {
        let (statement, dialect) = (statement.clone(), self.dialect);
        let sender = rows.clone();
        self.with(move |connection, seconds| {
            let parameters: Vec<_> = statement.values.iter().map(|value| parameter(value, dialect)).collect();
            let cursor = connection.execute(&statement.sql, parameters.as_slice(), Some(seconds)).map_err(failed)?;
            let mut cursor = cursor.ok_or_else(|| DriverError::Failed("the driver returned no result".to_owned()))?;
            let count = cursor.num_result_cols().map_err(failed)?;
            let texts = (0..count).map(|number| Field::new(format!("{number}"), DataType::Utf8, true));
            let texts = Arc::new(Schema::new(texts.collect::<Vec<_>>()));
            let reader = OdbcReaderBuilder::new()
                .with_schema(texts)
                .with_payload_text_encoding(TextEncoding::Utf16)
                .with_max_text_size(MAX_TEXT_LENGTH)
                .with_max_num_rows_per_batch(BATCH_ROWS)
                .with_max_bytes_per_batch(BATCH_BYTES)
                .build(cursor)
                .map_err(|error| DriverError::Failed(error.to_string()))?;
            let mut builder = BatchBuilder::new(schema);
            for batch in reader {
                let batch = batch.map_err(|error| DriverError::Failed(error.to_string()))?;
                let batch = read(&mut builder, &batch)?;
                sender.blocking_send(Ok(batch)).map_err(|_| DriverError::Cancelled)?;
            }
            Ok(())
        })
        .await
    }
}

/// `value` as it is bound.
fn parameter(value: &BoundValue, dialect: OdbcDialect) -> Box<dyn InputParameter> {
    let text = |text: &str, data_type| Box::new(WithDataType::new(VarWCharBox::from_str_slice(text), data_type));
    match value {
        BoundValue::Text(value) => {
            // In UTF-16 units. Some drivers refuse a length of 0.
            let length = NonZeroUsize::new(value.encode_utf16().count().max(1));
            text(value, odbc_api::DataType::WVarchar { length })
        }
        // Oracle's driver has no integers of 64 bits.
        BoundValue::Integer(value) if dialect == OdbcDialect::Oracle => {
            text(&value.to_string(), odbc_api::DataType::Decimal { precision: 19, scale: 0 })
        }
        BoundValue::Integer(value) => Box::new(*value),
        BoundValue::Decimal { digits, precision, scale } => {
            text(digits, odbc_api::DataType::Decimal { precision: usize::from(*precision), scale: i16::from(*scale) })
        }
        BoundValue::Float(value) => Box::new(*value),
    }
}

/// Parses the texts of `batch` into the types of the schema.
fn read(builder: &mut BatchBuilder, batch: &RecordBatch) -> Result<RecordBatch, DriverError> {
    let texts = batch.columns().iter().map(|column| column.as_string_opt::<i32>());
    let texts = texts
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| DriverError::Failed("the driver returned no text".to_owned()))?;
    for row in 0..batch.num_rows() {
        for (index, text) in texts.iter().enumerate().take(builder.width()) {
            builder.push(index, if text.is_null(row) { Cell::Null } else { Cell::Text(text.value(row)) })?;
        }
        builder.end_row();
    }
    Ok(builder.finish()?)
}

fn not_connected(error: odbc_api::Error) -> DriverError {
    match failed(error) {
        DriverError::Failed(reason) => DriverError::Unreachable(reason),
        other => other,
    }
}

fn failed(error: odbc_api::Error) -> DriverError {
    let Some((state, record)) = diagnosis(&error) else {
        return DriverError::Failed(error.to_string());
    };
    let message = record.to_string();
    match state.as_str() {
        _ if message.contains("password authentication failed") => DriverError::LoginRefused(message),
        "28000" => DriverError::LoginRefused(message),
        "42S02" => DriverError::NoTable,
        // A cancelled statement: 57014 is PostgreSQL's SQLSTATE, HY008 the standard's.
        "HYT00" | "HY008" | "57014" => DriverError::StatementTimedOut,
        "HYT01" => DriverError::ConnectTimedOut,
        state if state.starts_with("08") => DriverError::Unreachable(message),
        // The message of such an error may quote the value.
        state if state.starts_with("22") => {
            DriverError::Failed(format!("a value cannot be converted or computed with (SQLSTATE {state})"))
        }
        _ => DriverError::Failed(message),
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

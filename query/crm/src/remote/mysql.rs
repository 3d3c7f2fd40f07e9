//! MySQL and MariaDB: statements are prepared, so that the server refuses more than one and sends typed values.

use crate::remote::batch::{BATCH_ROWS, BatchBuilder, Cell};
use crate::remote::dialect::SqlDialect;
use crate::remote::driver::{BatchSender, Driver, RemoteColumn, RemoteStatement, quoted, send};
use crate::remote::error::{DriverError, chain};
use crate::settings::{Server, TlsMode};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use async_trait::async_trait;
use chrono::NaiveDate;
use datafusion::common::TableReference;
use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, OptsBuilder, Pool, PoolConstraints, PoolOpts, SslOpts, Value};
use std::time::Duration;
use tokio::time::timeout;

/// The character set of binary columns.
const BINARY: u16 = 63;

pub(crate) struct MySql {
    pool: Pool,
    limit: Duration,
}

impl std::fmt::Debug for MySql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MySql")
    }
}

impl MySql {
    pub(crate) fn new(server: &Server, limit: Duration, connections: usize) -> Self {
        let tls = match server.tls.mode {
            TlsMode::Disable => None,
            TlsMode::Require => {
                Some(SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true))
            }
            TlsMode::VerifyCa => Some(SslOpts::default().with_danger_skip_domain_validation(true)),
            TlsMode::VerifyFull => Some(SslOpts::default()),
        };
        let tls = tls.map(|tls| match &server.tls.ca {
            Some(path) => tls.with_root_certs(vec![path.clone().into()]),
            None => tls,
        });
        let millis = limit.as_millis();
        let seconds = limit.as_secs_f64();
        // MariaDB executes a comment that starts with /*M!, MySQL one that starts with /*!50708. Each ignores the other's.
        let set_up = format!(
            "SET SESSION time_zone = '+00:00', SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ONLY_FULL_GROUP_BY' \
             /*M!100100 , SESSION max_statement_time = {seconds} */ /*!50708 , SESSION max_execution_time = {millis} */"
        );
        let constraints = PoolConstraints::new(0, connections.max(1)).unwrap_or_default();
        let options = OptsBuilder::default()
            .ip_or_hostname(server.host.clone())
            .tcp_port(server.port)
            .db_name(Some(server.database.clone()))
            .user(Some(server.user.clone()))
            .pass(Some(server.password.reveal().to_owned()))
            .prefer_socket(false)
            .ssl_opts(tls)
            .stmt_cache_size(0_usize)
            .setup(vec![set_up, "SET SESSION TRANSACTION READ ONLY".to_owned()])
            .pool_opts(PoolOpts::default().with_constraints(constraints));
        Self { pool: Pool::new(options), limit }
    }

    async fn connection(&self) -> Result<Conn, DriverError> {
        match timeout(self.limit, self.pool.get_conn()).await {
            Ok(connection) => connection.map_err(|error| match error {
                Error::Server(_) => failed(error),
                other => DriverError::Unreachable(chain(&other)),
            }),
            Err(_) => Err(DriverError::ConnectTimedOut),
        }
    }

    async fn within<T>(&self, step: impl Future<Output = Result<T, Error>>) -> Result<T, DriverError> {
        match timeout(self.limit, step).await {
            Ok(done) => done.map_err(failed),
            Err(_) => Err(DriverError::StatementTimedOut),
        }
    }
}

#[async_trait]
impl Driver for MySql {
    fn dialect(&self) -> SqlDialect {
        SqlDialect::MySql
    }

    async fn columns(&self, table: &TableReference) -> Result<Vec<RemoteColumn>, DriverError> {
        let mut connection = self.connection().await?;
        let sql = format!("SELECT * FROM {}", quoted(table, '`'));
        let statement = self.within(connection.prep(sql)).await?;
        let described = statement.columns();
        let columns = described.iter().map(|column| {
            let unsigned = column.flags().contains(ColumnFlags::UNSIGNED_FLAG);
            let binary = column.character_set() == BINARY;
            let (data_type, is_exact) =
                arrow_type(column.column_type(), unsigned, binary, column.column_length(), column.decimals());
            RemoteColumn { name: column.name_str().into_owned(), data_type, is_exact }
        });
        let columns = columns.collect();
        self.within(connection.close(statement)).await?;
        Ok(columns)
    }

    async fn execute(
        &self,
        statement: &RemoteStatement,
        schema: SchemaRef,
        rows: &BatchSender,
    ) -> Result<(), DriverError> {
        let mut connection = self.connection().await?;
        let mut builder = BatchBuilder::new(schema);
        let mut result = self.within(connection.exec_iter(statement.sql.as_str(), ())).await?;
        while let Some(row) = self.within(result.next()).await? {
            for index in 0..builder.width() {
                push(&mut builder, index, row.as_ref(index).unwrap_or(&Value::NULL))?;
            }
            builder.end_row();
            if builder.rows() == BATCH_ROWS {
                send(rows, builder.finish()?).await?;
            }
        }
        if builder.rows() > 0 {
            send(rows, builder.finish()?).await?;
        }
        Ok(())
    }
}

fn push(builder: &mut BatchBuilder, index: usize, value: &Value) -> Result<(), DriverError> {
    let text;
    let cell = match value {
        Value::NULL => Cell::Null,
        Value::Int(value) => Cell::Int(*value),
        Value::UInt(value) => Cell::Unsigned(*value),
        Value::Float(value) => Cell::Float(f64::from(*value)),
        Value::Double(value) => Cell::Float(*value),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).map_or(Cell::Bytes(bytes), Cell::Text),
        Value::Date(year, month, day, hour, minute, second, micros) => {
            let date = NaiveDate::from_ymd_opt(i32::from(*year), u32::from(*month), u32::from(*day));
            let time = date.and_then(|date| {
                date.and_hms_micro_opt(u32::from(*hour), u32::from(*minute), u32::from(*second), *micros)
            });
            match time {
                Some(time) => Cell::Time(time.and_utc().timestamp_micros()),
                // MySQL's zero date stands for no date.
                None if (*month, *day) == (0, 0) => Cell::Null,
                None => Cell::Text("not a date"),
            }
        }
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            let sign = if *negative { "-" } else { "" };
            let hours = u64::from(*days) * 24 + u64::from(*hours);
            text = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}.{micros:06}");
            Cell::Text(&text)
        }
    };
    Ok(builder.push(index, cell)?)
}

fn failed(error: Error) -> DriverError {
    let Error::Server(reply) = &error else {
        return DriverError::Unreachable(chain(&error));
    };
    match reply.code {
        1044 | 1045 | 1142 | 1698 => DriverError::LoginRefused(reply.message.clone()),
        1146 => DriverError::NoTable,
        // max_statement_time of MariaDB, max_execution_time of MySQL.
        1969 | 3024 => DriverError::StatementTimedOut,
        // Too many connections; shutting down.
        1040 | 1053 | 1203 | 1226 => DriverError::Unreachable(reply.message.clone()),
        // The message of such an error quotes the value.
        code if reply.state.starts_with("22") => {
            DriverError::Failed(format!("a value cannot be converted or computed with (error {code})"))
        }
        code => DriverError::Failed(format!("{} (error {code})", reply.message)),
    }
}

fn arrow_type(remote: ColumnType, unsigned: bool, binary: bool, length: u32, decimals: u8) -> (DataType, bool) {
    use ColumnType::*;
    match remote {
        MYSQL_TYPE_LONGLONG if unsigned => (DataType::UInt64, true),
        MYSQL_TYPE_TINY | MYSQL_TYPE_SHORT | MYSQL_TYPE_INT24 | MYSQL_TYPE_LONG | MYSQL_TYPE_LONGLONG
        | MYSQL_TYPE_YEAR => (DataType::Int64, true),
        MYSQL_TYPE_FLOAT | MYSQL_TYPE_DOUBLE => (DataType::Float64, true),
        MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => {
            // The length counts the digits, the sign and the point.
            let signs = u32::from(!unsigned) + u32::from(decimals > 0);
            match (u8::try_from(length.saturating_sub(signs)), i8::try_from(decimals)) {
                (Ok(precision @ 1..=38), Ok(scale)) => (DataType::Decimal128(precision, scale), true),
                _ => (DataType::Utf8, false),
            }
        }
        MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => (DataType::Date32, true),
        MYSQL_TYPE_TIMESTAMP | MYSQL_TYPE_TIMESTAMP2 => {
            (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true)
        }
        MYSQL_TYPE_DATETIME | MYSQL_TYPE_DATETIME2 => (DataType::Timestamp(TimeUnit::Microsecond, None), true),
        MYSQL_TYPE_BIT => (if length == 1 { DataType::Boolean } else { DataType::Binary }, length == 1),
        MYSQL_TYPE_JSON | MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => (DataType::Utf8, false),
        MYSQL_TYPE_GEOMETRY => (DataType::Binary, false),
        _ if binary => (DataType::Binary, true),
        _ => (DataType::Utf8, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_has_the_digits_that_it_was_declared_with() {
        let decimal = ColumnType::MYSQL_TYPE_NEWDECIMAL;
        assert_eq!(arrow_type(decimal, false, true, 12, 2).0, DataType::Decimal128(10, 2));
        assert_eq!(arrow_type(decimal, true, true, 10, 0).0, DataType::Decimal128(10, 0));
        assert_eq!(arrow_type(decimal, false, true, 67, 30), (DataType::Utf8, false));
    }
}

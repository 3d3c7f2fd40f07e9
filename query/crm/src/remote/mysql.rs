//! MySQL and MariaDB: statements are prepared, so that the server refuses more than one, and their values come typed.

use super::{Remote, RemoteColumn, Rows, Trouble, chain, quoted, send};
use crate::cells::{BATCH_ROWS, Cell, Columns};
use crate::dialect::Language;
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

/// The character set of what is no text.
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
        // A comment that begins with /*M! is for MariaDB and one with /*!50708 for MySQL; each takes the other's for a comment.
        let set_up = format!(
            "SET SESSION time_zone = '+00:00', SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ONLY_FULL_GROUP_BY' \
             /*M!100100 , SESSION max_statement_time = {seconds} */ /*!50708 , SESSION max_execution_time = {millis} */"
        );
        let kept = PoolConstraints::new(0, connections.max(1)).unwrap_or_default();
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
            .pool_opts(PoolOpts::default().with_constraints(kept));
        Self { pool: Pool::new(options), limit }
    }

    async fn connection(&self) -> Result<Conn, Trouble> {
        match timeout(self.limit, self.pool.get_conn()).await {
            Ok(connection) => connection.map_err(|error| match error {
                Error::Server(_) => failed(error),
                other => Trouble::Unreachable(chain(&other)),
            }),
            Err(_) => Err(Trouble::ConnectTimedOut),
        }
    }

    async fn within<T>(&self, step: impl Future<Output = Result<T, Error>>) -> Result<T, Trouble> {
        match timeout(self.limit, step).await {
            Ok(done) => done.map_err(failed),
            Err(_) => Err(Trouble::AnswerTimedOut),
        }
    }
}

#[async_trait]
impl Remote for MySql {
    fn language(&self) -> Language {
        Language::MySql
    }

    async fn columns(&self, table: &TableReference) -> Result<Vec<RemoteColumn>, Trouble> {
        let mut connection = self.connection().await?;
        let sql = format!("SELECT * FROM {}", quoted(table, '`'));
        let statement = self.within(connection.prep(sql)).await?;
        let described = statement.columns();
        let columns = described.iter().map(|column| {
            let unsigned = column.flags().contains(ColumnFlags::UNSIGNED_FLAG);
            let binary = column.character_set() == BINARY;
            let (data_type, plain) =
                arrow_type(column.column_type(), unsigned, binary, column.column_length(), column.decimals());
            RemoteColumn { name: column.name_str().into_owned(), data_type, plain }
        });
        let columns = columns.collect();
        self.within(connection.close(statement)).await?;
        Ok(columns)
    }

    async fn answer(&self, sql: &str, schema: SchemaRef, rows: &Rows) -> Result<(), Trouble> {
        let mut connection = self.connection().await?;
        let mut columns = Columns::new(schema);
        let mut answer = self.within(connection.exec_iter(sql, ())).await?;
        while let Some(row) = self.within(answer.next()).await? {
            for index in 0..columns.width() {
                push(&mut columns, index, row.as_ref(index).unwrap_or(&Value::NULL))?;
            }
            columns.end_row();
            if columns.rows() == BATCH_ROWS {
                send(rows, columns.finish()?).await?;
            }
        }
        if columns.rows() > 0 {
            send(rows, columns.finish()?).await?;
        }
        Ok(())
    }
}

fn push(columns: &mut Columns, index: usize, value: &Value) -> Result<(), Trouble> {
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
                // MySQL's zero date says that there is none.
                None if (*month, *day) == (0, 0) => Cell::Null,
                None => Cell::Text("a day that no calendar has"),
            }
        }
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            let sign = if *negative { "-" } else { "" };
            let hours = u64::from(*days) * 24 + u64::from(*hours);
            text = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}.{micros:06}");
            Cell::Text(&text)
        }
    };
    Ok(columns.push(index, cell)?)
}

fn failed(error: Error) -> Trouble {
    let Error::Server(answer) = &error else {
        return Trouble::Unreachable(chain(&error));
    };
    match answer.code {
        1044 | 1045 | 1142 | 1698 => Trouble::Refused(answer.message.clone()),
        1146 => Trouble::NoTable,
        // max_statement_time of MariaDB, max_execution_time of MySQL.
        1969 | 3024 => Trouble::AnswerTimedOut,
        // Too many connections; shutting down.
        1040 | 1053 | 1203 | 1226 => Trouble::Unreachable(answer.message.clone()),
        // Such a message quotes the value.
        code if answer.state.starts_with("22") => {
            Trouble::Failed(format!("a value cannot be converted or computed with (error {code})"))
        }
        code => Trouble::Failed(format!("{} (error {code})", answer.message)),
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

//! PostgreSQL: the statement is prepared first, which refuses more than one, and then executed with the simple query protocol,
//! whose text format is unambiguous for every type of the server.

use crate::error::CrmError;
use crate::remote::batch::{BATCH_ROWS, BatchBuilder, Cell};
use crate::remote::dialect::SqlDialect;
use crate::remote::driver::{BatchSender, Driver, RemoteColumn, RemoteStatement, quoted, send};
use crate::remote::error::{DriverError, chain};
use crate::settings::{Server, TlsMode};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::common::TableReference;
use futures::StreamExt;
use native_tls::{Certificate, TlsConnector};
use postgres_native_tls::MakeTlsConnector;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Kind, Type};
use tokio_postgres::{Client, Config, SimpleQueryMessage};

/// Idle connections that are reused.
const MAX_IDLE: usize = 4;

pub(crate) struct Postgres {
    config: Config,
    tls: MakeTlsConnector,
    limit: Duration,
    idle: Mutex<Vec<Client>>,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Postgres")
    }
}

impl Postgres {
    pub(crate) fn new(server: &Server, limit: Duration) -> Result<Self, CrmError> {
        let wrong = |reason: String| CrmError::Settings { setting: "tls".to_owned(), reason };
        let mut tls = TlsConnector::builder();
        if let Some(path) = &server.tls.ca {
            let text = std::fs::read(path).map_err(|error| wrong(format!("read {}: {error}", path.display())))?;
            let authorities = Certificate::stack_from_pem(&text)
                .map_err(|error| wrong(format!("{} is not a file of certificates: {error}", path.display())))?;
            for authority in authorities {
                tls.add_root_certificate(authority);
            }
        }
        let ssl_mode = match server.tls.mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Require => {
                tls.danger_accept_invalid_certs(true).danger_accept_invalid_hostnames(true);
                SslMode::Require
            }
            TlsMode::VerifyCa => {
                tls.danger_accept_invalid_hostnames(true);
                SslMode::Require
            }
            TlsMode::VerifyFull => SslMode::Require,
        };
        let tls = tls.build().map_err(|error| wrong(error.to_string()))?;
        let mut config = Config::new();
        config
            .host(&server.host)
            .port(server.port)
            .dbname(&server.database)
            .user(&server.user)
            .password(server.password.reveal())
            .application_name("holdfast")
            .ssl_mode(ssl_mode)
            .connect_timeout(limit);
        Ok(Self { config, tls: MakeTlsConnector::new(tls), limit, idle: Mutex::default() })
    }

    /// An idle connection that is still open, or a new one.
    async fn client(&self) -> Result<Client, DriverError> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(client) if !client.is_closed() => {
                    if let Ok(Ok(())) = timeout(self.limit, client.check_connection()).await {
                        return Ok(client);
                    }
                }
                Some(_) => {}
                None => break,
            }
        }
        let connect = async {
            let (client, connection) = self.config.connect(self.tls.clone()).await.map_err(not_connected)?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "serve a connection to the CRM");
                }
            });
            let limit = self.limit.as_millis();
            let set_up = format!(
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET statement_timeout = {limit}; \
                 SET TIME ZONE 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; \
                 SET standard_conforming_strings = on; SET bytea_output = 'hex'; SET extra_float_digits = 3"
            );
            client.batch_execute(&set_up).await.map_err(failed)?;
            Ok(client)
        };
        timeout(self.limit, connect).await.unwrap_or(Err(DriverError::ConnectTimedOut))
    }

    fn keep(&self, client: Client) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(client);
        }
    }

    async fn within<T>(&self, step: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, DriverError> {
        match timeout(self.limit, step).await {
            Ok(done) => done.map_err(failed),
            Err(_) => Err(DriverError::StatementTimedOut),
        }
    }
}

#[async_trait]
impl Driver for Postgres {
    fn dialect(&self) -> SqlDialect {
        SqlDialect::Postgres
    }

    async fn columns(&self, table: &TableReference) -> Result<Vec<RemoteColumn>, DriverError> {
        let client = self.client().await?;
        let sql = format!("SELECT * FROM {}", quoted(table, '"'));
        let statement = self.within(client.prepare(&sql)).await?;
        let columns = statement.columns().iter().map(|column| {
            let (data_type, is_exact) = arrow_type(column.type_(), column.type_modifier());
            RemoteColumn { name: column.name().to_owned(), data_type, is_exact }
        });
        let columns = columns.collect();
        drop(statement);
        self.keep(client);
        Ok(columns)
    }

    async fn execute(
        &self,
        statement: &RemoteStatement,
        schema: SchemaRef,
        rows: &BatchSender,
    ) -> Result<(), DriverError> {
        let sql = statement.sql.as_str();
        let client = self.client().await?;
        let mut builder = BatchBuilder::new(schema);
        // The extended protocol refuses a text of more than one statement.
        let statement = self.within(client.prepare(sql)).await?;
        let width = statement.columns().len();
        drop(statement);
        let cancel = Cancel(Some((client.cancel_token(), self.tls.clone())));
        let stream = self.within(client.simple_query_raw(sql)).await?;
        let mut stream = std::pin::pin!(stream);
        while let Some(message) =
            timeout(self.limit, stream.next()).await.map_err(|_| DriverError::StatementTimedOut)?
        {
            let SimpleQueryMessage::Row(row) = message.map_err(failed)? else { continue };
            // A statement that reads no column returns one column, which is ignored.
            for index in 0..builder.width().min(width) {
                let cell = row.try_get(index).map_err(failed)?.map_or(Cell::Null, Cell::Text);
                builder.push(index, cell)?;
            }
            builder.end_row();
            if builder.rows() == BATCH_ROWS {
                send(rows, builder.finish()?).await?;
            }
        }
        if builder.rows() > 0 {
            send(rows, builder.finish()?).await?;
        }
        cancel.done();
        self.keep(client);
        Ok(())
    }
}

/// Cancels the statement on the server if its result is not read to the end.
struct Cancel(Option<(tokio_postgres::CancelToken, MakeTlsConnector)>);

impl Cancel {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        if let (Some((token, tls)), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                if let Err(error) = token.cancel_query(tls).await {
                    tracing::debug!(%error, "cancel a statement in the CRM");
                }
            });
        }
    }
}

fn not_connected(error: tokio_postgres::Error) -> DriverError {
    if error.as_db_error().is_some() { failed(error) } else { DriverError::Unreachable(chain(&error)) }
}

fn failed(error: tokio_postgres::Error) -> DriverError {
    let Some(reply) = error.as_db_error() else {
        return DriverError::Unreachable(chain(&error));
    };
    let code = reply.code();
    match code {
        code if code.code().starts_with("28") => DriverError::LoginRefused(reply.message().to_owned()),
        code if *code == SqlState::UNDEFINED_TABLE => DriverError::NoTable,
        code if *code == SqlState::QUERY_CANCELED => DriverError::StatementTimedOut,
        // The server starts, stops, or lacks resources: the next statement should not wait for it.
        code if code.code().starts_with("57P") || code.code().starts_with("53") => {
            DriverError::Unreachable(reply.message().to_owned())
        }
        // The message of such an error quotes the value.
        code if code.code().starts_with("22") => {
            DriverError::Failed(format!("a value cannot be converted or computed with (SQLSTATE {})", code.code()))
        }
        code => DriverError::Failed(format!("{} (SQLSTATE {})", reply.message(), code.code())),
    }
}

fn arrow_type(remote: &Type, modifier: i32) -> (DataType, bool) {
    match *remote {
        Type::BOOL => (DataType::Boolean, true),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => (DataType::Int64, true),
        Type::FLOAT4 | Type::FLOAT8 => (DataType::Float64, true),
        Type::NUMERIC => (numeric(modifier), true),
        Type::DATE => (DataType::Date32, true),
        Type::TIMESTAMP => (DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Type::TIMESTAMPTZ => (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
        Type::TIME => (DataType::Time64(TimeUnit::Microsecond), true),
        Type::BYTEA => (DataType::Binary, true),
        Type::TEXT | Type::VARCHAR | Type::NAME => (DataType::Utf8, true),
        _ => match remote.kind() {
            Kind::Domain(base) => arrow_type(base, modifier),
            _ => (DataType::Utf8, false),
        },
    }
}

/// `numeric(precision, scale)` as declared. A type without a scale gets ten decimal places.
fn numeric(modifier: i32) -> DataType {
    let unlimited = DataType::Decimal128(38, 10);
    if modifier < 4 {
        return unlimited;
    }
    let precision = ((modifier - 4) >> 16) & 0xffff;
    let scale = (modifier - 4) & 0xffff;
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if i32::from(precision) >= i32::from(scale) => {
            DataType::Decimal128(precision, scale)
        }
        _ => unlimited,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_has_the_scale_that_it_was_declared_with() {
        assert_eq!(numeric((12 << 16 | 2) + 4), DataType::Decimal128(12, 2));
        assert_eq!(numeric((38 << 16) + 4), DataType::Decimal128(38, 0));
        assert_eq!(numeric(-1), DataType::Decimal128(38, 10));
        assert_eq!(numeric((1000 << 16) + 4), DataType::Decimal128(38, 10));
    }
}

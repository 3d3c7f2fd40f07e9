//! The address of the CRM and the mapped tables: plain data, which the program reads from its configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The address of the CRM and the mapped tables.
#[derive(Debug, Clone)]
pub struct CrmSettings {
    /// The kind of CRM and its address.
    pub source: Source,
    /// The timeout of connecting, and of each statement.
    pub timeout: Duration,
    /// The greatest number of concurrent statements in the CRM. Further ones wait for a permit, at most for `timeout`.
    pub connections: usize,
    /// The tables of schema `crm`.
    pub tables: Vec<TableMapping>,
}

/// One table of schema `crm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMapping {
    /// Its name in schema `crm`. `tickets` has fixed columns; see [`TICKET_COLUMNS`].
    pub name: String,
    /// Its name in the CRM, as the CRM quotes it (`public.ticket`, `dbo."Support Case"`), or the path of its file.
    pub from: String,
    /// Our column, and the CRM's column behind it. If empty, the table has all columns under their own names; `tickets` must have
    /// a mapping.
    pub columns: BTreeMap<String, String>,
}

/// The columns of `crm.tickets`. `ticket` must be mapped; any other column that is not mapped is NULL.
pub const TICKET_COLUMNS: [&str; 8] =
    ["ticket", "opened_at", "closed_at", "issue_type", "priority", "status", "owner", "customer"];
/// The name of the table that [`TICKET_COLUMNS`] belong to.
pub const TICKETS: &str = "tickets";

/// The kind of CRM and its address.
#[derive(Debug, Clone)]
pub enum Source {
    /// PostgreSQL, and databases with its protocol.
    Postgres(Server),
    /// MySQL or MariaDB.
    MySql(Server),
    /// A SQLite file, opened for reading only.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// Any database with an ODBC driver.
    Odbc {
        /// The connection string of the driver, credentials included: `Driver=/path/to/driver.so;Server=...;UID=...;PWD=...`.
        connection_string: Secret,
        /// The SQL dialect of the database behind the driver.
        dialect: OdbcDialect,
    },
    /// CSV files, one for each table.
    Csv {
        /// The character between the fields of a line.
        delimiter: u8,
    },
    /// Parquet files, one for each table.
    Parquet,
}

/// A database server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its host name or address.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The user, who should have only the permission to read.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// The TLS settings of the connection.
    pub tls: Tls,
}

/// The TLS settings of a connection. If the server does not meet them, the connection fails: there is no fallback to plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// What is required of the connection.
    pub mode: TlsMode,
    /// A file with the certificates of the authorities to trust (PEM), in addition to the system's.
    pub ca: Option<PathBuf>,
}

/// What is required of a connection, as in PostgreSQL's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Plain text.
    Disable,
    /// Encrypted; the server is not verified.
    Require,
    /// Encrypted; the server's certificate is from a trusted authority.
    VerifyCa,
    /// Encrypted; the server's certificate is from a trusted authority, and for the host's name.
    VerifyFull,
}

/// The SQL dialect of the database behind an ODBC driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OdbcDialect {
    /// Microsoft SQL Server.
    SqlServer,
    /// Oracle Database 12c or later.
    Oracle,
    /// IBM Db2.
    Db2,
    /// PostgreSQL.
    Postgres,
    /// Any other database with standard SQL: only plain filters, columns, joins and limits are sent to it.
    Generic,
}

/// A password, or a text that contains one. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Source {
    /// The kind and address, for messages: never a credential.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Postgres(server) => format!("the CRM (PostgreSQL at {}:{})", server.host, server.port),
            Self::MySql(server) => format!("the CRM (MySQL at {}:{})", server.host, server.port),
            Self::Sqlite { path } => format!("the CRM (SQLite file {})", path.display()),
            Self::Odbc { connection_string, .. } => {
                match odbc_value(
                    connection_string.reveal(),
                    &["server", "servername", "host", "dbq", "dsn", "database"],
                ) {
                    Some(place) => format!("the CRM (ODBC, {place})"),
                    None => "the CRM (ODBC)".to_owned(),
                }
            }
            Self::Csv { .. } => "the CRM (CSV files)".to_owned(),
            Self::Parquet => "the CRM (Parquet files)".to_owned(),
        }
    }

    /// The texts that no message may contain.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let secrets = match self {
            Self::Postgres(server) | Self::MySql(server) => vec![server.password.reveal().to_owned()],
            Self::Odbc { connection_string, .. } => {
                let text = connection_string.reveal();
                let password = odbc_value(text, &["pwd", "password"]);
                std::iter::once(text.to_owned()).chain(password).collect()
            }
            Self::Sqlite { .. } | Self::Csv { .. } | Self::Parquet => Vec::new(),
        };
        secrets.into_iter().filter(|secret| !secret.is_empty()).collect()
    }
}

/// The value of the first of `keys` that an ODBC connection string has. A value in braces may contain semicolons.
fn odbc_value(text: &str, keys: &[&str]) -> Option<String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, tail) = match after.strip_prefix('{') {
            Some(braced) => {
                let end = braced.find('}').unwrap_or(braced.len());
                let tail = braced.get(end + 1..).unwrap_or_default();
                (&braced[..end], tail.strip_prefix(';').unwrap_or(tail))
            }
            None => after.split_once(';').unwrap_or((after, "")),
        };
        found.entry(key.trim().to_ascii_lowercase()).or_insert_with(|| value.trim().to_owned());
        rest = tail;
    }
    keys.iter().find_map(|key| found.remove(*key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_described_by_its_host_without_its_password() {
        let text = "Driver={ODBC Driver 18; really};Server=crm.example,1433;UID=reader;PWD={a;b=c};Database=crm";
        let source = Source::Odbc { connection_string: Secret::new(text), dialect: OdbcDialect::SqlServer };
        assert_eq!(source.describe(), "the CRM (ODBC, crm.example,1433)");
        assert_eq!(source.secrets(), [text, "a;b=c"]);
        assert!(!format!("{source:?}").contains("a;b=c"));
    }

    #[test]
    fn a_server_is_described_without_its_credentials() {
        let server = Server {
            host: "crm.example".to_owned(),
            port: 5432,
            database: "crm".to_owned(),
            user: "reader".to_owned(),
            password: Secret::new("hunter2"),
            tls: Tls { mode: TlsMode::VerifyFull, ca: None },
        };
        let source = Source::Postgres(server);
        assert_eq!(source.describe(), "the CRM (PostgreSQL at crm.example:5432)");
        assert_eq!(source.secrets(), ["hunter2"]);
        assert!(!format!("{source:?}").contains("hunter2"));
    }
}

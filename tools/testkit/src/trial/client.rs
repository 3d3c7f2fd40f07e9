//! A client that sends statements, over HTTP or the PostgreSQL wire protocol, and says how each ended.

use std::time::{Duration, Instant};

use reqwest::Client as HttpClient;
use serde_json::{Value, json};
use tokio_postgres::error::{DbError, Severity};
use tokio_postgres::{Client as PostgresClient, NoTls};

use super::deployment::{Deployment, User};
use crate::Error;

/// What a statement may take beyond its own limit until its client knows.
const GRACE: Duration = Duration::from_secs(60);
/// After a connection could not be made.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of the end of an answer, in which an error may be.
const TAIL_BYTES: usize = 64 << 10;

/// How a statement ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Answered,
    /// With the reason of HTTP, or the SQLSTATE of PostgreSQL.
    Refused(String),
    /// The connection ended before an answer, or could not be made: what the client says of it.
    Disconnected(String),
    /// There was neither an answer nor an end of the connection.
    Silent,
}

/// The interface of a client.
enum Interface {
    Http {
        client: HttpClient,
        url: String,
    },
    /// Connected when it is needed.
    Postgres {
        connection: Option<PostgresClient>,
        options: String,
    },
}

/// A client of one user, with a limit of time for each statement.
pub(super) struct Client {
    interface: Interface,
    user: User,
    limit: Duration,
}

impl Client {
    /// Clients with even numbers use HTTP, the others PostgreSQL. The users take turns.
    pub(super) fn new(deployment: &Deployment, number: usize, limit: Duration) -> Result<Self, Error> {
        let user = deployment.users[number / 2 % deployment.users.len()].clone();
        let interface = if number.is_multiple_of(2) {
            let client = HttpClient::builder().no_proxy().timeout(limit + GRACE).build();
            let client =
                client.map_err(|error| Error::Http { request: "client".to_owned(), message: error.to_string() })?;
            Interface::Http { client, url: format!("http://{}/v1/sql?format=ndjson", deployment.query) }
        } else {
            let options = format!(
                "host=127.0.0.1 port={} dbname=holdfast sslmode=disable user={} password='{}' \
                 options='-c statement_timeout={}ms'",
                deployment.postgres_port,
                user.name,
                user.password,
                limit.as_millis()
            );
            Interface::Postgres { connection: None, options }
        };
        Ok(Self { interface, user, limit })
    }

    pub(super) fn interface(&self) -> &'static str {
        match self.interface {
            Interface::Http { .. } => "http",
            Interface::Postgres { .. } => "postgres",
        }
    }

    /// Sends a statement. Returns how it ended and when its client knew.
    pub(super) async fn send(&mut self, statement: &str) -> (Ending, Duration) {
        let began = Instant::now();
        let Self { interface, user, limit } = self;
        let sending = async {
            match &mut *interface {
                Interface::Http { client, url } => over_http(client, url, &user.token, *limit, statement).await,
                Interface::Postgres { connection, options } => over_postgres(connection, options, statement).await,
            }
        };
        let ending = tokio::time::timeout(*limit + GRACE, sending).await.unwrap_or(Ending::Silent);
        let took = began.elapsed();
        if let (Ending::Silent, Interface::Postgres { connection, .. }) = (&ending, interface) {
            *connection = None;
        }
        if matches!(ending, Ending::Disconnected(_)) {
            tokio::time::sleep(PAUSE).await;
        }
        (ending, took)
    }
}

async fn over_http(client: &HttpClient, url: &str, token: &str, limit: Duration, statement: &str) -> Ending {
    let body = json!({ "statement": statement, "limits": { "seconds": limit.as_secs().max(1) } });
    let mut response = match client.post(url).bearer_auth(token).json(&body).send().await {
        Ok(response) => response,
        Err(error) => return disconnected(&error),
    };
    let is_refused = !response.status().is_success();
    let mut tail = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                tail.extend_from_slice(&chunk);
                tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
            }
            Ok(None) => break,
            Err(error) => return disconnected(&error),
        }
    }
    let tail = String::from_utf8_lossy(&tail);
    let reason = |value: &Value| Ending::Refused(value["reason"].as_str().unwrap_or("without_reason").to_owned());
    if is_refused {
        return reason(&serde_json::from_str(&tail).unwrap_or_default());
    }
    // An error after the first rows is the last line.
    let last = tail.trim_end().rsplit('\n').next().unwrap_or_default();
    match serde_json::from_str::<Value>(last) {
        Ok(line) if line.get("$error").is_some() => reason(&line["$error"]),
        _ => Ending::Answered,
    }
}

async fn over_postgres(connection: &mut Option<PostgresClient>, options: &str, statement: &str) -> Ending {
    if connection.as_ref().is_none_or(PostgresClient::is_closed) {
        match tokio_postgres::connect(options, NoTls).await {
            Ok((client, messages)) => {
                tokio::spawn(messages);
                *connection = Some(client);
            }
            Err(error) => return ending_of(&error),
        }
    }
    let Some(client) = connection else { return Ending::Disconnected("not connected".to_owned()) };
    match client.simple_query(statement).await {
        Ok(_) => Ending::Answered,
        Err(error) => {
            // The server closes the connection after it: a statement that is sent before its end arrives has no answer.
            if error.as_db_error().and_then(DbError::parsed_severity) == Some(Severity::Fatal) {
                *connection = None;
            }
            ending_of(&error)
        }
    }
}

fn ending_of(error: &tokio_postgres::Error) -> Ending {
    match error.code() {
        Some(code) => Ending::Refused(code.code().to_owned()),
        // A statement with a zero byte is not sent at all.
        None if error.to_string().contains("encod") => Ending::Refused("not_sent".to_owned()),
        None => disconnected(error),
    }
}

/// With what the client says, and why.
fn disconnected(error: &dyn std::error::Error) -> Ending {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    Ending::Disconnected(causes.collect::<Vec<_>>().join(": "))
}

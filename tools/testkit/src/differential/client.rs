//! A client of the PostgreSQL protocol that gets everything that is compared in one round: the types of the parameters, the
//! names and types of the columns, the rows as text, or the SQLSTATE.
//!
//! ```text
//! Parse, Bind (text), Describe statement, Execute, Sync ──▶ server ──▶ Answer
//! ```

use super::statement::Statement;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorFields, Message};
use postgres_protocol::message::frontend;
use std::io::{Error, ErrorKind, Result};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// After this time without an answer the connection counts as lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// Where a server is, and who asks.
#[derive(Debug, Clone)]
pub struct Address {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// Statements that each connection begins with.
    pub setup: Vec<String>,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// PostgreSQL's number of its type.
    pub oid: u32,
}

/// A row: texts, and `None` for NULL.
pub type Row = Vec<Option<String>>;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The SQLSTATE.
    pub code: String,
    /// The message.
    pub message: String,
}

/// What a server says about a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Rows.
    Rows {
        /// The types of the parameters.
        parameters: Vec<u32>,
        /// The columns.
        columns: Vec<Column>,
        /// The rows, in the server's order.
        rows: Vec<Row>,
    },
    /// A refusal, before or between the rows.
    Refused(Refusal),
    /// The connection ended, or there was no answer in time.
    Lost(String),
}

/// A connection, which is made again after it was lost.
#[derive(Debug)]
pub struct Client {
    address: Address,
    connection: Option<Connection>,
}

impl Client {
    /// A client; it connects with its first statement.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self { address, connection: None }
    }

    /// Executes a statement.
    pub async fn answer(&mut self, statement: &Statement) -> Answer {
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(&self.address).await,
        };
        let mut connection = match connection {
            Ok(connection) => connection,
            Err(error) => return Answer::Lost(format!("no connection: {error}")),
        };
        match tokio::time::timeout(ANSWER_LIMIT, connection.answer(statement)).await {
            Ok(Ok(answer)) => {
                self.connection = Some(connection);
                answer
            }
            Ok(Err(error)) => Answer::Lost(error.to_string()),
            Err(_) => Answer::Lost(format!("no answer within {ANSWER_LIMIT:?}")),
        }
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    received: BytesMut,
    sent: BytesMut,
}

impl Connection {
    async fn open(address: &Address) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", address.port)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream, received: BytesMut::new(), sent: BytesMut::new() };
        let options =
            [("user", address.user.as_str()), ("database", address.database.as_str()), ("client_encoding", "UTF8")];
        frontend::startup_message(options, &mut connection.sent)?;
        connection.send().await?;
        connection.authenticate(address.password.as_bytes()).await?;
        for setup in &address.setup {
            if let Answer::Refused(refusal) = connection.answer(&Statement::plain(setup)).await? {
                return Err(Error::other(format!("{setup}: {} {}", refusal.code, refusal.message)));
            }
        }
        Ok(connection)
    }

    async fn authenticate(&mut self, password: &[u8]) -> Result<()> {
        let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
        loop {
            match self.message().await? {
                Message::AuthenticationSasl(_) => {
                    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut self.sent)?;
                    self.send().await?;
                }
                Message::AuthenticationSaslContinue(body) => {
                    scram.update(body.data())?;
                    frontend::sasl_response(scram.message(), &mut self.sent)?;
                    self.send().await?;
                }
                Message::AuthenticationSaslFinal(body) => scram.finish(body.data())?,
                Message::ErrorResponse(body) => {
                    let Refusal { code, message } = refusal(body.fields())?;
                    return Err(Error::other(format!("{code} {message}")));
                }
                Message::ReadyForQuery(_) => return Ok(()),
                // The acknowledgement, the key for cancelling and the parameters.
                _ => {}
            }
        }
    }

    async fn answer(&mut self, statement: &Statement) -> Result<Answer> {
        let given = statement.parameters.iter();
        frontend::parse("", &statement.sql, given.clone().map(|parameter| parameter.oid), &mut self.sent)?;
        frontend::describe(b'S', "", &mut self.sent)?;
        let write = |text: Option<&str>, buffer: &mut BytesMut| match text {
            Some(text) => {
                buffer.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        };
        let values = given.map(|parameter| parameter.value.as_deref());
        frontend::bind("", "", [], values, write, [0], &mut self.sent)
            .map_err(|_| Error::new(ErrorKind::InvalidInput, "the parameters cannot be written"))?;
        frontend::execute("", 0, &mut self.sent)?;
        frontend::sync(&mut self.sent);
        self.send().await?;
        self.read_answer().await
    }

    async fn read_answer(&mut self) -> Result<Answer> {
        let (mut parameters, mut columns, mut rows, mut refused) = (Vec::new(), Vec::new(), Vec::new(), None);
        loop {
            match self.message().await? {
                Message::ParameterDescription(body) => parameters = body.parameters().collect()?,
                Message::RowDescription(body) => {
                    columns = body
                        .fields()
                        .map(|field| Ok(Column { name: field.name().to_owned(), oid: field.type_oid() }))
                        .collect()?;
                }
                Message::DataRow(body) => {
                    let text = |range: Option<std::ops::Range<usize>>| {
                        Ok(range.map(|range| String::from_utf8_lossy(&body.buffer()[range]).into_owned()))
                    };
                    rows.push(body.ranges().map(text).collect()?);
                }
                Message::ErrorResponse(body) => refused = Some(refusal(body.fields())?),
                Message::ReadyForQuery(_) => {
                    return Ok(match refused {
                        Some(refusal) => Answer::Refused(refusal),
                        None => Answer::Rows { parameters, columns, rows },
                    });
                }
                // Notices, and the acknowledgements of each message.
                _ => {}
            }
        }
    }

    async fn send(&mut self) -> Result<()> {
        self.stream.write_all(&self.sent).await?;
        self.sent.clear();
        Ok(())
    }

    async fn message(&mut self) -> Result<Message> {
        loop {
            if let Some(message) = Message::parse(&mut self.received)? {
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn refusal(fields: ErrorFields<'_>) -> Result<Refusal> {
    let mut refusal = Refusal { code: String::new(), message: String::new() };
    let mut fields = fields;
    while let Some(field) = fields.next()? {
        let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => refusal.code = value,
            b'M' => refusal.message = value,
            _ => {}
        }
    }
    Ok(refusal)
}

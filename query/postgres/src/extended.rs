//! The extended protocol: statements that are prepared, bound to values, and executed a part at a time.

use crate::answer::{Answer, Ended, schema_of_texts};
use crate::connection::{Connection, completion};
use crate::frontend::{Bind, Message, Name, Target};
use crate::parameters::Parameter;
use crate::rows::{Columns, Formats};
use crate::session::{MOST_NAMED, Outcome, missing_cursor, missing_statement};
use crate::sqlstate::Failure;
use crate::statements::{Command, Question};
use arrow_schema::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion_postgres::pgwire::api::results::FieldFormat;
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::data::{NoData, ParameterDescription};
use datafusion_postgres::pgwire::messages::extendedquery::{
    BindComplete, CloseComplete, ParseComplete, PortalSuspended,
};
use datafusion_postgres::pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};
use std::sync::Arc;

/// A prepared statement.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// `None` for a text without a statement.
    command: Option<Command>,
    parameters: Vec<Parameter>,
    /// The columns that it gives, if it gives any.
    schema: Option<SchemaRef>,
}

/// A statement with its values, or a cursor.
#[derive(Debug)]
pub(crate) struct Portal {
    statement: Arc<Prepared>,
    values: Vec<ScalarValue>,
    columns: Option<Columns>,
    progress: Progress,
    /// It outlives its transaction.
    pub(crate) is_held: bool,
}

#[derive(Debug)]
enum Progress {
    Bound,
    Open(Box<Answer>),
    /// A cursor's columns can still be asked for.
    Finished(Option<SchemaRef>),
}

impl Portal {
    /// A cursor whose rows are fetched by its name.
    pub(crate) fn of_cursor(answer: Answer, is_held: bool) -> Self {
        let statement = Arc::new(Prepared { command: None, parameters: Vec::new(), schema: None });
        Self { statement, values: Vec::new(), columns: None, progress: Progress::Open(Box::new(answer)), is_held }
    }

    pub(crate) fn cursor_schema(&self) -> Option<SchemaRef> {
        match &self.progress {
            Progress::Open(answer) => Some(Arc::clone(&answer.schema)),
            Progress::Finished(schema) => schema.clone(),
            Progress::Bound => None,
        }
    }

    pub(crate) fn answer_mut(&mut self) -> Option<&mut Answer> {
        match &mut self.progress {
            Progress::Open(answer) => Some(answer),
            _ => None,
        }
    }

    pub(crate) fn finish(&mut self) {
        self.progress = Progress::Finished(self.cursor_schema());
    }
}

impl Connection {
    /// Answers a message of the extended protocol.
    pub(crate) async fn extended(&mut self, message: Message) -> Result<(), Ended> {
        match message {
            Message::Parse { name, text, types } => self.parse(name, &text, &types).await,
            Message::Bind(bind) => self.bind(bind).await,
            Message::Describe(Target::Statement, name) => self.describe_statement(&name).await,
            Message::Describe(Target::Portal, name) => self.describe_portal(&name).await,
            Message::Execute { portal, most_rows } => self.execute(&portal, most_rows).await,
            Message::Close(target, name) => {
                match target {
                    Target::Statement => drop(self.prepared.remove(&name)),
                    Target::Portal => drop(self.portals.remove(&name)),
                }
                Ok(self.wire.put(PgWireBackendMessage::CloseComplete(CloseComplete::new())).await?)
            }
            _ => Ok(self.wire.flush().await?),
        }
    }

    async fn parse(&mut self, name: Name, text: &str, types: &[u32]) -> Result<(), Ended> {
        let mut commands = self.statements.read(text, &self.variables)?;
        if commands.len() > 1 {
            return Err(Failure::syntax("cannot insert multiple commands into a prepared statement").into());
        }
        let command = commands.pop().transpose()?;
        if !name.is_empty() {
            if self.prepared.contains_key(&name) {
                return Err(Failure::new("42P05", format!("prepared statement \"{name}\" already exists")).into());
            }
            if self.prepared.len() >= MOST_NAMED {
                return Err(Failure::new("54000", format!("a session keeps at most {MOST_NAMED} statements")).into());
            }
        }
        let prepared = self.prepare(command, types).await?;
        self.prepared.insert(name, prepared);
        Ok(self.wire.put(PgWireBackendMessage::ParseComplete(ParseComplete::new())).await?)
    }

    async fn prepare(&mut self, command: Option<Command>, types: &[u32]) -> Result<Prepared, Ended> {
        if self.transaction == TransactionStatus::Error
            && command.as_ref().is_some_and(|command| !command.ends_a_failed_transaction())
        {
            let failed = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Failure::new("25P02", failed).into());
        }
        let (parameters, schema) = match &command {
            Some(Command::Ask(question)) => {
                let (parameters, schema) = self.describe(question, types).await?;
                (parameters, Some(schema))
            }
            Some(Command::Declare { question, .. }) => (self.describe(question, types).await?.0, None),
            Some(Command::Show(name)) => (Vec::new(), Some(schema_of_texts(&[name]))),
            Some(Command::ShowAll) => (Vec::new(), Some(schema_of_texts(&["name", "setting", "description"]))),
            Some(Command::Fetch { cursor, .. }) => (Vec::new(), Some(self.cursor_schema(cursor)?)),
            _ => (Vec::new(), None),
        };
        Ok(Prepared { command, parameters, schema })
    }

    async fn describe(&mut self, question: &Question, types: &[u32]) -> Result<(Vec<Parameter>, SchemaRef), Ended> {
        let interruption = self.interruption();
        let time = self.variables.statement_timeout();
        let describe = tokio::time::timeout(time, self.reader.describe(&question.text));
        let described = interruption.or(&mut self.wire, describe).await?;
        let description = described.unwrap_or(Err(holdfast_query::QueryError::TimedOut))?;
        let count = description.parameters.len().max(types.len());
        let parameters = (0..count).map(|index| {
            let demanded = description.parameters.get(index).cloned().flatten();
            Parameter::new(types.get(index).copied().unwrap_or(0), demanded)
        });
        Ok((parameters.collect::<Result<_, _>>()?, description.schema))
    }

    async fn bind(&mut self, bind: Bind) -> Result<(), Ended> {
        let statement = self.prepared.get(&bind.statement).ok_or_else(|| missing_statement(&bind.statement))?;
        let statement = Arc::new(statement.clone());
        let (given, wanted) = (bind.parameters.len(), statement.parameters.len());
        if given != wanted {
            return Err(Failure::new("08P01", format!("{given} values are bound to {wanted} parameters")).into());
        }
        let formats = Formats::read(&bind.parameter_formats, given)?;
        let values = statement.parameters.iter().zip(&bind.parameters).enumerate();
        let values = values.map(|(index, (parameter, bytes))| {
            parameter.value(index + 1, bytes.as_ref(), formats.of(index) == FieldFormat::Binary)
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let columns = match &statement.schema {
            Some(schema) => {
                let formats = Formats::read(&bind.result_formats, schema.fields().len())?;
                Some(Columns::new(schema, &formats))
            }
            None => None,
        };
        if !bind.portal.is_empty() && self.portals.contains_key(&bind.portal) {
            return Err(Failure::new("42P03", format!("cursor \"{}\" already exists", bind.portal)).into());
        }
        self.keep(bind.portal, Portal { statement, values, columns, progress: Progress::Bound, is_held: false })?;
        Ok(self.wire.put(PgWireBackendMessage::BindComplete(BindComplete::new())).await?)
    }

    async fn describe_statement(&mut self, name: &str) -> Result<(), Ended> {
        let statement = self.prepared.get(name).ok_or_else(|| missing_statement(name))?;
        let types = statement.parameters.iter().map(|parameter| parameter.told.oid()).collect();
        let columns = statement.schema.as_ref().map(|schema| Columns::new(schema, &Formats::TEXT));
        self.wire.put(PgWireBackendMessage::ParameterDescription(ParameterDescription::new(types))).await?;
        self.describe_columns(columns.as_ref()).await
    }

    async fn describe_portal(&mut self, name: &str) -> Result<(), Ended> {
        let portal = self.portals.get(name).ok_or_else(|| missing_cursor(name))?;
        let of_cursor = || portal.cursor_schema().map(|schema| Columns::new(&schema, &Formats::TEXT));
        let columns = portal.columns.clone().or_else(of_cursor);
        self.describe_columns(columns.as_ref()).await
    }

    async fn describe_columns(&mut self, columns: Option<&Columns>) -> Result<(), Ended> {
        let message = match columns {
            Some(columns) => PgWireBackendMessage::RowDescription(columns.description()),
            None => PgWireBackendMessage::NoData(NoData::new()),
        };
        Ok(self.wire.put(message).await?)
    }

    async fn execute(&mut self, name: &str, most_rows: u32) -> Result<(), Ended> {
        // It is put back when it is not finished; after an error it is gone.
        let mut portal = self.portals.remove(name).ok_or_else(|| missing_cursor(name))?;
        let statement = Arc::clone(&portal.statement);
        let Some(command) = &statement.command else {
            self.keep(name.to_owned(), portal)?;
            return Ok(self.wire.put(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?);
        };
        let interruption = self.interruption();
        if matches!(portal.progress, Progress::Bound) {
            match self.perform(command, std::mem::take(&mut portal.values), &interruption).await? {
                Outcome::Rows(answer) => portal.progress = Progress::Open(Box::new(answer)),
                Outcome::Complete(tag) => {
                    portal.progress = Progress::Finished(None);
                    self.complete(tag).await?;
                    return Ok(self.keep(name.to_owned(), portal)?);
                }
                Outcome::Fetch { cursor, amount } => {
                    let columns = match &portal.columns {
                        Some(columns) => columns.clone(),
                        None => Columns::new(self.cursor_schema(&cursor)?.as_ref(), &Formats::TEXT),
                    };
                    portal.progress = Progress::Finished(None);
                    self.fetch(&cursor, amount, &columns, &interruption).await?;
                    return Ok(self.keep(name.to_owned(), portal)?);
                }
            }
        }
        let most = (most_rows > 0).then_some(u64::from(most_rows));
        let sent = match (&mut portal.progress, &portal.columns) {
            (Progress::Open(answer), Some(columns)) => {
                answer.send(&mut self.wire, columns, most, &interruption).await?
            }
            _ => crate::answer::Sent { rows: 0, is_finished: true },
        };
        if sent.is_finished {
            portal.finish();
            self.complete(completion(command, sent.rows)).await?;
        } else {
            self.wire.put(PgWireBackendMessage::PortalSuspended(PortalSuspended::new())).await?;
        }
        Ok(self.keep(name.to_owned(), portal)?)
    }
}

//! The extended protocol: statements are prepared, bound to values, and executed in parts.

use super::commands::Outcome;
use super::portal::{Portal, PreparedStatement, Progress, check_statement, missing_cursor, missing_statement};
use super::result::{Sent, SessionError, schema_of_texts};
use super::state::{Session, completion_tag};
use crate::catalog::CatalogQuery;
use crate::sqlstate::Failure;
use crate::statements::{Command, ReadQuery};
use crate::values::{Columns, Formats, Parameter};
use crate::wire::{Bind, Message, Name, Target};
use arrow_schema::SchemaRef;
use datafusion_postgres::pgwire::api::results::FieldFormat;
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::data::{NoData, ParameterDescription};
use datafusion_postgres::pgwire::messages::extendedquery::{
    BindComplete, CloseComplete, ParseComplete, PortalSuspended,
};
use datafusion_postgres::pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};
use std::sync::Arc;
use std::time::SystemTime;

impl Session {
    /// Handles a message of the extended protocol.
    pub(super) async fn extended(&mut self, message: Message) -> Result<(), SessionError> {
        match message {
            Message::Parse { name, text, types } => self.parse(name, &text, &types).await,
            Message::Bind(bind) => self.bind(bind).await,
            Message::Describe(Target::Statement, name) => self.describe_statement(&name).await,
            Message::Describe(Target::Portal, name) => self.describe_portal(&name).await,
            Message::Execute { portal, max_rows } => self.execute(&portal, max_rows).await,
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

    async fn parse(&mut self, name: Name, text: &str, types: &[u32]) -> Result<(), SessionError> {
        let interruption = self.interruption();
        let mut commands = self.read_commands(text, &interruption).await?;
        if commands.len() > 1 {
            return Err(Failure::syntax("cannot insert multiple commands into a prepared statement").into());
        }
        let command = commands.pop().transpose()?;
        if !name.is_empty() && self.prepared.contains_key(&name) {
            return Err(Failure::new("42P05", format!("prepared statement \"{name}\" already exists")).into());
        }
        let prepared = self.prepare(command, types, name.len() + text.len()).await?;
        let bytes = check_statement(&self.prepared, &self.portals, &name, &prepared)?;
        self.keep(bytes)?;
        self.prepared.insert(name, Arc::new(prepared));
        Ok(self.wire.put(PgWireBackendMessage::ParseComplete(ParseComplete::new())).await?)
    }

    async fn prepare(
        &mut self,
        command: Option<Command>,
        types: &[u32],
        text_bytes: usize,
    ) -> Result<PreparedStatement, SessionError> {
        if self.transaction == TransactionStatus::Error
            && command.as_ref().is_some_and(|command| !command.ends_a_failed_transaction())
        {
            let failed = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Failure::new("25P02", failed).into());
        }
        let mut command = command;
        let (parameters, schema) = match &mut command {
            Some(Command::Query(query)) => {
                let (parameters, schema) = self.describe(query, types).await?;
                (parameters, Some(schema))
            }
            Some(Command::Declare { query, .. }) => (self.describe(query, types).await?.0, None),
            Some(Command::Show(name)) => (Vec::new(), Some(schema_of_texts(&[name]))),
            Some(Command::ShowAll) => (Vec::new(), Some(schema_of_texts(&["name", "setting", "description"]))),
            Some(Command::Fetch { cursor, .. }) => (Vec::new(), Some(self.cursor_schema(cursor)?)),
            _ => (Vec::new(), None),
        };
        Ok(PreparedStatement::new(command, parameters, schema, text_bytes))
    }

    async fn describe(
        &mut self,
        query: &mut ReadQuery,
        types: &[u32],
    ) -> Result<(Vec<Parameter>, SchemaRef), SessionError> {
        let named = types.iter().map(|oid| Parameter::named(*oid)).collect::<Result<Vec<_>, _>>()?;
        let known = named.iter().map(|named| named.as_ref().and_then(Parameter::field)).collect();
        let interruption = self.interruption();
        let time = self.variables.statement_timeout();
        if let Some((text, _)) = &query.catalog {
            let described = tokio::time::timeout(time, async {
                let backend = self.cancel_key.process();
                let query = CatalogQuery::new(text, types.to_vec(), &self.reader, &self.variables, backend).await?;
                query.describe(&self.reader).await
            });
            let described = interruption.or(&mut self.wire, described).await?;
            let timed_out = |_| Err(Failure::from(holdfast_query::QueryError::TimedOut));
            if let Some((schema, types)) = described.unwrap_or_else(timed_out)? {
                let parameters = types.iter().map(|oid| Parameter::of_catalog(*oid)).collect::<Result<_, _>>()?;
                query.catalog = Some((text.clone(), types));
                return Ok((parameters, schema));
            }
            query.catalog = None;
        }
        let describe = tokio::time::timeout(time, self.reader.describe_with(&query.text, known));
        let described = interruption.or(&mut self.wire, describe).await?;
        let described = described.unwrap_or(Err(holdfast_query::QueryError::TimedOut));
        let description = described.map_err(|error| query.sent.locate(error))?;
        let count = description.parameters.len().max(types.len());
        let parameters = (0..count).map(|index| {
            let named = named.get(index).cloned().flatten();
            named.unwrap_or_else(|| Parameter::expected(description.parameters.get(index).and_then(Option::as_ref)))
        });
        Ok((parameters.collect(), description.schema))
    }

    async fn bind(&mut self, bind: Bind) -> Result<(), SessionError> {
        let statement = self.prepared.get(&bind.statement).ok_or_else(|| missing_statement(&bind.statement))?;
        let statement = Arc::clone(statement);
        let (given, expected) = (bind.parameters.len(), statement.parameters.len());
        if given != expected {
            return Err(Failure::new("08P01", format!("{given} values are bound to {expected} parameters")).into());
        }
        let formats = Formats::read(&bind.parameter_formats, given)?;
        let now = microseconds_now();
        let values = statement.parameters.iter().zip(&bind.parameters).enumerate();
        let values = values.map(|(index, (parameter, bytes))| {
            parameter.value(index + 1, bytes.as_ref(), formats.of(index) == FieldFormat::Binary, now)
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
        self.store_portal(
            bind.portal,
            Portal { statement, values, columns, progress: Progress::Bound, is_held: false },
        )?;
        Ok(self.wire.put(PgWireBackendMessage::BindComplete(BindComplete::new())).await?)
    }

    async fn describe_statement(&mut self, name: &str) -> Result<(), SessionError> {
        let statement = self.prepared.get(name).ok_or_else(|| missing_statement(name))?;
        let types = statement.parameters.iter().map(|parameter| parameter.wire_type.oid()).collect();
        let columns = statement.schema.as_ref().map(|schema| Columns::new(schema, &Formats::TEXT));
        self.wire.put(PgWireBackendMessage::ParameterDescription(ParameterDescription::new(types))).await?;
        self.describe_columns(columns.as_ref()).await
    }

    async fn describe_portal(&mut self, name: &str) -> Result<(), SessionError> {
        let portal = self.portals.get(name).ok_or_else(|| missing_cursor(name))?;
        let of_cursor = || portal.cursor_schema().map(|schema| Columns::new(&schema, &Formats::TEXT));
        let columns = portal.columns.clone().or_else(of_cursor);
        self.describe_columns(columns.as_ref()).await
    }

    async fn describe_columns(&mut self, columns: Option<&Columns>) -> Result<(), SessionError> {
        let message = match columns {
            Some(columns) => PgWireBackendMessage::RowDescription(columns.description()),
            None => PgWireBackendMessage::NoData(NoData::new()),
        };
        Ok(self.wire.put(message).await?)
    }

    async fn execute(&mut self, name: &str, max_rows: u32) -> Result<(), SessionError> {
        // After an error the portal is closed. Otherwise it is stored again below.
        let mut portal = self.portals.remove(name).ok_or_else(|| missing_cursor(name))?;
        let statement = Arc::clone(&portal.statement);
        let Some(command) = &statement.command else {
            self.store_portal(name.to_owned(), portal)?;
            return Ok(self.wire.put(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?);
        };
        let interruption = self.interruption();
        if matches!(portal.progress, Progress::Bound) {
            match self.perform(command, std::mem::take(&mut portal.values), &interruption).await? {
                Outcome::Rows(rows) => portal.progress = Progress::Open(Box::new(rows)),
                Outcome::Complete(tag) => {
                    portal.progress = Progress::Finished(None);
                    self.store_portal(name.to_owned(), portal)?;
                    return self.complete(tag).await;
                }
                Outcome::Fetch { cursor, count } => {
                    let columns = match &portal.columns {
                        Some(columns) => columns.clone(),
                        None => Columns::new(self.cursor_schema(&cursor)?.as_ref(), &Formats::TEXT),
                    };
                    portal.progress = Progress::Finished(None);
                    self.fetch(&cursor, count, &columns, &interruption).await?;
                    return Ok(self.store_portal(name.to_owned(), portal)?);
                }
            }
        }
        let max_rows = (max_rows > 0).then_some(u64::from(max_rows));
        let sent = match (&mut portal.progress, &portal.columns) {
            (Progress::Open(rows), Some(columns)) => {
                rows.send(&mut self.wire, columns, max_rows, &interruption).await?
            }
            _ => Sent { rows: 0, is_finished: true },
        };
        if sent.is_finished {
            portal.finish();
        }
        // If it cannot be stored, the client gets an error in place of the end of this message.
        self.store_portal(name.to_owned(), portal)?;
        if sent.is_finished {
            self.complete(completion_tag(command, sent.rows)).await
        } else {
            Ok(self.wire.put(PgWireBackendMessage::PortalSuspended(PortalSuspended::new())).await?)
        }
    }
}

/// The microseconds of the clock since 1970.
fn microseconds_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

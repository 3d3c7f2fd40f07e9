//! The simple protocol: statements as text.

use super::commands::Outcome;
use super::result::SessionError;
use super::state::{Session, completion_tag};
use crate::values::{Columns, Formats};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::response::EmptyQueryResponse;

impl Session {
    /// Runs the statements of a text, one after the other.
    pub(super) async fn simple_query(&mut self, text: &str) -> Result<(), SessionError> {
        let interruption = self.interruption();
        let commands = self.read_commands(text, &interruption).await?;
        if commands.is_empty() {
            self.wire.put(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
        }
        for command in commands {
            let command = command?;
            match self.perform(&command, Vec::new(), &interruption).await? {
                Outcome::Complete(tag) => self.complete(tag).await?,
                Outcome::Rows(mut rows) => {
                    let columns = Columns::new(&rows.schema, &Formats::TEXT);
                    self.wire.put(PgWireBackendMessage::RowDescription(columns.description())).await?;
                    let sent = rows.send(&mut self.wire, &columns, None, &interruption).await?;
                    self.complete(completion_tag(&command, sent.rows)).await?;
                }
                Outcome::Fetch { cursor, count } => {
                    let columns = Columns::new(self.cursor_schema(&cursor)?.as_ref(), &Formats::TEXT);
                    self.wire.put(PgWireBackendMessage::RowDescription(columns.description())).await?;
                    self.fetch(&cursor, count, &columns, &interruption).await?;
                }
            }
        }
        Ok(())
    }
}

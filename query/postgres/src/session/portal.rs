//! Prepared statements and portals: what a session keeps by name.

use super::result::ResultRows;
use crate::sqlstate::Failure;
use crate::statements::Command;
use crate::values::{Columns, Parameter};
use arrow_schema::SchemaRef;
use datafusion::common::ScalarValue;
use std::sync::Arc;

/// The most prepared statements, and the most portals, of a session.
pub(super) const MAX_NAMED: usize = 1000;

/// A prepared statement.
#[derive(Debug, Clone)]
pub(crate) struct PreparedStatement {
    /// `None` for a text without a statement.
    pub(super) command: Option<Command>,
    pub(super) parameters: Vec<Parameter>,
    /// The columns of its result, if it returns rows.
    pub(super) schema: Option<SchemaRef>,
}

/// A statement with its values, or a cursor.
#[derive(Debug)]
pub(crate) struct Portal {
    pub(super) statement: Arc<PreparedStatement>,
    pub(super) values: Vec<ScalarValue>,
    pub(super) columns: Option<Columns>,
    pub(super) progress: Progress,
    /// Whether it outlives its transaction (WITH HOLD).
    pub(super) is_held: bool,
}

/// How far a portal is executed.
#[derive(Debug)]
pub(super) enum Progress {
    Bound,
    Open(Box<ResultRows>),
    /// With the columns of a cursor, which can still be described.
    Finished(Option<SchemaRef>),
}

impl Portal {
    /// A cursor whose rows are fetched by its name.
    pub(super) fn of_cursor(rows: ResultRows, is_held: bool) -> Self {
        let statement = Arc::new(PreparedStatement { command: None, parameters: Vec::new(), schema: None });
        Self { statement, values: Vec::new(), columns: None, progress: Progress::Open(Box::new(rows)), is_held }
    }

    pub(super) fn cursor_schema(&self) -> Option<SchemaRef> {
        match &self.progress {
            Progress::Open(rows) => Some(Arc::clone(&rows.schema)),
            Progress::Finished(schema) => schema.clone(),
            Progress::Bound => None,
        }
    }

    pub(super) fn rows_mut(&mut self) -> Option<&mut ResultRows> {
        match &mut self.progress {
            Progress::Open(rows) => Some(rows),
            _ => None,
        }
    }

    pub(super) fn finish(&mut self) {
        self.progress = Progress::Finished(self.cursor_schema());
    }
}

pub(super) fn missing_statement(name: &str) -> Failure {
    Failure::new("26000", format!("prepared statement \"{name}\" does not exist"))
}

pub(super) fn missing_cursor(name: &str) -> Failure {
    Failure::new("34000", format!("cursor \"{name}\" does not exist"))
}

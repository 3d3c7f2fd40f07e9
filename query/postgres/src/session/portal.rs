//! Prepared statements and portals: what a session keeps by name, and the bounds of it.

use super::result::ResultRows;
use crate::session_places::NoMemory;
use crate::sqlstate::Failure;
use crate::statements::Command;
use crate::values::{Columns, Parameter};
use arrow_schema::SchemaRef;
use datafusion::common::ScalarValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

/// The most prepared statements of a session. Pools of drivers keep some hundred.
pub(super) const MAX_STATEMENTS: usize = 1000;
/// The most portals of a session. Each may hold a result that is being computed.
pub(super) const MAX_PORTALS: usize = 100;
/// The most bytes of the prepared statements and portals of a session, rows aside.
pub(super) const MAX_BYTES: usize = 8 << 20;
/// The most bytes of unsent rows in the portals of a session before another one is kept.
const MAX_ROWS_BYTES: usize = 64 << 20;
/// What a prepared statement or a portal takes beside its texts and values, about.
const OVERHEAD_BYTES: usize = 512;
/// What one column of a result takes, about.
const COLUMN_BYTES: usize = 256;

/// A prepared statement.
#[derive(Debug, Clone)]
pub(crate) struct PreparedStatement {
    /// `None` for a text without a statement.
    pub(super) command: Option<Command>,
    pub(super) parameters: Vec<Parameter>,
    /// The columns of its result, if it returns rows.
    pub(super) schema: Option<SchemaRef>,
    /// About how much memory it takes.
    bytes: usize,
}

impl PreparedStatement {
    /// A statement whose text had `text_bytes`.
    pub(super) fn new(
        command: Option<Command>,
        parameters: Vec<Parameter>,
        schema: Option<SchemaRef>,
        text_bytes: usize,
    ) -> Self {
        let columns = schema.as_ref().map_or(0, |schema| schema.fields().len());
        // A rewritten text is longer than the client's.
        let sent = command.as_ref().map_or(0, Command::sent_bytes);
        let bytes = OVERHEAD_BYTES + 2 * text_bytes + sent + COLUMN_BYTES * (columns + parameters.len());
        Self { command, parameters, schema, bytes }
    }
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
        let statement = Arc::new(PreparedStatement::new(None, Vec::new(), None, 0));
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

    /// When its statement must have ended. `None` if it has, or does not run yet.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.progress {
            Progress::Open(rows) => rows.deadline(),
            _ => None,
        }
    }

    /// About how much memory it takes, rows aside. It keeps its statement, also when that is closed.
    fn bytes(&self) -> usize {
        let values: usize = self.values.iter().map(ScalarValue::size).sum();
        let columns = self.statement.schema.as_ref().map_or(0, |schema| schema.fields().len());
        OVERHEAD_BYTES + self.statement.bytes + values + COLUMN_BYTES * columns
    }

    /// The bytes of its unsent rows.
    fn rows_bytes(&self) -> usize {
        match &self.progress {
            Progress::Open(rows) => rows.unsent_bytes(),
            _ => 0,
        }
    }

    pub(super) fn finish(&mut self) {
        self.progress = Progress::Finished(self.cursor_schema());
    }
}

/// Ends the statements of portals whose deadlines have passed.
pub(super) async fn end_at_deadlines(portals: &mut BTreeMap<String, Portal>) {
    let now = Instant::now();
    for portal in portals.values_mut() {
        if portal.deadline().is_some_and(|deadline| deadline <= now)
            && let Some(rows) = portal.rows_mut()
        {
            rows.end_at_deadline().await;
        }
    }
}

/// About how many bytes a session keeps, rows aside.
pub(super) fn kept_bytes(
    prepared: &BTreeMap<String, Arc<PreparedStatement>>,
    portals: &BTreeMap<String, Portal>,
) -> usize {
    prepared.values().map(|kept| kept.bytes).sum::<usize>() + portals.values().map(Portal::bytes).sum::<usize>()
}

/// Checks that a session may keep `statement` under `name`, beside or in place of what it keeps. Returns the bytes of all.
pub(super) fn check_statement(
    prepared: &BTreeMap<String, Arc<PreparedStatement>>,
    portals: &BTreeMap<String, Portal>,
    name: &str,
    statement: &PreparedStatement,
) -> Result<usize, Failure> {
    if prepared.len() >= MAX_STATEMENTS && !prepared.contains_key(name) {
        return Err(Failure::new("54000", format!("a session has at most {MAX_STATEMENTS} prepared statements"))
            .hint("DEALLOCATE those that are no longer used"));
    }
    let others = prepared.iter().filter(|(kept, _)| *kept != name).map(|(_, kept)| kept.bytes).sum::<usize>();
    check_bytes(others + portals.values().map(Portal::bytes).sum::<usize>() + statement.bytes)
}

/// Checks that a session may keep `portal` under `name`, beside or in place of what it keeps. Returns the bytes of all.
pub(super) fn check_portal(
    prepared: &BTreeMap<String, Arc<PreparedStatement>>,
    portals: &BTreeMap<String, Portal>,
    name: &str,
    portal: &Portal,
) -> Result<usize, Failure> {
    if portals.len() >= MAX_PORTALS && !portals.contains_key(name) {
        return Err(Failure::new("54000", format!("a session has at most {MAX_PORTALS} cursors"))
            .hint("CLOSE those that are no longer used"));
    }
    let others = move || portals.iter().filter(move |(kept, _)| *kept != name).map(|(_, kept)| kept);
    // The newest is kept however large its rows are, so that one cursor over large rows always works.
    if portal.rows_bytes() > 0 && others().map(Portal::rows_bytes).sum::<usize>() > MAX_ROWS_BYTES {
        let full = format!("the open cursors of the session hold more than {} MiB of rows", MAX_ROWS_BYTES >> 20);
        return Err(Failure::new("53200", full).hint("fetch their rows, or close some"));
    }
    let statements = prepared.values().map(|kept| kept.bytes).sum::<usize>();
    check_bytes(statements + others().map(Portal::bytes).sum::<usize>() + portal.bytes())
}

fn check_bytes(bytes: usize) -> Result<usize, Failure> {
    if bytes <= MAX_BYTES {
        return Ok(bytes);
    }
    let full = format!("the prepared statements and cursors of a session have at most {} MiB", MAX_BYTES >> 20);
    Err(Failure::new("53200", full).hint("close those that are no longer used"))
}

pub(super) fn no_memory(none: NoMemory) -> Failure {
    let (whose, bytes) = match none {
        NoMemory::All(bytes) => ("all sessions", bytes),
        NoMemory::OfUser(bytes) => ("the sessions of the user", bytes),
    };
    let full = format!("the prepared statements and cursors of {whose} have at most {} MiB", bytes >> 20);
    Failure::new("53200", full).hint("close those that are no longer used")
}

pub(super) fn missing_statement(name: &str) -> Failure {
    Failure::new("26000", format!("prepared statement \"{name}\" does not exist"))
}

pub(super) fn missing_cursor(name: &str) -> Failure {
    Failure::new("34000", format!("cursor \"{name}\" does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text_bytes: usize) -> Arc<PreparedStatement> {
        Arc::new(PreparedStatement::new(None, Vec::new(), None, text_bytes))
    }

    fn portal(statement: &Arc<PreparedStatement>, value_bytes: usize) -> Portal {
        Portal {
            statement: Arc::clone(statement),
            values: vec![ScalarValue::Utf8(Some("x".repeat(value_bytes)))],
            columns: None,
            progress: Progress::Bound,
            is_held: false,
        }
    }

    #[test]
    fn statements_and_portals_are_bounded_in_number() {
        let small = statement(10);
        let prepared: BTreeMap<_, _> = (0..MAX_STATEMENTS).map(|n| (n.to_string(), Arc::clone(&small))).collect();
        let portals: BTreeMap<_, _> = (0..MAX_PORTALS).map(|n| (n.to_string(), portal(&small, 1))).collect();
        assert_eq!(check_statement(&prepared, &portals, "new", &small).unwrap_err().code, "54000");
        assert_eq!(check_portal(&prepared, &portals, "new", &portal(&small, 1)).unwrap_err().code, "54000");
        // What takes the place of another one is kept.
        assert_eq!(check_statement(&prepared, &portals, "7", &small).map(drop), Ok(()));
        assert_eq!(check_portal(&prepared, &portals, "7", &portal(&small, 1)).map(drop), Ok(()));
    }

    #[test]
    fn statements_and_values_are_bounded_in_bytes_together() {
        let mib = statement(512 << 10);
        let prepared: BTreeMap<_, _> = (0..3).map(|n| (n.to_string(), Arc::clone(&mib))).collect();
        // A portal keeps its statement, here of a megabyte, and has a value of a megabyte.
        let portals = BTreeMap::from([("p".to_owned(), portal(&mib, 1 << 20))]);
        assert_eq!(check_statement(&prepared, &portals, "s", &mib).map(drop), Ok(()));
        let full: BTreeMap<_, _> = (0..6).map(|n| (n.to_string(), Arc::clone(&mib))).collect();
        assert_eq!(check_statement(&full, &portals, "s", &mib).unwrap_err().code, "53200");
        assert_eq!(check_portal(&full, &BTreeMap::new(), "p", &portal(&mib, 2 << 20)).unwrap_err().code, "53200");
        assert_eq!(check_portal(&BTreeMap::new(), &BTreeMap::new(), "p", &portal(&mib, 2 << 20)).map(drop), Ok(()));
        assert_eq!(check_portal(&BTreeMap::new(), &portals, "p", &portal(&mib, 6 << 20)).map(drop), Ok(()));
        let huge = portal(&mib, 16 << 20);
        assert_eq!(check_portal(&BTreeMap::new(), &BTreeMap::new(), "p", &huge).unwrap_err().code, "53200");
    }
}

//! The commands in a client's text.
//!
//! ```text
//! text ─▶ bounds ─▶ parse ─┬─ a query ─▶ rewritten for the engine ─▶ text for the Reader
//!                          │      └─ over the catalog alone ─▶ its own text, answered from the catalog's tables
//!                          ├─ of the session (SET, SHOW, BEGIN, DECLARE, ...) ─▶ performed by the session
//!                          └─ anything else ─▶ refused: it writes, or it is not supported
//! ```
//!
//! What is parsed is as deep as the bounds let through, so a text that may be deep is parsed on a thread of statements, whose
//! stack is large. Otherwise pure. A query is rewritten only if its meaning stays the same.

use crate::sqlstate::Failure;
use crate::variables::Variables;
use datafusion::sql::sqlparser::ast::{
    CloseCursor, DiscardObject, Expr, FetchDirection, Ident, ObjectName, Query, Reset, Set, SetExpr, Statement, Value,
    Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use holdfast_query::{Reader, StatementError, check_bounds};
use std::ops::ControlFlow;
use std::sync::Arc;

mod names;
mod rewrite;
mod sent;

pub(crate) use sent::Sent;

/// Bytes of a text that is parsed at once if it has no parentheses: most commands of a session are such.
const SHORT_BYTES: usize = 512;

/// A query of the archive or its catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadQuery {
    /// The statement for the engine.
    pub(crate) text: String,
    /// The client's text, if the statement is one over the catalog alone, and the types of its parameters.
    pub(crate) catalog: Option<(String, Vec<u32>)>,
    /// The command tag of its completion.
    pub(crate) tag: &'static str,
    /// Where it is in the client's text.
    pub(crate) sent: Sent,
}

/// The number of rows that FETCH returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchCount {
    Rows(u32),
    All,
}

/// One statement of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Query(ReadQuery),
    /// Names with values; `None` means DEFAULT.
    Set(Vec<(String, Option<String>)>),
    Show(String),
    ShowAll,
    Reset(Option<String>),
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackToSavepoint,
    DiscardAll,
    /// A prepared statement; `None` means all.
    Deallocate(Option<String>),
    /// A cursor; `None` means all.
    Close(Option<String>),
    Declare {
        cursor: String,
        query: ReadQuery,
        is_held: bool,
    },
    Fetch {
        cursor: String,
        count: FetchCount,
    },
    /// Completed with this tag, without effect.
    NoOperation(&'static str),
}

impl Command {
    /// Whether it may run in a transaction that has failed.
    pub(crate) fn ends_a_failed_transaction(&self) -> bool {
        matches!(self, Self::Commit | Self::Rollback | Self::RollbackToSavepoint)
    }

    /// The bytes of the client's text that it keeps beside its own.
    pub(crate) fn sent_bytes(&self) -> usize {
        match self {
            Self::Query(query) | Self::Declare { query, .. } => query.sent.bytes(),
            _ => 0,
        }
    }
}

/// Parses the statements of clients.
#[derive(Debug, Default)]
pub(crate) struct Statements;

impl Statements {
    /// The commands of a text of the user of `reader`, who waits for a permit if parsing may take long. See
    /// [`Statements::parse`].
    pub(crate) async fn read(
        self: &Arc<Self>,
        text: &str,
        variables: &Variables,
        reader: &Reader,
    ) -> Result<Vec<Result<Command, Failure>>, Failure> {
        if text.len() <= SHORT_BYTES && !text.contains(['(', '[', '{']) {
            return self.parse(text, variables);
        }
        let (statements, text, variables) = (Arc::clone(self), text.to_owned(), variables.clone());
        reader.session().on_statement_thread(move || statements.parse(&text, &variables)).await?
    }

    /// The commands of a text, in order. A refused statement is an error at its place, so that the statements before it still
    /// run.
    pub(crate) fn parse(&self, text: &str, variables: &Variables) -> Result<Vec<Result<Command, Failure>>, Failure> {
        if text.trim_matches(|c: char| c.is_whitespace() || c == ';').eq_ignore_ascii_case("abort") {
            return Ok(vec![Ok(Command::Rollback)]);
        }
        check_bounds(text)?;
        let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
        let statements =
            parser.and_then(|mut parser| parser.parse_statements()).map_err(|error| syntax(&error, text))?;
        let count = statements.len();
        let is_alone = count == 1;
        let mut commands = Vec::with_capacity(statements.len());
        for (index, statement) in statements.into_iter().enumerate() {
            let rewritten = rewrite::for_archive(rewrite::insert_session_values(statement.clone(), variables));
            let own_text = || match is_alone {
                true => text.trim().trim_end_matches(';').trim_end().to_owned(),
                false => statement.to_string(),
            };
            // An unchanged statement is run, and recorded, in the client's own text.
            // A cursor's query is a part of its statement.
            let is_part = matches!(statement, Statement::Declare { .. });
            let (text_of_statement, sent) = if is_alone && rewritten == statement && !is_part {
                (own_text(), Sent::unchanged(text))
            } else {
                (rewritten.to_string(), Sent::rewritten(text, index, count))
            };
            let for_catalog = names::is_of_catalog_alone(&statement).then(own_text);
            commands.push(command(&rewritten, text_of_statement, for_catalog, sent));
        }
        Ok(commands)
    }
}

fn command(
    statement: &Statement,
    text: String,
    for_catalog: Option<String>,
    sent: Sent,
) -> Result<Command, Failure> {
    let query = |tag| Ok(Command::Query(ReadQuery { text: text.clone(), catalog: None, tag, sent: sent.clone() }));
    match statement {
        Statement::Query(parsed) => {
            refuse_writes(parsed)?;
            let catalog = for_catalog.map(|text| (text, Vec::new()));
            Ok(Command::Query(ReadQuery { text, catalog, tag: "SELECT", sent }))
        }
        Statement::Explain { statement, .. } => match statement.as_ref() {
            Statement::Query(parsed) => {
                refuse_writes(parsed)?;
                query("EXPLAIN")
            }
            other => Err(refusal(other)),
        },
        Statement::ExplainTable { .. } => query("EXPLAIN"),
        Statement::ShowTables { .. } | Statement::ShowColumns { .. } | Statement::ShowFunctions { .. } => query("SHOW"),
        Statement::ShowVariable { variable } => Ok(show_command(variable)),
        Statement::Set(set) => set_command(set),
        Statement::Reset(reset) => Ok(Command::Reset(match &reset.reset {
            Reset::ALL => None,
            Reset::ConfigurationParameter(name) => Some(name_of(name)),
        })),
        Statement::StartTransaction { .. } => Ok(Command::Begin),
        Statement::Commit { .. } => Ok(Command::Commit),
        Statement::Rollback { savepoint: Some(_), .. } => Ok(Command::RollbackToSavepoint),
        Statement::Rollback { .. } => Ok(Command::Rollback),
        Statement::Savepoint { .. } => Ok(Command::Savepoint),
        Statement::ReleaseSavepoint { .. } => Ok(Command::Release),
        Statement::Discard { object_type: DiscardObject::ALL } => Ok(Command::DiscardAll),
        Statement::Discard { .. } => Ok(Command::NoOperation("DISCARD")),
        Statement::Deallocate { name, .. } => {
            let is_all = name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all");
            Ok(Command::Deallocate((!is_all).then(|| folded(name))))
        }
        Statement::Close { cursor: CloseCursor::All } => Ok(Command::Close(None)),
        Statement::Close { cursor: CloseCursor::Specific { name } } => Ok(Command::Close(Some(folded(name)))),
        Statement::Declare { stmts } => declare_command(stmts, sent),
        Statement::Fetch { name, direction, into: None, .. } => {
            Ok(Command::Fetch { cursor: folded(name), count: fetch_count(direction)? })
        }
        Statement::LISTEN { .. } => Ok(Command::NoOperation("LISTEN")),
        Statement::UNLISTEN { .. } => Ok(Command::NoOperation("UNLISTEN")),
        other => Err(refusal(other)),
    }
}

fn show_command(variable: &[Ident]) -> Command {
    let words: Vec<String> = variable.iter().map(|word| word.value.clone()).collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    match lower.as_slice() {
        ["all"] => Command::ShowAll,
        ["time", "zone"] => Command::Show("TimeZone".to_owned()),
        ["transaction", "isolation", "level"] => Command::Show("transaction_isolation".to_owned()),
        ["session", "authorization"] => Command::Show("session_authorization".to_owned()),
        _ => Command::Show(words.join(".")),
    }
}

fn set_command(set: &Set) -> Result<Command, Failure> {
    let one = |name: &str, value: Option<String>| Ok(Command::Set(vec![(name.to_owned(), value)]));
    match set {
        Set::SingleAssignment { variable, values, .. } => one(&name_of(variable), value_of(values)?),
        Set::SetTimeZone { value, .. } => one("TimeZone", value_of(std::slice::from_ref(value))?),
        Set::SetNames { charset_name, .. } => one("client_encoding", Some(charset_name.value.clone())),
        Set::SetNamesDefault {} => one("client_encoding", None),
        Set::SetRole { role_name, .. } => one("role", role_name.as_ref().map(folded).or(Some("none".to_owned()))),
        Set::SetSessionAuthorization(_) => one("session_authorization", Some("another".to_owned())),
        // Isolation levels and access modes have no effect: each statement reads one snapshot, and none writes.
        Set::SetTransaction { .. } => Ok(Command::NoOperation("SET")),
        other => Err(Failure::unsupported(&format!("SET {other}"))),
    }
}

/// The value of SET; `None` means DEFAULT.
fn value_of(values: &[Expr]) -> Result<Option<String>, Failure> {
    if let [Expr::Identifier(word)] = values
        && word.quote_style.is_none()
        && word.value.eq_ignore_ascii_case("default")
    {
        return Ok(None);
    }
    let texts: Result<Vec<String>, Failure> = values.iter().map(text_of).collect();
    Ok(Some(texts?.join(", ")))
}

fn text_of(value: &Expr) -> Result<String, Failure> {
    match value {
        Expr::Value(value) => Ok(value.value.clone().into_string().unwrap_or_else(|| value.to_string())),
        Expr::Identifier(word) => Ok(word.value.clone()),
        // A number with a sign, an interval for a time zone, a name with dots.
        other => Ok(other.to_string()),
    }
}

fn declare_command(declared: &[datafusion::sql::sqlparser::ast::Declare], sent: Sent) -> Result<Command, Failure> {
    let [one] = declared else { return Err(Failure::unsupported("DECLARE of several cursors")) };
    let (Some(name), Some(query)) = (one.names.first(), &one.for_query) else {
        return Err(Failure::unsupported("DECLARE of anything but a cursor"));
    };
    if one.binary == Some(true) || one.scroll == Some(true) {
        return Err(Failure::unsupported("a BINARY or SCROLL cursor")
            .hint("use a cursor that returns text and only moves forward"));
    }
    refuse_writes(query)?;
    let text = query.to_string();
    let is_of_catalog = names::is_of_catalog_alone(&Statement::Query(query.clone()));
    let query = ReadQuery { catalog: is_of_catalog.then(|| (text.clone(), Vec::new())), text, tag: "SELECT", sent };
    Ok(Command::Declare { cursor: folded(name), query, is_held: one.hold == Some(true) })
}

fn fetch_count(direction: &FetchDirection) -> Result<FetchCount, Failure> {
    let counted = |value: &Value| match value {
        Value::Number(digits, _) => digits.to_string().parse().map(FetchCount::Rows).ok(),
        _ => None,
    };
    match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => Ok(FetchCount::Rows(1)),
        FetchDirection::All | FetchDirection::ForwardAll => Ok(FetchCount::All),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => {
            counted(&limit.value).ok_or_else(|| Failure::syntax(format!("FETCH {limit}: write a number of rows")))
        }
        _ => Err(Failure::new("55000", "cursor can only scan forward")),
    }
}

/// Refuses queries that would write or lock.
fn refuse_writes(query: &Query) -> Result<(), Failure> {
    struct Writes;
    impl Visitor for Writes {
        type Break = &'static str;

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<&'static str> {
            match query.body.as_ref() {
                SetExpr::Insert(_) => ControlFlow::Break("INSERT"),
                SetExpr::Update(_) => ControlFlow::Break("UPDATE"),
                SetExpr::Delete(_) => ControlFlow::Break("DELETE"),
                SetExpr::Merge(_) => ControlFlow::Break("MERGE"),
                SetExpr::Select(select) if select.into.is_some() => ControlFlow::Break("SELECT INTO"),
                _ if !query.locks.is_empty() => ControlFlow::Break("SELECT FOR UPDATE"),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match query.visit(&mut Writes) {
        ControlFlow::Break(what) => Err(Failure::read_only(what)),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn refusal(statement: &Statement) -> Failure {
    match statement {
        Statement::Copy { to: true, .. } => Failure::unsupported("COPY")
            .hint("psql writes CSV with --csv, and holdfast sql writes Parquet, JSON and CSV"),
        Statement::Prepare { .. } | Statement::Execute { .. } => Failure::unsupported("PREPARE as a statement")
            .hint("prepare statements with the extended protocol, as drivers do"),
        Statement::Call(_) => Failure::unsupported("CALL"),
        other => {
            let text = other.to_string();
            let mut words = text.split_whitespace();
            let first = words.next().unwrap_or_default().to_uppercase();
            let what = match (first.as_str(), words.next()) {
                ("CREATE" | "DROP" | "ALTER", Some(second)) => format!("{first} {}", second.to_uppercase()),
                _ => first,
            };
            Failure::read_only(&what)
        }
    }
}

fn syntax(error: &ParserError, text: &str) -> Failure {
    StatementError::of_syntax(error, text).into()
}

/// A name after PostgreSQL's case folding.
fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn name_of(name: &ObjectName) -> String {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|part| part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone()))
        .collect();
    parts.join(".")
}

#[cfg(test)]
mod tests;

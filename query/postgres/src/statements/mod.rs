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
    CloseCursor, ContextModifier, DiscardObject, Expr, FetchDirection, Ident, ObjectName, Query, Reset, Set, SetExpr,
    Statement, Value, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Tokenizer;
use holdfast_query::{Reader, StatementError, check_bounds};
use std::ops::ControlFlow;
use std::sync::Arc;

mod command;
mod names;
mod rewrite;
mod sent;
mod transactions;

pub(crate) use command::{Command, FetchCount, ReadQuery, Setting};
pub(crate) use sent::Sent;

/// Bytes of a text that is parsed at once if it has no parentheses: most commands of a session are such.
const SHORT_BYTES: usize = 512;

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
        check_bounds(text)?;
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location();
        let (tokens, mut of_transactions) = transactions::take(tokens.map_err(|error| syntax(&error.into(), text))?);
        let mut parser = Parser::new(&PostgreSqlDialect {}).with_tokens_with_locations(tokens);
        let statements = parser.parse_statements().map_err(|error| syntax(&error, text))?;
        let count = statements.len();
        let is_alone = count == 1;
        let mut commands = Vec::with_capacity(count);
        for (index, statement) in statements.into_iter().enumerate() {
            if let Some(command) = of_transactions.remove(&index) {
                commands.push(Ok(command));
                continue;
            }
            let (with_session_values, settings) = rewrite::insert_session_values(statement.clone(), variables);
            let rewritten = rewrite::for_archive(with_session_values);
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
            let catalog = names::is_of_catalog_alone(&statement).then(own_text).map(|text| (text, Vec::new()));
            let query = ReadQuery { text: text_of_statement, catalog, tag: "SELECT", sent, settings };
            commands.push(command(&rewritten, query));
        }
        Ok(commands)
    }
}

/// The command of a statement. `query` is the statement, if it is a query.
fn command(statement: &Statement, read: ReadQuery) -> Result<Command, Failure> {
    let query = |tag| Ok(Command::Query(ReadQuery { catalog: None, tag, ..read.clone() }));
    match statement {
        Statement::Query(parsed) => {
            refuse_writes(parsed)?;
            Ok(Command::Query(read))
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
        Statement::Rollback { savepoint: Some(_), .. } => Ok(Command::RollbackToSavepoint),
        Statement::Savepoint { .. } => Ok(Command::Savepoint),
        Statement::ReleaseSavepoint { .. } => Ok(Command::Release),
        Statement::Discard { object_type: DiscardObject::ALL } => Ok(Command::DiscardAll),
        Statement::Discard { object_type } => Ok(Command::NoOperation(match object_type {
            DiscardObject::PLANS => "DISCARD PLANS",
            DiscardObject::SEQUENCES => "DISCARD SEQUENCES",
            _ => "DISCARD TEMP",
        })),
        Statement::Deallocate { name, .. } => {
            let is_all = name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all");
            Ok(Command::Deallocate((!is_all).then(|| folded(name))))
        }
        Statement::Close { cursor: CloseCursor::All } => Ok(Command::Close(None)),
        Statement::Close { cursor: CloseCursor::Specific { name } } => Ok(Command::Close(Some(folded(name)))),
        Statement::Declare { stmts } => declare_command(stmts, read.sent),
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
    let one = |name: &str, value| Ok(Command::Set(Setting { name: name.to_owned(), value, is_local: false }));
    match set {
        Set::SingleAssignment { scope, variable, values, .. } => Ok(Command::Set(Setting {
            name: name_of(variable),
            value: value_of(values)?,
            is_local: matches!(scope, Some(ContextModifier::Local)),
        })),
        Set::SetTimeZone { value, .. } => one("TimeZone", value_of(std::slice::from_ref(value))?),
        Set::SetNames { charset_name, .. } => one("client_encoding", Some(charset_name.value.clone())),
        Set::SetNamesDefault {} => one("client_encoding", None),
        Set::SetRole { role_name, .. } => one("role", role_name.as_ref().map(folded).or(Some("none".to_owned()))),
        Set::SetSessionAuthorization(_) => one("session_authorization", Some("another".to_owned())),
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
    let catalog = is_of_catalog.then(|| (text.clone(), Vec::new()));
    let query = ReadQuery { catalog, text, tag: "SELECT", sent, settings: Vec::new() };
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

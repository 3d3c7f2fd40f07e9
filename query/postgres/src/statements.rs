//! What a client asks for: commands from text.
//!
//! ```text
//! text ─▶ parse ─┬─ a question ─▶ rewritten to what the engine understands ─▶ text for the Reader
//!                ├─ of the session (SET, SHOW, BEGIN, DECLARE, ...) ─▶ answered here
//!                └─ anything else ─▶ refused: it would write, or it is not served
//! ```
//!
//! Pure. A question about the catalog alone is rewritten freely, because clients ask in forms that the engine lacks and
//! do not mind an empty answer. A question about the archive is rewritten only where its meaning stays the same.

use crate::sqlstate::Failure;
use crate::variables::Variables;
use datafusion::sql::sqlparser::ast::{
    CloseCursor, DiscardObject, Expr, FetchDirection, Ident, ObjectName, Query, Reset, Set, SetExpr, Statement, Value,
    Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion_postgres::datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use std::ops::ControlFlow;

mod names;
mod rewrite;

/// A question for the archive or about its catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// The statement as the engine gets it.
    pub(crate) text: String,
    /// The word with which its completion is told.
    pub(crate) tag: &'static str,
}

/// How much of a cursor is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    Rows(u32),
    All,
}

/// One statement of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Ask(Question),
    /// Names with values; `None` is the default.
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
    /// A statement or, without a name, all of them.
    Deallocate(Option<String>),
    /// A cursor or, without a name, all of them.
    Close(Option<String>),
    Declare {
        cursor: String,
        question: Question,
        is_held: bool,
    },
    Fetch {
        cursor: String,
        amount: Amount,
    },
    /// Answered with its tag, and nothing else happens.
    Nothing(&'static str),
}

impl Command {
    /// Whether it may run in a transaction that has failed.
    pub(crate) fn ends_a_failed_transaction(&self) -> bool {
        matches!(self, Self::Commit | Self::Rollback | Self::RollbackToSavepoint)
    }
}

/// Reads the statements of clients.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    catalog_parser: PostgresCompatibilityParser,
}

impl Statements {
    /// The commands of a text, in order; none for an empty one. Statements that are refused are errors in their place,
    /// so that those before them are answered.
    pub(crate) fn read(&self, text: &str, variables: &Variables) -> Result<Vec<Result<Command, Failure>>, Failure> {
        if text.trim_matches(|c: char| c.is_whitespace() || c == ';').eq_ignore_ascii_case("abort") {
            return Ok(vec![Ok(Command::Rollback)]);
        }
        let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
        let statements = parser.and_then(|mut parser| parser.parse_statements()).map_err(syntax)?;
        // The statements in the form for the catalog, where one needs it.
        let mut for_catalog: Option<Vec<Statement>> = None;
        let is_alone = statements.len() == 1;
        let mut commands = Vec::with_capacity(statements.len());
        for (index, statement) in statements.into_iter().enumerate() {
            let told = rewrite::of_session(statement.clone(), variables);
            let rewritten = if names::are_of_catalog_only(&statement) {
                let all = for_catalog.get_or_insert_with(|| self.catalog_parser.parse(text).unwrap_or_default());
                match all.get(index).cloned() {
                    Some(rewritten) => rewrite::emptied(rewrite::of_session(rewritten, variables)),
                    None => rewrite::for_archive(told),
                }
            } else {
                rewrite::for_archive(told)
            };
            // What was not changed is passed on, and recorded, just as it was written.
            let written = if is_alone && rewritten == statement {
                text.trim().trim_end_matches(';').trim_end().to_owned()
            } else {
                rewritten.to_string()
            };
            commands.push(command(&rewritten, written));
        }
        Ok(commands)
    }
}

fn command(statement: &Statement, written: String) -> Result<Command, Failure> {
    let ask = |tag| Ok(Command::Ask(Question { text: written.clone(), tag }));
    match statement {
        Statement::Query(query) => {
            only_reads(query)?;
            ask("SELECT")
        }
        Statement::Explain { statement, .. } => match statement.as_ref() {
            Statement::Query(query) => {
                only_reads(query)?;
                ask("EXPLAIN")
            }
            other => Err(refusal(other)),
        },
        Statement::ExplainTable { .. } => ask("EXPLAIN"),
        Statement::ShowTables { .. } | Statement::ShowColumns { .. } | Statement::ShowFunctions { .. } => ask("SHOW"),
        Statement::ShowVariable { variable } => Ok(shown(variable)),
        Statement::Set(set) => setting(set),
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
        Statement::Discard { .. } => Ok(Command::Nothing("DISCARD")),
        Statement::Deallocate { name, .. } => {
            let is_all = name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all");
            Ok(Command::Deallocate((!is_all).then(|| folded(name))))
        }
        Statement::Close { cursor: CloseCursor::All } => Ok(Command::Close(None)),
        Statement::Close { cursor: CloseCursor::Specific { name } } => Ok(Command::Close(Some(folded(name)))),
        Statement::Declare { stmts } => declaration(stmts),
        Statement::Fetch { name, direction, into: None, .. } => {
            Ok(Command::Fetch { cursor: folded(name), amount: amount(direction)? })
        }
        Statement::LISTEN { .. } => Ok(Command::Nothing("LISTEN")),
        Statement::UNLISTEN { .. } => Ok(Command::Nothing("UNLISTEN")),
        other => Err(refusal(other)),
    }
}

fn shown(variable: &[Ident]) -> Command {
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

fn setting(set: &Set) -> Result<Command, Failure> {
    let one = |name: &str, value: Option<String>| Ok(Command::Set(vec![(name.to_owned(), value)]));
    match set {
        Set::SingleAssignment { variable, values, .. } => one(&name_of(variable), value_of(values)?),
        Set::SetTimeZone { value, .. } => one("TimeZone", value_of(std::slice::from_ref(value))?),
        Set::SetNames { charset_name, .. } => one("client_encoding", Some(charset_name.value.clone())),
        Set::SetNamesDefault {} => one("client_encoding", None),
        Set::SetRole { role_name, .. } => one("role", role_name.as_ref().map(folded).or(Some("none".to_owned()))),
        Set::SetSessionAuthorization(_) => one("session_authorization", Some("another".to_owned())),
        // Isolation levels and access modes: every statement reads one snapshot, and none writes.
        Set::SetTransaction { .. } => Ok(Command::Nothing("SET")),
        other => Err(Failure::unserved(&format!("SET {other}"))),
    }
}

/// A value as SET gives it; `None` is DEFAULT.
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

fn declaration(declared: &[datafusion::sql::sqlparser::ast::Declare]) -> Result<Command, Failure> {
    let [one] = declared else { return Err(Failure::unserved("DECLARE of several cursors at once")) };
    let (Some(name), Some(query)) = (one.names.first(), &one.for_query) else {
        return Err(Failure::unserved("DECLARE of anything but a cursor"));
    };
    if one.binary == Some(true) || one.scroll == Some(true) {
        return Err(Failure::unserved("a BINARY or SCROLL cursor").hint("cursors go forward, in text"));
    }
    only_reads(query)?;
    let question = Question { text: query.to_string(), tag: "SELECT" };
    Ok(Command::Declare { cursor: folded(name), question, is_held: one.hold == Some(true) })
}

fn amount(direction: &FetchDirection) -> Result<Amount, Failure> {
    let counted = |value: &Value| match value {
        Value::Number(digits, _) => digits.to_string().parse().map(Amount::Rows).ok(),
        _ => None,
    };
    match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => Ok(Amount::Rows(1)),
        FetchDirection::All | FetchDirection::ForwardAll => Ok(Amount::All),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => {
            counted(&limit.value).ok_or_else(|| Failure::syntax(format!("FETCH {limit}: a number of rows is needed")))
        }
        _ => Err(Failure::new("55000", "cursors only go forward here")),
    }
}

/// Refuses questions that would write or lock.
fn only_reads(query: &Query) -> Result<(), Failure> {
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
        Statement::Copy { to: true, .. } => {
            Failure::unserved("COPY").hint("psql writes CSV with --csv, and holdfast sql writes Parquet, JSON and CSV")
        }
        Statement::Prepare { .. } | Statement::Execute { .. } => Failure::unserved("PREPARE as a statement")
            .hint("drivers prepare statements by the protocol, which is served"),
        Statement::Call(_) => Failure::unserved("CALL"),
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

fn syntax(error: ParserError) -> Failure {
    match error {
        ParserError::RecursionLimitExceeded => Failure::new("54001", "the statement is nested too deeply"),
        ParserError::ParserError(why) | ParserError::TokenizerError(why) => {
            Failure::syntax(format!("syntax error: {why}"))
        }
    }
}

/// A name as PostgreSQL folds it.
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

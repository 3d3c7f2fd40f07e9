//! From an error of the engine to its cause, and from there to what PostgreSQL says. Pure.
//!
//! ```text
//! DataFusionError ─▶ its causes, to the last ─┬─ an error of ours ─▶ as it is
//!   Diagnostic: a place, a name as written    ├─ of the dialect ─▶ its code, message and word
//!                                             ├─ of the parser, about columns ─▶ syntax, schema
//!                                             └─ a sentence ─▶ planning, values ─▶ in plain words
//! ```

use super::planning::{between, missing_relation, planning};
use super::schema::schema;
use super::statement::StatementError;
use super::syntax::syntax;
use super::values::values;
use super::wording::{plain, without_marks};
use super::{QueryError, SHORTER_ARGUMENTS, SHORTER_RESULTS};
use crate::bound::Bound;
use arrow_schema::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use holdfast_dialect::SqlError;
use std::error::Error;
use std::sync::Arc;

/// What to do when the engine fails.
const WRITE_ANOTHER: &str = "Write the statement in another way, and tell the operator if it happens again.";

impl QueryError {
    /// Finds the cause of an error of DataFusion. `memory_limit` is in bytes.
    pub(crate) fn classify(error: DataFusionError, memory_limit: usize) -> Self {
        classify(&error, memory_limit)
    }
}

impl From<ArrowError> for QueryError {
    fn from(error: ArrowError) -> Self {
        Self::classify(error.into(), 0)
    }
}

/// What an error of the engine means for the caller. `memory_limit` is in bytes.
fn classify(error: &DataFusionError, memory_limit: usize) -> QueryError {
    let mut places = Places::default();
    let mut current: &(dyn Error + 'static) = error;
    loop {
        if let Some(ours) = current.downcast_ref::<QueryError>() {
            return ours.clone();
        }
        if let Some(found) = statement(current, memory_limit, &mut places) {
            return found;
        }
        current = match cause(current) {
            Some(cause) => cause,
            None => return last(current, places),
        };
    }
}

/// What the planner says about the place of an error, from the outermost one.
#[derive(Debug, Default)]
struct Places {
    at: Option<(u64, u64)>,
    /// The missing table as it is written.
    relation: Option<String>,
}

impl Places {
    fn add(&self, error: StatementError) -> QueryError {
        let error = match self.at.filter(|_| !error.has_place()) {
            Some((line, column)) => error.at(line, column),
            None => error,
        };
        QueryError::Statement(Box::new(error))
    }
}

/// The cause of an error, also of those that do not return it as their source.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    if let Some(shared) = error.downcast_ref::<Arc<DataFusionError>>() {
        return Some(shared.as_ref());
    }
    if let Some(DataFusionError::Collection(errors)) = error.downcast_ref::<DataFusionError>() {
        return errors.first().map(|first| first as &(dyn Error + 'static));
    }
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match inner {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// The error in a chain of causes that says what is wrong, if it is this one.
fn statement(current: &(dyn Error + 'static), memory_limit: usize, places: &mut Places) -> Option<QueryError> {
    if let Some(error) = current.downcast_ref::<SqlError>() {
        return Some(QueryError::Statement(Box::new(error.into())));
    }
    if let Some(error) = current.downcast_ref::<StatementError>() {
        return Some(QueryError::Statement(Box::new(error.clone())));
    }
    if let Some(error) = current.downcast_ref::<ParserError>() {
        let is_deep = matches!(error, ParserError::RecursionLimitExceeded);
        return Some(if is_deep { QueryError::Bound(Bound::Nesting) } else { places.add(syntax(error)) });
    }
    if let Some(error) = current.downcast_ref::<SchemaError>() {
        return Some(places.add(schema(error)));
    }
    match current.downcast_ref::<DataFusionError>()? {
        DataFusionError::Diagnostic(diagnostic, _) => {
            if let Some(span) = diagnostic.span {
                places.at = places.at.or(Some((span.start.line, span.start.column)));
            }
            if let Some(name) = diagnostic.message.strip_prefix("table '").and_then(|it| it.strip_suffix("' not found"))
            {
                places.relation = Some(name.to_owned());
            }
            None
        }
        DataFusionError::ResourcesExhausted(what) => {
            Some(QueryError::Memory { limit_mib: memory_limit >> 20, what: what_ran_out(what) })
        }
        DataFusionError::ExecutionJoin(_) => {
            Some(QueryError::Internal("the engine failed at this statement".to_owned()))
        }
        _ => None,
    }
}

/// What the last cause says.
fn last(error: &(dyn Error + 'static), places: Places) -> QueryError {
    if let Some(error) = error.downcast_ref::<ArrowError>() {
        return of_text(&error.to_string(), Kind::of_arrow(error), &places);
    }
    let Some(error) = error.downcast_ref::<DataFusionError>() else {
        return of_text(&error.to_string(), Kind::Outside, &places);
    };
    let (text, kind) = match error {
        DataFusionError::Plan(text) => (text.clone(), Kind::Plan),
        DataFusionError::NotImplemented(text) => (text.clone(), Kind::Unsupported),
        DataFusionError::Execution(text) => (text.clone(), Kind::Value),
        DataFusionError::Configuration(text) => (text.clone(), Kind::Setting),
        DataFusionError::Internal(text) | DataFusionError::Substrait(text) | DataFusionError::Ffi(text) => {
            (text.clone(), Kind::Engine)
        }
        // An empty one has no text.
        DataFusionError::Collection(_) => (String::new(), Kind::Engine),
        other => (other.strip_backtrace(), Kind::Outside),
    };
    of_text(&text, kind, &places)
}

/// What a statement asked for beyond its memory, without the names of the operators that asked.
fn what_ran_out(text: &str) -> String {
    // The lines before the last list the other consumers; the last names the failed request.
    let last = text.lines().last().unwrap_or_default().trim_start_matches("Error: ");
    let request = between(last, " requested ", " beside").or_else(|| between(last, "additional ", " for "));
    match request {
        Some(bytes) => format!("{bytes} more were asked for"),
        None => plain(last).unwrap_or_else(|| "there is no more".to_owned()),
    }
}

/// Of what kind an error is whose sentence is not known.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Plan,
    Unsupported,
    Value,
    Setting,
    /// A fault of the engine.
    Engine,
    /// The archive, the CRM or the system.
    Outside,
}

impl Kind {
    fn of_arrow(error: &ArrowError) -> Self {
        match error {
            ArrowError::NotYetImplemented(_) => Self::Unsupported,
            ArrowError::IoError(..) | ArrowError::ParquetError(_) => Self::Outside,
            ArrowError::SchemaError(_) | ArrowError::CDataInterface(_) => Self::Engine,
            _ => Self::Value,
        }
    }

    /// The SQLSTATE, and the message if the sentence is not for people.
    fn in_general(self) -> (&'static str, &'static str) {
        match self {
            Self::Plan => ("42000", "the statement cannot be planned"),
            Self::Unsupported => ("0A000", "the statement has something that is not supported"),
            Self::Value => ("22000", "a value cannot be computed"),
            Self::Setting => ("22023", "a setting has a wrong value"),
            Self::Engine => ("XX000", "the engine cannot execute this statement"),
            Self::Outside => ("58030", "what the statement reads cannot be read"),
        }
    }
}

fn of_text(text: &str, kind: Kind, places: &Places) -> QueryError {
    let text = &without_marks(text);
    if let Some(refused) = function_within(text) {
        return refused;
    }
    if let Some(written) = &places.relation {
        return places.add(missing_relation(written));
    }
    let known = match kind {
        Kind::Plan | Kind::Unsupported => planning(text).or_else(|| values(text)),
        Kind::Setting => None,
        _ => values(text).or_else(|| planning(text)),
    };
    if let Some(known) = known {
        return places.add(known);
    }
    let (state, general) = kind.in_general();
    let message = plain(text).filter(|_| !matches!(kind, Kind::Engine));
    let error = StatementError::new(state, message.unwrap_or_else(|| general.to_owned()));
    places.add(match kind {
        Kind::Engine => error.hint(WRITE_ANOTHER),
        _ => error,
    })
}

/// The refusal of a function that a filter of a scan called: the reader of Parquet keeps no more than the text of an error.
fn function_within(text: &str) -> Option<QueryError> {
    let quoted = |field: &str| {
        let (_, rest) = text.split_once(&format!("{field}: \""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let of_filter = |error| text.contains(&format!("Error evaluating filter predicate: External({error} {{"));
    if of_filter("Memory") {
        let limit = text.split_once("limit_mib: ").and_then(|(_, rest)| rest.split([',', ' ']).next()?.parse().ok());
        return Some(QueryError::Memory { limit_mib: limit?, what: quoted("what")? });
    }
    let is_filter = of_filter("Function");
    let (function, what) = is_filter.then(|| Some((quoted("function")?, quoted("what")?)))??;
    let what_to_do = if what.starts_with("make") { SHORTER_RESULTS } else { SHORTER_ARGUMENTS };
    Some(QueryError::Function { function, what, what_to_do })
}

#[cfg(test)]
mod tests;

//! The arguments of table functions, such as `generate_series`.
//!
//! The engine computes them as soon as it plans them, before any expression of the plan gets its bounds. It has no place
//! where LIKE and its kin would get theirs, so they are refused there.

use crate::error::{QueryError, StatementError};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{Expr, TableFactor, Visit, Visitor, visit_expressions};
use std::ops::ControlFlow;

/// Refuses a statement that looks for a pattern in an argument of a table function.
///
/// # Errors
/// [`QueryError::Statement`].
pub(crate) fn check_series_arguments(parsed: &Parsed) -> Result<(), QueryError> {
    let has_search = match parsed {
        Parsed::Statement(statement) => Visit::visit(statement, &mut TableFunctions).is_break(),
        Parsed::Explain(explain) => return check_series_arguments(&explain.statement),
        _ => false,
    };
    if !has_search {
        return Ok(());
    }
    let refused =
        "the arguments of a table function cannot have LIKE or SIMILAR TO; compute them in a subquery of FROM";
    Err(StatementError::new("0A000", refused).into())
}

struct TableFunctions;

impl Visitor for TableFunctions {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { args: Some(arguments), .. } => find_search(&arguments.args),
            TableFactor::Function { args, .. } => find_search(args),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Breaks at an operator that looks for a pattern. `~` and its kin have their bounds when they are planned.
fn find_search(arguments: &impl Visit) -> ControlFlow<()> {
    visit_expressions(arguments, |expression| {
        let is_search =
            matches!(expression, Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. });
        if is_search { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;

    fn check(sql: &str) -> Result<(), QueryError> {
        check_series_arguments(&DFParser::parse_sql(sql).unwrap()[0])
    }

    #[test]
    fn a_pattern_in_an_argument_of_a_table_function_is_refused() {
        for sql in [
            "SELECT * FROM generate_series(1, CASE WHEN 'a' LIKE 'b' THEN 1 ELSE 2 END)",
            "SELECT * FROM generate_series(1, CASE WHEN 'a' NOT ILIKE 'b' THEN 1 ELSE 2 END) t",
            "SELECT * FROM LATERAL range(1, CASE WHEN 'a' SIMILAR TO 'b' THEN 1 ELSE 2 END) t",
            "EXPLAIN SELECT 1 WHERE 1 IN (SELECT value FROM range(1, CASE WHEN 'a' LIKE 'b' THEN 1 ELSE 2 END))",
        ] {
            assert!(matches!(check(sql), Err(QueryError::Statement(_))), "{sql}");
        }
        for sql in [
            "SELECT * FROM generate_series(1, 2) t WHERE 'a' LIKE 'b'",
            "SELECT * FROM generate_series(1, length('a' || 'b'))",
            "SELECT CASE WHEN 'a' LIKE 'b' THEN 1 ELSE 2 END",
        ] {
            assert!(check(sql).is_ok(), "{sql}");
        }
    }
}

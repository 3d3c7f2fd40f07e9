//! Refuses statements that are not queries.

use crate::error::QueryError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SQLOptions;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::Statement;

/// Refuses a statement by its kind.
pub(super) fn check_statement(parsed: &Parsed) -> Result<(), QueryError> {
    let kind = match parsed {
        Parsed::Explain(explain) => return check_statement(&explain.statement),
        Parsed::Statement(statement) => match statement.as_ref() {
            Statement::Query(_)
            | Statement::ExplainTable { .. }
            | Statement::ShowTables { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowVariable { .. }
            | Statement::ShowFunctions { .. } => return Ok(()),
            Statement::Explain { statement, .. } => {
                return check_statement(&Parsed::Statement(statement.clone()));
            }
            other => first_word(&other.to_string()),
        },
        Parsed::CreateExternalTable(_) => "CREATE EXTERNAL TABLE".to_owned(),
        Parsed::CopyTo(_) => "COPY".to_owned(),
        Parsed::Reset(_) => "RESET".to_owned(),
    };
    Err(QueryError::ReadOnly(kind))
}

/// Refuses a plan any part of which writes or changes a setting.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<(), QueryError> {
    let allowed = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    allowed.verify_plan(plan).map_err(|error| QueryError::ReadOnly(kind_of_plan(&error.strip_backtrace())))
}

/// The kind of statement that a plan is refused for: the engine names it after the last colon, as one word of its own.
fn kind_of_plan(refusal: &str) -> String {
    let kind = refusal.rsplit(": ").next().unwrap_or_default();
    let mut words = String::new();
    for letter in kind.chars().filter(|letter| letter.is_alphanumeric() || *letter == ' ') {
        if letter.is_uppercase() && !words.is_empty() && !words.ends_with([' ']) && !words.ends_with(char::is_uppercase)
        {
            words.push(' ');
        }
        words.push(letter);
    }
    words.to_uppercase()
}

fn first_word(statement: &str) -> String {
    statement.split_whitespace().next().unwrap_or_default().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_names_the_statement() {
        assert_eq!(first_word("drop table x"), "DROP");
        assert_eq!(first_word(""), "");
    }

    #[test]
    fn a_plan_is_refused_by_its_kind() {
        for (refusal, kind) in [
            ("Error during planning: Statement not supported: SetVariable", "SET VARIABLE"),
            ("Error during planning: DML not supported: Insert Into", "INSERT INTO"),
            ("Error during planning: DML not supported: COPY", "COPY"),
        ] {
            assert_eq!(kind_of_plan(refusal), kind);
        }
    }
}

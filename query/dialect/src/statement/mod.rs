//! Rewrites a parsed statement before it is planned.

#[cfg(test)]
use datafusion::common::Result;
#[cfg(test)]
use datafusion::sql::parser::Statement;

/// The statement as the engine means what PostgreSQL means by it.
#[cfg(test)]
pub(crate) fn rewrite(statement: Statement) -> Result<Statement> {
    Ok(statement)
}

//! Rewrites a parsed statement before it is planned, so that the engine means by it what PostgreSQL means.
//!
//! ```text
//! operators bind as in PostgreSQL ─▶ names of columns (of the expressions as they are written) ─▶ parts first: constants, calls, rows ─▶ queries
//! ```

mod array_queries;
mod arrays;
mod beside_tables;
mod calls;
mod cardinality;
mod chains;
mod conditions;
mod constants;
mod counted_rows;
mod expressions;
mod fewer_names;
mod first_rows;
mod hidden_keys;
mod hypothetical;
mod joins;
mod lateral;
mod level;
mod listed_rows;
mod named_arguments;
mod names;
mod nested_with;
mod precedence;
mod queries;
mod recursive;
mod row_functions;
mod rows;
mod same_names;
mod selects;
mod sorted;
mod stars;
mod subqueries;
mod values;
mod whole_rows;
mod windows;

pub use names::shown_name;

use datafusion::common::{DataFusionError, Result};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Expr, Query, Select, SetExpr, Statement, TableFactor, Value, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Rewrites `statement`.
///
/// # Errors
/// [`SqlError`](crate::SqlError) for what is not supported.
pub fn rewrite(statement: &mut Parsed) -> Result<()> {
    match statement {
        Parsed::Statement(statement) => {
            let _: ControlFlow<()> = VisitMut::visit(statement.as_mut(), &mut precedence::Precedence);
            nested_with::told_apart(statement);
            if let Statement::Query(query) = statement.as_mut() {
                name_last(&mut query.body);
                names::mark_beside_wildcard(query);
                // Before the list that collects rows stands in a subquery, to which the tables of WITH do not belong.
                sorted::kept(query);
                rows::as_keys(query);
                hidden_keys::of_statement(query)?;
            }
            match VisitMut::visit(statement.as_mut(), &mut Rewriting::default()) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(error) => Err(*error),
            }
        }
        Parsed::Explain(explained) => rewrite(&mut explained.statement),
        _ => Ok(()),
    }
}

/// Gives the columns of a statement their names, which are those of the expressions as they are written. [`rewrite`] does it as well.
pub fn name_columns(statement: &mut Parsed) {
    match statement {
        Parsed::Statement(statement) => {
            if let Statement::Query(query) = statement.as_mut() {
                name_last(&mut query.body);
                names::mark_beside_wildcard(query);
            }
            let _: ControlFlow<()> = VisitMut::visit(statement.as_mut(), &mut Naming);
        }
        Parsed::Explain(explained) => name_columns(&mut explained.statement),
        _ => {}
    }
}

struct Naming;

impl VisitorMut for Naming {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        names::name_items(&mut select.projection, false);
        ControlFlow::Continue(())
    }
}

/// Names the columns of the statement's result.
fn name_last(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => names::name_items(&mut select.projection, true),
        SetExpr::Query(query) => name_last(&mut query.body),
        SetExpr::SetOperation { left, .. } => name_last(left),
        _ => {}
    }
}

#[derive(Default)]
struct Rewriting {
    known: whole_rows::Known,
}

fn flow(result: Result<()>) -> ControlFlow<Box<DataFusionError>> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(Box::new(error)),
    }
}

impl VisitorMut for Rewriting {
    type Break = Box<DataFusionError>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        values::rows_with_subqueries(&mut query.body);
        flow(recursive::typed(query))?;
        sorted::kept(query);
        rows::as_keys(query);
        flow(hidden_keys::of_first_rows(query))?;
        lateral::branches_as_rows(query);
        flow(beside_tables::put(query))?;
        self.known.enter(query);
        fewer_names::of_common(query, &self.known);
        listed_rows::as_tables(query);
        flow(whole_rows::written_out(query, &self.known))?;
        flow(joins::of_both_sides(query))?;
        flow(counted_rows::counted(query))?;
        flow(queries::before_parts(query))
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        self.known.leave();
        values::casts_of_rows(&mut query.body);
        same_names::apart(query);
        flow(queries::after_parts(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        names::name_items(&mut select.projection, false);
        flow(joins::merged_columns(select))
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        subqueries::rows_as_joins(select);
        flow(conditions::rewritten(select).map_err(Into::into))?;
        flow(subqueries::as_values(select).map_err(Into::into))?;
        flow(queries::after_select(select))?;
        flow(windows::written_out(select).map_err(Into::into))
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        fewer_names::of_table(factor, &self.known);
        first_rows::as_rows(factor);
        lateral::names_apart(factor);
        flow(row_functions::alone(factor))
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        flow(queries::after_factor(factor))
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
        constants::sign(expression);
        subqueries::without_tables(expression);
        first_rows::as_value(expression);
        flow(chains::check(expression))
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Self::Break> {
        let written = std::mem::replace(expression, Expr::value(Value::Null));
        match expressions::rewritten(written) {
            Ok(rewritten) => {
                *expression = rewritten;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("answers.tsv"));
    }
}

//! Statements in forms that the engine understands, with the same meaning.

use crate::variables::Variables;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, SelectItem, SetExpr, Statement,
    Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion_postgres::datafusion_pg_catalog::sql::rules::{
    CurrentUserVariableToSessionUserFunctionCall, FixVersionColumnName, PrependUnqualifiedPgTableName,
    RewriteArrayAnyAllOperation, RewritePgCatalogOperator, SqlStatementRewriteRule, StripCallableQualifier,
    StripCollate,
};
use std::ops::ControlFlow;

/// The rules that leave the meaning of any statement as it is. The others give up on what they cannot express, which is
/// fine for the catalog and a wrong answer for the archive.
pub(super) fn for_archive(statement: Statement) -> Statement {
    let rules: [&dyn SqlStatementRewriteRule; 7] = [
        &RewriteArrayAnyAllOperation,
        &PrependUnqualifiedPgTableName,
        &StripCallableQualifier,
        &CurrentUserVariableToSessionUserFunctionCall,
        &StripCollate,
        &RewritePgCatalogOperator,
        &FixVersionColumnName,
    ];
    rules.iter().fold(statement, |statement, rule| rule.rewrite(statement))
}

/// Puts what only the session knows in the place of the functions that tell it: its user, and its variables.
pub(super) fn of_session(mut statement: Statement, variables: &Variables) -> Statement {
    let _: ControlFlow<()> = statement.visit(&mut Told { variables });
    statement
}

struct Told<'v> {
    variables: &'v Variables,
}

impl Told<'_> {
    /// The name of the function's column, and its value.
    fn value(&self, function: &Function) -> Option<(String, Value)> {
        let [part] = function.name.0.as_slice() else { return None };
        let name = part.as_ident()?.value.to_lowercase();
        let value = match (name.as_str(), arguments(function)?.as_slice()) {
            ("session_user" | "current_user" | "current_role" | "user", []) => {
                Value::SingleQuotedString(self.variables.show("session_authorization").unwrap_or_default())
            }
            ("current_setting", [variable, missing @ ..]) => match self.variables.show(variable) {
                Ok(value) => Value::SingleQuotedString(value),
                Err(_) if missing.first().is_some_and(|missing| missing.eq_ignore_ascii_case("true")) => Value::Null,
                Err(_) => return None,
            },
            _ => return None,
        };
        Some((name, value))
    }
}

/// The arguments of a function that are all literals.
fn arguments(function: &Function) -> Option<Vec<String>> {
    match &function.args {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(ValueWithSpan { value, .. }))) => {
                    Some(value.clone().into_string().unwrap_or_else(|| value.to_string()))
                }
                _ => None,
            })
            .collect(),
    }
}

impl VisitorMut for Told<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let SetExpr::Select(select) = query.body.as_mut() else { return ControlFlow::Continue(()) };
        for item in &mut select.projection {
            // A column keeps the name that the function would give it.
            if let SelectItem::UnnamedExpr(Expr::Function(function)) = item
                && let Some((name, value)) = self.value(function)
            {
                *item =
                    SelectItem::ExprWithAlias { expr: Expr::Value(value.with_empty_span()), alias: Ident::new(name) };
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let Some((_, value)) = self.value(function)
        {
            *expr = Expr::Value(value.with_empty_span());
        }
        ControlFlow::Continue(())
    }
}

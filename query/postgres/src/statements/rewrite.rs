//! Rewrites statements to forms that the engine supports, with the same meaning.

use super::command::Setting;
use crate::catalog::NAME_OF_SESSION;
use crate::variables::Variables;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    Statement, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion_postgres::datafusion_pg_catalog::sql::rules::{
    CurrentUserVariableToSessionUserFunctionCall, FixVersionColumnName, PrependUnqualifiedPgTableName,
    RewritePgCatalogOperator, SqlStatementRewriteRule, StripCallableQualifier, StripCollate,
};
use std::ops::ControlFlow;

/// Applies the rules that keep the meaning of every statement.
pub(super) fn for_archive(statement: Statement) -> Statement {
    let rules: [&dyn SqlStatementRewriteRule; 6] = [
        &PrependUnqualifiedPgTableName,
        &StripCallableQualifier,
        &CurrentUserVariableToSessionUserFunctionCall,
        &StripCollate,
        &RewritePgCatalogOperator,
        &FixVersionColumnName,
    ];
    rules.iter().fold(statement, |statement, rule| rule.rewrite(statement))
}

/// Replaces calls of functions about the session (its user, its variables) by their values. Returns the variables that the
/// statement sets as well.
pub(super) fn insert_session_values(mut statement: Statement, variables: &Variables) -> (Statement, Vec<Setting>) {
    let mut values = SessionValues { variables, settings: Vec::new(), is_new: false };
    let written = statement.clone();
    let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut values);
    if !values.is_new {
        return (statement, values.settings);
    }
    // The columns keep the names that they have by the functions.
    let mut named = Parsed::Statement(Box::new(written));
    holdfast_query::name_columns(&mut named);
    let Parsed::Statement(mut named) = named else { return (statement, values.settings) };
    let mut values = SessionValues { variables, settings: Vec::new(), is_new: false };
    let _: ControlFlow<()> = VisitMut::visit(named.as_mut(), &mut values);
    (*named, values.settings)
}

struct SessionValues<'v> {
    variables: &'v Variables,
    settings: Vec<Setting>,
    /// Whether a call was replaced.
    is_new: bool,
}

impl SessionValues<'_> {
    /// The value of a call.
    fn value(&mut self, function: &Function) -> Option<Expr> {
        let name = match function.name.0.as_slice() {
            [part] => part.as_ident()?.value.to_lowercase(),
            [schema, part] if schema.as_ident().is_some_and(|schema| schema.value == "pg_catalog") => {
                part.as_ident()?.value.to_lowercase()
            }
            _ => return None,
        };
        let value = match (name.as_str(), arguments(function)?.as_slice()) {
            ("session_user" | "current_user" | "current_role" | "user", []) => {
                return Some(name_of_session(self.variables.show("session_authorization").unwrap_or_default()));
            }
            ("current_setting", [variable, missing @ ..]) => match self.variables.show(variable) {
                Ok(value) => Value::SingleQuotedString(value),
                Err(_) if missing.first().is_some_and(|missing| missing.eq_ignore_ascii_case("true")) => Value::Null,
                Err(_) => return None,
            },
            ("set_config", [variable, value, is_local]) => {
                let is_local = is_local.eq_ignore_ascii_case("true");
                let value = value.clone();
                self.settings.push(Setting { name: variable.clone(), value: Some(value.clone()), is_local });
                Value::SingleQuotedString(value)
            }
            _ => return None,
        };
        Some(Expr::value(value))
    }
}

/// A call that returns a text as a `name`.
fn name_of_session(name: String) -> Expr {
    let argument = FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::value(Value::SingleQuotedString(name))));
    let arguments = FunctionArgumentList { duplicate_treatment: None, args: vec![argument], clauses: Vec::new() };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(NAME_OF_SESSION)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(arguments),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The arguments of a function if all are literals.
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

impl VisitorMut for SessionValues<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } = expr {
            escape_by_backslash(pattern, escape_char);
        }
        if let Expr::Function(function) = expr
            && let Some(value) = self.value(function)
        {
            *expr = value;
            self.is_new = true;
        }
        ControlFlow::Continue(())
    }
}

/// Rewrites a pattern with another escape character to the backslash, the only one that the engine supports.
fn escape_by_backslash(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) {
    let Some(written) = escape.as_ref().and_then(|escape| escape.value.clone().into_string()) else { return };
    let mut letters = written.chars();
    let (Some(escape_letter), None) = (letters.next(), letters.next()) else { return };
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) = pattern else { return };
    if escape_letter != '\\' {
        let mut rewritten = String::with_capacity(text.len());
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                letter if letter == escape_letter => {
                    rewritten.push('\\');
                    rewritten.extend(letters.next());
                }
                '\\' => rewritten.push_str("\\\\"),
                letter => rewritten.push(letter),
            }
        }
        *text = rewritten;
    }
    *escape = None;
}

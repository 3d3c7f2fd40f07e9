//! Rewrites statements to forms that the engine supports, with the same meaning.

use super::command::Setting;
use crate::variables::Variables;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, GroupByExpr, Ident,
    ObjectName, Query, SelectItem, SetExpr, Statement, TableFactor, Value, ValueWithSpan, Visit, VisitMut, Visitor,
    VisitorMut,
};
use datafusion_postgres::datafusion_pg_catalog::sql::rules::{
    CurrentUserVariableToSessionUserFunctionCall, FixVersionColumnName, PrependUnqualifiedPgTableName,
    RewritePgCatalogOperator, SqlStatementRewriteRule, StripCallableQualifier, StripCollate,
};
use std::ops::ControlFlow;

/// Applies the rules that keep the meaning of every statement. The other rules drop what they cannot express: that is
/// acceptable for the catalog, and a wrong result for the archive.
pub(super) fn for_archive(statement: Statement) -> Statement {
    let statement = super::arrays::write_elements(statement);
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

/// Replaces parts of a query of the catalog that the engine cannot plan and that refer to objects that do not exist here.
/// Options of tables and roles of policies become NULL. A query of keys becomes an empty result with the same columns.
pub(super) fn for_catalog(mut statement: Statement) -> Statement {
    let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut NullMissingObjects);
    let Statement::Query(mut query) = statement else { return statement };
    if !["_pg_expandarray", "generate_subscripts"].iter().any(|of_keys| calls_function(query.as_ref(), of_keys)) {
        return Statement::Query(query);
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return Statement::Query(query) };
    for (number, item) in select.projection.iter_mut().enumerate() {
        let alias = match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => name.clone(),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) if !names.is_empty() => {
                names[names.len() - 1].clone()
            }
            _ => Ident::new(format!("column{}", number + 1)),
        };
        *item = SelectItem::ExprWithAlias { expr: Expr::Value(Value::Null.with_empty_span()), alias };
    }
    select.from = Vec::new();
    select.selection = Some(Expr::Value(Value::Boolean(false).with_empty_span()));
    select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    select.having = None;
    query.order_by = None;
    query.with = None;
    Statement::Query(query)
}

/// Replaces `array(SELECT ...)`, also inside `array_to_string`, and descriptions of sequences by NULL.
struct NullMissingObjects;

impl VisitorMut for NullMissingObjects {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } = expr
            && let Some(escape) = escape_char.take()
        {
            // No name in the catalog contains a backslash, so the pattern matches the same names.
            let text = std::mem::replace(pattern.as_mut(), Expr::Value(Value::Null.with_empty_span()));
            let backslash = Value::SingleQuotedString("\\".to_owned()).with_empty_span();
            **pattern = call("replace", vec![text, Expr::Value(escape), Expr::Value(backslash)]);
        }
        if let Expr::Case { conditions, else_result, .. } = expr {
            // Such a subquery is usually about keys or sequences, and the engine cannot plan it.
            let results = conditions.iter_mut().map(|when| &mut when.result);
            for result in results.chain(else_result.iter_mut().map(AsMut::as_mut)) {
                if matches!(result, Expr::Subquery(query) if query.limit_clause.is_none()) {
                    *result = Expr::Value(Value::Null.with_empty_span());
                }
            }
        }
        let is_missing_object = match &*expr {
            Expr::Function(function) => match name(function).as_str() {
                "array" | "json_build_object" => true,
                "array_to_string" => calls_function(&function.args, "array") || names_missing_column(&function.args),
                _ => false,
            },
            Expr::CompoundIdentifier(names) => is_missing_column(names),
            _ => false,
        };
        let is_empty = matches!(&*expr, Expr::Subquery(query) if reads_empty_table(query));
        if is_missing_object || is_empty {
            *expr = Expr::Value(Value::Null.with_empty_span());
        } else if let Expr::Subquery(query) = expr {
            aggregate_value(query);
        }
        ControlFlow::Continue(())
    }
}

/// Whether the name is that of a column of `pg_class` that the catalog here lacks: privileges and storage options.
fn is_missing_column(names: &[Ident]) -> bool {
    names.last().is_some_and(|last| ["relacl", "reloptions"].contains(&last.value.as_str()))
}

/// Whether `part` contains the name of such a column.
fn names_missing_column(part: &impl Visit) -> bool {
    struct Finder;
    impl Visitor for Finder {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::CompoundIdentifier(names) if is_missing_column(names) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    part.visit(&mut Finder).is_break()
}

/// The tables of the catalog without rows: there are no keys, defaults, comments, sequences, policies and triggers.
const EMPTY_TABLES: [&str; 8] = [
    "pg_attrdef",
    "pg_constraint",
    "pg_description",
    "pg_index",
    "pg_inherits",
    "pg_policy",
    "pg_sequence",
    "pg_trigger",
];

/// Whether a subquery reads one of [`EMPTY_TABLES`], so that its value is NULL. Aggregates are excluded: a count is 0.
fn reads_empty_table(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    if calls_aggregate(&select.projection) {
        return false;
    }
    select.from.iter().any(|table| {
        let TableFactor::Table { name, .. } = &table.relation else { return false };
        let last = name.0.last().and_then(|part| part.as_ident());
        last.is_some_and(|last| EMPTY_TABLES.contains(&last.value.to_lowercase().as_str()))
    })
}

/// Makes the value of a scalar subquery an aggregate: the engine plans correlated scalar subqueries only with aggregates. Those
/// of clients find one row by its OID, so the first value is the value.
fn aggregate_value(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let is_grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    if is_grouped || query.limit_clause.is_some() || select.distinct.is_some() {
        return;
    }
    let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] = select.projection.as_mut_slice()
    else {
        return;
    };
    if calls_aggregate(expr) {
        return;
    }
    let value = std::mem::replace(expr, Expr::Value(Value::Null.with_empty_span()));
    *expr = call("first_value", vec![value]);
    query.order_by = None;
}

/// Whether `part` calls one of the aggregates that clients use in queries of the catalog.
fn calls_aggregate(part: &impl Visit) -> bool {
    let aggregates = ["count", "max", "min", "sum", "bool_or", "bool_and", "array_agg", "string_agg", "first_value"];
    aggregates.into_iter().any(|aggregate| calls_function(part, aggregate))
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let arguments = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn name(function: &Function) -> String {
    let last = function.name.0.last().and_then(|part| part.as_ident());
    last.map(|last| last.value.to_lowercase()).unwrap_or_default()
}

/// Whether `part` calls the function `wanted`.
fn calls_function(part: &impl Visit, wanted: &str) -> bool {
    struct Finder<'n>(&'n str);
    impl Visitor for Finder<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if name(function) == self.0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    part.visit(&mut Finder(wanted)).is_break()
}

/// Replaces calls of functions about the session (its user, its variables) by their values. Returns the variables that the
/// statement sets as well.
pub(super) fn insert_session_values(mut statement: Statement, variables: &Variables) -> (Statement, Vec<Setting>) {
    let mut values = SessionValues { variables, settings: Vec::new() };
    let _: ControlFlow<()> = VisitMut::visit(&mut statement, &mut values);
    (statement, values.settings)
}

struct SessionValues<'v> {
    variables: &'v Variables,
    settings: Vec<Setting>,
}

impl SessionValues<'_> {
    /// The name of the function's column, and its value.
    fn value(&mut self, function: &Function) -> Option<(String, Value)> {
        let name = match function.name.0.as_slice() {
            [part] => part.as_ident()?.value.to_lowercase(),
            [schema, part] if schema.as_ident().is_some_and(|schema| schema.value == "pg_catalog") => {
                part.as_ident()?.value.to_lowercase()
            }
            _ => return None,
        };
        let value = match (name.as_str(), arguments(function)?.as_slice()) {
            ("session_user" | "current_user" | "current_role" | "user", []) => {
                Value::SingleQuotedString(self.variables.show("session_authorization").unwrap_or_default())
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
        Some((name, value))
    }
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

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let SetExpr::Select(select) = query.body.as_mut() else { return ControlFlow::Continue(()) };
        for item in &mut select.projection {
            // The column keeps the name of the function.
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
        if let Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } = expr {
            escape_by_backslash(pattern, escape_char);
        }
        if let Expr::Function(function) = expr
            && let Some((_, value)) = self.value(function)
        {
            *expr = Expr::Value(value.with_empty_span());
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

//! A row of a table as a value, in functions of JSON and in `count` (PostgreSQL 15, 8.16.5). The engine has no such values.
//!
//! | written | becomes |
//! |---|---|
//! | `row_to_json (t)`, `to_json (t)` | `row_as_json ('a', t.a, 'b', t.b)` |
//! | `json_agg (t ORDER BY k)` | `json_agg (row_as_json_element ('a', t.a, 'b', t.b) ORDER BY k)` |
//! | `to_jsonb (t)`, `jsonb_agg (t)` | `jsonb_build_object ('a', t.a, 'b', t.b)`, and its `jsonb_agg` |
//! | `row_to_json (ROW (x, y))` | `row_as_json ('f1', x, 'f2', y)` |
//! | `count (t)` | `count (t.*)` |
//!
//! The columns are known where they are written: those of a subquery, of a common table expression, of VALUES. A column has the name
//! before a table.

use super::beside_tables::factors;
use super::calls::{call, function_name};
use super::counted_rows::{made_up, mark, mark_tables};
use super::level::each_part;
use super::names::{folded, name_items};
use super::row_functions::quoted;
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, OrderByKind, Query,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor, Value,
};
use std::collections::HashMap;

/// A table with the names of its columns, if they are known.
pub(super) type Table = (String, Option<Vec<String>>);

/// The common table expressions of the queries around, the innermost last.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<HashMap<String, Option<Vec<String>>>>);

impl Known {
    /// Remembers those of a query, before its parts are visited.
    pub(super) fn enter(&mut self, query: &Query) {
        self.0.push(HashMap::new());
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = renamed(self.of_query(&table.query), Some(&table.alias));
            if let Some(innermost) = self.0.last_mut() {
                innermost.insert(folded(&table.alias.name), columns);
            }
        }
    }

    /// Forgets them.
    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// The columns of a query, if they are known.
    pub(super) fn of_query(&self, query: &Query) -> Option<Vec<String>> {
        if query.with.is_some() { None } else { self.of_body(&query.body) }
    }

    fn of_body(&self, body: &SetExpr) -> Option<Vec<String>> {
        match body {
            SetExpr::Query(query) => self.of_query(query),
            SetExpr::SetOperation { left, .. } => self.of_body(left),
            SetExpr::Values(values) => {
                Some((1..=values.rows.first()?.len()).map(|place| format!("column{place}")).collect())
            }
            SetExpr::Select(select) => {
                let tables: Vec<Table> =
                    select.from.iter().flat_map(factors).map(|factor| self.of_factor(factor)).collect::<Option<_>>()?;
                // A column that a join merges stands in one place only.
                let is_joined = select.from.iter().any(|table| !table.joins.is_empty());
                let mut all = Vec::new();
                let mut items = select.projection.clone();
                name_items(&mut items, false);
                for item in &items {
                    match item {
                        SelectItem::ExprWithAlias { alias, .. } => all.push(folded(alias)),
                        SelectItem::UnnamedExpr(Expr::Identifier(name)) => all.push(folded(name)),
                        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => all.push(folded(parts.last()?)),
                        SelectItem::Wildcard(_) if !is_joined => {
                            for (_, columns) in &tables {
                                all.extend(columns.clone()?);
                            }
                        }
                        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                            let name = folded(name.0.last()?.as_ident()?);
                            let (_, columns) = tables.iter().find(|(known, _)| *known == name)?;
                            all.extend(columns.clone()?);
                        }
                        _ => return None,
                    }
                }
                Some(all)
            }
            _ => None,
        }
    }

    /// A table of FROM.
    pub(super) fn of_factor(&self, factor: &TableFactor) -> Option<Table> {
        match factor {
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                Some((folded(&alias.name), renamed(self.of_query(subquery), Some(alias))))
            }
            TableFactor::Table { name, alias, args: None, .. } => {
                let own = folded(name.0.last()?.as_ident()?);
                let is_common = name.0.len() == 1;
                let columns = is_common.then(|| self.0.iter().rev().find_map(|tables| tables.get(&own))).flatten();
                let shown = alias.as_ref().map_or(own.clone(), |alias| folded(&alias.name));
                Some((shown, renamed(columns.cloned().flatten(), alias.as_ref())))
            }
            _ => None,
        }
    }
}

/// The columns with the names that an alias gives them.
fn renamed(columns: Option<Vec<String>>, alias: Option<&TableAlias>) -> Option<Vec<String>> {
    let mut columns = columns?;
    for (place, given) in alias.into_iter().flat_map(|alias| &alias.columns).enumerate() {
        *columns.get_mut(place)? = folded(&given.name);
    }
    Some(columns)
}

/// Writes the rows out that a query uses as values. Nothing of it is rewritten yet, but columns have names.
pub(super) fn written_out(query: &mut Query, known: &Known) -> Result<()> {
    let SetExpr::Select(select) = query.body.as_mut() else { return Ok(()) };
    let tables: Option<Vec<Table>> =
        select.from.iter().flat_map(factors).map(|factor| known.of_factor(factor)).collect();
    let mut rows = Rows { tables: tables.unwrap_or_default(), made_up: made_up(select), marked: Vec::new() };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } = item {
            each_part(expression, |part| rows.write_out(part))?;
        }
    }
    if let Some(having) = &mut select.having {
        each_part(having, |part| rows.write_out(part))?;
    }
    if let Some(OrderByKind::Expressions(keys)) = query.order_by.as_mut().map(|order| &mut order.kind) {
        for key in keys {
            each_part(&mut key.expr, |part| rows.write_out(part))?;
        }
    }
    mark_tables(select, &rows.marked)
}

/// The tables of a SELECT.
struct Rows {
    tables: Vec<Table>,
    made_up: Vec<(String, bool)>,
    /// Those whose rows may be none.
    marked: Vec<String>,
}

/// How a row is written.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Element,
    Jsonb,
}

impl Rows {
    fn write_out(&mut self, part: &mut Expr) -> Result<(), SqlError> {
        let Expr::Function(function) = part else { return Ok(()) };
        let Some(name) = function_name(&function.name) else { return Ok(()) };
        let form = match name.as_str() {
            "row_to_json" | "to_json" | "json_build_object" | "json_build_array" => Form::Json,
            "json_agg" => Form::Element,
            "to_jsonb" | "jsonb_agg" | "jsonb_build_object" | "jsonb_build_array" => Form::Jsonb,
            "count" => return self.count(function),
            _ => return Ok(()),
        };
        let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
        let mut is_row = false;
        for argument in &mut list.args {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) = argument
                && let Some(written) = self.row(value, form)?
            {
                is_row = true;
                *value = written;
            }
        }
        let [FunctionArg::Unnamed(FunctionArgExpr::Expr(only))] = list.args.as_slice() else { return Ok(()) };
        if is_row && matches!(name.as_str(), "row_to_json" | "to_json" | "to_jsonb") {
            *part = only.clone();
        }
        Ok(())
    }

    /// `count (t)` of a table is that of its rows.
    fn count(&self, function: &mut Function) -> Result<(), SqlError> {
        let FunctionArguments::List(list) = &mut function.args else { return Ok(()) };
        if let [FunctionArg::Unnamed(argument @ FunctionArgExpr::Expr(Expr::Identifier(_)))] = list.args.as_mut_slice()
            && let FunctionArgExpr::Expr(Expr::Identifier(name)) = &*argument
            && self.columns(name).is_some()
        {
            *argument = FunctionArgExpr::QualifiedWildcard(ObjectName::from(vec![name.clone()]));
        }
        Ok(())
    }

    /// The columns of the table of this name, if it means one.
    fn columns(&self, name: &Ident) -> Option<&Vec<String>> {
        let name = folded(name);
        let mut all = Vec::new();
        for (_, columns) in &self.tables {
            all.extend(columns.as_ref()?);
        }
        if all.contains(&&name) {
            return None;
        }
        self.tables.iter().find(|(known, _)| *known == name)?.1.as_ref()
    }

    /// The value as JSON, if it is a row.
    fn row(&mut self, value: &Expr, form: Form) -> Result<Option<Expr>, SqlError> {
        let text = |text: String| Expr::value(Value::SingleQuotedString(text));
        let of_fields = |values: Vec<Expr>| {
            values.into_iter().enumerate().flat_map(|(place, value)| [text(format!("f{}", place + 1)), value]).collect()
        };
        match value {
            Expr::Tuple(values) => Ok(Some(written(of_fields(values.clone()), form))),
            Expr::Function(Function { name, args: FunctionArguments::List(list), .. })
                if function_name(name).is_some_and(|name| name == "row") =>
            {
                let values = list.args.iter().filter_map(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
                    _ => None,
                });
                Ok(Some(written(of_fields(values.collect()), form)))
            }
            Expr::Identifier(name) => {
                let Some(columns) = self.columns(name) else { return Ok(None) };
                let table = quoted(&folded(name));
                let column = |column: &String| {
                    let value = Expr::CompoundIdentifier(vec![table.clone(), quoted(column)]);
                    [text(column.clone()), value]
                };
                let row = written(columns.iter().flat_map(column).collect(), form);
                let table = folded(name);
                if !self.made_up.iter().any(|(known, is_made_up)| *known == table && *is_made_up) {
                    return Ok(Some(row));
                }
                let condition = Expr::CompoundIdentifier(vec![quoted(&table), quoted(&mark())]);
                self.marked.push(table);
                Ok(Some(Expr::Case {
                    case_token: AttachedToken::empty(),
                    end_token: AttachedToken::empty(),
                    operand: None,
                    conditions: vec![CaseWhen { condition, result: row }],
                    else_result: None,
                }))
            }
            _ => Ok(None),
        }
    }
}

fn written(members: Vec<Expr>, form: Form) -> Expr {
    let function = match form {
        Form::Json => "row_as_json",
        Form::Element => "row_as_json_element",
        Form::Jsonb => "jsonb_build_object",
    };
    call(function, members)
}

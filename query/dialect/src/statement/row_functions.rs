//! Functions that return rows.
//!
//! | written | becomes |
//! |---|---|
//! | in a list: `f (x)` | `unnest` of the array of f's rows |
//! | in FROM: `json_each (x) AS a` | `(SELECT .. AS key, .. AS value) AS a` |
//! | in FROM, with columns of a table beside it | see [`super::beside_tables`] |
//!
//! The engine has no joins with rows that a function makes of each row, and its `unnest` in a list repeats the row.

use super::calls::{call, function_name};
use super::names::folded;
use super::selects::{all_of, query_of};
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query,
    SelectItem, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins, UnaryOperator, Value, Visit,
    Visitor,
};
use std::ops::ControlFlow;

/// The name of what `VALUES` returns.
const VALUES: &str = "*VALUES*";

/// The columns of the rows of a function: the name, the function that returns the array of the values, and the cast that gives them
/// their type.
pub(super) type Columns = &'static [(&'static str, &'static str, Option<&'static str>)];

/// Those of a function, and the cast of its argument.
pub(super) fn columns_of(function: &str) -> Option<(Columns, Option<&'static str>)> {
    const JSON: Option<&str> = Some("to_json_type");
    const JSONB: Option<&str> = Some("to_jsonb_type");
    Some(match function {
        "unnest" => (&[("unnest", "", None)], None),
        "regexp_split_to_table" => (&[("regexp_split_to_table", "regexp_split_to_array", None)], None),
        "regexp_matches" => (&[("regexp_matches", "regexp_match_texts", Some("to_text_array"))], None),
        "string_to_table" => (&[("string_to_table", "string_to_array", None)], None),
        "json_array_elements" => (&[("value", "json_elements", JSON)], JSON),
        "jsonb_array_elements" => (&[("value", "json_elements", JSONB)], JSONB),
        "json_array_elements_text" => (&[("value", "json_element_texts", None)], JSON),
        "jsonb_array_elements_text" => (&[("value", "json_element_texts", None)], JSONB),
        "json_object_keys" => (&[("json_object_keys", "json_keys", None)], JSON),
        "jsonb_object_keys" => (&[("jsonb_object_keys", "json_keys", None)], JSONB),
        "json_each" => (&[("key", "json_keys", None), ("value", "json_values", JSON)], JSON),
        "jsonb_each" => (&[("key", "json_keys", None), ("value", "json_values", JSONB)], JSONB),
        "json_each_text" => (&[("key", "json_keys", None), ("value", "json_value_texts", None)], JSON),
        "jsonb_each_text" => (&[("key", "json_keys", None), ("value", "json_value_texts", None)], JSONB),
        _ => return None,
    })
}

/// The rows of a function in a list, whose arguments are rewritten already: `None` if it is no such function, or has several columns.
pub(super) fn in_list(function: &str, arguments: &[Expr]) -> Option<Expr> {
    let (columns, of_argument) = columns_of(function).filter(|_| function != "unnest")?;
    let [column] = columns else { return None };
    Some(values(column, of_argument, arguments, false))
}

/// `cast (unnest (array (cast (argument))))`.
fn values(
    (_, array, of_value): &(&str, &str, Option<&str>),
    of_argument: Option<&str>,
    arguments: &[Expr],
    keeps_row: bool,
) -> Expr {
    let cast = |name: Option<&str>, value: Expr| match name {
        Some(name) => call(name, vec![value]),
        None => value,
    };
    cast(*of_value, call("unnest", vec![array_of(array, of_argument, arguments, keeps_row)]))
}

fn array_of(array: &str, of_argument: Option<&str>, arguments: &[Expr], keeps_row: bool) -> Expr {
    let mut arguments = arguments.to_vec();
    if let (Some(cast), Some(first)) = (of_argument, arguments.first_mut()) {
        *first = call(cast, vec![first.clone()]);
    }
    let values = match arguments.as_slice() {
        [array_itself] if array.is_empty() => array_itself.clone(),
        _ => call(array, arguments),
    };
    if keeps_row { call("array_or_null", vec![values]) } else { values }
}

/// A function in FROM, or `LATERAL (VALUES ..)`.
pub(super) struct Rows {
    pub(super) function: String,
    pub(super) arguments: Vec<Expr>,
    /// The columns of VALUES, whose rows are one after the other in the arguments.
    width: usize,
    pub(super) is_counted: bool,
    pub(super) alias: Option<TableAlias>,
}

impl Rows {
    pub(super) fn of(factor: &TableFactor) -> Option<Self> {
        if let TableFactor::Derived { lateral: true, subquery, alias, .. } = factor {
            return Self::of_values(subquery, alias.clone());
        }
        let (name, args, is_counted, alias) = match factor {
            TableFactor::Table { name, args: Some(args), with_ordinality, alias, .. } => {
                (name.clone(), args.args.clone(), *with_ordinality, alias)
            }
            TableFactor::Function { name, args, with_ordinality, alias, .. } => {
                (name.clone(), args.clone(), *with_ordinality, alias)
            }
            TableFactor::UNNEST { alias, array_exprs, with_ordinality, with_offset: false, .. } => {
                let argument = |array: &Expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(array.clone()));
                let name = ObjectName::from(vec![Ident::new("unnest")]);
                (name, array_exprs.iter().map(argument).collect(), *with_ordinality, alias)
            }
            _ => return None,
        };
        let function = function_name(&name)?;
        let argument = |argument: &FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression.clone()),
            _ => None,
        };
        let arguments = args.iter().map(argument).collect::<Option<Vec<_>>>()?;
        let is_known = match function.as_str() {
            "unnest" => arguments.len() == 1,
            "generate_series" => matches!(arguments.len(), 2 | 3) && !is_counted,
            function => columns_of(function).is_some(),
        };
        is_known.then(|| Self { function, arguments, width: 0, is_counted, alias: alias.clone() })
    }

    fn of_values(query: &Query, alias: Option<TableAlias>) -> Option<Self> {
        let SetExpr::Values(values) = query.body.as_ref() else { return None };
        if query.with.is_some() || query.order_by.is_some() || query.limit_clause.is_some() || query.fetch.is_some() {
            return None;
        }
        let width = values.rows.first()?.len();
        let arguments: Vec<Expr> = values.rows.iter().flat_map(|row| row.iter().cloned()).collect();
        let is_even = values.rows.iter().all(|row| row.len() == width);
        is_even.then(|| Self { function: VALUES.to_owned(), arguments, width, is_counted: false, alias })
    }

    /// The names of its columns, and their values in a list.
    pub(super) fn columns(&self, keeps_row: bool) -> Result<Vec<(String, Expr)>> {
        let given = |place: usize| self.alias.as_ref()?.columns.get(place).map(|column| folded(&column.name));
        let alias = || self.alias.as_ref().map(|alias| folded(&alias.name));
        if self.function == "generate_series" {
            if keeps_row {
                return Err(SqlError::not_supported("LEFT JOIN with generate_series is not supported").into());
            }
            let name = given(0).or_else(alias).unwrap_or_else(|| self.function.clone());
            return Ok(vec![(name, call("generate_series", self.arguments.clone()))]);
        }
        if self.function == VALUES {
            let column = |place: usize| {
                let values = self.arguments.iter().skip(place).step_by(self.width).cloned().collect();
                let array = Expr::Array(Array { elem: values, named: true });
                (given(place).unwrap_or_else(|| format!("column{}", place + 1)), call("unnest", vec![array]))
            };
            return Ok((0..self.width).map(column).collect());
        }
        let (columns, of_argument) = columns_of(&self.function).unwrap_or_default();
        let name = |place: usize, column: &str| {
            let of_alias = || alias().filter(|_| columns.len() == 1 && column != "value");
            given(place).or_else(of_alias).unwrap_or_else(|| column.to_owned())
        };
        let mut all: Vec<(String, Expr)> = columns
            .iter()
            .enumerate()
            .map(|(place, column)| (name(place, column.0), values(column, of_argument, &self.arguments, keeps_row)))
            .collect();
        if let (true, Some((_, array, _))) = (self.is_counted, columns.first()) {
            let array = array_of(array, of_argument, &self.arguments, false);
            let places = call("array_ordinals", vec![array]);
            let places = if keeps_row { call("array_or_null", vec![places]) } else { places };
            let name = given(columns.len()).unwrap_or_else(|| "ordinality".to_owned());
            all.push((name, call("unnest", vec![places])));
        }
        Ok(all)
    }

    /// The name by which its columns are asked for.
    pub(super) fn name(&self) -> String {
        self.alias.as_ref().map_or_else(|| self.function.clone(), |alias| folded(&alias.name))
    }
}

/// Functions in FROM that stand alone: their rows are those of a subquery.
pub(super) fn alone(factor: &mut TableFactor) -> Result<()> {
    if of_counted_integers(factor)? {
        return Ok(());
    }
    let Some(rows) = Rows::of(factor) else { return Ok(()) };
    // The engine has these, but no series whose limits are those of subqueries.
    let is_of_queries = || rows.arguments.iter().any(has_query);
    match rows.function.as_str() {
        "generate_series" if is_of_queries() => {}
        "unnest" | "generate_series" | VALUES => return Ok(()),
        _ => {}
    }
    let columns = rows.columns(false)?;
    let alias = rows.alias.clone().unwrap_or_else(|| named(&rows.function));
    // The columns have their names already.
    let alias = TableAlias { columns: Vec::new(), ..alias };
    *factor = derived(columns, Vec::new(), Some(alias));
    Ok(())
}

fn has_query(expression: &Expr) -> bool {
    struct Queries;
    impl Visitor for Queries {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    Visit::visit(expression, &mut Queries).is_break()
}

/// `generate_series (1, 3) WITH ORDINALITY`: the places are computed of the numbers. Of other series they are not known here.
fn of_counted_integers(factor: &mut TableFactor) -> Result<bool> {
    let (name, args, alias) = match &*factor {
        TableFactor::Table { name, args: Some(args), with_ordinality: true, alias, .. } => (name, &args.args, alias),
        TableFactor::Function { name, args, with_ordinality: true, alias, .. } => (name, args, alias),
        _ => return Ok(false),
    };
    if function_name(name).is_none_or(|name| name != "generate_series") {
        return Ok(false);
    }
    fn constant_integer(constant: &Expr) -> Option<i32> {
        match constant {
            Expr::Value(value) => match &value.value {
                Value::Number(digits, _) => digits.parse().ok(),
                _ => None,
            },
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => constant_integer(expr)?.checked_neg(),
            _ => None,
        }
    }
    let integer = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(constant)) => constant_integer(constant),
        _ => None,
    };
    let (start, step) = match args.iter().map(integer).collect::<Vec<_>>().as_slice() {
        [Some(start), Some(_)] => (*start, 1),
        [Some(start), Some(_), Some(step)] if *step != 0 => (*start, *step),
        _ => {
            let message = "WITH ORDINALITY of a series of other values than constant integers is not supported";
            return Err(SqlError::not_supported(message).at("ORDINALITY").into());
        }
    };
    let alias = alias.clone().unwrap_or_else(|| named("generate_series"));
    let given = |place: usize| alias.columns.get(place).map(|column| folded(&column.name));
    let value = given(0).unwrap_or_else(|| folded(&alias.name));
    let constant = |value: i64| Expr::value(Value::Number(value.to_string(), false));
    let binary = |left, op, right| Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) };
    let column = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Identifier(quoted(&value))),
        data_type: DataType::BigInt(None),
        array: false,
        format: None,
    };
    let distance = Expr::Nested(Box::new(binary(column, BinaryOperator::Minus, constant(start.into()))));
    let place =
        binary(binary(distance, BinaryOperator::Divide, constant(step.into())), BinaryOperator::Plus, constant(1));
    let counted = given(1).unwrap_or_else(|| "ordinality".to_owned());
    let mut plain = factor.clone();
    let inner = Some(TableAlias { columns: vec![definition(&value)], ..named(&value) });
    match &mut plain {
        TableFactor::Table { with_ordinality, alias, .. } | TableFactor::Function { with_ordinality, alias, .. } => {
            *with_ordinality = false;
            *alias = inner;
        }
        _ => return Ok(false),
    }
    let from = vec![TableWithJoins { relation: plain, joins: Vec::new() }];
    let columns = vec![(value.clone(), Expr::Identifier(quoted(&value))), (counted, place)];
    *factor = derived(columns, from, Some(TableAlias { columns: Vec::new(), ..alias }));
    Ok(true)
}

pub(super) fn named(name: &str) -> TableAlias {
    TableAlias { explicit: true, name: quoted(name), columns: Vec::new(), at: None }
}

pub(super) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

fn definition(name: &str) -> TableAliasColumnDef {
    TableAliasColumnDef { name: quoted(name), data_type: None }
}

/// `(SELECT columns FROM from) AS alias`.
pub(super) fn derived(
    columns: Vec<(String, Expr)>,
    from: Vec<TableWithJoins>,
    alias: Option<TableAlias>,
) -> TableFactor {
    let mut select = all_of(ObjectName::from(Vec::new()));
    select.from = from;
    select.projection =
        columns.into_iter().map(|(name, expr)| SelectItem::ExprWithAlias { expr, alias: quoted(&name) }).collect();
    TableFactor::Derived { lateral: false, subquery: Box::new(query_of(select)), alias, sample: None }
}

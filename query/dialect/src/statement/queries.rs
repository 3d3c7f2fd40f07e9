//! Forms of queries: `TABLE t`, `FETCH FIRST`, positions and limits as plain numbers, rows of functions.

use super::calls::{call, type_series, write_time};
use super::constants::{interval_of_frame, plain};
use super::names::is_wildcard;
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    DataType, Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, LimitClause, NamedWindowExpr, ObjectName,
    ObjectNamePart, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TableAlias, TableAliasColumnDef,
    TableFactor, Value, WindowFrameBound, WindowSpec,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// What is refused in a query, and what has another form.
pub(super) fn before_parts(query: &mut Query) -> Result<()> {
    if let SetExpr::Table(table) = query.body.as_mut() {
        let name: Vec<Ident> = [table.schema_name.as_ref(), table.table_name.as_ref()]
            .into_iter()
            .flatten()
            .map(|name| Ident::new(name.clone()))
            .collect();
        *query.body = SetExpr::Select(Box::new(super::selects::all_of(ObjectName::from(name))));
    }
    if let Some(fetch) = query.fetch.take() {
        if fetch.with_ties || fetch.percent {
            return Err(SqlError::not_supported("FETCH ... WITH TIES is not supported").at("FETCH").into());
        }
        let limit = fetch.quantity.unwrap_or_else(|| Expr::value(Value::Number("1".to_owned(), false)));
        query.limit_clause = Some(match query.limit_clause.take() {
            None => LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by: Vec::new() },
            Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) => {
                LimitClause::LimitOffset { limit: Some(limit), offset, limit_by }
            }
            Some(_) => return Err(SqlError::new("42601", "multiple LIMIT clauses not allowed").at("FETCH").into()),
        });
    }
    if let Some(lock) = query.locks.first() {
        return Err(SqlError::not_supported(format!("{lock}: rows of the archive are not locked")).at("FOR").into());
    }
    Ok(())
}

/// Gives back plain numbers where the engine wants them.
pub(super) fn after_parts(query: &mut Query) -> Result<()> {
    if let Some(order_by) = &mut query.order_by {
        match &mut order_by.kind {
            OrderByKind::Expressions(expressions) => expressions.iter_mut().for_each(|order| plain(&mut order.expr)),
            OrderByKind::All(_) => {
                return Err(SqlError::new("42601", "syntax error at or near \"ALL\"").at("ALL").into());
            }
        }
    }
    if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
        if let Some(limit) = limit {
            plain(limit);
            count(limit)?;
            refuse_negative(limit, "2201W", "LIMIT")?;
        }
        if let Some(offset) = offset {
            plain(&mut offset.value);
            count(&mut offset.value)?;
            refuse_negative(&offset.value, "2201X", "OFFSET")?;
        }
    }
    Ok(())
}

/// A constant of LIMIT or OFFSET as a bigint: a text is read as one, a numeric is rounded.
fn count(constant: &mut Expr) -> Result<()> {
    let is_numeric = |data_type: &DataType| matches!(data_type, DataType::Numeric(_));
    let rows = match constant {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text.trim().parse::<i64>().map_err(|_| {
                SqlError::new("22P02", format!("invalid input syntax for type bigint: \"{text}\"")).at(text.clone())
            })?,
            Value::Number(digits, _) if digits.contains('.') => rounded(digits).ok_or_else(out_of_range)?,
            _ => return Ok(()),
        },
        Expr::Cast { expr, data_type, .. } if is_numeric(data_type) => match expr.as_ref() {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(digits) => digits.parse::<i64>().map_err(|_| out_of_range())?,
                _ => return Ok(()),
            },
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    *constant = Expr::value(Value::Number(rows.to_string(), false));
    Ok(())
}

fn out_of_range() -> SqlError {
    SqlError::new("22003", "bigint out of range")
}

/// The nearest whole number, and of two the one that is farther from zero.
fn rounded(digits: &str) -> Option<i64> {
    let (whole, fraction) = digits.split_once('.')?;
    let value: i64 = whole.parse().ok()?;
    if !fraction.starts_with(['5', '6', '7', '8', '9']) {
        return Some(value);
    }
    if whole.starts_with('-') { value.checked_sub(1) } else { value.checked_add(1) }
}

fn refuse_negative(number: &Expr, state: &'static str, clause: &str) -> Result<()> {
    match number {
        Expr::Value(value) if matches!(&value.value, Value::Number(digits, _) if digits.starts_with('-') && digits != "-0") => {
            Err(SqlError::new(state, format!("{clause} must not be negative")).at(clause).into())
        }
        _ => Ok(()),
    }
}

/// Positions in GROUP BY and DISTINCT ON, and frames of named windows.
pub(super) fn after_select(select: &mut Select) -> Result<()> {
    match &mut select.group_by {
        GroupByExpr::Expressions(expressions, _) => {
            for expression in expressions {
                plain_or_sets(expression, &select.projection)?;
            }
        }
        GroupByExpr::All(_) => return Err(SqlError::new("42601", "syntax error at or near \"ALL\"").at("ALL").into()),
    }
    if let Some(datafusion::sql::sqlparser::ast::Distinct::On(expressions)) = &mut select.distinct {
        for expression in expressions {
            at_position(expression, &select.projection, "DISTINCT ON")?;
        }
    }
    for window in &mut select.named_window {
        if let NamedWindowExpr::WindowSpec(window) = &mut window.1 {
            plain_frame(window)?;
        }
    }
    Ok(())
}

fn plain_or_sets(expression: &mut Expr, items: &[SelectItem]) -> Result<()> {
    match expression {
        Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
            sets.iter_mut().flatten().try_for_each(|element| in_set(element, items))?;
            if let Some(sets) = written_out(expression) {
                *expression = Expr::GroupingSets(sets);
            }
            Ok(())
        }
        other => {
            plain(other);
            match other {
                Expr::Value(constant)
                    if matches!(constant.value, Value::SingleQuotedString(_) | Value::Null | Value::Boolean(_)) =>
                {
                    Err(SqlError::new("42601", "non-integer constant in GROUP BY").at(constant.to_string()).into())
                }
                _ => Ok(()),
            }
        }
    }
}

/// The sets of ROLLUP or CUBE in which an expression stands twice, which the engine would not take.
fn written_out(expression: &Expr) -> Option<Vec<Vec<Expr>>> {
    let (Expr::Cube(elements) | Expr::Rollup(elements)) = expression else { return None };
    let all: Vec<&Expr> = elements.iter().flatten().collect();
    let is_twice = all.iter().enumerate().any(|(place, element)| all.iter().take(place).any(|other| other == element));
    if !is_twice || elements.len() > MOST_WRITTEN_OUT {
        return None;
    }
    let of = |is_in: &dyn Fn(usize) -> bool| {
        let mut set: Vec<Expr> = Vec::new();
        for (_, element) in elements.iter().enumerate().filter(|(place, _)| is_in(*place)) {
            for expression in element {
                if !set.contains(expression) {
                    set.push(expression.clone());
                }
            }
        }
        set
    };
    Some(match expression {
        Expr::Rollup(_) => (0..=elements.len()).rev().map(|length| of(&|place| place < length)).collect(),
        _ => (0..1_usize << elements.len()).rev().map(|sets| of(&|place| sets >> place & 1 == 1)).collect(),
    })
}

/// Elements of CUBE whose sets are written out at most.
const MOST_WRITTEN_OUT: usize = 8;

/// An element of a set of groups: the engine takes positions for constants, and a constant for one of the select list.
fn in_set(element: &mut Expr, items: &[SelectItem]) -> Result<()> {
    at_position(element, items, "GROUP BY")?;
    if is_constant(element) {
        return Err(SqlError::not_supported("sets of groups by a constant are not supported").into());
    }
    Ok(())
}

/// What stands in the select list at a position, instead of the position.
fn at_position(element: &mut Expr, items: &[SelectItem], clause: &str) -> Result<()> {
    plain(element);
    if let Expr::Value(value) = &*element
        && let Value::Number(digits, _) = &value.value
        && let Ok(position) = digits.parse::<usize>()
    {
        if items.iter().take(position).any(is_wildcard) {
            return Err(SqlError::not_supported(format!("positions behind * in {clause} are not supported")).into());
        }
        *element = match position.checked_sub(1).and_then(|place| items.get(place)) {
            Some(SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }) => item.clone(),
            _ => {
                let message = format!("{clause} position {position} is not in select list");
                return Err(SqlError::new("42P10", message).at(digits.as_str()).into());
            }
        };
    }
    Ok(())
}

fn is_constant(expression: &Expr) -> bool {
    match expression {
        Expr::Value(value) => !matches!(value.value, Value::Placeholder(_)),
        Expr::TypedString(_) => true,
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } | Expr::Cast { expr: inner, .. } => is_constant(inner),
        _ => false,
    }
}

/// The numbers and intervals of a frame.
pub(super) fn plain_frame(window: &mut WindowSpec) -> Result<()> {
    let Some(frame) = &mut window.window_frame else { return Ok(()) };
    for bound in [Some(&mut frame.start_bound), frame.end_bound.as_mut()].into_iter().flatten() {
        if let WindowFrameBound::Preceding(Some(rows)) | WindowFrameBound::Following(Some(rows)) = bound {
            plain(rows);
            interval_of_frame(rows)?;
        }
    }
    Ok(())
}

/// `unnest (array) WITH ORDINALITY`: the places of the elements are a second array beside the first.
fn with_places(factor: &mut TableFactor) {
    let TableFactor::UNNEST { alias, array_exprs, with_ordinality: with_ordinality @ true, .. } = factor else {
        return;
    };
    let [array] = array_exprs.as_slice() else { return };
    let places = call("array_ordinals", vec![array.clone()]);
    array_exprs.push(places);
    *with_ordinality = false;
    let column = |name: Ident| TableAliasColumnDef { name, data_type: None };
    let of_rows = Ident::new("unnest");
    let alias = alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: of_rows.clone(),
        columns: Vec::new(),
        at: None,
    });
    if alias.columns.is_empty() {
        alias.columns.push(column(alias.name.clone()));
    }
    if alias.columns.len() == 1 {
        alias.columns.push(column(Ident::new("ordinality")));
    }
}

/// Functions in FROM: their numbers are plain, and the one column of a function has the name of its alias.
pub(super) fn after_factor(factor: &mut TableFactor) -> Result<()> {
    with_places(factor);
    let (name, args, alias) = match factor {
        TableFactor::Table { name, args: Some(args), alias, .. } => {
            (name.clone(), args.args.iter_mut().collect::<Vec<_>>(), alias)
        }
        TableFactor::Function { name, args, alias, .. } => (name.clone(), args.iter_mut().collect(), alias),
        TableFactor::UNNEST { alias: Some(alias), array_exprs, with_ordinality: false, .. }
            if alias.columns.is_empty() && array_exprs.len() == 1 =>
        {
            alias.columns.push(TableAliasColumnDef { name: alias.name.clone(), data_type: None });
            return Ok(());
        }
        TableFactor::UNNEST { alias: alias @ None, array_exprs, with_ordinality: false, .. }
            if array_exprs.len() == 1 =>
        {
            name_column(&Ident::new("unnest"), alias);
            return Ok(());
        }
        _ => return Ok(()),
    };
    let mut arguments: Vec<&mut Expr> = args
        .into_iter()
        .filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
            _ => None,
        })
        .collect();
    arguments.iter_mut().for_each(|argument| plain(argument));
    let Some(ObjectNamePart::Identifier(function)) = name.0.last() else { return Ok(()) };
    if function.value.eq_ignore_ascii_case("generate_series")
        && let [start, end, step] = arguments.as_mut_slice()
    {
        type_series([&mut **start, &mut **end, &mut **step]);
        write_time(start)?;
        write_time(end)?;
    }
    name_column(function, alias);
    if function.value.eq_ignore_ascii_case("generate_series") { told_apart(factor) } else { Ok(()) }
}

/// A series as a subquery with a name of its own: to the engine two series are the same, and it would compute subqueries over both once.
/// A series of integers is one of integers: the engine's are bigint.
fn told_apart(factor: &mut TableFactor) -> Result<()> {
    let TableFactor::Table { name, args: Some(args), alias, with_ordinality: false, .. } = &mut *factor else {
        return Ok(());
    };
    let constant = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => Some(value.value.clone()),
        _ => None,
    };
    let is_integer = |value: &Value| matches!(value, Value::Number(digits, _) if digits.parse::<i32>().is_ok());
    if super::calls::function_name(name).is_none_or(|name| name != "generate_series") {
        return Ok(());
    }
    // A NULL beside integers is one.
    let constants: Option<Vec<Value>> = args.args.iter().map(constant).collect();
    let are_integers = constants.is_some_and(|all| {
        all.iter().any(is_integer) && all.iter().all(|value| is_integer(value) || *value == Value::Null)
    });
    let own = args.args.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ").replace('"', "\"\"");
    let alias = alias.take();
    let value = if are_integers { "CAST(value AS INTEGER)" } else { "value" };
    let text = format!("SELECT {value} AS generate_series FROM {factor} AS \"{own}\"");
    let parsed =
        Parser::parse_sql(&PostgreSqlDialect {}, &text).map_err(|error| SqlError::new("XX000", error.to_string()))?;
    if let Some(Statement::Query(subquery)) = parsed.into_iter().next() {
        *factor = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
    }
    Ok(())
}

/// `FROM generate_series(..) AS d` has the column `d`, and without an alias it has the function's name.
fn name_column(function: &Ident, alias: &mut Option<TableAlias>) {
    let Some(name) = ["generate_series", "unnest"].into_iter().find(|name| function.value.eq_ignore_ascii_case(name))
    else {
        return;
    };
    let column = |name: Ident| TableAliasColumnDef { name, data_type: None };
    match alias {
        Some(alias) if alias.columns.is_empty() => alias.columns.push(column(alias.name.clone())),
        Some(_) => {}
        None => {
            let name = Ident::new(name);
            *alias = Some(TableAlias { explicit: true, name: name.clone(), columns: vec![column(name)], at: None });
        }
    }
}

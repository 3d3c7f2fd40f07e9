//! `ARRAY (query)`: the values of the one column of a query in the query's order, and an empty array if it has no rows.
//!
//! | the query | becomes `array_or_empty` of |
//! |---|---|
//! | `SELECT x FROM t WHERE c ORDER BY y`, without functions and more | `(SELECT array_agg(x ORDER BY y) FROM t WHERE c)` |
//! | others in no order | `(SELECT array_agg(value) FROM (query))` |
//! | in the order of the value | `(SELECT array_agg(value ORDER BY value) FROM (query))` |
//! | in another order | `(SELECT array_agg(value ORDER BY place) FROM (query))`, where the query counts its rows in its order |

use super::calls::{call, function_name};
use super::selects::{column_of, over};
use super::subqueries::has_each_row;
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, Ident, OrderByExpr, OrderByKind, OrderByOptions, Query,
    Select, SelectItem, SetExpr, Value, Visit, Visitor, WindowSpec, WindowType,
};
use std::ops::ControlFlow;

const VALUE: &str = "value";
const PLACE: &str = "place";

/// The query of `function`, if that is `ARRAY (query)`.
pub(super) fn query_of(name: &str, function: &Function) -> Option<Query> {
    match &function.args {
        FunctionArguments::Subquery(query) if name == "array" => Some(query.as_ref().clone()),
        _ => None,
    }
}

/// The array of the values of `query`, whose parts are rewritten already.
pub(super) fn array_of(mut query: Query) -> Result<Expr> {
    let keys = match &query.order_by {
        Some(order) => match &order.kind {
            OrderByKind::Expressions(keys) => keys.clone(),
            OrderByKind::All(_) => Vec::new(),
        },
        None => Vec::new(),
    };
    let mut columns = vec![VALUE.to_owned()];
    let mut order = Vec::new();
    if let SetExpr::Select(select) = query.body.as_mut() {
        let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
            select.projection.as_slice()
        else {
            return Err(match select.projection.len() {
                1 => SqlError::not_supported("ARRAY (SELECT *) is not supported: name the column"),
                _ => SqlError::new("42601", "subquery must return only one column"),
            }
            .at("ARRAY")
            .into());
        };
        let item = item.clone();
        let is_value = |key: &OrderByExpr| is_first_column(&key.expr, select);
        let is_plain = query.limit_clause.is_none() && query.with.is_none() && has_each_row(select);
        if is_plain && !calls(&item) && !keys.iter().any(|key| calls(&key.expr)) {
            let of_item =
                |key: OrderByExpr| if is_value(&key) { OrderByExpr { expr: item.clone(), ..key } } else { key };
            let order = keys.into_iter().map(of_item).collect();
            select.projection = vec![aggregate(item.clone(), order)];
            query.order_by = None;
            return Ok(call("array_or_empty", vec![Expr::Subquery(Box::new(query))]));
        }
        if keys.iter().all(is_value) {
            order = keys.into_iter().map(|key| OrderByExpr { expr: column_of(VALUE), ..key }).collect();
        } else if select.distinct.is_some() || returns_rows(&item) {
            return Err(SqlError::not_supported("this ORDER BY is not supported in ARRAY (SELECT ...)")
                .at("ARRAY")
                .into());
        } else {
            let in_order = keys.into_iter().map(|key| {
                if is_first_column(&key.expr, select) { OrderByExpr { expr: item.clone(), ..key } } else { key }
            });
            let place = numbered(in_order.collect());
            select.projection.push(SelectItem::ExprWithAlias { expr: place, alias: Ident::new(PLACE) });
            columns.push(PLACE.to_owned());
            order.push(OrderByExpr { expr: column_of(PLACE), options: OrderByOptions::default(), with_fill: None });
        }
    } else {
        // The keys of other queries are their columns.
        order = keys.into_iter().map(|key| OrderByExpr { expr: column_of(VALUE), ..key }).collect();
    }
    if query.limit_clause.is_none() {
        query.order_by = None;
    }
    let all = over(query, aggregate(column_of(VALUE), order), &columns);
    Ok(call("array_or_empty", vec![Expr::Subquery(Box::new(all))]))
}

/// `array_agg (value ORDER BY order)` as the one column of a query.
fn aggregate(value: Expr, order: Vec<OrderByExpr>) -> SelectItem {
    let mut expr = call("array_agg", vec![value]);
    if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = &mut expr
        && !order.is_empty()
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    SelectItem::ExprWithAlias { expr, alias: Ident::new("array_agg") }
}

/// Whether a key of ORDER BY is the first column of the list: by its place, its name, or as it is written.
fn is_first_column(key: &Expr, select: &Select) -> bool {
    let Some(SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }) = select.projection.first()
    else {
        return false;
    };
    let is_named = match (key, select.projection.first()) {
        (Expr::Identifier(name), Some(SelectItem::ExprWithAlias { alias, .. })) => name.value == alias.value,
        _ => false,
    };
    is_named || key == item || matches!(key, Expr::Value(place) if place.value == Value::Number("1".to_owned(), false))
}

/// Whether a function stands in `expression`, which may be an aggregate or return rows.
fn calls(expression: &Expr) -> bool {
    has_function(expression, |_| true)
}

/// Whether an item is several rows.
fn returns_rows(item: &Expr) -> bool {
    has_function(item, |name| name == "unnest")
}

fn has_function(expression: &Expr, is_one: fn(&str) -> bool) -> bool {
    struct Functions(fn(&str) -> bool);
    impl Visitor for Functions {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            match expression {
                Expr::Function(function) if function_name(&function.name).is_none_or(|name| (self.0)(&name)) => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expression.visit(&mut Functions(is_one)).is_break()
}

/// `row_number() OVER (ORDER BY keys)`.
fn numbered(keys: Vec<OrderByExpr>) -> Expr {
    let mut number = call("row_number", Vec::new());
    if let Expr::Function(function) = &mut number {
        function.over = Some(WindowType::WindowSpec(WindowSpec {
            window_name: None,
            partition_by: Vec::new(),
            order_by: keys,
            window_frame: None,
        }));
    }
    number
}

//! Calls that differ only in casts: `sum(x), sum(x::float8)`. To the engine a cast has the name of what is cast, and two aggregates
//! with one name are an error to it. So in the later ones what is cast stands in `coalesce`, which changes no value and no type.

use super::calls::call;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, OrderByKind, Query, Select,
    SelectItem, SetExpr, Value, VisitMut, VisitorMut,
};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Tells the calls of a query apart. Its parts are rewritten already.
pub(super) fn apart(query: &mut Query) {
    let mut calls = Calls { known: HashMap::new(), depth: 0, is_new: false };
    each(query, &mut calls);
    if calls.known.values().any(|written| written.len() > 1) {
        calls.is_new = true;
        each(query, &mut calls);
    }
}

fn each(query: &mut Query, calls: &mut Calls) {
    if let SetExpr::Select(select) = query.body.as_mut() {
        of_select(select, calls);
    }
    if let Some(order) = &mut query.order_by
        && let OrderByKind::Expressions(keys) = &mut order.kind
    {
        keys.iter_mut().for_each(|key| visit(&mut key.expr, calls));
    }
}

fn of_select(select: &mut Select, calls: &mut Calls) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } = item {
            visit(expression, calls);
        }
    }
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        keys.iter_mut().for_each(|key| visit(key, calls));
    }
    if let Some(condition) = &mut select.having {
        visit(condition, calls);
    }
}

fn visit(expression: &mut Expr, calls: &mut Calls) {
    let _: ControlFlow<()> = VisitMut::visit(expression, calls);
}

/// The calls by their text without casts, each with the texts that it has with casts.
struct Calls {
    known: HashMap<String, Vec<String>>,
    depth: usize,
    is_new: bool,
}

impl VisitorMut for Calls {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(function) = expression else { return ControlFlow::Continue(()) };
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        let mut plain = function.clone();
        let _: ControlFlow<()> = VisitMut::visit(&mut plain, &mut WithoutCasts);
        let (plain, written) = (plain.to_string(), function.to_string());
        if self.is_new {
            let place = self.known.get(&plain).and_then(|all| all.iter().position(|known| *known == written));
            wrap(function, place.unwrap_or_default());
        } else {
            let all = self.known.entry(plain).or_default();
            if !all.contains(&written) {
                all.push(written);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Wraps the first argument of a call so many times.
fn wrap(function: &mut Function, times: usize) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))) = list.args.first_mut() {
        for _ in 0..times {
            let inner = std::mem::replace(argument, Expr::value(Value::Null));
            *argument = call("coalesce", vec![inner]);
        }
    }
}

struct WithoutCasts;

impl VisitorMut for WithoutCasts {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr, .. } = expression {
            let inner = std::mem::replace(expr.as_mut(), Expr::value(Value::Null));
            *expression = inner;
        }
        ControlFlow::Continue(())
    }
}

//! Subqueries with ORDER BY whose rows an aggregate collects in that order (see [`crate::aggregate::SortedRows`]). The engine's planner
//! forgets the order of a subquery without a limit, so it gets one that no rows reach.

use super::calls::function_name;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, LimitClause, Query, Select, SelectItem, SetExpr,
    TableFactor, Value, Visit, Visitor,
};
use std::ops::ControlFlow;

/// Keeps the order of the subqueries of a query that collects values.
pub(super) fn kept(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    if !collects(select) {
        return;
    }
    keep_beneath(select);
    for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
        keep(&mut table.query);
    }
}

fn keep_beneath(select: &mut Select) {
    for table in &mut select.from {
        if let (TableFactor::Derived { lateral: false, subquery, .. }, true) =
            (&mut table.relation, table.joins.is_empty())
        {
            keep(subquery);
        }
    }
}

fn keep(query: &mut Query) {
    if query.order_by.is_some() {
        if query.limit_clause.is_none() && query.fetch.is_none() {
            let limit = Some(Expr::value(Value::Number(i64::MAX.to_string(), false)));
            query.limit_clause = Some(LimitClause::LimitOffset { limit, offset: None, limit_by: Vec::new() });
        }
    } else if let SetExpr::Select(select) = query.body.as_mut() {
        keep_beneath(select);
    }
}

/// Whether a list has an aggregate to which the order of rows matters, and which does not say one.
fn collects(select: &Select) -> bool {
    let is_found = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
            Visit::visit(expression, &mut Collecting).is_break()
        }
        _ => false,
    };
    select.projection.iter().any(is_found)
}

struct Collecting;

impl Visitor for Collecting {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        let Expr::Function(Function { name, args: FunctionArguments::List(list), over: None, .. }) = expression else {
            return ControlFlow::Continue(());
        };
        let names = ["array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg"];
        let is_sorted = list.clauses.iter().any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)));
        match function_name(name) {
            Some(name) if names.contains(&name.as_str()) && !is_sorted => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

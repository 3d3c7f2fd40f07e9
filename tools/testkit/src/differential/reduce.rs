//! Smaller statements made from one: what a difference is reduced by.
//!
//! ```text
//! statement ─▶ candidates, the smallest first ─▶ does it still differ in the same way? ─▶ go on with it
//! ```
//!
//! A candidate has one query, one SELECT or one expression replaced by a part of it, or by less.

use super::statement::{Parameter, Statement};
use super::syntax::parse;
use sqlparser::ast::{
    Array, DataType, Distinct, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr,
    OrderByKind, Query, Select, SelectItem, SetExpr, Statement as Tree, TableFactor, Value, Visit, VisitMut, Visitor,
    VisitorMut,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Statements that are smaller than this one. None if its text cannot be parsed.
#[must_use]
pub(super) fn candidates(statement: &Statement) -> Vec<Statement> {
    let Some(tree) = parse(&statement.sql) else { return Vec::new() };
    let mut trees = queries_alone(&tree);
    trees.extend(with_smaller_queries(&tree));
    trees.extend(with_smaller_selects(&tree));
    trees.extend(with_smaller_expressions(&tree, &statement.parameters));
    let mut seen = HashSet::new();
    let sized = |tree: Tree| {
        let smaller = renumbered(tree, statement);
        (smaller.sql.len() < statement.sql.len() && seen.insert(smaller.sql.clone())).then_some(smaller)
    };
    trees.into_iter().filter_map(sized).collect()
}

/// The statement for one row of a generated table each, if it reads one table without a condition.
#[must_use]
pub(super) fn single_rows(statement: &Statement, rows: u32) -> Vec<Statement> {
    let Some(Tree::Query(query)) = parse(&statement.sql) else { return Vec::new() };
    let SetExpr::Select(select) = query.body.as_ref() else { return Vec::new() };
    let [from] = select.from.as_slice() else { return Vec::new() };
    let TableFactor::Table { name, alias, args: None, .. } = &from.relation else { return Vec::new() };
    if !from.joins.is_empty() || select.selection.is_some() || !name.to_string().starts_with("d.") {
        return Vec::new();
    }
    let column = alias.as_ref().map_or("id".to_owned(), |alias| format!("{}.id", alias.name));
    let with_row = |row: u32| {
        let condition = parse(&format!("SELECT 1 WHERE {column} = {row}"))?;
        let Tree::Query(condition) = condition else { return None };
        let SetExpr::Select(condition) = *condition.body else { return None };
        let mut query = query.clone();
        if let SetExpr::Select(select) = query.body.as_mut() {
            select.selection = condition.selection;
        }
        Some(renumbered(Tree::Query(query), statement))
    };
    (1..=rows).filter_map(with_row).collect()
}

/// The tree as a statement with only the parameters that it names, in the order in which it names them.
fn renumbered(mut tree: Tree, from: &Statement) -> Statement {
    #[derive(Default)]
    struct Renumber {
        old: Vec<String>,
    }
    impl VisitorMut for Renumber {
        type Break = ();
        fn pre_visit_value(&mut self, value: &mut sqlparser::ast::ValueWithSpan) -> ControlFlow<()> {
            if let Value::Placeholder(name) = &mut value.value {
                let place = self.old.iter().position(|old| old == name).unwrap_or_else(|| {
                    self.old.push(name.clone());
                    self.old.len() - 1
                });
                *name = format!("${}", place + 1);
            }
            ControlFlow::Continue(())
        }
    }
    let mut renumber = Renumber::default();
    let _ = VisitMut::visit(&mut tree, &mut renumber);
    let parameter = |name: &String| {
        let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok())?;
        from.parameters.get(number.checked_sub(1)?).cloned()
    };
    let parameters = renumber.old.iter().filter_map(parameter).collect();
    Statement { sql: tree.to_string(), parameters, origin: from.origin.clone() }
}

/// Each query inside the statement, alone.
fn queries_alone(tree: &Tree) -> Vec<Tree> {
    struct Queries(Vec<Tree>);
    impl Visitor for Queries {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            self.0.push(Tree::Query(Box::new(query.clone())));
            ControlFlow::Continue(())
        }
    }
    let mut queries = Queries(Vec::new());
    let _ = tree.visit(&mut queries);
    queries.0.split_off(1.min(queries.0.len()))
}

/// Copies of `tree`, with a node replaced in each. `nodes` are those of one sort, in the order of a visit.
macro_rules! replaced {
    ($tree:expr, $node:ty, $visit:ident, $smaller:expr) => {{
        struct Collect(Vec<$node>);
        impl Visitor for Collect {
            type Break = ();
            fn $visit(&mut self, node: &$node) -> ControlFlow<()> {
                self.0.push(node.clone());
                ControlFlow::Continue(())
            }
        }
        struct Replace {
            at: usize,
            by: Option<$node>,
        }
        impl VisitorMut for Replace {
            type Break = ();
            fn $visit(&mut self, node: &mut $node) -> ControlFlow<()> {
                if self.at == 0 {
                    if let Some(by) = self.by.take() {
                        *node = by;
                    }
                    return ControlFlow::Break(());
                }
                self.at -= 1;
                ControlFlow::Continue(())
            }
        }
        let tree: &Tree = $tree;
        let mut collect = Collect(Vec::new());
        let _ = tree.visit(&mut collect);
        let mut trees = Vec::new();
        for (at, node) in collect.0.iter().enumerate() {
            for by in $smaller(node) {
                let mut copy = tree.clone();
                let _ = VisitMut::visit(&mut copy, &mut Replace { at, by: Some(by) });
                trees.push(copy);
            }
        }
        trees
    }};
}

fn with_smaller_queries(tree: &Tree) -> Vec<Tree> {
    replaced!(tree, Query, pre_visit_query, smaller_queries)
}

fn with_smaller_selects(tree: &Tree) -> Vec<Tree> {
    replaced!(tree, Select, pre_visit_select, smaller_selects)
}

fn with_smaller_expressions(tree: &Tree, parameters: &[Parameter]) -> Vec<Tree> {
    replaced!(tree, Expr, pre_visit_expr, |node: &Expr| smaller_expressions(node, parameters))
}

/// `node` changed by `change`.
fn changed<T: Clone>(node: &T, change: impl FnOnce(&mut T)) -> T {
    let mut copy = node.clone();
    change(&mut copy);
    copy
}

fn smaller_queries(query: &Query) -> Vec<Query> {
    let mut smaller = Vec::new();
    match query.body.as_ref() {
        SetExpr::SetOperation { left, right, .. } => {
            for side in [left, right] {
                smaller.push(changed(query, |query| query.body = side.clone()));
            }
        }
        SetExpr::Query(inner) => smaller.push(inner.as_ref().clone()),
        SetExpr::Values(values) if values.rows.len() > 1 => {
            for row in 0..values.rows.len() {
                smaller.push(changed(query, |query| {
                    if let SetExpr::Values(values) = query.body.as_mut() {
                        values.rows.remove(row);
                    }
                }));
            }
        }
        _ => {}
    }
    if let Some(with) = &query.with {
        smaller.push(changed(query, |query| query.with = None));
        for table in 0..with.cte_tables.len() {
            smaller.push(changed(query, |query| {
                if let Some(with) = &mut query.with {
                    with.cte_tables.remove(table);
                }
            }));
        }
    }
    if let Some(order) = &query.order_by {
        smaller.push(changed(query, |query| query.order_by = None));
        if let OrderByKind::Expressions(keys) = &order.kind {
            for key in 0..if keys.len() > 1 { keys.len() } else { 0 } {
                smaller.push(changed(query, |query| with_keys(query, |keys| drop(keys.remove(key)))));
            }
            for key in 0..keys.len() {
                smaller.push(changed(query, |query| {
                    with_keys(query, |keys| {
                        keys[key].options.asc = None;
                        keys[key].options.nulls_first = None;
                    });
                }));
            }
        }
    }
    if query.limit_clause.is_some() {
        smaller.push(changed(query, |query| query.limit_clause = None));
    }
    if query.fetch.is_some() {
        smaller.push(changed(query, |query| query.fetch = None));
    }
    smaller
}

fn with_keys(query: &mut Query, change: impl FnOnce(&mut Vec<sqlparser::ast::OrderByExpr>)) {
    if let Some(order) = &mut query.order_by
        && let OrderByKind::Expressions(keys) = &mut order.kind
    {
        change(keys);
    }
}

fn smaller_selects(select: &Select) -> Vec<Select> {
    let mut smaller = Vec::new();
    let no_keys = || GroupByExpr::Expressions(Vec::new(), Vec::new());
    smaller.push(changed(select, |select| {
        select.from.clear();
        select.selection = None;
    }));
    if select.projection.len() > 1 {
        for item in 0..select.projection.len() {
            smaller.push(changed(select, |select| select.projection = vec![select.projection[item].clone()]));
        }
        for item in 0..select.projection.len() {
            smaller.push(changed(select, |select| drop(select.projection.remove(item))));
        }
    }
    for (place, item) in select.projection.iter().enumerate() {
        if let SelectItem::ExprWithAlias { expr, .. } = item {
            smaller.push(changed(select, |select| select.projection[place] = SelectItem::UnnamedExpr(expr.clone())));
        }
    }
    if select.selection.is_some() {
        smaller.push(changed(select, |select| select.selection = None));
    }
    if select.having.is_some() {
        smaller.push(changed(select, |select| select.having = None));
    }
    if let GroupByExpr::Expressions(keys, _) = &select.group_by {
        if !keys.is_empty() {
            smaller.push(changed(select, |select| select.group_by = no_keys()));
        }
        for key in 0..if keys.len() > 1 { keys.len() } else { 0 } {
            smaller.push(changed(select, |select| {
                if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
                    keys.remove(key);
                }
            }));
        }
    }
    match &select.distinct {
        Some(Distinct::On(keys)) if keys.len() > 1 => {
            smaller.push(changed(select, |select| select.distinct = Some(Distinct::Distinct)));
        }
        Some(_) => smaller.push(changed(select, |select| select.distinct = None)),
        None => {}
    }
    for (place, from) in select.from.iter().enumerate() {
        if select.from.len() > 1 {
            smaller.push(changed(select, |select| drop(select.from.remove(place))));
        }
        for join in 0..from.joins.len() {
            smaller.push(changed(select, |select| drop(select.from[place].joins.remove(join))));
            smaller.push(changed(select, |select| {
                let join = select.from[place].joins.remove(join);
                select.from[place].relation = join.relation;
            }));
        }
    }
    smaller
}

/// The expressions directly inside one.
fn children(expression: &Expr) -> Vec<Expr> {
    #[derive(Default)]
    struct Children {
        depth: usize,
        found: Vec<Expr>,
    }
    impl Visitor for Children {
        type Break = ();
        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            if self.depth == 1 {
                self.found.push(expression.clone());
            }
            self.depth += 1;
            ControlFlow::Continue(())
        }
        fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }
    }
    let mut children = Children::default();
    let _ = expression.visit(&mut children);
    children.found
}

fn constant(value: Value) -> Expr {
    Expr::value(value)
}

fn smaller_expressions(expression: &Expr, parameters: &[Parameter]) -> Vec<Expr> {
    let mut smaller = vec![constant(Value::Null)];
    match expression {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {}
        Expr::Value(value) => {
            if let Value::Placeholder(name) = &value.value {
                smaller.extend(value_of(name, parameters));
            }
            if let Value::SingleQuotedString(text) = &value.value
                && text.len() > 8
                && let Some((half, _)) = text.char_indices().nth(text.chars().count() / 2)
            {
                smaller.push(constant(Value::SingleQuotedString(text[..half].to_owned())));
            }
            return smaller;
        }
        Expr::Function(function) => smaller.extend(smaller_calls(function).into_iter().map(Expr::Function)),
        Expr::Case { operand, conditions, else_result, .. } => {
            for place in 0..if conditions.len() > 1 { conditions.len() } else { 0 } {
                smaller.push(changed(expression, |expression| {
                    if let Expr::Case { conditions, .. } = expression {
                        conditions.remove(place);
                    }
                }));
            }
            if else_result.is_some() {
                smaller.push(changed(expression, |expression| {
                    if let Expr::Case { else_result, .. } = expression {
                        *else_result = None;
                    }
                }));
            }
            smaller.extend(operand.iter().map(|operand| operand.as_ref().clone()));
        }
        Expr::InList { list, .. } if list.len() > 1 => {
            for place in 0..list.len() {
                smaller.push(changed(expression, |expression| {
                    if let Expr::InList { list, .. } = expression {
                        list.remove(place);
                    }
                }));
            }
        }
        Expr::Array(Array { elem, .. }) if elem.len() > 1 => {
            for place in 0..elem.len() {
                smaller.push(changed(expression, |expression| {
                    if let Expr::Array(Array { elem, .. }) = expression {
                        elem.remove(place);
                    }
                }));
            }
        }
        _ => {}
    }
    smaller.extend(children(expression));
    let simple = [Value::Number("1".into(), false), Value::SingleQuotedString("a".to_owned()), Value::Boolean(true)];
    smaller.extend(simple.map(constant));
    smaller
}

/// The value of a parameter as a literal.
fn value_of(name: &str, parameters: &[Parameter]) -> Option<Expr> {
    let number: usize = name.strip_prefix('$')?.parse().ok()?;
    let parameter = parameters.get(number.checked_sub(1)?)?;
    Some(
        parameter
            .value
            .as_ref()
            .map_or(constant(Value::Null), |text| constant(Value::SingleQuotedString(text.clone()))),
    )
}

fn smaller_calls(function: &Function) -> Vec<Function> {
    let mut smaller = Vec::new();
    if function.filter.is_some() {
        smaller.push(changed(function, |function| function.filter = None));
    }
    if let Some(sqlparser::ast::WindowType::WindowSpec(window)) = &function.over {
        let with = |change: &dyn Fn(&mut sqlparser::ast::WindowSpec)| {
            changed(function, |function| {
                if let Some(sqlparser::ast::WindowType::WindowSpec(window)) = &mut function.over {
                    change(window);
                }
            })
        };
        smaller.push(changed(function, |function| function.over = None));
        if window.window_frame.is_some() {
            smaller.push(with(&|window| window.window_frame = None));
        }
        if !window.partition_by.is_empty() {
            smaller.push(with(&|window| window.partition_by.clear()));
        }
        if !window.order_by.is_empty() {
            smaller.push(with(&|window| window.order_by.clear()));
        }
        for key in 0..window.order_by.len() {
            smaller.push(with(&|window| {
                window.order_by[key].options.asc = None;
                window.order_by[key].options.nulls_first = None;
            }));
        }
    }
    if let FunctionArguments::List(list) = &function.args {
        let with = |change: &dyn Fn(&mut sqlparser::ast::FunctionArgumentList)| {
            changed(function, |function| {
                if let FunctionArguments::List(list) = &mut function.args {
                    change(list);
                }
            })
        };
        if list.duplicate_treatment.is_some() {
            smaller.push(with(&|list| list.duplicate_treatment = None));
        }
        if !list.clauses.is_empty() {
            smaller.push(with(&|list| list.clauses.clear()));
        }
        for place in 0..list.args.len() {
            smaller.push(with(&|list| drop(list.args.remove(place))));
        }
        // A cast keeps the type of an argument that NULL alone would lose.
        for (place, argument) in list.args.iter().enumerate() {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Cast { expr, data_type, .. })) = argument
                && !matches!(data_type, DataType::Text)
                && !matches!(expr.as_ref(), Expr::Value(_))
            {
                let inner = expr.as_ref().clone();
                smaller.push(with(&|list| {
                    list.args[place] = FunctionArg::Unnamed(FunctionArgExpr::Expr(inner.clone()));
                }));
            }
        }
    }
    smaller
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reduces until `still` holds for no candidate.
    fn reduced(sql: &str, parameters: Vec<Parameter>, still: impl Fn(&Statement) -> bool) -> Statement {
        let mut current = Statement { parameters, ..Statement::plain(sql) };
        while let Some(smaller) = candidates(&current).into_iter().find(|candidate| still(candidate)) {
            current = smaller;
        }
        current
    }

    #[test]
    fn what_does_not_matter_is_removed() {
        let sql = "WITH x AS (SELECT id, lower(s) AS y FROM d.t WHERE b) SELECT id, CASE WHEN id > 1 THEN initcap(lower(s) || 'x') \
                   ELSE 'z' END, count(*) OVER (PARTITION BY b ORDER BY id) FROM d.t AS t JOIN d.u AS u ON t.id = u.t_id \
                   WHERE t.i4 > 3 ORDER BY 1 LIMIT 4";
        let still = |candidate: &Statement| candidate.sql.contains("initcap");
        assert_eq!(reduced(sql, Vec::new(), still).sql, "SELECT initcap()");
        let still = |candidate: &Statement| candidate.sql.contains("initcap(s)") && candidate.sql.contains("d.t");
        let sql = "SELECT id, initcap(s) || 'x' FROM d.t WHERE b ORDER BY 1";
        assert_eq!(reduced(sql, Vec::new(), still).sql, "SELECT initcap(s) FROM d.t");
    }

    #[test]
    fn parameters_that_are_not_named_any_more_are_dropped() {
        let parameters = ["a", "b"].map(|value| Parameter { oid: 25, value: Some(value.to_owned()) });
        let still = |candidate: &Statement| candidate.sql.contains("upper($");
        let small = reduced("SELECT lower($1), upper($2)", parameters.to_vec(), still);
        assert_eq!(small.sql, "SELECT upper($1)");
        assert_eq!(small.parameters, parameters[1..]);
    }

    #[test]
    fn one_row_is_chosen_by_its_id() {
        let rows = single_rows(&Statement::plain("SELECT x.s FROM d.t AS x"), 2);
        assert_eq!(rows[1].sql, "SELECT x.s FROM d.t AS x WHERE x.id = 2");
        assert!(single_rows(&Statement::plain("SELECT 1"), 2).is_empty());
    }
}

//! What a statement orders its rows by, as far as the columns of its answer show it.

use super::client::Column;
use sqlparser::ast::{
    Expr, Ident, NamedWindowDefinition, NamedWindowExpr, OrderByKind, Select, SelectItem, SetExpr, Statement, Value,
    Visit, Visitor, WindowType,
};
use std::ops::ControlFlow;

/// A key of ORDER BY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderKey {
    /// The column at this place, from 0.
    Position(usize),
    /// The column with this name.
    Name(String),
    /// An expression that is no column of the answer.
    Hidden,
}

impl OrderKey {
    /// The place of the key's column.
    #[must_use]
    pub fn column(&self, columns: &[Column]) -> Option<usize> {
        match self {
            Self::Position(place) => (*place < columns.len()).then_some(*place),
            Self::Name(name) => columns.iter().position(|column| column.name == *name),
            Self::Hidden => None,
        }
    }
}

/// Functions whose value for a row depends on the order of the rows.
const OF_ORDER: [&str; 7] = ["row_number", "ntile", "lag", "lead", "first_value", "last_value", "nth_value"];

/// Whether a statement asks for a value that depends on the order of rows, which it does not say: a window
/// without an order.
#[must_use]
pub(super) fn is_without_order(statement: &Statement) -> bool {
    struct Windows {
        /// The names of windows without an order.
        unordered: Vec<String>,
    }
    impl Visitor for Windows {
        type Break = ();

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
            for NamedWindowDefinition(name, window) in &select.named_window {
                if matches!(window, NamedWindowExpr::WindowSpec(spec) if spec.order_by.is_empty()) {
                    self.unordered.push(name.value.clone());
                }
            }
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            let Expr::Function(function) = expression else { return ControlFlow::Continue(()) };
            let is_unordered = |name: &Ident| self.unordered.contains(&name.value);
            let is_without = match &function.over {
                Some(WindowType::WindowSpec(window)) => {
                    window.order_by.is_empty() && window.window_name.as_ref().is_none_or(is_unordered)
                }
                Some(WindowType::NamedWindow(name)) => is_unordered(name),
                None => false,
            };
            let name = function.name.to_string().to_lowercase();
            match is_without && OF_ORDER.contains(&name.as_str()) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    statement.visit(&mut Windows { unordered: Vec::new() }).is_break()
}

/// The keys of the statement's own ORDER BY.
#[must_use]
pub(super) fn order_keys(statement: &Statement) -> Vec<OrderKey> {
    let Statement::Query(query) = statement else { return Vec::new() };
    let Some(order) = &query.order_by else { return Vec::new() };
    let OrderByKind::Expressions(keys) = &order.kind else { return Vec::new() };
    let items = match query.body.as_ref() {
        SetExpr::Select(select) => select.projection.as_slice(),
        _ => &[],
    };
    keys.iter().map(|key| order_key(&key.expr, items)).collect()
}

fn order_key(key: &Expr, items: &[SelectItem]) -> OrderKey {
    let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    if let Expr::Value(value) = key
        && let Value::Number(number, _) = &value.value
        && let Ok(number) = number.to_string().parse::<usize>()
    {
        return OrderKey::Position(number.wrapping_sub(1));
    }
    if !items.iter().any(is_wildcard) {
        let is_item = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expression) => expression == key,
            SelectItem::ExprWithAlias { expr, alias } => {
                expr == key || matches!(key, Expr::Identifier(name) if name.value == alias.value)
            }
            _ => false,
        };
        if let Some(place) = items.iter().position(is_item) {
            return OrderKey::Position(place);
        }
    }
    match key {
        Expr::Identifier(name) => OrderKey::Name(name.value.clone()),
        Expr::CompoundIdentifier(names) => {
            names.last().map_or(OrderKey::Hidden, |name| OrderKey::Name(name.value.clone()))
        }
        _ => OrderKey::Hidden,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::syntax::parse;

    #[test]
    fn windows_without_an_order_are_found() {
        let is_one = |sql: &str| is_without_order(&parse(sql).unwrap());
        assert!(is_one("SELECT lag(a) OVER () FROM t"));
        assert!(is_one("SELECT nth_value(a, 2) OVER w FROM t WINDOW w AS (PARTITION BY b)"));
        assert!(!is_one("SELECT nth_value(a, 2) OVER w FROM t WINDOW w AS (ORDER BY b)"));
        assert!(!is_one("SELECT sum(a) OVER w FROM t WINDOW w AS (PARTITION BY b)"));
    }

    #[test]
    fn keys_are_found_among_the_columns() {
        let keys = |sql: &str| order_keys(&parse(sql).unwrap());
        assert_eq!(keys("SELECT a, b AS x FROM t ORDER BY 2, a"), [OrderKey::Position(1), OrderKey::Position(0)]);
        assert_eq!(keys("SELECT a, b AS x FROM t ORDER BY x DESC"), [OrderKey::Position(1)]);
        assert_eq!(keys("SELECT * FROM t ORDER BY t.id, a + 1"), [OrderKey::Name("id".to_owned()), OrderKey::Hidden]);
        assert_eq!(keys("SELECT lower(a) FROM t ORDER BY lower(a)"), [OrderKey::Position(0)]);
        assert_eq!(keys("SELECT a FROM t"), []);
    }
}

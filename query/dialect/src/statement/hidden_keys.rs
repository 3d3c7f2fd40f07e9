//! Keys of ORDER BY that are expressions over a column that a name of the list hides: `SELECT -v AS v FROM t ORDER BY v + 0`. In
//! PostgreSQL a name alone means a column of the list first, and in an expression a column of a table always (PostgreSQL 15, 7.5); the
//! engine means that of the list in both.
//!
//! | written | becomes |
//! |---|---|
//! | `SELECT -v AS v FROM t ORDER BY v + 0, v` | `SELECT r.v FROM (SELECT -v AS v, v + 0 AS "key 1" FROM t) AS r ORDER BY r."key 1", r.v` |
//! | `SELECT k, sum(v) AS v FROM t GROUP BY k ORDER BY sum(v)` | `SELECT r.k, r.v FROM (SELECT k, sum(v) AS v FROM t GROUP BY k) AS r ORDER BY r.v` |
//!
//! | `SELECT DISTINCT upper(k) FROM t ORDER BY upper(k)` | `SELECT r.upper FROM (SELECT DISTINCT upper(k) AS upper FROM t) AS r ORDER BY r.upper` |
//!
//! So it is with the expressions of DISTINCT ON. All other statements stay as they are.

use super::names::{MARK, folded, name_items, shown_name};
use super::selects::{column_of, over, query_of};
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Function, Ident, ObjectNamePart, OrderByKind, Query, Select, SelectItem, SetExpr, Value, Visit,
    VisitMut, Visitor, VisitorMut, WildcardAdditionalOptions,
};
use std::ops::ControlFlow;

/// Gives the keys of a query columns of their own, if a name of the list hides what they mean, or rows that are distinct have no other.
///
/// # Errors
/// `42P10` if DISTINCT leaves no rows with the key, and `0A000` beside `*`.
pub(super) fn as_columns(query: &mut Query) -> Result<()> {
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_ref().map(|order| &order.kind) else { return Ok(()) };
    if !keys.iter().any(|key| is_expression(&key.expr)) {
        return Ok(());
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return Ok(()) };
    name_items(&mut select.projection, false);
    let of_distinct = match &select.distinct {
        Some(Distinct::On(expressions)) => expressions.as_slice(),
        _ => &[],
    };
    let is_distinct = select.distinct == Some(Distinct::Distinct);
    let is_hidden = |key: &Expr| is_expression(key) && has_hidden(key, &select.projection);
    let has_hidden = keys.iter().map(|key| &key.expr).chain(of_distinct).any(is_hidden);
    let has_wildcard = select.projection.iter().any(|item| name_of(item).is_none());
    if !has_hidden && (!is_distinct || has_wildcard) {
        return Ok(());
    }
    if has_wildcard {
        let message = "ORDER BY of an expression over a column whose name the list gives to another one is not supported beside *";
        return Err(SqlError::not_supported(message).with_hint("Name the columns.").at("ORDER").into());
    }
    let mut columns = Columns::of(select);
    let Some(of_keys) = keys.iter().map(|key| columns.place(&key.expr)).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let Some(of_distinct) = of_distinct.iter().map(|key| columns.place(key)).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let Columns { names, keys: hidden, .. } = columns;
    if is_distinct && !hidden.is_empty() {
        let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
        return Err(SqlError::new("42P10", message).at("ORDER").into());
    }
    put_over(query, &names, hidden, &of_keys, &of_distinct);
    Ok(())
}

/// Whether it is no name alone and no place.
fn is_expression(key: &Expr) -> bool {
    match key {
        Expr::Nested(inner) => is_expression(inner),
        Expr::Identifier(_) | Expr::Value(_) => false,
        _ => true,
    }
}

/// Whether an expression names a column whose name the list gives to something else.
fn has_hidden(expression: &Expr, items: &[SelectItem]) -> bool {
    struct Names<'i>(&'i [SelectItem]);
    impl Visitor for Names<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            let column = match expression {
                Expr::Identifier(name) => folded(name),
                Expr::CompoundIdentifier(names) => names.last().map(folded).unwrap_or_default(),
                _ => return ControlFlow::Continue(()),
            };
            let is_hidden = self.0.iter().any(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if folded(alias) == column => !is_that(expr, expression),
                _ => false,
            });
            if is_hidden { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    expression.visit(&mut Names(items)).is_break()
}

/// Whether an item is the column that an expression names.
fn is_that(item: &Expr, named: &Expr) -> bool {
    let names = |expression: &Expr| match expression {
        Expr::Identifier(name) => Some((None, folded(name))),
        Expr::CompoundIdentifier(names) => match names.as_slice() {
            [.., table, column] => Some((Some(folded(table)), folded(column))),
            _ => None,
        },
        _ => None,
    };
    match (names(item), names(named)) {
        (Some((of_table, column)), Some((table, name))) => column == name && (table.is_none() || table == of_table),
        _ => false,
    }
}

/// The name that an item has in a subquery. `*` has none.
fn name_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().map(folded),
        _ => None,
    }
}

/// The columns of the subquery: those of the list, and those of keys that are none of them.
struct Columns {
    names: Vec<String>,
    items: Vec<Compared>,
    keys: Vec<Expr>,
}

impl Columns {
    fn of(select: &Select) -> Self {
        let expression = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
                Some(Compared::of(expression))
            }
            _ => None,
        };
        let names = select.projection.iter().filter_map(name_of).collect();
        let items = select.projection.iter().filter_map(expression).collect();
        Self { names, items, keys: Vec::new() }
    }

    /// The column of a key. `None` for a place that the list does not have.
    fn place(&mut self, key: &Expr) -> Option<String> {
        let key = bare(key);
        if let Expr::Value(value) = key {
            let Value::Number(place, _) = &value.value else { return None };
            let place: usize = place.to_string().parse().ok()?;
            return self.names.get(place.checked_sub(1)?).cloned();
        }
        if let Expr::Identifier(name) = key {
            let is_it = |known: &&String| shown_name(known) == folded(name);
            if let Some(known) = self.names.iter().find(is_it) {
                return Some(known.clone());
            }
        }
        let compared = Compared::of(key);
        if let Some(place) = self.items.iter().position(|item| item.is_same(&compared)) {
            return self.names.get(place).cloned();
        }
        let is_known = |known: &Expr| Compared::of(known).is_same(&compared);
        let place = self.keys.iter().position(is_known).unwrap_or_else(|| {
            self.keys.push(key.clone());
            self.keys.len() - 1
        });
        Some(name_of_key(place))
    }
}

fn name_of_key(place: usize) -> String {
    format!("key{MARK}{place}")
}

fn bare(key: &Expr) -> &Expr {
    match key {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// An expression as it is compared with others: names in one form, and those of tables apart. A column without one is that of any table.
struct Compared {
    expression: Expr,
    tables: Vec<Option<String>>,
}

impl Compared {
    fn of(expression: &Expr) -> Self {
        let mut compared = Self { expression: bare(expression).clone(), tables: Vec::new() };
        let _: ControlFlow<()> = VisitMut::visit(&mut compared.expression, &mut Folding(&mut compared.tables));
        compared
    }

    fn is_same(&self, other: &Self) -> bool {
        let is_one =
            |(one, other): (&Option<String>, &Option<String>)| one.is_none() || other.is_none() || one == other;
        self.expression == other.expression && self.tables.iter().zip(&other.tables).all(is_one)
    }
}

struct Folding<'t>(&'t mut Vec<Option<String>>);

impl VisitorMut for Folding<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        let quoted = |name: &Ident| Ident::with_quote('"', folded(name));
        match expression {
            Expr::Identifier(name) => {
                self.0.push(None);
                *name = quoted(name);
            }
            Expr::CompoundIdentifier(names) => {
                if let [.., table, column] = names.as_slice() {
                    self.0.push(Some(folded(table)));
                    *expression = Expr::Identifier(quoted(column));
                }
            }
            Expr::Function(Function { name, .. }) => {
                for part in &mut name.0 {
                    if let ObjectNamePart::Identifier(name) = part {
                        *name = quoted(name);
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Puts the list over the query, which gets the keys as columns. What says which rows are left stays outside.
fn put_over(query: &mut Query, names: &[String], hidden: Vec<Expr>, of_keys: &[String], of_distinct: &[String]) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    let mut inner = select.as_ref().clone();
    let keys = hidden.into_iter().enumerate().map(|(place, expr)| {
        let alias = Ident::with_quote('"', name_of_key(place));
        SelectItem::ExprWithAlias { expr, alias }
    });
    inner.projection.extend(keys);
    let is_on = |distinct: &mut Distinct| matches!(distinct, Distinct::On(_));
    let is_distinct_on = inner.distinct.take_if(is_on).is_some();
    let mut outer = over(query_of(inner), SelectItem::Wildcard(WildcardAdditionalOptions::default()), &[]);
    if let SetExpr::Select(list) = outer.body.as_mut() {
        list.projection = names.iter().map(|name| SelectItem::UnnamedExpr(column_of(name))).collect();
        list.distinct = is_distinct_on.then(|| Distinct::On(of_distinct.iter().map(|name| column_of(name)).collect()));
    }
    query.body = outer.body;
    if let Some(OrderByKind::Expressions(keys)) = query.order_by.as_mut().map(|order| &mut order.kind) {
        for (key, name) in keys.iter_mut().zip(of_keys) {
            key.expr = column_of(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{context, rows, state_of};

    #[test]
    fn an_expression_means_the_columns_of_tables() {
        let context = context();
        let from = "FROM (VALUES (1, 'b'), (2, 'a'), (3, 'c')) AS t (v, k)";
        for (sql, first) in [
            ("SELECT -v AS v, k {from} ORDER BY v + 0", "-1"),
            ("SELECT -v AS v, k {from} ORDER BY (v)", "-3"),
            ("SELECT -v AS v, k {from} ORDER BY -v", "-3"),
            ("SELECT -v AS v, k {from} ORDER BY t.v", "-1"),
            ("SELECT -v AS v, k {from} ORDER BY abs(t.v) DESC, 2 LIMIT 1", "-3"),
            ("SELECT DISTINCT -v AS v {from} ORDER BY -t.v", "-3"),
            ("SELECT DISTINCT upper(k) {from} ORDER BY Upper(t.k) DESC", "C"),
            ("SELECT DISTINCT t.k, v {from} ORDER BY t.v DESC, k", "c"),
            ("SELECT DISTINCT ON (k) v AS k, k AS v {from} ORDER BY k, v || ''", "1"),
            ("SELECT DISTINCT ON (abs(v)) -v AS v, v {from} ORDER BY abs(v) DESC, -v", "-3"),
            ("SELECT sum(v) AS v, k {from} GROUP BY k ORDER BY sum(v) DESC", "3"),
            ("SELECT -max(v) AS v, k {from} GROUP BY k ORDER BY max(v) + min(v)", "-1"),
            ("SELECT v AS n, row_number() OVER (ORDER BY k) AS k {from} ORDER BY row_number() OVER (ORDER BY k)", "2"),
            ("SELECT coalesce(k, 'all') AS k {from} GROUP BY ROLLUP (k) ORDER BY grouping(k) DESC, 1", "all"),
            ("SELECT max(v) AS v, max(v) {from} GROUP BY k ORDER BY -max(v)", "3"),
            ("SELECT *, -v AS v {from} ORDER BY v + 0", "1"),
            ("SELECT *, -v AS n {from} ORDER BY n", "3"),
            ("SELECT DISTINCT ON (n) *, v % 2 AS n {from} ORDER BY n DESC, v DESC", "3"),
            ("SELECT x FROM (SELECT 5 - v AS v, k AS x {from} ORDER BY v * 2 LIMIT 1) AS y", "b"),
        ] {
            let made = rows(&context, &sql.replace("{from}", from)).unwrap();
            assert_eq!(made[0][0].as_deref(), Some(first), "{sql}");
        }
        for (sql, state) in [
            ("SELECT DISTINCT -v AS v {from} ORDER BY v + 0", "42P10"),
            ("SELECT DISTINCT k {from} ORDER BY length(k)", "42P10"),
            ("SELECT * FROM (SELECT *, -v AS v {from} ORDER BY v + 0) AS x", "0A000"),
        ] {
            let error = rows(&context, &sql.replace("{from}", from)).unwrap_err();
            assert_eq!(state_of(&error), state, "{sql}");
        }
    }
}

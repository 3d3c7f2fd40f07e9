//! Keys of ORDER BY that are expressions over a column that a name of the list hides: `SELECT -v AS v FROM t ORDER BY v + 0`. In
//! PostgreSQL a name alone means a column of the list first, and in an expression a column of a table always (PostgreSQL 15, 7.5); the
//! engine means that of the list in both.
//!
//! | written | becomes |
//! |---|---|
//! | `SELECT -v AS v FROM t ORDER BY v + 0, v` | `SELECT r.v FROM (SELECT -v AS v, v + 0 AS "key 1" FROM t) AS r ORDER BY r."key 1", r.v` |
//! | `SELECT k, sum(v) AS v FROM t GROUP BY k ORDER BY sum(v)` | `SELECT r.k, r.v FROM (SELECT k, sum(v) AS v FROM t GROUP BY k) AS r ORDER BY r.v` |
//! | `SELECT DISTINCT upper(k) FROM t ORDER BY upper(k)` | `SELECT r.upper FROM (SELECT DISTINCT upper(k) AS upper FROM t) AS r ORDER BY r.upper` |
//!
//! So it is with the expressions of DISTINCT ON. Subqueries whose order says nothing about their rows stay as they are: the subquery that
//! stands between would keep columns of outer queries from them.

use super::names::{MARK, folded, name_items, shown_name, type_name};
use super::selects::{column_of, over, query_of};
use super::stars::merged;
use crate::SqlError;
use datafusion::common::Result;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Distinct, Expr, Function, Ident, ObjectName, ObjectNamePart, OrderByKind, Query, Select,
    SelectItem, SetExpr, Value, Visit, VisitMut, Visitor, VisitorMut, WildcardAdditionalOptions,
};
use std::ops::ControlFlow;

/// Gives the keys of the statement's own query columns of their own, if a name of the list hides what they mean, or rows that are
/// distinct have no other.
///
/// # Errors
/// `42P10` if DISTINCT leaves no rows with the key, and `0A000` beside `*`.
pub(super) fn of_statement(query: &mut Query) -> Result<()> {
    match query.body.as_mut() {
        SetExpr::Query(inner) if query.order_by.is_none() => of_statement(inner),
        _ => as_columns(query),
    }
}

/// As [`of_statement`], for a query whose order says which rows it has.
///
/// # Errors
/// Those of [`of_statement`].
pub(super) fn of_first_rows(query: &mut Query) -> Result<()> {
    let is_limited = query.limit_clause.is_some() || query.fetch.is_some();
    let is_distinct_on =
        matches!(query.body.as_ref(), SetExpr::Select(select) if matches!(select.distinct, Some(Distinct::On(_))));
    if is_limited || is_distinct_on { as_columns(query) } else { Ok(()) }
}

fn as_columns(query: &mut Query) -> Result<()> {
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_mut().map(|order| &mut order.kind) else {
        return Ok(());
    };
    if !keys.iter().any(|key| is_expression(&key.expr)) {
        return Ok(());
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return Ok(()) };
    name_items(&mut select.projection, false);
    let of_distinct = match &select.distinct {
        Some(Distinct::On(expressions)) => expressions.as_slice(),
        _ => &[],
    };
    let mut columns = Columns::of(select);
    if columns.names.len() < select.projection.len() {
        return keys.iter_mut().try_for_each(|key| beside_wildcard(&mut key.expr, &select.projection, &columns));
    }
    let is_hidden = |key: &Expr| is_expression(key) && has_hidden(key, &select.projection, true);
    let has_hidden = keys.iter().map(|key| &key.expr).chain(of_distinct).any(is_hidden);
    let is_distinct = select.distinct == Some(Distinct::Distinct);
    let is_computed = |key: &Expr| is_expression(key) && !matches!(key, Expr::CompoundIdentifier(_));
    let is_put_over = has_hidden || is_distinct && keys.iter().any(|key| is_computed(&key.expr));
    if !is_put_over {
        return Ok(());
    }
    let Some(of_keys) = keys.iter().map(|key| columns.place(&key.expr)).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let Some(of_distinct) = of_distinct.iter().map(|key| columns.place(key)).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let Columns { names, keys: hidden, .. } = columns;
    if is_distinct && !hidden.is_empty() {
        if !has_hidden {
            // The engine may know that it is an expression of the list in other words.
            return Ok(());
        }
        let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
        return Err(SqlError::new("42P10", message).at("ORDER").into());
    }
    put_over(query, &names, hidden, &of_keys, &of_distinct);
    Ok(())
}

/// A key of a list with `*`, which no list can be put over: that of an item has its name.
fn beside_wildcard(key: &mut Expr, items: &[SelectItem], columns: &Columns) -> Result<()> {
    if !is_expression(key) || !has_hidden(key, items, false) {
        return Ok(());
    }
    match columns.item(&Compared::of(key)) {
        Some(name) => *key = Expr::Identifier(Ident::with_quote('"', name)),
        None => {
            let message = "ORDER BY of an expression over a column whose name the list gives to another one is not supported beside *";
            return Err(SqlError::not_supported(message).with_hint("Name the columns.").at("ORDER").into());
        }
    }
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

/// Whether an expression names a column whose name the list gives to something else; with the name of its table only if it says so.
fn has_hidden(expression: &Expr, items: &[SelectItem], with_tables: bool) -> bool {
    struct Names<'i> {
        items: &'i [SelectItem],
        with_tables: bool,
    }
    impl Visitor for Names<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            let column = match expression {
                Expr::Identifier(name) => folded(name),
                Expr::CompoundIdentifier(names) if self.with_tables => names.last().map(folded).unwrap_or_default(),
                _ => return ControlFlow::Continue(()),
            };
            let is_hidden = self.items.iter().any(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if folded(alias) == column => !is_that(expr, expression),
                _ => false,
            });
            if is_hidden { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    expression.visit(&mut Names { items, with_tables }).is_break()
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
    /// Joins merge columns, which are then other ones than those of a table.
    are_merged: bool,
    keys: Vec<Expr>,
}

impl Columns {
    fn of(select: &Select) -> Self {
        let named = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
                Some((name_of(item)?, Compared::of(expression)))
            }
            _ => None,
        };
        let (names, items) = select.projection.iter().filter_map(named).unzip();
        let are_merged = select.from.iter().flat_map(|table| &table.joins).any(|join| merged(join).is_some());
        Self { names, items, are_merged, keys: Vec::new() }
    }

    /// The name of the item that is this expression.
    fn item(&self, expression: &Compared) -> Option<String> {
        let place = self.items.iter().position(|item| item.is_same(expression, self.are_merged))?;
        self.names.get(place).cloned()
    }

    /// The column of a key. `None` for a place that the list does not have.
    fn place(&mut self, key: &Expr) -> Option<String> {
        let key = bare(key);
        if let Expr::Value(value) = key {
            match &value.value {
                Value::Number(place, _) => {
                    let place: usize = place.to_string().parse().ok()?;
                    return self.names.get(place.checked_sub(1)?).cloned();
                }
                Value::Placeholder(_) => {}
                _ => return None,
            }
        }
        if let Expr::Identifier(name) = key {
            let is_it = |known: &&String| shown_name(known) == folded(name);
            if let Some(known) = self.names.iter().find(is_it) {
                return Some(known.clone());
            }
        }
        let compared = Compared::of(key);
        if let Some(name) = self.item(&compared) {
            return Some(name);
        }
        let is_known = |known: &Expr| Compared::of(known).is_same(&compared, self.are_merged);
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

    /// Whether they are the same, in other words perhaps. A merged column is none of a table.
    fn is_same(&self, other: &Self, are_merged: bool) -> bool {
        let is_any = |table: &Option<String>| table.is_none() && !are_merged;
        let mut tables = self.tables.iter().zip(&other.tables);
        self.expression == other.expression && tables.all(|(one, other)| is_any(one) || is_any(other) || one == other)
    }
}

struct Folding<'t>(&'t mut Vec<Option<String>>);

impl VisitorMut for Folding<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        let quoted = |name: &Ident| Ident::with_quote('"', folded(name));
        if matches!(expression, Expr::Nested(_)) {
            *expression = bare(expression).clone();
        }
        match expression {
            Expr::Cast { kind, data_type, .. } => {
                *kind = CastKind::Cast;
                if !data_type.to_string().contains('(') {
                    let name = ObjectName::from(vec![Ident::new(type_name(data_type))]);
                    *data_type = DataType::Custom(name, Vec::new());
                }
            }
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
            ("SELECT *, -v AS n {from} ORDER BY (n)", "3"),
            (
                "SELECT t.*, sum(u.w) AS w {from} JOIN (VALUES (1, 5), (2, 9)) AS u (v, w) ON u.v = t.v GROUP BY t.v, t.k ORDER BY sum(u.w) DESC",
                "2",
            ),
            (
                "SELECT t.*, sum(w) AS w {from} JOIN (VALUES (1, 5), (2, 9)) AS u (v, w) ON u.v = t.v GROUP BY t.v, t.k ORDER BY sum(w) DESC",
                "2",
            ),
            (
                "SELECT v, -w AS w {from} LEFT JOIN (VALUES (1, 5), (2, 9)) AS u (v, w) USING (v) ORDER BY u.v NULLS FIRST, w",
                "3",
            ),
            (
                "SELECT v, -w AS w {from} LEFT JOIN (VALUES (1, 5), (2, 9)) AS u (v, w) USING (v) ORDER BY u.v NULLS FIRST, u.w",
                "3",
            ),
            (
                "WITH x AS (SELECT * {from} ORDER BY k DESC) SELECT string_agg(k, ',') AS v FROM x ORDER BY max(v)",
                "c,b,a",
            ),
            ("SELECT x FROM (VALUES (1, -0.0::float8), (2, 0), (0, '-0')) AS t (x, f) ORDER BY (f, x)", "0"),
            ("SELECT x FROM (VALUES (1, NULL), (2, 0)) AS t (x, f) ORDER BY ROW (f, x) DESC", "1"),
            ("SELECT -x AS x FROM (VALUES (1, 1), (2, 1)) AS t (x, f) ORDER BY (f, x)", "-1"),
            ("SELECT DISTINCT v::int AS x {from} ORDER BY CAST((t.v) AS integer) DESC", "3"),
            (
                "SELECT ARRAY(SELECT u.v::text FROM (VALUES (1), (2)) AS u (v) WHERE u.v = t.v ORDER BY u.v) {from} ORDER BY t.v LIMIT 1",
                "[1]",
            ),
            ("SELECT DISTINCT ON (n) *, v % 2 AS n {from} ORDER BY n DESC, v DESC", "3"),
            ("SELECT x FROM (SELECT 5 - v AS v, k AS x {from} ORDER BY v * 2 LIMIT 1) AS y", "b"),
        ] {
            let made = rows(&context, &sql.replace("{from}", from)).unwrap();
            assert_eq!(made[0][0].as_deref(), Some(first), "{sql}");
        }
        for (sql, state) in [
            ("SELECT DISTINCT -v AS v {from} ORDER BY v + 0", "42P10"),
            ("SELECT * FROM (SELECT *, -v AS v {from} ORDER BY v + 0 LIMIT 1) AS x", "0A000"),
        ] {
            let error = rows(&context, &sql.replace("{from}", from)).unwrap_err();
            assert_eq!(state_of(&error), state, "{sql}");
        }
    }
}

//! Statements made of several queries: joins of distinct and grouped rows, windows over groups, subqueries that name columns around them,
//! rows as values.

use super::{ScopeColumn, Writer};
use crate::differential::kind::Kind;
use rand::Rng;

/// Relations with the columns `k` (integer), `n` (bigint) and `v`, whose type stands beside them: in some each `k` is there once, in
/// others a `k` is NULL or missing.
const RELATIONS: [(&str, Kind); 10] = [
    ("(SELECT DISTINCT t_id AS k, v::bigint AS n, k AS v FROM d.u)", Kind::Text),
    ("(SELECT t_id AS k, count(*) AS n, max(k) AS v FROM d.u GROUP BY t_id)", Kind::Text),
    ("(SELECT id % 4 AS k, count(*) AS n, sum(i4) AS v FROM d.t GROUP BY 1)", Kind::Int8),
    ("(SELECT id AS k, i8 AS n, s AS v FROM d.t)", Kind::Text),
    ("(SELECT v AS k, sum(t_id) AS n, max(at) AS v FROM d.u GROUP BY v)", Kind::Timestamptz),
    ("(SELECT v AS k, count(amount) AS n, max(amount) AS v FROM d.u GROUP BY v HAVING count(*) > 1)", Kind::Numeric),
    ("(SELECT id AS k, v::bigint AS n, f AS v FROM d.u)", Kind::Float8),
    ("(SELECT DISTINCT ON (t_id) t_id AS k, id::bigint AS n, at::date AS v FROM d.u ORDER BY t_id, id)", Kind::Date),
    ("(SELECT t_id AS k, v::bigint AS n, k AS v FROM d.nothing)", Kind::Text),
    (
        "(SELECT * FROM (VALUES (1, 10::bigint, 'a'), (2, NULL, 'b'), (NULL, 3, NULL), (4, 4, 'd')) AS x (k, n, v))",
        Kind::Text,
    ),
];

/// A relation in FROM.
struct Relation {
    sql: &'static str,
    name: String,
    kind: Kind,
}

impl Relation {
    fn columns(&self) -> Vec<ScopeColumn> {
        let column = |name: &str, kind| ScopeColumn { sql: format!("{}.{name}", self.name), kind };
        vec![column("k", Kind::Int4), column("n", Kind::Int8), column("v", self.kind)]
    }
}

impl Writer<'_> {
    /// A statement made of several queries.
    pub(super) fn composed(&mut self) -> String {
        match self.random.random_range(0..100) {
            0..40 => self.join_of_groups(),
            40..55 => self.windows_over_groups(),
            55..78 => self.correlated(),
            78..88 => self.first_rows(),
            _ => self.rows_as_values(),
        }
    }

    fn derived(&mut self) -> Relation {
        let (sql, kind) = RELATIONS[self.random.random_range(0..RELATIONS.len())];
        Relation { sql, name: self.name(), kind }
    }

    /// Two or three relations, with USING or ON: as rows, as groups, or distinct.
    fn join_of_groups(&mut self) -> String {
        let joins = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"];
        let uses = self.chance(45);
        let first = self.derived();
        let mut from = format!("{} AS {}", first.sql, first.name);
        self.scope = first.columns();
        let mut last = first.name.clone();
        for _ in 0..1 + usize::from(self.chance(30)) {
            let next = self.derived();
            let join = *self.one_of(&joins);
            // A full join is one by equal keys in PostgreSQL.
            let operators: &[&str] = if join == "FULL JOIN" { &["="] } else { &["=", "=", "=", "<", "<>"] };
            let operator = *self.one_of(operators);
            let condition = match uses {
                true => "USING (k)".to_owned(),
                false => format!("ON {}.k {operator} {}.k", first.name, next.name),
            };
            from.push_str(&format!(" {join} {} AS {} {condition}", next.sql, next.name));
            self.scope.extend(next.columns());
            last.clone_from(&next.name);
        }
        let key = if uses { "k".to_owned() } else { format!("{}.k", first.name) };
        let filter = if self.chance(20) { format!(" WHERE {}", self.expression(Kind::Bool, 1)) } else { String::new() };
        match self.random.random_range(0..4) {
            0 => {
                let (aggregate, _) = self.aggregate();
                format!(
                    "SELECT {key}, count(*), count({last}.*), {aggregate} FROM {from}{filter} GROUP BY {key} ORDER BY 1"
                )
            }
            1 => format!(
                "SELECT DISTINCT {key}, {last}.n FROM {from}{filter} ORDER BY 1{}, 2 LIMIT 7",
                self.one_of(&["", " DESC", " NULLS FIRST"])
            ),
            2 if self.chance(50) => format!("SELECT * FROM {from}{filter} ORDER BY 1, 2, 3, 4, 5"),
            _ => {
                let items = self.items(1, 1);
                format!("SELECT {key}, {last}.n, {last}.v, {items} FROM {from}{filter} ORDER BY 1, 2, 3, 4")
            }
        }
    }

    /// A window over distinct rows, of which the first are shown.
    fn windows_over_groups(&mut self) -> String {
        let relation = self.derived();
        self.scope = relation.columns();
        let (sql, name) = (relation.sql, &relation.name);
        let order =
            *self.one_of(&["", "ORDER BY 1", "ORDER BY k, n, v", "ORDER BY k DESC, n, v", "PARTITION BY n % 2"]);
        let order = order.replace("ORDER BY 1", &format!("ORDER BY {name}.k"));
        let (call, _) = self.window_function();
        let shown = match self.random.random_range(0..4) {
            0 => format!("count(*) OVER ({order})"),
            1 => format!("sum({name}.n) OVER ({order})"),
            2 => "count(*) OVER ()".to_owned(),
            _ if order.is_empty() => "max(n) OVER ()".to_owned(),
            _ => format!("{call} OVER (ORDER BY k, n, v)"),
        };
        let direction = *self.one_of(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
        let limit = self.random.random_range(1..5);
        match self.random.random_range(0..3) {
            0 => format!(
                "SELECT {name}.k, {shown}, count(*) FROM {sql} AS {name} GROUP BY {name}.k, {name}.n, {name}.v ORDER BY {name}.k{direction}, {name}.n, {name}.v LIMIT {limit}"
            ),
            1 => format!(
                "SELECT {name}.k, count(*) OVER (), sum(count(*)) OVER () FROM {sql} AS {name} GROUP BY {name}.k ORDER BY {name}.k{direction} LIMIT {limit}"
            ),
            _ => format!(
                "SELECT {name}.k, {name}.n, {shown} FROM {sql} AS {name} ORDER BY {name}.k{direction}, {name}.n, {name}.v LIMIT {limit}"
            ),
        }
    }

    /// A subquery that compares its columns with those of the row around it.
    fn correlated(&mut self) -> String {
        let (outer, inner) = (self.derived(), self.derived());
        self.scope = inner.columns();
        let operators = ["=", "=", "<", "<=", ">", "<>"];
        let mut condition = format!("{}.k {} {}.k", inner.name, self.one_of(&operators), outer.name);
        if self.chance(40) {
            condition.push_str(&format!(" AND {}.n {} {}.n", inner.name, self.one_of(&operators), outer.name));
        }
        if self.chance(20) {
            let more = self.expression(Kind::Bool, 1);
            condition.push_str(&format!(" AND {more}"));
        }
        let (aggregate, _) = self.aggregate();
        let from_inner = format!("FROM {} AS {} WHERE {condition}", inner.sql, inner.name);
        let (sql, name) = (outer.sql, &outer.name);
        match self.random.random_range(0..6) {
            0 => format!(
                "SELECT {name}.k, {name}.n FROM {sql} AS {name} WHERE EXISTS (SELECT 1 {from_inner}) ORDER BY 1, 2"
            ),
            1 => format!(
                "SELECT {name}.k, {name}.n FROM {sql} AS {name} WHERE NOT EXISTS (SELECT 1 {from_inner}) ORDER BY 1, 2"
            ),
            2 => format!(
                "SELECT {name}.k, {name}.n FROM {sql} AS {name} WHERE (SELECT count(*) {from_inner}) > 1 ORDER BY 1, 2"
            ),
            3 => format!(
                "SELECT {name}.k, l.* FROM {sql} AS {name} {} JOIN LATERAL (SELECT count(*) AS c, max({}.n) AS m {from_inner}) AS l ON true ORDER BY 1, 2, 3",
                self.one_of(&["LEFT", "INNER"]),
                inner.name
            ),
            _ => format!(
                "SELECT {name}.k, {name}.n, {name}.v, (SELECT {aggregate} {from_inner}) FROM {sql} AS {name} ORDER BY 1, 2, 3"
            ),
        }
    }

    /// The first rows of a subquery for each row around it.
    fn first_rows(&mut self) -> String {
        let (outer, inner) = (self.derived(), self.derived());
        let (sql, name, of) = (outer.sql, &outer.name, &inner.name);
        let direction = *self.one_of(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
        let limit = self.random.random_range(1..4);
        let from_inner = format!("FROM {} AS {of} WHERE {of}.k = {name}.k", inner.sql);
        if self.chance(40) {
            return format!(
                "SELECT {name}.k, {name}.n, {name}.v, (SELECT {of}.v {from_inner} ORDER BY {of}.n{direction}, {of}.v LIMIT 1) FROM {sql} AS {name} ORDER BY 1, 2, 3"
            );
        }
        let offset = if self.chance(25) { " OFFSET 1" } else { "" };
        let (join, on) = if self.chance(50) { ("LEFT JOIN", " ON true") } else { ("CROSS JOIN", "") };
        format!(
            "SELECT {name}.k, {name}.n, l.* FROM {sql} AS {name} {join} LATERAL (SELECT {of}.n AS m, {of}.v AS w {from_inner} ORDER BY {of}.n{direction}, {of}.v LIMIT {limit}{offset}) AS l{on} ORDER BY 1, 2, 3, 4"
        )
    }

    /// Rows as values, and rows that are counted.
    fn rows_as_values(&mut self) -> String {
        let (left, right) = (self.derived(), self.derived());
        let from = format!("{} AS {} LEFT JOIN {} AS {}", left.sql, left.name, right.sql, right.name);
        let from = format!("{from} ON {}.k = {}.k", left.name, right.name);
        let (left, right) = (left.name, right.name);
        match self.random.random_range(0..5) {
            0 => format!("SELECT {left}.k, count({right}.*), count({left}) FROM {from} GROUP BY {left}.k ORDER BY 1"),
            1 => format!(
                "SELECT row_to_json({right}) FROM {from} ORDER BY {left}.k, {left}.n, {left}.v, {right}.n, {right}.v"
            ),
            2 => format!(
                "SELECT json_agg({left} ORDER BY {left}.k, {left}.n, {left}.v) FROM {from} WHERE {right}.k IS NULL"
            ),
            3 => format!(
                "SELECT {left}.k, jsonb_agg(to_jsonb({right}) ORDER BY {right}.n, {right}.v) FROM {from} GROUP BY 1 ORDER BY 1"
            ),
            _ => format!("SELECT count({left}.*), count({right}), count(*) FROM {from}"),
        }
    }
}

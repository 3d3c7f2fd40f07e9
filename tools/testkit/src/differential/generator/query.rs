//! The shapes of statements.

use super::{EVERY_TYPE, JOINED, ScopeColumn, Writer};
use crate::differential::kind::Kind;
use rand::Rng;

/// Templates inside one another, at most.
const DEPTH: usize = 2;

impl Writer<'_> {
    /// A statement.
    pub(super) fn query(&mut self) -> String {
        match self.random.random_range(0..100) {
            0..10 => self.constants(),
            10..30 => self.rows(),
            30..37 => self.composed(),
            37..44 => self.pairs(true),
            44..50 => self.pairs(false),
            50..63 => self.grouped(),
            63..71 => self.windowed(),
            71..78 => self.joined(),
            78..83 => self.set_operation(),
            83..88 => self.with(),
            88..90 => self.distinct_on(),
            90..95 => self.limited(),
            _ => self.nested(),
        }
    }

    /// SELECT of constants alone.
    fn constants(&mut self) -> String {
        let count = 1 + usize::from(self.chance(30));
        let items = self.items(count, DEPTH);
        format!("SELECT {items}")
    }

    /// Expressions over the rows of a relation.
    fn rows(&mut self) -> String {
        let from = self.relation();
        let count = 1 + self.random.random_range(0..2);
        let items = self.items(count, DEPTH);
        let kind = self.plain_kind();
        let key = self.expression(kind, 1);
        let mut text = match self.random.random_range(0..30) {
            0 => format!("SELECT DISTINCT {key}, {items} FROM {from}"),
            1 => format!("SELECT DISTINCT {key} AS {}, {items} FROM {from}", self.name_of_column(0)),
            _ => format!("SELECT {}, {items} FROM {from}", self.id()),
        };
        self.filter(&mut text, 35);
        self.order(&mut text, 1 + count, &key);
        text
    }

    /// A cast, or an operator, between any two types.
    fn pairs(&mut self, is_cast: bool) -> String {
        let from = self.relation();
        let id = self.id();
        let item = if is_cast { self.cast_pair().0 } else { self.operator_pair() };
        if self.chance(30) {
            let scope = std::mem::take(&mut self.scope);
            let item = if is_cast { self.cast_pair().0 } else { self.operator_pair() };
            self.scope = scope;
            return format!("SELECT {item}");
        }
        format!("SELECT {id}, {item} FROM {from} ORDER BY 1")
    }

    fn grouped(&mut self) -> String {
        let from = self.relation();
        let mut keys = Vec::new();
        for _ in 0..self.random.random_range(0..3) {
            let kind = self.plain_kind();
            let depth = usize::from(self.chance(25));
            let key = self.expression(kind, depth);
            // A constant or a parameter in GROUP BY means something else.
            if self.scope.iter().any(|column| key.contains(&column.sql)) && !key.contains('$') {
                keys.push(key);
            }
        }
        let aggregates: Vec<(String, Kind)> =
            (0..1 + self.random.random_range(0..2)).map(|_| self.aggregate()).collect();
        let mut items = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            items.push(match self.random.random_range(0..8) {
                0 => format!("{key} AS {}", self.name_of_column(number)),
                _ => key.clone(),
            });
        }
        for (number, (aggregate, _)) in aggregates.iter().enumerate() {
            items.push(match self.random.random_range(0..20) {
                0..7 => format!("{aggregate} AS a{number}"),
                7..9 => format!("{aggregate} AS {}", self.name_of_column(number)),
                _ => aggregate.clone(),
            });
        }
        let mut text = format!("SELECT {} FROM {from}", items.join(", "));
        self.filter(&mut text, 25);
        if !keys.is_empty() {
            let positions: Vec<String> = (1..=keys.len()).map(|number| number.to_string()).collect();
            let all = keys.join(", ");
            let group = match self.random.random_range(0..10) {
                0 => format!("ROLLUP ({all})"),
                1 => format!("CUBE ({all})"),
                2 => format!("GROUPING SETS (({all}), ())"),
                3 => format!("GROUPING SETS (({all}), ({}))", keys[0]),
                4..7 => positions.join(", "),
                _ => all,
            };
            text.push_str(&format!(" GROUP BY {group}"));
        }
        if self.chance(20) {
            let having =
                if self.chance(50) { "count(*) > 1".to_owned() } else { format!("{} IS NOT NULL", aggregates[0].0) };
            text.push_str(&format!(" HAVING {having}"));
        }
        let key = match self.random.random_range(0..4) {
            0 if !keys.is_empty() => keys[0].clone(),
            1 => self.aggregate().0,
            _ => aggregates[0].0.clone(),
        };
        self.order(&mut text, items.len(), &key);
        // PostgreSQL 15 leaves out keys that are one value in each set of groups, and so has other first rows.
        if text.contains("ROLLUP (") || text.contains("CUBE (") || text.contains("SETS (") {
            text.truncate(text.rfind(" LIMIT ").unwrap_or(text.len()));
        }
        text
    }

    fn windowed(&mut self) -> String {
        const FRAMES: [&str; 12] = [
            "",
            "",
            "",
            " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
            " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
            " ROWS 3 PRECEDING",
            " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            " RANGE BETWEEN 2 PRECEDING AND 3 FOLLOWING",
            " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW",
        ];
        let from = self.relation();
        let id = self.id();
        let partition = match self.random.random_range(0..3) {
            0 => String::new(),
            1 => {
                let kind = self.plain_kind();
                format!("PARTITION BY {} ", self.simple(kind))
            }
            _ => "PARTITION BY ".to_owned() + &self.simple(Kind::Bool) + " ",
        };
        let order = match self.random.random_range(0..6) {
            0 if !partition.is_empty() => String::new(),
            1 => {
                let kind = self.plain_kind();
                format!("ORDER BY {} DESC NULLS LAST, {id}", self.simple(kind))
            }
            2 => {
                let kind = self.plain_kind();
                format!("ORDER BY {}, {id}", self.simple(kind))
            }
            _ => format!("ORDER BY {id}"),
        };
        let frame = if order.is_empty() { "" } else { FRAMES[self.random.random_range(0..FRAMES.len())] };
        let (call, _) = self.window_function();
        let (other, _) = self.window_function();
        let mut text = match self.random.random_range(0..4) {
            0 => format!(
                "SELECT {id}, {call} OVER w, {other} OVER w FROM {from} WINDOW w AS ({partition}{order}{frame})"
            ),
            1 => format!("SELECT {id}, {call} OVER ({partition}{order}{frame}) AS w1 FROM {from}"),
            2 => format!(
                "SELECT * FROM (SELECT {id} AS id, {call} OVER ({partition}{order}{frame}) AS w1 FROM {from}) AS x"
            ),
            _ => format!("SELECT {id}, {call} OVER ({partition}{order}{frame}) FROM {from}"),
        };
        text.push_str(" ORDER BY 1");
        text
    }

    fn joined(&mut self) -> String {
        let (left, right) = (self.name(), self.name());
        let table = if self.chance(85) { "d.u" } else { "d.nothing" };
        self.scope = columns(&EVERY_TYPE, &left);
        let left_scope = self.scope.clone();
        self.scope.extend(columns(&JOINED, &right));
        let join = match self.random.random_range(0..10) {
            0 => format!("d.t AS {left} CROSS JOIN d.nothing AS {right}"),
            1 => format!("d.t AS {left}, {table} AS {right} WHERE {left}.id = {right}.t_id"),
            2 => format!("d.t AS {left} JOIN {table} AS {right} ON {left}.id = {right}.t_id AND {right}.v > 1"),
            3 => format!("d.t AS {left} LEFT JOIN {table} AS {right} ON {left}.id = {right}.t_id AND {left}.b"),
            4 => format!("d.t AS {left} RIGHT JOIN {table} AS {right} ON {left}.id = {right}.t_id"),
            5 => format!("d.t AS {left} FULL JOIN {table} AS {right} ON {left}.id = {right}.t_id"),
            6 => format!(
                "d.t AS {left} CROSS JOIN LATERAL (SELECT * FROM {table} AS i WHERE i.t_id = {left}.id ORDER BY i.id LIMIT 2) AS {right}"
            ),
            7 => format!(
                "d.t AS {left} LEFT JOIN LATERAL (SELECT max(i.id) AS id, max(i.t_id) AS t_id, min(i.k) AS k, count(*)::int AS v, sum(i.amount) AS amount, max(i.at) AS at, avg(i.f) AS f FROM {table} AS i WHERE i.t_id = {left}.id) AS {right} ON true"
            ),
            8 => {
                self.scope = columns(&EVERY_TYPE, &left);
                self.scope.push(ScopeColumn { sql: "v".to_owned(), kind: Kind::Int4 });
                self.scope.push(ScopeColumn { sql: "k".to_owned(), kind: Kind::Text });
                format!("d.t AS {left} JOIN d.u AS {right} USING (id)")
            }
            _ => format!("d.t AS {left} JOIN {table} AS {right} ON {right}.v BETWEEN {left}.i2 AND {left}.i4"),
        };
        if join.contains("USING") {
            let items = self.items(1, 1);
            return format!("SELECT id, v, k, {items} FROM {join} ORDER BY 1");
        }
        if join.contains(" WHERE ") || self.chance(70) {
            let items = self.items(1, 1);
            return format!("SELECT {left}.id, {right}.id, {items} FROM {join} ORDER BY 1, 2");
        }
        self.scope
            .retain(|column| !left_scope.iter().any(|other| other.sql == column.sql) || column.sql.ends_with(".id"));
        let (aggregate, _) = self.aggregate();
        format!("SELECT {right}.k, {aggregate} FROM {join} GROUP BY {right}.k ORDER BY 1")
    }

    fn set_operation(&mut self) -> String {
        let kinds: Vec<Kind> = (0..1 + self.random.random_range(0..2)).map(|_| self.kind()).collect();
        let operators = ["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"];
        let mut text = String::new();
        let count = 2 + usize::from(self.chance(20));
        for number in 0..count {
            if number > 0 {
                text.push_str(&format!(" {} ", self.one_of(&operators)));
            }
            self.scope.clear();
            let from = if self.chance(75) { format!(" FROM {}", self.relation()) } else { String::new() };
            let items: Vec<String> = kinds
                .clone()
                .into_iter()
                .map(|kind| {
                    // Sometimes another numeric type, which is unified.
                    let kind = if kind == Kind::Int4 && self.chance(30) { Kind::Numeric } else { kind };
                    self.expression(kind, 1)
                })
                .collect();
            text.push_str(&format!("SELECT {}{from}", items.join(", ")));
        }
        if self.chance(60) {
            let positions: Vec<String> = (1..=kinds.len()).map(|number| number.to_string()).collect();
            text.push_str(&format!(" ORDER BY {}", positions.join(", ")));
            if self.chance(40) {
                text.push_str(&format!(" LIMIT {}", self.random.random_range(0..9)));
            }
        }
        text
    }

    fn with(&mut self) -> String {
        if self.chance(35) {
            let limit = self.random.random_range(1..12);
            return match self.random.random_range(0..3) {
                0 => format!(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {limit}) SELECT i, i * i FROM n ORDER BY i"
                ),
                1 => format!(
                    "WITH RECURSIVE n AS (SELECT 1 AS i, 'a' AS s UNION ALL SELECT i + 1, s || 'b' FROM n WHERE i < {limit}) SELECT * FROM n ORDER BY 1"
                ),
                _ => format!(
                    "WITH RECURSIVE days AS (SELECT DATE '2026-02-25' AS d UNION SELECT (d + INTERVAL '1 day')::date FROM days WHERE d < DATE '2026-02-25' + {limit}) SELECT d, to_char(d, 'Dy') FROM days ORDER BY d"
                ),
            };
        }
        let name = self.name();
        let from = self.relation();
        let kinds = [self.kind(), self.kind()];
        let items: Vec<String> = kinds
            .iter()
            .enumerate()
            .map(|(number, kind)| format!("{} AS c{number}", self.expression(*kind, 1)))
            .collect();
        let id = self.id();
        let inner = format!("SELECT {id} AS id, {} FROM {from}", items.join(", "));
        let qualified = |column: String| format!("{name}.{column}");
        self.scope = kinds
            .iter()
            .enumerate()
            .map(|(number, kind)| ScopeColumn { sql: qualified(format!("c{number}")), kind: *kind })
            .collect();
        self.scope.push(ScopeColumn { sql: qualified("id".to_owned()), kind: Kind::Int4 });
        let materialized = ["", "MATERIALIZED ", "NOT MATERIALIZED "][self.random.random_range(0..3)];
        let outer = if self.chance(50) {
            let (aggregate, _) = self.aggregate();
            format!("SELECT {aggregate} FROM {name}")
        } else {
            let items = self.items(1, 1);
            format!("SELECT {name}.id, {items} FROM {name} ORDER BY 1")
        };
        format!("WITH {name} AS {materialized}({inner}) {outer}")
    }

    fn distinct_on(&mut self) -> String {
        let from = self.relation();
        let id = self.id();
        let kind = self.plain_kind();
        let key = self.simple(kind);
        let items = self.items(1, 1);
        if self.chance(40) {
            return format!("SELECT DISTINCT {items} FROM {from}");
        }
        let direction = *self.one_of(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
        format!("SELECT DISTINCT ON ({key}) {key}, {id}, {items} FROM {from} ORDER BY {key}{direction}, {id} DESC")
    }

    /// LIMIT, OFFSET and FETCH as constants and as parameters.
    fn limited(&mut self) -> String {
        let from = self.relation();
        let id = self.id();
        let items = self.items(1, 1);
        self.parameters.truncate(2);
        let mut text = format!("SELECT {id}, {items} FROM {from} ORDER BY 1");
        if text.contains("$3") {
            text = format!("SELECT {id} FROM {from} ORDER BY 1");
            self.parameters.clear();
        }
        let place = self.parameters.len() + 1;
        let counts = ["0", "3", "10", "NULL", "ALL", "-1", "2 + 1", "'4'", "1.5"];
        let count = *self.one_of(&counts);
        match self.random.random_range(0..7) {
            0 => text.push_str(&format!(" LIMIT {count}")),
            1 => text.push_str(&format!(" LIMIT 5 OFFSET {}", if count == "ALL" { "2" } else { count })),
            2 => text.push_str(" OFFSET 3 ROWS FETCH NEXT 4 ROWS ONLY"),
            3 => text.push_str(" FETCH FIRST 3 ROWS ONLY"),
            4 => text.push_str(" FETCH FIRST ROW ONLY"),
            5 => {
                let oid = [0, 20, 23][self.random.random_range(0..3)];
                self.push_parameter(oid, "4");
                text.push_str(&format!(" LIMIT ${place}"));
            }
            _ => {
                let oid = [0, 20][self.random.random_range(0..2)];
                self.push_parameter(oid, "4");
                self.push_parameter(oid, "2");
                text.push_str(&format!(" LIMIT ${place} OFFSET ${}", place + 1));
            }
        }
        text
    }

    fn push_parameter(&mut self, oid: u32, value: &str) {
        self.parameters.push(crate::differential::statement::Parameter { oid, value: Some(value.to_owned()) });
    }

    /// Subqueries: derived tables, scalar, IN, EXISTS, correlated, and rows of functions and of VALUES.
    fn nested(&mut self) -> String {
        match self.random.random_range(0..9) {
            0 => {
                let from = self.relation();
                let id = self.id();
                let kind = self.kind();
                let item = self.expression(kind, 1);
                let name = self.name();
                self.scope = vec![ScopeColumn { sql: format!("{name}.x"), kind }];
                let outer = self.items(1, 1);
                format!(
                    "SELECT {name}.id, {outer} FROM (SELECT {id} AS id, {item} AS x FROM {from}) AS {name} ORDER BY 1"
                )
            }
            1 => {
                self.scope = columns(&JOINED, "u");
                let (aggregate, _) = self.aggregate();
                format!("SELECT t.id, (SELECT {aggregate} FROM d.u AS u WHERE u.t_id = t.id) FROM d.t AS t ORDER BY 1")
            }
            2 => "SELECT t.id FROM d.t AS t WHERE t.id IN (SELECT u.t_id FROM d.u AS u WHERE u.v > 2) ORDER BY 1"
                .to_owned(),
            3 => "SELECT t.id FROM d.t AS t WHERE t.id NOT IN (SELECT u.t_id FROM d.u AS u WHERE u.v > 2) ORDER BY 1"
                .to_owned(),
            4 => {
                let not = if self.chance(50) { "NOT " } else { "" };
                self.scope = columns(&JOINED, "u");
                let condition = self.expression(Kind::Bool, 1);
                format!(
                    "SELECT t.id FROM d.t AS t WHERE {not}EXISTS (SELECT 1 FROM d.u AS u WHERE u.t_id = t.id AND {condition}) ORDER BY 1"
                )
            }
            5 => {
                self.scope = columns(&EVERY_TYPE, "t");
                let item = self.expression(Kind::Numeric, 1);
                format!("SELECT t.id FROM d.t AS t WHERE t.num > (SELECT avg({item}) FROM d.t AS t) ORDER BY 1")
            }
            6 => {
                let kind = self.kind();
                let values: Vec<String> =
                    (1..4).map(|number| format!("({number}, {})", self.expression(kind, 1))).collect();
                format!("SELECT * FROM (VALUES {}) AS v (n, x) ORDER BY n", values.join(", "))
            }
            7 => {
                let list = [
                    "generate_series(1, 5) AS g",
                    "generate_series(5, 1, -2) AS g",
                    "generate_series(DATE '2026-03-27', DATE '2026-03-31', INTERVAL '1 day') AS g",
                    "generate_series(TIMESTAMPTZ '2026-03-29 00:00+00', '2026-03-29 03:00+00', '30 min') AS g",
                    "unnest(ARRAY[3, 1, NULL]) AS g",
                    "unnest('{a,b}'::text[]) WITH ORDINALITY AS g(g, n)",
                    "generate_series(1.5, 3.0, 0.5) AS g",
                    "regexp_split_to_table('a b c', ' ') AS g",
                    "string_to_table('x,y', ',') AS g",
                    "regexp_matches('a1b2', '[a-z](\\d)', 'g') AS g",
                    "json_array_elements_text('[1,\"b\",null]'::json) AS g",
                ];
                format!("SELECT * FROM {} ORDER BY 1", self.one_of(&list))
            }
            _ => {
                let list = [
                    "SELECT id, unnest(ia) FROM d.t ORDER BY 1, 2",
                    "SELECT id, generate_series(1, 2) FROM d.t WHERE id < 4 ORDER BY 1, 2",
                    "TABLE d.u ORDER BY id LIMIT 3",
                    "VALUES (1, 'a'), (2, NULL) ORDER BY 1",
                    "SELECT t.id, x FROM d.t AS t CROSS JOIN LATERAL unnest(t.ta) WITH ORDINALITY AS a(x, n) ORDER BY t.id, n",
                    "SELECT u.*, t.s FROM d.u AS u LEFT JOIN d.t AS t ON t.id = u.t_id ORDER BY u.id",
                    "SELECT t FROM d.u AS t ORDER BY id LIMIT 2",
                    "SELECT count(*) FROM d.t AS a, d.t AS b WHERE a.s < b.s",
                ];
                (*self.one_of(&list)).to_string()
            }
        }
    }

    /// What follows FROM; the scope then has its columns.
    fn relation(&mut self) -> String {
        let (table, known): (&str, &[(&str, Kind)]) = match self.random.random_range(0..100) {
            0..68 => ("d.t", &EVERY_TYPE),
            68..82 => ("d.e", &EVERY_TYPE),
            82..97 => ("d.u", &JOINED),
            _ => ("d.nothing", &JOINED),
        };
        if self.chance(70) {
            self.scope =
                known.iter().map(|(name, kind)| ScopeColumn { sql: (*name).to_owned(), kind: *kind }).collect();
            return table.to_owned();
        }
        let name = self.name();
        self.scope = columns(known, &name);
        format!("{table} AS {name}")
    }

    /// Expressions of any types, some with a name.
    pub(super) fn items(&mut self, count: usize, depth: usize) -> String {
        let mut items = Vec::new();
        for number in 0..count {
            let kind = self.kind();
            let item = self.expression(kind, depth);
            items.push(match self.random.random_range(0..24) {
                0..4 => format!("{item} AS x{number}"),
                4..8 => format!("{item} \"Column {number}\""),
                8..10 => format!("{item} AS {}", self.name_of_column(number)),
                _ => item,
            });
        }
        items.join(", ")
    }

    fn filter(&mut self, text: &mut String, percent: u32) {
        if self.chance(percent) {
            let condition = self.expression(Kind::Bool, 2);
            text.push_str(&format!(" WHERE {condition}"));
        }
    }

    /// A name for a column of the list that a column of a table has, or else one with this number.
    fn name_of_column(&mut self, number: usize) -> String {
        let names: Vec<String> =
            self.scope.iter().map(|column| column.sql.rsplit('.').next().unwrap_or_default().to_owned()).collect();
        if names.is_empty() { format!("x{number}") } else { names[self.random.random_range(0..names.len())].clone() }
    }

    /// ORDER BY over the columns of the answer, and sometimes by another expression first; with a LIMIT only if all columns order it.
    fn order(&mut self, text: &mut String, columns: usize, key: &str) {
        if self.chance(25) {
            return;
        }
        let mut keys = Vec::new();
        for number in 1..=columns {
            let direction = *self.one_of(&["", "", "", " DESC", " ASC", " NULLS FIRST", " DESC NULLS LAST"]);
            keys.push(format!("{number}{direction}"));
        }
        if self.chance(50) {
            keys.reverse();
        }
        // A constant or a parameter in ORDER BY means something else.
        let has_column = self.scope.iter().any(|column| key.contains(&column.sql)) && !key.contains('$');
        if has_column && self.chance(25) {
            let direction = *self.one_of(&["", "", " DESC", " NULLS FIRST"]);
            keys.insert(0, format!("{key}{direction}"));
        }
        text.push_str(&format!(" ORDER BY {}", keys.join(", ")));
        if self.chance(25) {
            text.push_str(&format!(" LIMIT {}", self.random.random_range(0..8)));
        }
    }
}

fn columns(known: &[(&str, Kind)], name: &str) -> Vec<ScopeColumn> {
    known.iter().map(|(column, kind)| ScopeColumn { sql: format!("{name}.{column}"), kind: *kind }).collect()
}

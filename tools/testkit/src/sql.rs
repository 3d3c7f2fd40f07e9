//! Generated SQL: statements that a grammar makes for the tables and views of the archive, most of them right, and
//! statements at the bounds.
//!
//! ```text
//! Choices ─▶ 30 of 32: grammar ─▶ query: WITH, SELECT, joins, groups, windows, set operations ─▶ expressions by type
//!            1 of 32: grammar, damaged ─▶ mostly syntax errors
//!            1 of 32: hostile: long chains, deep nesting, much out of little, endless results
//! ```

mod expression;
mod hostile;

pub use hostile::{hostile, worst};

use crate::choices::Choices;
use std::fmt::Write;

/// The type of an expression, as far as the grammar distinguishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Time,
    Truth,
}

use Kind::{Number, Text, Time, Truth};

/// A column that an expression may name.
#[derive(Debug, Clone)]
struct Column {
    name: String,
    kind: Kind,
}

/// The tables and views, with some of their columns.
const RELATIONS: [(&str, &[(&str, Kind)]); 9] = [
    (
        "archive.events",
        &[
            ("id", Text),
            ("type", Text),
            ("subject", Text),
            ("agent", Text),
            ("operational", Text),
            ("data", Text),
            ("time", Time),
            ("archived_at", Time),
            ("kafka_offset", Number),
            ("rating", Number),
            ("duration", Number),
            ("time_implausible", Truth),
        ],
    ),
    (
        "archive.sessions",
        &[
            ("session", Text),
            ("portal", Text),
            ("agents", Text),
            ("feedback", Text),
            ("started_at", Time),
            ("waited", Number),
            ("rating", Number),
            ("broken_off", Truth),
        ],
    ),
    ("archive.chat_lines", &[("session", Text), ("text", Text), ("time", Time), ("seq", Number), ("redacted", Truth)]),
    ("archive.surveys", &[("session", Text), ("feedback", Text), ("time", Time), ("rating", Number)]),
    ("archive.tickets", &[("ticket", Text), ("status", Text), ("opened_at", Time)]),
    ("archive.diagnostics", &[("session", Text), ("apps", Text), ("time", Time), ("memory", Number)]),
    ("archive.recordings", &[("session", Text), ("recording_id", Text), ("chunks", Number), ("complete", Truth)]),
    ("archive.duplicates", &[("id", Text), ("time", Time)]),
    ("archive.dead_letters", &[("reason", Text), ("archived_at", Time), ("kafka_offset", Number)]),
];

/// Queries inside one another, at most.
const LEVELS: usize = 2;
/// Expressions inside one another, at most.
const EXPRESSION_LEVELS: usize = 4;

/// A statement.
pub fn statement(choices: &mut Choices<'_>) -> String {
    match choices.below(32) {
        30 => damaged(choices),
        31 => hostile(choices),
        _ => {
            let statement = Grammar { choices, names: 0 }.query(LEVELS);
            if choices.once_in(24) { format!("EXPLAIN {statement}") } else { statement }
        }
    }
}

/// A statement of which a part is missing, doubled, or replaced.
fn damaged(choices: &mut Choices<'_>) -> String {
    let statement = Grammar { choices, names: 0 }.query(1);
    let mut words: Vec<&str> = statement.split(' ').collect();
    let place = choices.below(words.len());
    let other =
        *choices.one_of(&[")", "(", ",", "SELECT", "FROM", "'", "\"", "$1", "--", "/*", ";", "::", "NULL", "\0"]);
    match choices.below(3) {
        0 => {
            words.remove(place);
        }
        1 => words.insert(place, other),
        _ => words[place] = other,
    }
    words.join(" ")
}

/// Makes statements.
struct Grammar<'c, 'b> {
    choices: &'c mut Choices<'b>,
    /// Names given to relations so far.
    names: usize,
}

impl Grammar<'_, '_> {
    /// A query that may hold others, `levels` deep.
    fn query(&mut self, levels: usize) -> String {
        let mut text = String::new();
        if levels > 0 && self.choices.once_in(8) {
            let name = self.name();
            let (inner, columns) = self.select(levels - 1, None);
            let _ = write!(text, "WITH {name} AS ({inner}) ");
            let columns =
                columns.into_iter().map(|column| Column { name: format!("{name}.{}", column.name), ..column });
            let (outer, _) = self.select(levels - 1, Some((name.clone(), columns.collect())));
            text.push_str(&outer);
        } else {
            text.push_str(&self.select(levels, None).0);
        }
        if self.choices.once_in(12) {
            // The number and the types of columns often differ, which is refused.
            let operator = *self.choices.one_of(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
            let _ = write!(text, " {operator} {}", self.select(0, None).0);
        }
        text
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("r{}", self.names)
    }

    /// A SELECT and the columns of its result. `given` is a relation to read from, with its qualified columns.
    fn select(&mut self, levels: usize, given: Option<(String, Vec<Column>)>) -> (String, Vec<Column>) {
        let (from, scope) = self.from(levels, given);
        let filter =
            if self.choices.once_in(2) { self.expression(Truth, &scope, EXPRESSION_LEVELS) } else { String::new() };
        let is_grouped = self.choices.once_in(3);
        let keys: Vec<Column> =
            if is_grouped { (0..self.choices.below(3)).map(|_| self.column(&scope)).collect() } else { Vec::new() };
        let mut columns = Vec::new();
        let mut items = Vec::new();
        for number in 0..1 + self.choices.below(4) {
            let kind = self.kind();
            let item = match (is_grouped, self.choices.below(8)) {
                (true, 0..=2) if !keys.is_empty() => self.choices.one_of(&keys).name.clone(),
                (true, _) => self.aggregate(kind, &scope),
                (false, 7) => self.window(kind, &scope),
                (false, _) => self.expression(kind, &scope, EXPRESSION_LEVELS),
            };
            items.push(format!("{item} AS c{number}"));
            columns.push(Column { name: format!("c{number}"), kind });
        }
        let distinct = if self.choices.once_in(10) { "DISTINCT " } else { "" };
        let mut text = format!("SELECT {distinct}{} FROM {from}", items.join(", "));
        if !filter.is_empty() {
            let _ = write!(text, " WHERE {filter}");
        }
        if !keys.is_empty() {
            let keys: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            let _ = write!(text, " GROUP BY {}", keys.join(", "));
        }
        if is_grouped && self.choices.once_in(4) {
            let _ = write!(text, " HAVING count(*) > {}", self.choices.below(3));
        }
        if self.choices.once_in(3) {
            let direction = *self.choices.one_of(&["", " DESC", " NULLS FIRST"]);
            let _ = write!(text, " ORDER BY {}{direction}", 1 + self.choices.below(items.len()));
        }
        if self.choices.once_in(2) {
            let _ = write!(text, " LIMIT {}", self.choices.below(1_000));
        }
        if self.choices.once_in(12) {
            let _ = write!(text, " OFFSET {}", self.choices.integer());
        }
        (text, columns)
    }

    /// What follows FROM, and the columns that can be named then.
    fn from(&mut self, levels: usize, given: Option<(String, Vec<Column>)>) -> (String, Vec<Column>) {
        let (mut text, mut scope) = match given {
            Some(given) => given,
            None => self.relation(levels),
        };
        for _ in 0..[0, 0, 0, 1, 2][self.choices.below(5)] {
            let (relation, columns) = self.relation(levels.saturating_sub(1));
            let join = *self.choices.one_of(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"]);
            let _ = write!(text, " {join} {relation}");
            if join != "CROSS JOIN" {
                let (left, right) = (self.column_of(Text, &scope), self.column_of(Text, &columns));
                let _ = write!(text, " ON {left} = {right}");
            }
            scope.extend(columns);
        }
        (text, scope)
    }

    /// A relation with a name, and its qualified columns.
    fn relation(&mut self, levels: usize) -> (String, Vec<Column>) {
        let name = self.name();
        let qualified = |column: &str| format!("{name}.{column}");
        match self.choices.below(12) {
            10 if levels > 0 => {
                let (inner, columns) = self.select(levels - 1, None);
                let columns = columns.into_iter().map(|column| Column { name: qualified(&column.name), ..column });
                (format!("({inner}) AS {name}"), columns.collect())
            }
            11 => {
                let end = *self.choices.one_of(&[1, 10, 1_000, 100_000]);
                let columns = vec![Column { name: qualified("value"), kind: Number }];
                (format!("generate_series(1, {end}) AS {name}"), columns)
            }
            _ => {
                let (table, columns) = self.choices.one_of(&RELATIONS);
                let columns = columns.iter().map(|(column, kind)| Column { name: qualified(column), kind: *kind });
                (format!("{table} AS {name}"), columns.collect())
            }
        }
    }

    fn kind(&mut self) -> Kind {
        *self.choices.one_of(&[Text, Text, Number, Number, Time, Truth])
    }

    fn column(&mut self, scope: &[Column]) -> Column {
        self.choices.one_of(scope).clone()
    }

    /// The name of a column of this type, or of any if there is none.
    fn column_of(&mut self, kind: Kind, scope: &[Column]) -> String {
        let fitting: Vec<&Column> = scope.iter().filter(|column| column.kind == kind).collect();
        if fitting.is_empty() { self.column(scope).name } else { self.choices.one_of(&fitting).name.clone() }
    }
}

#[cfg(test)]
mod tests;

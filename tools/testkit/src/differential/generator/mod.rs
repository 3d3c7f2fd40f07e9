//! The generator of statements: seeded, typed, and bounded, so that each takes a few milliseconds.
//!
//! ```text
//! seed, number ─▶ Writer ─▶ shape: rows, groups, windows, joins, set operations, CTEs, ... ─▶ SQL and parameters
//!                             │
//!                             └─▶ expression of a type ─▶ column, literal, parameter, or a template of templates.txt
//! ```
//!
//! Most statements are right. Where a result could depend on the order of rows, the statement orders by what makes it one;
//! what still depends on it is found by the comparison (see `runner`).

mod composed;
mod expression;
mod query;
mod templates;

use super::kind::Kind;
use super::statement::{Origin, Parameter, Statement};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use templates::Templates;

/// The columns of the tables of the schema `d`, by which statements are written.
const EVERY_TYPE: [(&str, Kind); 19] = [
    ("id", Kind::Int4),
    ("b", Kind::Bool),
    ("i2", Kind::Int2),
    ("i4", Kind::Int4),
    ("i8", Kind::Int8),
    ("f4", Kind::Float4),
    ("f8", Kind::Float8),
    ("num", Kind::Numeric),
    ("big", Kind::Numeric),
    ("s", Kind::Text),
    ("s2", Kind::Text),
    ("dt", Kind::Date),
    ("tm", Kind::Time),
    ("ts", Kind::Timestamp),
    ("tz", Kind::Timestamptz),
    ("iv", Kind::Interval),
    ("ta", Kind::TextArray),
    ("ia", Kind::IntArray),
    ("js", Kind::Text),
];
const JOINED: [(&str, Kind); 7] = [
    ("id", Kind::Int4),
    ("t_id", Kind::Int4),
    ("k", Kind::Text),
    ("v", Kind::Int4),
    ("amount", Kind::Numeric),
    ("at", Kind::Timestamptz),
    ("f", Kind::Float8),
];

/// Makes statements.
#[derive(Debug)]
pub struct Generator {
    templates: Templates,
}

impl Generator {
    /// Reads the templates.
    ///
    /// # Errors
    ///
    /// The line of `templates.txt` that cannot be read.
    pub fn new() -> Result<Self, String> {
        Ok(Self { templates: Templates::read()? })
    }

    /// The statement with this number. The same seed and number make the same one.
    #[must_use]
    pub fn statement(&self, seed: u64, number: u64) -> Statement {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(number);
        let with_parameters = random.random_range(0..100) < 15;
        let mut writer = Writer {
            random,
            templates: &self.templates,
            scope: Vec::new(),
            parameters: Vec::new(),
            with_parameters,
            names: 0,
        };
        let sql = writer.query();
        Statement { sql, parameters: writer.parameters, origin: Origin::Generated { seed, number } }
    }
}

/// A column that an expression may name.
#[derive(Debug, Clone)]
struct ScopeColumn {
    sql: String,
    kind: Kind,
}

/// Writes one statement.
struct Writer<'t> {
    random: ChaCha8Rng,
    templates: &'t Templates,
    scope: Vec<ScopeColumn>,
    parameters: Vec<Parameter>,
    with_parameters: bool,
    /// Names given to relations so far.
    names: usize,
}

impl Writer<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn one_of<'v, T: ?Sized>(&mut self, values: &'v [&'v T]) -> &'v &'v T {
        &values[self.random.random_range(0..values.len())]
    }

    fn kind(&mut self) -> Kind {
        Kind::ALL[self.random.random_range(0..Kind::ALL.len())]
    }

    /// A type that can be grouped and joined by in every statement.
    fn plain_kind(&mut self) -> Kind {
        const PLAIN: [Kind; 7] =
            [Kind::Int4, Kind::Text, Kind::Bool, Kind::Date, Kind::Int2, Kind::Numeric, Kind::Timestamptz];
        PLAIN[self.random.random_range(0..PLAIN.len())]
    }

    /// A column that is different in each row of the first relation, or all columns, or a constant.
    fn id(&self) -> String {
        let of_id = |column: &&ScopeColumn| column.sql == "id" || column.sql.ends_with(".id");
        if let Some(column) = self.scope.iter().find(of_id) {
            return column.sql.clone();
        }
        let all: Vec<&str> = self.scope.iter().map(|column| column.sql.as_str()).collect();
        if all.is_empty() { "1".to_owned() } else { all.join(", ") }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("r{}", self.names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::data::tables;
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    #[test]
    fn the_same_seed_makes_the_same_statements() {
        let generator = Generator::new().unwrap();
        for number in 0..200 {
            assert_eq!(generator.statement(5, number), generator.statement(5, number));
        }
        assert_ne!(generator.statement(5, 1), generator.statement(5, 2));
        assert_ne!(generator.statement(5, 1), generator.statement(6, 1));
    }

    #[test]
    fn most_statements_can_be_parsed_and_so_reduced() {
        let generator = Generator::new().unwrap();
        let parsed =
            |number: &u64| Parser::parse_sql(&PostgreSqlDialect {}, &generator.statement(1, *number).sql).is_ok();
        let count = (0..1_000).filter(parsed).count();
        assert!(count > 900, "{count} of 1000");
    }

    #[test]
    fn the_columns_are_those_of_the_tables() {
        let tables = tables(1);
        let of = |name: &str| tables.iter().find(|table| table.name == name).unwrap().columns().collect::<Vec<_>>();
        assert_eq!((of("t"), of("e")), (EVERY_TYPE.to_vec(), EVERY_TYPE.to_vec()));
        assert_eq!((of("u"), of("nothing")), (JOINED.to_vec(), JOINED.to_vec()));
    }
}

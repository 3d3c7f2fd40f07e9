//! Expressions by type: columns of the scope, literals, parameters, and templates with expressions in their holes.

use super::Writer;
use super::templates::{Part, Template};
use crate::differential::kind::Kind;
use crate::differential::statement::Parameter;
use rand::Rng;

/// Operators that are tried on every pair of types.
const OPERATORS: [&str; 22] = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "=",
    "<>",
    "<",
    ">=",
    "||",
    "IS DISTINCT FROM",
    "~",
    "LIKE",
    "&",
    "|",
    "#",
    "<<",
    "@>",
    "&&",
    "->>",
    "AT TIME ZONE",
];

impl Writer<'_> {
    /// An expression of this type, with templates inside one another to this depth.
    pub(super) fn expression(&mut self, kind: Kind, depth: usize) -> String {
        if depth > 0 && self.chance(55) {
            let count = self.templates.scalar[&kind].len();
            let number = self.random.random_range(0..count);
            let templates = self.templates;
            return self.fill(&templates.scalar[&kind][number], depth - 1);
        }
        self.simple(kind)
    }

    /// A column or a literal of this type.
    pub(super) fn simple(&mut self, kind: Kind) -> String {
        let columns: Vec<usize> = (0..self.scope.len()).filter(|column| self.scope[*column].kind == kind).collect();
        if !columns.is_empty() && self.chance(72) {
            let number = self.random.random_range(0..columns.len());
            return self.scope[columns[number]].sql.clone();
        }
        self.constant(kind)
    }

    /// A literal or a parameter of this type.
    pub(super) fn constant(&mut self, kind: Kind) -> String {
        if self.with_parameters && self.parameters.len() < 3 && self.chance(30) {
            return self.parameter(kind);
        }
        self.literal(kind)
    }

    /// What a template makes.
    pub(super) fn fill(&mut self, template: &Template, depth: usize) -> String {
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Of(kind) => text.push_str(&self.expression(*kind, depth)),
                Part::Any => {
                    let kind = self.kind();
                    text.push_str(&self.expression(kind, depth));
                }
                Part::Id => text.push_str(&self.id()),
                Part::Class(class) => {
                    let values = &self.templates.classes[class];
                    text.push_str(&values[self.random.random_range(0..values.len())]);
                }
            }
        }
        text
    }

    /// A call of an aggregate, and its type.
    pub(super) fn aggregate(&mut self) -> (String, Kind) {
        let templates = self.templates;
        let template = &templates.aggregate[self.random.random_range(0..templates.aggregate.len())];
        let depth = usize::from(self.chance(30));
        (self.fill(template, depth), template.kind)
    }

    /// A call of a window function without its window, and its type.
    pub(super) fn window_function(&mut self) -> (String, Kind) {
        let templates = self.templates;
        let template = &templates.window[self.random.random_range(0..templates.window.len())];
        (self.fill(template, 0), template.kind)
    }

    /// Any operator between any two types.
    pub(super) fn operator_pair(&mut self) -> String {
        let (left, right) = (self.kind(), self.kind());
        let operator = OPERATORS[self.random.random_range(0..OPERATORS.len())];
        let (left, right) = (self.simple(left), self.simple(right));
        format!("{left} {operator} {right}")
    }

    /// A cast from any type to any other.
    pub(super) fn cast_pair(&mut self) -> (String, Kind) {
        let (from, to) = (self.kind(), self.kind());
        let value = self.simple(from);
        if self.chance(25) {
            (format!("CAST({value} AS {})", to.name()), to)
        } else {
            (format!("({value})::{}", to.name()), to)
        }
    }

    fn parameter(&mut self, kind: Kind) -> String {
        let value = if self.chance(6) { None } else { Some(self.plain_value(kind)) };
        // Drivers name the type, or none; people cast.
        let (oid, cast) = match self.random.random_range(0..4) {
            0 => (kind.oid(), true),
            1 => (kind.oid(), false),
            2 => (0, true),
            _ => (0, false),
        };
        self.parameters.push(Parameter { oid, value });
        let number = self.parameters.len();
        if cast { format!("${number}::{}", kind.name()) } else { format!("${number}") }
    }

    /// A value as a client sends it.
    pub(super) fn plain_value(&mut self, kind: Kind) -> String {
        let values: &[&str] = match kind {
            Kind::Bool => &["true", "f"],
            Kind::Int2 | Kind::Int4 | Kind::Int8 => &["0", "1", "-7", "42", "1000"],
            Kind::Float4 | Kind::Float8 => &["0", "1.5", "-2.25", "1e3"],
            Kind::Numeric => &["0", "1.50", "-0.05", "12345.678"],
            Kind::Text => &["a", "alpha", "", "it's", "10", "ü%"],
            Kind::Date => &["2026-03-29", "2024-02-29", "1970-01-01"],
            Kind::Time => &["08:15:00", "23:59:59.5"],
            Kind::Timestamp => &["2026-03-29 02:30:00", "2026-10-25 01:00:00.25"],
            Kind::Timestamptz => &["2026-03-29 02:30:00+02", "2026-10-25 01:00:00Z"],
            Kind::Interval => &["1 day", "01:30:00", "1 month -2 days"],
            Kind::TextArray => &["{a,b}", "{}", "{NULL,\"x y\"}"],
            Kind::IntArray => &["{1,2}", "{}", "{NULL,7}"],
        };
        (*self.one_of(values)).to_owned()
    }

    fn literal(&mut self, kind: Kind) -> String {
        if self.chance(4) {
            return format!("NULL::{}", kind.name());
        }
        if self.chance(2) {
            return "NULL".to_owned();
        }
        let values: &[&str] = match kind {
            Kind::Bool => &["true", "false", "TRUE", "'t'::boolean", "(1 = 1)"],
            Kind::Int2 => &["7::smallint", "(-3)::int2", "32767::smallint", "'12'::smallint", "0::smallint"],
            Kind::Int4 => {
                &["0", "1", "2", "7", "-5", "100", "42", "2147483647", "(-2147483648)", "'3'::int", "int '9'"]
            }
            Kind::Int8 => {
                &["5::bigint", "3000000000", "9223372036854775807", "(-1)::int8", "0::bigint", "1000000::bigint"]
            }
            Kind::Float4 => &["1.5::real", "0::real", "(-0.1)::float4", "'1e10'::real"],
            Kind::Float8 => &[
                "1.5::double precision",
                "0.1::float8",
                "2.5::float8",
                "(-2.5)::float8",
                "1e10::float8",
                "'NaN'::float8",
                "'Infinity'::float8",
                "0::float8",
                "float8 '3.25'",
            ],
            Kind::Numeric => &[
                "1.50",
                "0.1",
                "2.5",
                "-2.5",
                "1.0",
                "100.00",
                "12345678901234567890.123456789",
                "0.00000001",
                "'NaN'::numeric",
                "7::numeric",
                "1.005::numeric(10, 2)",
                "1e3",
                "99999999999999999999999999999999999999",
            ],
            Kind::Text => &[
                "'alpha'",
                "'a'",
                "''",
                "'it''s'",
                "'b c'",
                "'Ünïcode'",
                "E'tab\\there'",
                "'100%'",
                "text 'x'",
                "'10'",
                "'日本'::text",
                "$$dollar$$",
                "U&'d\\0061t\\+000061'",
            ],
            Kind::Date => &[
                "DATE '2026-03-29'",
                "'2024-02-29'::date",
                "date '1970-01-01'",
                "'0001-01-01'::date",
                "'9999-12-31'::date",
                "CAST('2026-10-25' AS date)",
            ],
            Kind::Time => &["TIME '08:15:00'", "'23:59:59.999999'::time", "time '00:00'"],
            Kind::Timestamp => &[
                "TIMESTAMP '2026-03-29 02:30:00'",
                "'2026-10-25 02:30:00.5'::timestamp",
                "timestamp '1969-12-31 23:59:59.999999'",
                "'2024-02-29'::timestamp",
                "TIMESTAMP WITHOUT TIME ZONE '2026-05-10 08:00'",
            ],
            Kind::Timestamptz => &[
                "TIMESTAMPTZ '2026-03-29 00:59:59+00'",
                "'2026-10-25 02:30:00+02'::timestamptz",
                "'2026-03-08 07:00:00Z'::timestamptz",
                "TIMESTAMP WITH TIME ZONE '2026-05-10 08:00:00+05:30'",
                "'2026-01-31'::timestamptz",
            ],
            Kind::Interval => &[
                "INTERVAL '1 day'",
                "interval '1 month'",
                "'36:00:00'::interval",
                "INTERVAL '1' DAY",
                "INTERVAL '90' MINUTE",
                "interval 'P1DT2H'",
                "INTERVAL '1-2' YEAR TO MONTH",
                "INTERVAL '1 2:03' DAY TO MINUTE",
                "interval '-1 day 02:00'",
                "INTERVAL '0.5 day'",
                "interval '1 week ago'",
            ],
            Kind::TextArray => &["ARRAY['a', 'b']", "'{a,NULL}'::text[]", "'{}'::text[]", "ARRAY['x']::text[]"],
            Kind::IntArray => &["ARRAY[1, 2, 3]", "'{4,NULL}'::int[]", "'{}'::integer[]", "ARRAY[1]::int4[]"],
        };
        (*self.one_of(values)).to_owned()
    }
}

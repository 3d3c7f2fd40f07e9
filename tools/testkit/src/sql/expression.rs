//! Expressions of the grammar, by their types.

use super::Kind::{Number, Text, Time, Truth};
use super::{Column, Grammar, Kind};

/// Functions: the type of the result, the name, and the types of the arguments.
const FUNCTIONS: [(Kind, &str, &[Kind]); 56] = [
    (Text, "upper", &[Text]),
    (Text, "initcap", &[Text]),
    (Text, "reverse", &[Text]),
    (Text, "md5", &[Text]),
    (Text, "trim", &[Text]),
    (Text, "repeat", &[Text, Number]),
    (Text, "lpad", &[Text, Number, Text]),
    (Text, "rpad", &[Text, Number]),
    (Text, "left", &[Text, Number]),
    (Text, "substr", &[Text, Number, Number]),
    (Text, "replace", &[Text, Text, Text]),
    (Text, "translate", &[Text, Text, Text]),
    (Text, "overlay", &[Text, Text, Number]),
    (Text, "split_part", &[Text, Text, Number]),
    (Text, "concat_ws", &[Text, Text, Text]),
    (Text, "regexp_replace", &[Text, Text, Text]),
    (Text, "json_get_str", &[Text, Text]),
    (Text, "coalesce", &[Text, Text]),
    (Text, "nullif", &[Text, Text]),
    (Text, "chr", &[Number]),
    (Text, "to_hex", &[Number]),
    (Text, "to_char", &[Time, Text]),
    (Text, "arrow_typeof", &[Text]),
    (Text, "array_to_string", &[Text, Text]),
    (Number, "abs", &[Number]),
    (Number, "round", &[Number, Number]),
    (Number, "trunc", &[Number]),
    (Number, "power", &[Number, Number]),
    (Number, "sqrt", &[Number]),
    (Number, "ln", &[Number]),
    (Number, "exp", &[Number]),
    (Number, "factorial", &[Number]),
    (Number, "gcd", &[Number, Number]),
    (Number, "lcm", &[Number, Number]),
    (Number, "log", &[Number, Number]),
    (Number, "length", &[Text]),
    (Number, "octet_length", &[Text]),
    (Number, "ascii", &[Text]),
    (Number, "strpos", &[Text, Text]),
    (Number, "levenshtein", &[Text, Text]),
    (Number, "find_in_set", &[Text, Text]),
    (Number, "json_get_int", &[Text, Text]),
    (Number, "regexp_count", &[Text, Text]),
    (Number, "coalesce", &[Number, Number]),
    (Number, "greatest", &[Number, Number]),
    (Number, "nanvl", &[Number, Number]),
    (Number, "date_part", &[Text, Time]),
    (Time, "date_trunc", &[Text, Time]),
    (Time, "to_timestamp", &[Number]),
    (Time, "to_timestamp_micros", &[Number]),
    (Time, "coalesce", &[Time, Time]),
    (Time, "from_unixtime", &[Number]),
    (Truth, "regexp_like", &[Text, Text]),
    (Truth, "starts_with", &[Text, Text]),
    (Truth, "json_contains", &[Text, Text]),
    (Truth, "isnan", &[Number]),
];
const TEXTS: [&str; 16] = [
    "",
    "a",
    "customer",
    "%",
    "day",
    "month",
    "epoch",
    "(a+)+$",
    "[",
    "2026-05-10",
    "{\"a\":[1]}",
    "YYYY-MM-DD",
    "it''s",
    "ü😀",
    ",",
    "(?i)(?:a{1,50}){1,50}",
];
const UNITS: [&str; 7] = ["'day'", "'month'", "'hour'", "'epoch'", "'century'", "'microsecond'", "'nonsense'"];
const TIMES: [&str; 7] = [
    "now()",
    "TIMESTAMP '2026-05-10 08:00:00'",
    "TIMESTAMP '0001-01-01 00:00:00'",
    "TIMESTAMP '9999-12-31 23:59:59'",
    "CAST('1677-09-21' AS TIMESTAMP)",
    "CURRENT_DATE",
    "NULL::timestamp",
];
const INTERVALS: [&str; 5] = ["1 day", "15 minutes", "1 month", "2147483647 days", "-1 microsecond"];

impl Grammar<'_, '_> {
    /// An expression of a type, `levels` deep at most.
    pub(super) fn expression(&mut self, kind: Kind, scope: &[Column], levels: usize) -> String {
        if levels == 0 || self.choices.below(2) == 0 {
            return if self.choices.once_in(4) { self.constant(kind) } else { self.column_of(kind, scope) };
        }
        let levels = levels - 1;
        if self.choices.once_in(48) {
            // Of a wrong type, as often as not.
            let other = self.kind();
            return self.expression(other, scope, levels);
        }
        match self.choices.below(8) {
            0..=2 => self.call(kind, scope, levels),
            3 => {
                let condition = self.expression(Truth, scope, levels);
                let [one, other] = [(); 2].map(|()| self.expression(kind, scope, levels));
                format!("CASE WHEN {condition} THEN {one} ELSE {other} END")
            }
            4 => self.cast(kind, scope, levels),
            _ => self.operation(kind, scope, levels),
        }
    }

    fn constant(&mut self, kind: Kind) -> String {
        match kind {
            _ if self.choices.once_in(10) => "NULL".to_owned(),
            Text if self.choices.once_in(3) => format!("'{}'", self.choices.text(12).replace('\'', "''")),
            Text => format!("'{}'", self.choices.one_of(&TEXTS)),
            Number if self.choices.once_in(4) => {
                (*self.choices.one_of(&["0.1", "1e308", "'NaN'::double", "-0.0", "9999999999999999999"])).to_owned()
            }
            Number => self.choices.integer().to_string(),
            Time => (*self.choices.one_of(&TIMES)).to_owned(),
            Truth => (*self.choices.one_of(&["true", "false"])).to_owned(),
        }
    }

    fn call(&mut self, kind: Kind, scope: &[Column], levels: usize) -> String {
        let fitting: Vec<_> = FUNCTIONS.iter().filter(|(result, ..)| *result == kind).collect();
        let (_, name, arguments) = **self.choices.one_of(&fitting);
        let mut arguments: Vec<String> =
            arguments.iter().map(|argument| self.expression(*argument, scope, levels)).collect();
        if name.starts_with("date_") {
            // Hardly any other text is a part of a time.
            arguments[0] = (*self.choices.one_of(&UNITS)).to_owned();
        }
        format!("{name}({})", arguments.join(", "))
    }

    fn cast(&mut self, kind: Kind, scope: &[Column], levels: usize) -> String {
        let from = self.kind();
        let inner = self.expression(from, scope, levels);
        let into = match kind {
            Text => *self.choices.one_of(&["text", "varchar"]),
            Number => *self.choices.one_of(&["bigint", "int", "double", "decimal(38, 10)", "smallint"]),
            Time => *self.choices.one_of(&["timestamp", "timestamptz", "date"]),
            Truth => "boolean",
        };
        let cast = *self.choices.one_of(&["CAST", "TRY_CAST"]);
        format!("{cast}({inner} AS {into})")
    }

    fn operation(&mut self, kind: Kind, scope: &[Column], levels: usize) -> String {
        let mut inner = |kind| self.expression(kind, scope, levels);
        match kind {
            Text => {
                let (one, other) = (inner(Text), inner(Text));
                let operator = *self.choices.one_of(&["||", "->>"]);
                format!("({one} {operator} {other})")
            }
            Number => {
                let (one, other) = (inner(Number), inner(Number));
                let operator = *self.choices.one_of(&["+", "-", "*", "/", "%", "&", "<<", "^"]);
                format!("({one} {operator} {other})")
            }
            Time => {
                let time = inner(Time);
                let operator = *self.choices.one_of(&["+", "-"]);
                let interval = *self.choices.one_of(&INTERVALS);
                match self.choices.below(3) {
                    0 => format!("({time} {operator} INTERVAL '{interval}')"),
                    1 => format!("date_bin(INTERVAL '{interval}', {time})"),
                    _ => format!("({time} AT TIME ZONE 'Europe/Berlin')"),
                }
            }
            Truth => self.condition(scope, levels),
        }
    }

    fn condition(&mut self, scope: &[Column], levels: usize) -> String {
        let kind = self.kind();
        let one = self.expression(kind, scope, levels);
        let other = self.expression(kind, scope, levels);
        match self.choices.below(8) {
            0..=2 => {
                let operator = *self.choices.one_of(&["=", "<>", "<", ">=", "IS DISTINCT FROM"]);
                format!("({one} {operator} {other})")
            }
            3 => {
                let text = self.expression(Text, scope, levels);
                let operator = *self.choices.one_of(&["LIKE", "ILIKE", "NOT LIKE", "~", "~*", "SIMILAR TO"]);
                format!("({text} {operator} {})", self.constant(Text))
            }
            4 => format!("({one} IN ({other}, {}))", self.constant(kind)),
            5 => format!("({one} IS NOT NULL)"),
            6 => format!("(NOT {})", self.expression(Truth, scope, levels)),
            _ => {
                let [left, right] = [(); 2].map(|()| self.expression(Truth, scope, levels));
                let operator = *self.choices.one_of(&["AND", "OR"]);
                format!("({left} {operator} {right})")
            }
        }
    }

    /// A call of an aggregate function.
    pub(super) fn aggregate(&mut self, kind: Kind, scope: &[Column]) -> String {
        let argument = self.expression(kind, scope, 2);
        let call = match (kind, self.choices.below(8)) {
            (_, 0) => "count(*)".to_owned(),
            (_, 1) => format!("count(DISTINCT {argument})"),
            (_, 2) => format!("last_value({argument} ORDER BY {argument})"),
            (_, 3) => format!("array_length(array_agg({argument}))"),
            (Text, 4) => format!("string_agg({argument}, ', ')"),
            (Number, 4) => format!("sum({argument})"),
            (Number, 5) => format!("avg({argument})"),
            (Number, 6) => format!("stddev({argument})"),
            (Number, 7) => format!("approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY {argument})"),
            (Truth, _) => format!("bool_or({argument})"),
            (_, 5) => format!("min({argument})"),
            _ => format!("max({argument})"),
        };
        if self.choices.once_in(6) {
            let condition = self.expression(Truth, scope, 1);
            return format!("{call} FILTER (WHERE {condition})");
        }
        call
    }

    /// A call of a window function.
    pub(super) fn window(&mut self, kind: Kind, scope: &[Column]) -> String {
        let argument = self.expression(kind, scope, 1);
        let call = match self.choices.below(6) {
            0 => "row_number()".to_owned(),
            1 => "rank()".to_owned(),
            2 => format!("lag({argument}, {})", self.choices.integer()),
            3 => format!("first_value({argument})"),
            4 => format!("ntile({})", self.choices.integer()),
            _ => format!("max({argument})"),
        };
        let partition = if self.choices.once_in(2) { self.column(scope).name } else { "1".to_owned() };
        let order = self.column(scope).name;
        let frame = *self.choices.one_of(&[
            "",
            " ROWS BETWEEN 3 PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
            " GROUPS 1 PRECEDING",
        ]);
        format!("{call} OVER (PARTITION BY {partition} ORDER BY {order}{frame})")
    }
}

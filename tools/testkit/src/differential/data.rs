//! The generated tables of the schema `d`: the same rows as INSERTs for PostgreSQL and as Arrow arrays for Holdfast.
//!
//! | table | what |
//! |---|---|
//! | `d.t` | every type, ordinary values, some NULL |
//! | `d.e` | the same columns with the edges of each type |
//! | `d.u` | rows to join with `d.t` |
//! | `d.nothing` | the columns of `d.u`, and no rows |
//!
//! Floats of `d.t` and `d.u` are eighths, so that a sum does not depend on the order of its rows.

use super::kind::{ColumnType, Kind};
use arrow_array::builder::{Int32Builder, ListBuilder, StringBuilder};
use arrow_array::types::IntervalMonthDayNano;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int16Array, Int32Array,
    Int64Array, IntervalMonthDayNanoArray, RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, Field, Schema};
use chrono::{DateTime, NaiveDate};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

const ROWS: i32 = 24;
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// 0001-01-01 and 9999-12-31, in days since 1970.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Units of the column's last decimal place.
    Decimal(i128),
    Text(String),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970.
    Timestamp(i64),
    /// Months, days, and microseconds.
    Interval(i32, i32, i64),
    Texts(Vec<Option<String>>),
    Ints(Vec<Option<i32>>),
}

/// A table with its rows.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name in the schema `d`.
    pub name: &'static str,
    columns: Vec<(&'static str, ColumnType)>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// Its columns: names and types.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, Kind)> + '_ {
        self.columns.iter().map(|(name, kind)| (*name, kind.kind))
    }

    /// The statements that make it in PostgreSQL, with the rows in this order or in the reversed one.
    #[must_use]
    pub fn statements(&self, reversed: bool) -> String {
        let columns: Vec<String> = self.columns.iter().map(|(name, kind)| format!("{name} {}", kind.sql())).collect();
        let mut text = format!("CREATE TABLE d.{} ({});\n", self.name, columns.join(", "));
        let mut rows: Vec<&Vec<Value>> = self.rows.iter().collect();
        if reversed {
            rows.reverse();
        }
        for row in rows {
            let values = row.iter().zip(&self.columns).map(|(value, (_, kind))| literal(value, kind));
            text.push_str(&format!(
                "INSERT INTO d.{} VALUES ({});\n",
                self.name,
                values.collect::<Vec<_>>().join(", ")
            ));
        }
        text
    }

    /// Its rows in Arrow.
    ///
    /// # Errors
    ///
    /// If a value does not have its column's type, which is a mistake of this module.
    pub fn batch(&self) -> Result<RecordBatch, ArrowError> {
        let fields: Vec<Field> =
            self.columns.iter().map(|(name, kind)| Field::new(*name, kind.arrow(), true)).collect();
        let arrays = self.columns.iter().enumerate().map(|(index, (_, kind))| {
            let values: Vec<&Value> = self.rows.iter().map(|row| &row[index]).collect();
            array(&values, kind)
        });
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect::<Result<_, _>>()?)
    }
}

fn plain(kind: Kind) -> ColumnType {
    ColumnType { kind, precision: (0, 0) }
}

fn numeric(precision: u8, scale: i8) -> ColumnType {
    ColumnType { kind: Kind::Numeric, precision: (precision, scale) }
}

fn every_type() -> Vec<(&'static str, ColumnType)> {
    vec![
        ("id", plain(Kind::Int4)),
        ("b", plain(Kind::Bool)),
        ("i2", plain(Kind::Int2)),
        ("i4", plain(Kind::Int4)),
        ("i8", plain(Kind::Int8)),
        ("f4", plain(Kind::Float4)),
        ("f8", plain(Kind::Float8)),
        ("num", numeric(12, 2)),
        ("big", numeric(38, 10)),
        ("s", plain(Kind::Text)),
        ("s2", plain(Kind::Text)),
        ("dt", plain(Kind::Date)),
        ("tm", plain(Kind::Time)),
        ("ts", plain(Kind::Timestamp)),
        ("tz", plain(Kind::Timestamptz)),
        ("iv", plain(Kind::Interval)),
        ("ta", plain(Kind::TextArray)),
        ("ia", plain(Kind::IntArray)),
        ("js", plain(Kind::Text)),
    ]
}

fn joined() -> Vec<(&'static str, ColumnType)> {
    vec![
        ("id", plain(Kind::Int4)),
        ("t_id", plain(Kind::Int4)),
        ("k", plain(Kind::Text)),
        ("v", plain(Kind::Int4)),
        ("amount", numeric(10, 2)),
        ("at", plain(Kind::Timestamptz)),
        ("f", plain(Kind::Float8)),
    ]
}

/// The tables. The rows are the same for the same seed.
#[must_use]
pub fn tables(seed: u64) -> Vec<Table> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let ordinary = (1..=ROWS).map(|id| ordinary_row(&mut random, id)).collect();
    let columns = every_type();
    let edges = (0..18).map(|row| edge_row(&columns, row)).collect();
    let others = (1..=30).map(|id| joined_row(&mut random, id)).collect();
    vec![
        Table { name: "t", columns: columns.clone(), rows: ordinary },
        Table { name: "e", columns, rows: edges },
        Table { name: "u", columns: joined(), rows: others },
        Table { name: "nothing", columns: joined(), rows: Vec::new() },
    ]
}

const WORDS: [&str; 20] = [
    "alpha",
    "Beta",
    "gamma",
    "10 Downing St",
    "ünïcode",
    "it's",
    "a\"b",
    "100%",
    "snake_case",
    "  padded ",
    "MiXeD",
    "",
    "2026-03-29",
    "42",
    "-7.50",
    "true",
    "tab\there",
    "日本語",
    "a-priya",
    "back\\slash",
];

/// Times around changes of the clocks in Vienna and New York, in seconds since 1970, and a leap day.
const INSTANTS: [i64; 8] = [
    1_774_746_000, // 2026-03-29 01:00:00Z: Vienna goes to summer time.
    1_774_745_999,
    1_792_889_999, // 2026-10-25 00:59:59Z: Vienna still has summer time.
    1_792_890_000,
    1_772_953_200, // 2026-03-08 07:00:00Z: New York goes to summer time.
    1_793_512_800, // 2026-11-01 06:00:00Z: New York goes back.
    1_709_164_800, // 2024-02-29.
    1_767_225_599, // 2025-12-31 23:59:59Z.
];

fn ordinary_row(random: &mut ChaCha8Rng, id: i32) -> Vec<Value> {
    if id == ROWS {
        return std::iter::once(Value::Int(i64::from(id))).chain(vec![Value::Null; every_type().len() - 1]).collect();
    }
    let word = |random: &mut ChaCha8Rng| WORDS[random.random_range(0..WORDS.len())].to_owned();
    let instant = |random: &mut ChaCha8Rng| {
        let base = INSTANTS[random.random_range(0..INSTANTS.len())] * SECOND;
        match random.random_range(0..3) {
            0 => base,
            1 => base + random.random_range(0..DAY),
            _ => base + random.random_range(-400..400) * DAY + random.random_range(0..1_000) * 1_000,
        }
    };
    let mut row = vec![
        Value::Int(i64::from(id)),
        Value::Bool(random.random()),
        Value::Int(random.random_range(-50..50)),
        Value::Int(random.random_range(-1_000..1_000)),
        Value::Int(random.random_range(-1_000_000..1_000_000_000)),
        Value::Float(f64::from(random.random_range(-800_i32..800)) / 8.0),
        Value::Float(f64::from(random.random_range(-80_000_i32..80_000)) / 8.0),
        Value::Decimal(random.random_range(-1_000_000..1_000_000)),
        Value::Decimal(random.random_range(-1_000_000_000_000_000..1_000_000_000_000_000)),
        Value::Text(word(random)),
        Value::Text(word(random)),
        Value::Date(i32::try_from(instant(random).div_euclid(DAY)).unwrap_or_default()),
        Value::Time(random.random_range(0..86_400) * SECOND + random.random_range(0..1_000) * 1_000),
        Value::Timestamp(instant(random)),
        Value::Timestamp(instant(random)),
        Value::Interval(
            random.random_range(-14..14),
            random.random_range(-40..40),
            random.random_range(-90_000..90_000) * SECOND + random.random_range(0..1_000) * 1_000,
        ),
        Value::Texts((0..random.random_range(0..4)).map(|_| random.random_bool(0.8).then(|| word(random))).collect()),
        Value::Ints(
            (0..random.random_range(0..4))
                .map(|_| random.random_bool(0.8).then(|| random.random_range(-9..99)))
                .collect(),
        ),
        Value::Text(json(random)),
    ];
    for value in &mut row[1..] {
        if random.random_bool(0.12) {
            *value = Value::Null;
        }
    }
    row
}

fn json(random: &mut ChaCha8Rng) -> String {
    let number = random.random_range(-5..100);
    let texts = [
        format!("{{\"a\": {number}, \"b\": \"x{number}\", \"c\": [1, 2, {number}], \"d\": null}}"),
        format!("{{\"a\": \"{number}\", \"b\": {{\"deep\": [true, false, {{\"k\": \"ü\"}}]}}}}"),
        format!("[{number}, \"two\", null, {{\"a\": 1.50}}]"),
        "{}".to_owned(),
        format!("{number}"),
        "\"quoted \\\"text\\\"\"".to_owned(),
    ];
    texts[random.random_range(0..texts.len())].clone()
}

fn edge_row(columns: &[(&'static str, ColumnType)], row: usize) -> Vec<Value> {
    columns
        .iter()
        .map(|(name, kind)| if *name == "id" { Value::Int(row as i64 + 1) } else { edge(kind, row) })
        .collect()
}

/// The edge with this number, and NULL after the last: each type has another number of them.
fn edge(kind: &ColumnType, row: usize) -> Value {
    let nth = |values: &[Value]| values.get(row % (values.len() + 1)).cloned().unwrap_or(Value::Null);
    let ints = |least: i64, most: i64| {
        let numbers = [0, 1, -1, most, least, most - 1, 2, 10, -10];
        nth(&numbers.map(Value::Int))
    };
    let text = |text: &str| Value::Text(text.to_owned());
    match kind.kind {
        Kind::Bool => nth(&[Value::Bool(true), Value::Bool(false)]),
        Kind::Int2 => ints(i16::MIN.into(), i16::MAX.into()),
        Kind::Int4 => ints(i32::MIN.into(), i32::MAX.into()),
        Kind::Int8 => ints(i64::MIN, i64::MAX),
        Kind::Float4 => {
            nth(&[0.0, -0.0, 1.5, -2.5, 0.1, 16_777_216.0, f64::INFINITY, f64::NAN, 1e30].map(Value::Float))
        }
        Kind::Float8 => nth(&[
            0.0,
            -0.0,
            0.5,
            1.5,
            2.5,
            -2.5,
            1e15,
            1e16,
            1e-5,
            1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            0.1,
        ]
        .map(Value::Float)),
        Kind::Numeric => {
            let (precision, scale) = kind.precision;
            let most = 10_i128.pow(u32::from(precision)) - 1;
            let one = 10_i128.pow(u32::from(scale.unsigned_abs()));
            nth(&[0, one, -one, most, -most, 1, -1, one / 2, one + one / 2, 5 * one / 2, 100 * one].map(Value::Decimal))
        }
        Kind::Text => nth(&[
            text(""),
            text(" "),
            text("a"),
            text("ä"),
            text("A"),
            text("'"),
            text("''\"\\"),
            text("%_\\%"),
            text(&"long ".repeat(400)),
            text("👍🏽 emoji"),
            text("e\u{301}"),
            text("ß"),
            text("İstanbul"),
            text("line\nbreak"),
            text("NULL"),
        ]),
        Kind::Date => nth(&[0, FIRST_DAY, LAST_DAY, -1, 19_782, 11_016, 20_541, 20_751].map(Value::Date)),
        Kind::Time => nth(&[0, DAY - 1, DAY / 2, SECOND, 1, DAY - SECOND].map(Value::Time)),
        Kind::Timestamp | Kind::Timestamptz => {
            let (first, last) = (i64::from(FIRST_DAY) * DAY, i64::from(LAST_DAY) * DAY + DAY - 1);
            let changes = INSTANTS.map(|instant| instant * SECOND);
            let mut edges = vec![0, first, last, -1, 951_782_400 * SECOND, 1, 4_102_444_800 * SECOND];
            edges.extend(changes);
            nth(&edges.into_iter().map(Value::Timestamp).collect::<Vec<_>>())
        }
        Kind::Interval => nth(&[
            Value::Interval(0, 0, 0),
            Value::Interval(1, 0, 0),
            Value::Interval(-1, 0, 0),
            Value::Interval(0, 1, 0),
            Value::Interval(0, -1, 0),
            Value::Interval(0, 0, 1),
            Value::Interval(0, 0, -1),
            Value::Interval(12, 0, 0),
            Value::Interval(14, -3, 3_600 * SECOND),
            Value::Interval(-14, 3, -3_600 * SECOND),
            Value::Interval(0, 0, 90_061 * SECOND),
            Value::Interval(0, 30, 0),
        ]),
        Kind::TextArray => nth(&[
            Value::Texts(Vec::new()),
            Value::Texts(vec![None]),
            Value::Texts(["", "NULL", "a,b", "{x}", "\"", "\\", " s "].map(|text| Some(text.to_owned())).to_vec()),
            Value::Texts(vec![Some("a".to_owned()), None, Some("a".to_owned())]),
        ]),
        Kind::IntArray => nth(&[
            Value::Ints(Vec::new()),
            Value::Ints(vec![None]),
            Value::Ints(vec![Some(i32::MAX), Some(i32::MIN), None, Some(0)]),
            Value::Ints(vec![Some(1), Some(1), Some(2)]),
        ]),
    }
}

fn joined_row(random: &mut ChaCha8Rng, id: i32) -> Vec<Value> {
    let mut row = vec![
        Value::Int(i64::from(id)),
        Value::Int(random.random_range(1..=i64::from(ROWS) + 4)),
        Value::Text(["red", "green", "blue", "it's"][random.random_range(0..4)].to_owned()),
        Value::Int(random.random_range(0..6)),
        Value::Decimal(random.random_range(-5_000..100_000)),
        Value::Timestamp((1_774_000_000 + random.random_range(0..40) * 43_200) * SECOND),
        Value::Float(f64::from(random.random_range(-40_i32..40)) / 8.0),
    ];
    for value in &mut row[1..] {
        if random.random_bool(0.1) {
            *value = Value::Null;
        }
    }
    row
}

/// The value as a literal of PostgreSQL. Backslashes are ordinary in its literals.
fn literal(value: &Value, kind: &ColumnType) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => format!("'{value}'"),
        Value::Float(value) if value.is_nan() => "'NaN'".to_owned(),
        Value::Float(value) if value.is_infinite() => format!("'{}Infinity'", if *value > 0.0 { "" } else { "-" }),
        Value::Float(value) => format!("'{value:?}'"),
        Value::Decimal(units) => {
            let scale = usize::from(kind.precision.1.unsigned_abs());
            let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("'{}{whole}.{fraction}'", if *units < 0 { "-" } else { "" })
        }
        Value::Text(text) => quoted(text),
        Value::Date(days) => {
            let epoch = NaiveDate::default();
            quoted(&(epoch + chrono::Duration::days(i64::from(*days))).format("%Y-%m-%d").to_string())
        }
        Value::Time(micros) => {
            let (seconds, rest) = (micros / SECOND, micros % SECOND);
            format!("'{:02}:{:02}:{:02}.{rest:06}'", seconds / 3_600, seconds / 60 % 60, seconds % 60)
        }
        Value::Timestamp(micros) => {
            let time = DateTime::from_timestamp_micros(*micros).unwrap_or_default();
            let zone = if kind.kind == Kind::Timestamptz { "+00" } else { "" };
            format!("'{}{zone}'", time.format("%Y-%m-%d %H:%M:%S%.6f"))
        }
        Value::Interval(months, days, micros) => {
            let (sign, size) = (if *micros < 0 { "-" } else { "" }, micros.unsigned_abs());
            format!("'{months} mons {days} days {sign}{}.{:06} secs'", size / 1_000_000, size % 1_000_000)
        }
        Value::Texts(items) => {
            let items: Vec<String> =
                items.iter().map(|item| item.as_ref().map_or("NULL".to_owned(), |item| quoted(item))).collect();
            format!("ARRAY[{}]::text[]", items.join(", "))
        }
        Value::Ints(items) => {
            let items: Vec<String> =
                items.iter().map(|item| item.map_or("NULL".to_owned(), |item| format!("'{item}'"))).collect();
            format!("ARRAY[{}]::integer[]", items.join(", "))
        }
    }
}

fn array(values: &[&Value], kind: &ColumnType) -> Result<ArrayRef, ArrowError> {
    let int = |value: &&Value| if let Value::Int(value) = value { Some(*value) } else { None };
    let float = |value: &&Value| if let Value::Float(value) = value { Some(*value) } else { None };
    let instant = |value: &&Value| match value {
        Value::Timestamp(micros) | Value::Time(micros) => Some(*micros),
        _ => None,
    };
    let values = values.iter();
    Ok(match kind.kind {
        Kind::Bool => Arc::new(
            values
                .map(|value| if let Value::Bool(value) = value { Some(*value) } else { None })
                .collect::<BooleanArray>(),
        ),
        Kind::Int2 => Arc::new(values.map(int).map(|value| value.map(|value| value as i16)).collect::<Int16Array>()),
        Kind::Int4 => Arc::new(values.map(int).map(|value| value.map(|value| value as i32)).collect::<Int32Array>()),
        Kind::Int8 => Arc::new(values.map(int).collect::<Int64Array>()),
        Kind::Float4 => {
            Arc::new(values.map(float).map(|value| value.map(|value| value as f32)).collect::<Float32Array>())
        }
        Kind::Float8 => Arc::new(values.map(float).collect::<Float64Array>()),
        Kind::Numeric => {
            let units = values.map(|value| if let Value::Decimal(units) = value { Some(*units) } else { None });
            let units: Decimal128Array = units.collect();
            Arc::new(units.with_precision_and_scale(kind.precision.0, kind.precision.1)?)
        }
        Kind::Text => Arc::new(
            values.map(|value| if let Value::Text(text) = value { Some(text) } else { None }).collect::<StringArray>(),
        ),
        Kind::Date => Arc::new(
            values.map(|value| if let Value::Date(days) = value { Some(*days) } else { None }).collect::<Date32Array>(),
        ),
        Kind::Time => Arc::new(values.map(instant).collect::<Time64MicrosecondArray>()),
        Kind::Timestamp => Arc::new(values.map(instant).collect::<TimestampMicrosecondArray>()),
        Kind::Timestamptz => Arc::new(values.map(instant).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        Kind::Interval => {
            let intervals = values.map(|value| match value {
                Value::Interval(months, days, micros) => {
                    Some(IntervalMonthDayNano::new(*months, *days, micros * 1_000))
                }
                _ => None,
            });
            Arc::new(intervals.collect::<IntervalMonthDayNanoArray>())
        }
        Kind::TextArray => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for value in values {
                match value {
                    Value::Texts(items) => lists.append_value(items.iter().map(Option::as_deref)),
                    _ => lists.append_null(),
                }
            }
            Arc::new(lists.finish())
        }
        Kind::IntArray => {
            let mut lists = ListBuilder::new(Int32Builder::new());
            for value in values {
                match value {
                    Value::Ints(items) => lists.append_value(items.iter().copied()),
                    _ => lists.append_null(),
                }
            }
            Arc::new(lists.finish())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_rows_for_both_sides() {
        for (one, other) in tables(1).iter().zip(tables(1)) {
            assert_eq!(one.statements(false), other.statements(false));
            let batch = one.batch().unwrap();
            assert_eq!(batch.num_rows(), one.rows.len());
            for (index, (name, _)) in one.columns.iter().enumerate() {
                let nulls = one.rows.iter().filter(|row| row[index] == Value::Null).count();
                assert_eq!(batch.column(index).null_count(), nulls, "{}.{name}", one.name);
            }
        }
        assert_ne!(tables(1)[0].statements(false), tables(2)[0].statements(false));
    }

    #[test]
    fn literals_have_the_value() {
        let money = numeric(12, 2);
        assert_eq!(literal(&Value::Decimal(-5), &money), "'-0.05'");
        assert_eq!(literal(&Value::Timestamp(-1), &plain(Kind::Timestamptz)), "'1969-12-31 23:59:59.999999+00'");
        assert_eq!(literal(&Value::Date(FIRST_DAY), &plain(Kind::Date)), "'0001-01-01'");
        assert_eq!(literal(&Value::Date(LAST_DAY), &plain(Kind::Date)), "'9999-12-31'");
        assert_eq!(literal(&Value::Interval(0, 0, -1), &plain(Kind::Interval)), "'0 mons 0 days -0.000001 secs'");
    }
}

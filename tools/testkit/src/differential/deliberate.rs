//! Differences from PostgreSQL that are meant to be there. Each corresponds to a sentence of docs/postgres.md.

use super::client::{Answer, Column, Row};
use super::compare::Aspect;
use super::statement::Statement as Sent;
use super::syntax::parse;
use super::value;
use sqlparser::ast::{Expr, SelectItem, SetExpr, Statement, Visit, Visitor};
use std::cmp::Ordering;
use std::ops::ControlFlow;

/// A difference that is meant to be there.
pub struct Deliberate {
    /// A part of the sentence in docs/postgres.md.
    pub says: &'static str,
    /// Why.
    pub reason: &'static str,
    applies: fn(&Found<'_>) -> bool,
}

/// A difference that was found.
#[derive(Debug)]
pub struct Found<'f> {
    /// What differs.
    pub aspect: &'f Aspect,
    /// The statement, as small as it could be made.
    pub statement: &'f Sent,
    /// PostgreSQL's answer.
    pub theirs: &'f Answer,
    /// Holdfast's answer.
    pub ours: &'f Answer,
}

impl Found<'_> {
    fn mentions(&self, words: &[&str]) -> bool {
        let text = self.statement.sql.to_lowercase();
        words.iter().any(|word| text.contains(word))
    }

    /// Whether the answers are the same but for their numbers, of which each two are the `same`: PostgreSQL's, and Holdfast's.
    fn is_of_numbers(&self, same: fn(&str, &str) -> bool) -> bool {
        self.is_of_cells(|theirs, ours| match (theirs, ours) {
            (Some(theirs), Some(ours)) => same_but_for_numbers(theirs, ours, same),
            (theirs, ours) => theirs == ours,
        })
    }

    /// Whether the answers are the same but for cells of which each two are the `same`.
    fn is_of_cells(&self, same: impl Fn(&Option<String>, &Option<String>) -> bool) -> bool {
        self.is_of_typed_cells(|_, theirs, ours| same(theirs, ours))
    }

    /// As [`Self::is_of_cells`], with the column.
    fn is_of_typed_cells(&self, same: impl Fn(&Column, &Option<String>, &Option<String>) -> bool) -> bool {
        let (Answer::Rows { columns, rows: theirs, .. }, Answer::Rows { rows: ours, .. }) = (self.theirs, self.ours)
        else {
            return false;
        };
        // Rows without an order are compared in that of their texts, which the last digits of a number hardly change.
        let sorted = |rows: &[Row]| {
            let mut rows = rows.to_vec();
            rows.sort();
            rows
        };
        let same_row = |(one, other): (&Row, &Row)| {
            one.iter().zip(other).zip(columns).all(|((one, other), column)| same(column, one, other))
        };
        let same_rows =
            |theirs: &[Row], ours: &[Row]| theirs.len() == ours.len() && theirs.iter().zip(ours).all(same_row);
        same_rows(theirs, ours) || same_rows(&sorted(theirs), &sorted(ours))
    }
}

/// The elements of the sets of groups of a statement.
fn sets_of_groups(statement: &Statement) -> Vec<Expr> {
    struct Sets(Vec<Expr>);
    impl Visitor for Sets {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            if let Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) = expression {
                self.0.extend(sets.iter().flatten().cloned());
            }
            ControlFlow::Continue(())
        }
    }
    let mut sets = Sets(Vec::new());
    let _: ControlFlow<()> = statement.visit(&mut sets);
    sets.0
}

fn has_column(expression: &Expr) -> bool {
    struct Columns;
    impl Visitor for Columns {
        type Break = ();

        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            match expression {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expression.visit(&mut Columns).is_break()
}

/// Whether it is a CASE that always takes one branch.
fn is_always_one(expression: &Expr) -> bool {
    let Expr::Case { conditions, .. } = expression else { return false };
    conditions.first().is_some_and(|when| !has_column(&when.condition) && !has_column(&when.result))
}

/// Whether texts are the same but for the numbers in them, of which each two are the `same`.
fn same_but_for_numbers(one: &str, other: &str, same: fn(&str, &str) -> bool) -> bool {
    let is_of_number = |of: char| of.is_ascii_digit() || of == '.';
    let parts = |text: &str| -> (Vec<String>, Vec<String>) {
        let mut parts = (vec![String::new()], vec![String::new()]);
        let mut was_of_number = false;
        for of in text.chars() {
            if is_of_number(of) {
                if !was_of_number {
                    parts.1.push(String::new());
                    parts.0.push(String::new());
                }
                parts.1.last_mut().unwrap_or(&mut String::new()).push(of);
            } else {
                parts.0.last_mut().unwrap_or(&mut String::new()).push(of);
            }
            was_of_number = is_of_number(of);
        }
        parts
    };
    let (one, other) = (parts(one), parts(other));
    one.0 == other.0 && one.1.len() == other.1.len() && one.1.iter().zip(&other.1).all(|(one, other)| same(one, other))
}

/// A number without the zeros at its end.
fn shortened(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Whether numbers are the same but for zeros at their end. What looks like one number may be one with another text behind it,
/// as `(8 / 4.0) || '10'` is.
fn is_of_zeros(theirs: &str, ours: &str) -> bool {
    shortened(theirs) == shortened(ours) || is_of_zeros_before_more(theirs, ours).unwrap_or(false)
}

fn is_of_zeros_before_more(theirs: &str, ours: &str) -> Option<bool> {
    let point = theirs.find('.')?;
    let more = theirs.len().checked_sub(ours.len()).filter(|more| *more > 0)?;
    Some((point..=ours.len()).any(|place| {
        let (number, rest) = (theirs.get(..place), theirs.get(place..).unwrap_or_default());
        let (zeros, behind) = rest.split_at_checked(more).unwrap_or_default();
        number == ours.get(..place)
            && ours.get(place..) == Some(behind)
            && !zeros.is_empty()
            && zeros.trim_start_matches('.').bytes().all(|digit| digit == b'0')
    }))
}

/// Significant digits that a number has at least.
const SIGNIFICANT: usize = 16;

/// Whether a number with more digits is PostgreSQL's after it is rounded, or PostgreSQL's is a number with many digits.
fn is_of_other_digits(theirs: &str, ours: &str) -> bool {
    let digits = |text: &str| text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let significant = ours.trim_start_matches(['0', '.']).bytes().filter(u8::is_ascii_digit).count();
    let (theirs, ours) = match digits(theirs).cmp(&digits(ours)) {
        Ordering::Less => (theirs, ours),
        Ordering::Greater if significant >= SIGNIFICANT => (ours, theirs),
        _ => return is_of_zeros(theirs, ours),
    };
    // Both as whole numbers of the last place of the longer one, which differ by half a unit of the shorter one at most.
    let scale = digits(ours);
    let whole = |text: &str| {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        format!("{whole}{fraction:0<scale$}")
    };
    let unit = u32::try_from(scale - digits(theirs)).ok().and_then(|more| 10_u128.checked_pow(more));
    let (one, other) = (whole(theirs), whole(ours));
    let length = one.len().max(other.len());
    let (one, other) = (format!("{one:0>length$}"), format!("{other:0>length$}"));
    // What both begin with may have more digits than a number.
    let same = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let rest = |whole: &str| whole.get(same..).map_or(Ok(0), |rest| format!("0{rest}").parse::<i128>());
    match (rest(&one).ok(), rest(&other).ok(), unit) {
        (Some(one), Some(other), Some(unit)) => one.abs_diff(other) <= unit / 2,
        _ => false,
    }
}

/// Whether floats differ by what a last digit makes.
fn is_near(theirs: &str, ours: &str) -> bool {
    match (theirs.parse::<f64>(), ours.parse::<f64>()) {
        (Ok(one), Ok(other)) => (one - other).abs() <= 1e-12 * one.abs().max(other.abs()),
        _ => theirs == ours,
    }
}

/// Whether cells differ by what a last digit makes, also of a sum of squares that would be 0.
fn are_near(theirs: &Option<String>, ours: &Option<String>) -> bool {
    const NOTHING: f64 = 1e-24;
    match (theirs.as_deref(), ours.as_deref()) {
        (Some(theirs), Some(ours)) => {
            let is_nothing = |text: &str| text.parse::<f64>().is_ok_and(|value| value.abs() < NOTHING);
            is_near(theirs, ours) || (is_nothing(theirs) && is_nothing(ours))
        }
        (theirs, ours) => theirs == ours,
    }
}

/// Rows in an order of their own, in which values and elements of arrays that are -0 are 0.
fn without_signs_of_zero(rows: &[Row]) -> Vec<Row> {
    let unsigned = |text: &String| {
        let elements = text.split_inclusive(['{', ',', '}']).map(|part| match part.strip_prefix("-0") {
            Some("") => "0".to_owned(),
            Some(end @ ("," | "}")) => format!("0{end}"),
            _ => part.to_owned(),
        });
        elements.collect::<String>()
    };
    let mut rows: Vec<Row> =
        rows.iter().map(|row| row.iter().map(|cell| cell.as_ref().map(unsigned)).collect()).collect();
    rows.sort();
    rows
}

/// What gives a numeric whose scale is not kept with it.
const OF_OPEN_SCALE: [&str; 13] =
    ["/", "^", "sqrt", "|/", "ln(", "log(", "log10(", "exp(", "power(", "avg(", "stddev", "var", "to_number("];

/// Aggregates of floats that subtract sums from each other.
const OF_DIFFERENCES: [&str; 6] = ["regr_", "corr(", "covar_", "stddev", "var_", "variance("];

/// Whether cells differ by what is left of sums that would be equal.
fn are_remainders(theirs: &Option<String>, ours: &Option<String>) -> bool {
    const REMAINDER: f64 = 1e-9;
    let is_remainder = |text: &str| text.parse::<f64>().is_ok_and(|value| value.abs() < REMAINDER);
    match (theirs.as_deref(), ours.as_deref()) {
        (Some(theirs), Some(ours)) => is_near(theirs, ours) || (is_remainder(theirs) && is_remainder(ours)),
        (theirs, ours) => theirs == ours,
    }
}

/// Rows in an order of their own, in which intervals are their lengths.
fn with_lengths(columns: &[Column], rows: &[Row]) -> Vec<Row> {
    let length = |(cell, column): (&Option<String>, &Column)| {
        let text = cell.as_ref()?;
        let length = value::length(text).filter(|_| column.oid == value::INTERVAL);
        Some(length.map_or_else(|| text.clone(), |length| length.to_string()))
    };
    let mut rows: Vec<Row> = rows.iter().map(|row| row.iter().zip(columns).map(length).collect()).collect();
    rows.sort();
    rows
}

/// Whether cells of a column of `real` differ by what an order of addition makes, and others not at all.
fn is_of_short_sums(column: &Column, theirs: &Option<String>, ours: &Option<String>) -> bool {
    const TOLERANCE: f64 = 1e-5;
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
    match (number(theirs), number(ours)) {
        (Some(one), Some(other)) if column.oid == value::FLOAT4 => {
            one == other || (one - other).abs() <= TOLERANCE * one.abs().max(other.abs())
        }
        _ => value::same(column.oid, theirs.as_deref(), ours.as_deref()),
    }
}

/// Whether cells of a column of `scale`, one of `names`, are counts of digits, here of more, and others the same.
fn is_of_scales(names: &[String], column: &Column, theirs: &Option<String>, ours: &Option<String>) -> bool {
    let digits = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<u8>().ok());
    value::same(column.oid, theirs.as_deref(), ours.as_deref()) || {
        let is_of_more = matches!((digits(theirs), digits(ours)), (Some(one), Some(other)) if one < other);
        is_of_more && names.contains(&column.name)
    }
}

/// The names of the columns that are `scale` of something.
fn scales(statement: &Statement) -> Vec<String> {
    let Statement::Query(query) = statement else { return Vec::new() };
    let SetExpr::Select(select) = query.body.as_ref() else { return Vec::new() };
    let name = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expression) => is_scale(expression).then(|| "scale".to_owned()),
        SelectItem::ExprWithAlias { expr, alias } => is_scale(expr).then(|| alias.value.clone()),
        _ => None,
    };
    select.projection.iter().filter_map(name).collect()
}

fn is_scale(expression: &Expr) -> bool {
    matches!(expression, Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("scale"))
}

/// Whether cells of floats differ by what is left of sums that would be equal: what is divided by nothing is NULL, and by that is not.
fn are_quotients_of_remainders(column: &Column, theirs: &Option<String>, ours: &Option<String>) -> bool {
    let is_nothing = |text: &str| text.parse() == Ok(0.0);
    are_remainders(theirs, ours)
        || column.oid == value::FLOAT8
            && match (theirs.as_deref(), ours.as_deref()) {
                (Some(value), None) | (None, Some(value)) => is_nothing(value),
                _ => false,
            }
}

const ALL: [Deliberate; 10] = [
    Deliberate {
        says: "without its zeros at the end",
        reason: "the digits that a quotient, a root, a logarithm or a power shows are not kept with it",
        applies: |found| {
            matches!(found.aspect, Aspect::Values)
                && (found.mentions(&OF_OPEN_SCALE) || found.mentions(&["text", "json"]))
                && found.is_of_numbers(is_of_zeros)
        },
    },
    Deliberate {
        says: "may have more or fewer digits than PostgreSQL's",
        reason: "PostgreSQL chooses the digits of each value by those of its operands, and here a column has one scale",
        applies: |found| {
            matches!(found.aspect, Aspect::Values)
                && found.mentions(&OF_OPEN_SCALE)
                && found.is_of_numbers(is_of_other_digits)
        },
    },
    Deliberate {
        says: "may have another last digit than PostgreSQL",
        reason: "PostgreSQL takes these functions from its C library, whose last digit is not always the nearest",
        applies: |found| {
            let is_near = || found.is_of_numbers(is_near) || found.is_of_cells(are_near);
            // A set operation tells values apart that differ by their last digit.
            found.mentions(&["cbrt", "||/", "asinh", "acosh", "atanh"])
                && match found.aspect {
                    Aspect::Values => is_near(),
                    Aspect::Count => found.mentions(&["intersect", "except", "union"]),
                    _ => false,
                }
        },
    },
    Deliberate {
        says: "may leave a remainder",
        reason: "sums of floats depend on the order of rows, and the rows of a group have none",
        applies: |found| {
            matches!(found.aspect, Aspect::Values)
                && (found.mentions(&OF_DIFFERENCES) && found.is_of_cells(are_remainders)
                    || found.mentions(&["regr_", "corr("]) && found.is_of_typed_cells(are_quotients_of_remainders))
        },
    },
    Deliberate {
        says: "either of 0 and -0",
        reason: "they are equal, and the rows of a group have no order",
        applies: |found| {
            matches!(found.aspect, Aspect::Values)
                && found.mentions(&["min(", "max(", "percentile_", "mode(", "intersect", "except", "union", "distinct"])
                && match (found.theirs, found.ours) {
                    (Answer::Rows { rows: theirs, .. }, Answer::Rows { rows: ours, .. }) => {
                        without_signs_of_zero(theirs) == without_signs_of_zero(ours)
                    }
                    _ => false,
                }
        },
    },
    Deliberate {
        says: "either of two intervals that are equal",
        reason: "they are equal, and the rows of a set have no order",
        applies: |found| {
            matches!(found.aspect, Aspect::Values)
                && found.mentions(&["intersect", "except"])
                && match (found.theirs, found.ours) {
                    (Answer::Rows { columns, rows: theirs, .. }, Answer::Rows { rows: ours, .. }) => {
                        with_lengths(columns, theirs) == with_lengths(columns, ours)
                    }
                    _ => false,
                }
        },
    },
    Deliberate {
        says: "digits behind the point belong to the column",
        reason: "a column has one scale, and a numeric of PostgreSQL has its own in each row",
        applies: |found| {
            let are_zeros = |one: &str, other: &str| is_of_zeros(one, other) || is_of_zeros(other, one);
            matches!(found.aspect, Aspect::Values)
                && (found.mentions(&["||", "concat", "format("]) && found.is_of_numbers(are_zeros)
                    || parse(&found.statement.sql).is_some_and(|tree| {
                        let names = scales(&tree);
                        found.is_of_typed_cells(|column, theirs, ours| is_of_scales(&names, column, theirs, ours))
                    }))
        },
    },
    Deliberate {
        says: "A sum of `real` is added in any order",
        reason: "each addition of a `real` rounds, and the rows of a group have no order",
        applies: |found| {
            matches!(found.aspect, Aspect::Values)
                && found.mentions(&["sum("])
                && found.is_of_typed_cells(is_of_short_sums)
        },
    },
    Deliberate {
        says: "are sorted by it, which PostgreSQL 15 leaves out",
        reason: "PostgreSQL 15 takes what is one value in each set of groups for one value in all of them",
        applies: |found| {
            let is_of_one_value = |element: &Expr| {
                !has_column(element)
                    || element.to_string().to_uppercase().contains("COALESCE")
                    || is_always_one(element)
            };
            let sets = parse(&found.statement.sql).map(|tree| sets_of_groups(&tree)).unwrap_or_default();
            matches!(found.aspect, Aspect::Order) && sets.iter().any(is_of_one_value)
        },
    },
    Deliberate {
        says: "Keys, constraints, comments and triggers do not exist",
        reason: "there is nothing that they could describe",
        applies: |found| {
            matches!(found.aspect, Aspect::Values | Aspect::Count)
                && found.mentions(&[
                    "pg_constraint",
                    "pg_trigger",
                    "pg_description",
                    "table_constraints",
                    "key_column_usage",
                ])
        },
    },
];

/// The deliberate difference that this is, if it is one.
#[must_use]
pub(super) fn deliberate(found: &Found<'_>) -> Option<&'static Deliberate> {
    ALL.iter().find(|deliberate| (deliberate.applies)(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_are_compared_as_numbers() {
        assert!(same_but_for_numbers("{0.25,0.5}", "{0.25,0.50}", is_of_zeros));
        assert!(!same_but_for_numbers("{0.25,0.5}", "{0.25,0.51}", is_of_zeros));
        assert!(!same_but_for_numbers("a1.50", "b1.5", is_of_zeros));
        assert!(!same_but_for_numbers("100", "1", is_of_zeros));
        assert!(same_but_for_numbers("8230.45200000000000001", "8230.4521", is_of_zeros));
        assert!(same_but_for_numbers("2.000000000000000010", "210", is_of_zeros));
        assert!(!same_but_for_numbers("8230.45200000000000002", "8230.4521", is_of_zeros));
        assert!(!same_but_for_numbers("8230.4521", "8230.45200000000000001", is_of_zeros));
        assert!(!same_but_for_numbers("10.5", "1.5", is_of_zeros));
        assert!(same_but_for_numbers("2430133.657351154313", "2430133.6573511543134872", is_of_other_digits));
        assert!(same_but_for_numbers(
            "-768614336404564651",
            "-768614336404564650.5833333333333333",
            is_of_other_digits
        ));
        assert!(!same_but_for_numbers("2430133.657351154313", "2430133.6573511543144872", is_of_other_digits));
        assert!(!same_but_for_numbers("1.25", "1.3", is_of_other_digits));
        assert!(same_but_for_numbers("1.000100005000166670833417", "1.00010000500016667083", is_of_other_digits));
        assert!(!same_but_for_numbers("0.0000000001", "0.00", is_of_other_digits));
        let (theirs, ours) =
            ("-333333333332333333333334166666.3124996666666667", "-333333333332333333333334166666.31249967");
        assert!(same_but_for_numbers(theirs, ours, is_of_other_digits));
        assert!(!same_but_for_numbers(theirs, &ours.replace("967", "968"), is_of_other_digits));
        assert!(same_but_for_numbers("{-20.469516462179584}", "{-20.46951646217958}", is_near));
        assert!(!same_but_for_numbers("{-20.469516462179584}", "{20.469516462179584}", is_near));
        let rows = |cells: [&str; 3]| cells.map(|cell| vec![Some(cell.to_owned())]).to_vec();
        let unsigned = without_signs_of_zero(&rows(["0", "{-0,1,-0}", "-0"]));
        assert_eq!(unsigned, rows(["0", "0", "{0,1,0}"]));
        assert_eq!(without_signs_of_zero(&rows(["-0.5", "-01", "{-0.5}"])), rows(["-0.5", "-01", "{-0.5}"]));
    }

    fn column(name: &str, oid: u32) -> Column {
        Column { name: name.to_owned(), oid }
    }

    fn cell(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn equal_intervals_are_one_value() {
        let rows = |cells: [&str; 2]| cells.map(|text| vec![cell(text)]).to_vec();
        let of = |oid, cells| with_lengths(&[column("iv", oid)], &rows(cells));
        assert_eq!(of(value::INTERVAL, ["1 mon", "1 day"]), of(value::INTERVAL, ["24:00:00", "30 days"]));
        assert_ne!(of(value::INTERVAL, ["1 mon", "1 day"]), of(value::INTERVAL, ["1 mon", "1 mon"]));
        assert_ne!(of(25, ["1 mon", "1 day"]), of(25, ["24:00:00", "30 days"]));
    }

    #[test]
    fn sums_of_reals_differ_in_their_last_digits_alone() {
        let (real, double) = (column("sum", value::FLOAT4), column("sum", value::FLOAT8));
        assert!(is_of_short_sums(&real, &cell("-0.0016000003"), &cell("-0.0016000001")));
        assert!(!is_of_short_sums(&real, &cell("-0.0016"), &cell("-0.0017")));
        assert!(!is_of_short_sums(&double, &cell("-0.0016000003"), &cell("-0.0016000001")));
    }

    #[test]
    fn a_scale_may_be_that_of_the_column() {
        let names = scales(&parse("SELECT scale(x) AS digits, scale(y), count(*) FROM t").unwrap());
        assert_eq!(names, ["digits", "scale"]);
        let is_one = |name, theirs, ours| is_of_scales(&names, &column(name, 23), &cell(theirs), &cell(ours));
        assert!(is_one("scale", "0", "10") && is_one("digits", "2", "10"));
        assert!(!is_one("scale", "10", "0") && !is_one("count", "0", "10"));
    }

    #[test]
    fn a_slope_over_nothing_may_be_none() {
        assert!(are_quotients_of_remainders(&column("regr_slope", value::FLOAT8), &cell("0"), &None));
        assert!(!are_quotients_of_remainders(&column("regr_slope", value::FLOAT8), &cell("1"), &None));
        assert!(!are_quotients_of_remainders(&column("count", 20), &cell("0"), &None));
    }

    #[test]
    fn the_document_says_each() {
        let path = crate::tools::workspace().join("docs/postgres.md");
        let text = std::fs::read_to_string(path).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        for deliberate in &ALL {
            assert!(text.contains(deliberate.says), "docs/postgres.md does not say: {}", deliberate.says);
        }
    }
}

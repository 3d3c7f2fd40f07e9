//! The comparison of two answers to one statement.
//!
//! ```text
//! PostgreSQL    Holdfast      outcome
//! rows          rows          Same, or Difference: parameters, columns, types, rows, order
//! rows          refused       Refused if the SQLSTATE says "not supported here", otherwise Difference: failed
//! refused       rows          Lenient
//! refused       refused       BothRefuse, or Difference of the classes of the SQLSTATEs
//! ```

use super::client::{Answer, Column, Refusal, Row};
use super::order::OrderKey;
use super::value;
use std::collections::HashMap;
use std::fmt;

/// SQLSTATEs that say that Holdfast does not have something.
const NOT_SUPPORTED: [&str; 6] = ["0A000", "42883", "42704", "42846", "42601", "42804"];
/// Classes of SQLSTATEs that say that a bound of Holdfast is reached.
const BOUNDS: [&str; 2] = ["53", "54"];

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aspect {
    /// The types of the parameters.
    Parameters,
    /// The number or the names of the columns.
    Names,
    /// The types of the columns.
    Types,
    /// The number of rows.
    Count,
    /// The values of the rows.
    Values,
    /// The order of the rows.
    Order,
    /// Holdfast refuses what PostgreSQL answers, and its SQLSTATE does not say that it is not supported.
    Failed(String),
    /// Both refuse, with SQLSTATEs of different classes: PostgreSQL's and Holdfast's.
    Code(String, String),
    /// The connection to Holdfast ended.
    Lost,
}

impl Aspect {
    /// Whether a client gets a wrong answer and no error.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        !matches!(self, Self::Failed(_) | Self::Code(..))
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameters => f.write_str("types of parameters"),
            Self::Names => f.write_str("names of columns"),
            Self::Types => f.write_str("types of columns"),
            Self::Count => f.write_str("number of rows"),
            Self::Values => f.write_str("values"),
            Self::Order => f.write_str("order"),
            Self::Failed(code) => write!(f, "fails with {code}"),
            Self::Code(theirs, ours) => write!(f, "SQLSTATE {theirs}, here {ours}"),
            Self::Lost => f.write_str("no answer"),
        }
    }
}

/// The outcome of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Both answer the same.
    Same,
    /// Both refuse, with SQLSTATEs of one class.
    BothRefuse,
    /// Holdfast says that it does not have something.
    Refused(Refusal),
    /// PostgreSQL refuses, and Holdfast answers.
    Lenient(Refusal),
    /// The answers differ.
    Difference(Aspect),
    /// PostgreSQL's answer depends on the order of its rows or on the moment, or it did not end: nothing can be compared.
    Indeterminate,
}

/// Compares the answer of PostgreSQL with that of Holdfast. `order` is what the statement orders by.
#[must_use]
pub fn compare(theirs: &Answer, ours: &Answer, order: &[OrderKey]) -> Outcome {
    match (theirs, ours) {
        (Answer::Lost(_), _) => Outcome::Indeterminate,
        (Answer::Refused(refusal), _) if refusal.code == "57014" => Outcome::Indeterminate,
        (_, Answer::Lost(_)) => Outcome::Difference(Aspect::Lost),
        (Answer::Refused(theirs), Answer::Rows { .. }) => Outcome::Lenient(theirs.clone()),
        (Answer::Refused(theirs), Answer::Refused(ours)) => {
            if class(&theirs.code) == class(&ours.code) {
                Outcome::BothRefuse
            } else if is_not_supported(&ours.code) {
                Outcome::Refused(ours.clone())
            } else {
                Outcome::Difference(Aspect::Code(theirs.code.clone(), ours.code.clone()))
            }
        }
        (Answer::Rows { .. }, Answer::Refused(ours)) if is_not_supported(&ours.code) => Outcome::Refused(ours.clone()),
        (Answer::Rows { columns, rows, .. }, Answer::Refused(ours)) if ours.code.starts_with("22") => {
            // A numeric of more digits than an answer here can have.
            let has_digits = |row: &Row| {
                let cells = row.iter().zip(columns);
                cells.into_iter().any(|(cell, column)| {
                    column.oid == value::NUMERIC && cell.as_deref().is_some_and(value::has_too_many_digits)
                })
            };
            if rows.iter().any(has_digits) {
                Outcome::Refused(ours.clone())
            } else {
                Outcome::Difference(Aspect::Failed(ours.code.clone()))
            }
        }
        (Answer::Rows { .. }, Answer::Refused(ours)) => Outcome::Difference(Aspect::Failed(ours.code.clone())),
        (
            Answer::Rows { parameters, columns, rows },
            Answer::Rows { parameters: our_parameters, columns: our_columns, rows: our_rows },
        ) => {
            let names = |columns: &[Column]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
            let types = |columns: &[Column]| columns.iter().map(|column| column.oid).collect::<Vec<_>>();
            let difference = if columns.len() != our_columns.len() {
                Some(Aspect::Names)
            } else if types(columns) != types(our_columns) {
                Some(Aspect::Types)
            } else if names(columns) != names(our_columns) {
                Some(Aspect::Names)
            } else if parameters != our_parameters {
                Some(Aspect::Parameters)
            } else {
                compare_rows(columns, rows, our_rows, order)
            };
            difference.map_or(Outcome::Same, Outcome::Difference)
        }
    }
}

/// Whether two answers have the same rows in the same order.
#[must_use]
pub(super) fn is_same_sequence(theirs: &Answer, ours: &Answer) -> bool {
    let (Answer::Rows { columns, rows: theirs, .. }, Answer::Rows { rows: ours, .. }) = (theirs, ours) else {
        return false;
    };
    let same_cell = |((one, other), column): ((&Option<String>, &Option<String>), &Column)| {
        value::same_place(column.oid, one.as_deref(), other.as_deref())
    };
    theirs.len() == ours.len()
        && theirs.iter().zip(ours).all(|(one, other)| one.iter().zip(other).zip(columns).all(same_cell))
}

/// The first column in which two answers differ in this aspect, and what each has: for types, their names.
#[must_use]
pub(super) fn differing_column(aspect: &Aspect, theirs: &Answer, ours: &Answer) -> Option<(usize, Option<(u32, u32)>)> {
    let (Answer::Rows { columns, rows, .. }, Answer::Rows { columns: our_columns, rows: our_rows, .. }) =
        (theirs, ours)
    else {
        return None;
    };
    let mut pairs = columns.iter().zip(our_columns);
    match aspect {
        Aspect::Types => {
            let place = pairs.position(|(one, other)| one.oid != other.oid)?;
            Some((place, Some((columns[place].oid, our_columns[place].oid))))
        }
        Aspect::Names if columns.len() == our_columns.len() => {
            Some((pairs.position(|(one, other)| one.name != other.name)?, None))
        }
        Aspect::Values => {
            let differs = |place: &usize| {
                let oid = columns[*place].oid;
                let mut rows = rows.iter().zip(our_rows);
                rows.any(|(one, other)| !value::same(oid, one[*place].as_deref(), other[*place].as_deref()))
            };
            Some(((0..columns.len().min(our_columns.len())).find(differs)?, None))
        }
        _ => None,
    }
}

fn class(code: &str) -> &str {
    code.get(..2).unwrap_or(code)
}

fn is_not_supported(code: &str) -> bool {
    NOT_SUPPORTED.contains(&code) || BOUNDS.contains(&class(code))
}

fn compare_rows(columns: &[Column], theirs: &[Row], ours: &[Row], order: &[OrderKey]) -> Option<Aspect> {
    if theirs.len() != ours.len() {
        return Some(Aspect::Count);
    }
    let types: Vec<u32> = columns.iter().map(|column| column.oid).collect();
    let same = |one: &Row, other: &Row| {
        one.len() == other.len()
            && one
                .iter()
                .zip(other)
                .zip(&types)
                .all(|((one, other), oid)| value::same(*oid, one.as_deref(), other.as_deref()))
    };
    if theirs.iter().zip(ours).all(|(one, other)| same(one, other)) {
        return None;
    }
    if !is_same_multiset(&types, theirs, ours, &same) {
        return Some(Aspect::Values);
    }
    // The same rows in another order: wrong if the keys that both can show come in another order.
    let keys: Vec<usize> = order.iter().map_while(|key| key.column(columns)).collect();
    let same_keys = |one: &Row, other: &Row| {
        keys.iter().all(|key| value::same_place(types[*key], one[*key].as_deref(), other[*key].as_deref()))
    };
    if theirs.iter().zip(ours).all(|(one, other)| same_keys(one, other)) { None } else { Some(Aspect::Order) }
}

fn is_same_multiset(types: &[u32], theirs: &[Row], ours: &[Row], same: &dyn Fn(&Row, &Row) -> bool) -> bool {
    // Most rows have the same text; the others are compared each with each, because floats are only nearly equal.
    let text = |row: &Row| -> Vec<Option<String>> {
        row.iter().zip(types).map(|(cell, oid)| cell.as_ref().map(|cell| value::normalized(*oid, cell))).collect()
    };
    let mut left: HashMap<Vec<Option<String>>, Vec<&Row>> = HashMap::new();
    for row in ours {
        left.entry(text(row)).or_default().push(row);
    }
    let unmatched: Vec<&Row> =
        theirs.iter().filter(|row| left.get_mut(&text(row)).is_none_or(|rows| rows.pop().is_none())).collect();
    let mut rest: Vec<&Row> = left.into_values().flatten().collect();
    unmatched.into_iter().all(|row| match rest.iter().position(|other| same(row, other)) {
        Some(place) => {
            rest.swap_remove(place);
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(oid: u32, cells: &[&str]) -> Answer {
        let columns = vec![Column { name: "c".to_owned(), oid }];
        let rows = cells.iter().map(|cell| vec![Some((*cell).to_owned())]).collect();
        Answer::Rows { parameters: Vec::new(), columns, rows }
    }

    fn refused(code: &str) -> Answer {
        Answer::Refused(Refusal { code: code.to_owned(), message: "no".to_owned() })
    }

    #[test]
    fn rows_are_compared_by_type_and_order() {
        let ascending = [OrderKey::Position(0)];
        let (one, other) = (rows(23, &["1", "2"]), rows(23, &["2", "1"]));
        assert_eq!(compare(&one, &other, &[]), Outcome::Same);
        assert_eq!(compare(&one, &other, &ascending), Outcome::Difference(Aspect::Order));
        assert_eq!(compare(&one, &rows(23, &["1"]), &[]), Outcome::Difference(Aspect::Count));
        assert_eq!(compare(&one, &rows(23, &["1", "1"]), &[]), Outcome::Difference(Aspect::Values));
        assert_eq!(compare(&one, &rows(20, &["1", "2"]), &[]), Outcome::Difference(Aspect::Types));
        assert_eq!(compare(&rows(701, &["0.3", "1"]), &rows(701, &["1", "0.30000000000000004"]), &[]), Outcome::Same);
        assert_eq!(compare(&rows(1700, &["1.50"]), &rows(1700, &["1.5"]), &[]), Outcome::Same);
        assert_eq!(compare(&rows(25, &["1.50"]), &rows(25, &["1.5"]), &[]), Outcome::Difference(Aspect::Values));
    }

    #[test]
    fn refusals_are_compared_by_class() {
        let one = rows(23, &["1"]);
        assert!(matches!(compare(&one, &refused("0A000"), &[]), Outcome::Refused(_)));
        assert!(matches!(compare(&one, &refused("54000"), &[]), Outcome::Refused(_)));
        assert_eq!(compare(&one, &refused("XX000"), &[]), Outcome::Difference(Aspect::Failed("XX000".to_owned())));
        assert!(matches!(compare(&refused("22012"), &one, &[]), Outcome::Lenient(_)));
        assert_eq!(compare(&refused("22012"), &refused("22003"), &[]), Outcome::BothRefuse);
        let codes = Aspect::Code("22012".to_owned(), "XX000".to_owned());
        assert_eq!(compare(&refused("22012"), &refused("XX000"), &[]), Outcome::Difference(codes));
        let digits = "1".repeat(77);
        assert!(matches!(compare(&rows(1700, &[&digits]), &refused("22003"), &[]), Outcome::Refused(_)));
    }
}

//! The reports by name, and their statements.

use crate::error::{InvalidReport, ReportError};
use crate::header::{self, Column, Plot};
use crate::template::{self, Piece};
use crate::value::Type;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A report.
#[derive(Debug)]
pub struct Report {
    /// Its name in commands and requests.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it shows and how it counts.
    pub description: &'static str,
    /// The columns of its result.
    pub columns: Vec<Column>,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its text: a valid statement with the defaults.
    pub sql: &'static str,
    /// How its result is drawn.
    pub plot: Plot,
    pieces: Vec<Piece>,
}

/// A parameter of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Type,
    /// Its default, an SQL literal.
    pub default: &'static str,
    /// The allowed values; empty for any.
    pub choices: Vec<&'static str>,
    /// Its meaning.
    pub description: &'static str,
}

/// Values of parameters by name, in the text form of a command line or a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments(BTreeMap<String, String>);

impl Arguments {
    /// No arguments: every parameter has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a parameter.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }
}

/// The arguments in a readable form: `from 2026-05-01, portal web%`.
impl std::fmt::Display for Arguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{} {value}", name.replace('_', " "))?;
        }
        Ok(())
    }
}

impl Report {
    /// The statement with these values in place of the defaults.
    ///
    /// # Errors
    /// [`ReportError::UnknownParameter`] and [`ReportError::Value`].
    pub fn statement(&self, arguments: &Arguments) -> Result<String, ReportError> {
        let mut literals: BTreeMap<&str, String> = BTreeMap::new();
        for (name, value) in &arguments.0 {
            let parameter = self.parameters.iter().find(|parameter| parameter.name == name);
            let parameter = parameter.ok_or_else(|| ReportError::UnknownParameter {
                report: self.name,
                parameter: name.clone(),
                known: self.parameters.iter().map(|parameter| parameter.name).collect(),
            })?;
            literals.insert(parameter.name, parameter.literal(value)?);
        }
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Parameter { name, literal, .. } => literals.get(name).map_or(*literal, String::as_str),
        });
        Ok(pieces.collect())
    }

    /// The column with this name.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn read(name: &'static str, sql: &'static str) -> Result<Self, InvalidReport> {
        let header = header::parse(sql)?;
        let pieces = template::split(sql)?;
        let mut parameters: Vec<Parameter> = Vec::new();
        for (name, choices, description) in header.parameters {
            let mut places = pieces.iter().filter_map(|piece| match piece {
                Piece::Parameter { name: found, literal, kind } if *found == name => Some((*literal, *kind)),
                _ => None,
            });
            let (default, kind) =
                places.next().ok_or_else(|| InvalidReport(format!("the parameter `{name}` is not used")))?;
            if places.any(|(other, _)| other != default) {
                return Err(InvalidReport(format!("the parameter `{name}` has two defaults")));
            }
            parameters.push(Parameter { name, kind, default, choices, description });
        }
        for piece in &pieces {
            if let Piece::Parameter { name, .. } = piece
                && !parameters.iter().any(|parameter| parameter.name == *name)
            {
                return Err(InvalidReport(format!("the parameter `{name}` is not described")));
            }
        }
        for column in header.plot.columns() {
            if !header.columns.iter().any(|known| known.name == column) {
                return Err(InvalidReport(format!("the plot's column `{column}` is not described")));
            }
        }
        let header::Header { title, description, columns, plot, .. } = header;
        Ok(Self { name, title, description, columns, parameters, sql, plot, pieces })
    }
}

impl Parameter {
    fn literal(&self, value: &str) -> Result<String, ReportError> {
        let refused = |expected: String| ReportError::Value { parameter: self.name, value: value.to_owned(), expected };
        if !self.choices.is_empty() && !self.choices.contains(&value) {
            return Err(refused(format!("write one of {}", self.choices.join(", "))));
        }
        self.kind.literal(value).map_err(refused)
    }
}

macro_rules! reports {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../texts/", $name, ".sql")))),*]
    };
}

const TEXTS: [(&str, &str); 18] = reports![
    "agent-utilisation",
    "busiest-hours",
    "changed-diagnostics",
    "disclosures",
    "first-session-resolution-by-agent",
    "first-session-resolution-by-issue-type",
    "handle-time-by-agent",
    "handle-time-by-portal",
    "queue-abandonment",
    "queue-abandonment-by-portal",
    "ratings-by-agent",
    "ratings-by-portal",
    "resolution-by-issue-type",
    "session-return",
    "tickets-without-session",
    "version-spread",
    "wait-by-agent",
    "wait-by-portal",
];

/// The compiled-in reports, parsed once.
static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| {
    let read = |(name, text)| Report::read(name, text).unwrap_or_else(|error| panic!("report {name}: {error}"));
    // The texts are compiled in and a test parses each, so parsing cannot fail at run time.
    TEXTS.into_iter().map(read).collect()
});

/// All reports, in the order of their names.
pub fn all() -> &'static [Report] {
    &REPORTS
}

/// The report with this name.
///
/// # Errors
/// [`ReportError::UnknownReport`] with the most similar names.
pub fn find(name: &str) -> Result<&'static Report, ReportError> {
    let known = all().iter().find(|report| report.name == name);
    known.ok_or_else(|| ReportError::UnknownReport { name: name.to_owned(), nearest: nearest(name) })
}

fn nearest(name: &str) -> Vec<&'static str> {
    let wanted = name.to_lowercase().replace(['_', ' '], "-");
    let tolerance = (wanted.chars().count() / 3).max(2);
    let distance = |known: &str| strsim::osa_distance(&wanted, known);
    let names = || all().iter().map(|report| report.name);
    let mut near: Vec<&str> = names()
        .filter(|known| distance(known) <= tolerance || (!wanted.is_empty() && known.contains(&wanted)))
        .collect();
    if near.is_empty() {
        let word = |known: &&str| known.split('-').any(|word| wanted.split('-').any(|part| same_word(part, word)));
        near = names().filter(word).collect();
    }
    near.sort_by_key(|known| distance(known));
    near.truncate(3);
    near
}

/// Whether two words have the same first four letters. Short words such as `by` never match.
fn same_word(one: &str, other: &str) -> bool {
    let alike = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    alike >= 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_report_is_well_formed() {
        for (name, text) in TEXTS {
            let report = Report::read(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!report.columns.is_empty() && !report.parameters.is_empty(), "{name}");
            assert!(report.title.len() < 60 && report.description.ends_with('.'), "{name}");
            assert_eq!(report.statement(&Arguments::new()).unwrap(), text, "{name}");
            if let Plot::Chart { y, .. } = &report.plot {
                let units: Vec<_> = y.iter().map(|y| report.column(y).unwrap().unit).collect();
                assert!(units.iter().all(|unit| *unit == units[0]), "{name}: one axis, one unit");
            }
        }
        assert!(all().is_sorted_by_key(|report| report.name));
    }

    #[test]
    fn every_file_is_a_report() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/texts");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), TEXTS.len());
    }

    #[test]
    fn an_argument_replaces_every_occurrence_of_its_default() {
        let report = find("tickets-without-session").unwrap();
        let mut arguments = Arguments::new();
        arguments.set("to", "2026-06-01");
        arguments.set("rows", "5");
        let statement = report.statement(&arguments).unwrap();
        assert_eq!(statement.matches("timestamptz '2026-06-01 00:00:00.000000Z' /* to */").count(), 2);
        assert!(!statement.contains("2200"));
        assert!(statement.contains("limit 5 /* rows */"));
    }

    #[test]
    fn invalid_arguments_are_refused_with_their_names() {
        let report = find("ratings-by-agent").unwrap();
        let error = |name: &str, value: &str| {
            let mut arguments = Arguments::new();
            arguments.set(name, value);
            report.statement(&arguments).unwrap_err().to_string()
        };
        assert_eq!(
            error("colour", "red"),
            "the report `ratings-by-agent` has no parameter `colour`; it has from, to, period, portal, agent"
        );
        assert!(error("from", "soon").starts_with("the parameter `from` cannot be `soon`: write a date"));
        assert!(error("period", "eon").contains("write one of day, week, month, quarter, year"));
    }

    #[test]
    fn similar_names_are_suggested() {
        for (name, expected) in [
            ("rating-by-agent", "did you mean one of `ratings-by-agent`, "),
            ("busiest_hour", "did you mean `busiest-hours`?"),
            ("ratings", "`ratings-by-agent`"),
            ("abandoned", "queue-abandonment"),
            ("xyzzy", "lists them all"),
            ("", "lists them all"),
        ] {
            let error = find(name).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
        }
    }

    /// The values of the quoted texts of a statement, as an SQL lexer reads them.
    fn quoted_texts(statement: &str) -> Vec<String> {
        let mut texts = Vec::new();
        let mut letters = statement.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter == '-' && letters.peek() == Some(&'-') {
                letters.by_ref().find(|letter| *letter == '\n');
            } else if letter == '\'' {
                let mut text = String::new();
                while let Some(letter) = letters.next() {
                    if letter == '\'' && letters.next_if_eq(&'\'').is_none() {
                        break;
                    }
                    text.push(letter);
                }
                texts.push(text);
            }
        }
        texts
    }

    proptest! {
        /// No content of a text changes the statement around it.
        #[test]
        fn a_text_stays_inside_its_quotes(value in "[^\0]{0,30}|['\\\\;\\-/* \n]{0,20}", which in 0..TEXTS.len()) {
            let report = &all()[which];
            let texts = report.parameters.iter().filter(|p| p.kind == Type::Text && p.choices.is_empty());
            for parameter in texts {
                let mut arguments = Arguments::new();
                arguments.set(parameter.name, value.clone());
                let statement = report.statement(&arguments).unwrap();
                let places = report.pieces.iter()
                    .filter(|piece| matches!(piece, Piece::Parameter { name, .. } if *name == parameter.name)).count();
                let (before, after) = (quoted_texts(report.sql), quoted_texts(&statement));
                prop_assert_eq!(before.len(), after.len());
                let changed: Vec<_> = before.iter().zip(&after).filter(|(one, other)| one != other).collect();
                prop_assert!(changed.len() <= places);
                prop_assert!(changed.iter().all(|(one, other)| *one == "%" && **other == value));
                let literal = Type::Text.literal(&value).unwrap();
                let marker = format!(" /* {} */", parameter.name);
                prop_assert_eq!(statement.replace(&format!("{literal}{marker}"), &format!("'%'{marker}")), report.sql);
            }
        }
    }
}

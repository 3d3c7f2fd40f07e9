//! Errors of reports. Their messages name the valid alternatives.

/// Why a report has no statement for a name and arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// No report has this name.
    #[error("there is no report `{name}`; {}", advice(nearest, "`holdfast report` lists them all"))]
    UnknownReport {
        /// The requested name.
        name: String,
        /// The most similar names, best first; none if no name is similar.
        nearest: Vec<&'static str>,
    },
    /// The report has no such parameter.
    #[error("the report `{report}` has no parameter `{parameter}`; it has {}", known.join(", "))]
    UnknownParameter {
        /// The report.
        report: &'static str,
        /// The given name.
        parameter: String,
        /// The parameters that it has.
        known: Vec<&'static str>,
    },
    /// A value is invalid for its parameter.
    #[error("the parameter `{parameter}` cannot be `{value}`: {expected}")]
    Value {
        /// The parameter.
        parameter: &'static str,
        /// The given value.
        value: String,
        /// The valid values.
        expected: String,
    },
}

/// Why a result cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlotError {
    /// The report has no plot.
    #[error("the report `{report}` is a list and has no plot; request a table, CSV or JSON")]
    NoPlot {
        /// The report.
        report: &'static str,
    },
    /// The result is not of this report.
    #[error("the result cannot be drawn: its column `{column}` {what}")]
    Answer {
        /// The column.
        column: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Why the text of a report is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidReport(pub(crate) String);

fn advice(nearest: &[&str], otherwise: &str) -> String {
    match nearest {
        [] => otherwise.to_owned(),
        [one] => format!("did you mean `{one}`?"),
        several => format!("did you mean one of `{}`?", several.join("`, `")),
    }
}

//! What can go wrong with a report, said so that whoever asked knows what to write instead.

/// Why a report cannot be asked for in this way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// There is no such report.
    #[error("there is no report `{name}`; {}", advice(nearest, "`holdfast report` lists them all"))]
    UnknownReport {
        /// What was asked for.
        name: String,
        /// The names that are spelt most like it, best first; none when nothing is near.
        nearest: Vec<&'static str>,
    },
    /// The report has no such parameter.
    #[error("the report `{report}` has no parameter `{parameter}`; it has {}", known.join(", "))]
    UnknownParameter {
        /// The report.
        report: &'static str,
        /// What was given.
        parameter: String,
        /// The parameters that it has.
        known: Vec<&'static str>,
    },
    /// A value does not fit its parameter.
    #[error("the parameter `{parameter}` cannot be `{value}`: {expected}")]
    Value {
        /// The parameter.
        parameter: &'static str,
        /// What was given.
        value: String,
        /// What is expected instead.
        expected: String,
    },
}

/// Why an answer cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlotError {
    /// A plot would say nothing that the table does not.
    #[error("the report `{report}` is a list and has no plot; ask for a table, CSV or JSON")]
    NoPlot {
        /// The report.
        report: &'static str,
    },
    /// The answer is not the report's.
    #[error("the answer cannot be drawn: its column `{column}` {what}")]
    Answer {
        /// The column.
        column: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// A mistake in the text of a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MistakeInReport(pub(crate) String);

fn advice(nearest: &[&str], otherwise: &str) -> String {
    match nearest {
        [] => otherwise.to_owned(),
        [one] => format!("did you mean `{one}`?"),
        several => format!("did you mean one of `{}`?", several.join("`, `")),
    }
}

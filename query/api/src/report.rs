//! The source of reports. A report is a statement that the caller could have sent: it runs with the caller's keys and is
//! recorded as any other statement.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::ScalarValue;
use serde::Serialize;
use utoipa::ToSchema;

/// The description of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportDescription {
    /// Its name in `/v1/reports/{name}`.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What it shows and how it counts.
    pub description: String,
    /// Its arguments.
    pub arguments: Vec<ReportArgument>,
    /// Whether it can be drawn (`format=svg`).
    pub has_plot: bool,
}

/// An argument of a report: a parameter of the URL's query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportArgument {
    /// Its name.
    pub name: String,
    /// What it does, and the form of its values.
    pub description: String,
    /// Whether the report needs it.
    pub required: bool,
}

/// All reports, as they are sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct Reports {
    /// In the order of the list.
    pub(crate) reports: Vec<ReportDescription>,
}

/// The statement of a report with arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportStatement {
    /// The statement.
    pub statement: String,
    /// The values of its placeholders.
    pub parameters: Vec<ScalarValue>,
}

/// Why a report cannot be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportProblem {
    /// No report has this name.
    #[error("there is no report `{name}`; GET /v1/reports lists all reports")]
    Unknown {
        /// The name.
        name: String,
    },
    /// An argument is unknown, missing or has an invalid value.
    #[error("the argument `{name}` {why}")]
    Argument {
        /// The argument.
        name: String,
        /// What is wrong with it and what to do.
        why: String,
    },
    /// The report cannot be drawn.
    #[error("the report `{name}` has no plot; request json, ndjson, csv, arrow or parquet")]
    NoPlot {
        /// The report.
        name: String,
    },
    /// Drawing failed.
    #[error("the report `{name}` could not be drawn: {why}")]
    Plot {
        /// The report.
        name: String,
        /// What went wrong.
        why: String,
    },
}

/// A source of reports.
pub trait ReportSource: Send + Sync {
    /// All reports, in the order of the list.
    fn list(&self) -> Vec<ReportDescription>;

    /// The statement of the report `name`. Arguments are values, never parts of a statement's text.
    ///
    /// # Errors
    /// [`ReportProblem::Unknown`] and [`ReportProblem::Argument`].
    fn statement(&self, name: &str, arguments: &[(String, String)]) -> Result<ReportStatement, ReportProblem>;

    /// The result of its statement as an SVG image.
    ///
    /// # Errors
    /// [`ReportProblem::Unknown`], [`ReportProblem::NoPlot`] and [`ReportProblem::Plot`].
    fn plot(&self, name: &str, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ReportProblem>;
}

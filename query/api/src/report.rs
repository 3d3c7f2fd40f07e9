//! Where reports come from. A report is a statement that the caller could have sent, so it is answered with the caller's
//! keys and put on record as any other.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::ScalarValue;
use serde::Serialize;
use utoipa::ToSchema;

/// What a report is, for who chooses one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportDescription {
    /// Its name in `/v1/reports/{name}`.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What it tells.
    pub description: String,
    /// What it can be asked with.
    pub arguments: Vec<ReportArgument>,
    /// Whether it can be drawn (`format=svg`).
    pub has_plot: bool,
}

/// What a report can be asked with: a parameter of the URL's query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportArgument {
    /// Its name.
    pub name: String,
    /// What it does, and what its values look like.
    pub description: String,
    /// Whether the report cannot do without it.
    pub required: bool,
}

/// The statement of a report for certain arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportStatement {
    /// The statement.
    pub statement: String,
    /// What its placeholders stand for.
    pub parameters: Vec<ScalarValue>,
}

/// Why a report cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportProblem {
    /// There is none of this name.
    #[error("there is no report `{name}`; GET /v1/reports lists those that there are")]
    Unknown {
        /// The name.
        name: String,
    },
    /// An argument is unknown, missing, or not a value that it takes.
    #[error("the argument `{name}` {why}")]
    Argument {
        /// The argument.
        name: String,
        /// What is wrong with it and what to do.
        why: String,
    },
    /// The report cannot be drawn.
    #[error("the report `{name}` has no plot; ask for json, ndjson, csv, arrow or parquet")]
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

/// The reports that there are.
pub trait ReportSource: Send + Sync {
    /// All of them, in the order in which they are listed.
    fn list(&self) -> Vec<ReportDescription>;

    /// The statement of the report `name`. Arguments are values, never parts of a statement's text.
    ///
    /// # Errors
    /// [`ReportProblem::Unknown`] and [`ReportProblem::Argument`].
    fn statement(&self, name: &str, arguments: &[(String, String)]) -> Result<ReportStatement, ReportProblem>;

    /// The answer to its statement as an SVG image.
    ///
    /// # Errors
    /// [`ReportProblem::Unknown`], [`ReportProblem::NoPlot`] and [`ReportProblem::Plot`].
    fn plot(&self, name: &str, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ReportProblem>;
}

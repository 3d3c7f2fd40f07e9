//! The statements of the reports.

use super::fill;
use holdfast_reports::{Arguments, Report};

/// The statement of a report, the same for both engines. Its range ends with the generated events, so that no result
/// depends on the current time.
pub(super) fn statement(report: &Report) -> anyhow::Result<String> {
    let mut arguments = Arguments::new();
    if report.parameters.iter().any(|parameter| parameter.name == "to") {
        arguments.set("to", fill::END_TEXT);
    }
    Ok(report.statement(&arguments)?)
}

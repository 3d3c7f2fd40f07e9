//! The built-in reports, for the HTTP API.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use holdfast_api::{ReportArgument, ReportDescription, ReportProblem, ReportSource, ReportStatement};
use holdfast_reports::{Arguments, Plot, PlotError, Report, ReportError};

/// All built-in reports.
pub(crate) struct Reports;

impl ReportSource for Reports {
    fn list(&self) -> Vec<ReportDescription> {
        holdfast_reports::all().iter().map(describe).collect()
    }

    fn statement(&self, name: &str, arguments: &[(String, String)]) -> Result<ReportStatement, ReportProblem> {
        let report = find(name)?;
        let statement = report.statement(&to_arguments(arguments)).map_err(|error| problem(name, &error))?;
        Ok(ReportStatement { statement, parameters: Vec::new() })
    }

    fn plot(&self, name: &str, _: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ReportProblem> {
        let report = find(name)?;
        report.plot(&Arguments::new(), batches).map_err(|error| match error {
            PlotError::NoPlot { .. } => ReportProblem::NoPlot { name: name.to_owned() },
            PlotError::Answer { .. } => ReportProblem::Plot { name: name.to_owned(), why: error.to_string() },
        })
    }
}

fn find(name: &str) -> Result<&'static Report, ReportProblem> {
    holdfast_reports::find(name).map_err(|_| ReportProblem::Unknown { name: name.to_owned() })
}

fn to_arguments(pairs: &[(String, String)]) -> Arguments {
    let mut arguments = Arguments::new();
    for (name, value) in pairs {
        arguments.set(name.clone(), value.clone());
    }
    arguments
}

fn problem(name: &str, error: &ReportError) -> ReportProblem {
    match error {
        ReportError::UnknownReport { .. } => ReportProblem::Unknown { name: name.to_owned() },
        ReportError::UnknownParameter { parameter, known, .. } => ReportProblem::Argument {
            name: parameter.clone(),
            why: format!("is not a parameter of this report; it has {}", known.join(", ")),
        },
        ReportError::Value { parameter, expected, .. } => {
            ReportProblem::Argument { name: (*parameter).to_owned(), why: format!("is not usable: {expected}") }
        }
    }
}

fn describe(report: &Report) -> ReportDescription {
    let arguments = report.parameters.iter().map(|parameter| ReportArgument {
        name: parameter.name.to_owned(),
        description: format!("{} [default: {}]", parameter.description, parameter.default),
        required: false,
    });
    ReportDescription {
        name: report.name.to_owned(),
        title: report.title.to_owned(),
        description: report.description.to_owned(),
        arguments: arguments.collect(),
        has_plot: report.plot != Plot::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_is_listed_and_has_a_statement() {
        let listed = Reports.list();
        assert_eq!(listed.len(), holdfast_reports::all().len());
        for report in listed {
            assert!(Reports.statement(&report.name, &[]).is_ok(), "{}", report.name);
            let odd = Reports.statement(&report.name, &[("colour".to_owned(), "red".to_owned())]);
            assert!(matches!(odd, Err(ReportProblem::Argument { name, .. }) if name == "colour"));
        }
        assert!(matches!(Reports.statement("nothing", &[]), Err(ReportProblem::Unknown { .. })));
    }
}

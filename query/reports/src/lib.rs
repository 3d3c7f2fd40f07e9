//! The built-in reports: plain SQL with a described head, parameters with defaults, and a plot of the answer.
//!
//! ```text
//! query/reports/texts/NAME.sql ─▶ header: title, columns with units, parameters, plot
//!                        └▶ template: the text, cut at its parameters ─┐
//! Arguments (texts from a command line or a request) ─▶ value: literal ┴▶ statement ─▶ the engine ─▶ record batches
//!                                                              header, record batches ─▶ plot: SVG ◀──────┘
//! ```
//!
//! Pure: nothing is read but what is compiled in, and nothing is executed here.
//!
//! Invariants:
//! - A report's text runs as it stands; without arguments the statement is that text.
//! - An argument becomes exactly one literal of the parameter's type, whatever it contains.
//! - A parameter that the report does not have, and a value that is not of its type, are refused with their names.

mod error;
mod header;
mod plot;
mod report;
mod template;
mod value;

pub use error::{MistakeInReport, PlotError, ReportError};
pub use header::{Column, Kind, Plot, Unit};
pub use report::{Arguments, Parameter, Report, all, find};
pub use value::Type;

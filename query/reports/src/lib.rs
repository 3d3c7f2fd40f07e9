//! The built-in reports: plain SQL with a header, parameters with defaults, and a plot of the result.
//!
//! ```text
//! query/reports/texts/NAME.sql ─▶ header: title, columns with units, parameters, plot
//!                        └▶ template: the text, split at its parameters ┐
//! Arguments (texts from a command line or a request) ─▶ value: literal ─┴▶ statement ─▶ the engine ─▶ record batches
//!                                                              header, record batches ─▶ plot: SVG ◀───────┘
//! ```
//!
//! Pure: the texts are compiled in, and nothing is executed here.
//!
//! Invariants:
//! - A report's text is a valid statement. Without arguments the statement is that text.
//! - Every argument becomes exactly one literal of the parameter's type.
//! - An unknown parameter, and a value of another type, are refused with the parameter's name.

mod error;
mod header;
mod plot;
mod report;
mod template;
mod value;

pub use error::{InvalidReport, PlotError, ReportError};
pub use header::{Column, Kind, Plot, Unit};
pub use report::{Arguments, Parameter, Report, all, find};
pub use value::Type;

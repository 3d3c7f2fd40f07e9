//! Values between Arrow and PostgreSQL: parameters in, rows out.

mod parameters;
mod rows;

pub(crate) use parameters::Parameter;
pub(crate) use rows::{Columns, Formats, described_type};

//! Values between the engine and PostgreSQL: parameters in, rows out.
//!
//! ```text
//! Parse, Bind ─▶ parameters ─▶ input ─┬─ time_input, interval, numeric, array_input ─▶ ScalarValue
//!                     │ types         └─ errors with PostgreSQL's codes
//! batches ─▶ rows ────┴─▶ output ─── calendar, interval, numeric ─▶ texts and binary forms
//! ```

mod array_input;
mod calendar;
mod error;
mod input;
mod interval;
mod numeric;
mod output;
mod parameters;
mod rows;
mod time_input;
mod types;

pub(crate) use parameters::Parameter;
pub(crate) use rows::{Columns, Formats, described_type};

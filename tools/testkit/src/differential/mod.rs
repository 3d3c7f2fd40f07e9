//! The differential test: the same statements on a real PostgreSQL and on Holdfast, with the same rows.
//!
//! ```text
//! data ─────────▶ tables of every type ─▶ PostgreSQL (twice: in two orders), Holdfast
//! generator ─┐                                │
//! written ───┴──▶ statements ─▶ runner ───────┴─▶ client ─▶ answers ─▶ compare ─▶ report
//!                                  │                                      │
//!                                  └──────── reduce ◀── difference ◀──────┘
//! ```
//!
//! PostgreSQL is the judge. What it answers, Holdfast answers with the same names, types, values and order, or refuses and says
//! that it does not have it. A difference that is meant to be there is in `deliberate`, with the sentence of
//! docs/postgres.md that says so.

pub mod client;
pub mod compare;
pub mod data;
mod deliberate;
pub mod generator;
mod kind;
mod order;
mod postgres;
mod reduce;
mod report;
mod runner;
pub mod statement;
mod syntax;
mod value;
mod written;

pub use deliberate::{Deliberate, Found};
pub use kind::{ColumnType, Kind, type_name};
pub use order::OrderKey;
pub use postgres::{Copied, Judge};
pub use report::{Counts, Difference, Group, Report, answer};
pub use runner::{Options, Sides, run};
pub use syntax::kind_of;
pub use written::statements as written_statements;

//! Which parts of a plan the CRM computes, and the statement for each part.
//!
//! ```text
//!   rule: the largest parts that concern the CRM alone ──▶ execute: one plan node each ──▶ statement ──▶ validate ──▶ CRM
//!          └ expression: what the CRM computes as the engine would                 └ binding: values for markers (ODBC)
//! ```

pub(crate) mod binding;
pub(crate) mod execute;
pub(crate) mod expression;
pub(crate) mod rule;
mod statement;
pub(crate) mod validate;

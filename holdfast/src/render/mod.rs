//! Query results for people and for machines.
//!
//! ```text
//! rows (a stream of record batches) ─┬▶ table    for people; the first rows decide the widths
//!                                    ├▶ json     one array
//!                                    ├▶ csv      with a header
//!                                    └▶ parquet  one file
//! ```

pub(crate) mod answer;
pub(crate) mod statement_error;
pub(crate) mod table;
pub(crate) mod text;

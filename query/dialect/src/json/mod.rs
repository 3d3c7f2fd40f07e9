//! JSON, which is a text: as it was written (`json`), or as PostgreSQL writes it anew (`jsonb`: keys by their lengths and
//! bytes, each once, numbers as numerics, one space behind `:` and `,`).
//!
//! | file | |
//! |---|---|
//! | `scan` | finds a part without reading the rest into values |
//! | `value` | reads, checks and writes values |
//! | `get` | `->`, `->>`, `#>`, `#>>`, types and lengths |
//! | `contain` | `@>`, `<@`, `?` |
//! | `change` | `jsonb_set` and others that make a `jsonb` of another one |
//! | `build` | JSON of values of any type |
//! | `rows` | elements and members, of which rows are made |
//! | `branches` | constants beside a `json` in COALESCE and CASE |
//! | `marked` | operators that mean something else over other texts: `||`, `-`, `=` over `jsonb` |
//!
//! The operators of `json` and `jsonb` also work over texts: `data` of an event is one. There, what is not well formed has no
//! parts.

mod branches;
mod build;
mod change;
mod contain;
mod get;
mod marked;
mod rows;
mod scan;
mod value;

pub(crate) use branches::Branches;
pub(crate) use build::ELEMENT;
pub(crate) use marked::Marked;

use crate::cast::CastRule;
use crate::function::Function;

/// A JSON as `jsonb` is written.
///
/// # Errors
/// It is no JSON.
pub(crate) fn as_jsonb(text: &str) -> Result<String, crate::SqlError> {
    Ok(value::parse(text)?.written())
}

/// The functions.
pub(crate) fn functions() -> Vec<Function> {
    let domains = [get::functions(), rows::functions(), contain::functions(), change::functions(), build::functions()];
    domains.into_iter().flatten().collect()
}

/// The operators.
pub(crate) fn operators() -> Vec<Function> {
    let domains = [get::operators(), contain::operators(), change::operators()];
    domains.into_iter().flatten().collect()
}

/// The casts. Those to `json` and `jsonb` are the functions `to_json_type` and `to_jsonb_type`.
pub(crate) fn casts() -> Vec<CastRule> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("answers.tsv"));
    }
}

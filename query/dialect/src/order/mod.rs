//! Equality and order, as PostgreSQL has them.
//!
//! | file | |
//! |---|---|
//! | `common` | before types are coerced: the types in which values of different types are compared |
//! | `pinned` | after that: a call keeps its type while its arguments become constants |
//! | `keys` | floats, intervals and arrays have keys |
//! | `by_key` | which are compared, sorted and grouped by |
//! | `extremes` | `greatest` and `least` |

mod by_key;
mod common;
mod extremes;
mod keys;
mod pinned;

pub(crate) use by_key::{ByKey, TextsBeside};
pub(crate) use common::CommonTypes;
pub(crate) use extremes::functions;
pub(crate) use keys::{have_key, keys_of};
pub(crate) use pinned::Pinned;

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("answers.tsv"));
    }
}

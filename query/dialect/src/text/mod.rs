//! Texts, `bytea` and regular expressions, as PostgreSQL has them in UTF-8 with the collation C and the letters of
//! C.UTF-8.
//!
//! | file | |
//! |---|---|
//! | `parts` | lengths, parts, places, replacing |
//! | `letters` | cases, padding, trimming, codes of letters |
//! | `bytes` | `bytea`: encodings, parts, casts |
//! | `quote` | identifiers and literals, `format` |
//! | `concat` | values of any type in one text |
//! | `shown` | the text of a value of any type |
//! | `regex` | regular expressions, SIMILAR TO, LIKE with an escape |

pub(crate) mod budget;
mod bytes;
mod concat;
mod letters;
mod parts;
mod quote;
mod regex;
pub(crate) mod shown;

use crate::cast::CastRule;
use crate::function::Function;

/// The functions.
pub(crate) fn functions() -> Vec<Function> {
    let domains = [
        parts::functions(),
        letters::functions(),
        bytes::functions(),
        quote::functions(),
        concat::functions(),
        regex::functions(),
    ];
    domains.into_iter().flatten().collect()
}

/// The operators.
pub(crate) fn operators() -> Vec<Function> {
    let domains = [parts::operators(), regex::operators(), concat::operators(), bytes::operators()];
    domains.into_iter().flatten().collect()
}

/// The casts.
pub(crate) fn casts() -> Vec<CastRule> {
    bytes::casts()
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("answers.tsv"));
    }
}

//! Arrays: their texts, parts and comparisons. They begin at 1.
//!
//! | file | |
//! |---|---|
//! | `written` | `{a,"b c",NULL}` as it is written and read |
//! | `elements` | the elements of one array, and how they compare |
//! | `nested` | arrays of arrays |
//! | `shape` | dimensions |
//! | `build` | arrays that are made of others |
//! | `find` | elements that are looked for |
//! | `compare` | `=`, `<`, `@>`, `&&`, and `= ANY (..)` |
//! | `of_rows` | arrays of the rows of a query, places beside the rows of an array |
//! | `subscripts` | `a[1]`, `a[1:2]` |
//! | `casts` | between arrays, and between arrays and texts |

mod build;
mod casts;
mod compare;
mod elements;
mod find;
mod nested;
mod of_rows;
mod shape;
mod subscripts;
pub(crate) mod written;

pub(crate) use casts::casts;
pub(crate) use nested::flat;
pub(crate) use shape::lengths;
pub(crate) use subscripts::Subscripts;
pub(crate) use written::{read_texts, texts};

use crate::function::Function;

/// The functions.
pub(crate) fn functions() -> Vec<Function> {
    let domains = [
        shape::functions(),
        build::functions(),
        find::functions(),
        compare::functions(),
        subscripts::functions(),
        of_rows::functions(),
    ];
    domains.into_iter().flatten().collect()
}

/// The operators.
pub(crate) fn operators() -> Vec<Function> {
    let domains = [build::operators(), compare::operators()];
    domains.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::compare;

    #[test]
    fn the_answers_are_postgresqls() {
        compare(include_str!("answers.tsv"));
    }
}

//! The functions of statements over the catalog.
//!
//! A function is chosen by its name, the number of its arguments, and the families of their types.

mod catalog;
mod function;
mod names;
mod series;
mod texts;

pub(crate) use function::{Builtin, Context};
pub(crate) use names::{reg_oid, reg_text};
pub(crate) use series::{Series, series};

use crate::types::Oid;
use std::collections::HashMap;
use std::sync::LazyLock;

static BY_NAME: LazyLock<HashMap<&'static str, Vec<&'static Builtin>>> = LazyLock::new(|| {
    let mut functions: HashMap<&'static str, Vec<&'static Builtin>> = HashMap::new();
    for function in catalog::FUNCTIONS.iter().chain(texts::FUNCTIONS).chain(names::FUNCTIONS) {
        functions.entry(function.name).or_default().push(function);
    }
    functions
});

/// The function with this name that takes arguments of these types. One that takes them as they are comes first.
pub(crate) fn function(name: &str, types: &[Oid]) -> Option<&'static Builtin> {
    let named = BY_NAME.get(name)?;
    let is_exact = |function: &&&Builtin| {
        let places = types.iter().enumerate();
        function.takes(types) && places.into_iter().all(|(place, given)| function.parameter(place) == *given)
    };
    named.iter().find(is_exact).or_else(|| named.iter().find(|function| function.takes(types))).copied()
}

/// Whether a function is about the catalog, so that a statement without tables that calls it is one over the catalog.
pub fn is_catalog_function(name: &str) -> bool {
    let is_named = catalog::FUNCTIONS.iter().chain(names::FUNCTIONS).any(|function| function.name == name);
    is_named || matches!(name, "_pg_expandarray" | "aclexplode" | "pg_get_keywords" | "pg_options_to_table")
}

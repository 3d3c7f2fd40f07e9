//! The functions of statements over the catalog.
//!
//! A function is chosen by its name, the number of its arguments, and the families of their types.

mod catalog;
mod names;
mod series;
mod texts;

pub(crate) use names::{reg_oid, reg_text};
pub(crate) use series::{Series, series};

use crate::error::Result;
use crate::facts::Session;
use crate::tables::Catalog;
use crate::types::{self, Family, Oid, UNKNOWN};
use crate::value::Datum;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What functions know beside their arguments.
#[derive(Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) catalog: &'c Catalog,
    pub(crate) session: &'c Session,
}

pub(crate) type Call = fn(&Context<'_>, &[Datum], &[Oid]) -> Result<Datum>;

/// The type of a function's value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Returns {
    Type(Oid),
    /// That of the first argument.
    First,
    /// That of the second argument.
    Second,
}

/// A function of one value.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    /// The types of the arguments; 0 for any.
    pub(crate) parameters: &'static [Oid],
    /// How many of them may be left out.
    pub(crate) optional: usize,
    /// Whether the last one may be repeated.
    pub(crate) is_variadic: bool,
    /// Whether it is NULL if an argument is.
    pub(crate) is_strict: bool,
    pub(crate) returns: Returns,
    pub(crate) call: Call,
}

impl std::fmt::Debug for Builtin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Builtin {
    const fn new(name: &'static str, parameters: &'static [Oid], returns: Oid, call: Call) -> Self {
        let returns = Returns::Type(returns);
        Self { name, parameters, optional: 0, is_variadic: false, is_strict: true, returns, call }
    }

    const fn optional(self, optional: usize) -> Self {
        Self { optional, ..self }
    }

    const fn variadic(self) -> Self {
        Self { is_variadic: true, ..self }
    }

    const fn lax(self) -> Self {
        Self { is_strict: false, ..self }
    }

    const fn returns(self, returns: Returns) -> Self {
        Self { returns, ..self }
    }

    /// The type of the argument at `place`; 0 for any.
    pub(crate) fn parameter(&self, place: usize) -> Oid {
        let last = self.parameters.last().copied().unwrap_or(0);
        self.parameters.get(place).copied().unwrap_or(last)
    }

    /// The type of its value for arguments of these types.
    pub(crate) fn result(&self, types: &[Oid]) -> Oid {
        match self.returns {
            Returns::Type(oid) => oid,
            Returns::First => types.first().copied().unwrap_or(types::TEXT),
            Returns::Second => types.get(1).copied().unwrap_or(types::TEXT),
        }
    }

    fn takes(&self, types: &[Oid]) -> bool {
        let most = if self.is_variadic { usize::MAX } else { self.parameters.len() };
        if types.len() > most || types.len() < self.parameters.len() - self.optional {
            return false;
        }
        types.iter().enumerate().all(|(place, given)| {
            let wanted = self.parameter(place);
            if wanted == 0 || *given == UNKNOWN || *given == wanted {
                return true;
            }
            match (types::family(*given), types::family(wanted)) {
                (Family::Array, Family::Array) => {
                    wanted == types::ANYARRAY
                        || types::element(*given).map(types::family) == types::element(wanted).map(types::family)
                }
                (Family::Int, Family::Float) => true,
                (given, wanted) => given == wanted,
            }
        })
    }
}

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

//! What a function of the catalog is: its arguments, the type of its value, and how it is called.

use crate::error::Result;
use crate::facts::Session;
use crate::tables::Catalog;
use crate::types::{self, Family, Oid, UNKNOWN};
use crate::value::Datum;

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
    pub(super) const fn new(name: &'static str, parameters: &'static [Oid], returns: Oid, call: Call) -> Self {
        let returns = Returns::Type(returns);
        Self { name, parameters, optional: 0, is_variadic: false, is_strict: true, returns, call }
    }

    pub(super) const fn optional(self, optional: usize) -> Self {
        Self { optional, ..self }
    }

    pub(super) const fn variadic(self) -> Self {
        Self { is_variadic: true, ..self }
    }

    pub(super) const fn lax(self) -> Self {
        Self { is_strict: false, ..self }
    }

    pub(super) const fn returns(self, returns: Returns) -> Self {
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

    pub(super) fn takes(&self, types: &[Oid]) -> bool {
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

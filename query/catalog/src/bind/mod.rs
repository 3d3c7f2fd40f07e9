//! Names and types of a statement: from what is written to a [`Plan`].
//!
//! ```text
//! Query ─▶ query (WITH, ORDER BY, LIMIT) ─▶ select (FROM and WHERE, arranged; GROUP BY, outputs) ─▶ expression ─▶ function
//! ```

mod arrange;
mod coerce;
mod expression;
mod from;
mod function;
mod names;
mod query;
mod scope;

use crate::error::{CatalogError, Result};
use crate::plan::{OutputColumn, Plan};
use crate::tables::Catalog;
use crate::types::{self, Oid, UNKNOWN};
use scope::{CommonTables, Scope};
use sqlparser::ast;
use std::cell::{Cell, RefCell};

/// The most parameters of a statement.
const MAX_PARAMETERS: usize = 1000;

/// What is known while a statement is bound.
pub(crate) struct Binder<'c> {
    pub(crate) catalog: &'c Catalog,
    parameters: RefCell<Vec<Oid>>,
    slots: Cell<usize>,
}

impl Binder<'_> {
    fn new_slot(&self) -> usize {
        let slot = self.slots.get();
        self.slots.set(slot + 1);
        slot
    }

    /// The type of the parameter with this number, which counts from 0.
    fn parameter(&self, index: usize) -> Result<Oid> {
        if index >= MAX_PARAMETERS {
            return Err(CatalogError::new("54023", "a statement has too many parameters"));
        }
        let mut parameters = self.parameters.borrow_mut();
        if parameters.len() <= index {
            parameters.resize(index + 1, UNKNOWN);
        }
        Ok(parameters[index])
    }

    fn set_parameter(&self, index: usize, ty: Oid) {
        if let Some(known) = self.parameters.borrow_mut().get_mut(index).filter(|known| **known == UNKNOWN) {
            *known = ty;
        }
    }
}

/// The plan of `query`, whose parameters have the types that the client names (0 for none).
///
/// # Errors
/// With PostgreSQL's SQLSTATE. See [`CatalogError::is_unknown_form`].
pub fn plan(catalog: &Catalog, query: &ast::Query, named: &[Oid]) -> Result<Plan> {
    let named = named.iter().map(|oid| if *oid == 0 { UNKNOWN } else { *oid }).collect();
    let binder = Binder { catalog, parameters: RefCell::new(named), slots: Cell::new(0) };
    let tables = CommonTables::default();
    let query = binder.query(query, &Scope::outermost(&tables))?;
    let columns = query.columns.iter().map(|column| OutputColumn {
        name: column.name.to_string(),
        type_oid: if column.ty == UNKNOWN { types::TEXT } else { types::base(column.ty) },
    });
    let columns = columns.collect();
    let parameters = binder.parameters.into_inner().into_iter();
    let parameters = parameters.map(|ty| if ty == UNKNOWN { types::TEXT } else { ty }).collect();
    Ok(Plan { query, columns, parameters, slots: binder.slots.get() })
}

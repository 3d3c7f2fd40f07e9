//! Names and types of a statement: from what is written to a [`Plan`].
//!
//! ```text
//! Query ─▶ query (WITH, ORDER BY, LIMIT) ─▶ select (FROM and WHERE, arranged; GROUP BY, outputs) ─▶ expression ─▶ operator, function
//! ```

mod arrange;
mod binder;
mod coerce;
mod expression;
mod from;
mod function;
mod names;
mod operator;
mod query;
mod scope;

use crate::error::Result;
use crate::plan::{OutputColumn, Plan};
use crate::tables::Catalog;
use crate::types::{self, Oid, UNKNOWN};
use binder::Binder;
use scope::{CommonTables, Scope};
use sqlparser::ast;
use std::cell::{Cell, RefCell};

/// The plan of `query`, whose parameters have the types that the client names (0 for none).
///
/// # Errors
/// With PostgreSQL's SQLSTATE. See [`crate::CatalogError::is_unknown_form`].
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

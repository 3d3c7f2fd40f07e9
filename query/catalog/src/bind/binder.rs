//! What is known while a statement is bound. Each file beside this one adds what it binds.

use crate::error::{CatalogError, Result};
use crate::tables::Catalog;
use crate::types::{Oid, UNKNOWN};
use std::cell::{Cell, RefCell};

/// The most parameters of a statement.
const MAX_PARAMETERS: usize = 1000;

/// What is known while a statement is bound.
pub(crate) struct Binder<'c> {
    pub(crate) catalog: &'c Catalog,
    pub(super) parameters: RefCell<Vec<Oid>>,
    pub(super) slots: Cell<usize>,
}

impl Binder<'_> {
    pub(super) fn new_slot(&self) -> usize {
        let slot = self.slots.get();
        self.slots.set(slot + 1);
        slot
    }

    /// The type of the parameter with this number, which counts from 0.
    pub(super) fn parameter(&self, index: usize) -> Result<Oid> {
        if index >= MAX_PARAMETERS {
            return Err(CatalogError::new("54023", "a statement has too many parameters"));
        }
        let mut parameters = self.parameters.borrow_mut();
        if parameters.len() <= index {
            parameters.resize(index + 1, UNKNOWN);
        }
        Ok(parameters[index])
    }

    pub(super) fn set_parameter(&self, index: usize, ty: Oid) {
        if let Some(known) = self.parameters.borrow_mut().get_mut(index).filter(|known| **known == UNKNOWN) {
            *known = ty;
        }
    }
}

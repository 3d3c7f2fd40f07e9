//! Rows in memory, with indexes that are made when a statement looks for a value.

use super::entry::Row;
use crate::value::Key;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The places of rows by the value of one column.
pub(crate) type Index = HashMap<Key, Vec<u32>>;

/// Rows with the indexes that statements have asked for.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) all: Vec<Row>,
    indexes: Mutex<HashMap<usize, Arc<Index>>>,
}

impl Rows {
    pub(crate) fn new(all: Vec<Row>) -> Self {
        Self { all, indexes: Mutex::default() }
    }

    /// The places of the rows by the value of `column`.
    pub(crate) fn index(&self, column: usize) -> Arc<Index> {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        let index = indexes.entry(column).or_insert_with(|| {
            let mut index = Index::new();
            for (place, row) in self.all.iter().enumerate() {
                if let Some(value) = row.get(column).filter(|value| !value.is_null()) {
                    index.entry(value.key()).or_default().push(u32::try_from(place).unwrap_or(u32::MAX));
                }
            }
            Arc::new(index)
        });
        Arc::clone(index)
    }
}

//! Rows in memory, with indexes that are made when a statement looks for a value.

use super::entry::Row;
use crate::value::{Datum, Key};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The places of rows by the value of one column, or by the values of many.
pub(crate) type Index = HashMap<Key, Vec<u32>>;

/// Rows with the indexes that statements have asked for.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) all: Vec<Row>,
    indexes: Mutex<HashMap<Vec<usize>, Arc<Index>>>,
}

impl Rows {
    pub(crate) fn new(all: Vec<Row>) -> Self {
        Self { all, indexes: Mutex::default() }
    }

    /// The places of the rows by their values of `columns`, see [`key_of`].
    pub(crate) fn index(&self, columns: &[usize]) -> Arc<Index> {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = indexes.get(columns) {
            return Arc::clone(index);
        }
        let mut index = Index::new();
        for (place, row) in self.all.iter().enumerate() {
            if let Some(key) = key_of(columns.iter().filter_map(|column| row.get(*column))) {
                index.entry(key).or_default().push(u32::try_from(place).unwrap_or(u32::MAX));
            }
        }
        let index = Arc::new(index);
        indexes.insert(columns.to_vec(), Arc::clone(&index));
        index
    }
}

/// The key of values in an index, or `None` if one of them is NULL, which is equal to nothing.
pub(crate) fn key_of<'v>(values: impl IntoIterator<Item = &'v Datum>) -> Option<Key> {
    let mut keys = Vec::new();
    for value in values {
        if value.is_null() {
            return None;
        }
        keys.push(value.key());
    }
    if keys.len() == 1 { keys.pop() } else { Some(Key::Many(keys)) }
}

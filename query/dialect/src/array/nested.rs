//! Arrays of arrays.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use std::sync::Arc;

/// All elements of an array of arrays, one behind the other.
pub(crate) fn flat(values: &ArrayRef) -> ArrayRef {
    match values.as_list_opt::<i32>() {
        None => Arc::clone(values),
        Some(lists) => {
            let offsets = lists.value_offsets();
            let (first, last) = (offsets[0] as usize, offsets[lists.len()] as usize);
            flat(&lists.values().slice(first, last - first))
        }
    }
}

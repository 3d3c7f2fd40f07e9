//! `array_agg(DISTINCT x)` of values that have [keys](crate::order): floats, intervals and arrays. The engine tells values apart by
//! their bits, and sorts them by those.
//!
//! ```text
//! values ─▶ pieces, copied ─▶ as many as are kept already: sorted by their keys, the first of each key is kept ─▶ an array
//! ```

use crate::order::keys_of;
use crate::types::array_of;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, UInt32Array, new_empty_array};
use arrow_buffer::OffsetBuffer;
use arrow_ord::ord::make_comparator;
use arrow_ord::sort::sort_to_indices;
use arrow_schema::{DataType, Field, SortOptions};
use arrow_select::concat::concat;
use arrow_select::take::take;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Accumulator;
use std::cmp::Ordering;
use std::sync::Arc;

/// Values that are kept before equal ones are looked for.
const PIECE: usize = 4096;
/// Pieces of few values each that are kept before they become one.
const PIECES: usize = 64;

/// The accumulator.
#[derive(Debug)]
pub(super) struct Different {
    order: SortOptions,
    /// Sorted, and different.
    kept: ArrayRef,
    pieces: Vec<ArrayRef>,
    /// Values of the pieces.
    pending: usize,
    /// Bytes of the pieces.
    bytes: usize,
}

impl Different {
    /// Of values of this type, in this order.
    pub(super) fn new(data_type: &DataType, order: SortOptions) -> Self {
        Self { order, kept: new_empty_array(data_type), pieces: Vec::new(), pending: 0, bytes: 0 }
    }

    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        // A slice of the rows of all groups would keep these.
        let places = UInt32Array::from_iter_values(0..u32::try_from(values.len()).unwrap_or(u32::MAX));
        let piece = take(values, &places, None)?;
        self.pending += piece.len();
        self.bytes += piece.get_array_memory_size();
        self.pieces.push(piece);
        let is_much = self.pending > self.kept.len().max(PIECE) || self.pieces.len() > PIECES + self.kept.len() / 16;
        if is_much { self.merge() } else { Ok(()) }
    }

    fn merge(&mut self) -> Result<()> {
        if self.pieces.is_empty() {
            return Ok(());
        }
        let parts: Vec<&dyn Array> =
            std::iter::once(self.kept.as_ref()).chain(self.pieces.iter().map(AsRef::as_ref)).collect();
        let values = concat(&parts)?;
        let keys = keys_of(&values)?;
        let order = sort_to_indices(&keys, Some(self.order), None)?;
        let compare = make_comparator(&keys, &keys, SortOptions::default())?;
        let places = order.values();
        let is_first = |place: &usize| {
            *place == 0 || compare(places[*place - 1] as usize, places[*place] as usize) != Ordering::Equal
        };
        let first: UInt32Array = (0..places.len()).filter(is_first).map(|place| places[place]).collect();
        self.kept = take(&values, &first, None)?;
        self.pieces.clear();
        (self.pending, self.bytes) = (0, 0);
        Ok(())
    }

    fn list(&mut self) -> Result<ScalarValue> {
        self.merge()?;
        let element = Field::new_list_field(self.kept.data_type().clone(), true);
        let offsets = OffsetBuffer::from_lengths([self.kept.len()]);
        let list = ListArray::try_new(Arc::new(element), offsets, Arc::clone(&self.kept), None)?;
        Ok(ScalarValue::List(Arc::new(list)))
    }
}

impl Accumulator for Different {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.merge()?;
        if self.kept.is_empty() {
            return ScalarValue::try_new_null(&array_of(self.kept.data_type().clone()));
        }
        self.list()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.kept.get_array_memory_size() + self.bytes
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.list()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        (0..lists.len()).filter(|row| lists.is_valid(*row)).try_for_each(|row| self.add(&lists.value(row)))
    }
}

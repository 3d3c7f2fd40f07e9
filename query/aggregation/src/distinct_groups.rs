//! The distinct texts of all groups in one set.
//!
//! ```text
//! group 7, 'text' ─▶ │ 7 in 8 bytes │ text │ ─▶ new in the set? ─▶ the count of group 7
//! ```

use crate::texts::{bytes_of, column_of};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, ListArray};
use arrow_schema::{DataType, Field};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use std::collections::HashSet;
use std::sync::Arc;

/// Bytes of a group's number before each of its texts.
const GROUP_BYTES: usize = size_of::<u64>();
/// What the allocator takes beside the bytes of a text, and the set beside its entry.
const ENTRY_OVERHEAD: usize = 24;

/// The distinct texts of all groups.
#[derive(Debug)]
pub(super) struct DistinctTextGroups {
    data_type: DataType,
    seen: HashSet<Box<[u8]>>,
    /// Bytes of the entries of `seen`.
    bytes: usize,
    counts: Vec<i64>,
    /// The group and the text that is looked for.
    entry: Vec<u8>,
}

impl DistinctTextGroups {
    pub(super) fn new(data_type: DataType) -> Self {
        Self { data_type, seen: HashSet::new(), bytes: 0, counts: Vec::new(), entry: Vec::new() }
    }

    fn add(&mut self, group: usize, text: &[u8]) {
        self.entry.clear();
        self.entry.extend_from_slice(&(group as u64).to_le_bytes());
        self.entry.extend_from_slice(text);
        if !self.seen.contains(self.entry.as_slice()) {
            self.seen.insert(self.entry.as_slice().into());
            self.bytes += self.entry.len();
            self.counts[group] += 1;
        }
    }

    /// Removes the first groups. Returns their counts, and their texts with the number of the group before each.
    fn remove(&mut self, emit_to: EmitTo) -> (Vec<i64>, Vec<Box<[u8]>>) {
        let counts = emit_to.take_needed(&mut self.counts);
        let mut removed = Vec::new();
        for mut entry in std::mem::take(&mut self.seen) {
            match group_of(&entry).checked_sub(counts.len()) {
                None => {
                    self.bytes -= entry.len();
                    removed.push(entry);
                }
                Some(group) => {
                    entry[..GROUP_BYTES].copy_from_slice(&(group as u64).to_le_bytes());
                    self.seen.insert(entry);
                }
            }
        }
        (counts, removed)
    }
}

fn group_of(entry: &[u8]) -> usize {
    let (number, _) = entry.split_first_chunk::<GROUP_BYTES>().unwrap_or((&[0; GROUP_BYTES], &[]));
    u64::from_le_bytes(*number) as usize
}

impl GroupsAccumulator for DistinctTextGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.counts.resize(groups, 0);
        for ((row, value), &group) in bytes_of(&values[0])?.enumerate().zip(group_indices) {
            // NULL does not pass.
            let passes = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if let Some(value) = value.filter(|_| passes) {
                self.add(group, value);
            }
        }
        Ok(())
    }

    /// A state is the list of the texts.
    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], groups: usize) -> Result<()> {
        self.counts.resize(groups, 0);
        for (list, &group) in states[0].as_list::<i32>().iter().zip(group_indices) {
            if let Some(list) = list {
                bytes_of(&list)?.flatten().for_each(|value| self.add(group, value));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (counts, _) = self.remove(emit_to);
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (counts, mut entries) = self.remove(emit_to);
        entries.sort_unstable_by_key(|entry| group_of(entry));
        let texts = column_of(entries.iter().map(|entry| &entry[GROUP_BYTES..]), &self.data_type)?;
        Ok(vec![Arc::new(lists(texts, counts.iter().map(|count| *count as usize))?)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let passes = |row| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let counted: Vec<Option<&[u8]>> =
            bytes_of(&values[0])?.enumerate().map(|(row, value)| value.filter(|_| passes(row))).collect();
        let texts = column_of(counted.iter().flatten().copied(), &self.data_type)?;
        Ok(vec![Arc::new(lists(texts, counted.iter().map(|value| usize::from(value.is_some())))?)])
    }

    fn size(&self) -> usize {
        self.bytes
            + self.seen.capacity() * (size_of::<Box<[u8]>>() + ENTRY_OVERHEAD)
            + self.counts.capacity() * size_of::<i64>()
            + self.entry.capacity()
    }
}

/// Lists of these lengths, of texts that follow each other.
fn lists(texts: ArrayRef, lengths: impl Iterator<Item = usize>) -> Result<ListArray> {
    if i32::try_from(texts.len()).is_err() {
        return Err(exec_datafusion_err!("more than {} texts are too many for one column", i32::MAX));
    }
    let field = Arc::new(Field::new_list_field(texts.data_type().clone(), true));
    Ok(ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), texts, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::StringArray;
    use arrow_cast::cast;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Row = (usize, Option<String>, Option<bool>);

    fn columns(rows: &[Row], data_type: &DataType) -> (ArrayRef, Vec<usize>, BooleanArray) {
        let texts: ArrayRef = Arc::new(rows.iter().map(|(_, text, _)| text.as_deref()).collect::<StringArray>());
        let passes = rows.iter().map(|(_, _, passes)| *passes).collect();
        (cast(&texts, data_type).unwrap(), rows.iter().map(|(group, _, _)| *group).collect(), passes)
    }

    fn numbers(counts: &ArrayRef) -> Vec<i64> {
        counts.as_primitive::<arrow_array::types::Int64Type>().values().to_vec()
    }

    proptest! {
        #[test]
        fn each_text_of_a_group_is_counted_once(
            rows in proptest::collection::vec(
                (0..5_usize, proptest::option::of("[ab]{0,2}|a text that is in no view itself [ab]"), proptest::option::of(any::<bool>())),
                1..60,
            ),
            batch in 1..20_usize,
            first in 0..6_usize,
            kind in 0..6_usize,
        ) {
            use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
            let data_type = [Utf8, LargeUtf8, Utf8View, Binary, LargeBinary, BinaryView][kind].clone();
            let mut known: BTreeMap<usize, HashSet<&str>> = (0..5).map(|group| (group, HashSet::new())).collect();
            for (group, text, passes) in &rows {
                if let (Some(text), Some(true)) = (text, passes) {
                    known.entry(*group).or_default().insert(text);
                }
            }
            let expected: Vec<i64> = known.values().map(|texts| texts.len() as i64).collect();
            let groups = || DistinctTextGroups::new(data_type.clone());
            let (mut direct, mut merged, mut converted) = (groups(), groups(), groups());
            for rows in rows.chunks(batch) {
                let (texts, indices, passes) = columns(rows, &data_type);
                direct.update_batch(&[Arc::clone(&texts)], &indices, Some(&passes), 5).unwrap();
                let mut part = groups();
                part.update_batch(&[Arc::clone(&texts)], &indices, Some(&passes), 5).unwrap();
                // The first groups, and then the others.
                for (emit_to, offset) in [(EmitTo::First(first.min(5)), 0), (EmitTo::All, first.min(5))] {
                    let state = part.state(emit_to).unwrap();
                    let indices: Vec<usize> = (offset..offset + state[0].len()).collect();
                    merged.merge_batch(&state, &indices, 5).unwrap();
                }
                prop_assert!(part.seen.is_empty() && part.bytes == 0);
                let state = groups().convert_to_state(&[texts], Some(&passes)).unwrap();
                converted.merge_batch(&state, &indices, 5).unwrap();
            }
            prop_assert_eq!(numbers(&merged.evaluate(EmitTo::All).unwrap()), expected.clone());
            prop_assert_eq!(numbers(&converted.evaluate(EmitTo::All).unwrap()), expected.clone());
            let mut counts = numbers(&direct.evaluate(EmitTo::First(first.min(5))).unwrap());
            counts.extend(numbers(&direct.evaluate(EmitTo::All).unwrap()));
            prop_assert_eq!(counts, expected);
            prop_assert_eq!(direct.bytes, 0);
        }
    }
}

//! The keys and values of many groups in one buffer.
//!
//! A longer entry of a group is appended to the buffer, and its old bytes are unused. The buffer is compacted once more
//! than half of it is unused.

/// No row of the current batch is better than the group's entry.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Slot {
    start: usize,
    key: u32,
    value: u32,
    /// Bytes of the slot from `start` on.
    capacity: u32,
    /// The row of the current batch that is better than the entry.
    candidate: u32,
}

const EMPTY: Slot = Slot { start: 0, key: 0, value: 0, capacity: 0, candidate: NONE };

/// The best key and value of a group. Both are empty for a group without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'g> {
    pub(crate) key: &'g [u8],
    pub(crate) value: &'g [u8],
}

/// The entries of all groups, by group index.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    slots: Vec<Slot>,
    bytes: Vec<u8>,
    /// Bytes of the buffer that no slot uses.
    unused: usize,
}

impl Groups {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Adds empty groups, up to `groups` in total.
    pub(crate) fn grow(&mut self, groups: usize) {
        if self.slots.len() < groups {
            self.slots.resize(groups, EMPTY);
        }
    }

    pub(crate) fn entry(&self, group: usize) -> Entry<'_> {
        let Slot { start, key, value, .. } = self.slots[group];
        let (key, value) = (key as usize, value as usize);
        let (key, value) = self.bytes[start..start + key + value].split_at(key);
        Entry { key, value }
    }

    /// The best row of the current batch for a group, until its entry is put.
    pub(crate) fn candidate(&self, group: usize) -> Option<usize> {
        let candidate = self.slots[group].candidate;
        (candidate != NONE).then_some(candidate as usize)
    }

    pub(crate) fn set_candidate(&mut self, group: usize, row: usize) {
        self.slots[group].candidate = row as u32;
    }

    /// Replaces the entry of a group.
    pub(crate) fn put(&mut self, group: usize, entry: Entry<'_>) {
        let Entry { key, value } = entry;
        let length = key.len() + value.len();
        let slot = &mut self.slots[group];
        if length > slot.capacity as usize {
            self.unused += slot.capacity as usize;
            slot.start = self.bytes.len();
            slot.capacity = length as u32;
            self.bytes.extend_from_slice(key);
            self.bytes.extend_from_slice(value);
        } else {
            let bytes = &mut self.bytes[slot.start..slot.start + length];
            bytes[..key.len()].copy_from_slice(key);
            bytes[key.len()..].copy_from_slice(value);
        }
        (slot.key, slot.value, slot.candidate) = (key.len() as u32, value.len() as u32, NONE);
        self.compact();
    }

    /// Removes the first `groups`; the indices of the others start at 0.
    pub(crate) fn remove_first(&mut self, groups: usize) {
        if groups >= self.slots.len() {
            *self = Self::default();
            return;
        }
        self.unused += self.slots.drain(..groups).map(|slot| slot.capacity as usize).sum::<usize>();
        self.compact();
    }

    pub(crate) fn memory_size(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.bytes.capacity()
    }

    fn compact(&mut self) {
        if self.unused <= self.bytes.len() / 2 {
            return;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.unused);
        for slot in &mut self.slots {
            let used = slot.key as usize + slot.value as usize;
            let start = bytes.len();
            bytes.extend_from_slice(&self.bytes[slot.start..slot.start + used]);
            (slot.start, slot.capacity) = (start, used as u32);
        }
        (self.bytes, self.unused) = (bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Put(usize, Vec<u8>, Vec<u8>),
        RemoveFirst(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = |least| proptest::collection::vec(any::<u8>(), least..40);
        prop_oneof![
            8 => (0..12_usize, bytes(1), bytes(0)).prop_map(|(group, key, value)| Step::Put(group, key, value)),
            1 => (0..14_usize).prop_map(Step::RemoveFirst),
        ]
    }

    proptest! {
        #[test]
        fn each_group_has_the_entry_that_was_put_last(steps in proptest::collection::vec(step(), 0..200)) {
            let (mut groups, mut expected) = (Groups::default(), Vec::<(Vec<u8>, Vec<u8>)>::new());
            for step in steps {
                match step {
                    Step::Put(group, key, value) => {
                        groups.grow(group + 1);
                        if expected.len() <= group {
                            expected.resize(group + 1, Default::default());
                        }
                        groups.set_candidate(group, 7);
                        prop_assert_eq!(groups.candidate(group), Some(7));
                        groups.put(group, Entry { key: &key, value: &value });
                        prop_assert_eq!(groups.candidate(group), None);
                        expected[group] = (key, value);
                    }
                    Step::RemoveFirst(first) => {
                        groups.remove_first(first);
                        expected.drain(..first.min(expected.len()));
                    }
                }
                prop_assert_eq!(groups.len(), expected.len());
                for (group, (key, value)) in expected.iter().enumerate() {
                    prop_assert_eq!(groups.entry(group), Entry { key, value });
                }
                prop_assert!(groups.unused <= groups.bytes.len() / 2);
            }
        }
    }
}

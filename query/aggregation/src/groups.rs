//! The keys and values of many groups in one buffer.
//!
//! A group that is given something longer than it had goes to the end of the buffer, and what it had is waste. Once half of the
//! buffer is waste, the buffer is written anew.

/// No row of the present batch is the group's best.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    key: u32,
    value: u32,
    /// Bytes that the group may use from `start` on.
    room: u32,
    /// The row of the present batch that is better than what stands here.
    candidate: u32,
}

const EMPTY: Place = Place { start: 0, key: 0, value: 0, room: 0, candidate: NONE };

/// What a group has. Both are empty where it has nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'g> {
    pub(crate) key: &'g [u8],
    pub(crate) value: &'g [u8],
}

/// Entries by the numbers of their groups.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    places: Vec<Place>,
    bytes: Vec<u8>,
    waste: usize,
}

impl Groups {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Makes room for groups with numbers below `groups`.
    pub(crate) fn grow(&mut self, groups: usize) {
        if self.places.len() < groups {
            self.places.resize(groups, EMPTY);
        }
    }

    pub(crate) fn entry(&self, group: usize) -> Entry<'_> {
        let Place { start, key, value, .. } = self.places[group];
        let (key, value) = (key as usize, value as usize);
        let (key, value) = self.bytes[start..start + key + value].split_at(key);
        Entry { key, value }
    }

    /// The row that was proposed for a group since something was last put there.
    pub(crate) fn candidate(&self, group: usize) -> Option<usize> {
        let candidate = self.places[group].candidate;
        (candidate != NONE).then_some(candidate as usize)
    }

    pub(crate) fn propose(&mut self, group: usize, row: usize) {
        self.places[group].candidate = row as u32;
    }

    /// Puts an entry in the place of the group's.
    pub(crate) fn put(&mut self, group: usize, entry: Entry<'_>) {
        let Entry { key, value } = entry;
        let wanted = key.len() + value.len();
        let place = &mut self.places[group];
        if wanted > place.room as usize {
            self.waste += place.room as usize;
            place.start = self.bytes.len();
            place.room = wanted as u32;
            self.bytes.extend_from_slice(key);
            self.bytes.extend_from_slice(value);
        } else {
            let bytes = &mut self.bytes[place.start..place.start + wanted];
            bytes[..key.len()].copy_from_slice(key);
            bytes[key.len()..].copy_from_slice(value);
        }
        (place.key, place.value, place.candidate) = (key.len() as u32, value.len() as u32, NONE);
        self.tidy();
    }

    /// Forgets the first `groups`; the others are numbered from 0.
    pub(crate) fn forget(&mut self, groups: usize) {
        if groups >= self.places.len() {
            *self = Self::default();
            return;
        }
        self.waste += self.places.drain(..groups).map(|place| place.room as usize).sum::<usize>();
        self.tidy();
    }

    pub(crate) fn memory_size(&self) -> usize {
        self.places.capacity() * size_of::<Place>() + self.bytes.capacity()
    }

    fn tidy(&mut self) {
        if self.waste <= self.bytes.len() / 2 {
            return;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.waste);
        for place in &mut self.places {
            let used = place.key as usize + place.value as usize;
            let start = bytes.len();
            bytes.extend_from_slice(&self.bytes[place.start..place.start + used]);
            (place.start, place.room) = (start, used as u32);
        }
        (self.bytes, self.waste) = (bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Put(usize, Vec<u8>, Vec<u8>),
        Forget(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = |least| proptest::collection::vec(any::<u8>(), least..40);
        prop_oneof![
            8 => (0..12_usize, bytes(1), bytes(0)).prop_map(|(group, key, value)| Step::Put(group, key, value)),
            1 => (0..14_usize).prop_map(Step::Forget),
        ]
    }

    proptest! {
        #[test]
        fn each_group_has_what_was_put_there_last(steps in proptest::collection::vec(step(), 0..200)) {
            let (mut groups, mut expected) = (Groups::default(), Vec::<(Vec<u8>, Vec<u8>)>::new());
            for step in steps {
                match step {
                    Step::Put(group, key, value) => {
                        groups.grow(group + 1);
                        if expected.len() <= group {
                            expected.resize(group + 1, Default::default());
                        }
                        groups.propose(group, 7);
                        prop_assert_eq!(groups.candidate(group), Some(7));
                        groups.put(group, Entry { key: &key, value: &value });
                        prop_assert_eq!(groups.candidate(group), None);
                        expected[group] = (key, value);
                    }
                    Step::Forget(first) => {
                        groups.forget(first);
                        expected.drain(..first.min(expected.len()));
                    }
                }
                prop_assert_eq!(groups.len(), expected.len());
                for (group, (key, value)) in expected.iter().enumerate() {
                    prop_assert_eq!(groups.entry(group), Entry { key, value });
                }
                prop_assert!(groups.waste <= groups.bytes.len() / 2);
            }
        }
    }
}

//! What was used last, of a bounded number.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values by their keys. A new one takes the place of the one that was not used for the longest time.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    kept: Mutex<Kept<K, V>>,
    most: usize,
}

#[derive(Debug)]
struct Kept<K, V> {
    /// The values, and when each was used.
    values: HashMap<K, (V, u64)>,
    /// How often one was used or added.
    uses: u64,
}

impl<K: Eq + Hash + Clone, V: Clone> Recent<K, V> {
    /// Keeps `most` values.
    pub(super) fn new(most: usize) -> Self {
        Self { kept: Mutex::new(Kept { values: HashMap::new(), uses: 0 }), most }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut kept = self.kept();
        kept.uses += 1;
        let now = kept.uses;
        let (value, used) = kept.values.get_mut(key)?;
        *used = now;
        Some(value.clone())
    }

    pub(super) fn keep(&self, key: K, value: V) {
        let mut kept = self.kept();
        kept.uses += 1;
        let now = kept.uses;
        kept.values.insert(key, (value, now));
        if kept.values.len() > self.most
            && let Some(oldest) = kept.values.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone())
        {
            kept.values.remove(&oldest);
        }
    }

    /// Drops what `is_forgotten`.
    pub(super) fn forget(&self, is_forgotten: impl Fn(&V) -> bool) {
        self.kept().values.retain(|_, (value, _)| !is_forgotten(value));
    }

    fn kept(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_the_longest_time_makes_room() {
        let recent = Recent::new(2);
        recent.keep("a", 1);
        recent.keep("b", 2);
        assert_eq!(recent.get(&"a"), Some(1));
        recent.keep("c", 3);
        assert_eq!([recent.get(&"a"), recent.get(&"b"), recent.get(&"c")], [Some(1), None, Some(3)]);
        recent.keep("c", 4);
        assert_eq!([recent.get(&"a"), recent.get(&"c")], [Some(1), Some(4)]);
        recent.forget(|value| *value > 3);
        assert_eq!([recent.get(&"a"), recent.get(&"c")], [Some(1), None]);
    }
}

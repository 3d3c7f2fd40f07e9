//! What a listing of a Delta log says: where to begin to read, and up to which entry.
//!
//! ```text
//! names ─▶ newest checkpoint ─▶ its own entry, and all entries that follow, without a gap
//! ```
//!
//! Pure. Names of other forms (hints, checksums, unfinished writes of other programs) are left out.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// A listing, as far as it is of interest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    entries: BTreeSet<u64>,
    checkpoints: BTreeSet<u64>,
}

impl Listing {
    /// The entries and checkpoints among the last parts of some paths.
    pub(super) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut listing = Self::default();
        for name in names {
            let Some((version, rest)) = name.split_at_checked(20) else { continue };
            // A version is a 64-bit integer with a sign. None of another form can be an entry's.
            let is_number = version.bytes().all(|byte| byte.is_ascii_digit());
            let Some(version) = version.parse::<u64>().ok().filter(|version| is_number && *version < i64::MAX as u64)
            else {
                continue;
            };
            match rest {
                ".json" => _ = listing.entries.insert(version),
                ".checkpoint.parquet" => _ = listing.checkpoints.insert(version),
                _ => {}
            }
        }
        listing
    }

    /// The newest checkpoint whose own entry, or one after it, is there.
    pub(super) fn checkpoint(&self) -> Option<u64> {
        let newest = *self.entries.last()?;
        self.checkpoints.range(..=newest).next_back().copied()
    }

    /// Leaves out a checkpoint, which cannot be read.
    pub(super) fn forget_checkpoint(&mut self, version: u64) {
        self.checkpoints.remove(&version);
    }

    /// The versions of the entries to read, from that of the checkpoint on. `None` when there is no entry.
    ///
    /// # Errors
    /// With a version whose entry is not in the listing, although a later one is.
    pub(super) fn versions(&self) -> Result<Option<RangeInclusive<u64>>, u64> {
        let Some(newest) = self.entries.last().copied() else { return Ok(None) };
        let first = self.checkpoint().unwrap_or(0);
        match (first..=newest).zip(self.entries.range(first..)).find(|(expected, found)| expected != *found) {
            Some((missing, _)) => Err(missing),
            None => Ok(Some(first..=newest)),
        }
    }
}

/// The version of the newest checkpoint, from the bytes of the object that names it. `None` when they name none.
pub(crate) fn hinted_version(hint: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(hint).ok()?["version"].as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listing(entries: &[u64], checkpoints: &[u64]) -> Listing {
        let entries = entries.iter().map(|version| format!("{version:020}.json"));
        let names: Vec<String> =
            entries.chain(checkpoints.iter().map(|version| format!("{version:020}.checkpoint.parquet"))).collect();
        Listing::of(names.iter().map(String::as_str))
    }

    #[test]
    fn reading_begins_at_the_newest_checkpoint() {
        type Expected = Result<Option<RangeInclusive<u64>>, u64>;
        let cases: &[(&[u64], &[u64], Expected)] = &[
            (&[], &[], Ok(None)),
            (&[], &[7], Ok(None)),
            (&[0], &[], Ok(Some(0..=0))),
            (&[0, 1, 2], &[], Ok(Some(0..=2))),
            (&[0, 1, 2, 3], &[1], Ok(Some(1..=3))),
            (&[0, 1, 2, 3], &[1, 3], Ok(Some(3..=3))),
            // What is before the checkpoint is not needed.
            (&[0, 5, 6], &[5], Ok(Some(5..=6))),
            // A checkpoint that was seen before its entry.
            (&[0, 1, 2], &[1, 3], Ok(Some(1..=2))),
            (&[1, 2], &[], Err(0)),
            (&[0, 2], &[], Err(1)),
            (&[5, 7], &[5], Err(6)),
            (&[6, 7], &[5], Err(5)),
        ];
        for (entries, checkpoints, expected) in cases {
            assert_eq!(&listing(entries, checkpoints).versions(), expected, "{entries:?} {checkpoints:?}");
        }
    }

    #[test]
    fn a_hint_that_names_no_version_is_no_hint() {
        assert_eq!(hinted_version(br#"{"version":99,"size":3}"#), Some(99));
        for hint in ["", "{}", "[]", "{\"version\":-1}", "{\"version\":\"9\"}", "{\"version\":1e30}", "\u{0}"] {
            assert_eq!(hinted_version(hint.as_bytes()), None, "{hint}");
        }
    }

    #[test]
    fn other_names_are_left_out() {
        let names = [
            "",
            "_last_checkpoint",
            "0000000000000000000.json",
            "+0000000000000000001.json",
            "00000000000000000001.json#1",
            "00000000000000000001.crc",
            "00000000000000000001.00000000000000000002.compacted.json",
            "00000000000000000001.checkpoint.0000000001.0000000002.parquet",
            "18446744073709551615.json",
            "09223372036854775807.json",
            "99999999999999999999.json",
            "ü000000000000000000001.json",
        ];
        assert_eq!(Listing::of(names), Listing::default());
    }

    proptest! {
        #[test]
        fn any_names_are_read(names in prop::collection::vec("[0-9]{18,21}(\\.json|\\.checkpoint\\.parquet)?|\\PC{0,30}", 0..20)) {
            let listing = Listing::of(names.iter().map(String::as_str));
            if let Ok(Some(versions)) = listing.versions() {
                prop_assert!(versions.start() <= versions.end());
            }
        }
    }
}

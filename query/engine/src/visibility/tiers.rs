//! The tiers that a caller may read in each file.

use holdfast_archive::DataFile;
use holdfast_archive::keys::Unlocker;
use holdfast_events::Tier;
use std::collections::{HashMap, HashSet};

/// A set of tiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Tiers(u8);

impl Tiers {
    /// No tier.
    pub(crate) const NONE: Self = Self(0);
    /// Every tier.
    pub(crate) const ALL: Self = Self(0b111);

    /// Whether `tier` is among them.
    pub(crate) fn has(self, tier: Tier) -> bool {
        self.0 & (1 << tier as u8) != 0
    }

    /// Whether a protected tier is among them: personal or content.
    pub(crate) fn are_protected(self) -> bool {
        self.has(Tier::Personal) || self.has(Tier::Content)
    }

    /// These and `tier`.
    pub(crate) fn with(self, tier: Tier) -> Self {
        Self(self.0 | 1 << tier as u8)
    }

    /// Those that are in both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in either.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Tier> for Tiers {
    fn from_iter<I: IntoIterator<Item = Tier>>(tiers: I) -> Self {
        tiers.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The tiers that one caller may read in a snapshot's files. Master keys are per class and month, so they are the same
/// in all files of one class and date.
#[derive(Debug, Default)]
pub(crate) struct TierAccess {
    by_partition: HashMap<(String, i32), Tiers>,
    in_every: Tiers,
    in_any: Tiers,
}

impl TierAccess {
    /// One file of each class and date. An [`Unlocker`] that is prepared for these can decide about all files.
    pub(crate) fn representatives<'f>(files: impl IntoIterator<Item = &'f DataFile>) -> Vec<DataFile> {
        let mut seen = HashSet::new();
        files.into_iter().filter(|file| seen.insert((file.class.as_str(), file.date))).cloned().collect()
    }

    /// The tiers in `visible` that `unlocker` opens. It must be prepared for `representatives`.
    pub(crate) fn of(unlocker: &Unlocker, visible: Tiers, representatives: &[DataFile]) -> Self {
        Self::from_pairs(representatives.iter().map(|file| {
            let tiers: Tiers = Tier::ALL.into_iter().filter(|tier| unlocker.can_read(*tier, file)).collect();
            ((file.class.clone(), file.date), tiers.and(visible))
        }))
    }

    pub(crate) fn from_pairs(pairs: impl IntoIterator<Item = ((String, i32), Tiers)>) -> Self {
        let by_partition: HashMap<_, _> = pairs.into_iter().collect();
        let in_every = by_partition.values().copied().fold(Tiers::ALL, Tiers::and);
        let in_any = by_partition.values().copied().fold(Tiers::NONE, Tiers::or);
        Self { by_partition, in_every, in_any }
    }

    /// The tiers that the caller may read in `file`.
    pub(crate) fn in_file(&self, file: &DataFile) -> Tiers {
        // A map with pairs as keys is looked up with an owned pair. Files are few compared with their rows.
        self.by_partition.get(&(file.class.clone(), file.date)).copied().unwrap_or(Tiers::NONE)
    }

    /// The tiers that the caller may read in every file; all tiers if there is no file.
    pub(crate) fn in_every_file(&self) -> Tiers {
        self.in_every
    }

    /// Whether there are files, and the caller may read `tier` in none of them.
    pub(crate) fn nowhere(&self, tier: Tier) -> bool {
        !self.by_partition.is_empty() && !self.in_any.has(tier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_archive_withholds_nothing() {
        let access = TierAccess::default();
        assert!(!access.nowhere(Tier::Content));
        assert_eq!(TierAccess::from_pairs([]).in_every_file(), Tiers::ALL);
    }

    #[test]
    fn a_tier_that_is_open_in_one_month_is_neither_everywhere_nor_nowhere() {
        let manager: Tiers = [Tier::Operational].into_iter().collect();
        let access =
            TierAccess::from_pairs([(("general".into(), 20_000), manager), (("general".into(), 20_040), Tiers::ALL)]);
        assert!(!access.in_every_file().has(Tier::Content));
        assert!(!access.nowhere(Tier::Content));
        assert!(access.in_every_file().has(Tier::Operational));
    }
}

//! Which tiers somebody may read.

use crate::session::Caller;
use holdfast_archive::DataFile;
use holdfast_events::Tier;
use std::collections::HashMap;

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

/// What one caller may read of a snapshot's files. Master keys are per class and month, so files of one class and date
/// have the same rights.
#[derive(Debug, Default)]
pub(crate) struct TierAccess {
    by_filing: HashMap<(String, i32), Tiers>,
    in_every: Tiers,
    in_any: Tiers,
}

impl TierAccess {
    /// One file of each class and date: those that an [`Unlocker`] must be prepared for to know about all.
    pub(crate) fn representatives<'f>(files: impl IntoIterator<Item = &'f DataFile>) -> Vec<DataFile> {
        let mut seen = std::collections::HashSet::new();
        files.into_iter().filter(|file| seen.insert((file.class.as_str(), file.date))).cloned().collect()
    }

    /// What the keys of `caller` open, which were prepared for `representatives`, of what the caller may see.
    pub(crate) fn of(caller: &Caller, representatives: &[DataFile]) -> Self {
        Self::from_pairs(representatives.iter().map(|file| {
            let tiers: Tiers = Tier::ALL.into_iter().filter(|tier| caller.unlocker.can_read(*tier, file)).collect();
            ((file.class.clone(), file.date), tiers.and(caller.visibility.tiers()))
        }))
    }

    pub(crate) fn from_pairs(pairs: impl IntoIterator<Item = ((String, i32), Tiers)>) -> Self {
        let by_filing: HashMap<_, _> = pairs.into_iter().collect();
        let in_every = by_filing.values().copied().fold(Tiers::ALL, Tiers::and);
        let in_any = by_filing.values().copied().fold(Tiers::NONE, Tiers::or);
        Self { by_filing, in_every, in_any }
    }

    /// The tiers that the caller may read in `file`.
    pub(crate) fn in_file(&self, file: &DataFile) -> Tiers {
        // The key is borrowed by the standard map only as a pair of owned values; files are few next to their rows.
        self.by_filing.get(&(file.class.clone(), file.date)).copied().unwrap_or(Tiers::NONE)
    }

    /// The tiers that the caller may read in every file; all of them where there is no file.
    pub(crate) fn in_every_file(&self) -> Tiers {
        self.in_every
    }

    /// Whether there is a file, and `tier` is open in none of them.
    pub(crate) fn nowhere(&self, tier: Tier) -> bool {
        !self.by_filing.is_empty() && !self.in_any.has(tier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_archive_withholds_nothing() {
        let rights = TierAccess::default();
        assert!(!rights.nowhere(Tier::Content));
        assert_eq!(TierAccess::from_pairs([]).in_every_file(), Tiers::ALL);
    }

    #[test]
    fn a_tier_that_is_open_in_one_month_is_neither_everywhere_nor_nowhere() {
        let manager: Tiers = [Tier::Operational].into_iter().collect();
        let rights =
            TierAccess::from_pairs([(("general".into(), 20_000), manager), (("general".into(), 20_040), Tiers::ALL)]);
        assert!(!rights.in_every_file().has(Tier::Content));
        assert!(!rights.nowhere(Tier::Content));
        assert!(rights.in_every_file().has(Tier::Operational));
    }
}

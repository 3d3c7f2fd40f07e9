//! What an access may read, as its plan tells before it begins.

use crate::visibility::Tiers;
use holdfast_events::Tier;
use std::collections::{BTreeSet, HashSet};

/// Names that one record holds. Data of more than these counts as data of all subjects.
pub(super) const MAX_NAMES: usize = 10_000;
/// Bytes of all names in one record, which must fit into one message of Kafka.
pub(super) const MAX_NAME_BYTES: usize = 256 << 10;

/// What an access may read, as it is known when it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// The names of the tables.
    pub tables: BTreeSet<String>,
    /// The tiers of the columns.
    pub tiers: BTreeSet<Tier>,
    /// Whether data of the tiers personal and content may be read of others than those who are named.
    pub all_subjects: bool,
    /// Subjects whose data of the tiers personal and content may be read.
    pub subjects: BTreeSet<String>,
    /// Customers of whose subjects such data may be read.
    pub customers: BTreeSet<String>,
    /// Tickets of whose subjects such data may be read.
    pub tickets: BTreeSet<String>,
}

/// The column by which a statement names whose rows it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedBy {
    Subject,
    Customer,
    Ticket,
}

impl Reads {
    /// All events of one subject, in all tiers.
    pub fn everything_of(subject: &str) -> Self {
        let mut reads = Self::every_tier_of_events();
        reads.add_whose(Some((NamedBy::Subject, HashSet::from([subject.to_owned()]))));
        reads
    }

    /// Events in all tiers, of a subject that is not known before they are read.
    pub fn everything() -> Self {
        let mut reads = Self::every_tier_of_events();
        reads.add_whose(None);
        reads
    }

    fn every_tier_of_events() -> Self {
        Self { tables: BTreeSet::from(["events".to_owned()]), tiers: Tier::ALL.into(), ..Self::default() }
    }

    /// Adds columns of `tiers` in a table of the archive.
    pub(crate) fn add_table(&mut self, table: &str, tiers: Tiers) {
        self.tables.insert(table.to_owned());
        self.tiers.extend(Tier::ALL.into_iter().filter(|tier| tiers.has(*tier)));
    }

    /// Adds those whose protected data may be read: those who are named, or anybody.
    pub(crate) fn add_whose(&mut self, named: Option<(NamedBy, HashSet<String>)>) {
        match named {
            Some((by, names)) => match by {
                NamedBy::Subject => self.subjects.extend(names),
                NamedBy::Customer => self.customers.extend(names),
                NamedBy::Ticket => self.tickets.extend(names),
            },
            None => self.all_subjects = true,
        }
        let lists = [&self.subjects, &self.customers, &self.tickets];
        let count: usize = lists.iter().map(|names| names.len()).sum();
        let bytes: usize = lists.iter().flat_map(|names| names.iter()).map(String::len).sum();
        if self.all_subjects || count > MAX_NAMES || bytes > MAX_NAME_BYTES {
            self.all_subjects = true;
            self.subjects.clear();
            self.customers.clear();
            self.tickets.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(by: NamedBy, names: impl IntoIterator<Item = String>) -> Option<(NamedBy, HashSet<String>)> {
        Some((by, names.into_iter().collect()))
    }

    #[test]
    fn too_many_or_too_long_names_are_all_subjects() {
        let mut reads = Reads::default();
        reads.add_whose(names(NamedBy::Customer, (0..MAX_NAMES).map(|number| number.to_string())));
        assert!(!reads.all_subjects);
        reads.add_whose(names(NamedBy::Subject, ["S-1".to_owned()]));
        assert!(reads.all_subjects && reads.subjects.is_empty() && reads.customers.is_empty());

        let mut reads = Reads::default();
        reads.add_whose(names(NamedBy::Ticket, ["x".repeat(MAX_NAME_BYTES)]));
        assert!(!reads.all_subjects);
        reads.add_whose(names(NamedBy::Ticket, ["y".to_owned()]));
        assert!(reads.all_subjects && reads.tickets.is_empty());
    }

    #[test]
    fn one_scan_of_anybody_is_a_statement_about_all() {
        let mut reads = Reads::everything_of("S-1");
        assert!(!reads.all_subjects);
        assert_eq!(reads.tiers.len(), 3);
        reads.add_whose(None);
        reads.add_whose(names(NamedBy::Subject, ["S-2".to_owned()]));
        assert!(reads.all_subjects && reads.subjects.is_empty());
    }
}

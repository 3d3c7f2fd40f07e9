//! What one statement touched: the columns that it computes with, the files and the subjects that it reads.

use super::reads::{MAX_NAME_BYTES, MAX_NAMES, Reads};
use crate::visibility::{Origin, Tiers};
use holdfast_archive::Table;
use holdfast_events::Tier;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The subjects whose protected data was read: ids of sessions and of other subjects of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subjects {
    /// These subjects.
    Of(Vec<String>),
    /// Too many subjects to name. The access counts as one to all subjects.
    All,
}

/// A withheld column that a result shows as NULL, in all rows or in some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The column by its name in the result.
    pub column: String,
    /// The tier whose key is missing.
    pub tier: Tier,
    /// The number of files that withheld the column, and of all files that were read.
    pub files: (usize, usize),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (withheld, read) = self.files;
        write!(f, "column `{}` is withheld: your keys do not open its tier, {}", self.column, self.tier)?;
        if withheld < read { write!(f, ", in {withheld} of {read} files; their rows show NULL") } else { Ok(()) }
    }
}

/// Written by the planner (columns that the statement computes with) and by the scans (files, their readable tiers, what
/// the plan may read, and the subjects that are read).
#[derive(Debug, Default)]
pub(crate) struct StatementTrace {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    computed: Vec<(String, Origin)>,
    scans: Vec<(Table, Tiers, usize)>,
    reads: Reads,
    subjects: BTreeSet<String>,
    /// The bytes of all `subjects`.
    subject_bytes: usize,
    /// The statement read more than the record names.
    all_subjects: bool,
}

impl StatementTrace {
    /// Records that the statement computes with a column, by the name that the statement gives it.
    pub(crate) fn add_computed(&self, name: String, origin: Origin) {
        self.lock().computed.push((name, origin));
    }

    /// The first column of `table` that the statement computes with and whose tier is not `readable`.
    pub(crate) fn computed_without(&self, table: Table, readable: Tiers) -> Option<(String, Tier)> {
        let inner = self.lock();
        let (name, origin) =
            inner.computed.iter().find(|(_, origin)| origin.table == table && !readable.has(origin.tier))?;
        Some((name.clone(), origin.tier))
    }

    /// Records how many files are read with which readable tiers.
    pub(crate) fn add_scan(&self, table: Table, files: impl Iterator<Item = (Tiers, usize)>) {
        self.lock().scans.extend(files.map(|(readable, count)| (table, readable, count)));
    }

    /// The notice about a result column that comes from `origin`, if a file withheld it.
    pub(crate) fn notice(&self, column: &str, origin: &Origin) -> Option<Notice> {
        let inner = self.lock();
        let scans = inner.scans.iter().filter(|(table, ..)| *table == origin.table);
        let (mut withheld, mut read) = (0, 0);
        for (_, readable, count) in scans {
            read += count;
            withheld += if readable.has(origin.tier) { 0 } else { *count };
        }
        (withheld > 0).then(|| Notice { column: column.to_owned(), tier: origin.tier, files: (withheld, read) })
    }

    /// Adds what the plan may read.
    pub(crate) fn add_reads(&self, add: impl FnOnce(&mut Reads)) {
        add(&mut self.lock().reads);
    }

    /// What the plan may read.
    pub(crate) fn reads(&self) -> Reads {
        self.lock().reads.clone()
    }

    /// Records subjects whose protected data is read.
    pub(crate) fn add_subjects<'s>(&self, subjects: impl IntoIterator<Item = &'s str>) {
        let mut inner = self.lock();
        for subject in subjects {
            if inner.all_subjects {
                return;
            }
            if !inner.subjects.contains(subject) {
                inner.subjects.insert(subject.to_owned());
                inner.subject_bytes += subject.len();
            }
            if inner.subjects.len() > MAX_NAMES || inner.subject_bytes > MAX_NAME_BYTES {
                inner.all_subjects = true;
                inner.subjects.clear();
            }
        }
    }

    /// Records that what another statement read is read again.
    pub(crate) fn add_read_again(&self, subjects: &Subjects) {
        match subjects {
            Subjects::Of(subjects) => self.add_subjects(subjects.iter().map(String::as_str)),
            Subjects::All => {
                let mut inner = self.lock();
                inner.all_subjects = true;
                inner.subjects.clear();
            }
        }
    }

    /// The subjects recorded so far.
    pub(crate) fn subjects(&self) -> Subjects {
        let inner = self.lock();
        if inner.all_subjects { Subjects::All } else { Subjects::Of(inner.subjects.iter().cloned().collect()) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_subjects_than_a_record_holds_are_all_subjects() {
        let trace = StatementTrace::default();
        let names: Vec<String> = (0..MAX_NAMES).map(|number| number.to_string()).collect();
        for _ in 0..2 {
            trace.add_subjects(names.iter().map(String::as_str));
            assert!(matches!(trace.subjects(), Subjects::Of(subjects) if subjects.len() == MAX_NAMES));
        }
        trace.add_subjects(["one more"]);
        assert_eq!(trace.subjects(), Subjects::All);
        let again = StatementTrace::default();
        again.add_subjects(["S-1"]);
        again.add_read_again(&Subjects::Of(vec!["S-2".to_owned()]));
        assert_eq!(again.subjects(), Subjects::Of(vec!["S-1".to_owned(), "S-2".to_owned()]));
        again.add_read_again(&trace.subjects());
        assert_eq!(again.subjects(), Subjects::All);

        let trace = StatementTrace::default();
        let long = "x".repeat(MAX_NAME_BYTES);
        trace.add_subjects([long.as_str(), long.as_str()]);
        assert_eq!(trace.subjects(), Subjects::Of(vec![long]));
        trace.add_subjects(["y"]);
        assert_eq!(trace.subjects(), Subjects::All);
    }
}

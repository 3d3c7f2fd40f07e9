//! What one statement touched: the columns that it computes with, the files and the subjects that it reads.

use crate::visibility::{Origin, Tiers};
use holdfast_archive::Table;
use holdfast_events::Tier;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Subjects that one statement records by name. A statement that reads more counts as reading all subjects.
const MAX_SUBJECTS: usize = 10_000;

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

/// Written by the planner (columns that the statement computes with) and by the scans (files, their readable tiers, and
/// subjects).
#[derive(Debug, Default)]
pub(crate) struct StatementTrace {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    computed: Vec<(String, Origin)>,
    scans: Vec<(Table, Tiers, usize)>,
    subjects: BTreeSet<String>,
    /// The statement read more than [`MAX_SUBJECTS`].
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

    /// Records subjects whose protected data is read.
    pub(crate) fn add_subjects<'s>(&self, subjects: impl IntoIterator<Item = &'s str>) {
        let mut inner = self.lock();
        for subject in subjects {
            if inner.all_subjects {
                return;
            }
            if !inner.subjects.contains(subject) {
                inner.subjects.insert(subject.to_owned());
            }
            if inner.subjects.len() > MAX_SUBJECTS {
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

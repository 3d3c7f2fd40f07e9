//! What is remembered about one statement between its analysis and its execution.

use crate::access_record::Subjects;
use crate::tier_access::Tiers;
use holdfast_archive::Table;
use holdfast_events::Tier;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Subjects of one statement that are told apart. Beyond, the look counts as one at everybody.
const MAX_SUBJECTS: usize = 10_000;

/// A column of a table of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) table: Table,
    pub(crate) column: String,
    pub(crate) tier: Tier,
}

/// A withheld column that a result shows as NULL, in all rows or in some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The column by its name in the result.
    pub column: String,
    /// The tier whose key is missing.
    pub tier: Tier,
    /// The files of which the column was withheld, and all that were read.
    pub files: (usize, usize),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (withheld, read) = self.files;
        write!(f, "column `{}` is withheld: your keys do not open its tier, {}", self.column, self.tier)?;
        if withheld < read { write!(f, ", in {withheld} of {read} files; their rows show NULL") } else { Ok(()) }
    }
}

/// Written by the analysis (columns computed with) and by the scans (files whose tiers were withheld).
#[derive(Debug, Default)]
pub(crate) struct StatementTrace {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    computed: Vec<(String, Origin)>,
    scans: Vec<(Table, Tiers, usize)>,
    subjects: BTreeSet<String>,
    /// There were more than are told apart.
    are_all: bool,
}

impl StatementTrace {
    /// Notes that the statement computes with a column, which it calls `name`.
    pub(crate) fn compute(&self, name: String, origin: Origin) {
        self.lock().computed.push((name, origin));
    }

    /// The first column of `table` that the statement computes with and that `rights` do not open.
    pub(crate) fn computed_without(&self, table: Table, rights: Tiers) -> Option<(String, Tier)> {
        let inner = self.lock();
        let (name, origin) =
            inner.computed.iter().find(|(_, origin)| origin.table == table && !rights.has(origin.tier))?;
        Some((name.clone(), origin.tier))
    }

    /// Notes how many files were read with which rights.
    pub(crate) fn add_scan(&self, table: Table, files: impl Iterator<Item = (Tiers, usize)>) {
        self.lock().scans.extend(files.map(|(rights, count)| (table, rights, count)));
    }

    /// What to tell about a column of the result that comes from `origin`, if anything of it was withheld.
    pub(crate) fn notice(&self, column: &str, origin: &Origin) -> Option<Notice> {
        let inner = self.lock();
        let scans = inner.scans.iter().filter(|(table, ..)| *table == origin.table);
        let (mut withheld, mut read) = (0, 0);
        for (_, rights, count) in scans {
            read += count;
            withheld += if rights.has(origin.tier) { 0 } else { *count };
        }
        (withheld > 0).then(|| Notice { column: column.to_owned(), tier: origin.tier, files: (withheld, read) })
    }

    /// Notes whose protected data is read.
    pub(crate) fn add_subjects<'s>(&self, subjects: impl IntoIterator<Item = &'s str>) {
        let mut inner = self.lock();
        for subject in subjects {
            if inner.are_all {
                return;
            }
            if !inner.subjects.contains(subject) {
                inner.subjects.insert(subject.to_owned());
            }
            if inner.subjects.len() > MAX_SUBJECTS {
                inner.are_all = true;
                inner.subjects.clear();
            }
        }
    }

    /// Whose protected data was read so far.
    pub(crate) fn subjects(&self) -> Subjects {
        let inner = self.lock();
        if inner.are_all { Subjects::All } else { Subjects::Of(inner.subjects.iter().cloned().collect()) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

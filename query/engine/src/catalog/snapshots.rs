//! In which state a statement reads its tables.

use holdfast_archive::DataFile;
use holdfast_sessions::Current;
use std::sync::Arc;

/// The state of each table that a statement reads. Equal states are the same snapshots in memory, which a log returns as
/// long as nothing is committed.
#[derive(Clone, Default)]
pub(crate) struct Snapshots {
    /// By the place in the list of tables. `None` if the table is not read.
    files: Vec<Option<Arc<Vec<DataFile>>>>,
    /// If the statement reads sessions, or only rows of some.
    sessions: Option<Arc<Current>>,
}

impl Snapshots {
    pub(super) fn new(files: Vec<Option<Arc<Vec<DataFile>>>>, sessions: Option<Arc<Current>>) -> Self {
        Self { files, sessions }
    }

    /// Whether some table that both read has changed in between.
    pub(crate) fn are_former(&self, others: &Self) -> bool {
        self.files.iter().zip(&others.files).any(|(one, other)| have_changed(one, other))
            || have_changed(&self.sessions, &others.sessions)
    }

    /// A state of its own of the tables with these places.
    #[cfg(test)]
    pub(crate) fn of_no_files<const N: usize>(places: [usize; N]) -> Self {
        let last = places.iter().max().map_or(0, |last| last + 1);
        Self::new((0..last).map(|place| places.contains(&place).then(Arc::default)).collect(), None)
    }
}

impl PartialEq for Snapshots {
    fn eq(&self, other: &Self) -> bool {
        let read = |of: &Self| (of.files.iter().map(Option::is_some).collect::<Vec<_>>(), of.sessions.is_some());
        read(self) == read(other) && !self.are_former(other)
    }
}

fn have_changed<T>(one: &Option<Arc<T>>, other: &Option<Arc<T>>) -> bool {
    one.as_ref().zip(other.as_ref()).is_some_and(|(one, other)| !Arc::ptr_eq(one, other))
}

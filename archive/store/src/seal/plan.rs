//! The plan: which files are sealed together. Pure.
//!
//! ```text
//! live files of a table ─▶ without the sealed ones ─▶ by class and date ─▶ closed dates only
//!                                                        └─▶ in the order of their times ─▶ groups within the bounds
//! ```
//!
//! Every file of a closed date that is not sealed is sealed, also when it is the only one. So all rows of a closed date
//! are sorted and in files with the properties of sealed ones. A sealed file is never sealed again. Events that arrive
//! late for a sealed date become one more sealed file of that date in the next run.

use super::settings::SealSettings;
use crate::file_id;
use crate::log::DataFile;
use crate::segment::Partition;
use holdfast_events::Timestamp;
use std::collections::BTreeMap;

/// Files of one class and date that are merged into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) partition: Partition,
    /// In the order of their times.
    pub(crate) files: Vec<DataFile>,
}

impl Group {
    pub(crate) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// The end of a date: the first instant of the next.
pub(crate) fn end_of(date: i32) -> Timestamp {
    Timestamp(0).plus_days(i64::from(date) + 1)
}

/// The groups of `files`, which are live. `everything` also takes dates that are not closed.
pub(crate) fn plan(files: &[DataFile], now: Timestamp, everything: bool, settings: &SealSettings) -> Vec<Group> {
    let after = i64::try_from(settings.after.as_micros()).unwrap_or(i64::MAX);
    let is_closed = |date: i32| now.0 >= end_of(date).0.saturating_add(after);
    let mut by_partition: BTreeMap<Partition, Vec<DataFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| !file_id::is_sealed(&file.id) && (everything || is_closed(file.date))) {
        let partition = Partition { class: file.class.clone(), date: file.date };
        by_partition.entry(partition).or_default().push(file.clone());
    }
    let mut groups = Vec::new();
    for (partition, mut files) in by_partition {
        files.sort_unstable_by(|one, other| (one.time, &one.id).cmp(&(other.time, &other.id)));
        let (mut rows, mut bytes) = (0u64, 0u64);
        let mut group: Vec<DataFile> = Vec::new();
        for file in files {
            let fits = rows + file.rows <= settings.max_rows && bytes + file.size <= settings.max_bytes;
            // A file that exceeds the bounds alone is a group of its own.
            if !group.is_empty() && !fits {
                groups.push(Group { partition: partition.clone(), files: std::mem::take(&mut group) });
                (rows, bytes) = (0, 0);
            }
            rows += file.rows;
            bytes += file.size;
            group.push(file);
        }
        groups.push(Group { partition, files: group });
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

    const TODAY: i32 = 20_780;

    fn file(number: usize, (class, date, sealed, rows, size, time): (bool, i32, bool, u64, u64, i64)) -> DataFile {
        DataFile {
            path: format!("{number}").into(),
            id: if sealed { file_id::sealed(number) } else { number.to_string() },
            class: if class { "general" } else { "other" }.to_owned(),
            date,
            rows,
            size,
            time: (time > 0).then_some((time, time + 5)),
        }
    }

    #[test]
    fn a_date_is_closed_some_time_after_its_end() {
        let settings = SealSettings { after: Duration::from_secs(60), ..SealSettings::default() };
        let files = [file(1, (true, TODAY, false, 1, 1, 1))];
        let end = Timestamp(0).plus_days(i64::from(TODAY) + 1);
        assert_eq!(plan(&files, Timestamp(end.0 + 59_999_999), false, &settings), []);
        assert_eq!(plan(&files, Timestamp(end.0 + 60_000_000), false, &settings).len(), 1);
        assert_eq!(plan(&files, Timestamp(0), true, &settings).len(), 1);
    }

    proptest! {
        #[test]
        fn every_eligible_file_is_in_exactly_one_group_and_bounds_are_kept(
            specs in prop::collection::vec(
                (any::<bool>(), TODAY - 2..=TODAY, any::<bool>(), 0u64..40, 1u64..40, 0i64..50), 0..60),
            max_rows in 1u64..100,
            max_bytes in 1u64..100,
            everything: bool,
        ) {
            let settings = SealSettings { max_rows, max_bytes, after: Duration::ZERO, ..SealSettings::default() };
            let files: Vec<DataFile> = specs.into_iter().enumerate().map(|(number, spec)| file(number, spec)).collect();
            let groups = plan(&files, end_of(TODAY - 1), everything, &settings);
            let eligible: BTreeSet<&str> = files
                .iter()
                .filter(|file| !file_id::is_sealed(&file.id) && (everything || file.date < TODAY))
                .map(|file| file.id.as_str())
                .collect();
            let planned: Vec<&str> =
                groups.iter().flat_map(|group| group.files.iter().map(|file| file.id.as_str())).collect();
            prop_assert_eq!(planned.len(), eligible.len());
            prop_assert_eq!(planned.into_iter().collect::<BTreeSet<_>>(), eligible);
            for group in &groups {
                prop_assert!(!group.files.is_empty());
                let partitions: BTreeSet<_> = group.files.iter().map(|file| (&file.class, file.date)).collect();
                prop_assert_eq!(partitions, BTreeSet::from([(&group.partition.class, group.partition.date)]));
                prop_assert!(group.files.is_sorted_by_key(|file| file.time));
                let bytes: u64 = group.files.iter().map(|file| file.size).sum();
                prop_assert!(group.files.len() == 1 || (group.rows() <= max_rows && bytes <= max_bytes));
            }
        }
    }
}

//! The plan: which files are sealed together. Pure.
//!
//! ```text
//! live files of closed dates ─▶ by class and date ─┬─ not sealed ──────▶ in the order of their times ─▶ groups
//!                                                  └─ sealed and small ─▶ by tier ─▶ eight or more ────▶ groups
//! ```
//!
//! Every file of a closed date that is not sealed is sealed, also when it is the only one. So all rows of a closed date
//! are sorted and in files with the properties of sealed ones. Events that arrive late for a sealed date become one more
//! sealed file of that date in the next run.
//!
//! So that such files do not become very many, small sealed files are merged again. A file's tier is the logarithm of
//! its number of rows to the base [`FAN_IN`], and that many files of one tier are merged, if the merged file is of a
//! higher tier. It is not if they have no rows, or if the rows of few of them fill the memory. So a row is written
//! again at most once for each tier, and a date keeps fewer than [`FAN_IN`] small sealed files of each.

use super::settings::SealSettings;
use crate::file_id;
use crate::log::DataFile;
use crate::segment::Partition;
use holdfast_events::Timestamp;
use std::collections::BTreeMap;

/// Sealed files of one tier that are merged. A sealed file is small if so many of its size fit into one.
const FAN_IN: u64 = 8;
/// Decrypted bytes of a file's rows for each encrypted one, at most, as far as they are merged again.
const MAX_EXPANSION: u64 = 16;

/// Files of one class and date that are merged into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) partition: Partition,
    /// In the order of their times.
    pub(crate) files: Vec<DataFile>,
}

impl Group {
    pub(crate) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).fold(0, u64::saturating_add)
    }
}

/// Whether merging these files makes a difference: files of which one is not sealed yet, or sealed ones whose rows
/// together are of a higher tier.
pub(crate) fn is_progress(files: &[DataFile]) -> bool {
    let rows = files.iter().map(|file| file.rows).fold(0, u64::saturating_add);
    let highest = files.iter().map(|file| tier(file.rows)).max();
    files.iter().any(|file| !file_id::is_sealed(&file.id)) || highest.is_some_and(|highest| tier(rows) > highest)
}

/// The end of a date: the first instant of the next.
pub(crate) fn end_of(date: i32) -> Timestamp {
    Timestamp(0).plus_days(i64::from(date) + 1)
}

/// The groups of `files`, which are live. `everything` also takes dates that are not closed. `again`: small sealed files
/// are merged again.
pub(crate) fn plan(
    files: &[DataFile],
    now: Timestamp,
    everything: bool,
    again: bool,
    settings: &SealSettings,
) -> Vec<Group> {
    let after = i64::try_from(settings.after.as_micros()).unwrap_or(i64::MAX);
    let is_closed = |date: i32| now.0 >= end_of(date).0.saturating_add(after);
    let mut new: BTreeMap<Partition, Vec<DataFile>> = BTreeMap::new();
    let mut small: BTreeMap<(Partition, u32), Vec<DataFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| everything || is_closed(file.date)) {
        let partition = Partition { class: file.class.clone(), date: file.date };
        if !file_id::is_sealed(&file.id) {
            new.entry(partition).or_default().push(file.clone());
        } else if again && is_small(file, settings) {
            small.entry((partition, tier(file.rows))).or_default().push(file.clone());
        }
    }
    let new = new.into_iter().flat_map(|(partition, files)| groups(&partition, files, settings));
    let again = small.into_iter().flat_map(|((partition, _), files)| groups(&partition, files, settings));
    // The last group of a tier may be of fewer files, and waits for more.
    new.chain(again.filter(|group| group.files.len() as u64 >= FAN_IN && is_progress(&group.files))).collect()
}

/// Whether a sealed file is so small that [`FAN_IN`] of them fit into one, and their rows into the memory.
fn is_small(file: &DataFile, settings: &SealSettings) -> bool {
    let memory = u64::try_from(settings.max_memory).unwrap_or(u64::MAX) / MAX_EXPANSION;
    file.rows <= settings.max_rows / FAN_IN && file.size <= settings.max_bytes.min(memory) / FAN_IN
}

fn tier(rows: u64) -> u32 {
    rows.max(1).ilog(FAN_IN)
}

/// Splits files of one class and date into groups within the bounds, in the order of their times.
fn groups(partition: &Partition, mut files: Vec<DataFile>, settings: &SealSettings) -> Vec<Group> {
    files.sort_unstable_by(|one, other| (one.time, &one.id).cmp(&(other.time, &other.id)));
    let mut groups = Vec::new();
    let (mut rows, mut bytes) = (0u64, 0u64);
    let mut group: Vec<DataFile> = Vec::new();
    for file in files {
        let fits = rows.saturating_add(file.rows) <= settings.max_rows
            && bytes.saturating_add(file.size) <= settings.max_bytes;
        // A file that exceeds the bounds alone is a group of its own.
        if !group.is_empty() && !fits {
            groups.push(Group { partition: partition.clone(), files: std::mem::take(&mut group) });
            (rows, bytes) = (0, 0);
        }
        rows = rows.saturating_add(file.rows);
        bytes = bytes.saturating_add(file.size);
        group.push(file);
    }
    groups.push(Group { partition: partition.clone(), files: group });
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
        assert_eq!(plan(&files, Timestamp(end.0 + 59_999_999), false, true, &settings), []);
        assert_eq!(plan(&files, Timestamp(end.0 + 60_000_000), false, true, &settings).len(), 1);
        assert_eq!(plan(&files, Timestamp(0), true, true, &settings).len(), 1);
    }

    fn sealed(number: usize, date: i32, rows: u64, size: u64) -> DataFile {
        file(number, (true, date, true, rows, size, 0))
    }

    #[test]
    fn eight_small_sealed_files_of_one_tier_and_date_are_merged_again() {
        let settings = SealSettings { max_rows: 800, max_bytes: 8_000_000, ..SealSettings::default() };
        let merged = |files: &[DataFile]| {
            let groups = plan(files, end_of(TODAY), true, true, &settings);
            groups.iter().map(|group| group.files.len()).collect::<Vec<_>>()
        };
        let of = |count: usize, rows, size| (0..count).map(|n| sealed(n, TODAY, rows, size)).collect::<Vec<_>>();
        assert_eq!(merged(&of(7, 1, 45_000)), [0; 0]);
        assert_eq!(merged(&of(8, 1, 45_000)), [8]);
        assert_eq!(merged(&of(50, 7, 45_000)), [50], "as many as fit");
        assert_eq!(merged(&of(8, 0, 45_000)), [0; 0], "without rows");
        assert_eq!(merged(&of(50, 0, 45_000)), [0; 0], "without rows");
        assert_eq!(merged(&of(8, 100, 1_000_000)), [8], "they just fit");
        assert_eq!(merged(&of(8, 101, 1)), [0; 0], "too many rows");
        assert_eq!(merged(&of(8, 1, 1_000_001)), [0; 0], "too many bytes");
        assert_eq!(merged(&of(8, u64::MAX, u64::MAX)), [0; 0]);
        // Of two tiers, and of two dates.
        let mut files = of(7, 7, 45_000);
        files.push(sealed(7, TODAY, 8, 45_000));
        files.push(sealed(8, TODAY - 1, 7, 45_000));
        assert_eq!(merged(&files), [0; 0]);
        assert!(plan(&of(8, 1, 1), end_of(TODAY), true, false, &settings).is_empty(), "only if it is wanted");
        assert!(plan(&of(8, 1, 1), Timestamp(0), false, true, &settings).is_empty(), "the date is not closed");
        let little = SealSettings { max_memory: 1, ..settings.clone() };
        assert!(plan(&of(8, 1, 1), end_of(TODAY), true, true, &little).is_empty(), "their rows need memory");
    }

    #[test]
    fn sealed_files_are_merged_only_into_a_higher_tier() {
        let of = |rows: &[u64]| {
            let files: Vec<DataFile> = rows.iter().enumerate().map(|(n, rows)| sealed(n, TODAY, *rows, 1)).collect();
            is_progress(&files)
        };
        let cases: &[(&[u64], bool)] = &[
            (&[], false),
            (&[5], false),
            (&[4, 3], false),
            (&[4, 4], true),
            (&[0; 20], false),
            (&[8, 55], false),
            (&[8, 56], true),
            (&[7, 7, 1], true),
            (&[u64::MAX, u64::MAX], false),
        ];
        for (rows, expected) in cases {
            assert_eq!(of(rows), *expected, "{rows:?}");
        }
        let new = file(1, (true, TODAY, false, 0, 1, 1));
        assert!(is_progress(std::slice::from_ref(&new)) && is_progress(&[sealed(2, TODAY, 0, 1), new]));
    }

    /// The bytes of a sealed file: what every file has, and its rows.
    fn size_of(rows: u64) -> u64 {
        45 * 1024 + 20 * rows
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Hours of late events, each with some files of some dates.
        #[test]
        fn in_any_order_few_small_sealed_files_stay_and_a_row_is_written_again_once_a_tier(
            hours in prop::collection::vec(prop::collection::vec((TODAY - 2..TODAY, 1u64..4_000), 0..12), 1..120),
        ) {
            let settings = SealSettings { max_rows: 20_000, ..SealSettings::default() };
            // Of files with at most an eighth of the rows of the largest one.
            let tiers = u64::from((settings.max_rows / FAN_IN).ilog(FAN_IN)) + 1;
            let (mut live, mut number): (Vec<DataFile>, usize) = (Vec::new(), 0);
            let (mut arrived, mut arrived_bytes, mut again, mut again_bytes) = (0, 0, 0, 0);
            // In the hours after the last event nothing comes, and the tiers settle.
            for hour in hours.into_iter().chain(vec![Vec::new(); tiers as usize]) {
                for (date, rows) in hour {
                    number += 1;
                    live.push(file(number, (true, date, false, rows, size_of(rows), 0)));
                    arrived += rows;
                }
                for group in plan(&live, end_of(TODAY), false, true, &settings) {
                    number += 1;
                    let rows = group.rows();
                    let merged = sealed(number, group.partition.date, rows, size_of(rows));
                    prop_assert!(is_progress(&group.files));
                    if group.files.iter().any(|file| !file_id::is_sealed(&file.id)) {
                        arrived_bytes += merged.size;
                    } else {
                        again += rows;
                        again_bytes += merged.size;
                        prop_assert!(group.files.iter().all(|file| tier(file.rows) < tier(merged.rows)));
                    }
                    let gone: BTreeSet<String> = group.files.into_iter().map(|file| file.id).collect();
                    live.retain(|file| !gone.contains(&file.id));
                    live.push(merged);
                }
            }
            prop_assert_eq!(live.iter().map(|file| file.rows).sum::<u64>(), arrived);
            for date in TODAY - 2..TODAY {
                let small = live.iter().filter(|file| file.date == date && is_small(file, &settings)).count() as u64;
                prop_assert!(small <= tiers * (FAN_IN - 1), "{} small files", small);
            }
            prop_assert!(again <= tiers * arrived);
            prop_assert!(again_bytes <= tiers * arrived_bytes);
        }
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
            let groups = plan(&files, end_of(TODAY - 1), everything, false, &settings);
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

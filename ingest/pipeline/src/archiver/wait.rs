//! Waits until the archive has reached given offsets. The archiver may run in another process.

use holdfast_archive::{ArchiveError, TableLog};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the log is read.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Waits until the log has reached `targets`, the next offset of each partition. Calls `progress` with the number of
/// offsets that are still missing.
///
/// # Errors
/// The log cannot be read.
pub async fn wait_until_archived(
    log: &TableLog,
    targets: &BTreeMap<(String, i32), i64>,
    mut progress: impl FnMut(u64),
) -> Result<(), ArchiveError> {
    loop {
        let offsets = log.offsets().await?;
        let missing = missing(&offsets, targets);
        progress(missing);
        if missing == 0 {
            return Ok(());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn missing(offsets: &BTreeMap<(String, i32), i64>, targets: &BTreeMap<(String, i32), i64>) -> u64 {
    targets
        .iter()
        .map(|(partition, target)| target - offsets.get(partition).copied().unwrap_or(0).min(*target))
        .map(|gap| u64::try_from(gap).unwrap_or(0))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_offsets_are_counted_per_partition() {
        let at = |entries: &[(i32, i64)]| entries.iter().map(|(n, next)| (("t".to_owned(), *n), *next)).collect();
        assert_eq!(missing(&at(&[]), &at(&[(0, 5), (1, 2)])), 7);
        assert_eq!(missing(&at(&[(0, 9), (1, 1)]), &at(&[(0, 5), (1, 2)])), 1);
        assert_eq!(missing(&at(&[(0, 9)]), &at(&[(0, 5)])), 0);
    }
}

//! What both engines may use.

/// Threads for one statement, in both engines.
pub(super) const THREADS: usize = 2;
/// How often each report is run after the first time. The best run counts, and the first is printed beside it.
pub(super) const RUNS: usize = 5;
/// Bytes for the sorts, joins and groups of all statements together.
pub(super) const MEMORY: usize = 512 << 20;
/// Bytes of spilled files.
pub(super) const SPILL: u64 = 16 << 30;

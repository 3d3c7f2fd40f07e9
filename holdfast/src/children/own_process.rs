//! What a child does to its own process before it starts anything else.

/// Added to the score by which Linux chooses what to kill when memory runs out (0 to 1000).
#[cfg(target_os = "linux")]
const OOM_SCORE: &str = "500";

/// Makes this process the first to end when the system's memory runs out. If the system refuses, that is logged: the
/// process works without it.
pub(crate) fn end_first_without_memory() {
    #[cfg(target_os = "linux")]
    if let Err(error) = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE) {
        tracing::warn!(%error, "this process could not be made the first to end when memory runs out");
    }
}

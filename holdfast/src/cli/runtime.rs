//! The asynchronous runtime of a command.

use std::future::Future;
use std::time::Duration;

use anyhow::Context as _;

/// How long the end of a command waits for threads that still block.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Runs asynchronous work on a runtime of its own.
pub(crate) fn block_on<T>(job: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("holdfast")
        .build()
        .context("start the runtime")?;
    let result = runtime.block_on(job);
    // Work that was abandoned must not keep the process alive.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    result
}

//! Cancels statements before the process that executes them reaches the limit at which it is killed.
//!
//! What statements reserve has a limit of its own. The process holds more than that: rows on their way, what decoding
//! takes, footers. Killed, it would end all statements; so the one that holds the most ends before, or the oldest if none
//! holds much.

use std::time::Duration;

use holdfast_query::Session;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::children::{MemoryWatch, resident};

/// How often the memory of the process is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// The watch over the memory of this process.
pub(crate) struct StatementMemory {
    engine: Session,
    watch: MemoryWatch,
    /// Bytes, for the log.
    limit: u64,
    /// The resident size, in bytes; `None` when the system does not tell.
    resident: Box<dyn Fn() -> Option<u64> + Send>,
    cancelled: Counter,
}

impl StatementMemory {
    /// Watches a process that is killed at `limit` bytes.
    pub(crate) fn new(engine: Session, limit: u64, registry: &mut Registry) -> Self {
        let cancelled = Counter::default();
        registry.sub_registry_with_prefix("query").register(
            "out_of_memory",
            "Statements that were cancelled because the process came near its memory limit",
            cancelled.clone(),
        );
        let own = std::process::id();
        Self { engine, watch: MemoryWatch::new(limit), limit, resident: Box::new(move || resident(own)), cancelled }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            self.check();
        }
        Ok(())
    }

    fn check(&mut self) {
        let Some(resident) = (self.resident)() else { return };
        if !self.watch.must_give_up(resident) {
            return;
        }
        let (resident_mib, limit_mib) = (resident >> 20, self.limit >> 20);
        match self.engine.cancel_largest() {
            Some(held) => {
                self.cancelled.inc();
                tracing::warn!(
                    resident_mib,
                    limit_mib,
                    held_mib = held >> 20,
                    "cancelled a statement, because this process is near its memory limit"
                );
            }
            None => {
                tracing::warn!(
                    resident_mib,
                    limit_mib,
                    "this process is near its memory limit, and there is no statement to cancel"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use arrow_array::RecordBatch;
    use futures::StreamExt as _;
    use futures::stream::BoxStream;
    use holdfast_archive::{Archive, open_store};
    use holdfast_query::{QueryError, SessionOptions};

    use super::*;

    type Batches = BoxStream<'static, Result<RecordBatch, QueryError>>;

    /// A statement that holds its rows until they are taken. Its first ones are.
    async fn begun(engine: &Session, rows: usize) -> Batches {
        let sql = format!("SELECT n FROM generate_series(1, {rows}) AS n ORDER BY n % 1000");
        let mut batches = engine.sql(&sql).await.unwrap().batches;
        assert!(batches.next().await.unwrap().is_ok());
        batches
    }

    /// The error with which the rest of a statement ends, or the number of its rows.
    async fn rest(mut batches: Batches) -> Result<usize, QueryError> {
        let mut rows = 0;
        while let Some(batch) = batches.next().await {
            rows += batch?.num_rows();
        }
        Ok(rows)
    }

    #[tokio::test]
    async fn near_the_limit_the_larger_statement_is_cancelled_and_the_smaller_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::new(open_store("archive", folder.path(), &BTreeMap::new()).unwrap());
        let mut options = SessionOptions::new(archive, Vec::new());
        options.parallelism = 2;
        options.concurrent_statements = 4;
        let engine = Session::new(options).unwrap();
        let mut memory = StatementMemory::new(engine.clone(), 1000 << 20, &mut Registry::default());
        let size = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&size);
        memory.resident = Box::new(move || Some(read.load(Ordering::Relaxed) << 20));

        let large = begun(&engine, 400_000).await;
        let small = begun(&engine, 40_000).await;
        size.store(899, Ordering::Relaxed);
        memory.check();
        assert_eq!(memory.cancelled.get(), 0);
        size.store(900, Ordering::Relaxed);
        memory.check();
        // Its memory is not returned yet.
        memory.check();
        assert_eq!(memory.cancelled.get(), 1);
        let ended = rest(large).await;
        assert!(matches!(ended, Err(QueryError::OutOfMemory { held_mib }) if held_mib >= 1), "{ended:?}");
        assert!(rest(small).await.unwrap() > 30_000);

        // Without a statement there is nothing to cancel, and a system that does not tell changes nothing.
        size.store(990, Ordering::Relaxed);
        memory.check();
        memory.resident = Box::new(|| None);
        memory.check();
        assert_eq!(memory.cancelled.get(), 1);
    }
}

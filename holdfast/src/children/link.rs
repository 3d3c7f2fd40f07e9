//! The child's end of the two pipes to its parent.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::report::{Addresses, ChildReport};
use crate::health::{END_OF_METRICS, Readiness};

/// The line with which the parent asks for an orderly stop.
pub(super) const STOP: &str = "stop";
/// How often a child reports. The parent takes a child that is silent for several of them for one that hangs.
pub(super) const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Exit code of a child whose parent has died.
const ORPHANED: i32 = 1;

/// The link of a child to its parent.
#[derive(Debug)]
pub(crate) struct Link(());

impl Link {
    /// Watches standard input from now on. Its line "stop" becomes a signal in `signals`. Its end without that line
    /// means that the parent has died, and ends this process at once, however busy its runtime is: the next parent
    /// needs the ports.
    ///
    /// # Errors
    ///
    /// When the thread that reads cannot be started.
    pub(crate) fn open(signals: mpsc::Sender<&'static str>) -> std::io::Result<Self> {
        std::thread::Builder::new().name("holdfast-link".to_owned()).spawn(move || {
            for line in std::io::stdin().lock().lines() {
                if line.is_ok_and(|line| line == STOP) {
                    let _ = signals.blocking_send("stop of the parent");
                    return;
                }
            }
            std::process::exit(ORPHANED);
        })?;
        Ok(Self(()))
    }

    /// Reports until `stop`, at once and then every second.
    pub(crate) async fn report(
        self,
        readiness: Readiness,
        registry: Arc<Registry>,
        addresses: Addresses,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let report =
                ChildReport { components: readiness.report().components, addresses, metrics: metrics(&registry) };
            // The pipe may be full while the parent is suspended, and that must not block the runtime.
            let written = tokio::task::spawn_blocking(move || {
                let mut output = std::io::stdout().lock();
                output.write_all(&report.to_line()).and_then(|()| output.flush())
            });
            written.await??;
            if stop.run_until_cancelled(tokio::time::sleep(REPORT_INTERVAL)).await.is_none() {
                return Ok(());
            }
        }
    }
}

/// Without the last line of the format, which only the parent writes.
fn metrics(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).expect("writing to a string does not fail");
    text.truncate(text.strip_suffix(END_OF_METRICS).map_or(text.len(), str::len));
    text
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn the_metrics_of_a_child_have_no_end() {
        let mut registry = Registry::with_prefix("holdfast");
        registry.register("rounds", "Rounds", Counter::<u64>::default());
        assert_eq!(
            metrics(&registry),
            "# HELP holdfast_rounds Rounds.\n# TYPE holdfast_rounds counter\nholdfast_rounds_total 0\n"
        );
    }
}

//! The clock that the gateway and the archiver read the time from.

use holdfast_events::Timestamp;
use std::sync::Arc;
use std::time::SystemTime;

/// Returns the current time. A test passes a fixed clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of this machine.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    })
}

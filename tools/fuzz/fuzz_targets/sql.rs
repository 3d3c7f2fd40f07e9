//! Any statement of the grammar is answered or refused within its bounds, and the engine goes on. The memory of the process is
//! bounded by libFuzzer (`-rss_limit_mb`).

#![no_main]
#![allow(dead_code, reason = "the tests use more of the fixture")]

#[path = "../../../query/engine/tests/query/fixture.rs"]
mod fixture;
#[path = "../../../query/engine/tests/query/trial.rs"]
mod trial;

use holdfast_testkit::choices::Choices;
use holdfast_testkit::sql;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::runtime::Runtime;
use trial::Trial;

/// For one statement.
const LIMIT: Duration = Duration::from_secs(2);

static TRIAL: LazyLock<(Runtime, Trial)> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let trial = runtime.block_on(Trial::new(LIMIT));
    (runtime, trial)
});

fuzz_target!(|bytes: &[u8]| {
    let (runtime, trial) = &*TRIAL;
    runtime.block_on(trial.execute(&sql::statement(&mut Choices::of(bytes))));
});

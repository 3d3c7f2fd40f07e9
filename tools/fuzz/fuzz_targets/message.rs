//! Any Kafka message becomes an event or a dead letter of an archive that is intact: the whole way from decoding to the commit,
//! without Kafka.

#![no_main]

#[path = "../../../ingest/pipeline/tests/pipeline/proof.rs"]
mod proof;
#[path = "../../../ingest/pipeline/tests/pipeline/trial.rs"]
mod trial;

use holdfast_testkit::choices::Choices;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use trial::Trial;

static TRIAL: LazyLock<Trial> = LazyLock::new(Trial::new);

fuzz_target!(|bytes: &[u8]| {
    TRIAL.archive(&mut Choices::of(bytes));
});

//! Whatever a PostgreSQL client sends, before, in and after its login, the server ends the connection and goes on.

#![no_main]
#![allow(dead_code, reason = "the tests use more of the fixture")]

#[path = "../../../query/postgres/tests/postgres/fixture.rs"]
mod fixture;
#[path = "../../../query/postgres/tests/postgres/trial.rs"]
mod trial;

use holdfast_testkit::choices::Choices;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use trial::Trial;

static TRIAL: LazyLock<Trial> = LazyLock::new(Trial::new);

fuzz_target!(|bytes: &[u8]| TRIAL.connect(&mut Choices::of(bytes)));

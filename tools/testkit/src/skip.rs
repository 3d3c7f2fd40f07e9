//! Skipping: a test whose server or tool is missing prints why it is skipped; in CI it fails instead.
//!
//! So a successful run in CI has run every test, and a contributor without Java or Go can still run the rest of the suite.

use std::io::Write;

use crate::{Error, watchdog};

/// Whether a missing server or tool is a failure: the environment variable `CI` is `true`.
#[must_use]
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Returns the server or tool, or prints on standard error why the test is skipped and returns `None`. In CI, a test that
/// has it and does not end is named, and stops the run.
///
/// # Panics
///
/// If it is missing and [`in_ci`], or if it is installed but does not work: a broken one is never a reason to skip.
#[track_caller]
#[must_use]
pub fn require<T>(part: Result<T, Error>) -> Option<T> {
    if in_ci() {
        watchdog::watch();
    }
    decide(part, in_ci())
}

#[track_caller]
fn decide<T>(part: Result<T, Error>, ci: bool) -> Option<T> {
    match part {
        Ok(part) => Some(part),
        Err(error @ Error::Unavailable { .. }) if !ci => {
            let thread = std::thread::current();
            // Not eprintln!: the test harness captures its output for a passing test, and a skip must be visible.
            let _ = writeln!(std::io::stderr(), "SKIPPED {}: {error}", thread.name().unwrap_or("a test"));
            None
        }
        Err(error @ Error::Unavailable { .. }) => panic!("{error} (with CI=true nothing is skipped)"),
        Err(error) => panic!("{error}"),
    }
}

/// The server or tool, or an early return from the test: `let kafka = require!(Kafka::start().await);`.
///
/// The second argument is the return value of a test that returns something: `require!(part, Ok(()))`.
#[macro_export]
macro_rules! require {
    ($part:expr) => {
        $crate::require!($part, ())
    };
    ($part:expr, $otherwise:expr) => {
        match $crate::skip::require($part) {
            Some(part) => part,
            None => return $otherwise,
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_without_its_tool_is_skipped_outside_ci() {
        assert!(decide::<()>(Err(Error::unavailable("a unicorn", "never seen")), false).is_none());
        assert_eq!(decide(Ok(7), false), Some(7));
    }

    #[test]
    #[should_panic(expected = "a unicorn is not on this machine: never seen (with CI=true nothing is skipped)")]
    fn a_test_without_its_tool_fails_in_ci() {
        let _ = decide::<()>(Err(Error::unavailable("a unicorn", "never seen")), true);
    }

    #[test]
    #[should_panic(expected = "a.json cannot be read: torn")]
    fn a_test_with_a_broken_tool_fails_everywhere() {
        let _ = decide::<()>(Err(Error::Unreadable { path: "a.json".into(), reason: "torn".into() }), false);
    }
}

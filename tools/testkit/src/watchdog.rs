//! A test that does not end stops the run of its tests and is named, instead of taking all the time that the suite has.
//!
//! The watch is on a test's thread until that ends, so also while the test's runtime waits for threads that hang.

use std::cell::Cell;
use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Far longer than any test takes.
const LIMIT: Duration = Duration::from_secs(15 * 60);

thread_local! {
    /// Dropped with the thread, or when another test begins in it.
    static WATCHED: Cell<Option<Sender<()>>> = const { Cell::new(None) };
}

/// Watches the test that runs in this thread from now on.
pub(crate) fn watch() {
    let (ended, has_ended) = channel();
    WATCHED.set(Some(ended));
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    std::thread::spawn(move || {
        if is_hanging(&has_ended, LIMIT) {
            // Not eprintln!: nothing prints what the test harness has captured of a process that aborts.
            let _ = writeln!(std::io::stderr(), "HANGS: {test} has not ended within {LIMIT:?}");
            std::process::abort();
        }
    });
}

fn is_hanging(has_ended: &Receiver<()>, limit: Duration) -> bool {
    has_ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_thread_ends_the_watch() {
        let (ended, has_ended) = channel();
        std::thread::spawn(move || WATCHED.set(Some(ended))).join().unwrap();
        assert!(!is_hanging(&has_ended, Duration::from_secs(3_600)));
    }

    #[test]
    fn a_thread_that_goes_on_is_told() {
        let (_ended, has_ended) = channel();
        assert!(is_hanging(&has_ended, Duration::ZERO));
    }
}

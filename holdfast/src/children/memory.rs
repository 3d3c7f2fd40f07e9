//! The resident memory of a process, against its limit.

/// When a process must give up memory, so that it does not reach its limit: at nine tenths of it, and then for each
/// fiftieth more. Memory that is given up may stay with the process, so a size that stays above nine tenths, and does not
/// grow, calls for nothing. Pure.
#[derive(Debug, Clone)]
pub(crate) struct MemoryWatch {
    first: u64,
    step: u64,
    /// At which resident size memory must be given up next.
    next: u64,
}

impl MemoryWatch {
    /// `limit` is in bytes.
    pub(crate) fn new(limit: u64) -> Self {
        let first = limit - limit / 10;
        Self { first, step: limit / 50, next: first }
    }

    /// Whether memory must be given up now. `resident` is the size in bytes; to be called several times a second.
    pub(crate) fn must_give_up(&mut self, resident: u64) -> bool {
        let must = resident >= self.next;
        let next = resident.saturating_add(self.step).max(self.first);
        // What was given up and returned may be taken again only up to here.
        self.next = if must { next } else { self.next.min(next) };
        must
    }
}

/// The resident memory of a process, in bytes; `None` when the system does not tell, or the process has ended.
pub(crate) fn resident(process: u32) -> Option<u64> {
    parse(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

/// The line `VmRSS` of proc(5).
fn parse(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_up_at_nine_tenths_and_then_while_it_grows() {
        let mut watch = MemoryWatch::new(1000);
        for (resident, must) in [
            (0, false),
            (899, false),
            (900, true),
            (900, false),
            (919, false),
            (920, true),
            (955, true),
            (974, false),
            // Some of it was returned.
            (930, false),
            (949, false),
            (950, true),
            // All of it was returned.
            (100, false),
            (900, true),
            (1000, true),
        ] {
            assert_eq!(watch.must_give_up(resident), must, "{resident}");
        }
        for limit in [0, 1, u64::MAX] {
            let mut watch = MemoryWatch::new(limit);
            assert!(watch.must_give_up(u64::MAX), "{limit}");
            assert!(!watch.must_give_up(0), "{limit}");
        }
    }

    #[test]
    fn the_resident_memory_is_read_from_the_status_of_a_process() {
        assert_eq!(parse("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2 << 20));
        assert_eq!(parse("Name:\tkthreadd\n"), None);
        assert_eq!(parse("VmRSS:\t18446744073709551615 kB\n"), None);
        assert_eq!(parse("VmRSS:\t-1 kB\n"), None);
        #[cfg(target_os = "linux")]
        assert!(resident(std::process::id()).unwrap() > 1 << 20);
    }
}

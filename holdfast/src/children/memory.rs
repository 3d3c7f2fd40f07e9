//! The resident memory of a process, against its limit.

/// The resident memory of a process, in bytes; `None` when the system does not tell, or the process has ended.
pub(super) fn resident(process: u32) -> Option<u64> {
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
    fn the_resident_memory_is_read_from_the_status_of_a_process() {
        assert_eq!(parse("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2 << 20));
        assert_eq!(parse("Name:\tkthreadd\n"), None);
        assert_eq!(parse("VmRSS:\t18446744073709551615 kB\n"), None);
        assert_eq!(parse("VmRSS:\t-1 kB\n"), None);
        #[cfg(target_os = "linux")]
        assert!(resident(std::process::id()).unwrap() > 1 << 20);
    }
}

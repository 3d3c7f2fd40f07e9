//! CPU time and memory of this process, and benchmarks in processes of their own.

use anyhow::{Context, bail};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// User and system time of all threads, from `/proc/self/stat` (proc(5), fields 14 and 15, in hundredths of a second).
pub(crate) fn cpu_time() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("read /proc/self/stat")?;
    let after_name = stat.rsplit_once(')').context("no name in /proc/self/stat")?.1;
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().context("a field of /proc/self/stat"))
        .sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Runs the internal command `name` of this program in a process of its own, and reads the report that it prints.
pub(crate) fn child(name: &str, arguments: impl FnOnce(&mut Command)) -> anyhow::Result<Value> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(name);
    arguments(&mut command);
    report_of(command).with_context(|| name.to_owned())
}

/// A number in a report.
pub(crate) fn number(report: &Value, name: &str) -> anyhow::Result<f64> {
    report[name].as_f64().with_context(|| format!("no {name} in the report"))
}

fn report_of(mut command: Command) -> anyhow::Result<Value> {
    let output = command.stderr(std::process::Stdio::inherit()).output().context("start a process")?;
    if !output.status.success() {
        bail!("the process failed: {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("read its report")
}

/// The largest resident memory so far, in MiB, from `/proc/self/status`.
pub(crate) fn peak_memory() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no VmHWM in /proc/self/status")?;
    let kib: u64 = line.split_whitespace().nth(1).context("no number in VmHWM")?.parse()?;
    Ok(kib / 1024)
}

//! Progress on standard error: bars for people at a terminal, nothing at all when it is piped.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The terminal that all bars and the log share, so that log lines are printed above the bars.
#[derive(Debug, Clone)]
pub(crate) struct Bars(MultiProgress);

impl Bars {
    /// Visible when standard error is a terminal.
    pub(crate) fn new() -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        Self(MultiProgress::with_draw_target(target))
    }

    /// With a known end: `total` units of `what`, such as "events".
    pub(crate) fn of(&self, total: u64, doing: &'static str, what: &'static str) -> Progress {
        let template =
            format!("{{msg:20}} [{{wide_bar:.cyan}}] {{human_pos}}/{{human_len}} {what} {{per_sec}} {{eta}}");
        self.start(ProgressBar::new(total), &template, doing)
    }

    /// Without a known end.
    pub(crate) fn open_ended(&self, doing: &'static str, what: &'static str) -> Progress {
        self.start(ProgressBar::no_length(), &format!("{{spinner}} {{msg}} {{human_pos}} {what} {{elapsed}}"), doing)
    }

    /// In bytes of a known total.
    pub(crate) fn of_bytes(&self, total: u64, doing: &'static str) -> Progress {
        let template = "{msg:20} [{wide_bar:.cyan}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        self.start(ProgressBar::new(total), template, doing)
    }

    fn start(&self, bar: ProgressBar, template: &str, doing: &'static str) -> Progress {
        let style = ProgressStyle::with_template(template).expect("the templates here are well formed");
        let bar = self.0.add(bar.with_style(style.progress_chars("=> ")).with_message(doing));
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress(bar)
    }
}

/// The progress of one operation. Dropping it removes its bar.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Adds `units` to the units that are done.
    pub(crate) fn add(&self, units: u64) {
        self.0.inc(units);
    }

    /// Sets how many units are done.
    pub(crate) fn set(&self, units: u64) {
        self.0.set_position(units);
    }

    /// Shows what is being done.
    pub(crate) fn doing(&self, doing: impl Into<String>) {
        self.0.set_message(doing.into());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Writes log lines to standard error, above the bars.
impl Write for Bars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // The log writes whole lines, so a line is never interrupted.
        self.0.suspend(|| io::stderr().lock().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Bars {
    type Writer = Self;

    fn make_writer(&self) -> Self::Writer {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_count_and_are_hidden_without_a_terminal() {
        let bars = Bars::new();
        let progress = bars.of(10, "importing", "events");
        progress.add(3);
        progress.add(4);
        assert_eq!(progress.0.position(), 7);
        if !io::stderr().is_terminal() {
            assert!(bars.0.is_hidden());
        }
        for other in [bars.open_ended("waiting", "events"), bars.of_bytes(5, "reading")] {
            other.doing("something else");
            other.set(5);
        }
    }
}

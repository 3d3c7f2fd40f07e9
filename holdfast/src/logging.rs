//! The log: to standard error, as text for people or JSON for machines.

use std::io::{self, IsTerminal};

use crate::config::{Log, LogFormat};
use crate::log_filter::parse_level;
use crate::progress::Bars;

/// Starts the log. Commands call it once, after they have read the configuration.
pub(crate) fn start(log: &Log, bars: &Bars) {
    let filter = parse_level(&log.level).expect("the level was checked with the configuration");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(bars.clone());
    // A second call, as in tests, has no effect.
    let _ = match log.format {
        LogFormat::Text => builder.with_ansi(colours_wanted()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
}

/// Whether standard error is a terminal that may be coloured (<https://no-color.org>).
pub(crate) fn colours_wanted() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

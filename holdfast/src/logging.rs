//! The log: to standard error, as text for people or JSON for machines.
//!
//! Dependencies that talk much are held at `warn` unless the configured level names them: nobody should have to read the
//! life of a Kafka connection to find out what Holdfast does, and some of them write what they are given: a parser the
//! statement, a broker the payload.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::config::{Log, LogFormat};
use crate::progress::Bars;

/// Targets of dependencies that are held at `warn`.
const NOISY: [&str; 22] = [
    "buoyant_kernel",
    "datafusion",
    "datafusion_execution",
    "datafusion_optimizer",
    "delta_kernel",
    "deltalake",
    "deltalake_core",
    "h2",
    "hyper",
    "hyper_util",
    "i18n_embed",
    "librdkafka",
    "libsql",
    "object_store",
    "rdkafka",
    "reqwest",
    "rustls",
    "sqlparser",
    "tansu_broker",
    "tansu_sans_io",
    "tansu_service",
    "tansu_storage",
];

/// Checks the text of `log.level`.
///
/// # Errors
///
/// Says which directive is not one.
pub(crate) fn parse_level(level: &str) -> Result<EnvFilter, ParseError> {
    let mut directives: Vec<String> = NOISY.iter().map(|target| format!("{target}=warn")).collect();
    // What the configuration says about a target comes later and so replaces what stands above.
    directives.push(level.to_owned());
    EnvFilter::try_new(directives.join(","))
}

/// Sends everything that is logged from here on to standard error. Called once, by commands that have a configuration.
pub(crate) fn start(log: &Log, bars: &Bars) {
    let filter = parse_level(&log.level).expect("the level was checked with the configuration");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(bars.clone());
    // A second call, as tests make it, changes nothing.
    let _ = match log.format {
        LogFormat::Text => builder.with_ansi(colours_wanted()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
}

/// Whether standard error is a terminal that may be coloured (<https://no-color.org>).
pub(crate) fn colours_wanted() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_quiet_unless_they_are_named() {
        let filter = parse_level("debug").unwrap().to_string();
        assert!(filter.contains("rdkafka=warn") && filter.contains("debug"), "{filter}");
        let filter = parse_level("info,rdkafka=trace").unwrap().to_string();
        assert!(filter.contains("rdkafka=trace") && !filter.contains(",rdkafka=warn"), "{filter}");
        assert!(!filter.starts_with("rdkafka=warn"), "{filter}");
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        assert!(parse_level("info,=").is_err() || parse_level("holdfast=loud").is_err());
    }
}

//! The levels at which the targets of the log are enabled.
//!
//! Verbose dependencies are held at `warn` unless the configured level names them: their lines hide those of Holdfast,
//! and some of them log their input. A parser logs the statement, a broker the payload.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

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

/// Parses `log.level`.
///
/// # Errors
///
/// [`ParseError`] names the directive that is not valid.
pub(crate) fn parse_level(level: &str) -> Result<EnvFilter, ParseError> {
    let mut directives: Vec<String> = NOISY.iter().map(|target| format!("{target}=warn")).collect();
    // A later directive for the same target replaces an earlier one.
    directives.push(level.to_owned());
    EnvFilter::try_new(directives.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbose_dependencies_are_held_at_warn_unless_the_level_names_them() {
        let filter = parse_level("debug").unwrap().to_string();
        assert!(filter.contains("rdkafka=warn") && filter.contains("debug"), "{filter}");
        let filter = parse_level("info,rdkafka=trace").unwrap().to_string();
        assert!(filter.contains("rdkafka=trace") && !filter.contains(",rdkafka=warn"), "{filter}");
        assert!(!filter.starts_with("rdkafka=warn"), "{filter}");
    }

    #[test]
    fn an_invalid_level_is_refused() {
        assert!(parse_level("info,=").is_err() || parse_level("holdfast=loud").is_err());
    }
}

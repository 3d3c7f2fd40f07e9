//! Errors of a configuration: what is wrong, where, and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::origin::Origin;

/// One mistake in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) what: String,
    /// `None` when the mistake is not in one key.
    pub(crate) origin: Option<Origin>,
    pub(crate) advice: String,
}

/// Why the configuration cannot be used. The command line ends with exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("no configuration file; {path}; make one with `holdfast init`, or name it with --config", path = path.display())]
    Missing { path: PathBuf },
    #[error("cannot read the configuration; {path}; check that it exists and that this user may read it", path = path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Invalid(Invalid),
    #[error("cannot read a secret: {key}; {path}; check that it exists and that this user may read it", path = path.display())]
    SecretUnreadable { key: String, path: PathBuf, source: io::Error },
    #[error("a secret is {what}: {key}; {place}; {advice}")]
    SecretUnusable { key: String, what: &'static str, place: String, advice: String },
}

/// All mistakes of one configuration, so that they can be corrected together.
#[derive(Debug)]
pub(crate) struct Invalid {
    pub(crate) file: Option<PathBuf>,
    pub(crate) problems: Vec<Problem>,
}

impl std::error::Error for Invalid {}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.problems.len() > 1 {
            write!(formatter, "{} mistakes in the configuration", self.problems.len())?;
        }
        for problem in &self.problems {
            if self.problems.len() > 1 {
                formatter.write_str("\n  ")?;
            }
            let place = match (&problem.origin, &self.file) {
                (Some(Origin::File { line }), Some(file)) => format!("{}, line {line}", file.display()),
                (Some(Origin::File { line }), None) => format!("line {line}"),
                (Some(Origin::Environment { variable }), _) => format!("environment variable {variable}"),
                (None, Some(file)) => file.display().to_string(),
                (None, None) => "the configuration".to_owned(),
            };
            write!(formatter, "{}; {place}; {}", problem.what, problem.advice)?;
        }
        Ok(())
    }
}

//! How a command ends: its exit code, and the report of its error.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::session_context::Session;
use crate::config::ConfigError;
use crate::init::InitError;
use crate::logging;

/// Exit code when the command failed, or found a fault.
const FAILED: u8 = 1;
/// Exit code when the command line or the configuration is wrong. clap uses the same.
const USAGE: u8 = 2;

/// How a command without an error ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    /// The command completed and found a fault, which its result describes.
    Found,
}

/// The exit code of a command. Prints its error, if there is one.
pub(super) fn exit_code(result: anyhow::Result<Outcome>, session: &Session) -> ExitCode {
    match result {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(FAILED),
        // The reader of the output has closed it, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, session);
            ExitCode::from(if is_usage(&error) { USAGE } else { FAILED })
        }
    }
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<ConfigError>() || cause.is::<holdfast_reports::ReportError>() || cause.is::<InitError>()
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe))
}

/// Prints an error and its causes to standard error.
fn report(error: &anyhow::Error, session: &Session) {
    let (red, plain) = if logging::colours_wanted() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    let mut text = format!("{red}error:{plain} {error}\n");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Some errors repeat their cause in their own text.
        if !last.ends_with(&cause) {
            text.push_str(&format!("  because: {cause}\n"));
        }
        last = cause;
    }
    // If standard error is closed, there is nowhere to report that.
    let _ = session.bars.clone().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_configuration_error_is_a_usage_error_wherever_it_is_in_the_chain() {
        let missing = ConfigError::Missing { path: PathBuf::from("x") };
        let error = anyhow::Error::new(missing).context("start the server");
        assert!(is_usage(&error));
        assert!(!is_usage(&anyhow::anyhow!("the disk is full")));
    }
}

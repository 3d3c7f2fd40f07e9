//! The command line: words, exit codes and the shape of what is printed. Each command has its own file.

mod config;
mod demo;
mod import;
mod init;
mod keys;
mod prove;
mod report;
mod seal;
mod serve;
mod session;
mod sessions;
mod sql;
mod status;
mod users;
mod verify;

use std::ffi::OsString;
use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::config::{ConfigError, DEFAULT_FILE_NAME, Settings, Sources, load};
use crate::logging;
use crate::progress::Bars;

/// Exit code when the command was understood but failed, or found something.
const FAILED: u8 = 1;
/// Exit code when the command line or the configuration is wrong. The one clap uses.
const USAGE: u8 = 2;
/// What threads that still block are given at the end.
const LINGER: Duration = Duration::from_secs(2);

/// A compliance archive for support sessions: events through Kafka into encrypted storage, and SQL out of it.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, max_term_width = 100, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Serve(serve::Serve),
    Demo(demo::Demo),
    Import(import::Import),
    Sql(sql::Sql),
    Report(report::Report),
    Session(session::Story),
    #[command(subcommand)]
    Sessions(sessions::SessionsCommand),
    Status(status::Status),
    Seal(seal::Seal),
    Verify(verify::Verify),
    Prove(prove::Prove),
    VerifyProof(prove::VerifyProof),
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    #[command(subcommand)]
    Users(users::UsersCommand),
    #[command(subcommand)]
    Config(config::ConfigCommand),
}

/// Which configuration to use.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// Configuration file [default: ./holdfast.toml; also HOLDFAST_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigArguments {
    /// The file that is meant, whether or not it exists.
    fn file(&self) -> PathBuf {
        self.config
            .clone()
            .or_else(|| std::env::var_os("HOLDFAST_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(DEFAULT_FILE_NAME))
    }

    /// The configuration, from a file that must exist.
    pub(crate) fn load(&self) -> Result<Settings, ConfigError> {
        let path = self.file();
        if !path.exists() {
            return Err(ConfigError::Missing { path });
        }
        load(&Sources { file: Some(path), environment: environment() })
    }

    /// The configuration; the defaults when no file was named and none is there.
    fn load_or_default(&self) -> Result<Settings, ConfigError> {
        let path = self.file();
        if self.config.is_some() || path.exists() {
            return self.load();
        }
        load(&Sources { file: None, environment: environment() })
    }
}

/// The environment. What is not Unicode is passed on with replacement characters, so that a variable with Holdfast's prefix
/// is refused rather than silently ignored.
fn environment() -> Vec<(String, String)> {
    let text = |value: OsString| value.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

/// What a command has to work with.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) bars: Bars,
}

impl Session {
    /// Starts the log as the configuration says.
    pub(crate) fn start_log(&self, settings: &Settings) {
        logging::start(&settings.config.log, &self.bars);
    }

    /// The same for a command that answers and ends: it speaks for itself, and its log only warns unless a level is set.
    pub(crate) fn start_quiet_log(&self, settings: &Settings) {
        let mut log = settings.config.log.clone();
        if !settings.origins.contains_key("log.level") {
            log.level = "warn".to_owned();
        }
        logging::start(&log, &self.bars);
    }

    /// Says something beside the answer, on standard error.
    pub(crate) fn remark(&self, text: &str) {
        // Nothing can be done when standard error is gone.
        let _ = writeln!(self.bars.clone(), "{text}");
    }
}

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    /// It did what it was asked to, and found something that should not be. Nothing more is said of it.
    Found,
}

/// Parses the command line and runs the command.
pub(crate) fn run() -> ExitCode {
    // clap prints its own errors and ends with 2.
    let arguments = Arguments::parse();
    let session = Session { bars: Bars::new() };
    let result = match arguments.command {
        Command::Init(command) => command.run(),
        Command::Serve(command) => command.run(&session),
        Command::Demo(command) => command.run(&session),
        Command::Import(command) => command.run(&session),
        Command::Sql(command) => command.run(&session),
        Command::Report(command) => command.run(&session),
        Command::Session(command) => command.run(&session),
        Command::Sessions(command) => command.run(&session),
        Command::Status(command) => command.run(&session),
        Command::Seal(command) => command.run(&session),
        Command::Verify(command) => command.run(&session),
        Command::Prove(command) => command.run(&session),
        Command::VerifyProof(command) => command.run(),
        Command::Keys(command) => command.run(&session),
        Command::Users(command) => command.run(),
        Command::Config(command) => command.run(),
    };
    match result {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(FAILED),
        // Whoever reads our output has seen enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, &session);
            ExitCode::from(if is_usage(&error) { USAGE } else { FAILED })
        }
    }
}

/// Runs a command that waits for things, on a runtime of its own.
pub(crate) fn block_on<T>(job: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("holdfast")
        .build()
        .context("start the runtime")?;
    let result = runtime.block_on(job);
    // What was given up must not keep the process.
    runtime.shutdown_timeout(LINGER);
    result
}

fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<ConfigError>() || cause.is::<holdfast_reports::ReportError>() || cause.is::<crate::init::InitError>()
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
    // Nothing can be done when standard error is gone.
    let _ = session.bars.clone().write_all(text.as_bytes());
}

/// What this program was called as, for commands that are printed to be tried.
pub(crate) fn program() -> String {
    let called = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let called = PathBuf::from(called);
    let short = called.strip_prefix(&here).map_or(called.clone(), |path| PathBuf::from(".").join(path));
    let text = short.display().to_string();
    if text.is_empty() { "holdfast".to_owned() } else { shell_word(&text) }
}

/// A text as one word of a shell's command line.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@%+=,".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Prints one JSON value and a newline to standard output.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("write the result as JSON")?;
    text.push('\n');
    print(&text)
}

/// Prints text to standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("write to standard output")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_words_are_well_formed() {
        Arguments::command().debug_assert();
        Arguments::try_parse_from(["holdfast", "init", "--dir", "x", "--json"]).unwrap();
        Arguments::try_parse_from(["holdfast", "config", "show", "--config", "f", "--json"]).unwrap();
        Arguments::try_parse_from(["holdfast", "serve", "--roles", "gateway,archiver"]).unwrap();
        Arguments::try_parse_from(["holdfast", "demo", "--dir", "d", "--sessions", "5", "--seed", "1", "--exit"])
            .unwrap();
        Arguments::try_parse_from(["holdfast", "import", "-", "--config", "f"]).unwrap();
        Arguments::try_parse_from([
            "holdfast",
            "sql",
            "SELECT 1",
            "--identity",
            "a",
            "--identity",
            "b",
            "--format",
            "csv",
        ])
        .unwrap();
        Arguments::try_parse_from(["holdfast", "report"]).unwrap();
        let report = ["holdfast", "report", "x", "--from", "2026-05-01", "--set", "a=b", "--format", "svg", "-o", "f"];
        Arguments::try_parse_from(report).unwrap();
        assert!(Arguments::try_parse_from(["holdfast", "report", "x", "--set", "a"]).is_err());
        Arguments::try_parse_from(["holdfast", "session", "s-1", "--json"]).unwrap();
        Arguments::try_parse_from(["holdfast", "session", "s-1", "--recording", "r-1", "--out", "f"]).unwrap();
        assert!(Arguments::try_parse_from(["holdfast", "session", "s-1", "--recording", "r-1"]).is_err());
        Arguments::try_parse_from(["holdfast", "session", "s-1", "--completeness", "--json"]).unwrap();
        let both = ["holdfast", "session", "s-1", "--completeness", "--recording", "r-1", "--out", "f"];
        assert!(Arguments::try_parse_from(both).is_err());
        Arguments::try_parse_from(["holdfast", "status", "--json"]).unwrap();
        Arguments::try_parse_from(["holdfast", "verify", "--since", "f", "--json"]).unwrap();
        Arguments::try_parse_from([
            "holdfast",
            "verify",
            "--class",
            "general",
            "--from",
            "2026-01-01",
            "--sample",
            "5",
        ])
        .unwrap();
        Arguments::try_parse_from(["holdfast", "prove", "e-1", "--source", "s", "--out", "f"]).unwrap();
        Arguments::try_parse_from(["holdfast", "verify-proof", "f", "--public-keys", "k", "--json"]).unwrap();
        Arguments::try_parse_from(["holdfast", "seal", "--now", "--json"]).unwrap();
        let add =
            ["holdfast", "users", "add", "kim", "--role", "agent", "--agent", "kim", "--portal", "a", "--portal", "b"];
        Arguments::try_parse_from(add).unwrap();
        assert!(Arguments::try_parse_from(["holdfast", "users", "add", "kim", "--role", "boss"]).is_err());
        Arguments::try_parse_from(["holdfast", "users", "token", "add", "kim", "--name", "n", "--expires-days", "9"])
            .unwrap();
        assert!(Arguments::try_parse_from(["holdfast"]).is_err());
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("a/b.toml"), "a/b.toml");
        assert_eq!(shell_word("a b"), "'a b'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn configuration_errors_are_usage_errors_wherever_they_stand_in_the_chain() {
        let missing = ConfigError::Missing { path: PathBuf::from("x") };
        let error = anyhow::Error::new(missing).context("start the server");
        assert!(is_usage(&error));
        assert!(!is_usage(&anyhow::anyhow!("the disk is full")));
    }
}

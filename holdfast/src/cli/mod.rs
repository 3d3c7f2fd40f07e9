//! The command line. Each command has its own file, and returns an [`Outcome`] or an error.
//!
//! ```text
//! arguments ─▶ command ─▶ output: the result, on standard output
//!                 └─────▶ outcome: errors on standard error, and the exit code
//! ```

mod arguments;
mod config;
mod demo;
mod import;
mod init;
mod keys;
mod outcome;
mod output;
mod prove;
mod report;
mod runtime;
mod seal;
mod serve;
mod session;
mod session_context;
mod sessions;
mod sql;
mod status;
mod users;
mod verify;

pub(crate) use arguments::ConfigArguments;
pub(crate) use outcome::Outcome;
pub(crate) use output::{print, print_json};
pub(crate) use runtime::block_on;
pub(crate) use session_context::Session;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::progress::Bars;

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
    Session(session::SessionCommand),
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

/// Parses the command line and runs the command.
pub(crate) fn run() -> ExitCode {
    // If the arguments are wrong, clap prints the error and exits with 2.
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
    outcome::exit_code(result, &session)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_and_their_options_parse() {
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
}

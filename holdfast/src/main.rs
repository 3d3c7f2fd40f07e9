//! `holdfast`: reads the command line and the configuration, joins the parts, and stops them in order.
//!
//! ```text
//! arguments ─▶ cli ─▶ config ─▶ wiring ─▶ supervise ─▶ exit code
//! ```
//!
//! Nothing else in Holdfast reads configuration files or the environment.

// Supervision, health and progress are used by the commands that run the pipeline.
#![allow(dead_code)]

mod cli;
mod config;
mod health;
mod init;
mod logging;
mod progress;
mod supervise;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}

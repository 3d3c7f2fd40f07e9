//! `holdfast`: reads the command line and the configuration, joins the parts, and stops them in order.
//!
//! ```text
//! arguments ─▶ cli ─▶ config ─▶ wiring ─▶ supervise ─▶ exit code
//! ```
//!
//! Nothing else in Holdfast reads configuration files or the environment.

mod cli;
mod config;
mod health;
mod init;
mod logging;
mod progress;
mod render;
mod supervise;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Two providers are compiled in, and rustls panics rather than choose. The first one installed stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run()
}

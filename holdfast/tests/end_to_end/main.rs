//! The program as its users run it: started, queried, killed, and checked from the outside.
//!
//! ```text
//! Installation: a folder of `holdfast init`, with ports of its own
//!   ├──▶ serve ◀──HTTP── Sender, which records every 202
//!   ├──▶ sql, import, demo ... run to their end
//!   └──▶ files on the disk: searched for planted secrets
//! ```

#![expect(clippy::print_stdout, reason = "how many events and how long: shown with --nocapture and when a test fails")]

mod commands;
mod corpus;
mod gateway;
mod installation;
mod interfaces;
mod interoperability;
mod keys;
mod kills;
mod processes;
mod proof;
mod secrets;
mod sender;
mod shell;
mod shutdown;
mod tls;
mod trials;
